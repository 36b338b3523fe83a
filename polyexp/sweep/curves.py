"""The picture of a sweep over one numeric setting: the final loss as curves."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from polyexp.base import counted
from polyexp.experiment import short_word
from polyexp.report.axes import (
    COLOURS,
    MAX_TITLE_CHARACTERS,
    Figure,
    Palette,
    axis_name,
    figure,
    legend,
    legend_below,
    log_steps,
)
from polyexp.report.figures.curves import MAX_MARKS
from polyexp.sweep.layout import Layout, is_seed, spaced_geometrically
from polyexp.sweep.losses import (
    BEST_MARK,
    MARKS,
    best_words,
    losses_axis,
    losses_of,
    numbers_of,
    spans_decades,
    without_loss,
)
from polyexp.sweep.table import JobRow, SweepTable

__all__ = ["curves_figure"]

MAX_NAMED_SERIES = len(COLOURS) - 1  # the last colour is that of all others together
LEGEND_COLUMNS, LINE_INCHES = 3, 0.18  # of a legend below the axes
MAX_NAME_CHARACTERS = 24  # of a curve, three of which fit beside each other
EDGE = 0.98  # the height at which jobs without a loss are marked, as a part of that of the axes


def curves_figure(table: SweepTable, layout: Layout, lowest: float | None) -> Figure:
    """The final losses over one numeric setting, one curve for each combination of those that are no numbers.

    Args:
        table: The table of the sweep.
        layout: Its layout, with x and without y.
        lowest: The best loss; None where it is not given.
    """
    x_key = str(layout.x)
    keys = [key for key in layout.others if not is_seed(key)]
    series = _series(table, keys)
    named = list(series.items())[:MAX_NAMED_SERIES]
    losses = losses_of(table.best_first)
    # Above the axes there is room for a few names, unless the power of ten of a linear axis is there.
    alone = len(series) <= 1 and (not losses.size or spans_decades(losses))
    lines = 0 if alone else -(-(len(named) + 5) // LEGEND_COLUMNS)
    below = LINE_INCHES * lines + 0.1 if lines else 0.0
    seeds = [key for key in layout.others if is_seed(key)]
    over = f", medians over {', '.join(seeds)}" if seeds else ""
    title = f"Final loss of {counted(len(table.rows), 'job')}{over}"
    made, (ax,) = figure(title, best_words(table), height=4.0 + below, below=below)
    for colour, (values, rows) in zip(COLOURS, named, strict=False):
        name = " ".join(map(short_word, keys, values))
        label = axis_name(name, MAX_NAME_CHARACTERS) if name else "median" if seeds else "final loss"
        _draw_series(ax, rows, x_key, color=colour, label=label)
    _draw_others(ax, list(series.values())[MAX_NAMED_SERIES:], x_key)
    _draw_marks(ax, table, x_key)
    losses_axis(ax, losses, lowest)
    x = numbers_of(table.rows, x_key)
    if spaced_geometrically(x):
        log_steps(ax, from_zero=False)
    elif (x == np.round(x)).all():
        ax.xaxis.get_major_locator().set_params(integer=True)
    in_step = f" (in step with {', '.join(layout.in_step)})" if layout.in_step else ""
    ax.set_xlabel(axis_name(x_key + in_step, MAX_TITLE_CHARACTERS))
    _legend(made, ax, below)
    return made


def _series(table: SweepTable, keys: Sequence[str]) -> dict[tuple[str, ...], list[JobRow]]:
    """The rows with a loss by the values that their curve has, the curve with the best one first."""
    series = dict[tuple[str, ...], list[JobRow]]()
    for row in table.best_first:
        series.setdefault(tuple(row.values.get(key, "") for key in keys), []).append(row)
    return series


def _draw_series(ax: Any, rows: Sequence[JobRow], key: str, **style: Any) -> None:
    """Draw the losses of a curve: as single points where several jobs have one x, and the medians of these as a line."""
    x, loss = numbers_of(rows, key), losses_of(rows)
    if is_seed(key):
        ax.plot(x, loss, linestyle="none", marker="o", markersize=4, **style)
        return
    at, medians = _medians(x, loss)
    if at.size < x.size:
        ax.plot(x, loss, linestyle="none", marker=".", markersize=5, alpha=0.45, color=style["color"])
    marker = "o" if at.size <= MAX_MARKS else None
    ax.plot(at, medians, linewidth=1.5, marker=marker, markersize=3.5, **style)


def _medians(x: np.ndarray, loss: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # shape: (D,) each
    """The distinct x in ascending order, and the median of the losses at each of them."""
    order = np.argsort(x, kind="stable")
    at, first = np.unique(x[order], return_index=True)
    parts = np.split(loss[order], first[1:])
    return at, np.array([np.median(part) for part in parts])


def _draw_others(ax: Any, series: Sequence[Sequence[JobRow]], key: str) -> None:
    """Draw the curves that have no colour of their own as one grey line with gaps."""
    curves = [_medians(numbers_of(rows, key), losses_of(rows)) for rows in series]
    if curves:
        x, loss = (np.concatenate([np.append(curve[axis], np.nan) for curve in curves]) for axis in (0, 1))
        label = f"{len(curves)} others"
        ax.plot(x, loss, color=Palette.GREY, linewidth=0.8, marker=".", markersize=3, zorder=1, label=label)


def _draw_marks(ax: Any, table: SweepTable, key: str) -> None:
    for name, rows in without_loss(table).items():
        if rows:
            at = np.unique(numbers_of(rows, key))
            ax.plot(at, np.full(at.size, EDGE), transform=ax.get_xaxis_transform(), markersize=6, **MARKS[name])
    if table.best_first:
        best = table.best_first[:1]
        ax.plot(numbers_of(best, key), losses_of(best), **BEST_MARK)


def _legend(made: Figure, ax: Any, below: float) -> None:
    """Draw the legend, below the axes where there is room for it."""
    if not below:
        legend(ax, columns=5)
        return
    legend_below(made, ax, LEGEND_COLUMNS)
