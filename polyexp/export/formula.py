"""A fitted polynomial as numbers and a recurrence, and its value in the arithmetic that exported code uses.

The formula is y = sum_k c_k B_k(z) with z = offset + scale x, B_0 = 1 and B_{k+1} = alpha_k z B_k - beta_k B_{k-1}. Clenshaw's
recurrence (Clenshaw, 1955) adds it up from the highest k; for powers of x this is Horner's scheme.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from polyexp.base import InputError, Value
from polyexp.model import ChebyshevSeries, HermiteSeries, Legendre, LegendreSeries, Model, PowerSeries

__all__ = ["BASES", "PRECISIONS", "Basis", "Formula", "formula_of"]

BASES = ("own", "power")  # the values of action.basis: the basis of the model, or the powers of x
PRECISIONS = ("float64", "float32")  # the values of action.precision


@dataclass(frozen=True)
class Basis:
    """A polynomial basis B_k with its three-term recurrence, as numbers and as source code.

    Args:
        symbol: The letter that stands for the basis in formulas.
        title: The name of the basis.
        alpha: The function k -> alpha_k.
        beta: The function k -> beta_{k+1}.
        c: alpha_k and beta_{k+1} as C expressions in k, in which {real} stands for the floating-point type.
        python: alpha_k and beta_{k+1} as Python expressions in k.
    """

    symbol: str
    title: str
    alpha: Callable[[int], float] = lambda k: 1.0
    beta: Callable[[int], float] = lambda k: 0.0
    c: tuple[str, str] = ("1", "0")
    python: tuple[str, str] = ("1", "0")

    @property
    def powers(self) -> bool:
        """Whether these are the powers of x."""
        return self is POWERS


POWERS = Basis("x", "powers of x")
LEGENDRE = Basis(
    "P",
    "Legendre polynomials",
    lambda k: (2 * k + 1) / (k + 1),
    lambda k: (k + 1) / (k + 2),
    ("(2 * k + 1) / ({real})(k + 1)", "(k + 1) / ({real})(k + 2)"),
    ("(2 * k + 1) / (k + 1)", "(k + 1) / (k + 2)"),
)
CHEBYSHEV = Basis(
    "T",
    "Chebyshev polynomials of the first kind",
    lambda k: 2.0 if k else 1.0,
    lambda k: 1.0,
    ("(k ? 2 : 1)", "1"),
    ("(2 if k else 1)", "1"),
)
HERMITE = Basis(
    "H",
    "physicists' Hermite polynomials",
    lambda k: 2.0,
    lambda k: 2.0 * (k + 1),
    ("2", "2 * (k + 1)"),
    ("2", "2 * (k + 1)"),
)
BASIS_OF_MODEL: dict[type[Model], Basis] = {
    LegendreSeries: LEGENDRE,
    ChebyshevSeries: CHEBYSHEV,
    HermiteSeries: HERMITE,
}


@dataclass(frozen=True)
class Formula(Value):
    """The formula y = sum_k c_k B_k(offset + scale x), computed in the dtype of its coefficients.

    Args:
        basis: The basis B_k.
        coefficients: The coefficients c_k, of shape (degree + 1,).
        offset: The offset of z.
        scale: The scale of z.
    """

    basis: Basis
    coefficients: np.ndarray  # shape: (degree + 1,)
    offset: float = 0.0
    scale: float = 1.0

    @property
    def degree(self) -> int:
        """The degree, which is the highest k."""
        return self.coefficients.size - 1

    def to(self, precision: str) -> "Formula":
        """The formula with its numbers rounded to `precision`, float64 or float32.

        Raises:
            InputError: Where a number is too large for the precision.
        """
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
        """The values at x, with every operation in the dtype of the coefficients, as in the exported code."""
        x = x.astype(self.coefficients.dtype)
        with np.errstate(all="ignore"):
            return self._horner(x) if self.basis.powers else self._clenshaw(self.offset + self.scale * x)

    def size(self, x: np.ndarray) -> float:
        """The sum over k of the largest |c_k B_k(z)| at the points x, which limits what rounding can be."""
        z = self.offset + self.scale * x
        below, term, total = np.zeros_like(z), np.ones_like(z), 0.0
        for k, c in enumerate(np.abs(self.coefficients)):
            total += float(c * np.abs(term).max())
            below, term = term, self.basis.alpha(k) * z * term - (self.basis.beta(k - 1) if k else 0.0) * below
        return total

    def _horner(self, x: np.ndarray) -> np.ndarray:
        y = np.full_like(x, self.coefficients[-1])
        for c in self.coefficients[-2::-1]:
            y = y * x + c
        return y

    def _clenshaw(self, z: np.ndarray) -> np.ndarray:
        number = z.dtype.type
        b1 = b2 = np.zeros_like(z)
        for k in range(self.degree, -1, -1):
            alpha, beta = number(self.basis.alpha(k)), number(self.basis.beta(k))
            b1, b2 = self.coefficients[k] + alpha * z * b1 - beta * b2, b1
        return b1


def formula_of(model: Model, params: np.ndarray, basis: str) -> Formula:  # shape: (K,)
    """The formula of a fitted model.

    Args:
        model: The model on the domain of its samples.
        params: The parameters of the model.
        basis: "own" for the basis of the model, "power" for powers of x.

    Raises:
        InputError: Where the model is not a polynomial, has no basis of its own that can be exported, or its coefficients
            overflow in powers of x.
    """
    if model.polynomial_degree is None:
        raise InputError(
            f"The model {model.choice} is not a polynomial in x, and only polynomials can be exported: the formula and the "
            "parameters of such a run are in its result.json."
        )
    if basis == "power" or isinstance(model, PowerSeries):
        return Formula(POWERS, _in_powers(model, params))
    if isinstance(model, Legendre):
        a, b, c, d = params.tolist()
        # y = a + b P_n(c + d x), the only model whose map z is fitted.
        outer = np.zeros(model.degree + 1)
        outer[-1] = b
        outer[0] += a
        return Formula(LEGENDRE, outer, c, d)
    own = next((one for cls, one in BASIS_OF_MODEL.items() if isinstance(model, cls)), None)
    if own is None:
        raise InputError(f"`action.basis=own` is not available for {model.choice}: type `action.basis=power`.")
    offset, scale = np.polynomial.polyutils.mapparms(model.domain, [-1.0, 1.0])  # type: ignore[attr-defined]
    return Formula(own, params, float(offset), float(scale))


def _in_powers(model: Model, params: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        coefficients = np.asarray(model.power_series(params), float)
    if not np.isfinite(coefficients).all():
        raise InputError("The run's coefficients in powers of x are not finite: type `action.basis=own`.")
    return coefficients
