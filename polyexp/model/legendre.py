"""y = a + b P_n(c + d x): one Legendre polynomial with four parameters, not linear in c and d."""

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np
from array_api_compat import array_namespace
from numpy.polynomial import Polynomial, legendre

from polyexp.base import whole
from polyexp.model.model import MAX_DEGREE, Elementwise, Model, linear_formula
from polyexp.problem import Array

__all__ = ["Legendre", "LegendreSum"]


@dataclass(frozen=True)
class LegendreSum:
    """sum_k coef_k P_k(z), evaluated by Clenshaw's recurrence (Clenshaw 1955); its derivative is again such a sum."""

    coef: tuple[float, ...]

    @classmethod
    def basis(cls, n: int) -> "LegendreSum":
        """P_n."""
        return cls((0.0,) * n + (1.0,))

    def __call__(self, z: Array) -> Array:
        """The value at every element of z, of any shape; real or complex, NumPy or torch."""
        degree = len(self.coef) - 1
        b1: Array = self.coef[-1] if degree else 0.0
        b2: Array = 0.0
        for k in range(degree - 1, 0, -1):  # scalars first: while b1 or b2 is a number, its product costs no array
            b1, b2 = _sum(((2 * k + 1) / (k + 1) * b1) * z, _sum(-(k + 1) / (k + 2) * b2, self.coef[k])), b1
        return _sum(b1 * z, _sum(-0.5 * b2, self.coef[0]))

    @cache  # noqa: B019  (as many as there are degrees)
    def derivative(self) -> "LegendreSum":
        """P_n' = (2n - 1) P_{n-1} + (2n - 5) P_{n-3} + ..., term by term."""
        return LegendreSum(tuple(legendre.legder(self.coef).tolist()))


def _sum(array: Array, term: Array) -> Array:
    """array + term, at no cost where the term is the number 0, as most coefficients of a basis polynomial are."""
    return array if isinstance(term, float) and term == 0 else array + term


@dataclass
class Legendre(Model, name="legendre"):
    """y = a + b P_n(c + d x), with the parameters a, b, c, d.

    degree: n. The polynomial in x has the same degree.
    """

    degree: int = 3

    def __post_init__(self) -> None:
        whole(self.key("degree"), self.degree, 0, MAX_DEGREE)
        super().__post_init__()
        self._polynomial: Callable[[Array], Array] = LegendreSum.basis(self.degree)
        self._derivative: Callable[[Array], Array] = LegendreSum.basis(self.degree).derivative()

    @property
    def param_names(self) -> tuple[str, ...]:
        """a, b, c, d."""
        return ("a", "b", "c", "d")

    def differentiable(self, lift: Callable[[Elementwise], Callable[[Array], Array]]) -> Self:
        """This model with P_n differentiated by its analytic derivative."""
        lifted = copy.copy(self)
        lifted._polynomial = lift(LegendreSum.basis(self.degree))
        return lifted

    def features(self, x: np.ndarray) -> np.ndarray:
        """x itself: c and d act before anything else does."""
        return x

    def forward(self, params: Array, features: Array) -> Array:
        """a + b P_n(c + d x)."""
        a, b, c, d = _scalars(params)
        return a + b * self._polynomial(c + d * features)

    def backward(self, params: Array, features: Array, grad_y: Array) -> Array:
        """With z = c + d x: dy = da + P_n(z) db + b P_n'(z) (dc + x dd)."""
        _, b, c, d = _scalars(params)
        z = c + d * features
        grad_z = grad_y * b * self._derivative(z)
        columns = [grad_y, grad_y * self._polynomial(z), grad_z, grad_z * features]
        return array_namespace(params).stack([column.sum(-1) for column in columns], axis=-1)

    def power_series(self, params: np.ndarray) -> np.ndarray:
        """P_n's coefficients composed with c + d x."""
        params = np.asarray(params, float)
        flat = [self._in_x(*row) for row in params.reshape(-1, 4)]
        return np.stack(flat).reshape(*params.shape[:-1], self.degree + 1)

    def formula(self, params: np.ndarray) -> str:
        """y = a + b P_n(c + d x), with numbers."""
        outer = linear_formula(params[:2], ["", f"P{self.degree}(z)"])
        return f"y = {outer}, z = {linear_formula(params[2:], ['', 'x'])}"

    def _in_x(self, a: float, b: float, c: float, d: float) -> np.ndarray:
        in_z = Polynomial(legendre.leg2poly(LegendreSum.basis(self.degree).coef))
        in_x = a + b * in_z(Polynomial([c, d]))
        return np.pad(in_x.coef, (0, self.degree + 1 - in_x.coef.size))


def _scalars(params: Array) -> Iterable[Array]:  # shape: (*runs, 4) -> four of (*runs, 1), or of () for a single run
    """a, b, c, d, so that they broadcast against samples."""
    # Iterating is one node of autograd's graph, and slicing four with a padded gradient each.
    return params if params.ndim == 1 else (params[..., k : k + 1] for k in range(4))
