"""Linear expansions y = sum_k w_k B_k(z(x)) in the bases that numpy.polynomial provides."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.polynomial import chebyshev, hermite, legendre, polynomial

from polyexp.base import number_list, require, whole
from polyexp.model.model import MAX_DEGREE, Model, linear_formula
from polyexp.problem import Array

__all__ = ["ChebyshevSeries", "HermiteSeries", "LegendreSeries", "PowerSeries"]


@dataclass
class Expansion(Model):
    """y = sum_{k=0..degree} w_k B_k(x), linear in w; the features are the pseudo-Vandermonde matrix (N, degree + 1)."""

    linear: ClassVar[bool] = True

    degree: int = 7

    def __post_init__(self) -> None:
        whole(self.key("degree"), self.degree, 0, MAX_DEGREE)
        super().__post_init__()

    @property
    def param_names(self) -> tuple[str, ...]:
        """w0 ... w<degree>."""
        return tuple(f"w{k}" for k in range(self.degree + 1))

    def forward(self, params: Array, features: Array) -> Array:
        """V w."""
        # The same either way; but V w is one product, and one node of autograd's graph, where w V^T takes more.
        return features @ params if params.ndim == 1 else params @ features.T

    def backward(self, params: Array, features: Array, grad_y: Array) -> Array:
        """V^T grad_y."""
        return grad_y @ features


@dataclass
class PowerSeries(Expansion, name="power_series"):
    """y = w0 + w1 x + ... + w_n x^n, in raw x."""

    def features(self, x: np.ndarray) -> np.ndarray:
        """The Vandermonde matrix of x."""
        return polynomial.polyvander(x, self.degree)

    def power_series(self, params: np.ndarray) -> np.ndarray:
        """The parameters themselves."""
        return params

    def formula(self, params: np.ndarray) -> str:
        """y = w0 + w1 x + w2 x^2 + ..."""
        powers = ["", "x", *(f"x^{k}" for k in range(2, self.degree + 1))]
        return f"y = {linear_formula(params, powers[: self.degree + 1])}"


@dataclass
class MappedExpansion(Expansion):
    """An expansion in an orthogonal basis, whose `domain` is mapped linearly to the basis' window.

    domain: [low, high]; None (the default) means the problem's.
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

    def on(self, domain: tuple[float, float]) -> Self:
        """This model with `domain`, unless it has one of its own."""
        bound = copy.copy(self)
        if self.domain is None:
            # One sample, or equal ones, span no interval: any width maps them to the middle of the window.
            low, high = domain
            if low == high:
                low, high = low - max(1.0, abs(low) / 2), high + max(1.0, abs(high) / 2)
            bound.domain = [low, high]
        return bound

    def features(self, x: np.ndarray) -> np.ndarray:
        """The pseudo-Vandermonde matrix of x mapped to the window."""
        offset, scale = self._series(np.zeros(1)).mapparms()
        return type(self).vander(offset + scale * x, self.degree)

    def power_series(self, params: np.ndarray) -> np.ndarray:
        """The coefficients in x: those of each basis polynomial, weighted and added."""
        return np.asarray(params @ self._in_x())

    def formula(self, params: np.ndarray) -> str:
        """y = w0 B0(z) + w1 B1(z) + ..., z = offset + scale x."""
        terms = [f"{self.symbol}{k}(z)" for k in range(self.degree + 1)]
        z = linear_formula(np.array(self._series(np.zeros(1)).mapparms()), ["", "x"])
        return f"y = {linear_formula(params, terms)}, z = {z}"

    def _series(self, coefficients: np.ndarray) -> Any:
        domain = self.basis.domain if self.domain is None else self.domain
        return self.basis(coefficients, domain=domain, window=self.basis.window)

    def _in_x(self) -> np.ndarray:  # shape: (degree + 1, degree + 1)
        """Row k: B_k by ascending power of x, from the recurrence z B_k = below B_{k-1} + above B_{k+1}."""
        offset, scale = self._series(np.zeros(1)).mapparms()
        rows = np.eye(self.degree + 1)
        for k in range(self.degree):
            *_, below, _, above = (0, *type(self).mulx([0] * k + [1]))
            rows[k + 1] = (offset * rows[k] + scale * np.roll(rows[k], 1) - below * rows[k - 1]) / above
        return rows


@dataclass
class LegendreSeries(MappedExpansion, name="legendre_series"):
    """y = sum_k w_k P_k(z), z = the domain mapped to [-1, 1]."""

    basis: ClassVar[Any] = np.polynomial.Legendre
    vander: ClassVar[Callable[[np.ndarray, int], np.ndarray]] = legendre.legvander
    mulx: ClassVar[Callable[[list[int]], np.ndarray]] = legendre.legmulx
    symbol: ClassVar[str] = "P"


@dataclass
class ChebyshevSeries(MappedExpansion, name="chebyshev_series"):
    """y = sum_k w_k T_k(z), z = the domain mapped to [-1, 1]."""

    basis: ClassVar[Any] = np.polynomial.Chebyshev
    vander: ClassVar[Callable[[np.ndarray, int], np.ndarray]] = chebyshev.chebvander
    mulx: ClassVar[Callable[[list[int]], np.ndarray]] = chebyshev.chebmulx
    symbol: ClassVar[str] = "T"


@dataclass
class HermiteSeries(MappedExpansion, name="hermite_series"):
    """y = sum_k w_k H_k(z) with the physicists' Hermite polynomials, z = the domain mapped to [-1, 1]."""

    basis: ClassVar[Any] = np.polynomial.Hermite
    vander: ClassVar[Callable[[np.ndarray, int], np.ndarray]] = hermite.hermvander
    mulx: ClassVar[Callable[[list[int]], np.ndarray]] = hermite.hermmulx
    symbol: ClassVar[str] = "H"
