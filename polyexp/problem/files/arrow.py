"""Functions shared by the formats that pyarrow reads. pyarrow is imported when such a file is opened."""

from pathlib import Path
from typing import Any

import numpy as np

from polyexp.problem.files.integers import require_held

__all__ = ["open_binary", "to_datetime64", "to_float64", "to_held_float64"]


def open_binary(path: Path) -> Any:
    """The file, opened by pyarrow for reading."""
    import pyarrow as pa

    return pa.OSFile(str(path))


def to_float64(array: Any) -> np.ndarray:
    """A pyarrow array in float64, with nan where it has no value."""
    import pyarrow as pa

    if pa.types.is_decimal(array.type):
        array = array.cast(pa.string())  # a direct cast is not always rounded to the nearest float64
    return _filled(array.cast(pa.float64(), safe=False), np.nan)


def to_held_float64(array: Any, column: str, rows_before: int) -> np.ndarray:
    """The same; CellError where a whole number is none that float64 holds.

    Args:
        array: A pyarrow array of numbers.
        column: The name of the column, for errors.
        rows_before: The number of rows before these.
    """
    import pyarrow as pa

    floats = to_float64(array)
    if not pa.types.is_floating(array.type):
        require_held(
            column, floats, rows_before, lambda large: array.take(pa.array(large)).cast(pa.string()).to_pylist()
        )
    return floats


def to_datetime64(array: Any) -> np.ndarray:
    """A pyarrow array of dates in microseconds, with NaT where it has no value."""
    import pyarrow as pa

    array = array.cast(pa.timestamp("us", getattr(array.type, "tz", None)), safe=False)
    return _filled(array.cast(pa.int64()), np.iinfo(np.int64).min).view("M8[us]")


def _filled(array: Any, missing: Any) -> np.ndarray:
    # Not to_numpy and not fill_null: both import pandas, which takes longer than reading a million rows.
    import pyarrow as pa

    bare = pa.Array.from_buffers(array.type, len(array), [None, array.buffers()[1]], offset=array.offset)
    values = np.from_dlpack(bare).copy()
    if array.null_count:
        values[np.from_dlpack(array.is_null().cast(pa.uint8())) == 1] = missing
    return values
