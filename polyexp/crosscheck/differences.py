"""Differences, relative to a scale, and what else the parts of a crosscheck share."""

from typing import Any

import numpy as np

__all__ = ["TOLERANCE", "largest_difference", "one_line"]

TOLERANCE = 1e-11  # relative; the sums of the samples and of the steps round to some 1e-13


def largest_difference(difference: Any, scale: Any) -> float:
    """The largest |difference| / scale; 0 of nothing is 0, something of 0 and what is not finite is inf."""
    difference, scale = np.broadcast_arrays(np.abs(np.asarray(difference)), scale)
    ratio = np.divide(difference, scale, out=np.where(difference > 0, np.inf, 0.0), where=scale > 0)
    return float(np.where(np.isnan(ratio), np.inf, ratio).max(initial=0))


def one_line(error: Exception) -> str:
    """An error of code that is not ours, for a table."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
