"""The figure of what is left of each mode of the Hessian."""

from typing import Any

import numpy as np

from polyexp.exact import Forecast
from polyexp.fitting import Result
from polyexp.report.axes import (
    Figure,
    Palette,
    figure,
    legend,
    say,
    thinned,
)
from polyexp.report.figures.curves import MAX_CURVES, subject

__all__ = ["modes_figure"]

DONE_EXCESS = 1e-6  # of a mode's excess loss: a thousandth of its distance
GROWN_EXCESS = 1 + 1e-9
LEAST_SHOWN = 1e-12  # of a mode's excess loss: where its bar ends in a stub


def modes_figure(result: Result, known: Forecast) -> Figure | None:
    """What is left of each Hessian mode's part of the loss; None where the model is not linear."""
    quadratic = result.quadratic
    if quadratic is None:
        return None
    first = _excess_by_mode(quadratic.eigenvalues, quadratic.coordinates(result.initial))
    last = _excess_by_mode(quadratic.eigenvalues, quadratic.coordinates(result.params))
    with np.errstate(all="ignore"):
        left = _visible(np.where(first > 0, last / first, np.nan))
    made, (ax,) = figure(subject(result), _holds_most(result, last))
    shown = thinned(left.size, MAX_CURVES)
    _bars(ax, shown, left[shown])
    predicted = _predicted_left(result, known)
    if predicted is not None:
        expected = np.where(first > 0, predicted, np.nan)
        ax.plot(shown, expected[shown], color=Palette.BLACK, linestyle="none", marker="_", label="predicted")
    ax.axhline(DONE_EXCESS, color=Palette.BLACK, linewidth=0.8, linestyle=":", label="a thousandth of its distance")
    if not np.isfinite(left).any():
        say(ax, "no mode had an excess at the start")
    ax.set_xlim(-0.6, left.size - 0.4)
    _name_modes(ax, quadratic.eigenvalues)
    ax.set_ylabel("left of its initial excess loss")
    legend(ax)
    return made


def _bars(ax: Any, number: np.ndarray, left: np.ndarray) -> None:
    """A bar for each mode, by its state, on a logarithmic axis."""
    low, high = float(np.nanmin(left, initial=1e-7)) / 5, float(np.nanmax(left, initial=1.0))
    width = 0.7 * (number[1] - number[0] if number.size > 1 else 1)
    for chosen, colour, label, hatch in (
        (left <= DONE_EXCESS, Palette.GREEN, "done", ""),
        ((left > DONE_EXCESS) & (left <= GROWN_EXCESS), Palette.ORANGE, "still going", "//"),
        (left > GROWN_EXCESS, Palette.VERMILLION, "grown", "xx"),
    ):
        if chosen.any():
            look = {"color": colour, "hatch": hatch, "edgecolor": "white"}
            ax.bar(number[chosen], left[chosen] - low, width, low, label=label, **look)
    ax.set_ylim(low, high * (high / low) ** 0.05)
    ax.set_yscale("log")
    ax.minorticks_off()


def _excess_by_mode(eigenvalues: np.ndarray, coordinates: np.ndarray) -> np.ndarray:  # shape: (K,)
    with np.errstate(all="ignore"):
        return np.asarray(eigenvalues / 2 * coordinates**2)


def _visible(left: np.ndarray) -> np.ndarray:
    """What is left of a mode, between the least and the most that a bar can show."""
    with np.errstate(all="ignore"):
        return np.where(np.isfinite(left), np.clip(left, LEAST_SHOWN, 1 / LEAST_SHOWN), np.nan)


def _predicted_left(result: Result, known: Forecast) -> np.ndarray | None:
    """The part of each mode's excess that should be left after as many steps as were taken; None where that is not known."""
    with np.errstate(all="ignore"):
        damping = known.optimizer.damping(known.eigenvalues, int(result.steps))
        return None if damping is None else _visible(damping**2)


def _holds_most(result: Result, last: np.ndarray) -> str:
    """Which mode the remaining loss is in."""
    with np.errstate(over="ignore"):
        total = float(np.nansum(last))
        rounding = np.finfo(float).eps * float(result.samples.loss(np.zeros_like(result.samples.y)))
    if not rounding < total < np.inf:
        return "what is left is no more than rounding" if total <= rounding else ""
    worst = int(np.nanargmax(last))
    return f"mode {worst} holds {100 * last[worst] / total:.3g} % of the {total:.4g} above the best possible loss"


def _name_modes(ax: Any, eigenvalues: np.ndarray) -> None:
    """The modes' numbers below the bars, with their eigenvalues where there is room."""
    few = eigenvalues.size <= 10
    if few:
        ax.set_xticks(range(eigenvalues.size), labels=[f"{k}\n{value:.3g}" for k, value in enumerate(eigenvalues)])
        ax.tick_params(axis="x", labelsize=8)
    else:
        ax.locator_params(axis="x", integer=True)
    ax.grid(visible=False, axis="x")
    ax.set_xlabel("mode, and its eigenvalue" if few else "mode, by falling eigenvalue")
