"""The description of a run in MLflow, as Markdown."""

from collections.abc import Mapping

import numpy as np

from polyexp.base import cut, printable
from polyexp.exact import Forecast
from polyexp.fitting import Result, best_power_series
from polyexp.report.sentences import DIGITS, digits_of, headline, judgement, number

__all__ = ["description", "learned"]

# Of one description, so that it is shorter than the 8000 characters at which MLflow cuts it.
MAX_TABLE_ROWS, MAX_FORMULA_CHARACTERS = 40, 3000


def description(result: Result, forecast: Forecast, *, suggests: bool = True) -> str:
    """The description of a run, as Markdown.

    It consists of the formula, a paragraph on how good that is, and tables of the final parameters beside the best ones.

    Args:
        result: The result of a single run.
        forecast: The forecast of the run.
        suggests: Whether the paragraph says what to try.
    """
    formula = printable(headline(result)).replace("`", "'")
    if len(formula) > MAX_FORMULA_CHARACTERS:
        formula = f"{formula[:MAX_FORMULA_CHARACTERS]} ..."
    return "\n\n".join([f"`{formula}`", judgement(result, forecast, suggests=suggests), *learned(result)])


def learned(result: Result) -> list[str]:
    """Markdown tables of what was learned beside what is best.

    The first table has the parameters beside their optimum; the second has the coefficients of the power series beside those of
    the best polynomial and of the Taylor series of the target about 0. A power series has one table, because its parameters
    are its coefficients, and so has a model that is not a polynomial.
    """
    names, series, digits = list(result.model.param_names), result.power_series, digits_of(result)
    optimum = None if result.quadratic is None else result.quadratic.optimum
    table = {"learned": _cells(result.params, digits), "optimum": _cells(optimum)}
    if series is None:
        return [_table("parameter", names, table, MAX_TABLE_ROWS)]
    best, taylor = (
        best_power_series(result),
        {_about_zero(result): _cells(_taylor_coefficients(result, series.size - 1))},
    )
    if np.array_equal(series, result.params):
        table["optimum"] = _cells(best if optimum is None else optimum)
        return [_table("parameter", names, table | taylor, MAX_TABLE_ROWS)]
    half, powers = MAX_TABLE_ROWS // 2, [f"x^{k}" for k in range(series.size)]
    return [
        _table("parameter", names, table, half),
        _table("power of x", powers, {"learned": _cells(series, digits), "best": _cells(best)} | taylor, half),
    ]


def _taylor_coefficients(result: Result, degree: int) -> np.ndarray | None:  # shape: (degree + 1,)
    target = result.samples.target
    return None if target is None else target.taylor_coefficients(degree)


def _about_zero(result: Result) -> str:
    return f"Taylor series of {result.samples.name}"


def _cells(values: np.ndarray | None, digits: int = DIGITS) -> list[str] | None:
    return None if values is None else [number(value, digits) for value in values.tolist()]


def _cell(name: str) -> str:
    return cut(name).replace("|", r"\|")


def _table(head: str, names: list[str], columns: Mapping[str, list[str] | None], most: int) -> str:
    """A Markdown table of numbers with at most `most` rows and a line for the rest, without the columns that are None."""
    given = {name: values for name, values in columns.items() if values is not None}
    heads = [head, *map(_cell, given)]
    rows = [[_cell(name), *row] for name, *row in zip(names, *given.values(), strict=True)]
    if len(rows) > most:
        rows[most:] = [["...", *("" for _ in given)]]
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
