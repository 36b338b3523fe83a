"""What runs promise whatever happens to their store: real processes, real stores and real faults."""
