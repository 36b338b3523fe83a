"""Whole numbers that float64 does not hold, which are refused: rounding would make two of them one."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from polyexp.base.validation import LARGEST_OF_ALL_INTEGERS
from polyexp.problem.files.format import CellError

__all__ = ["is_large", "require_held"]

WHOLE = re.compile(r"\s*([+-]?\d+)([.,]0*)?\s*")


def is_large(values: np.ndarray) -> bool:
    """Whether some of the values are so large that float64 does not hold all whole numbers of their size."""
    return bool((np.abs(values) >= LARGEST_OF_ALL_INTEGERS).any())


def require_held(
    column: str, values: np.ndarray, rows_before: int, exact: Callable[[np.ndarray], Sequence[Any]]
) -> None:
    """Require that each whole number in a part of a column is one that float64 holds.

    Args:
        column: The name of the column.
        values: The values in float64. # shape: (n,)
        rows_before: The number of rows before this part.
        exact: The function that gives the values at the indices as they are, as text or as int. It is asked for those
            that are so large that float64 does not hold all whole numbers of their size.

    Raises:
        CellError: A whole number is none that float64 holds.
    """
    large = np.flatnonzero((np.abs(values) >= LARGEST_OF_ALL_INTEGERS) & np.isfinite(values))
    if not large.size:
        return
    for index, value in zip(large.tolist(), exact(large), strict=True):
        whole = WHOLE.fullmatch(str(value))
        if whole and int(whole[1]) != int(values[index]):
            wanted = "a column of numbers that float64 holds"
            hint = "subtract an offset from them, as float64 holds all whole numbers only up to 2^53"
            raise CellError(column, rows_before + index + 1, str(value).strip(), wanted, hint)
