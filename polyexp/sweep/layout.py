"""Which of the keys that vary in a sweep are the axes of its picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from polyexp.report.axes import HIGHEST_ON_LOG_AXIS, LOWEST_ON_LOG_AXIS
from polyexp.sweep.rows import number_of
from polyexp.sweep.table import SweepTable

__all__ = ["Layout", "is_seed", "layout_of", "spaced_geometrically"]

MIN_RATIO_OF_LOG_AXIS = 10.0  # of the largest to the smallest value


@dataclass(frozen=True)
class Layout:
    """The keys of a picture by what they are in it.

    Args:
        x: The numeric axis with the most values, or the seed where it alone varies; None where there is none.
        y: The numeric axis with the second most values; None where there is none.
        in_step: The keys whose values are given in step with those of x.
        others: All other keys that vary.
    """

    x: str | None
    y: str | None
    in_step: tuple[str, ...]
    others: tuple[str, ...]


def layout_of(table: SweepTable) -> Layout:
    """The layout of the picture of a sweep.

    Args:
        table: The table of the sweep.
    """
    columns = {key: [row.values.get(key, "") for row in table.rows] for key in table.keys}
    numeric = [key for key, cells in columns.items() if not is_seed(key) and _are_numbers(cells)]
    if not numeric and len(columns) == 1:
        numeric = [key for key, cells in columns.items() if _are_numbers(cells)]
    axes = sorted(numeric, key=lambda key: -len(set(columns[key])))
    x = next(iter(axes), None)
    in_step = tuple(key for key in columns if x not in (None, key) and _follows(columns[key], columns[str(x)]))
    y = next((key for key in axes[1:] if key not in in_step), None)
    return Layout(x, y, in_step, tuple(key for key in columns if key not in (x, y, *in_step)))


def is_seed(key: str) -> bool:
    """Whether the values of a key are seeds, whose order has no meaning.

    Args:
        key: The key.
    """
    return key.rpartition(".")[2].endswith("seed")


def spaced_geometrically(values: np.ndarray) -> bool:
    """Whether a logarithmic axis spreads values more evenly than a linear one; where they span no decade, it does not.

    Args:
        values: The values in any order, finite. Shape (N,).

    Example:
        >>> spaced_geometrically(np.array([0.1, 1, 10])), spaced_geometrically(np.array([1, 4, 7, 10]))
        (True, False)
        >>> spaced_geometrically(np.array([0, 1, 10]))
        False
    """
    distinct = np.unique(values)
    low, high = distinct[0], distinct[-1]
    if not (low > LOWEST_ON_LOG_AXIS and high < HIGHEST_ON_LOG_AXIS and high / low >= MIN_RATIO_OF_LOG_AXIS):
        return False
    # The largest distance of two neighbours, as a part of the axis.
    linear, log = (np.diff(one).max() / (one[-1] - one[0]) for one in (distinct, np.log(distinct)))
    return bool(log < linear)


def _are_numbers(cells: Sequence[str]) -> bool:
    return all(number_of(cell) is not None for cell in cells)


def _follows(cells: Sequence[str], axis: Sequence[str]) -> bool:
    """Whether each value of an axis has one of these, in step: another one for each, and ascending or descending if numbers.

    The numbers of a random search are different in each job too, but not in order.
    """
    pairs = set(zip(axis, cells, strict=True))
    if not len(pairs) == len(set(axis)) == len(set(cells)):
        return False
    ordered = [cell for _, cell in sorted(pairs, key=lambda pair: float(pair[0]))]
    numbers = [number_of(cell) for cell in ordered]
    found = [one for one in numbers if one is not None]
    return len(found) < len(numbers) or found in (sorted(found), sorted(found, reverse=True))
