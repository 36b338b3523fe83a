"""Two ways to the same result, timed in turns, so that whatever else the machine does slows both."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

REPEATS = 7


@dataclass(frozen=True)
class Row:
    """One comparison: median seconds of both sides, the median of the turns' ratios, and how far the results are apart.

    ratio: how many times faster polyexp is.
    """

    what: str
    other: str
    other_seconds: float
    seconds: float
    ratio: float
    wanted: str
    agreement: str


def seconds(call: Callable[[], Any]) -> tuple[float, Any]:
    """How long a call takes, and what it returns."""
    began = time.perf_counter()
    result = call()
    return time.perf_counter() - began, result


def compare(
    what: str,
    other: str,
    theirs: Callable[[], Any],
    ours: Callable[[], Any],
    *,
    wanted: str = "",
    times: int = 1,
    repeats: int = REPEATS,
) -> Row:
    """Medians of `repeats` turns after one of ours to warm up.

    times: how often `theirs` would have to be called to do what `ours` does. Both return their parameters.
    """
    ours()
    turns = [(seconds(theirs), seconds(ours)) for _ in range(repeats)]
    their_result, our_result = (np.asarray(side[1], float) for side in turns[-1])
    apart = np.abs(our_result - their_result).max() / np.abs(their_result).max()
    theirs_median, ours_median = (median(turn[side][0] for turn in turns) for side in (0, 1))
    ratio = median(times * turn[0][0] / turn[1][0] for turn in turns)
    return Row(what, other, times * theirs_median, ours_median, ratio, wanted, f"{apart:.1e}")
