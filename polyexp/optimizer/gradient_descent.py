"""Plain gradient descent."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from polyexp.optimizer.optimizer import Limited, OptState
from polyexp.optimizer.rate_search import best_rates, geometric
from polyexp.problem import Array

__all__ = ["GradientDescent"]


@dataclass
class GradientDescent(Limited, name="gradient_descent"):
    """Plain gradient descent: update = -eta g (Cauchy 1847), with the learning rate eta and the gradient g.

    On a linear model each step multiplies the coordinate of mode i by 1 - eta lambda_i, where lambda_i is the eigenvalue of the
    mode. No mode grows up to the learning-rate limit 2 / lambda_max.

    Args:
        learning_rate: The factor eta of the update, above 0: a number, an array of shape (*runs,), or on a linear model
            "auto" for the rate with the least loss after the steps of the run (in hindsight: it is computed from the
            optimum), or "asymptotic" for the best rate in the long run, 2 / (lambda_max + lambda_min).
        allow_divergence: Whether a run may start with a learning rate above the limit.

    Raises:
        InputError: `learning_rate` is neither one of these words nor finite and above 0.

    Example:
        >>> import numpy as np
        >>> import polyexp as p
        >>> rule = p.GradientDescent("asymptotic").tuned(np.array([3.0, 1.0]), np.array([1.0, 1.0]), steps=1)
        >>> rule.learning_rate, f"{rule.limit(3.0):.6g}"
        (0.5, '0.666667')
        >>> best = p.GradientDescent("auto").tuned(np.array([3.0, 1.0]), np.array([1.0, 1.0]), steps=1)
        >>> f"{best.learning_rate:.6g}"  # sum_i lambda_i^2 / sum_i lambda_i^3, of steepest descent
        '0.357143'
        >>> print(rule.update(2.0, {}))
        (-1.0, {})
    """

    tunable: ClassVar[tuple[str, ...]] = ("learning_rate",)

    def _asymptotic(self, largest: float, smallest: float) -> dict[str, Any]:
        """The rate 2 / (lambda_max + lambda_min), at which the first and the last mode have equal |1 - eta lambda|."""
        return {"learning_rate": 2 / (largest + smallest)}

    def _in_hindsight(
        self, eigenvalues: np.ndarray, coordinates: np.ndarray, steps: int, tolerance: float | None, eps: float
    ) -> dict[str, Any]:
        return {"learning_rate": best_rates(eigenvalues, coordinates, steps, tolerance, eps)}

    def limit(self, largest: float) -> Any:
        """The learning-rate limit 2 / largest, where 1 - eta lambda_max = -1."""
        return 2 / largest

    def damping(self, eigenvalues: np.ndarray, steps: int) -> np.ndarray:
        """The factors (1 - c)^steps with c = eta lambda_i.

        # shape: (K,) -> (K,), or (*runs, K) if the learning rate has shape (*runs, 1)
        """
        return geometric(self.learning_rate * np.asarray(eigenvalues), steps)

    def update(self, grad: Array, state: OptState) -> tuple[Array, OptState]:
        """The update -eta g; there is no state."""
        return -self.learning_rate * grad, state
