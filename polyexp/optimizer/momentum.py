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
    """Gradient descent with Polyak's momentum: v <- beta v + g, update = -eta v (Polyak 1964).

    g is the gradient, eta the learning rate, beta the momentum, and v the velocity, which begins at 0. No mode of a linear
    model grows up to the learning-rate limit 2 (1 + beta) / lambda_max.

    Args:
        learning_rate: The factor eta of the update, above 0: a number, an array of shape (*runs,), or "auto" for Polyak's
            pair of eta and beta on a linear model.
        momentum: The factor beta of the velocity, in [0, 1): a number, or an array of shape (*runs,). The learning rate
            "auto" replaces it.
        allow_divergence: Whether a run may start with a learning rate above the limit.

    Raises:
        InputError: `learning_rate` is neither "auto" nor finite and above 0, or `momentum` is outside [0, 1).

    Example:
        >>> import polyexp as p
        >>> rule = p.Momentum("auto").tuned(largest=9.0, smallest=1.0)
        >>> rule.learning_rate, rule.momentum
        (0.25, 0.25)
        >>> rule.update(1.0, {"velocity": 2.0})
        (-0.375, {'velocity': 1.5})
    """

    tunable: ClassVar[bool] = True

    momentum: Any = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        fraction(self.key("momentum"), self.momentum)

    def tuned(self, largest: float, smallest: float) -> Self:
        """This rule with Polyak's pair, at which all modes shrink by sqrt(beta) a step in the long run (Polyak 1964).

        With h = sqrt(largest) and l = sqrt(smallest) it is eta = (2 / (h + l))^2 and beta = ((h - l) / (h + l))^2.
        """
        if not self.automatic:
            return self
        high, low = largest**0.5, smallest**0.5
        pair = replace(self, learning_rate=(2 / (high + low)) ** 2, momentum=((high - low) / (high + low)) ** 2)
        # For a large condition number eta is so close to the limit that rounding may exceed it.
        return replace(pair, learning_rate=min(pair.learning_rate, pair.limit(largest)))

    def limit(self, largest: float) -> Any:
        """The learning-rate limit 2 (1 + beta) / largest, where one root of the recurrence in `damping` is -1."""
        return 2 * (1 + np.asarray(self.momentum)[()]) / largest

    def damping(self, eigenvalues: np.ndarray, steps: int) -> np.ndarray:
        """The factors (1 - c) S_t - beta S_(t-1) with t = steps and c = eta lambda_i.

        S_t = (z1^t - z2^t) / (z1 - z2), where z1 and z2 are the roots of z^2 - (1 + beta - c) z + beta = 0. The roots are
        represented by s = 1 - z, so that no digits of slow modes are lost, and S_t is computed from the ratio of the roots, so
        that equal roots need no separate formula.

        # shape: (K,) -> (K,), or (*runs, K) if the numbers of the rule have shape (*runs, 1)
        """
        if steps == 0:
            return np.ones(np.broadcast_shapes(np.shape(eigenvalues), self.runs))
        c, beta = self.learning_rate * np.asarray(eigenvalues), self.momentum
        with np.errstate(all="ignore"):
            b = 1 - beta + c
            gap = np.sqrt(b * b - 4 * c + 0j)  # z1 - z2
            # 1 - z1 = (b - gap) / 2 would cancel for small c; s1 s2 = c gives it without a subtraction.
            s1, s2 = 2 * c / (b + gap), (b + gap) / 2
            first = np.abs(1 - s1) >= np.abs(1 - s2)
            dominant = np.where(first, s1, s2)  # 1 - z of the root z of larger modulus
            # 1 - (other root) / (root of larger modulus); powers of that quotient cannot overflow
            ratio = np.where(gap == 0, 0, np.where(first, gap, -gap) / (1 - dominant))

            def s(t: int) -> np.ndarray:
                if t < 2:  # S_0 = 0 and S_1 = 1, whatever the roots are
                    return np.full(np.shape(c), float(t))
                geometric = -_power_minus_1(ratio, t) / np.where(ratio == 0, 1, ratio)
                return np.asarray((_power_minus_1(dominant, t - 1) + 1) * np.where(ratio == 0, t, geometric))

            return np.asarray(((1 - c) * s(steps) - beta * s(steps - 1)).real)

    def init(self, params: np.ndarray) -> OptState:
        """The velocity 0."""
        return {"velocity": np.zeros_like(params)}

    def update(self, grad: Array, state: OptState) -> tuple[Array, OptState]:
        """The update -eta v with the new velocity v = beta v + g."""
        velocity = self.momentum * state["velocity"] + grad
        return -self.learning_rate * velocity, {"velocity": velocity}


def _power_minus_1(s: np.ndarray, t: int) -> np.ndarray:
    """(1 - s)^t - 1 of complex s, without cancellation for small s."""
    return np.where(s == 1, -1, np.expm1(t * _log1p(-np.where(s == 1, 0, s))))


def _log1p(x: np.ndarray) -> np.ndarray:
    """log(1 + x) of complex x; NumPy's own log1p computes |1 + x|, which loses the digits of small x."""
    square = np.maximum(x.real * (2 + x.real) + x.imag**2, -1)  # |1 + x|^2 - 1
    modulus = np.where(x.real > -0.5, np.log1p(square) / 2, np.log(np.abs(1 + x)))
    return np.asarray(modulus + 1j * np.arctan2(x.imag, 1 + x.real))
