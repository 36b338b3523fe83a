"""RMSprop."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from polyexp.base import fraction, positive
from polyexp.optimizer.optimizer import Optimizer, OptState
from polyexp.problem import Array

__all__ = ["RMSprop"]


@dataclass
class RMSprop(Optimizer, name="rmsprop"):
    """s <- alpha s + (1 - alpha) g^2; - learning_rate g / (sqrt(s) + eps) (Hinton 2012).

    alpha: smoothing, in [0, 1). eps: added to the denominator.
    """

    alpha: Any = 0.99
    eps: Any = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        fraction(self.key("alpha"), self.alpha)
        positive(self.key("eps"), self.eps)

    def init(self, params: np.ndarray) -> OptState:
        """The mean square, zero."""
        return {"square": np.zeros_like(params)}

    def update(self, grad: Array, state: OptState) -> tuple[Array, OptState]:
        """Every coordinate by its own recent size."""
        square = self.alpha * state["square"] + (1 - self.alpha) * (grad * grad)
        return -self.learning_rate * (grad / (square**0.5 + self.eps)), {"square": square}
