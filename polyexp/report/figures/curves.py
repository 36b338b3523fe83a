"""What the figures share: their titles, the points of their curves, and what an axis can show."""

from typing import Any

import numpy as np

from polyexp.fitting import History, Result
from polyexp.report.axes import HIGHEST_ON_LOG, LOWEST_ON_LOG, shortened, thinned

__all__ = [
    "CURVE_POINTS",
    "MAX_CURVES",
    "MAX_MARKS",
    "MAX_NAME",
    "MAX_SNAPSHOTS",
    "grid",
    "logarithmic",
    "subject",
    "updates",
]

CURVE_POINTS = 600  # points of a curve
MAX_SNAPSHOTS = 400  # looks shown
MAX_MARKS = 60  # samples or looks that each get a mark of their own
MAX_CURVES = 64  # curves drawn at all
MAX_NAME = 24  # letters of a name in a title


def subject(result: Result) -> str:
    """`sin by power_series of degree 7`"""
    degree = result.model.polynomial_degree
    of = "" if degree is None else f" of degree {degree}"
    return f"{shortened(result.samples.name, MAX_NAME)} by {shortened(result.model.choice, MAX_NAME)}{of}"


def grid(result: Result) -> np.ndarray:  # shape: (CURVE_POINTS,)
    """Where curves are evaluated: over the domain, or around a single point."""
    low, high = result.samples.domain
    if low == high:
        low, high = low - max(1.0, abs(low) / 2), high + max(1.0, abs(high) / 2)
    return (
        np.linspace(0, 1, CURVE_POINTS) * high + np.linspace(1, 0, CURVE_POINTS) * low
    )  # does not overflow where high - low does


def updates(result: Result) -> tuple[np.ndarray, np.ndarray]:  # shape: (L + 1,) each
    """The updates behind each loss that was measured, and that loss; the last one is the final loss.

    At step t the loss before update t was seen, so that its parameters had seen t - 1 updates.
    """
    history: History = result.history
    some = thinned(history.step.size, MAX_SNAPSHOTS)
    return np.append(history.step[some] - 1, result.steps), np.append(history.loss[some], result.loss)


def logarithmic(steps: np.ndarray) -> bool:
    """Whether looks are spread logarithmically, as those of loop=closed_form are."""
    return bool(steps.size > 2 and steps[-1] > 1000 and steps[-1] - steps[-2] > 2 * (steps[1] - steps[0]))


def drawable(values: np.ndarray) -> np.ndarray:
    """nan for what no axis can show."""
    with np.errstate(all="ignore"):
        return np.where(np.abs(values) < 1e300, values, np.nan)


def drawable_on_log(values: np.ndarray) -> np.ndarray:
    """nan for what no logarithmic axis can show."""
    with np.errstate(all="ignore"):
        return np.where((values > LOWEST_ON_LOG) & (values < HIGHEST_ON_LOG), values, np.nan)


def spread_steps(ax: Any, result: Result) -> None:
    """Updates along the x axis: whole numbers, spread as the looks are."""
    step = result.history.step
    if logarithmic(step):
        ax.set_xscale("symlog", linthresh=1)
        ax.set_xlim(0, step[-1] * 1.2)
    else:
        ax.locator_params(axis="x", integer=True)
