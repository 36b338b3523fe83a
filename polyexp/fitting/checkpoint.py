"""The checkpoint from which a fit goes on."""

from dataclasses import dataclass

from polyexp.fitting.progress import Progress
from polyexp.fitting.state import Snapshot, State

__all__ = ["Checkpoint"]


@dataclass(frozen=True)
class Checkpoint:
    """All that a fit needs in order to go on as if it had not been stopped: the same numbers, to the bit.

    Args:
        state: The last state in which every run that goes on was finite, in float64 NumPy; any backend can go on from it.
        progress: The progress at the last snapshot.
        snapshots: The snapshots so far.
        seconds: The time that the steps took so far, in seconds.
    """

    state: State
    progress: Progress
    snapshots: tuple[Snapshot, ...]
    seconds: float
