"""The progress of the runs of one fit towards their outcomes."""

import numpy as np

from polyexp.exact import Quadratic
from polyexp.fitting.result import Outcome, loss_of
from polyexp.fitting.state import Snapshot
from polyexp.loop import Loop
from polyexp.model import Model
from polyexp.optimizer import Optimizer
from polyexp.problem import Samples

__all__ = ["GROWTH_LIMIT", "Progress", "largest_loss"]

GROWTH_LIMIT = 1e6  # a run whose loss is above this many times the initial one has diverged
MIN_RELATIVE_FALL = 1e-9  # a smaller fall, relative to the lowest loss so far, may be rounding and does not count


class Progress:
    """The progress of the runs of one fit; the only mutable object of a fit.

    Args:
        initial: The initial values. Shape (*runs, K).
        limit: The largest loss of a run that has not diverged, from `largest_loss`. Shape (*runs,).
        loop: The loop, which has the tolerance and the patience.
        quadratic: The loss as a quadratic form, for a linear model.
    """

    def __init__(self, initial: np.ndarray, limit: np.ndarray, loop: Loop, quadratic: Quadratic | None) -> None:
        self.params = np.array(initial, float)  # shape: (*runs, K)
        self.taken = np.zeros(limit.shape, int)
        self.outcome = np.full(limit.shape, None, object)
        self._lowest, self._waited = np.full(limit.shape, np.inf), np.zeros(limit.shape, int)
        self._limit, self._quadratic = limit, quadratic
        self._tolerance = -1.0 if loop.tolerance is None else loop.tolerance
        self._patience = np.inf if loop.patience is None else loop.patience

    @property
    def going(self) -> np.ndarray:  # shape: (*runs,)
        """Whether each run has not ended yet."""
        return np.asarray(self.outcome == np.array(None))

    def arrive(self, snapshot: Snapshot, reached: np.ndarray, at: np.ndarray) -> None:
        """Record the parameters at a snapshot, and find out which runs have ended.

        Args:
            snapshot: The snapshot.
            reached: The last finite parameters of each run. Shape (*runs, K).
            at: The steps of these parameters; below `snapshot.step` for a run that is no longer finite. Shape (*runs,).
        """
        going = self.going
        self.params = np.where(going[..., None], reached, self.params)
        self.taken = np.where(going, at, self.taken)
        # The excess is that of the parameters which a result would have; the loss is one step older.
        excess = self._quadratic.excess(self.params) if self._quadratic else None
        value, small = (snapshot.loss, snapshot.grad_norm) if excess is None else (excess, excess)
        self._waited = np.where(value < self._lowest * (1 - MIN_RELATIVE_FALL), 0, self._waited + 1)
        self._lowest = np.fmin(self._lowest, value)
        self._end(Outcome.DIVERGED, (at < snapshot.step) | ~(snapshot.loss <= self._limit))  # ~(<=) is true of nan too
        self._end(Outcome.CONVERGED, small <= self._tolerance)
        self._end(Outcome.STALLED, self._waited >= self._patience)

    def end(self, loss: np.ndarray) -> None:
        """End the runs that are still going, by their final loss: DIVERGED or MAX_STEPS."""
        self._end(Outcome.DIVERGED, ~(loss <= self._limit))
        self._end(Outcome.MAX_STEPS, np.array(True))

    def _end(self, outcome: Outcome, ended: np.ndarray) -> None:
        self.outcome[self.going & ended] = outcome


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
