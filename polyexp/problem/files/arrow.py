"""Functions shared by the formats that pyarrow reads. pyarrow is imported when such a file is opened."""

from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["open_binary", "to_float64"]


def open_binary(path: Path) -> Any:
    """The file, opened by pyarrow for reading."""
    import pyarrow as pa

    return pa.OSFile(str(path))


def to_float64(array: Any) -> np.ndarray:
    """A pyarrow array in float64, with nan where it has no value."""
    import pyarrow as pa

    if pa.types.is_decimal(array.type):
        array = array.cast(pa.string())  # a direct cast is not always rounded to the nearest float64
    array = array.cast(pa.float64(), safe=False)
    # Not to_numpy and not fill_null: both import pandas, which takes longer than reading a million rows.
    bare = pa.Array.from_buffers(array.type, len(array), [None, array.buffers()[1]], offset=array.offset)
    floats = np.from_dlpack(bare).copy()
    if array.null_count:
        floats[np.from_dlpack(array.is_null().cast(pa.uint8())) == 1] = np.nan
    return floats
