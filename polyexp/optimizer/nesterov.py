"""Gradient descent with Nesterov's momentum."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from polyexp.base import fraction
from polyexp.optimizer.optimizer import Limited, OptState
from polyexp.problem import Array

__all__ = ["Nesterov"]


@dataclass
class Nesterov(Limited, name="nesterov"):
    """Nesterov's momentum: v <- beta v + g, update = -eta (g + beta v) (Nesterov 1983; form of Sutskever et al. 2013).

    g is the gradient, eta the learning rate, beta the momentum, and v the velocity, which begins at 0. No mode of a linear
    model grows up to the learning-rate limit 2 (1 + beta) / ((1 + 2 beta) lambda_max).

    Args:
        learning_rate: The factor eta of the update, above 0: a number, or an array of shape (*runs,).
        momentum: The factor beta of the velocity, in [0, 1): a number, or an array of shape (*runs,).
        allow_divergence: Whether a run may start with a learning rate above the limit.

    Raises:
        InputError: `learning_rate` is not finite and above 0, or `momentum` is outside [0, 1).

    Example:
        >>> import polyexp as p
        >>> rule = p.Nesterov(learning_rate=0.5, momentum=0.5)
        >>> rule.update(1.0, {"velocity": 2.0})
        (-1.0, {'velocity': 2.0})
        >>> f"{rule.limit(3.0):.6g}"
        '0.5'
    """

    momentum: Any = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        fraction(self.key("momentum"), self.momentum)

    def limit(self, largest: float) -> Any:
        """The learning-rate limit 2 (1 + beta) / ((1 + 2 beta) largest).

        With c = eta lambda the modes follow the recurrence with the characteristic polynomial
        z^2 - (1 + beta) (1 - c) z + beta (1 - c), which has the root -1 at the limit.
        """
        momentum = np.asarray(self.momentum)[()]
        return 2 * (1 + momentum) / ((1 + 2 * momentum) * largest)

    def init(self, params: np.ndarray) -> OptState:
        """The velocity 0."""
        return {"velocity": np.zeros_like(params)}

    def update(self, grad: Array, state: OptState) -> tuple[Array, OptState]:
        """The update -eta (g + beta v) with the new velocity v = beta v + g."""
        velocity = self.momentum * state["velocity"] + grad
        return -self.learning_rate * (grad + self.momentum * velocity), {"velocity": velocity}
