"""A run's description in MLflow, in Markdown."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from polyexp.exact import Forecast
from polyexp.fitting import Result, best_power_series
from polyexp.report.sentences import headline, judgement

__all__ = ["description", "learned"]

MAX_ROWS, MAX_FORMULA = 40, 3000  # of a description, which MLflow cuts at 8000 letters


def description(result: Result, known: Forecast) -> str:
    """The run's page in MLflow, in Markdown: the formula, a paragraph on how good it is, and what was learned beside what
    is best.
    """
    formula = headline(result)
    if len(formula) > MAX_FORMULA:
        formula = f"{formula[:MAX_FORMULA]} ..."
    return "\n\n".join([f"`{formula}`", judgement(result, known), *learned(result)])


def learned(result: Result) -> list[str]:
    """Markdown tables: the parameters beside their optimum, and the coefficients in x beside the best polynomial's and the
    target's Taylor series about 0. They are one table for a power series, whose parameters are those coefficients.
    """
    degree = result.model.polynomial_degree
    series = np.empty(0) if degree is None else result.power_series
    best = best_power_series(result)
    taylor = None if degree is None else _taylor_coefficients(result, degree)
    names = [f"x^{k}" for k in range(series.size)]
    optimum = None if result.quadratic is None else result.quadratic.optimum
    if np.array_equal(series, result.params):
        table = {"learned": result.params, "optimum": best if optimum is None else optimum}
        return [_table("parameter", list(result.model.param_names), table | {_about_zero(result): taylor}, MAX_ROWS)]
    half = MAX_ROWS // 2
    tables = [_table("parameter", list(result.model.param_names), {"learned": result.params, "optimum": optimum}, half)]
    if names:
        table = {"learned": series, "best": best, _about_zero(result): taylor}
        tables.append(_table("power of x", names, table, half))
    return tables


def _taylor_coefficients(result: Result, degree: int) -> np.ndarray | None:  # shape: (degree + 1,)
    target = result.samples.target
    return None if target is None else target.taylor_coefficients(degree)


def _about_zero(result: Result) -> str:
    return f"Taylor series of {result.samples.name}"


def _table(head: str, names: list[str], columns: Mapping[str, Any], most: int) -> str:
    """A Markdown table of numbers, of no more rows than `most`; without the columns that are None."""
    known = {name: values for name, values in columns.items() if values is not None}
    heads = [head, *known]
    rows = [
        [name, *(f"{value:.10g}" for value in row)]
        for name, row in zip(names, zip(*known.values(), strict=True), strict=True)
    ]
    if len(rows) > most:
        rows[most:] = [["...", *("" for _ in known)]]
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
