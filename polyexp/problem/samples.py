"""Weighted samples, and the squared loss that they define."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from polyexp.base import InputError, finite_array, one_of, require
from polyexp.problem.targets import Target

__all__ = ["Array", "Chunk", "Data", "Samples"]

Array = Any
"""An array of whichever backend is in use; only operators and methods that NumPy and torch share are applied to it."""


class Chunk(NamedTuple):
    """A part of the samples as it is read or drawn; weights are those of the points, not yet those of the loss."""

    x: np.ndarray  # shape: (n,)
    y: np.ndarray  # shape: (n,)
    weights: np.ndarray  # shape: (n,)


@dataclass(frozen=True)
class Samples:
    """Points to be fitted, in float64 NumPy, with the weight of each in the loss.

    The loss of predictions p_i is  sum_i weights_i (p_i - y_i)^2 + floor.  The mean of squares has weights that sum to 1,
    the sum of squares has weights 1; `floor` is the part of the loss that no model can reach (0 for plain samples).

    x, y, weights: shape (N,). domain: the interval (low, high) that the samples stand for.
    total: how many samples these stand for; more than N where they have been reduced.
    note: what is to be said of them, such as rows that were left out.
    target: the function that they are samples of, where it is known.
    """

    x: np.ndarray  # shape: (N,)
    y: np.ndarray  # shape: (N,)
    weights: np.ndarray  # shape: (N,)
    domain: tuple[float, float]
    floor: float = 0.0
    name: str = "samples"
    total: int = 0
    note: str = ""
    target: Target | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", self.total or self.x.size)

    @classmethod
    def of(
        cls, x: Any, y: Any, weights: Any = None, *, loss: str = "mean", domain: Any = None, name: str = "samples"
    ) -> "Samples":
        """Samples from sequences of numbers.

        weights: of the points, 1 each by default. loss: "mean" (sum of weights times squares over the sum of weights) or
        "sum" of squares. domain: by default the interval from the least to the greatest x.
        Raises InputError where these are not equally long sequences of finite numbers, or a weight is negative.
        """
        one_of("loss", loss, ("mean", "sum"))
        x, y = finite_array("x", x), finite_array("y", y)
        weights = np.ones(x.shape) if weights is None else finite_array("weights", weights)
        if x.ndim != 1 or not x.shape == y.shape == weights.shape:
            shapes = f"{x.shape}, {y.shape} and {weights.shape}"
            raise InputError(f"x, y and weights must be equally long sequences of numbers, got shapes {shapes}.")
        require(bool((weights >= 0).all()) and bool(weights.any()), "weights", "at least 0, and not all 0", weights)
        low, high = (x.min(), x.max()) if domain is None else domain
        require(bool(-np.inf < low <= high < np.inf), "domain", "[low, high] with low <= high, both finite", domain)
        scale = 1.0 / weights.sum() if loss == "mean" else 1.0
        return cls(x, y, weights * scale, (float(low), float(high)), name=name)

    @property
    def size(self) -> int:
        """The number of points, N."""
        return self.x.size

    def scaled(self, factor: float) -> "Samples":
        """The same points with every loss multiplied by `factor`."""
        return replace(self, weights=self.weights * factor, floor=float(self.floor * factor))

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
