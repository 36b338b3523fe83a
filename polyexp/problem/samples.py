"""Weighted samples, and the squared loss that they define."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from polyexp.base import (
    InputError,
    Value,
    by_value,
    finite_array,
    number_list,
    one_of,
    require,
    require_unmasked,
    shown,
)
from polyexp.problem.targets import Target

__all__ = ["Array", "Chunk", "Data", "Samples", "chunk_of", "require_samples"]

INTERVAL = "[low, high] with low <= high, both finite"
Array = Any
"""An array of whichever backend is in use; only operators and methods that NumPy and torch share are applied to it."""


@by_value
class Chunk(NamedTuple):
    """A part of the samples, as it is read or drawn.

    Args:
        x: The x of n samples. # shape: (n,)
        y: Their y. # shape: (n,)
        weights: Their weights as given, which the loss has not yet divided by their sum. # shape: (n,)

    Example:
        >>> import numpy as np
        >>> import polyexp as p
        >>> x = np.linspace(-1, 1, 5)
        >>> chunk = p.Chunk(x, y=x * x, weights=np.ones(5))
        >>> p.reduce_chunks([chunk], degree=1).x.round(6).tolist()
        [-0.707107, 0.707107]
    """

    x: np.ndarray  # shape: (n,)
    y: np.ndarray  # shape: (n,)
    weights: np.ndarray  # shape: (n,)


def require_samples(key: str, value: Any) -> None:
    """Require samples.

    Args:
        key: The name of the value.
        value: The value.
    """
    require(isinstance(value, Samples), key, "samples, such as those of `Samples.of` or `Problem().samples()`", value)


def chunk_of(arrays: Iterable[Any]) -> Chunk:
    """A chunk of NumPy arrays.

    Args:
        arrays: Its x, y and weights as any arrays, or lists.

    Raises:
        InputError: They are not three, or one of them is an array with masked values.
    """
    try:
        given = Chunk(*arrays)
    except TypeError as error:  # no three arrays
        raise InputError(f"`chunks` must be chunks with x, y and weights each, got {shown(arrays)} for one.") from error
    for name, array in given._asdict().items():
        require_unmasked(name, array)
    return Chunk(*map(np.asarray, given))


@dataclass(frozen=True)
class Samples(Value):
    """Points to be fitted, in float64 NumPy, with the weight of each in the loss.

    The loss of predictions p_i is

        L = sum_i weights_i (p_i - y_i)^2 + floor,

    in the unit of y, squared. For the mean of the squares the weights sum to 1; for their sum they are 1 each.
    `Samples.of` makes samples from any sequences of numbers and validates them; the constructor does not.

    Args:
        x: The x of N samples. # shape: (N,)
        y: Their y. # shape: (N,)
        weights: Their weights in the loss. # shape: (N,)
        domain: The interval (low, high) of x that the samples stand for.
        floor: The part of the loss that no polynomial of the degree can go below; 0 unless the samples are reduced.
        name: The name of the samples in messages and pictures.
        total: The number of samples that these stand for, more than N where they are reduced; 0 means N.
        note: A sentence to be printed about them, such as how many rows were dropped.
        target: The named function that they are samples of, or None where they are of another one or that is unknown.
        floor_scatter: The part of the floor that is scatter, see `scatter`; 0 unless the samples are reduced.

    Example:
        >>> import numpy as np
        >>> import polyexp as p
        >>> samples = p.Samples.of([0, 1, 2], [1, 3, 5], weights=[1, 1, 2])
        >>> samples.weights.tolist(), samples.domain
        ([0.25, 0.25, 0.5], (0.0, 2.0))
        >>> float(samples.loss(np.array([1, 3, 4])))
        0.5
        >>> repeated = p.Samples.of([0, 0, 1], [100, 106, 7])
        >>> repeated.distinct, round(repeated.scatter, 6)
        (2, 6.0)
    """

    x: np.ndarray  # shape: (N,)
    y: np.ndarray  # shape: (N,)
    weights: np.ndarray  # shape: (N,)
    domain: tuple[float, float]
    floor: float = 0.0
    name: str = "samples"
    total: int = 0
    note: str = ""
    target: Target | None = field(default=None, repr=False, compare=False)
    floor_scatter: float = field(default=0.0, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", self.total or self.x.size)

    @classmethod
    def of(
        cls, x: Any, y: Any, weights: Any = None, *, loss: str = "mean", domain: Any = None, name: str = "samples"
    ) -> "Samples":
        """Samples from sequences of numbers.

        Args:
            x: N numbers.
            y: N numbers.
            weights: N numbers of at least 0, not all 0; None means 1 each.
            loss: "mean", which divides the weights by their sum, or "sum", which does not.
            domain: The interval (low, high); None means from the least to the greatest x.
            name: The name of the samples in messages and pictures.

        Raises:
            InputError: x, y and weights are not sequences of finite numbers of one length, have masked values, or weights,
                loss or domain are not as above.
        """
        one_of("loss", loss, ("mean", "sum"))
        x, y = finite_array("x", x), finite_array("y", y)
        weights = np.ones(x.shape) if weights is None else finite_array("weights", weights)
        if x.ndim != 1 or not x.shape == y.shape == weights.shape:
            shapes = f"{x.shape}, {y.shape} and {weights.shape}"
            raise InputError(f"x, y and weights must be equally long sequences of numbers, got shapes {shapes}.")
        require(bool((weights >= 0).all()) and bool(weights.any()), "weights", "at least 0, and not all 0", weights)
        if domain is not None:
            number_list("domain", domain, 2, INTERVAL)
        low, high = (x.min(), x.max()) if domain is None else domain
        require(bool(low <= high), "domain", INTERVAL, domain)
        scale = 1.0 / weights.sum() if loss == "mean" else 1.0
        return cls(x, y, weights * scale, (float(low), float(high)), name=name)

    @property
    def size(self) -> int:
        """The number of points, N."""
        return self.x.size

    @cached_property
    def distinct(self) -> int:
        """The number of distinct x with a weight above 0: no model has more parameters that these points determine.

        Of reduced samples, the number of their nodes, which is less than the degree + 1 only where the samples that they
        stand for have as few distinct x.
        """
        return int(np.unique(self.x[self.weights > 0]).size)

    @cached_property
    def scatter(self) -> float:
        """The loss of the best function of x whatsoever, which gives each x the mean of its y.

        It is above 0 where samples of one x differ in y. Of samples that were reduced it is a lower bound: samples in
        different chunks are not compared.
        """
        return self.floor_scatter + scatter_of(self.x, self.y, self.weights)

    def scaled(self, factor: float) -> "Samples":
        """The same points, with the loss multiplied by `factor`."""
        floor, scatter = float(self.floor * factor), float(self.floor_scatter * factor)
        return replace(self, weights=self.weights * factor, floor=floor, floor_scatter=scatter)

    def loss(self, predictions: np.ndarray) -> np.ndarray:  # shape: (*runs, N) -> (*runs,)
        """The loss of the predictions p_i at the points x_i."""
        residual = predictions - self.y
        return np.asarray((self.weights * residual * residual).sum(-1) + self.floor)


def scatter_of(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> float:
    """The sum of weights (y - m)^2, where m is the weighted mean of the y of the same x.

    # shape: (N,), (N,), (N,)
    """
    points, place = np.unique(x, return_inverse=True)
    if points.size == x.size:
        return 0.0
    with np.errstate(all="ignore"):  # of y whose squares overflow
        weight = np.bincount(place, weights)
        mean = np.divide(np.bincount(place, weights * y), weight, out=np.zeros(points.size), where=weight > 0)
        return float(weights @ (y - mean[place]) ** 2)


@dataclass(frozen=True)
class Data(Value):
    """Samples in the form that a loop computes with: arrays of one backend on one device.

    Args:
        features: What the model's `features` returns at x. # shape: (N, ...)
        y: The y of the samples. # shape: (N,)
        weights: Their weights in the loss. # shape: (N,)
        floor: The constant part of the loss.
        backend: The backend of these arrays, which loops ask for derivatives; `place` sets it.

    Example:
        >>> import numpy as np
        >>> import polyexp as p
        >>> data = p.Data(np.array([[1.0, 0.0], [1.0, 2.0]]), np.array([1.0, 5.0]), np.array([0.5, 0.5]), floor=0.0)
        >>> loss, gradient = p.Manual().value_and_gradient(p.PowerSeries(degree=1), data)(np.zeros(2))
        >>> float(loss), gradient.tolist()
        (13.0, [-6.0, -10.0])
    """

    features: Array  # shape: (N, ...)
    y: Array  # shape: (N,)
    weights: Array  # shape: (N,)
    floor: float
    backend: Any = None

    @property
    def arguments(self) -> tuple[Array, Array, Array, float]:
        """What a compiled function takes as arguments: everything but the backend."""
        return self.features, self.y, self.weights, self.floor
