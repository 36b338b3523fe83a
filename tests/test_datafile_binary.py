"""Parquet and npz files: what is read, what is refused, and the error."""

import datetime
import zipfile
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.helpers.datafiles import Y, assert_bits, columns, refusal, written

pytestmark = pytest.mark.usefixtures("working_folder")

NUMBERS = {
    "int8": pa.array([-1, 2], pa.int8()),
    "int64": pa.array([2**53 + 4, -(2**63)], pa.int64()),
    "uint64": pa.array([2**64 - 2**11, 0], pa.uint64()),
    "float16": pa.array(np.array([0.1, 65504], np.float16)),
    "float32": pa.array([0.1, 1e-45], pa.float32()),
    "decimal": pa.array([Decimal("0.1"), Decimal("-12.3456789012345678")], pa.decimal128(30, 16)),
    "dictionary": pa.array([0.1, 0.1]).dictionary_encode(),
}


@pytest.mark.parametrize("numbers", NUMBERS.values(), ids=NUMBERS)
def test_parquet_numbers_become_float64(numbers):
    written("a.parquet", {"x.y": [0.0, 0.0], "x": numbers, "y": [1.0, 2.0]})
    assert_bits(columns(path="a.parquet")[0], [float(value) for value in numbers.to_pylist()])


def test_decimals_become_the_nearest_float64():
    random = np.random.RandomState(0)
    decimals = [Decimal(int(n)).scaleb(-9) for n in random.randint(-(10**17), 10**17, 2000)]
    written("a.parquet", {"x": pa.array(decimals, pa.decimal128(18, 9)), "y": np.zeros(2000)})
    assert_bits(columns(path="a.parquet")[0], [float(Fraction(value)) for value in decimals])


PARQUET_REFUSED = {
    "bool": [True, False],
    "date32[day]": [datetime.date(2020, 1, 1)] * 2,
    "timestamp[us]": [datetime.datetime(2020, 1, 1)] * 2,
    "string": ["1", "2"],
    "list<element: double>": [[1.0], [2.0]],
    "struct<x: double>": [{"x": 1.0}] * 2,
}


@pytest.mark.parametrize(("kind", "values"), PARQUET_REFUSED.items(), ids=PARQUET_REFUSED)
def test_parquet_columns_that_are_refused(kind, values):
    written("a.parquet", {"x": values, "y": [1.0, 2.0]})
    hint = "; `problem.dates=days` or `=seconds` reads dates" if kind.startswith(("date", "timestamp")) else ""
    assert refusal("a.parquet") == f"`problem.x` must be a column of numbers, got 'x', which holds {kind}{hint}."


def test_parquet_rows_without_a_number():
    written("a.parquet", {"x": [1, 2, None], "y": pa.array([None, None, 1.5])})
    assert "nan or an empty cell in row 1 of column 'y'" in refusal("a.parquet")
    written("a.parquet", {"x": [1, 2, None], "y": pa.nulls(3)})
    assert "3 of 3 rows" in refusal("a.parquet", on_bad_rows="drop")


def test_parquet_with_doubled_column():
    parquet.write_table(pa.table([pa.array([1.0])] * 3, names=["x", "x", "y"]), "a.parquet")
    assert refusal("a.parquet") == "`problem.x` must name one column, got 'x', which is the name of 2 columns."


@pytest.mark.parametrize("dtype", ["b1", "i1", "u8", "f2", ">f4", ">i8", "longdouble", "c16", "U3", "M8[s]"])
def test_npz_dtypes(dtype):
    x = np.array([0, 1]).astype(dtype)
    written("a.npz", {"x": x, "y": Y[:2]})
    if x.dtype.kind in "iuf":
        assert_bits(columns(path="a.npz")[0], [0, 1])
    else:
        hint = "; `problem.dates=days` or `=seconds` reads dates" if x.dtype.kind == "M" else ""
        holds = f"{x.dtype} of shape (2,){hint}"
        assert refusal("a.npz") == f"`problem.x` must be a column of numbers, got 'x', which holds {holds}."


def test_npz_arrays_that_are_refused():
    written("a.npz", {"x": np.ones((2, 1)), "y": np.array([None, 1])})
    assert refusal("a.npz") == "`problem.x` must be a column of numbers, got 'x', which holds float64 of shape (2, 1)."
    assert (
        refusal("a.npz", x="y") == "`problem.x` must be a column of numbers, got 'y', which holds object of shape (2,)."
    )
    written("a.npz", {"x": np.ones(2), "y": np.ones(3)})
    reason = "its arrays x, y have lengths 2, 3"
    assert refusal("a.npz") == f"`problem.path` must be a readable NPZ file, got 'a.npz' ({reason})."
    with zipfile.ZipFile("a.npz", "w") as archive:
        archive.writestr("x.npy", b"no array")
    assert refusal("a.npz").startswith("`problem.path` must be a readable NPZ file, got 'a.npz' (")
