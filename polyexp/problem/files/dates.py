"""Dates as numbers: the days or the seconds from 1970-01-01, 00:00 UTC."""

from typing import Any

import numpy as np

from polyexp.problem.files.arrow import to_datetime64
from polyexp.problem.files.format import CellError

__all__ = ["DATES", "from_datetime64", "from_text"]

DATES = "a column of dates such as 2020-12-31"
ZONES = (None, "UTC")  # of texts without a time zone, and of texts with one
MICROSECONDS = {"days": 86_400_000_000, "seconds": 1_000_000}


def from_datetime64(dates: np.ndarray, unit: str) -> np.ndarray:  # shape: (n,) -> (n,)
    """Dates of any resolution as numbers in the unit, with nan for those that are missing.

    The whole units and the rest are divided apart, so that whole days and seconds are exact.
    """
    micro = dates.astype("M8[us]")
    whole, rest = np.divmod(micro.astype(np.int64), MICROSECONDS[unit])
    return np.where(np.isnat(micro), np.nan, whole + rest / MICROSECONDS[unit])


def from_text(texts: Any, unit: str, column: str, rows_before: int) -> np.ndarray:  # shape: (n,)
    """ISO 8601 dates, such as 2020-12-31 or 2020-12-31T23:59:30.5+02:00, as numbers in the unit.

    Args:
        texts: A pyarrow array of n texts; blank ones are missing.
        unit: "days" or "seconds".
        column: The name of the column, for errors.
        rows_before: The number of rows before these.

    Raises:
        CellError: A text is no date, or some have a time zone and others have none.
    """
    import pyarrow as pa
    from pyarrow import compute

    texts = compute.utf8_trim_whitespace(texts)
    texts = compute.if_else(compute.equal(texts, ""), pa.scalar(None, texts.type), texts)
    for zone in ZONES:
        if _first_unreadable(texts, zone) is None:
            return from_datetime64(to_datetime64(texts.cast(pa.timestamp("us", zone))), unit)
    index = max(_first_unreadable(texts, zone) or 0 for zone in ZONES)
    raise CellError(column, rows_before + index + 1, texts[index].as_py(), DATES)


def _first_unreadable(texts: Any, zone: str | None) -> int | None:
    """The index of the first text that is no date with a time zone, or without one; None where all are."""
    import pyarrow as pa

    def readable(part: Any) -> bool:
        try:
            return bool(part.cast(pa.timestamp("us", zone)) is not None)
        except pa.ArrowInvalid:
            return False

    if readable(texts):
        return None
    low, high = 0, len(texts)  # the first `low` texts can be read, the first `high` cannot
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if readable(texts.slice(0, middle)) else (low, middle)
    return low
