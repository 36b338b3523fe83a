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
    """RMSprop: s <- alpha s + (1 - alpha) g^2, update = -eta g / (sqrt(s) + eps), elementwise (Hinton 2012).

    g is the gradient, eta the learning rate, and s the running mean of the squared gradient, which begins at 0.

    Args:
        learning_rate: The factor eta of the update, above 0: a number, or an array of shape (*runs,).
        alpha: The smoothing of the squared gradient, in [0, 1): a number, or an array of shape (*runs,).
        eps: What is added to the denominator, above 0: a number, or an array of shape (*runs,). Its unit is that of g.

    Raises:
        InputError: `learning_rate` or `eps` is not finite and above 0, or `alpha` is outside [0, 1).

    Example:
        >>> import polyexp as p
        >>> update, state = p.RMSprop(learning_rate=0.1, alpha=0.75).update(2.0, {"square": 0.0})
        >>> f"{update:.6g}", state
        ('-0.2', {'square': 1.0})
    """

    alpha: Any = 0.99
    eps: Any = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        fraction(self.key("alpha"), self.alpha)
        positive(self.key("eps"), self.eps)

    def init(self, params: np.ndarray) -> OptState:
        """The mean square 0."""
        return {"square": np.zeros_like(params)}

    def update(self, grad: Array, state: OptState) -> tuple[Array, OptState]:
        """The update -eta g / (sqrt(s) + eps) with the new mean square s."""
        square = self.alpha * state["square"] + (1 - self.alpha) * (grad * grad)
        return -self.learning_rate * (grad / (square**0.5 + self.eps)), {"square": square}
