"""The figures of a batch: the curves of its runs on one pair of axes."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from polyexp.exact import Forecast
from polyexp.fitting import Result, summary_of
from polyexp.report.axes import COLOURS, Figure, annotate, colour_scale, figure, legend_below, log_axis, thinned
from polyexp.report.figures.curves import MAX_CURVES, drawable, grid, spread_steps, subject, updates
from polyexp.report.figures.displayed import DisplayedData
from polyexp.report.figures.fit import draw_data, limit_y_axis, name_axes
from polyexp.report.figures.loss import NO_LOSS, draw_best_loss, draw_loss_curve, name_loss_axes

__all__ = ["batch_figure", "batch_legend", "draw_fits", "draw_losses"]

LEGEND_COLUMNS, LINE_INCHES = 2, 0.19  # of the legend, whose labels may have a learning rate and a momentum
OTHER_CURVES = 3  # target, samples and nodes, or the best loss


def batch_figure(result: Result) -> tuple[Figure, Any]:
    """An empty figure of pyplot with the title of a batch, and its axes, with room for a legend below them.

    Args:
        result: The result of a batch.
    """
    runs = int(np.prod(result.runs))
    lines = -(-((runs if runs <= len(COLOURS) else 2) + OTHER_CURVES) // LEGEND_COLUMNS)
    below = LINE_INCHES * lines + 0.1
    words = summary_of(result.outcome, result.steps, result.loss, result.excess)
    made, (ax,) = figure(subject(result), words, interactive=True, height=4.0 + below, below=below)
    return made, ax


def batch_legend(made: Figure, ax: Any) -> None:
    """Draw the legend of the figure of a batch, below its axes.

    Args:
        made: The figure.
        ax: Its axes.
    """
    legend_below(made, ax, LEGEND_COLUMNS)


def draw_fits(ax: Any, result: Result, shown: DisplayedData) -> None:
    """Draw the data, and the fitted curve of each run.

    Args:
        ax: The matplotlib axes.
        result: The result of a batch.
        shown: The data that are shown.
    """
    x, curves = grid(result), []
    data = draw_data(ax, result, shown)
    for one, style in _styles(ax, result):
        curves.append(drawable(one(x)))
        ax.plot(x, curves[-1], linewidth=1.6, **style)
    name_axes(ax, shown)
    limit_y_axis(ax, data, np.concatenate(curves or [np.empty(0)]))


def draw_losses(ax: Any, result: Result, forecast: Forecast | None) -> None:
    """Draw the measured loss of each run, and the best loss.

    Args:
        ax: The matplotlib axes.
        result: The result of a batch.
        forecast: The forecast of one of its runs; None where there is none.
    """
    longest, losses = (np.zeros(1), np.zeros(1)), []
    for one, style in _styles(ax, result):
        taken, loss = updates(one)
        draw_loss_curve(ax, taken, loss, **style)
        losses.append(loss)
        longest = max(longest, (taken, loss), key=lambda curve: curve[0][-1])
    lowest = draw_best_loss(ax, forecast)
    log_axis(ax, *losses, np.array([lowest]), otherwise=NO_LOSS)
    name_loss_axes(ax)
    spread_steps(ax, *longest)


def _styles(ax: Any, result: Result) -> Iterator[tuple[Result, dict[str, Any]]]:
    """The results of the runs that are shown, each with the colour and the label of its curve.

    More curves than can be told apart by their colours have those of a scale, and only the first and the last have a label.
    """
    runs = list(np.ndindex(result.runs))
    shown = thinned(len(runs), MAX_CURVES) if runs else np.empty(0, int)
    if shown.size < len(runs):
        annotate(ax, f"{shown.size} of {len(runs)} runs")
    varying = [name for name, value in result.optimizer.numbers.items() if np.size(value) > 1]
    for place, at in enumerate(shown):
        one, many = result[runs[at]], shown.size > len(COLOURS)
        colour = colour_scale()(place / (shown.size - 1)) if many else COLOURS[place]
        named = not many or place in (0, shown.size - 1)
        yield one, {"color": colour, "label": _label(runs[at], one, varying) if named else None}


def _label(run: tuple[int, ...], one: Result, varying: list[str]) -> str:
    """The index of a run, with the numbers of its optimizer that are not the same in all runs."""
    numbers = (f"{name}={getattr(one.optimizer, name):.4g}" for name in varying)
    return ", ".join([f"run {', '.join(map(str, run))}", *numbers])
