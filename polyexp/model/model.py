"""The base class of models: a formula with parameters, its features and its vector-Jacobian product."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.polynomial.chebyshev import chebinterpolate

from polyexp.base import Component, InputError, finite, finite_array, number_list, one_of, real_array, seeds
from polyexp.problem import Array

__all__ = ["Elementwise", "Model", "degree_in_x", "linear_formula"]

MAX_DEGREE = 1000  # of every model
EXTRA_DEGREES_CHECKED = 8  # degrees above its own at which a model must have no Chebyshev coefficient
MAX_DEGREES_KEPT = 256  # models whose degrees in x are kept once they are checked
MAX_VANISHING_COEFFICIENT = 1e-10  # size, relative to the largest coefficient, up to which one counts as 0
# The rules of initial values by name: functions of the random generator and of the number K of parameters.
INITIAL_VALUES: dict[str, Callable[[np.random.RandomState, int], np.ndarray]] = {
    "zeros": lambda rng, size: np.zeros(size),
    "uniform": lambda rng, size: rng.random_sample(size),
    "normal": lambda rng, size: rng.standard_normal(size),
}


class Elementwise(Protocol):
    """A function of one variable, applied to every element of an array, that has an analytic derivative."""

    def __call__(self, z: Array) -> Array: ...  # noqa: D102

    def derivative(self) -> "Elementwise":
        """The derivative, which has a derivative too."""
        ...


@dataclass
class Model(Component):
    """A formula y = f(x; params) with K named parameters, for any number of runs at once.

    A model depends on no array library, loss or configuration. `params` has shape (*runs, K), and every method computes
    each run by itself. A subclass defines `param_names`, `features`, `forward`, `backward` and `formula`, and a polynomial in
    x also `power_series`; then every loop, backend and optimizer can be used with it. `linear` must be True for a model that
    is linear in its parameters. The models are `PowerSeries`, `LegendreSeries`, `ChebyshevSeries`, `HermiteSeries` and
    `Legendre`.

    Args:
        initial: The initial values: "zeros", "uniform" on [0, 1), "normal" (of mean 0 and standard deviation 1), or the
            list of the K values.
        initial_scale: The factor by which drawn initial values are multiplied.

    Raises:
        InputError: A value is not allowed.

    Example:
        >>> import polyexp as p
        >>> model = p.PowerSeries(degree=2, initial=[1, 0, 3])
        >>> isinstance(model, p.Model), model.param_names, model.linear
        (True, ('w0', 'w1', 'w2'), True)
        >>> params = model.initial_params()
        >>> model.formula(params), model(params, [0, 2]).tolist()
        ('y = 1 + 3 x^2', [1.0, 13.0])
    """

    group: ClassVar[str] = "model"
    renamed: ClassVar[Mapping[str, str]] = {"on": "on_domain"}
    linear: ClassVar[bool] = False

    initial: Any = field(default="uniform", kw_only=True)
    initial_scale: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        finite(self.key("initial_scale"), self.initial_scale)
        names = self.param_names
        if isinstance(self.initial, str):
            one_of(self.key("initial"), self.initial, INITIAL_VALUES, also="a list of numbers")
        else:
            wanted = f"zeros, uniform, normal or a list of {len(names)} finite numbers ({_span(names)})"
            number_list(self.key("initial"), self.initial, len(names), wanted)

    @property
    @abstractmethod
    def param_names(self) -> tuple[str, ...]:
        """The names of the K parameters."""

    @property
    def polynomial_degree(self) -> int | None:
        """The largest degree in x that the model can have, which is that of its `power_series`.

        None for a model that is not a polynomial in x, and so has no power series.
        """
        with np.errstate(all="ignore"):
            series = self.power_series(np.zeros(len(self.param_names)))
        return None if series is None else int(series.shape[-1]) - 1

    def on_domain(self, domain: tuple[float, float]) -> Self:
        """This model for samples on the domain (low, high). A model that maps no domain is returned as it is."""
        return self

    def differentiable(self, lift: Callable[[Elementwise], Callable[[Array], Array]]) -> Self:
        """This model for a loop that differentiates `forward`.

        Args:
            lift: The function that turns a function with an analytic derivative into one that the loop differentiates by
                that derivative.
        """
        return self

    @property
    def formulation(self) -> Self:
        """This model without the fields on which `forward` and `backward` do not depend, as they get features and parameters.

        Steps of models that are equal in this are compiled once.
        """
        return self._with(initial="zeros", initial_scale=1.0)

    @abstractmethod
    def features(self, x: np.ndarray) -> np.ndarray:  # shape: (N,) -> (N, ...)
        """The numbers that depend on x alone, computed once in float64 NumPy."""

    @abstractmethod
    def forward(self, params: Array, features: Array) -> Array:  # shape: (*runs, K), (N, ...) -> (*runs, N)
        """The model's values at the samples."""

    @abstractmethod
    def backward(self, params: Array, features: Array, grad_y: Array) -> Array:
        """The vector-Jacobian product sum_i grad_y_i df(x_i)/dparams.

        # shape: (*runs, K), (N, ...), (*runs, N) -> (*runs, K)
        """

    def power_series(self, params: np.ndarray) -> np.ndarray | None:  # shape: (*runs, K) -> (*runs, degree + 1)
        """The coefficients of the same polynomial in x, by ascending power; None for a model that is not a polynomial in x."""
        return None

    @abstractmethod
    def formula(self, params: np.ndarray) -> str:  # shape: (K,)
        """The formula with these parameters to four digits, such as `y = 0.5 + 0.25 x`."""

    def initial_params(self, seed: int | Sequence[int] = 0) -> np.ndarray:
        """The initial values in float64, drawn by `np.random.RandomState(seed)`.

        NumPy has frozen the stream of RandomState, so the values of a seed are the same in every version.

        Args:
            seed: One seed, for values of shape (K,), or a sequence of seeds, for values of shape (len(seed), K).

        Raises:
            InputError: A seed is not a whole number from 0 to 2^32 - 1.
        """
        seeds("seed", seed)
        several = [int(one) for one in np.ravel(seed)]
        size, rng = len(self.param_names), np.random.RandomState()

        def drawn(one: int) -> np.ndarray:
            if not isinstance(self.initial, str):
                return np.array(self.initial, float)
            rng.seed(one)  # takes a hundredth of the time of a new RandomState, and gives the same stream
            return self.initial_scale * INITIAL_VALUES[self.initial](rng, size)

        values = np.stack([drawn(one) for one in several])
        return values if np.ndim(seed) else values[0]

    def __call__(self, params: Any, x: Any) -> np.ndarray:  # shape: (*runs, K), any -> (*runs, *shape of x)
        """The values of the model at any x, in float64 NumPy.

        Raises:
            InputError: x or the parameters are no real numbers, or are masked; or there are not K parameters for each run.
        """
        x, params = real_array("x", x), real_array("params", params)
        self._require_size(params)
        values = np.asarray(self.forward(params, self.features(x.ravel())))
        return values.reshape((*values.shape[:-1], *x.shape))

    def check_params(self, params: Any) -> np.ndarray:
        """`params` as a float64 array of shape (*runs, K).

        Raises:
            InputError: They are not K finite numbers for each run.
        """
        array = finite_array("params", params)
        self._require_size(array)
        return array

    def _require_size(self, params: np.ndarray) -> None:
        size = len(self.param_names)
        if params.shape[-1:] != (size,):
            raise InputError(f"params must have shape (*runs, {size}), got {params.shape}.")


