"""How long polyexp takes beside the programs that do the same: `make bench`, or `python -m benchmarks`."""
