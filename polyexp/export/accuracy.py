"""The accuracy of an exported polynomial: its domain, its error and its rounding."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context
from typing import Any

import numpy as np

from polyexp.base import InputError, counted
from polyexp.export.formula import Formula
from polyexp.model import Model
from polyexp.problem import TARGETS

__all__ = ["Accuracy", "measured_accuracy", "points_of", "rounded_up"]

MEASURED_POINTS = 10_000  # equidistant points of the domain, on which errors are measured
Function = Callable[[np.ndarray], np.ndarray]


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
        ulps_of_largest: The same difference in ulps of the largest value on the domain.
        ulps_of_value: The largest difference in ulps of the value at the same point.
        outcome: The name of the outcome of the run.
    """

    domain: tuple[float, float]
    samples: int
    max_error: float
    target: str
    target_error: float | None
    rounding: float
    ulps_of_largest: float
    ulps_of_value: float
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
        return [
            *lines,
            f"Rounding: on {MEASURED_POINTS} points of the domain it differs from the float64 model by at most"
            f" {rounded_up(self.rounding)},",
            f"which is {rounded_up(self.ulps_of_largest)} ulps of the largest value there;"
            f" at most {rounded_up(self.ulps_of_value)} ulps of the value itself.",
        ]


def measured_accuracy(
    formula: Formula, model: Model, params: np.ndarray, result: Mapping[str, Any], domain: Any
) -> Accuracy:
    """Measure a formula against the model that it was made from.

    Args:
        formula: The formula.
        model: The model on the domain.
        params: The parameters of the model, of shape (K,).
        result: The content of the result.json of the run.
        domain: The interval [low, high] of x on which the model was fitted.

    Raises:
        InputError: Where a value of the formula overflows, or the recorded error is not finite.
    """
    x = points_of(domain, formula)
    exact, found = model(params, x), formula(x).astype(float)
    if not np.isfinite(found).all():
        raise InputError(
            f"The formula overflows {formula.coefficients.dtype} on its domain: type another action.basis."
        )
    difference, kind = np.abs(found - exact), formula.coefficients.dtype.type
    target, function = _target(result["config"])
    return Accuracy(
        domain=domain,
        samples=result["samples"]["total"],
        max_error=_finite_error(result["max_error"]),
        target=target,
        target_error=float(np.abs(found - function(x)).max()) if function else None,
        rounding=float(difference.max()),
        ulps_of_largest=float(difference.max() / _ulp(np.abs(exact).max(), kind)),
        ulps_of_value=float((difference / _ulp(np.abs(exact), kind)).max()),
        outcome=str(result.get("outcome", "")),
    )


def points_of(domain: tuple[float, float], formula: Formula) -> np.ndarray:  # shape: (MEASURED_POINTS,)
    """The points on which a formula is measured, as float64 numbers that its precision represents exactly."""
    return np.linspace(*domain, MEASURED_POINTS).astype(formula.coefficients.dtype).astype(float)


def rounded_up(value: float) -> str:
    """The value with three digits, rounded up, so that it is a bound."""
    return f"{float(Context(prec=3, rounding=ROUND_CEILING).create_decimal_from_float(value)):.3g}"


def _ulp(values: Any, kind: Any) -> np.ndarray:
    """The unit in the last place of each value in the precision `kind`, as float64."""
    return np.asarray(np.spacing(np.asarray(values).astype(kind)).astype(float))


def _target(config: Mapping[str, Any]) -> tuple[str, Function | None]:
    """The name of what was fitted, and the function itself where it is a named target of polyexp."""
    name = " ".join(str(config.get("problem.path", "")).split()) or str(config["problem"])
    return name, TARGETS.get(str(config.get("problem.target")))


def _finite_error(value: float | None) -> float:
    if value is None:
        raise InputError("A run whose error is not finite cannot be exported.")
    return value
