"""What a model is: a formula with parameters, its features and its vector-Jacobian product."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.polynomial.chebyshev import chebinterpolate

from polyexp.base import Component, InputError, finite, finite_array, number_list, one_of, seeds
from polyexp.problem import Array

__all__ = ["Elementwise", "Model", "degree_in_x", "linear_formula"]

MAX_DEGREE = 1000
TRIED_BEYOND_DEGREE = 8  # degrees above its own in which a model is looked for
BEYOND_ROUNDING = 1e-10  # of the largest coefficient
INITIAL: dict[str, Callable[[np.random.RandomState, int], np.ndarray]] = {
    "zeros": lambda rng, size: np.zeros(size),
    "uniform": lambda rng, size: rng.random_sample(size),
    "normal": lambda rng, size: rng.standard_normal(size),
}


class Elementwise(Protocol):
    """A function of one real variable, applied to every element, that knows its own derivative."""

    def __call__(self, z: Array) -> Array: ...  # noqa: D102

    def derivative(self) -> "Elementwise":
        """The derivative, again with a derivative of its own."""
        ...


@dataclass
class Model(Component):
    """y = f(x; params) with K named parameters, for any number of runs at once.

    A model knows no array library, no loss and no configuration. `params` has shape (*runs, K); every method works on
    each run by itself. A subclass gives `param_names`, `features`, `forward`, `backward`, `power_series` and `formula`,
    and has every loop, backend and optimizer at once.

    initial: "zeros", "uniform" on [0, 1), "normal" (standard), or the list of the K values.
    initial_scale: the factor by which drawn values are multiplied.
    """

    group: ClassVar[str] = "model"
    linear: ClassVar[bool] = False

    initial: Any = field(default="uniform", kw_only=True)
    initial_scale: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        finite(self.key("initial_scale"), self.initial_scale)
        names = self.param_names
        if isinstance(self.initial, str):
            one_of(self.key("initial"), self.initial, INITIAL, also="a list of numbers")
        else:
            wanted = f"zeros, uniform, normal or a list of {len(names)} finite numbers ({_span(names)})"
            number_list(self.key("initial"), self.initial, len(names), wanted)

    @property
    @abstractmethod
    def param_names(self) -> tuple[str, ...]:
        """The names of the K parameters."""

    @property
    def polynomial_degree(self) -> int | None:
        """The largest degree in x that the model can have: that of its `power_series`. A model that is no polynomial in x
        must say None.
        """
        with np.errstate(all="ignore"):
            return int(self.power_series(np.zeros(len(self.param_names))).shape[-1]) - 1

    def on(self, domain: tuple[float, float]) -> Self:
        """This model for samples on `domain`; a model that maps no domain is returned as it is."""
        return self

    def differentiable(self, lift: Callable[[Elementwise], Callable[[Array], Array]]) -> Self:
        """This model for a loop that differentiates `forward`.

        `lift` turns a function with an analytic derivative into one that the loop differentiates by that derivative.
        """
        return self

    @abstractmethod
    def features(self, x: np.ndarray) -> np.ndarray:  # shape: (N,) -> (N, ...)
        """Everything that depends on x alone, computed once in float64 NumPy."""

    @abstractmethod
    def forward(self, params: Array, features: Array) -> Array:  # shape: (*runs, K), (N, ...) -> (*runs, N)
        """The model's values at the samples."""

    @abstractmethod
    def backward(self, params: Array, features: Array, grad_y: Array) -> Array:
        """The vector-Jacobian product: sum_i grad_y_i df(x_i)/dparams.

        # shape: (*runs, K), (N, ...), (*runs, N) -> (*runs, K)
        """

    @abstractmethod
    def power_series(self, params: np.ndarray) -> np.ndarray:  # shape: (*runs, K) -> (*runs, degree + 1)
        """The same polynomial as coefficients in x, by ascending power."""

    @abstractmethod
    def formula(self, params: np.ndarray) -> str:  # shape: (K,)
        """The fitted formula with its numbers, e.g. `y = 0.5 + 0.25 x`."""

    def initial_params(self, seed: int | Sequence[int] = 0) -> np.ndarray:
        """Initial values in float64: shape (K,) for one seed, (len(seed), K) for a sequence of seeds.

        They are drawn by `np.random.RandomState(seed)`, whose stream NumPy promises never to change.
        """
        seeds("seed", seed)
        if not isinstance(seed, (int, np.integer)):
            return np.stack([self.initial_params(int(one)) for one in seed])
        size = len(self.param_names)
        if isinstance(self.initial, str):
            return self.initial_scale * INITIAL[self.initial](np.random.RandomState(seed), size)
        return np.array(self.initial, float)

    def __call__(self, params: Any, x: Any) -> np.ndarray:  # shape: (*runs, K), any -> (*runs, *shape of x)
        """The model's values at any x, in float64 NumPy."""
        x = np.asarray(x, float)
        values = np.asarray(self.forward(np.asarray(params, float), self.features(x.ravel())))
        return values.reshape(*values.shape[:-1], *x.shape)

    def check_params(self, params: Any) -> np.ndarray:
        """`params` as a float64 array of shape (*runs, K); InputError where they are not K finite numbers a run."""
        array = finite_array("params", params)
        size = len(self.param_names)
        if array.ndim < 1 or array.shape[-1] != size:
            raise InputError(f"params must have shape (*runs, {size}), got {array.shape}.")
        return array


def degree_in_x(model: Model) -> int | None:
    """The degree of the polynomials that the model can be; None where it is no polynomial.

    Too small a degree would make a reduction wrong without a sign of it, so the model is tried: with random parameters, on
    [-1, 1], its Chebyshev coefficients beyond that degree must vanish. InputError where they do not.
    """
    degree = model.polynomial_degree
    if degree is None:
        return None
    params = np.random.RandomState(0).standard_normal(len(model.param_names))
    tried = model.on((-1.0, 1.0))
    with np.errstate(all="ignore"):
        found = np.abs(chebinterpolate(partial(tried, params), degree + TRIED_BEYOND_DEGREE))  # type: ignore[type-var]
    if np.isfinite(found).all() and found[degree + 1 :].max() > BEYOND_ROUNDING * found.max():
        raise InputError(
            f"`model={model.choice}` is not the polynomial of degree {degree} in x that its class says: give the class a "
            "`power_series` of its own."
        )
    return degree


def linear_formula(coefficients: np.ndarray, terms: Sequence[str]) -> str:
    """`0.5 - 0.25 x + ...` to four digits; an empty term is the constant."""
    text = ""
    for value, term in zip(coefficients, terms, strict=True):
        sign = ("-" if value < 0 else "") if not text else (" - " if value < 0 else " + ")
        text += f"{sign}{abs(value):.4g}{' ' if term else ''}{term}"
    return text


def _span(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{names[0]} ... {names[-1]}"
