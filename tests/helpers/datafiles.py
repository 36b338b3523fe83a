"""Data files that tests write into the current folder, and what polyexp reads from them."""

import csv
import gzip
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from polyexp import InputError
from polyexp.problem import DataFile

X = np.array([0.1, -2.5e-308, 1e300, 5e-324, -0.0])
Y = np.array([1 / 3, 2.0, 3.0, -1e-5, 1.7976931348623157e308])
W = np.array([1.0, 0.0, 0.25, 2.0, 1e-9])
DROP = "; `problem.on_bad_rows=drop` leaves such rows out."


def columns(**fields: Any) -> list[np.ndarray]:
    """Everything that a file gives: x, y and weights, each as one array."""
    return [np.concatenate(column) for column in zip(*DataFile(**fields).chunks(), strict=True)]


def assert_bits(actual: Any, expected: Any) -> None:
    """Equal bit for bit, the signs of zeros included."""
    np.testing.assert_array_equal(np.asarray(actual).view(np.int64), np.asarray(expected, float).view(np.int64))


def written(name: str, data: Any) -> str:
    """The file's name, with the data in it: bytes as they are, columns as a table."""
    if name.endswith(".npz"):
        (np.savez_compressed if name.startswith("compressed") else np.savez)(name, **data)
    elif name.endswith(".parquet"):
        parquet.write_table(pa.table(data), name, row_group_size=2)
    else:
        text = data if isinstance(data, bytes) else as_csv(data)
        with (gzip.open if name.endswith(".gz") else open)(name, "wb") as file:
            file.write(text)
    return name


def as_csv(data: Mapping[str, Any], **options: Any) -> bytes:
    """The columns as the text of a CSV file."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, **options)
    writer.writerow(data)
    writer.writerows([repr(float(value)) for value in row] for row in zip(*data.values(), strict=True))
    return text.getvalue().encode()


def refusal(name: str, **fields: Any) -> str:
    """The error with which a file is refused."""
    with pytest.raises(InputError) as error:
        columns(path=name, **fields)
    assert "\n" not in str(error.value)
    return str(error.value)
