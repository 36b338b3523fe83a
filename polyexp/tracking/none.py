"""The tracker that records nothing beyond the folder of a run."""

from dataclasses import dataclass

from polyexp.tracking.tracker import Tracker

__all__ = ["NoTracking"]


@dataclass
class NoTracking(Tracker, name="none"):
    """A tracker that records runs in their folders alone.

    Example:
        >>> import polyexp as p
        >>> p.NoTracking().choice
        'none'
    """
