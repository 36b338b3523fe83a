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

    Example:
        >>> import polyexp as p
        >>> parts = {"loop": p.Manual(steps=100), "optimizer": p.GradientDescent(0.25), "backend": p.NumPy()}
        >>> samples, model = p.Samples.of([-1, 0, 1], [1, 0, 1]), p.PowerSeries(degree=1)
        >>> stopped = p.fit(samples, model, **parts, stop=lambda: True)
        >>> stopped.outcome.name, int(stopped.steps), len(stopped.checkpoint.snapshots)
        ('INTERRUPTED', 1, 1)
        >>> result = p.fit(samples, model, **parts, start=stopped.checkpoint)
        >>> result.outcome.name, int(result.steps), bool((result.params == p.fit(samples, model, **parts).params).all())
        ('MAX_STEPS', 100, True)
    """

    state: State
    progress: Progress
    snapshots: tuple[Snapshot, ...]
    seconds: float
