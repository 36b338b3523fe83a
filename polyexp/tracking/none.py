"""No record beyond the run's own folder."""

from dataclasses import dataclass

from polyexp.tracking.tracker import About, Record, Tracker

__all__ = ["Nothing"]


@dataclass
class Nothing(Tracker, name="none"):
    """Records nothing, and imports nothing for it."""

    def record(self, about: About) -> Record:
        """An empty record."""
        return Record()
