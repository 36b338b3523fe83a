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
    """

    target: Callable[[np.ndarray], np.ndarray] | None
    x: np.ndarray  # shape: (M,)
    y: np.ndarray  # shape: (M,)


def displayed_data(result: Result, problem: Source | None = None, seed: int = 0) -> DisplayedData:
    """The data that the curve of `result` is shown with.

    Samples that have been reduced are drawn or read once more, unless there are more than a million of them.

    Args:
        result: The result of a single fit.
        problem: The source of its samples; None where the fit was given samples.
        seed: The seed with which the samples were drawn.
    """
    function = None if problem is None else problem.target_function
    samples = result.samples
    if samples.size == samples.total or problem is None:
        some = thinned(samples.size, MAX_SHOWN_SAMPLES)
        kept = samples.size == samples.total
        return DisplayedData(function, *((samples.x[some], samples.y[some]) if kept else (np.empty(0), np.empty(0))))
    if samples.total > MAX_SAMPLES_READ_AGAIN:
        return DisplayedData(function, np.empty(0), np.empty(0))
    x, y = (np.concatenate(one) for one in zip(*(chunk[:2] for chunk in problem.chunks(seed)), strict=True))
    some = thinned(x.size, MAX_SHOWN_SAMPLES)
    return DisplayedData(function, x[some], y[some])
