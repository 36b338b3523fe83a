"""The figure of the fitted curve and its residual."""

from collections.abc import Callable
from typing import Any

import numpy as np

from polyexp.base import counted
from polyexp.fitting import Outcome, Result
from polyexp.report.axes import MAX_TITLE_CHARACTERS, Figure, Palette, annotate, axis_name, figure, legend, thinned
from polyexp.report.figures.curves import MAX_CURVES, MAX_MARKS, drawable, grid, subject
from polyexp.report.figures.displayed import DisplayedData

__all__ = ["draw_data", "draw_fit", "fit_figure", "limit_y_axis", "name_axes"]

MAX_HEIGHTS_OF_TARGET = 20.0  # beyond the target, in heights of it, up to which the whole fitted curve is shown


def fit_figure(result: Result, shown: DisplayedData, *, interactive: bool = False) -> Figure:
    """The target, the samples and the fitted curve, and below them the residual, data - fit, on a scale of its own.

    Args:
        result: The result of a single fit.
        shown: The data that are shown.
        interactive: Whether it is a figure of pyplot.
    """
    made, (top, bottom) = figure(
        subject(result), _ending_words(result), rows=(2.2, 1), height=4.6, interactive=interactive
    )
    draw_fit(top, result, shown)
    _draw_residual(bottom, result, shown)
    top.set_xlabel("")  # which is that of the axes below
    legend(top)
    made.align_ylabels()
    return made


def draw_fit(ax: Any, result: Result, shown: DisplayedData) -> None:
    """Draw the target, the samples and the fitted curve.

    Args:
        ax: The matplotlib axes.
        result: The result of a single fit.
        shown: The data that are shown.
    """
    x = grid(result)
    data = draw_data(ax, result, shown)
    curve = drawable(result(x))
    ax.plot(x, curve, color=Palette.BLUE, linewidth=1.6, label="fitted")
    name_axes(ax, shown)
    limit_y_axis(ax, data, curve)


def draw_data(ax: Any, result: Result, shown: DisplayedData) -> list[np.ndarray]:
    """Draw the target, the samples, and the nodes that they are reduced to, and return the y of all of them.

    Args:
        ax: The matplotlib axes.
        result: The result of one fit or of a batch.
        shown: The data that are shown.
    """
    samples, x, drawn = result.samples, grid(result), [shown.y, result.samples.y]
    target = _values(shown.target, x)
    if target is not None:
        ax.plot(x, target, color=Palette.GREEN, linewidth=4, alpha=0.45, label="target")
        drawn.append(target)
    if shown.x.size:
        some = "samples" if shown.x.size == samples.total else f"{shown.x.size} of {counted(samples.total, 'sample')}"
        ax.plot(shown.x, shown.y, label=some, **_dots(shown))
    if 0 < samples.size < samples.total:
        ring = {"linestyle": "none", "marker": "o", "markersize": 5, "markerfacecolor": "none"}
        nodes = thinned(samples.size, MAX_CURVES)
        label = f"reduced to {counted(samples.size, 'node')}"
        ax.plot(samples.x[nodes], samples.y[nodes], color=Palette.ORANGE, label=label, **ring)
    return drawn


def name_axes(ax: Any, shown: DisplayedData) -> None:
    """Write the names of x and y at the axes of a fitted curve, and numbers that are not longer than these leave room for.

    Args:
        ax: The matplotlib axes.
        shown: The data that are shown.
    """
    x_name, y_name = shown.axis_names
    ax.set_xlabel(axis_name(x_name, MAX_TITLE_CHARACTERS))
    ax.set_ylabel(axis_name(y_name))
    ax.ticklabel_format(axis="y", scilimits=(-2, 4), useMathText=True)


def _draw_residual(ax: Any, result: Result, shown: DisplayedData) -> None:
    x = grid(result)
    target = _values(shown.target, x)
    if shown.x.size:
        ax.plot(shown.x, drawable(shown.y - result(shown.x)), **_dots(shown))
    ax.axhline(0, color=Palette.BLACK, linewidth=0.8)
    if target is not None:
        ax.plot(x, drawable(target - result(x)), color=Palette.BLUE, linewidth=1.2)
    name_axes(ax, shown)
    ax.set_ylabel("data - fit" if shown.x.size or target is None else "target - fit")


def _dots(shown: DisplayedData) -> dict[str, Any]:
    """How samples are drawn, which are smaller where there are many."""
    few = shown.x.size <= MAX_MARKS
    style = {"markersize": 8, "zorder": 3} if few else {"markersize": 3.5, "alpha": 0.6}
    return {"linestyle": "none", "marker": ".", "color": Palette.GREY, **style}


def _ending_words(result: Result) -> str:
    ended = " (DIVERGED: the last finite parameters)" if result.outcome is Outcome.DIVERGED else ""
    largest = "" if result.outcome is Outcome.INTERRUPTED else f", largest error {result.max_error:.4g}"
    return f"loss {result.loss:.4g} after {counted(result.steps, 'step')}{largest}{ended}"


def _values(function: Callable[[np.ndarray], np.ndarray] | None, x: np.ndarray) -> np.ndarray | None:
    if function is None:
        return None
    with np.errstate(all="ignore"):
        return drawable(np.asarray(function(x.copy()), float) + np.zeros_like(x))


def limit_y_axis(ax: Any, wanted: list[np.ndarray], curve: np.ndarray) -> None:
    """Limit the y axis to the data, and to the fitted curve where the data remain visible beside it.

    Args:
        ax: The matplotlib axes.
        wanted: The y of what is shown as a whole.
        curve: The fitted curve, or those of a batch.
    """
    fixed = np.concatenate(wanted)
    fixed = fixed[np.isfinite(fixed)]
    low, high = float(fixed.min(initial=np.inf)), float(fixed.max(initial=-np.inf))
    if not low <= high:
        return
    height = (high - low) or max(1.0, abs(high))
    inside = curve[np.isfinite(curve)]
    near = inside[(inside >= low - MAX_HEIGHTS_OF_TARGET * height) & (inside <= high + MAX_HEIGHTS_OF_TARGET * height)]
    if near.size == curve.size:
        low, high = min(low, float(near.min())), max(high, float(near.max()))
    elif not near.size:
        annotate(ax, "the fitted curve is beyond this range")
        high += 0.2 * height
    else:
        annotate(ax, "the fitted curve leaves this range")
        low, high = low - 0.5 * height, high + 0.5 * height
    margin = 0.05 * ((high - low) or 2.0)
    ax.set_ylim(low - margin, high + margin)
