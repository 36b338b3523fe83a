"""The tracker that records nothing beyond the folder of a run."""

from dataclasses import dataclass

from polyexp.tracking.tracker import Record, RunInfo, Tracker

__all__ = ["NoTracking"]


@dataclass
class NoTracking(Tracker, name="none"):
    """A tracker that records nothing and imports no other package."""

    def record(self, about: RunInfo) -> Record:
        """A record that ignores what it is given."""
        return Record()
