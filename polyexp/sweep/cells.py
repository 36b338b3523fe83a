"""The picture of a sweep over two numeric settings: the least loss as colours."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from polyexp.base import counted
from polyexp.report.axes import (
    HIGHEST_ON_LOG_AXIS,
    LOWEST_ON_LOG_AXIS,
    MAX_TITLE_CHARACTERS,
    Figure,
    axis_name,
    colour_scale,
    figure,
    legend,
    log_steps,
    power_ticks,
)
from polyexp.sweep.layout import Layout, spaced_geometrically
from polyexp.sweep.losses import (
    BEST_MARK,
    MARKS,
    NO_LOSS,
    best_words,
    joined,
    losses_of,
    numbers_of,
    spans_decades,
    without_loss,
)
from polyexp.sweep.table import JobRow, SweepTable

__all__ = ["cells_figure"]

MIN_FILLED_SHARE = 0.5  # of the cells of a grid; jobs that fill fewer are drawn as points
MAX_X_LABELS, MAX_Y_LABELS = 7, 12
MARK_POINTS = 150  # of the width of all marks of a row together, so that those of small cells are small
MIN_MARK_POINTS, MAX_MARK_POINTS = 2.0, 6.0


def cells_figure(table: SweepTable, layout: Layout, lowest: float | None) -> Figure:
    """The final loss over two numeric settings, as colours of the cells of a grid or of points.

    Args:
        table: The table of the sweep.
        layout: Its layout, with x and y.
        lowest: The best loss; None where it is not given.
    """
    made, (ax,) = figure(_title(table, layout), best_words(table, lowest))
    keys = (str(layout.x), str(layout.y))
    places = [numbers_of(table.rows, key) for key in keys]
    in_step = f" (in step with {', '.join(layout.in_step)})" if layout.in_step else ""
    ax.set_xlabel(axis_name(keys[0] + in_step, MAX_TITLE_CHARACTERS))
    ax.set_ylabel(axis_name(keys[1]))
    sizes = [np.unique(one).size for one in places]
    filled = len(set(zip(*(one.tolist() for one in places), strict=True)))
    draw = _draw_cells if filled >= MIN_FILLED_SHARE * sizes[0] * sizes[1] else _draw_points
    drawn = draw(ax, table, keys)
    if drawn is None:
        ax.text(0.5, 0.5, NO_LOSS, transform=ax.transAxes, ha="center", fontsize=10)
    else:
        _colour_bar(made, ax, drawn)
    legend(ax)
    return made


def _title(table: SweepTable, layout: Layout) -> str:
    """What the colours are: where several jobs share a cell, the settings over which the minimum is taken."""
    if not layout.others:
        return f"Final loss of {counted(len(table.rows), 'job')}"
    names = joined([key.rpartition(".")[2] for key in layout.others])
    title = f"Final loss, minimum over {names}"
    return title if len(title) <= MAX_TITLE_CHARACTERS else f"Final loss, minimum over {len(layout.others)} settings"


def _draw_cells(ax: Any, table: SweepTable, keys: Sequence[str]) -> Any:
    """Draw a grid of cells of one size each, whatever the distances of the values, and return it; None without any loss."""
    grid = [np.unique(numbers_of(table.rows, key)) for key in keys]

    def places(rows: Sequence[JobRow]) -> list[np.ndarray]:
        return [np.searchsorted(values, numbers_of(rows, key)) for values, key in zip(grid, keys, strict=True)]

    least = np.full((grid[1].size, grid[0].size), np.nan)
    x, y = places(table.best_first)
    np.fmin.at(least, (y, x), losses_of(table.best_first))
    edges = [np.arange(values.size + 1) - 0.5 for values in grid]
    mesh = ax.pcolormesh(*edges, np.ma.masked_invalid(least), cmap=colour_scale(), norm=_norm(least))
    size = np.clip(MARK_POINTS / max(least.shape), MIN_MARK_POINTS, MAX_MARK_POINTS)
    for name, rows in without_loss(table).items():
        x, y = places(rows)
        empty = np.isnan(least[y, x])
        if empty.any():
            ax.plot(x[empty], y[empty], markersize=size, **MARKS[name])
    ax.plot(*places(table.best_first[:1]), **BEST_MARK)
    ax.grid(visible=False)
    for axis, values, most in ((ax.xaxis, grid[0], MAX_X_LABELS), (ax.yaxis, grid[1], MAX_Y_LABELS)):
        some = range(0, values.size, -(-values.size // most))
        axis.set_ticks(some, labels=[f"{values[place]:.3g}" for place in some])
    ax.tick_params(labelsize=8)
    return mesh if np.isfinite(least).any() else None


def _draw_points(ax: Any, table: SweepTable, keys: Sequence[str]) -> Any:
    """Draw a point for each job, the best ones last, and return them; None without any loss."""

    def places(rows: Sequence[JobRow]) -> list[np.ndarray]:
        return [numbers_of(rows, key) for key in keys]

    rows = table.best_first[::-1]
    loss = losses_of(rows)
    points = ax.scatter(*places(rows), c=loss, cmap=colour_scale(), norm=_norm(loss), s=28, zorder=2)
    for name, marked in without_loss(table).items():
        if marked:
            ax.plot(*places(marked), markersize=4, **MARKS[name])
    ax.plot(*places(table.best_first[:1]), **BEST_MARK)
    x, y = (spaced_geometrically(one) for one in places(table.rows))
    if x:
        log_steps(ax, from_zero=False)
    if y:
        ax.set_yscale("log")
        power_ticks(ax.yaxis)
    return points if np.isfinite(loss).any() else None


def _norm(losses: np.ndarray) -> Any:
    """The scale of the colours, logarithmic where the losses span decades; 0 then has the colour of the least loss above it."""
    from matplotlib.colors import LogNorm, Normalize

    shown = losses[np.isfinite(losses)]
    if not shown.size:
        return Normalize(0, 1)
    if spans_decades(shown):
        above = shown[(shown > LOWEST_ON_LOG_AXIS) & (shown < HIGHEST_ON_LOG_AXIS)]
        return LogNorm(above.min(), above.max(), clip=True)
    low, high = float(shown.min()), float(shown.max())
    return Normalize(low, high if high > low else low + (abs(low) or 1.0))


def _colour_bar(made: Figure, ax: Any, drawn: Any) -> None:
    bar = made.colorbar(drawn, ax=ax, pad=0.02)
    bar.ax.tick_params(labelsize=8)
    bar.ax.set_title("loss", fontsize=8.5)
    if bar.ax.get_yscale() == "log":
        power_ticks(bar.ax.yaxis)
