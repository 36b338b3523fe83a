"""The figure of the loss."""

from typing import Any

import numpy as np

from polyexp.base import counted
from polyexp.exact import Forecast
from polyexp.fitting import Result
from polyexp.report.axes import Figure, Palette, annotate, figure, legend, log_axis
from polyexp.report.figures.curves import CURVE_POINTS, MAX_MARKS, drawable_on_log, spread_steps, subject, updates
from polyexp.report.sentences import rate

__all__ = ["NO_LOSS", "draw_best_loss", "draw_loss", "draw_loss_curve", "loss_figure", "name_loss_axes"]

NO_LOSS = "No loss is finite and above zero."


def loss_figure(result: Result, forecast: Forecast | None, *, interactive: bool = False) -> Figure:
    """The measured loss, the predicted loss and the best loss, on a logarithmic scale.

    A loss is drawn at the number of updates that led to its parameters.

    Args:
        result: The result of a single fit.
        forecast: Its forecast; None where there is none.
        interactive: Whether it is a figure of pyplot.
    """
    made, (ax,) = figure(subject(result), rate(forecast) if forecast else "", interactive=interactive)
    draw_loss(ax, result, forecast)
    legend(ax)
    return made


def draw_loss(ax: Any, result: Result, forecast: Forecast | None) -> None:
    """Draw the measured loss, the predicted loss and the best loss; the arguments are those of `loss_figure`."""
    taken, loss = updates(result)
    predicted_at, predicted = _predicted(forecast, int(taken[-1])) if forecast else (np.empty(0), np.empty(0))
    if predicted.size:
        ax.plot(
            predicted_at, drawable_on_log(predicted), color=Palette.ORANGE, linewidth=3.5, alpha=0.7, label="predicted"
        )
    draw_loss_curve(ax, taken, loss, color=Palette.BLUE, label="measured")
    lowest = draw_best_loss(ax, forecast)
    zeros = int((loss == 0).sum())
    some = log_axis(ax, loss, predicted, np.array([lowest]), otherwise=NO_LOSS)
    if some and zeros:
        annotate(ax, f"exactly 0 at {zeros} of {counted(loss.size, 'snapshot')}")
    name_loss_axes(ax)
    spread_steps(ax, taken, loss)


def draw_loss_curve(ax: Any, taken: np.ndarray, loss: np.ndarray, **style: Any) -> None:
    """Draw a measured loss over the updates, with marks where there are few.

    Args:
        ax: The matplotlib axes.
        taken: The numbers of updates. Shape (L,).
        loss: The losses after them. Shape (L,).
        **style: The colour and the label of the curve.
    """
    marker = "o" if taken.size <= MAX_MARKS else None
    ax.plot(taken, drawable_on_log(loss), linewidth=1.3, marker=marker, markersize=3.5, **style)


def draw_best_loss(ax: Any, forecast: Forecast | None) -> float:
    """Draw a line at the best loss, and return it; nan where it is unknown.

    Args:
        ax: The matplotlib axes.
        forecast: The forecast of a run; None where there is none.
    """
    lowest = np.nan if forecast is None or forecast.lowest is None else forecast.lowest
    if forecast and lowest > 0:
        what = "best possible" if forecast.exact else "lower bound for this degree"
        ax.axhline(lowest, color=Palette.GREEN, linewidth=1.3, linestyle="--", label=f"{what}: {lowest:.4g}")
    return float(lowest)


def name_loss_axes(ax: Any) -> None:
    """Write at the axes that they are those of updates and of a loss."""
    ax.set_xlabel("updates taken")
    ax.set_ylabel("loss")


def _predicted(forecast: Forecast, last: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of updates up to the last one, and the predicted loss after them; empty where no forecast has it."""
    quadratic, optimizer = forecast.quadratic, forecast.optimizer
    if quadratic is None or optimizer.damping(forecast.eigenvalues, 1) is None:
        return np.empty(0), np.empty(0)
    half = CURVE_POINTS // 4
    spread = [np.linspace(0, last, half), np.geomspace(1, max(last, 1), half)]
    at = np.unique(np.concatenate(spread).astype(np.int64))
    coordinates = quadratic.coordinates(forecast.initial)
    with np.errstate(all="ignore"):
        left = [np.asarray(optimizer.damping(forecast.eigenvalues, int(step))) for step in at]
        return at, quadratic.lowest + quadratic.excess_at(np.stack(left) * coordinates)
