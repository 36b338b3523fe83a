"""An export as data that JSON holds, and the export that such data describe, which anybody may have written."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from polyexp.export.accuracy import Accuracy
from polyexp.export.formats import Exported
from polyexp.export.formula import BASIS_OF_MODEL, POWERS, Formula

__all__ = ["MAX_COEFFICIENTS", "data_of", "export_of"]

MAX_COEFFICIENTS = 2000  # of a formula that is read; a model has at most 1001
MAX_CHARACTERS = 500  # of a text
BASIS_BY_SYMBOL = {one.symbol: one for one in (POWERS, *BASIS_OF_MODEL.values())}
FUNCTION = "polynomial"


def data_of(export: Exported) -> dict[str, Any]:
    """The formula in float64, its source and its accuracy, as numbers and texts from which `export_of` makes it again.

    Args:
        export: The export.

    Example:
        >>> from polyexp.export import Accuracy, Formula
        >>> accuracy = Accuracy((0.0, 1.0), 2, 0.0, "a line", None, 0.0, 0.0, 0.0, "CONVERGED")
        >>> data = data_of(Exported("line", Formula(POWERS, np.array([0.0, 2.0])), "a line", "5eed", accuracy))
        >>> data["basis"], data["coefficients"]
        ('x', [0.0, 2.0])
    """
    formula = export.formula
    return {
        "basis": formula.basis.symbol,
        "coefficients": formula.coefficients.tolist(),
        "offset": float(formula.offset),
        "scale": float(formula.scale),
        "source": export.source,
        "accuracy": {**asdict(export.accuracy), "domain": list(export.accuracy.domain)},
    }


def export_of(data: Any, run_id: str = "") -> Exported:
    """The export that data of `data_of` describe: of its function a number, or a text in a comment, is all that they say.

    Args:
        data: The data, which may be of any kind.
        run_id: The id of the run.

    Raises:
        ValueError, TypeError, KeyError, OverflowError: The data are others.
    """
    coefficients = [_number(one) for one in _listed(data["coefficients"])]
    formula = Formula(
        BASIS_BY_SYMBOL[_text(data["basis"])],
        np.array(coefficients),
        _number(data["offset"]),
        _number(data["scale"]),
    )
    return Exported(FUNCTION, formula, _text(data["source"]), run_id, _accuracy(data["accuracy"]))


def _accuracy(data: Mapping[str, Any]) -> Accuracy:
    low, high = (_number(one) for one in data["domain"])
    return Accuracy(
        domain=(low, high),
        samples=int(_number(data["samples"])),
        max_error=_number(data["max_error"]),
        target=_text(data["target"]),
        target_error=_optional(data["target_error"]),
        rounding=_number(data["rounding"]),
        ulps_of_largest=_optional(data["ulps_of_largest"]),
        ulps_of_value=_optional(data["ulps_of_value"]),
        outcome=_text(data["outcome"]),
    )


def _listed(values: Any) -> list[Any]:
    if not isinstance(values, list) or not 1 <= len(values) <= MAX_COEFFICIENTS:
        raise ValueError("no list of coefficients")
    return values


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError("no finite number")
    return float(value)


def _optional(value: Any) -> float | None:
    return None if value is None else _number(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_CHARACTERS:
        raise ValueError("no short text")
    return value
