"""How much memory reading takes, and what it imports."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.helpers.commands import loaded_by, run_python
from tests.helpers.datafiles import as_csv, written

pytestmark = pytest.mark.usefixtures("working_folder")

MEASURE = """
import resource, sys
from polyexp.problem import DataFile
from tests.helpers.commands import loaded_by, run_python
from tests.helpers.config import composed

def rows(path):
    return sum(chunk.x.size for chunk in DataFile(path=path, weight="w").chunks())

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

small, big = sys.argv[1:]
rows(small)
before = peak()
print(rows(big), peak() - before)
"""
BIG = 3_000_000


@pytest.fixture(scope="module")
def big_files(tmp_path_factory):
    """Files of 3 million rows, 72 MB as float64 (the CSV has 380 MB of text), each beside one of a few rows."""
    folder = tmp_path_factory.mktemp("big")
    part = {name: np.random.RandomState(number).rand(30_000) for number, name in enumerate("xyw")}
    head, _, text = as_csv(part).replace(b"\r", b"," + b"note " * 12 + b"\r").partition(b"\n")
    with (folder / "big.csv").open("wb") as file:
        file.write(head + b"\n")
        for _ in range(BIG // 30_000):
            file.write(text)
    whole = {name: np.random.RandomState(number).rand(BIG) for number, name in enumerate("xyw")}
    parquet.write_table(
        pa.table(whole), folder / "big.parquet", row_group_size=BIG
    )  # the memory must not depend on this
    np.savez(folder / "big.npz", **whole)
    (folder / "small.csv").write_bytes(as_csv({name: [1] for name in "xyw"}))
    parquet.write_table(pa.table({name: [1.0] for name in "xyw"}), folder / "small.parquet")
    np.savez(folder / "small.npz", **{name: np.ones(1) for name in "xyw"})
    return folder


@pytest.mark.parametrize(("ending", "megabytes"), [("csv", 110), ("parquet", 40), ("npz", 20)])
def test_memory_is_bounded(ending, megabytes, big_files):
    files = [big_files / f"{size}.{ending}" for size in ("small", "big")]
    done = run_python(MEASURE, *files)
    assert done.code == 0, done.err
    rows, growth = map(int, done.out.split())
    assert rows == BIG
    assert growth < megabytes


def test_only_reading_imports_pyarrow():
    assert loaded_by("import polyexp") == []
    written("a.csv", b"x,y\n1,2\n")
    code = "import sys, polyexp; list(polyexp.DataFile(path=sys.argv[1]).chunks())"
    assert loaded_by(code, "a.csv") == ["pyarrow"]
