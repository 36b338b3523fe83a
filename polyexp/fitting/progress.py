"""The runs of one fit on the way to their ends."""

import numpy as np

from polyexp.exact import Quadratic
from polyexp.fitting.result import Outcome, loss_of
from polyexp.fitting.state import Look
from polyexp.loop import Loop
from polyexp.model import Model
from polyexp.optimizer import Optimizer
from polyexp.problem import Samples

__all__ = ["GROWTH_LIMIT", "Progress", "largest_loss"]

GROWTH_LIMIT = 1e6  # a loss this many times the first one counts as diverged
LEAST_FALL = 1e-9  # a loss must fall by this part to count as falling


class Progress:
    """The runs of one fit on the way to their ends: the only thing here that changes."""

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
        """Which runs have not ended."""
        return np.asarray(self.outcome == np.array(None))

    def arrive(self, look: Look, reached: np.ndarray, at: np.ndarray) -> None:
        """Take the parameters that the runs have reached at a look, and find out which have ended."""
        going = self.going
        self.params = np.where(going[..., None], reached, self.params)
        self.taken = np.where(going, at, self.taken)
        excess = self._quadratic.excess(self.params) if self._quadratic else None
        value, small = (look.loss, look.grad_norm) if excess is None else (excess, excess)
        self._waited = np.where(value < self._lowest * (1 - LEAST_FALL), 0, self._waited + 1)
        self._lowest = np.fmin(self._lowest, value)
        self._end(Outcome.DIVERGED, (at < look.step) | ~(look.loss <= self._limit))
        self._end(Outcome.CONVERGED, small <= self._tolerance)
        self._end(Outcome.STALLED, self._waited >= self._patience)

    def end(self, loss: np.ndarray) -> None:
        """The outcome of those that are still going, by their final loss."""
        self._end(Outcome.DIVERGED, ~(loss <= self._limit))
        self._end(Outcome.MAX_STEPS, np.array(True))

    def _end(self, outcome: Outcome, ended: np.ndarray) -> None:
        self.outcome[self.going & ended] = outcome


def largest_loss(
    model: Model, samples: Samples, initial: np.ndarray, optimizer: Optimizer, quadratic: Quadratic | None
) -> np.ndarray:
    """The largest loss of a run that has not diverged: finite, and at least that of the zero function, as a nearly perfect
    start may wander.

    A run whose rate is known to be stable may grow as it likes before it falls (momentum does), as long as it stays finite.
    """
    finite = np.finfo(float).max
    with np.errstate(over="ignore"):
        limit = np.maximum(GROWTH_LIMIT * loss_of(model, samples, initial), samples.loss(np.zeros_like(samples.y)))
    stable = optimizer.limit(quadratic.largest) if quadratic and quadratic.largest else None
    growing = True if stable is None else np.asarray(optimizer.learning_rate) > stable
    return np.where(growing, np.minimum(limit, finite), finite)
