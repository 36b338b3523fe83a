"""The accuracy of an exported polynomial: its domain, its error and its rounding."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context
from typing import Any

import numpy as np

from polyexp.base import InputError, counted, cut
from polyexp.export.formula import Formula
from polyexp.model import Model

__all__ = ["Accuracy", "Fit", "largest_ratio", "measured_accuracy", "points_of", "require_agreement", "rounded_up"]

MEASURED_POINTS = 10_000  # equidistant points of the domain, on which errors are measured
MAX_ROUNDING = 1e-6  # relative to the sizes of the terms; a larger difference is a mistake, or leaves no digits of use
Function = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Fit:
    """What is recorded of a fit.

    Args:
        samples: The number of samples.
        max_error: The largest error over the samples; None where it is not finite.
        target: The name of what was fitted, which becomes one line of at most 80 characters.
        function: What was fitted, shape (N,) -> (N,); None where it is not known, as for a data file.
        outcome: The name of the outcome.
    """

    samples: int
    max_error: float | None
    target: str
    function: Function | None = None
    outcome: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "target", cut(" ".join(self.target.split())))


@dataclass(frozen=True)
class Accuracy:
    """The accuracy of a formula on 10 000 equidistant points of its domain, and the recorded error over the samples.

    All numbers but those in ulps have the unit of y. An ulp is a unit in the last place, in the precision of the formula.

    Args:
        domain: The interval [low, high] of x on which the model was fitted.
        samples: The number of samples.
        max_error: The largest error over the samples, as the run recorded it.
        target: The name of what was fitted.
        target_error: The largest difference from the target; None where it is not known, as for a data file.
        rounding: The largest difference from the model in float64.
        ulps_of_largest: The same difference in ulps of the largest value on the domain; None where that is not finite, as where
            the value is almost 0.
        ulps_of_value: The largest difference in ulps of the value at the same point; None in the same case.
        outcome: The name of the outcome of the run.
    """

    domain: tuple[float, float]
    samples: int
    max_error: float
    target: str
    target_error: float | None
    rounding: float
    ulps_of_largest: float | None
    ulps_of_value: float | None
    outcome: str

    def lines(self) -> list[str]:
        """The accuracy in sentences."""
        low, high = self.domain
        lines = [
            f"Domain: {low!r} <= x <= {high!r}; outside it the formula does not approximate the target.",
            f"Maximum error against the {counted(self.samples, 'sample')} of {self.target}: {rounded_up(self.max_error)}.",
        ]
        if self.target_error is not None:
            lines.append(
                f"Maximum error against {self.target} on {MEASURED_POINTS} points of the domain: "
                f"{rounded_up(self.target_error)}."
            )
        if self.outcome == "DIVERGED":
            lines.append("The run diverged: these are its last finite parameters, not a fit.")
        of_largest, of_value = self.ulps_of_largest, self.ulps_of_value
        rounding = (
            f"Rounding: on {MEASURED_POINTS} points of the domain it differs from the float64 model by at most"
            f" {rounded_up(self.rounding)}"
        )
        if of_largest is None:
            return [*lines, f"{rounding}."]
        more = "." if of_value is None else f"; at most {rounded_up(of_value)} ulps of the value itself."
        return [*lines, f"{rounding},", f"which is {rounded_up(of_largest)} ulps of the largest value there{more}"]


def require_agreement(formula: Formula, model: Model, params: np.ndarray, domain: tuple[float, float]) -> None:
    """Require that a formula has the values of its model, which may compute with another basis than the one that it inherits.

    Args:
        formula: The formula in float64.
        model: The model on the domain.
        params: The parameters of the model, of shape (K,).
        domain: The interval [low, high] of x on which the model was fitted.

    Raises:
        InputError: A value differs by more than 10^-6 of the sum of the largest absolute values of the terms.
    """
    x = points_of(domain, formula)
    with np.errstate(all="ignore"):
        difference = float(np.abs(formula(x) - model(params, x)).max())
        apart = difference > MAX_ROUNDING * formula.size(x)
    if apart:
        raise InputError(
            f"The formula in {formula.basis.title} differs from the model {model.choice} by {difference:.3g}, which is more "
            "than rounding: type another action.basis, or check the model with `action=crosscheck`."
        )


def measured_accuracy(
    formula: Formula, model: Model, params: np.ndarray, fit: Fit, domain: tuple[float, float]
) -> Accuracy:
    """Measure a formula against the model that it was made from.

    Args:
        formula: The formula.
        model: The model on the domain.
        params: The parameters of the model, of shape (K,).
        fit: What is recorded of the fit.
        domain: The interval [low, high] of x on which the model was fitted.

    Raises:
        InputError: Where a value of the formula overflows, or the recorded error is not finite.
    """
    if fit.max_error is None:
        raise InputError("A run whose error is not finite cannot be exported.")
    x = points_of(domain, formula)
    with np.errstate(all="ignore"):
        exact, found = model(params, x), formula(x).astype(float)
    if not (np.isfinite(found) & np.isfinite(exact)).all():
        raise InputError(
            f"The formula overflows {formula.coefficients.dtype} on its domain: type another action.basis."
        )
    difference, kind = np.abs(found - exact), formula.coefficients.dtype.type
    return Accuracy(
        domain=domain,
        samples=fit.samples,
        max_error=fit.max_error,
        target=fit.target,
        target_error=_largest(found, fit.function(x)) if fit.function else None,
        rounding=float(difference.max()),
        ulps_of_largest=largest_ratio(difference, _ulp(np.abs(exact).max(), kind)),
        ulps_of_value=largest_ratio(difference, _ulp(np.abs(exact), kind)),
        outcome=fit.outcome,
    )


def points_of(domain: tuple[float, float], formula: Formula) -> np.ndarray:  # shape: (MEASURED_POINTS,)
    """The points on which a formula is measured, as float64 numbers that its precision represents exactly."""
    with np.errstate(all="ignore"):
        return np.linspace(*domain, MEASURED_POINTS).astype(formula.coefficients.dtype).astype(float)


def rounded_up(value: float) -> str:
    """The value with three digits, rounded up, so that it is a bound."""
    return f"{float(Context(prec=3, rounding=ROUND_CEILING).create_decimal_from_float(value)):.3g}"


def _ulp(values: Any, kind: Any) -> np.ndarray:
    """The unit in the last place of each value in the precision `kind`, as float64."""
    return np.asarray(np.spacing(np.asarray(values).astype(kind)).astype(float))


def largest_ratio(values: np.ndarray, units: np.ndarray) -> float | None:
    """The largest of the values in their units; None where that is not finite.

    Args:
        values: The values, at least 0. Shape (N,).
        units: The unit of each, or of all. Shape (N,) or ().
    """
    with np.errstate(over="ignore"):
        ratio = float((values / units).max())
    return ratio if np.isfinite(ratio) else None


def _largest(values: np.ndarray, target: np.ndarray) -> float | None:
    """The largest difference; None where the target is not finite there."""
    difference = float(np.abs(values - target).max())
    return difference if np.isfinite(difference) else None
