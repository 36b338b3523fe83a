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
    """RMSprop's scaling of a smoothed gradient, both corrected for their zero start (Kingma and Ba 2015).

    beta1, beta2: smoothing of the gradient and of its square, in [0, 1). eps: added to the denominator.
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
        """Both moments zero, no step taken."""
        return {
            "mean": np.zeros_like(params),
            "square": np.zeros_like(params),
            "count": np.zeros((*params.shape[:-1], 1)),
        }

    def update(self, grad: Array, state: OptState) -> tuple[Array, OptState]:
        """The count is an array, so that the state holds arrays only and stays on its device."""
        count = state["count"] + 1
        mean = self.beta1 * state["mean"] + (1 - self.beta1) * grad
        square = self.beta2 * state["square"] + (1 - self.beta2) * (grad * grad)
        scale = self.learning_rate / (1 - self.beta1**count)
        root = square**0.5 / (1 - self.beta2**count) ** 0.5
        return -scale * (mean / (root + self.eps)), {"mean": mean, "square": square, "count": count}
