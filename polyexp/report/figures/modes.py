"""The figure of the part of its initial distance from the optimum that each mode of the Hessian has left."""

from typing import Any

import numpy as np

from polyexp.exact import Forecast, Quadratic
from polyexp.fitting import Result
from polyexp.report.axes import Figure, Palette, annotate, figure, legend, power_ticks, thinned
from polyexp.report.figures.curves import MAX_CURVES, subject

__all__ = ["draw_modes", "modes_figure"]

# Parts of the initial distance of a mode, which is the magnitude of its coordinate.
DONE_SHARE = 1e-3
GROWN_SHARE = 1 + 1e-9  # more than 1 by more than rounding
MIN_SHOWN_SHARE, MAX_SHOWN_SHARE = 1e-12, 1e12  # at which the shortest and the longest bar end
CUT_BARS = ((MIN_SHOWN_SHARE, "v", "or less", 7), (MAX_SHOWN_SHARE, "^", "or more", -14))  # with the place of the words


def modes_figure(result: Result, forecast: Forecast, *, interactive: bool = False) -> Figure | None:
    """The part of its initial distance from the optimum that each mode has left, as bars; None for a nonlinear model.

    A mode that the samples do not determine, or that starts at its optimum, has no bar.

    Args:
        result: The result of a single fit.
        forecast: Its forecast.
        interactive: Whether it is a figure of pyplot.
    """
    quadratic = result.quadratic
    if quadratic is None:
        return None
    excess = _excess_by_mode(quadratic.eigenvalues, np.abs(quadratic.coordinates(result.params)))
    made, (ax,) = figure(subject(result), _largest_mode_words(result, excess), interactive=interactive)
    draw_modes(ax, result, quadratic, forecast)
    legend(ax)
    return made


def draw_modes(ax: Any, result: Result, quadratic: Quadratic, forecast: Forecast) -> None:
    """Draw the part that each mode has left.

    Args:
        ax: The matplotlib axes.
        result: The result of a single fit.
        quadratic: Its loss as a quadratic form.
        forecast: Its forecast.
    """
    first, last = (np.abs(quadratic.coordinates(params)) for params in (result.initial, result.params))
    moving = (first > 0) & (quadratic.eigenvalues > 0)
    with np.errstate(all="ignore"):
        left = _visible(np.where(moving, last / first, np.nan))
    shown = thinned(left.size, MAX_CURVES)
    _bars(ax, shown, left[shown])
    predicted = _predicted_left(result, forecast)
    if predicted is not None:
        expected = np.where(moving, predicted, np.nan)
        ax.plot(shown, expected[shown], color=Palette.BLACK, linestyle="none", marker="_", label="predicted")
    ax.axhline(DONE_SHARE, color=Palette.BLACK, linewidth=0.8, linestyle=":", label="a thousandth")
    if not np.isfinite(left).any():
        annotate(ax, "no mode had any excess loss at the start")
    ax.set_xlim(-0.6, left.size - 0.4)
    _name_modes(ax, quadratic.eigenvalues)
    ax.set_ylabel("remaining / initial distance")


def _bars(ax: Any, number: np.ndarray, left: np.ndarray) -> None:
    """Draw a bar for each mode on a logarithmic axis, coloured by whether the mode is done, still going or grown."""
    low, high = float(np.nanmin(left, initial=DONE_SHARE)) / 10, float(np.nanmax(left, initial=1.0))
    width = 0.7 * (number[1] - number[0] if number.size > 1 else 1)
    for chosen, colour, label, hatch in (
        (left <= DONE_SHARE, Palette.GREEN, "done", ""),
        ((left > DONE_SHARE) & (left <= GROWN_SHARE), Palette.ORANGE, "still going", "//"),
        (left > GROWN_SHARE, Palette.VERMILLION, "grown", "xx"),
    ):
        if chosen.any():
            style = {"color": colour, "hatch": hatch, "edgecolor": "white"}
            ax.bar(number[chosen], left[chosen] - low, width, low, label=label, **style)
    _mark_cut_bars(ax, number, left)
    ax.set_ylim(low, high * (high / low) ** 0.05)
    ax.set_yscale("log")
    power_ticks(ax.yaxis)
    ax.minorticks_off()


def _mark_cut_bars(ax: Any, number: np.ndarray, left: np.ndarray) -> None:
    """Draw an arrow at the end of each bar that is cut, and write above the first of them what it means."""
    for end, marker, words, points in CUT_BARS:
        cut = number[left == end]
        if cut.size:
            ax.plot(cut, np.full(cut.size, end), linestyle="none", marker=marker, color=Palette.GREY, zorder=3)
            white = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
            place = {"xytext": (-6, points), "textcoords": "offset points", "fontsize": 7.5, "bbox": white}
            ax.annotate(f"{end:g} {words}", (cut[0], end), **place)


def _excess_by_mode(eigenvalues: np.ndarray, coordinates: np.ndarray) -> np.ndarray:  # shape: (K,)
    with np.errstate(all="ignore"):
        return np.asarray(eigenvalues / 2 * coordinates**2)


def _visible(left: np.ndarray) -> np.ndarray:
    """The parts that are left, limited to those that a bar can show, with nan for those that are not finite."""
    with np.errstate(all="ignore"):
        return np.where(np.isfinite(left), np.clip(left, MIN_SHOWN_SHARE, MAX_SHOWN_SHARE), np.nan)


def _predicted_left(result: Result, forecast: Forecast) -> np.ndarray | None:
    """The predicted part of the distance of each mode after the steps that were taken; None where there is no prediction."""
    with np.errstate(all="ignore"):
        damping = forecast.optimizer.damping(forecast.eigenvalues, int(result.steps))
        return None if damping is None else _visible(np.abs(damping))


def _largest_mode_words(result: Result, last: np.ndarray) -> str:
    """The mode that has the largest part of the remaining excess, in words."""
    with np.errstate(over="ignore"):
        total = float(np.nansum(last))
        rounding = np.finfo(float).eps * float(result.samples.loss(np.zeros_like(result.samples.y)))
    if not rounding < total < np.inf:
        return "what is left is no more than rounding" if total <= rounding else ""
    worst = int(np.nanargmax(last))
    return f"mode {worst} holds {100 * (last[worst] / total):.3g} % of the {total:.4g} above the best possible loss"


def _name_modes(ax: Any, eigenvalues: np.ndarray) -> None:
    """Write the numbers of the modes below the bars, with their eigenvalues where there is room for them."""
    few = eigenvalues.size <= 10
    if few:
        ax.set_xticks(range(eigenvalues.size), labels=[f"{k}\n{value:.3g}" for k, value in enumerate(eigenvalues)])
        ax.tick_params(axis="x", labelsize=8)
    else:
        ax.locator_params(axis="x", integer=True)
    ax.grid(visible=False, axis="x")
    ax.set_xlabel("mode, and its eigenvalue" if few else "mode, by decreasing eigenvalue")
