"""Update rules: pure functions (gradient, state) -> (update, state), the update being added to the parameters.

They follow torch.optim's SGD, RMSprop and Adam to rounding. Every number of a rule may be an array, one value a run.
"""

import copy
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Self

import numpy as np

from polyexp.base.component import Component
from polyexp.base.validation import fraction, positive
from polyexp.problem.samples import Array

__all__ = ["Adam", "GradientDescent", "Momentum", "Nesterov", "Optimizer", "RMSprop"]

OptState = dict[str, Array]


@dataclass
class Optimizer(Component):
    """An update rule.

    learning_rate: the factor of the update; a number, or an array of shape (*runs,). Rules that know their best rate on a
    linear model also take "auto".
    """

    group: ClassVar[str] = "optimizer"
    tunable: ClassVar[bool] = False
    placed = False  # whether per-run numbers are arrays of a backend already, as `on` makes them

    learning_rate: Any = 1e-6

    def __post_init__(self) -> None:
        if not (self.tunable and self.automatic):
            wanted = "a finite number above 0" + (", or auto" if self.tunable else "")
            positive(self.key("learning_rate"), self.learning_rate, wanted)

    @property
    def automatic(self) -> bool:
        """Whether the rate is still to be found."""
        return isinstance(self.learning_rate, str) and self.learning_rate == "auto"

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

    def tuned(self, largest: float, smallest: float) -> Self:
        """This rule with the best rate for a Hessian whose eigenvalues lie between these two."""
        return self

    def limit(self, largest: float) -> Any:
        """The rate above which the largest eigenvalue of a constant Hessian makes the loss grow; None where there is none."""
        return None

    def damping(self, eigenvalues: np.ndarray, steps: int) -> np.ndarray | None:
        """The factor by which each mode of a constant Hessian has shrunk after so many steps; None where none is known.

        # shape: (K,) -> (K,), or (*runs, K) where numbers are given as (*runs, 1)
        """
        return None

    def init(self, params: np.ndarray) -> OptState:  # shape: (*runs, K)
        """The state before the first update."""
        return {}

    @abstractmethod
    def update(self, grad: Array, state: OptState) -> tuple[Array, OptState]:
        """What to add to the parameters, and the next state."""


@dataclass
class Limited(Optimizer):
    """A rule with a largest rate on a linear model, its `limit`.

    allow_divergence: run even where the rate is above that.
    """

    allow_divergence: bool = field(default=False, kw_only=True)

    @abstractmethod
    def limit(self, largest: float) -> Any:
        """The largest rate at which no mode grows; `largest` is the Hessian's largest eigenvalue."""


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


@dataclass
class Momentum(Limited, name="momentum"):
    """v <- momentum v + g; - learning_rate v (Polyak 1964).

    momentum: in [0, 1). With learning_rate "auto" it is set too.
    """

    tunable: ClassVar[bool] = True

    momentum: Any = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        fraction(self.key("momentum"), self.momentum)

    def tuned(self, largest: float, smallest: float) -> Self:
        """Polyak's pair: rate (2 / (sqrt(largest) + sqrt(smallest)))^2, momentum ((sqrt(k) - 1) / (sqrt(k) + 1))^2."""
        if not self.automatic:
            return self
        high, low = largest**0.5, smallest**0.5
        pair = replace(self, learning_rate=(2 / (high + low)) ** 2, momentum=((high - low) / (high + low)) ** 2)
        return replace(pair, learning_rate=min(pair.learning_rate, pair.limit(largest)))  # which rounding may exceed

    def limit(self, largest: float) -> Any:
        """2 (1 + momentum) / largest."""
        return 2 * (1 + np.asarray(self.momentum)[()]) / largest

    def damping(self, eigenvalues: np.ndarray, steps: int) -> np.ndarray:
        """From the two roots of  z^2 - (1 + momentum - eta) z + momentum = 0,  eta = learning_rate lambda.

        With S_t = (z1^t - z2^t) / (z1 - z2) the factor is (1 - eta) S_t - momentum S_{t-1}. Roots are kept as 1 - s, so that
        slow modes keep their digits, and S_t is formed from their ratio, so that equal roots are no special case.
        """
        if steps == 0:
            return np.ones(np.broadcast_shapes(np.shape(eigenvalues), np.shape(self.learning_rate)))
        eta, beta = self.learning_rate * eigenvalues, self.momentum
        with np.errstate(all="ignore"):
            b = 1 - beta + eta
            gap = np.sqrt(b * b - 4 * eta + 0j)  # z1 - z2
            s1, s2 = 2 * eta / (b + gap), (b + gap) / 2
            first = np.abs(1 - s1) >= np.abs(1 - s2)
            dominant = np.where(first, s1, s2)  # 1 - the larger root
            ratio = np.where(gap == 0, 0, np.where(first, gap, -gap) / (1 - dominant))  # 1 - the other root over it

            def s(t: int) -> np.ndarray:
                if t < 2:
                    return np.full(np.shape(eta), float(t))
                geometric = -_power_minus_1(ratio, t) / np.where(ratio == 0, 1, ratio)
                return np.asarray((_power_minus_1(dominant, t - 1) + 1) * np.where(ratio == 0, t, geometric))

            return np.asarray(((1 - eta) * s(steps) - beta * s(steps - 1)).real)

    def init(self, params: np.ndarray) -> OptState:
        """The velocity, zero."""
        return {"velocity": np.zeros_like(params)}

    def update(self, grad: Array, state: OptState) -> tuple[Array, OptState]:
        """The heavy ball."""
        velocity = self.momentum * state["velocity"] + grad
        return -self.learning_rate * velocity, {"velocity": velocity}


def _power_minus_1(s: np.ndarray, t: int) -> np.ndarray:
    """(1 - s)^t - 1 without cancellation for small s; s complex."""
    return np.where(s == 1, -1, np.expm1(t * _log1p(-np.where(s == 1, 0, s))))


def _log1p(x: np.ndarray) -> np.ndarray:
    """log(1 + x) of complex x; NumPy's own forms |1 + x| and so loses the digits of small x."""
    square = np.maximum(x.real * (2 + x.real) + x.imag**2, -1)  # |1 + x|^2 - 1
    modulus = np.where(x.real > -0.5, np.log1p(square) / 2, np.log(np.abs(1 + x)))
    return np.asarray(modulus + 1j * np.arctan2(x.imag, 1 + x.real))


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
