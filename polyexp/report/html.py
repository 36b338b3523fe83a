"""A result as a small table in HTML, which notebooks show: no script, no link, and every text escaped."""

from collections.abc import Iterable
from html import escape
from typing import Any

import numpy as np

from polyexp.base import counted, printable
from polyexp.fitting import Result, best_power_series, ending_of, forecast_of, summary_of
from polyexp.report.figures.curves import subject
from polyexp.report.sentences import DIGITS, headline, number

__all__ = ["as_html"]

MAX_ROWS = 20  # of a table in a notebook
CELL = ' style="text-align: right; padding: 0.1em 0.6em"'


def as_html(result: Result) -> str:
    """The result as HTML: formula, coefficients beside the best ones, loss, best loss and excess; of a batch a row a run.

    Args:
        result: The result of one fit or of a batch.
    """
    words = (
        summary_of(result.outcome, result.steps, result.loss, result.excess)
        if result.runs
        else ending_of(result.outcome, result.steps, result.loss, result.excess)
    )
    parts = [f"<strong>{_text(subject(result))}</strong>", _text(words)]
    parts += _batch(result) if result.runs else _single(result)
    return "<div>" + "\n".join(f"<div>{part}</div>" for part in parts) + "</div>"


def _single(result: Result) -> list[str]:
    forecast = forecast_of(result)
    what = "best loss" if forecast and forecast.exact else "lower bound of the loss"
    lowest = None if forecast is None else forecast.lowest
    losses = [("loss", result.loss), (what, lowest), ("excess", result.excess), ("largest error", result.max_error)]
    shown = [[name, number(value, 6)] for name, value in losses if value is not None]
    return [f"<code>{_text(headline(result))}</code>", _coefficients(result), _table(["", "value"], shown, len(shown))]


def _coefficients(result: Result) -> str:
    """The table of the coefficients, beside those of the best fit where they are known to the program."""
    names, fitted, best = list(result.model.param_names), result.params, None
    if result.quadratic is not None:
        best = result.quadratic.optimum
    elif result.samples.size and (series := best_power_series(result)) is not None:
        best, fitted = series, np.asarray(result.power_series)
        names = [f"x^{k}" for k in range(series.size)]
    heads = ["coefficient", "fitted"] + ([] if best is None else ["best"])
    columns = [fitted] if best is None else [fitted, best]
    rows = [
        [name, *(number(float(value), DIGITS) for value in values)]
        for name, *values in zip(names, *columns, strict=True)
    ]
    return _table(heads, rows[:MAX_ROWS], len(rows))


def _batch(result: Result) -> list[str]:
    runs = list(np.ndindex(result.runs))
    excess: Any = np.full(result.runs, np.nan) if result.excess is None else result.excess
    rows = [
        [
            ", ".join(map(str, run)),
            result.outcome[run].name,
            str(result.steps[run]),
            number(result.loss[run], 6),
            number(excess[run], 6),
        ]
        for run in runs[:MAX_ROWS]
    ]
    return [_table(["run", "outcome", "steps", "loss", "excess"], rows, len(runs))]


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]], size: int) -> str:
    """A table, and how many rows it would have where some are left out."""
    lines = [_row("th", heads), *(_row("td", row) for row in rows)]
    left_out = size - len(lines) + 1
    more = f"<div>and {counted(left_out, 'row')} more</div>" if left_out > 0 else ""
    return f"<table>{''.join(lines)}</table>{more}"


def _row(tag: str, cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<{tag}{CELL}>{_text(cell)}</{tag}>" for cell in cells) + "</tr>"


def _text(text: str) -> str:
    return escape(printable(text))
