"""What a fitted curve is shown against."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from polyexp.fitting import Result
from polyexp.problem import Source
from polyexp.report.axes import (
    thinned,
)

__all__ = ["Scene", "scene"]

MAX_POINTS = 400  # samples shown
MAX_READ_AGAIN = 2**20  # samples that are worth reading once more for a picture


@dataclass(frozen=True)
class Scene:
    """What a fitted curve is shown against: the function where it is known, and some of the samples as they were given.

    x and y have shape (M,), with M = 0 where there are too many samples to read them again.
    """

    target: Callable[[np.ndarray], np.ndarray] | None
    x: np.ndarray
    y: np.ndarray


def scene(result: Result, problem: Source | None = None, seed: int = 0) -> Scene:
    """What `result` is shown against; `problem` and `seed` are those it was fitted with, None where there were only samples.

    Samples that have been reduced are drawn or read once more, unless there are more than a million.
    """
    function = None if problem is None else problem.function
    samples = result.samples
    if samples.size == samples.total or problem is None:
        some = thinned(samples.size, MAX_POINTS)
        kept = samples.size == samples.total
        return Scene(function, *((samples.x[some], samples.y[some]) if kept else (np.empty(0), np.empty(0))))
    if samples.total > MAX_READ_AGAIN:
        return Scene(function, np.empty(0), np.empty(0))
    x, y = (np.concatenate(one) for one in zip(*(chunk[:2] for chunk in problem.chunks(seed)), strict=True))
    some = thinned(x.size, MAX_POINTS)
    return Scene(function, x[some], y[some])
