"""Plain gradient descent."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from polyexp.optimizer.optimizer import Limited, OptState
from polyexp.problem import Array

__all__ = ["GradientDescent"]


@dataclass
class GradientDescent(Limited, name="gradient_descent"):
    """- learning_rate g (Cauchy 1847).

    On a constant Hessian mode i shrinks by 1 - learning_rate lambda_i a step.
    """

    tunable: ClassVar[bool] = True

    def tuned(self, largest: float, smallest: float) -> Self:
        """2 / (largest + smallest), which shrinks the slowest and the fastest mode alike."""
        return replace(self, learning_rate=2 / (largest + smallest)) if self.automatic else self

    def limit(self, largest: float) -> Any:
        """2 / largest."""
        return 2 / largest

    def damping(self, eigenvalues: np.ndarray, steps: int) -> np.ndarray:
        """(1 - eta)^steps with eta = learning_rate lambda, by log1p: slow modes keep their digits over any number of steps."""
        eta = self.learning_rate * eigenvalues
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            logarithm = np.where(eta < 1, np.log1p(-np.minimum(eta, 1)), np.log(np.maximum(eta, 1) - 1))
            sign = np.where(eta > 1, 1 - 2 * (steps % 2), 1)
            return np.asarray(sign * np.exp(steps * logarithm) if steps else np.ones_like(eta))

    def update(self, grad: Array, state: OptState) -> tuple[Array, OptState]:
        """No memory."""
        return -self.learning_rate * grad, state
