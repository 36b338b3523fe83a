"""Weighted samples, and the squared loss that they define."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from polyexp.checks import InputError, finite_array, one_of, require

__all__ = ["Array", "Data", "Samples"]

Array = Any
"""An array of whichever backend is in use; only operators and methods that NumPy and torch share are applied to it."""


@dataclass(frozen=True)
class Samples:
    """Points to be fitted, in float64 NumPy, with the weight of each in the loss.

    The loss of predictions p_i is  sum_i weights_i (p_i - y_i)^2 + floor.  The mean of squares has weights 1/N, the sum
    has weights 1; `floor` is the part of the loss that no model can reach (0 for plain samples).

    x, y, weights: shape (N,). domain: the interval (low, high) that the samples stand for.
    """

    x: np.ndarray  # shape: (N,)
    y: np.ndarray  # shape: (N,)
    weights: np.ndarray  # shape: (N,)
    domain: tuple[float, float]
    floor: float = 0.0
    name: str = "samples"

    @classmethod
    def of(cls, x: Any, y: Any, *, loss: str = "mean", domain: Any = None, name: str = "samples") -> "Samples":
        """Samples from two sequences of numbers, every point weighted alike.

        loss: "mean" or "sum" of squares. domain: by default the interval from the least to the greatest x.
        Raises InputError where x and y are not two equally long sequences of finite numbers.
        """
        one_of("loss", loss, ("mean", "sum"))
        x, y = finite_array("x", x), finite_array("y", y)
        if x.ndim != 1 or x.shape != y.shape:
            raise InputError(f"x and y must be equally long sequences of numbers, got shapes {x.shape} and {y.shape}.")
        weight = 1.0 / x.size if loss == "mean" else 1.0
        low, high = (x.min(), x.max()) if domain is None else domain
        require(bool(-np.inf < low <= high < np.inf), "domain", "[low, high] with low <= high, both finite", domain)
        return cls(x, y, np.full(x.shape, weight), (float(low), float(high)), name=name)

    @property
    def size(self) -> int:
        """The number of samples, N."""
        return self.x.size

    def loss(self, predictions: np.ndarray) -> np.ndarray:  # shape: (*runs, N) -> (*runs,)
        """The loss of the given predictions at x."""
        residual = predictions - self.y
        return np.asarray((self.weights * residual * residual).sum(-1) + self.floor)


@dataclass(frozen=True)
class Data:
    """Samples as a loop sees them: the model's features and the targets, as arrays of one backend on one device."""

    features: Array  # shape: (N, ...), whatever the model's `features` returns
    y: Array  # shape: (N,)
    weights: Array  # shape: (N,)
    floor: float