@lru_cache(MAX_DEGREES_KEPT)
def degree_in_x(model: Model) -> int | None:
    """The degree of the polynomials that the model can be, or None where it is not a polynomial.

    With a degree that is too small, a reduction would be wrong without any error. The degree is therefore checked: with
    random parameters on [-1, 1], the Chebyshev coefficients of the model beyond its degree must be 0 up to rounding.

    Raises:
        InputError: They are not.
    """
    degree = model.polynomial_degree
    if degree is None:
        return None
    params = np.random.RandomState(0).standard_normal(len(model.param_names))
    tried = model.on_domain((-1.0, 1.0))
    with np.errstate(all="ignore"):
        found = np.abs(chebinterpolate(partial(tried, params), degree + EXTRA_DEGREES_CHECKED))  # type: ignore[type-var]
    if np.isfinite(found).all() and found[degree + 1 :].max() > MAX_VANISHING_COEFFICIENT * found.max():
        raise InputError(
            f"`model={model.choice}` is not the polynomial of degree {degree} in x that its class declares: override "
            "`power_series` in the class."
        )
    return degree


def linear_formula(coefficients: np.ndarray, terms: Sequence[str]) -> str:
    """A sum such as `0.5 - 0.25 x`, with coefficients to four digits, without those that are 0 or the factor 1.

    Args:
        coefficients: The coefficients. # shape: (K,)
        terms: What each coefficient is multiplied by; an empty string for the constant.
    """
    text = ""
    for value, term in zip(coefficients, terms, strict=True):
        if value != 0:
            number = f"{abs(value):.4g}"
            sign = ("-" if value < 0 else "") if not text else (" - " if value < 0 else " + ")
            text += sign + (term if term and number == "1" else f"{number} {term}".rstrip())
    return text or "0"


def _span(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{names[0]} ... {names[-1]}"
