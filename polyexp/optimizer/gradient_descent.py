"""Plain gradient descent."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from polyexp.optimizer.optimizer import Limited, OptState
from polyexp.problem import Array

__all__ = ["GradientDescent"]


@dataclass
class GradientDescent(Limited, name="gradient_descent"):
    """Plain gradient descent: update = -eta g (Cauchy 1847), with the learning rate eta and the gradient g.

    On a linear model each step multiplies the coordinate of mode i by 1 - eta lambda_i, where lambda_i is the eigenvalue of the
    mode. No mode grows up to the learning-rate limit 2 / lambda_max.

    Args:
        learning_rate: The factor eta of the update, above 0: a number, an array of shape (*runs,), or "auto" for
            2 / (lambda_max + lambda_min) on a linear model.
        allow_divergence: Whether a run may start with a learning rate above the limit.

    Raises:
        InputError: `learning_rate` is neither "auto" nor finite and above 0.

    Example:
        >>> import polyexp as p
        >>> rule = p.GradientDescent("auto").tuned(largest=3.0, smallest=1.0)
        >>> rule.learning_rate, f"{rule.limit(3.0):.6g}"
        (0.5, '0.666667')
        >>> print(rule.update(2.0, {}))
        (-1.0, {})
    """

    tunable: ClassVar[bool] = True

    def tuned(self, largest: float, smallest: float) -> Self:
        """This rule with eta = 2 / (largest + smallest), at which the first and the last mode have equal |1 - eta lambda|."""
        return replace(self, learning_rate=2 / (largest + smallest)) if self.automatic else self

    def limit(self, largest: float) -> Any:
        """The learning-rate limit 2 / largest, where 1 - eta lambda_max = -1."""
        return 2 / largest

    def damping(self, eigenvalues: np.ndarray, steps: int) -> np.ndarray:
        """The factors (1 - c)^steps with c = eta lambda_i.

        # shape: (K,) -> (K,), or (*runs, K) if the learning rate has shape (*runs, 1)
        """
        c = self.learning_rate * np.asarray(eigenvalues)
        # By log1p, because 1 - c rounds away the digits of a small c, and many steps multiply that error.
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            logarithm = np.where(c < 1, np.log1p(-np.minimum(c, 1)), np.log(np.maximum(c, 1) - 1))
            sign = np.where(c > 1, 1 - 2 * (steps % 2), 1)
            # At c = 1 the logarithm is -inf, and 0 * -inf would be nan.
            return np.asarray(sign * np.exp(steps * logarithm) if steps else np.ones_like(c))

    def update(self, grad: Array, state: OptState) -> tuple[Array, OptState]:
        """The update -eta g; there is no state."""
        return -self.learning_rate * grad, state
