"""What the parts of a crosscheck share: the tolerance, relative differences, and errors in one line."""

from typing import Any

import numpy as np

__all__ = ["TOLERANCE", "largest_difference", "one_line"]

TOLERANCE = 1e-11  # of relative differences; sums over the samples and over the steps round to about 1e-13


def largest_difference(difference: Any, scale: Any) -> float:
    """The largest |difference| / scale, elementwise and broadcast.

    0 / 0 counts as 0. Any other quotient that is not finite counts as inf.
    """
    difference, scale = np.broadcast_arrays(np.abs(np.asarray(difference)), scale)
    ratio = np.divide(difference, scale, out=np.where(difference > 0, np.inf, 0.0), where=scale > 0)
    return float(np.where(np.isnan(ratio), np.inf, ratio).max(initial=0))


def one_line(error: Exception) -> str:
    """The type and message of an error in one line of at most 200 characters, for a table."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
