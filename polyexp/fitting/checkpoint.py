"""The checkpoint from which a fit goes on."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from polyexp.base import Value
from polyexp.fitting.history import History
from polyexp.fitting.progress import Progress, Rules
from polyexp.fitting.state import State, close_arrays, read_only
from polyexp.loop import Loop
from polyexp.model import Model
from polyexp.optimizer import Optimizer
from polyexp.problem import Samples

__all__ = ["Checkpoint"]


@dataclass(frozen=True)
class Checkpoint(Value):
    """All that a fit needs in order to go on as if it had not been stopped: the same numbers, to the bit.

    Its arrays are read-only.

    Args:
        model: The model on the domain of the samples.
        optimizer: The optimizer with its numbers, in NumPy.
        samples: The samples that are fitted.
        initial: The initial values. Shape (*runs, K).
        state: The state that was reached, in float64 NumPy; any backend can go on from it.
        finite: The last finite parameters of each run, which are those of the state unless it has become infinite or nan.
            Shape (*runs, K).
        taken: The number of updates that gave them. Shape (*runs,).
        progress: The progress at the last snapshot, with the loop among its rules.
        history: The snapshots so far.
        seconds: The time that the steps took so far, in seconds.

    Example:
        >>> import polyexp as p
        >>> parts = {"loop": p.Manual(steps=100), "optimizer": p.GradientDescent(0.25), "backend": p.NumPy()}
        >>> samples, model = p.Samples.of([-1, 0, 1], [1, 0, 1]), p.PowerSeries(degree=1)
        >>> stopped = p.fit(samples, model, **parts, stop=lambda: True)
        >>> stopped.outcome.name, int(stopped.steps), len(stopped.checkpoint.history.step)
        ('INTERRUPTED', 1, 1)
        >>> result = p.fit(samples, model, **parts, start=stopped.checkpoint)
        >>> result.outcome.name, int(result.steps), bool((result.params == p.fit(samples, model, **parts).params).all())
        ('MAX_STEPS', 100, True)
    """

    model: Model
    optimizer: Optimizer
    samples: Samples
    initial: np.ndarray  # shape: (*runs, K)
    state: State
    finite: np.ndarray  # shape: (*runs, K)
    taken: np.ndarray  # shape: (*runs,)
    progress: Progress
    history: History
    seconds: float

    def __post_init__(self) -> None:
        close_arrays(self)
        object.__setattr__(self, "state", self.state.moved(read_only))

    @classmethod
    def before_the_first_step(
        cls, model: Model, optimizer: Optimizer, samples: Samples, initial: np.ndarray, state: State, rules: Rules
    ) -> Self:
        """The checkpoint of a fit that has taken no step."""
        taken = np.zeros(initial.shape[:-1], int)
        return cls(
            model,
            optimizer,
            samples,
            initial,
            state,
            initial,
            taken,
            Progress.start(rules),
            History.empty(initial),
            0.0,
        )

    def differences(self, other: "Checkpoint") -> list[str]:
        """What decides the numbers of a fit and is not the same in the fits of two checkpoints, in words; none for one fit.

        The rules by which a fit ends, the backend and the class of a loop that takes steps are not compared.

        Args:
            other: The other checkpoint.
        """
        loop, another = self.progress.rules.loop, other.progress.rules.loop
        same = {
            "the model": self.model == other.model,
            "the optimizer": self.optimizer == other.optimizer,
            "the initial values (`params` or `seed`)": np.array_equal(self.initial, other.initial),
            "the kind of loop (step by step or `loop=closed_form`)": loop.direct == another.direct,
            f"`{loop.key('log_every')}`": _log_every(loop) == _log_every(another),
            "the samples": _same_samples(self.samples, other.samples),
        }
        return [name for name, alike in same.items() if not alike]


def _log_every(loop: Loop) -> int | None:
    """The steps between two snapshots; None for a loop that does not use them."""
    return None if loop.direct else loop.log_every


def _same_samples(one: Samples, other: Samples) -> bool:
    """Whether both samples define one loss on one domain."""
    arrays = [(getattr(one, name), getattr(other, name)) for name in ("x", "y", "weights")]
    numbers = (one.domain, one.floor) == (other.domain, other.floor)
    return numbers and all(np.array_equal(array, another) for array, another in arrays)
