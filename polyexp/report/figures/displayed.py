"""The data that a fitted curve is shown with."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from polyexp.base import Value
from polyexp.fitting import Result
from polyexp.problem import Source
from polyexp.report.axes import thinned

__all__ = ["DisplayedData", "displayed_data"]

MAX_SHOWN_SAMPLES = 400  # as many points as a picture shows well
MAX_SAMPLES_READ_AGAIN = 2**20  # reading more of them once more would take longer than the picture is worth


@dataclass(frozen=True)
class DisplayedData(Value):
    """The data that a fitted curve is shown with.

    Args:
        target: The function that was fitted; None where it is not known.
        x: Some of the samples before their reduction; none (M = 0) where there are too many samples to read them again.
        y: The values at x.
        axis_names: The names of x and y at the axes.
    """

    target: Callable[[np.ndarray], np.ndarray] | None
    x: np.ndarray  # shape: (M,)
    y: np.ndarray  # shape: (M,)
    axis_names: tuple[str, str] = ("x", "y")


def displayed_data(result: Result, problem: Source | None = None, seed: int = 0) -> DisplayedData:
    """The data that the curve of `result` is shown with.

    Samples that have been reduced are drawn or read once more, unless there are more than a million of them.

    Args:
        result: The result of a single fit.
        problem: The source of its samples; None where the fit was given samples.
        seed: The seed with which the samples were drawn.
    """
    x, y = _samples_of(result, problem, seed)
    some = thinned(x.size, MAX_SHOWN_SAMPLES) if x.size else slice(0)
    if problem is None:
        return DisplayedData(None, x[some], y[some])
    return DisplayedData(problem.target_function, x[some], y[some], problem.axis_names)


def _samples_of(result: Result, problem: Source | None, seed: int) -> tuple[np.ndarray, np.ndarray]:  # shape: (M,) each
    """All samples before their reduction; none where they are not there and would have to be read for too long."""
    samples = result.samples
    if samples.size == samples.total:
        return samples.x, samples.y
    if problem is None or samples.total > MAX_SAMPLES_READ_AGAIN:
        return np.empty(0), np.empty(0)
    x, y = (np.concatenate(one) for one in zip(*(chunk[:2] for chunk in problem.chunks(seed)), strict=True))
    return x, y
