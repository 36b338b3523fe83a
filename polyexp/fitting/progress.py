"""The progress of the runs of one fit towards their outcomes."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from polyexp.base import Value
from polyexp.exact import Quadratic
from polyexp.fitting.outcome import Outcome
from polyexp.fitting.state import Snapshot, close_arrays
from polyexp.loop import Loop
from polyexp.model import Model
from polyexp.optimizer import Optimizer
from polyexp.problem import Samples

__all__ = ["GROWTH_LIMIT", "Progress", "Rules", "largest_loss", "loss_of"]

GROWTH_LIMIT = 1e6  # a run whose loss is above this many times the initial one has diverged
MIN_RELATIVE_FALL = 1e-9  # a smaller fall, relative to the lowest loss so far, may be rounding and does not count


@dataclass(frozen=True)
class Rules(Value):
    """The rules by which the runs of a fit end.

    Args:
        limit: The largest loss of a run that has not diverged, from `largest_loss`. Shape (*runs,).
        loop: The loop, which has the tolerance and the patience.
        quadratic: The loss as a quadratic form, for a linear model.
    """

    limit: np.ndarray  # shape: (*runs,)
    loop: Loop
    quadratic: Quadratic | None


@dataclass(frozen=True)
class Progress(Value):
    """How far the runs of one fit have come.

    Args:
        best: The lowest excess at a regular snapshot, or the lowest loss of a model that is not linear. Shape (*runs,).
        waited: The number of regular snapshots since then. Shape (*runs,).
        outcome: The `Outcome` of each run; None for a run that goes on. Shape (*runs,).
        steps: The number of updates of the last finite parameters. Shape (*runs,).
        snapshots: The number of snapshots up to the end of each run. Shape (*runs,).
        rules: The rules by which the runs end.
    """

    best: np.ndarray  # shape: (*runs,)
    waited: np.ndarray  # shape: (*runs,)
    outcome: np.ndarray  # shape: (*runs,)
    steps: np.ndarray  # shape: (*runs,)
    snapshots: np.ndarray  # shape: (*runs,)
    rules: Rules

    def __post_init__(self) -> None:
        close_arrays(self)

    @classmethod
    def start(cls, rules: Rules) -> Self:
        """The progress before the first snapshot."""
        runs = rules.limit.shape
        zero = np.zeros(runs, int)
        return cls(np.full(runs, np.inf), zero, np.full(runs, None, object), zero, zero, rules)

    @property
    def going(self) -> np.ndarray:  # shape: (*runs,)
        """Whether each run has not ended yet."""
        return np.asarray(self.outcome == np.array(None))

    def after(self, snapshot: Snapshot) -> Self:
        """The progress after a snapshot, which may end runs.

        Args:
            snapshot: The snapshot, with finite parameters and the number of updates that gave them.
        """
        going, loop, quadratic = self.going, self.rules.loop, self.rules.quadratic
        # The excess is that of the parameters which a result would have; the loss is one step older.
        excess = quadratic.excess(snapshot.params) if quadratic else None
        value, small = (snapshot.loss, snapshot.grad_norm) if excess is None else (excess, excess)
        best, waited = self.best, self.waited
        if not snapshot.early:
            waited = np.where(going, np.where(value < best * (1 - MIN_RELATIVE_FALL), 0, waited + 1), waited)
            best = np.where(going, np.fmin(best, value), best)
        steps = np.where(going, snapshot.taken, self.steps)
        reached = type(self)(best, waited, self.outcome, steps, self.snapshots + going, self.rules)
        # The comparison with the limit is false of nan too.
        diverged = (snapshot.taken < snapshot.step) | ~(snapshot.loss <= self.rules.limit)
        converged = small <= (-1.0 if loop.tolerance is None else loop.tolerance)
        stalled = waited >= (np.inf if loop.patience is None else loop.patience)
        if not (going & (diverged | converged | stalled)).any():  # as at almost every snapshot
            return reached
        return (
            reached.ending(Outcome.DIVERGED, diverged)
            .ending(Outcome.CONVERGED, converged)
            .ending(Outcome.STALLED, stalled)
        )

    def end(self, loss: np.ndarray) -> Self:
        """The progress after the last step; a run that goes on ends as DIVERGED or MAX_STEPS, by its final loss.

        Args:
            loss: The final loss. Shape (*runs,).
        """
        return self.ending(Outcome.DIVERGED, ~(loss <= self.rules.limit)).ending(Outcome.MAX_STEPS)

    def ending(self, outcome: Outcome, ended: np.ndarray | bool = True) -> Self:
        """The progress in which those of the runs that go on have this outcome for which `ended` is true."""
        return replace(self, outcome=np.where(self.going & ended, np.array(outcome, object), self.outcome))


def largest_loss(
    model: Model, samples: Samples, initial: np.ndarray, optimizer: Optimizer, quadratic: Quadratic | None
) -> np.ndarray:
    """The largest loss of a run that has not diverged.

    It is `GROWTH_LIMIT` times the initial loss, and at least the loss of y = 0, because a run that starts almost at its optimum
    may leave it for a while. At a learning rate up to the learning-rate limit it is the largest finite number, because with
    momentum the loss of a stable run may grow by any factor before it falls.

    # shape: (*runs,)
    """
    finite = np.finfo(float).max
    with np.errstate(over="ignore"):
        limit = np.maximum(GROWTH_LIMIT * loss_of(model, samples, initial), samples.loss(np.zeros_like(samples.y)))
    stable = optimizer.limit(quadratic.largest) if quadratic and quadratic.largest else None
    growing = True if stable is None else np.asarray(optimizer.learning_rate) > stable
    return np.where(growing, np.minimum(limit, finite), finite)


def loss_of(model: Model, samples: Samples, params: np.ndarray) -> np.ndarray:  # shape: (*runs, K) -> (*runs,)
    """The loss of each run at its parameters, in float64."""
    with np.errstate(all="ignore"):
        return samples.loss(model(params, samples.x))
