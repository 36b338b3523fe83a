"""Gradient descent with Polyak's momentum."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from polyexp.base import fraction
from polyexp.optimizer.optimizer import Limited, OptState
from polyexp.problem import Array

__all__ = ["Momentum"]


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
