"""The picture of a sweep over settings that are no numbers: the losses as bars."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from polyexp.base import counted
from polyexp.experiment import short_word
from polyexp.report.axes import WIDTH_INCHES, Figure, Palette, axis_name, figure, legend
from polyexp.sweep.layout import is_seed
from polyexp.sweep.losses import BEST_MARK, MARKS, best_words, losses_axis, losses_of
from polyexp.sweep.table import JobRow, SweepTable

__all__ = ["bars_figure"]

MAX_BARS = 30
MAX_NAME_CHARACTERS = 34  # beside a bar
CHARACTER_INCHES, BAR_INCHES, MARGINS_INCHES = 0.075, 0.2, 1.5
EDGE = 0.985  # where jobs without a loss are marked, as a part of the width of the axes


def bars_figure(table: SweepTable, lowest: float | None) -> Figure:
    """The final losses of the jobs as bars, the best one first; over several seeds a bar for all, and a dot for each.

    Args:
        table: The table of the sweep.
        lowest: The best loss; None where it is not given.
    """
    groups = _groups(table)
    shown = dict(list(groups.items())[:MAX_BARS])
    names = [axis_name(_name(table, rows[0]), MAX_NAME_CHARACTERS) for rows in shown.values()]
    of = (
        f"the best {MAX_BARS} of {len(groups)} combinations"
        if len(groups) > MAX_BARS
        else counted(len(table.rows), "job")
    )
    height = MARGINS_INCHES + BAR_INCHES * max(len(names), 3)
    seeds = [key for key in table.keys if is_seed(key)]
    over = f", minimum over {', '.join(seeds)}" if seeds and len(groups) < len(table.rows) else ""
    made, (ax,) = figure(f"Final loss of {of}{over}", best_words(table), height=height)
    box = ax.get_position()
    left = (0.35 + CHARACTER_INCHES * max(map(len, names), default=0)) / WIDTH_INCHES
    ax.set_position((left, box.y0, box.x1 - left, box.height))
    losses = losses_of(row for rows in shown.values() for row in rows if not row.diverged)
    losses_axis(ax, losses, lowest, along="x")
    _draw_bars(ax, list(shown.values()))
    if losses.size:
        ax.plot(losses[0], 0, **BEST_MARK)
    ax.set_yticks(range(len(names)), labels=names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(axis="y", labelsize=8)
    ax.grid(visible=False, axis="y")
    legend(ax)
    return made


def _keys(table: SweepTable) -> Sequence[str]:
    """The keys whose values distinguish bars: seeds alone where nothing else varies."""
    return [key for key in table.keys if not is_seed(key)] or table.keys


def _groups(table: SweepTable) -> dict[tuple[str, ...], list[JobRow]]:
    """The rows by what distinguishes them besides seeds, those with the best loss first and those without any last."""
    keys = _keys(table)
    groups = dict[tuple[str, ...], list[JobRow]]()
    for row in [*table.best_first, *(row for row in table.rows if row.diverged or row.failed)]:
        values = tuple(row.values.get(key, "") for key in keys) or (str(row.number),)
        groups.setdefault(values, []).append(row)
    return groups


def _name(table: SweepTable, row: JobRow) -> str:
    return " ".join(short_word(key, row.values.get(key, "")) for key in _keys(table)) or f"job {row.number}"


def _draw_bars(ax: Any, groups: Sequence[Sequence[JobRow]]) -> None:
    """Draw the least loss of each group as a bar, the others as dots, and a mark where no job has a loss."""
    low = ax.get_xlim()[0] if ax.get_xscale() == "log" else 0.0
    marked: dict[str, list[int]] = {name: [] for name in MARKS}
    for place, rows in enumerate(groups):
        losses = losses_of(row for row in rows if not row.diverged)
        losses = losses[np.isfinite(losses)]
        if losses.size:
            ax.barh(place, losses.min() - low, 0.7, low, color=Palette.SKY)
            ax.plot(losses[1:], np.full(losses.size - 1, place), ".", color=Palette.BLUE, markersize=4)
        else:
            marked["diverged" if any(row.diverged for row in rows) else "failed"].append(place)
    for name, places in marked.items():
        if places:
            at = np.full(len(places), EDGE)
            ax.plot(at, places, transform=ax.get_yaxis_transform(), markersize=6, **MARKS[name])
