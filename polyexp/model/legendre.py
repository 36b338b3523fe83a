"""The model y = a + b P_n(c + d x) of one Legendre polynomial, which is not linear in c and d."""

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
    """The sum of Legendre polynomials sum_k coef_k P_k(z), whose derivative is again such a sum.

    It is evaluated by Clenshaw's recurrence (Clenshaw 1955).

    Args:
        coef: The coefficients, from k = 0.

    Example:
        >>> import polyexp as p
        >>> p2 = p.LegendreSum.basis(2)
        >>> p2(0.5)
        -0.125
        >>> p2.derivative()
        LegendreSum(coef=(0.0, 3.0))
    """

    coef: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "coef", tuple(map(float, self.coef)))  # of any sequence

    @classmethod
    def basis(cls, n: int) -> "LegendreSum":
        """The polynomial P_n."""
        return cls((0.0,) * n + (1.0,))

    def __call__(self, z: Array) -> Array:
        """The values at z, an array of any shape, real or complex, of NumPy or torch."""
        if isinstance(z, (list, tuple)):
            z = np.asarray(z)
        degree = len(self.coef) - 1
        b1: Array = self.coef[-1] if degree else 0.0
        b2: Array = 0.0
        for k in range(degree - 1, 0, -1):  # numbers first: while b1 or b2 is one, no array is made
            b1, b2 = _sum(((2 * k + 1) / (k + 1) * b1) * z, _sum(-(k + 1) / (k + 2) * b2, self.coef[k])), b1
        return _sum(b1 * z, _sum(-0.5 * b2, self.coef[0]))

    @cache  # noqa: B019  (it holds no more instances than there are degrees)
    def derivative(self) -> "LegendreSum":
        """The derivative, term by term: P_n' = (2n - 1) P_{n-1} + (2n - 5) P_{n-3} + ..."""
        return LegendreSum(tuple(legendre.legder(self.coef).tolist()))


def _sum(array: Array, term: Array) -> Array:
    """The sum array + term, at no cost where the term is the number 0, as most coefficients of a basis polynomial are."""
    return array if isinstance(term, float) and term == 0 else array + term


@dataclass
class Legendre(Model, name="legendre"):
    """The model y = a + b P_n(c + d x) with the parameters a, b, c, d; it is not linear in c and d.

    P_n is the Legendre polynomial of degree n, and y is a polynomial in x of the same degree.

    Args:
        degree: The degree n, from 0 to 1000.
        initial: The initial values: "zeros", "uniform" on [0, 1), "normal", or the list of the four values.
        initial_scale: The factor by which drawn initial values are multiplied.

    Raises:
        InputError: A value is not allowed.

    Example:
        >>> import numpy as np
        >>> import polyexp as p
        >>> model = p.Legendre(degree=2)
        >>> model.formula(np.array([1, 2, 0, 1]))
        'y = 1 + 2 P2(z), z = x'
        >>> model([1, 2, 0, 1], [0, 1, 2]).tolist()
        [0.0, 3.0, 12.0]
        >>> model.power_series(np.array([1, 2, 0, 1])).round(6).tolist()
        [0.0, 0.0, 3.0]
    """

    degree: int = 3

    def __post_init__(self) -> None:
        whole(self.key("degree"), self.degree, 0, MAX_DEGREE)
        super().__post_init__()
        self._polynomial: Callable[[Array], Array] = LegendreSum.basis(self.degree)
        self._derivative: Callable[[Array], Array] = LegendreSum.basis(self.degree).derivative()

    @property
    def param_names(self) -> tuple[str, ...]:
        """The names a, b, c, d."""
        return ("a", "b", "c", "d")

    def differentiable(self, lift: Callable[[Elementwise], Callable[[Array], Array]]) -> Self:
        """A copy of this model whose P_n is differentiated by its analytic derivative."""
        return self._with(_polynomial=lift(LegendreSum.basis(self.degree)))

    def features(self, x: np.ndarray) -> np.ndarray:
        """The x themselves, as nothing that depends on x alone can be computed before c + d x."""
        return np.asarray(x)

    def forward(self, params: Array, features: Array) -> Array:
        """The values a + b P_n(c + d x)."""
        a, b, c, d = _scalars(params)
        return a + b * self._polynomial(c + d * features)

    def backward(self, params: Array, features: Array, grad_y: Array) -> Array:
        """The product by dy = da + P_n(z) db + b P_n'(z) (dc + x dd), where z = c + d x."""
        _, b, c, d = _scalars(params)
        z = c + d * features
        grad_z = grad_y * b * self._derivative(z)
        columns = [grad_y, grad_y * self._polynomial(z), grad_z, grad_z * features]
        return array_namespace(params).stack([column.sum(-1) for column in columns], axis=-1)

    def power_series(self, params: np.ndarray) -> np.ndarray:
        """The coefficients of P_n, composed with c + d x."""
        params = np.asarray(params, float)
        flat = [self._in_x(*row) for row in params.reshape(-1, 4)]
        return np.stack(flat).reshape(*params.shape[:-1], self.degree + 1)

    def formula(self, params: np.ndarray) -> str:
        """The text `y = a + b P<n>(z), z = c + d x`, with numbers."""
        outer = linear_formula(params[:2], ["", f"P{self.degree}(z)"])
        return f"y = {outer}, z = {linear_formula(params[2:], ['', 'x'])}"

    def _in_x(self, a: float, b: float, c: float, d: float) -> np.ndarray:
        in_z = Polynomial(legendre.leg2poly(LegendreSum.basis(self.degree).coef))
        in_x = a + b * in_z(Polynomial([c, d]))
        return np.pad(in_x.coef, (0, self.degree + 1 - in_x.coef.size))


def _scalars(params: Array) -> Iterable[Array]:  # shape: (*runs, 4) -> four of (*runs, 1), or of () for a single run
    """The parameters a, b, c, d, each in a shape that broadcasts against the samples."""
    # Iteration is one node of autograd's graph; four slices are four nodes, each with a padded gradient.
    return params if params.ndim == 1 else (params[..., k : k + 1] for k in range(4))
