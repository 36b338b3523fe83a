"""The checkpoint from which a fit goes on."""

from dataclasses import dataclass

import numpy as np

from polyexp.base import Value
from polyexp.fitting.progress import Progress
from polyexp.fitting.state import Snapshot, State
from polyexp.model import Model
from polyexp.problem import Samples

__all__ = ["Checkpoint"]


@dataclass(frozen=True)
class Checkpoint(Value):
    """All that a fit needs in order to go on as if it had not been stopped: the same numbers, to the bit.

    Args:
        model: The model on the domain of the samples.
        samples: The samples that are fitted.
        state: The state that was reached, in float64 NumPy; any backend can go on from it.
        finite: The last finite parameters of each run, which are those of the state unless it has become infinite or nan.
            Shape (*runs, K).
        taken: The number of updates that gave them. Shape (*runs,).
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

    model: Model
    samples: Samples
    state: State
    finite: np.ndarray  # shape: (*runs, K)
    taken: np.ndarray  # shape: (*runs,)
    progress: Progress
    snapshots: tuple[Snapshot, ...]
    seconds: float

    def is_of_the_fit_of(self, other: "Checkpoint") -> bool:
        """Whether both checkpoints are of one model, one kind of optimizer, equally many runs, and the same samples."""
        arrays = [(getattr(self.samples, name), getattr(other.samples, name)) for name in ("x", "y", "weights")]
        return self.described == other.described and all(np.array_equal(one, another) for one, another in arrays)

    @property
    def described(self) -> str:
        """The model, the shape of the parameters and the arrays of the optimizer, as text."""
        arrays = " and ".join(sorted(self.state.opt_state)) or "no arrays"
        return f"{self.model!r} with parameters of shape {self.state.params.shape} and {arrays} of the optimizer"
