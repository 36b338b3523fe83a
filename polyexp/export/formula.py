"""A fitted polynomial as numbers and a recurrence, and its value in the arithmetic that exported code uses.

y = sum_k c_k B_k(z) with z = offset + scale x, and B_0 = 1, B_{k+1} = alpha_k z B_k - beta_k B_{k-1}. Clenshaw's
recurrence (Clenshaw 1955) adds it up from the highest k; for powers of x that is Horner's scheme.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from polyexp.base import InputError
from polyexp.model import ChebyshevSeries, HermiteSeries, Legendre, LegendreSeries, Model, PowerSeries

__all__ = ["BASES", "PRECISIONS", "Family", "Formula", "formula_of"]

BASES = ("own", "power")
PRECISIONS = ("float64", "float32")


@dataclass(frozen=True)
class Family:
    """A basis: its symbol, its name, and alpha_k and beta_{k+1} as functions of k, as C ({real} is its type), as Python."""

    symbol: str
    title: str
    alpha: Callable[[int], float] = lambda k: 1.0
    beta: Callable[[int], float] = lambda k: 0.0
    c: tuple[str, str] = ("1", "0")
    python: tuple[str, str] = ("1", "0")

    @property
    def powers(self) -> bool:
        """Whether it is that of the powers of x."""
        return self is POWERS


POWERS = Family("x", "powers of x")
LEGENDRE = Family(
    "P",
    "Legendre polynomials",
    lambda k: (2 * k + 1) / (k + 1),
    lambda k: (k + 1) / (k + 2),
    ("(2 * k + 1) / ({real})(k + 1)", "(k + 1) / ({real})(k + 2)"),
    ("(2 * k + 1) / (k + 1)", "(k + 1) / (k + 2)"),
)
CHEBYSHEV = Family(
    "T",
    "Chebyshev polynomials of the first kind",
    lambda k: 2.0 if k else 1.0,
    lambda k: 1.0,
    ("(k ? 2 : 1)", "1"),
    ("(2 if k else 1)", "1"),
)
HERMITE = Family(
    "H",
    "physicists' Hermite polynomials",
    lambda k: 2.0,
    lambda k: 2.0 * (k + 1),
    ("2", "2 * (k + 1)"),
    ("2", "2 * (k + 1)"),
)
SERIES: dict[type[Model], Family] = {
    LegendreSeries: LEGENDRE,
    ChebyshevSeries: CHEBYSHEV,
    HermiteSeries: HERMITE,
}


@dataclass(frozen=True)
class Formula:
    """sum_k c_k B_k(offset + scale x), computed in the dtype of its coefficients."""

    family: Family
    coefficients: np.ndarray  # shape: (degree + 1,)
    offset: float = 0.0
    scale: float = 1.0

    @property
    def degree(self) -> int:
        """The highest k."""
        return self.coefficients.size - 1

    def to(self, precision: str) -> "Formula":
        """The formula with its numbers rounded to `precision`. InputError where one of them is too large for it."""
        with np.errstate(over="ignore"):
            kind = np.dtype(precision).type
            rounded = replace(
                self,
                coefficients=self.coefficients.astype(kind),
                offset=kind(self.offset),
                scale=kind(self.scale),
            )
        if not np.isfinite([*rounded.coefficients, rounded.offset, rounded.scale]).all():
            raise InputError(f"The run's coefficients are too large for {precision}.")
        return rounded

    def __call__(self, x: np.ndarray) -> np.ndarray:  # shape: (N,) -> (N,)
        """The values at x, with every operation in the dtype of the coefficients, as the exported code does them."""
        x = x.astype(self.coefficients.dtype)
        with np.errstate(all="ignore"):
            return self._horner(x) if self.family.powers else self._clenshaw(self.offset + self.scale * x)

    def _horner(self, x: np.ndarray) -> np.ndarray:
        y = np.full_like(x, self.coefficients[-1])
        for c in self.coefficients[-2::-1]:
            y = y * x + c
        return y

    def _clenshaw(self, z: np.ndarray) -> np.ndarray:
        number = z.dtype.type
        b1 = b2 = np.zeros_like(z)
        for k in range(self.degree, -1, -1):
            alpha, beta = number(self.family.alpha(k)), number(self.family.beta(k))
            b1, b2 = self.coefficients[k] + alpha * z * b1 - beta * b2, b1
        return b1


def formula_of(model: Model, params: np.ndarray, basis: str) -> Formula:  # shape: (K,)
    """The formula of a fitted model, in its own basis or in powers of x. InputError where it has none.

    model is the one on the samples' domain.
    """
    if basis == "power" or isinstance(model, PowerSeries):
        return Formula(POWERS, _in_powers(model, params))
    if isinstance(model, Legendre):
        a, b, c, d = params.tolist()
        outer = np.zeros(model.degree + 1)
        outer[-1] = b
        outer[0] += a
        return Formula(LEGENDRE, outer, c, d)
    family = next((one for cls, one in SERIES.items() if isinstance(model, cls)), None)
    if family is None:
        raise InputError(f"`action.basis=own` is not known for {model.choice}: type `action.basis=power`.")
    offset, scale = np.polynomial.polyutils.mapparms(model.domain, [-1.0, 1.0])  # type: ignore[attr-defined]
    return Formula(family, params, float(offset), float(scale))


def _in_powers(model: Model, params: np.ndarray) -> np.ndarray:
    if model.polynomial_degree is None:
        raise InputError(f"{model.choice} is no polynomial in x, and only polynomials can be exported.")
    with np.errstate(all="ignore"):
        coefficients = np.asarray(model.power_series(params), float)
    if not np.isfinite(coefficients).all():
        raise InputError("The run's coefficients in powers of x are not finite: type `action.basis=own`.")
    return coefficients
