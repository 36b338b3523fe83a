"""Linear expansions y = sum_k w_k B_k(z(x)) in the bases that numpy.polynomial provides."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.polynomial import chebyshev, hermite, legendre, polynomial

from polyexp.base import number_list, require, whole
from polyexp.model.model import MAX_DEGREE, Model, linear_formula
from polyexp.problem import Array

__all__ = ["ChebyshevSeries", "HermiteSeries", "LegendreSeries", "PowerSeries"]

MAX_ROUNDING_OF_OFFSET = 4 * np.finfo(float).eps  # of z = offset + scale x, whose values are from -1 to 1


@dataclass
class Expansion(Model):
    """The linear model y = sum_{k=0..degree} w_k B_k(x).

    The features are the pseudo-Vandermonde matrix V with V_ik = B_k(x_i). # shape: (N, degree + 1)

    Args:
        degree: The degree n, from 0 to 1000.
        initial: The initial values, see `Model`.
        initial_scale: The factor on drawn initial values.
    """

    linear: ClassVar[bool] = True

    degree: int = 7

    def __post_init__(self) -> None:
        whole(self.key("degree"), self.degree, 0, MAX_DEGREE)
        super().__post_init__()

    @property
    def param_names(self) -> tuple[str, ...]:
        """The names w0, w1, ..., w<degree>."""
        return tuple(f"w{k}" for k in range(self.degree + 1))

    def forward(self, params: Array, features: Array) -> Array:
        """The values V w."""
        # For one run both products are the same, but V w is one node of autograd's graph, and w V^T takes several.
        return features @ params if params.ndim == 1 else params @ features.T

    def backward(self, params: Array, features: Array, grad_y: Array) -> Array:
        """The product V^T grad_y."""
        return grad_y @ features


@dataclass
class PowerSeries(Expansion, name="power_series"):
    """The power series y = w0 + w1 x + ... + w_n x^n, in x as it is.

    Args:
        degree: The degree n, from 0 to 1000.
        initial: The initial values: "zeros", "uniform" on [0, 1), "normal", or the list of the n + 1 values.
        initial_scale: The factor by which drawn initial values are multiplied.

    Raises:
        InputError: A value is not allowed.

    Example:
        >>> import polyexp as p
        >>> model = p.PowerSeries(degree=3)
        >>> model.initial_params(seed=0).round(6).tolist()
        [0.548814, 0.715189, 0.602763, 0.544883]
        >>> model([1, 2, 3, 4], [0, 1, 2]).tolist()
        [1.0, 10.0, 49.0]
        >>> result = p.fit(p.Problem("sin"), model, loop=p.Manual(steps=200), backend=p.NumPy())
        >>> f"{result.loss:.6g}"
        '56.4073'
    """

    def features(self, x: np.ndarray) -> np.ndarray:
        """The Vandermonde matrix of x."""
        return polynomial.polyvander(x, self.degree)

    def power_series(self, params: np.ndarray) -> np.ndarray:
        """The parameters themselves."""
        return np.asarray(params)

    def formula(self, params: np.ndarray) -> str:
        """The text `y = w0 + w1 x + w2 x^2 + ...`, with numbers."""
        powers = ["", "x", *(f"x^{k}" for k in range(2, self.degree + 1))]
        return f"y = {linear_formula(params, powers[: self.degree + 1])}"


@dataclass
class MappedExpansion(Expansion):
    """An expansion in an orthogonal basis, whose domain is mapped linearly to the window [-1, 1] of the basis.

    With the domain [low, high], z = (2 x - low - high) / (high - low), as in numpy.polynomial.

    Args:
        degree: The degree n, from 0 to 1000.
        domain: The interval [low, high] of x, or None for the domain of the problem.
        initial: The initial values, see `Model`.
        initial_scale: The factor on drawn initial values.
    """

    basis: ClassVar[Any]
    vander: ClassVar[Callable[[np.ndarray, int], np.ndarray]]
    mulx: ClassVar[Callable[[list[int]], np.ndarray]]
    symbol: ClassVar[str]

    domain: list[float] | None = None

    def __post_init__(self) -> None:
        if self.domain is not None:
            wanted = "null (the problem's) or [low, high] with low < high, both finite"
            number_list(self.key("domain"), self.domain, 2, wanted)
            require(self.domain[0] < self.domain[1], self.key("domain"), wanted, list(self.domain))
        super().__post_init__()

    def on_domain(self, domain: tuple[float, float]) -> Self:
        """This model with this domain, unless it has a domain of its own."""
        if self.domain is not None:
            return self
        # Samples with one x only span no interval; with any width they are mapped to the middle of the window.
        low, high = domain
        if low == high:
            low, high = low - max(1.0, abs(low) / 2), high + max(1.0, abs(high) / 2)
        return replace(self, domain=[low, high])

    @property
    def formulation(self) -> Self:
        """This model without initial values and without the domain, which only `features` depends on."""
        own = type(self).forward is Expansion.forward and type(self).backward is Expansion.backward
        return super().formulation._with(domain=None) if own else super().formulation

    def features(self, x: np.ndarray) -> np.ndarray:
        """The pseudo-Vandermonde matrix of z, which is x mapped to the window."""
        offset, scale = self._series(np.zeros(1)).mapparms()
        return type(self).vander(offset + scale * np.asarray(x), self.degree)

    def power_series(self, params: np.ndarray) -> np.ndarray:
        """The coefficients in x, which are the sums of those of the basis polynomials, each times its parameter."""
        return np.asarray(params @ self._in_x())

    def formula(self, params: np.ndarray) -> str:
        """The text `y = w0 B0(z) + w1 B1(z) + ..., z = offset + scale x`, with numbers."""
        terms = [f"{self.symbol}{k}(z)" for k in range(self.degree + 1)]
        offset, scale = self._series(np.zeros(1)).mapparms()
        offset = offset if abs(offset) > MAX_ROUNDING_OF_OFFSET else 0.0
        return f"y = {linear_formula(params, terms)}, z = {linear_formula(np.array([offset, scale]), ['', 'x'])}"

    def _series(self, coefficients: np.ndarray) -> Any:
        domain = self.basis.domain if self.domain is None else self.domain
        return self.basis(coefficients, domain=domain, window=self.basis.window)

    def _in_x(self) -> np.ndarray:  # shape: (degree + 1, degree + 1)
        """The coefficients of B_k by ascending power of x in row k, by z B_k = below B_{k-1} + above B_{k+1}."""
        offset, scale = self._series(np.zeros(1)).mapparms()
        rows = np.eye(self.degree + 1)
        for k in range(self.degree):
            *_, below, _, above = (0, *type(self).mulx([0] * k + [1]))
            rows[k + 1] = (offset * rows[k] + scale * np.roll(rows[k], 1) - below * rows[k - 1]) / above
        return rows


@dataclass
class LegendreSeries(MappedExpansion, name="legendre_series"):
    """The series y = sum_k w_k P_k(z) of Legendre polynomials, where z is x mapped from the domain to [-1, 1].

    Args:
        degree: The degree n, from 0 to 1000.
        domain: The interval [low, high] of x, or None for the domain of the problem.
        initial: The initial values: "zeros", "uniform" on [0, 1), "normal", or the list of the n + 1 values.
        initial_scale: The factor by which drawn initial values are multiplied.

    Raises:
        InputError: A value is not allowed.

    Example:
        >>> import numpy as np
        >>> import polyexp as p
        >>> model = p.LegendreSeries(degree=2, domain=[0, 2])
        >>> model.formula(np.array([1, 2, 4]))
        'y = P0(z) + 2 P1(z) + 4 P2(z), z = -1 + x'
        >>> model([1, 2, 4], [0, 1, 2]).tolist()
        [3.0, -1.0, 7.0]
    """

    basis: ClassVar[Any] = np.polynomial.Legendre
    vander: ClassVar[Callable[[np.ndarray, int], np.ndarray]] = legendre.legvander
    mulx: ClassVar[Callable[[list[int]], np.ndarray]] = legendre.legmulx
    symbol: ClassVar[str] = "P"


@dataclass
class ChebyshevSeries(MappedExpansion, name="chebyshev_series"):
    """The series y = sum_k w_k T_k(z) of Chebyshev polynomials, where z is x mapped from the domain to [-1, 1].

    The polynomials are those of the first kind, T_k(cos t) = cos(k t).

    Args:
        degree: The degree n, from 0 to 1000.
        domain: The interval [low, high] of x, or None for the domain of the problem.
        initial: The initial values: "zeros", "uniform" on [0, 1), "normal", or the list of the n + 1 values.
        initial_scale: The factor by which drawn initial values are multiplied.

    Raises:
        InputError: A value is not allowed.

    Example:
        >>> import numpy as np
        >>> import polyexp as p
        >>> model = p.ChebyshevSeries(degree=2, domain=[0, 2])
        >>> model([1, 2, 4], [0, 1, 2]).tolist()
        [3.0, -3.0, 7.0]
        >>> model.power_series(np.array([1, 2, 4])).tolist()
        [3.0, -14.0, 8.0]
    """

    basis: ClassVar[Any] = np.polynomial.Chebyshev
    vander: ClassVar[Callable[[np.ndarray, int], np.ndarray]] = chebyshev.chebvander
    mulx: ClassVar[Callable[[list[int]], np.ndarray]] = chebyshev.chebmulx
    symbol: ClassVar[str] = "T"


@dataclass
class HermiteSeries(MappedExpansion, name="hermite_series"):
    """The series y = sum_k w_k H_k(z) of Hermite polynomials, where z is x mapped from the domain to [-1, 1].

    The polynomials are the physicists', H_{k+1}(z) = 2 z H_k(z) - 2 k H_{k-1}(z).

    Args:
        degree: The degree n, from 0 to 1000.
        domain: The interval [low, high] of x, or None for the domain of the problem.
        initial: The initial values: "zeros", "uniform" on [0, 1), "normal", or the list of the n + 1 values.
        initial_scale: The factor by which drawn initial values are multiplied.

    Raises:
        InputError: A value is not allowed.

    Example:
        >>> import polyexp as p
        >>> model = p.HermiteSeries(degree=2, domain=[-1, 1])
        >>> model([1, 2, 4], [-1, 0, 1]).tolist()
        [5.0, -7.0, 13.0]
    """

    basis: ClassVar[Any] = np.polynomial.Hermite
    vander: ClassVar[Callable[[np.ndarray, int], np.ndarray]] = hermite.hermvander
    mulx: ClassVar[Callable[[list[int]], np.ndarray]] = hermite.hermmulx
    symbol: ClassVar[str] = "H"
