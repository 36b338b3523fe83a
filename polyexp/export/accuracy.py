"""What an exported polynomial may be trusted for: its domain, its error, its rounding."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context
from typing import Any

import numpy as np

from polyexp.base import InputError
from polyexp.export.formula import Formula
from polyexp.model import Model
from polyexp.problem import TARGETS

__all__ = ["Stated", "points_of", "stated", "up"]

MEASURED_POINTS = 10_000
Function = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Stated:
    """Numbers that were measured on 10 000 equidistant points of the domain, and the recorded error over the samples.

    target_error: against the function that was fitted, None where it is not known (a data file).
    rounding: the largest difference from the float64 model; in ulps (units in the last place, of the precision that was
    asked for) of the largest value on the domain, and of each value itself.
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
        """The same in sentences."""
        low, high = self.domain
        lines = [
            f"Domain: {low!r} <= x <= {high!r}; outside of it the formula says nothing about its target.",
            f"Maximum error against the {self.samples} samples of {self.target}: {up(self.max_error)}.",
        ]
        if self.target_error is not None:
            lines.append(
                f"Maximum error against {self.target} on {MEASURED_POINTS} points of the domain: {up(self.target_error)}."
            )
        if self.outcome == "DIVERGED":
            lines.append("The run diverged: these are its last finite parameters, and no fit.")
        return [
            *lines,
            f"Rounding: on {MEASURED_POINTS} points of the domain it differs from the float64 model by at most"
            f" {up(self.rounding)},",
            f"which is {up(self.ulps_of_largest)} ulps of the largest value there;"
            f" at most {up(self.ulps_of_value)} ulps of the value itself.",
        ]


def stated(formula: Formula, model: Model, params: np.ndarray, result: Mapping[str, Any], domain: Any) -> Stated:
    """Measure a formula against the model that it was made from. InputError where its values overflow."""
    x = points_of(domain, formula)
    exact, found = model(params, x), formula(x).astype(float)
    if not np.isfinite(found).all():
        raise InputError(
            f"The formula overflows {formula.coefficients.dtype} on its domain: type another action.basis."
        )
    apart, kind = np.abs(found - exact), formula.coefficients.dtype.type
    target, function = _target(result["config"])
    return Stated(
        domain=domain,
        samples=result["samples"]["total"],
        max_error=_known(result["max_error"]),
        target=target,
        target_error=float(np.abs(found - function(x)).max()) if function else None,
        rounding=float(apart.max()),
        ulps_of_largest=float(apart.max() / _ulp(np.abs(exact).max(), kind)),
        ulps_of_value=float((apart / _ulp(np.abs(exact), kind)).max()),
        outcome=str(result.get("outcome", "")),
    )


def points_of(domain: tuple[float, float], formula: Formula) -> np.ndarray:  # shape: (MEASURED_POINTS,)
    """The points on which a formula is measured, as float64 that its precision holds exactly."""
    return np.linspace(*domain, MEASURED_POINTS).astype(formula.coefficients.dtype).astype(float)


def up(value: float) -> str:
    """Three digits, rounded up, so that what is stated is a bound."""
    return f"{float(Context(prec=3, rounding=ROUND_CEILING).create_decimal_from_float(value)):.3g}"


def _ulp(values: Any, kind: Any) -> np.ndarray:
    return np.asarray(np.spacing(np.asarray(values).astype(kind)).astype(float))


def _target(config: Mapping[str, Any]) -> tuple[str, Function | None]:
    """What was fitted: its name, and the function where it is one of ours."""
    name = " ".join(str(config.get("problem.path", "")).split()) or str(config["problem"])
    return name, TARGETS.get(str(config.get("problem.target")))


def _known(value: float | None) -> float:
    if value is None:
        raise InputError("A run whose error is not finite has nothing to export.")
    return value
