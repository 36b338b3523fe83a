"""Gradient descent with Polyak's momentum."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from polyexp.base import fraction
from polyexp.optimizer.momentum_factors import momentum_factors
from polyexp.optimizer.optimizer import Limited, OptState
from polyexp.optimizer.pair_search import Search, best_pair, polyak
from polyexp.problem import Array

__all__ = ["Momentum"]


@dataclass
class Momentum(Limited, name="momentum"):
    """Gradient descent with Polyak's momentum: v <- beta v + g, update = -eta v (Polyak 1964).

    g is the gradient, eta the learning rate, beta the momentum, and v the velocity, which begins at 0. No mode of a linear
    model grows up to the learning-rate limit 2 (1 + beta) / lambda_max.

    Args:
        learning_rate: The factor eta of the update, above 0: a number, an array of shape (*runs,), or on a linear model
            "auto" for the rate with the least loss after the steps of the run (in hindsight: it is computed from the
            optimum), or "asymptotic" for the best rate and momentum in the long run, Polyak's pair.
        momentum: The factor beta of the velocity, in [0, 1): a number, an array of shape (*runs,), or one of these words;
            if both settings are "auto", the best pair is sought.
        allow_divergence: Whether a run may start with a learning rate above the limit.

    Raises:
        InputError: `learning_rate` is neither one of these words nor finite and above 0, or `momentum` neither one of them nor
            in [0, 1).

    Example:
        >>> import numpy as np
        >>> import polyexp as p
        >>> rule = p.Momentum("asymptotic").tuned(np.array([9.0, 1.0]), np.array([1.0, 1.0]), steps=1)
        >>> rule.learning_rate, rule.momentum
        (0.25, 0.25)
        >>> rule.update(1.0, {"velocity": 2.0})
        (-0.375, {'velocity': 1.5})
    """

    tunable: ClassVar[tuple[str, ...]] = ("learning_rate", "momentum")

    momentum: Any = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require_number("momentum", fraction, "a number from 0 to below 1")

    def _asymptotic(self, largest: float, smallest: float) -> dict[str, Any]:
        """Polyak's pair."""
        return dict(zip(self.tunable, polyak(largest, smallest), strict=True))

    def _in_hindsight(
        self, eigenvalues: np.ndarray, coordinates: np.ndarray, steps: int, tolerance: float | None, eps: float
    ) -> dict[str, Any]:
        runs = coordinates.shape[:-1]
        pairs = np.empty((*runs, 2))
        for run in np.ndindex(runs):
            given = self.of_run(run, runs).numbers
            search = Search(
                eigenvalues, coordinates[run], steps, eps, given.get("learning_rate"), given.get("momentum")
            )
            pairs[run] = best_pair(search, tolerance)
        best = np.moveaxis(pairs, -1, 0) if runs else pairs.tolist()
        return dict(zip(self.tunable, best, strict=True))

    def limit(self, largest: float) -> Any:
        """The learning-rate limit 2 (1 + beta) / largest, where one root of the recurrence in `damping` is -1."""
        return 2 * (1 + np.asarray(self.momentum)[()]) / largest

    def damping(self, eigenvalues: np.ndarray, steps: int) -> np.ndarray:
        """The factors r_t of the recurrence r_(t+1) = (1 + beta - c) r_t - beta r_(t-1) with t = steps and c = eta lambda_i.

        It begins with r_0 = 1 and r_1 = 1 - c; see `momentum_factors`.

        # shape: (K,) -> (K,), or (*runs, K) if the numbers of the rule have shape (*runs, 1)
        """
        return momentum_factors(self.learning_rate, np.asarray(eigenvalues), self.momentum, steps)

    def init(self, params: np.ndarray) -> OptState:
        """The velocity 0."""
        return {"velocity": np.zeros_like(params)}

    def update(self, grad: Array, state: OptState) -> tuple[Array, OptState]:
        """The update -eta v with the new velocity v = beta v + g."""
        velocity = self.momentum * state["velocity"] + grad
        return -self.learning_rate * velocity, {"velocity": velocity}
