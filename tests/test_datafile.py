"""Data files of every format: what is read, bit for bit, what is refused, and the error."""

from dataclasses import asdict

import numpy as np
import pytest
from omegaconf import OmegaConf

from polyexp import InputError
from polyexp.problem import DataFile
from polyexp.problem.files import csv as csv_format
from polyexp.problem.files import data_file
from polyexp.problem.files import npz as npz_format
from polyexp.problem.files import parquet as parquet_format
from tests.helpers.config import composed
from tests.helpers.datafiles import DROP, W, X, Y, assert_bits, columns, refusal, written

pytestmark = pytest.mark.usefixtures("working_folder")

NAMES = [
    "a.csv",
    "A.CSV",
    "a.csv.gz",
    "a.parquet",
    "a.npz",
    "compressed.npz",
    "mit Leerzeichen, größer 数.csv",
    "ü.parquet",
]


@pytest.mark.parametrize("name", NAMES)
def test_what_was_written_is_read(name):
    written(name, {"x": X, "other": Y * 0, "y": Y, "weight": W})
    for weight, expected in ((None, np.ones(5)), ("weight", W)):
        x, y, weights = columns(path=name, weight=weight)
        assert_bits(x, X)
        assert_bits(y, Y)
        assert_bits(weights, expected)
        assert x.flags.writeable


@pytest.mark.parametrize("name", NAMES)
def test_size_of_chunks_does_not_matter(name, monkeypatch):
    written(name, {"x": X, "y": Y, "weight": W})
    for size in (1, 2, 3, 5):
        monkeypatch.setattr(data_file, "SAMPLES_PER_CHUNK", size)
        for module in (npz_format, parquet_format):
            monkeypatch.setattr(module, "ROWS_PER_PART", 3)
        chunks = list(DataFile(path=name, weight="weight").chunks())
        assert max(chunk.x.size for chunk in chunks) <= size
        for column, expected in zip(zip(*chunks, strict=True), (X, Y, W), strict=True):
            assert_bits(np.concatenate(column), expected)


def test_one_column_may_serve_twice():
    assert [column.tolist() for column in columns(path=written("a.csv", b"t\n1\n3\n"), x="t", y="t", weight="t")] == [
        [1, 3]
    ] * 3


def test_negative_weight_is_refused():
    name = written("a.csv", b"x,y,w\n1,2,0\n3,4,-0.5\n")
    wanted = "`problem.weight` must be a column of finite numbers of at least 0, got -0.5 in row 2 of column 'w'"
    assert refusal(name, weight="w") == wanted + DROP


def test_weights_that_are_all_zero_are_refused():
    name = written("a.csv", b"x,y,w\n1,2,0\n3,4,0\n")
    assert refusal(name, weight="w") == "`problem.weight` must name a column with a number above 0, got 'w'."


BAD = {"x": [1, np.nan, 2, np.inf, 3, 4], "y": [1, 2, 3, 4, -np.inf, 6], "w": [1, 1, 1, 1, 1, -1]}


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet", "a.npz"])
@pytest.mark.parametrize("size", [1, 4, 100])
def test_bad_rows_are_dropped_and_counted(name, size, monkeypatch):
    for module in (npz_format, parquet_format):
        monkeypatch.setattr(module, "ROWS_PER_PART", size)
    file = DataFile(path=written(name, BAD), weight="w", on_bad_rows="drop")
    for _ in range(2):  # a second reading counts from 0 again
        notices = []
        x, y, weights = (np.concatenate(column) for column in zip(*file.chunks(on_dropped=notices.append), strict=True))
        assert (x.tolist(), y.tolist(), weights.tolist()) == ([1, 2], [1, 3], [1, 1])
        (dropped,) = notices
        assert (dropped.rows, dropped.of, dropped.first) == (4, 6, 2)
        assert (
            str(dropped)
            == f"4 of 6 rows of {name} were dropped; the first was row 2 (nan or an empty cell in column 'x')."
        )
    assert f"nan or an empty cell in row 2 of column 'x'{DROP}" in refusal(name, weight="w")


def test_nothing_dropped_is_not_noticed():
    notices = []
    list(DataFile(path=written("a.csv", b"x,y\n1,2\n"), on_bad_rows="drop").chunks(on_dropped=notices.append))
    assert notices == []


def test_text_is_refused_even_if_bad_rows_are_dropped():
    message = "`problem.y` must be a column of numbers, got 'abc' in row 2 of column 'y'."
    assert refusal(written("a.csv", b"x,y\n1,nan\n1,abc\n1,2\n"), on_bad_rows="drop") == message


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.npz"])
def test_file_without_a_good_row_is_refused(name):
    written(name, {"x": [np.nan, 1.0], "y": [1.0, np.inf]})
    assert refusal(name, on_bad_rows="drop") == (
        f"`problem.path` must name a file with at least one valid row, got '{name}': "
        f"2 of 2 rows of {name} were dropped; the first was row 1 (nan or an empty cell in column 'x')."
    )


@pytest.mark.parametrize("name", ["a.parquet", "a.npz"])
def test_file_without_rows_is_refused(name):
    written(name, {"x": np.array([]), "y": np.array([])})
    assert refusal(name) == f"`problem.path` must name a file with rows of data, got '{name}', which has none."


