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
    """v <- momentum v + g; - learning_rate (g + momentum v) (Nesterov 1983; in the form of Sutskever et al. 2013).

    momentum: in [0, 1).
    """

    momentum: Any = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        fraction(self.key("momentum"), self.momentum)

    def limit(self, largest: float) -> Any:
        """2 (1 + momentum) / ((1 + 2 momentum) largest), where z^2 - (1 + momentum)(1 - eta) z + momentum (1 - eta) has a
        root -1.
        """
        momentum = np.asarray(self.momentum)[()]
        return 2 * (1 + momentum) / ((1 + 2 * momentum) * largest)

    def init(self, params: np.ndarray) -> OptState:
        """The velocity, zero."""
        return {"velocity": np.zeros_like(params)}

    def update(self, grad: Array, state: OptState) -> tuple[Array, OptState]:
        """Look ahead by one velocity."""
        velocity = self.momentum * state["velocity"] + grad
        return -self.learning_rate * (grad + self.momentum * velocity), {"velocity": velocity}
