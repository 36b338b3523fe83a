"""Update rules: pure functions (gradient, state) -> (update, state), the update being added to the parameters.

They follow torch.optim's SGD, RMSprop and Adam to rounding. Every number of a rule may be an array, one value a run.
"""

import copy
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np

from polyexp.checks import fraction, positive
from polyexp.component import Component
from polyexp.samples import Array

__all__ = ["Adam", "GradientDescent", "Momentum", "Nesterov", "Optimizer", "RMSprop"]

OptState = dict[str, Array]


@dataclass
class Optimizer(Component):
    """An update rule.

    learning_rate: the factor of the update; a number, or an array of shape (*runs,).
    """

    group: ClassVar[str] = "optimizer"
    placed = False  # whether per-run numbers are arrays of a backend already, as `on` makes them

    learning_rate: Any = 1e-6

    def __post_init__(self) -> None:
        positive(self.key("learning_rate"), self.learning_rate)

    @property
    def runs(self) -> tuple[int, ...]:
        """The shape of the runs that per-run numbers ask for; () where all are plain numbers."""
        return np.broadcast_shapes(*(np.shape(getattr(self, one.name)) for one in fields(self)))

    def on(self, put: Callable[[np.ndarray], Array]) -> Self:
        """This rule with its per-run numbers put on a device, as (*runs, 1), and the others as plain floats."""
        placed = copy.copy(self)
        for one in fields(self):
            array = np.asarray(getattr(self, one.name), float)
            setattr(placed, one.name, put(array[..., None]) if array.ndim else float(array))
        placed.placed = True
        return placed

    def init(self, params: np.ndarray) -> OptState:  # shape: (*runs, K)
        """The state before the first update."""
        return {}

    @abstractmethod
    def update(self, grad: Array, state: OptState) -> tuple[Array, OptState]:
        """What to add to the parameters, and the next state."""


@dataclass
class GradientDescent(Optimizer, name="gradient_descent"):
    """- learning_rate g (Cauchy 1847)."""

    def update(self, grad: Array, state: OptState) -> tuple[Array, OptState]:
        """No memory."""
        return -self.learning_rate * grad, state


@dataclass
class Momentum(Optimizer, name="momentum"):
    """v <- momentum v + g; - learning_rate v (Polyak 1964).

    momentum: in [0, 1).
    """

    momentum: Any = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        fraction(self.key("momentum"), self.momentum)

    def init(self, params: np.ndarray) -> OptState:
        """The velocity, zero."""
        return {"velocity": np.zeros_like(params)}

    def update(self, grad: Array, state: OptState) -> tuple[Array, OptState]:
        """The heavy ball."""
        velocity = self.momentum * state["velocity"] + grad
        return -self.learning_rate * velocity, {"velocity": velocity}


@dataclass
class Nesterov(Momentum, name="nesterov"):
    """v <- momentum v + g; - learning_rate (g + momentum v) (Nesterov 1983; in the form of Sutskever et al. 2013)."""

    def update(self, grad: Array, state: OptState) -> tuple[Array, OptState]:
        """Look ahead by one velocity."""
        velocity = self.momentum * state["velocity"] + grad
        return -self.learning_rate * (grad + self.momentum * velocity), {"velocity": velocity}


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