@pytest.mark.parametrize("name", ["a.csv.gz", "a.parquet", "a.npz", "compressed.npz"])
def test_damaged_file_is_refused(name, working_folder):
    n = 20_000
    written(name, {"x": np.random.RandomState(0).rand(n), "y": np.random.RandomState(1).rand(n)})
    whole = (working_folder / name).read_bytes()
    kind = {"gz": "CSV", "parquet": "Parquet", "npz": "NPZ"}[name.rpartition(".")[2]]
    cut, flipped = whole[: len(whole) // 2], whole[: len(whole) // 2] + bytes(100) + whole[len(whole) // 2 + 100 :]
    for damaged in (
        b"?",
        b"x,y\n1,2\n",
        cut,
        *([] if kind == "Parquet" else [flipped]),
    ):  # Parquet has no checksums here
        (working_folder / name).write_bytes(damaged)
        assert refusal(name).startswith(f"`problem.path` must be a readable {kind} file, got '{name}' (")


def test_file_that_is_not_there(working_folder):
    there = f"(current folder: {working_folder})."
    assert refusal("a.csv") == f"`problem.path` must name a file, got 'a.csv', which does not exist {there}"
    (working_folder / "a.npz").mkdir()
    assert refusal("a.npz") == f"`problem.path` must name a file, got 'a.npz', a folder {there}"
    for read in (DataFile(path="a.csv").check, lambda: DataFile(path="a.csv").stamp):
        with pytest.raises(InputError, match="which does not exist"):
            read()


def test_file_that_may_not_be_read(monkeypatch):
    def denied(*_):
        raise PermissionError(13, "Permission denied")

    written("a.csv", b"x,y\n1,2\n")
    monkeypatch.setattr(csv_format, "open_binary", denied)
    assert refusal("a.csv") == "`problem.path` must be a readable CSV file, got 'a.csv' (Permission denied)."


@pytest.mark.parametrize("path", ["", "a", "a.txt", "a.npy", "csv"])
def test_unknown_ending(path):
    wanted = "`problem.path` must be the name of a .csv, .csv.gz, .tsv, .tsv.gz, .parquet or .npz file"
    with pytest.raises(InputError) as error:
        DataFile(path=path)
    assert str(error.value) == f"{wanted}, got {path!r}."


def test_on_bad_rows_is_checked():
    with pytest.raises(InputError, match=r"`problem.on_bad_rows` must be one of error, drop, got 'dorp'. Did you mean"):
        DataFile(path="a.csv", on_bad_rows="dorp")


def test_check_reads_the_header_only():
    DataFile(path=written("a.csv", b"x,y\n1,abc\n")).check()
    with pytest.raises(
        InputError, match=r"`problem.weight` must be one of the columns 'x', 'y' \(its first row\), got 'w'."
    ):
        DataFile(path="a.csv", weight="w").check()


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet", "a.npz"])
def test_progress_rises_to_one(name, monkeypatch):
    for module in (csv_format, parquet_format):
        monkeypatch.setattr(module, "BYTES_PER_BLOCK", 2**12)
    for module in (npz_format, parquet_format):
        monkeypatch.setattr(module, "ROWS_PER_PART", 100)
    random = np.random.RandomState(0)
    written(name, {"x": random.rand(1000), "y": random.rand(1000)})
    seen = []
    for _ in DataFile(path=name).chunks(on_progress=seen.append):
        pass
    assert len(seen) > 5
    assert seen == sorted(seen)
    assert seen[0] < 1
    assert seen[-1] == 1


def test_errors_of_the_one_who_reads_are_left_alone():
    def fail(_):
        raise ValueError("mine")

    with pytest.raises(ValueError, match=r"^mine$"):
        list(DataFile(path=written("a.csv", b"x,y\n1,2\n")).chunks(on_progress=fail))


def test_name_and_stamp(working_folder):
    (working_folder / "sub").mkdir()
    written("sub/heights.2020.csv.gz", b"x,y\n1,2\n3,4\n")
    file = DataFile(path="sub/heights.2020.csv.gz", loss="sum")
    stat = (working_folder / file.path).stat()
    assert (file.choice, file.label) == ("file", "heights.2020")
    assert file.stamp == (stat.st_size, stat.st_mtime_ns)
    samples = file.samples()
    assert (samples.name, samples.domain, samples.weights.tolist()) == ("heights.2020", (1.0, 3.0), [1.0, 1.0])


def test_configuration_composes(working_folder):
    written("daten 1.csv", b"t,h\n1,2\n")
    overrides = ["problem=file", "problem.path='daten 1.csv'", "problem.x=t", "problem.y=h", "problem.on_bad_rows=drop"]
    cfg, default = composed(*overrides), composed("problem=file")
    file = OmegaConf.to_object(cfg.problem)
    assert file == DataFile(path="daten 1.csv", x="t", y="h", on_bad_rows="drop")
    assert columns(**asdict(file)) == [[1.0], [2.0], [1.0]]
    assert {**default.problem} == asdict(DataFile(path="a.csv")) | {"path": ""}
