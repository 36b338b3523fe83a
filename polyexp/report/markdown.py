"""The description of a run in MLflow, as Markdown."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from polyexp.exact import Forecast
from polyexp.fitting import Result, best_power_series
from polyexp.report.sentences import headline, judgement

__all__ = ["description", "learned"]

# Of one description, so that it is shorter than the 8000 characters at which MLflow cuts it.
MAX_TABLE_ROWS, MAX_FORMULA_CHARACTERS = 40, 3000


def description(result: Result, forecast: Forecast) -> str:
    """The description of a run, as Markdown.

    It consists of the formula, a paragraph on how good that is, and tables of the final parameters beside the best ones.
    """
    formula = headline(result)
    if len(formula) > MAX_FORMULA_CHARACTERS:
        formula = f"{formula[:MAX_FORMULA_CHARACTERS]} ..."
    return "\n\n".join([f"`{formula}`", judgement(result, forecast), *learned(result)])


def learned(result: Result) -> list[str]:
    """Markdown tables of what was learned beside what is best.

    The first table has the parameters beside their optimum; the second has the coefficients of the power series beside those of
    the best polynomial and of the Taylor series of the target about 0. A power series has one table, because its parameters
    are its coefficients, and so has a model that is not a polynomial.
    """
    names, series = list(result.model.param_names), result.power_series
    optimum = None if result.quadratic is None else result.quadratic.optimum
    if series is None:
        return [_table("parameter", names, {"learned": result.params, "optimum": optimum}, MAX_TABLE_ROWS)]
    best, taylor = best_power_series(result), _taylor_coefficients(result, series.size - 1)
    if np.array_equal(series, result.params):
        table = {"learned": result.params, "optimum": best if optimum is None else optimum}
        return [_table("parameter", names, table | {_about_zero(result): taylor}, MAX_TABLE_ROWS)]
    half, powers = MAX_TABLE_ROWS // 2, [f"x^{k}" for k in range(series.size)]
    return [
        _table("parameter", names, {"learned": result.params, "optimum": optimum}, half),
        _table("power of x", powers, {"learned": series, "best": best, _about_zero(result): taylor}, half),
    ]


def _taylor_coefficients(result: Result, degree: int) -> np.ndarray | None:  # shape: (degree + 1,)
    target = result.samples.target
    return None if target is None else target.taylor_coefficients(degree)


def _about_zero(result: Result) -> str:
    return f"Taylor series of {result.samples.name}"


def _table(head: str, names: list[str], columns: Mapping[str, Any], most: int) -> str:
    """A Markdown table of numbers with at most `most` rows and a line for the rest, without the columns that are None."""
    given = {name: values for name, values in columns.items() if values is not None}
    heads = [head, *given]
    rows = [
        [name, *(f"{value:.10g}" for value in row)]
        for name, row in zip(names, zip(*given.values(), strict=True), strict=True)
    ]
    if len(rows) > most:
        rows[most:] = [["...", *("" for _ in given)]]
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
