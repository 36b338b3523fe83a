"""The named functions that can be approximated."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["TARGETS", "Target"]


@dataclass(frozen=True)
class Target:
    """A function of an array, its name, and its Taylor series about 0 where it has one.

    Args:
        name: The name by which `problem.target` chooses the function.
        function: The function of x, applied to every element.
        taylor: The function k -> coefficient of x^k, or None for a function without a Taylor series about 0.
    """

    name: str
    function: Callable[[np.ndarray], np.ndarray]
    taylor: Callable[[int], float] | None = None

    def __call__(self, x: np.ndarray) -> np.ndarray:  # shape: any -> the same
        """The function's values."""
        return self.function(x)

    def taylor_coefficients(self, degree: int) -> np.ndarray | None:  # shape: (degree + 1,)
        """The coefficients of the Taylor series about 0, by ascending power; None for a function without one."""
        return None if self.taylor is None else np.array([self.taylor(k) for k in range(degree + 1)])


def _inverse_factorial(k: int) -> float:
    return math.exp(-math.lgamma(k + 1)) if k > 170 else 1 / math.factorial(k)  # float64 cannot hold 171!


def _runge(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + 25 * x * x))  # Runge (1901)


def _gaussian(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.exp(-x * x))


# Of runge, nan stands for coefficients near and beyond the range of float64, where `**` would raise OverflowError.
# Functions with names: a result, which holds its samples and their target, could not be pickled otherwise. Of runge, nan stands
# for coefficients near and beyond the range of float64, where `**` would raise OverflowError.


def _sin_coefficient(k: int) -> float:
    return (0, 1, 0, -1)[k % 4] * _inverse_factorial(k)


def _cos_coefficient(k: int) -> float:
    return (1, 0, -1, 0)[k % 4] * _inverse_factorial(k)


def _runge_coefficient(k: int) -> float:
    return 0.0 if k % 2 else (-25.0) ** (k // 2) if k < 400 else math.nan


def _gaussian_coefficient(k: int) -> float:
    return 0.0 if k % 2 else (-1) ** (k // 2) * _inverse_factorial(k // 2)


TARGETS: Mapping[str, Target] = {
    target.name: target
    for target in (
        Target("sin", np.sin, _sin_coefficient),
        Target("cos", np.cos, _cos_coefficient),
        Target("exp", np.exp, _inverse_factorial),
        Target("runge", _runge, _runge_coefficient),
        Target("gaussian", _gaussian, _gaussian_coefficient),
        Target("abs", np.abs),
    )
}
