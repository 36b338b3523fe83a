"""Adam."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from polyexp.base import fraction, positive
from polyexp.optimizer.optimizer import Optimizer, OptState
from polyexp.problem import Array

__all__ = ["Adam"]


@dataclass
class Adam(Optimizer, name="adam"):
    """Adam: update = -eta m' / (sqrt(s') + eps), elementwise (Kingma and Ba 2015).

    The running means of the gradient g and of its square begin at 0, which is corrected after step t:

        m <- beta1 m + (1 - beta1) g,      m' = m / (1 - beta1^t),
        s <- beta2 s + (1 - beta2) g^2,    s' = s / (1 - beta2^t).

    Args:
        learning_rate: The factor eta of the update, above 0: a number, or an array of shape (*runs,).
        beta1: The smoothing of the gradient, in [0, 1): a number, or an array of shape (*runs,).
        beta2: The smoothing of the squared gradient, in [0, 1): a number, or an array of shape (*runs,).
        eps: What is added to the denominator, above 0: a number, or an array of shape (*runs,). Its unit is that of g.

    Raises:
        InputError: `learning_rate` or `eps` is not finite and above 0, or `beta1` or `beta2` is outside [0, 1).

    Example:
        >>> import polyexp as p
        >>> rule = p.Adam(learning_rate=0.1)
        >>> update, state = rule.update(2.0, {"mean": 0.0, "square": 0.0, "count": 0})
        >>> f"{update:.6g}", f"{state['mean']:.6g}", state["count"]
        ('-0.1', '0.2', 1)
    """

    beta1: Any = 0.9
    beta2: Any = 0.999
    eps: Any = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        fraction(self.key("beta1"), self.beta1)
        fraction(self.key("beta2"), self.beta2)
        positive(self.key("eps"), self.eps)

    def init(self, params: np.ndarray) -> OptState:
        """Both running means 0, and the number of steps 0."""
        return {
            "mean": np.zeros_like(params),
            "square": np.zeros_like(params),
            "count": np.zeros((*np.shape(params)[:-1], 1)),
        }

    def update(self, grad: Array, state: OptState) -> tuple[Array, OptState]:
        """The update with both new means; `count` is the number t of steps."""
        # The count is an array, so that the state holds only arrays and no step copies a number to the device.
        count = state["count"] + 1
        mean = self.beta1 * state["mean"] + (1 - self.beta1) * grad
        square = self.beta2 * state["square"] + (1 - self.beta2) * (grad * grad)
        scale = self.learning_rate / (1 - self.beta1**count)
        root = square**0.5 / (1 - self.beta2**count) ** 0.5
        return -scale * (mean / (root + self.eps)), {"mean": mean, "square": square, "count": count}
