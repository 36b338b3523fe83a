"""What the figures have in common: their titles, the points of their curves, and the values that an axis can show."""

from typing import Any

import numpy as np

from polyexp.base import printable
from polyexp.fitting import History, Result
from polyexp.report.axes import HIGHEST_ON_LOG_AXIS, LOWEST_ON_LOG_AXIS, log_steps, shortened, thinned_history

__all__ = [
    "CURVE_POINTS",
    "MAX_CURVES",
    "MAX_MARKS",
    "MAX_NAME_CHARACTERS",
    "MAX_SNAPSHOTS",
    "grid",
    "logarithmic",
    "subject",
    "updates",
]

CURVE_POINTS = 600  # of a curve: about one for each pixel of the width of a picture
MAX_SNAPSHOTS = 400  # that a figure shows
MAX_MARKS = 60  # the largest number of samples or snapshots that are drawn as single, well visible marks
MAX_CURVES = 64  # of a figure; more could not be distinguished
MAX_NAME_CHARACTERS = 24  # of a name in a title
MAX_ON_AXIS = 1e300  # the largest magnitude that is drawn: an axis is wider than its data, and must not overflow
MIN_STEPS_FOR_LOG_AXIS = 1000  # of snapshots that are spaced logarithmically; fewer are shown well by a linear axis
# A linear axis of steps is not chosen where its first part would hold more than this part of the changes of the curves.
FIRST_PART, MAX_CHANGE_IN_FIRST_PART = 0.05, 0.25


def subject(result: Result) -> str:
    """The title of a run, such as `sin by power_series of degree 7`."""
    degree = result.model.polynomial_degree
    of = "" if degree is None else f" of degree {degree}"
    return f"{_name(result.samples.name)} by {_name(result.model.choice)}{of}"


def _name(text: str) -> str:
    return shortened(printable(text), MAX_NAME_CHARACTERS)


def grid(result: Result) -> np.ndarray:  # shape: (CURVE_POINTS,)
    """The points at which curves are evaluated: on the domain, or around it where it is a single point."""
    low, high = result.samples.domain
    if low == high:
        low, high = low - max(1.0, abs(low) / 2), high + max(1.0, abs(high) / 2)
    # np.linspace(low, high) would overflow where high - low does.
    return np.linspace(0, 1, CURVE_POINTS) * high + np.linspace(1, 0, CURVE_POINTS) * low


def updates(result: Result) -> tuple[np.ndarray, np.ndarray]:  # shape: (L + 1,) each
    """The number of updates before each measured loss, and that loss; the last one is the final loss.

    The loss of step t is that of the parameters before update t, to which t - 1 updates have been made.
    """
    history: History = result.history
    some = thinned_history(history.step.size, MAX_SNAPSHOTS)
    return np.append(history.step[some] - 1, result.steps), np.append(history.loss[some], result.loss)


def logarithmic(steps: np.ndarray, curves: np.ndarray) -> bool:
    """Whether curves are shown over the logarithm of the steps: these are spaced so, or the curves are steepest at first.

    Args:
        steps: The steps of the snapshots. Shape (L,).
        curves: The curves, which are drawn on a logarithmic axis. Shape (L,) or (L, C).
    """
    return _spaced_logarithmically(steps) or _steepest_at_first(steps, curves)


def _steepest_at_first(steps: np.ndarray, curves: np.ndarray) -> bool:
    """Whether a linear axis would squeeze much of the changes of log(curve) into its beginning."""
    changes = np.abs(np.diff(np.log(drawable_on_log(curves)), axis=0))
    early = changes[steps[1:] <= FIRST_PART * steps[-1]]
    return bool(np.nansum(early) > MAX_CHANGE_IN_FIRST_PART * np.nansum(changes))


def _spaced_logarithmically(steps: np.ndarray) -> bool:
    """Whether the steps of snapshots are spaced logarithmically, as those of loop=closed_form are.

    Then they are twice as far apart at the end as in the middle. Regular snapshots are not, whatever early ones precede them.
    """
    if steps.size < 3 or steps[-1] <= MIN_STEPS_FOR_LOG_AXIS:
        return False
    middle = int(np.searchsorted(steps[1:], steps[-1] / 2))
    return bool(steps[-1] - steps[-2] > 1.5 * (steps[middle + 1] - steps[middle]))


def drawable(values: np.ndarray) -> np.ndarray:
    """The values, with nan for those that no axis can show."""
    with np.errstate(all="ignore"):
        return np.where(np.abs(values) < MAX_ON_AXIS, values, np.nan)


def drawable_on_log(values: np.ndarray) -> np.ndarray:
    """The values, with nan for those that no logarithmic axis can show."""
    with np.errstate(all="ignore"):
        return np.where((values > LOWEST_ON_LOG_AXIS) & (values < HIGHEST_ON_LOG_AXIS), values, np.nan)


def spread_steps(ax: Any, steps: np.ndarray, curves: np.ndarray) -> None:
    """Scale the x axis of updates for these curves, with whole numbers at its ticks; 0 is on a logarithmic one too."""
    if logarithmic(steps, curves):
        log_steps(ax)
        ax.set_xlim(-0.15, steps[-1] * 1.2)  # so that a marker at 0 is whole
    else:
        ax.locator_params(axis="x", integer=True)
