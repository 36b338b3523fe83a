"""The figure of the loss."""

import numpy as np

from polyexp.base import counted
from polyexp.exact import Forecast
from polyexp.fitting import Result
from polyexp.report.axes import Figure, Palette, annotate, figure, legend, log_axis
from polyexp.report.figures.curves import CURVE_POINTS, MAX_MARKS, drawable_on_log, spread_steps, subject, updates
from polyexp.report.sentences import rate

__all__ = ["loss_figure"]


def loss_figure(result: Result, forecast: Forecast) -> Figure:
    """The measured loss, the predicted loss and the best loss, on a logarithmic scale.

    A loss is drawn at the number of updates that led to its parameters.
    """
    made, (ax,) = figure(subject(result), rate(forecast))
    taken, loss = updates(result)
    predicted_at, predicted = _predicted(forecast, int(taken[-1]))
    if predicted.size:
        ax.plot(
            predicted_at, drawable_on_log(predicted), color=Palette.ORANGE, linewidth=3.5, alpha=0.7, label="predicted"
        )
    marker = "o" if taken.size <= MAX_MARKS else None
    ax.plot(
        taken, drawable_on_log(loss), color=Palette.BLUE, linewidth=1.3, marker=marker, markersize=3.5, label="measured"
    )
    lowest = np.nan if forecast.lowest is None else forecast.lowest
    if lowest > 0:
        what = "best possible" if forecast.exact else "lower bound for this degree"
        ax.axhline(lowest, color=Palette.GREEN, linewidth=1.3, linestyle="--", label=f"{what}: {lowest:.4g}")
    zeros = int((loss == 0).sum())
    some = log_axis(ax, loss, predicted, np.array([lowest]), otherwise="No loss is finite and above zero.")
    if some and zeros:
        annotate(ax, f"exactly 0 at {zeros} of {counted(loss.size, 'snapshot')}")
    ax.set_xlabel("updates taken")
    ax.set_ylabel("loss")
    spread_steps(ax, taken, loss)
    legend(ax)
    return made


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
