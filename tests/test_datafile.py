"""Data files: what is read, bit for bit; what is refused, and the error; and how much memory reading takes."""

import csv
import datetime
import gzip
import io
import zipfile
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from pyarrow import parquet

from polyexp import InputError, datafile, problem
from polyexp.datafile import DataFile
from tests.helpers.commands import loaded_by, run_python
from tests.helpers.config import composed

pytestmark = pytest.mark.numeric

X = np.array([0.1, -2.5e-308, 1e300, 5e-324, -0.0])
Y = np.array([1 / 3, 2.0, 3.0, -1e-5, 1.7976931348623157e308])
W = np.array([1.0, 0.0, 0.25, 2.0, 1e-9])


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def columns(**fields):
    """Everything that a file gives: x, y and weights, each as one array."""
    return [np.concatenate(column) for column in zip(*DataFile(**fields).chunks(), strict=True)]


def assert_bits(actual, expected):
    np.testing.assert_array_equal(np.asarray(actual).view(np.int64), np.asarray(expected, float).view(np.int64))


def written(name, data):
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


def as_csv(data, **options):
    text = io.StringIO(newline="")
    writer = csv.writer(text, **options)
    writer.writerow(data)
    writer.writerows([repr(float(value)) for value in row] for row in zip(*data.values(), strict=True))
    return text.getvalue().encode()


def refusal(name, **fields):
    """The error with which a file is refused."""
    with pytest.raises(InputError) as error:
        columns(path=name, **fields)
    assert "\n" not in str(error.value)
    return str(error.value)


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
        monkeypatch.setattr(problem, "CHUNK", size)
        monkeypatch.setattr(datafile, "ROWS", 3)
        chunks = list(DataFile(path=name, weight="weight").chunks())
        assert max(chunk.x.size for chunk in chunks) <= size
        for column, expected in zip(zip(*chunks, strict=True), (X, Y, W), strict=True):
            assert_bits(np.concatenate(column), expected)


finite = st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.lists(st.tuples(finite, finite), min_size=1, max_size=60),
    st.sampled_from(",;\t"),
    st.sampled_from(["\n", "\r\n"]),
)
@settings(deadline=None, max_examples=60)
def test_numbers_of_a_csv_file_are_bit_identical(tmp_path_factory, rows, delimiter, end):
    x, y = np.array(rows).T
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_bytes(as_csv({"x": x, "y": y}, delimiter=delimiter, lineterminator=end))
    actual = columns(path=str(path))
    assert_bits(actual[0], x)
    assert_bits(actual[1], y)


@given(
    st.lists(st.sampled_from(["1,2,a\n", '1,2,"a\nb"\n', "1,2,\n\n", '"1"," 2","""\r\n,"\n']), max_size=30),
    st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_rows_are_counted_across_lines_and_blocks(tmp_path_factory, rows, is_text):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    value = "?" if is_text else "inf"
    path.write_text("x,y,note\n" + "".join(rows) + f"1,{value},\n" + "".join(rows), newline="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datafile, "BLOCK", 40)
        assert f"in row {len(rows) + 1} of column 'y'" in refusal(str(path))


PLAIN = [[1.0, 3.0], [2.0, 4.0], [1.0, 1.0]]
CSV_READ = {
    "byte order mark and CRLF": b"\xef\xbb\xbfx,y\r\n1,2\r\n3,4\r\n",
    "old line ends": b"x,y\r1,2\r3,4\r",
    "no line end": b"x,y\n1,2\n3,4",
    "blank lines": b"\n\nx,y\n\n1,2\n\n3,4\n\n",
    "quotes": b'"x","y"\n"1","2"\n"3","4"\n',
    "quoted delimiter, quote and line end": b'"a\nb",x,y\n"c,d",1,2\n"e ""f"" \ng",3,4\n',
    "spaces": b"x, y \n 1 , 2\n3 ,4 \n",
    "signs and exponents": b"x,y\n+1.,2E0\n+.3e+1,40d-1\n".replace(b"40d-1", b"40e-1"),
    "semicolons": b"x;y\n1;2\n3;4\n",
    "tabs": b"y\tx\n2\t1\n4\t3\n",
    "other columns are not looked at": b"t,x,\xff,y\n2020-01-01,1,\xff,2\n,3,nan,4\n",
    "doubled columns that are not asked for": b"a,x,a,y\n0,1,0,2\n0,3,0,4\n",
}


@pytest.mark.parametrize("text", CSV_READ.values(), ids=CSV_READ)
def test_csv_that_is_read(text):
    assert [column.tolist() for column in columns(path=written("a.csv", text))] == PLAIN


def test_compressed_csv_in_several_members():
    with open("a.csv.gz", "wb") as file:
        file.write(gzip.compress(b"x,y\n1,2\n") + gzip.compress(b"3,4\n"))
    assert [column.tolist() for column in columns(path="a.csv.gz")] == PLAIN


def test_one_column_may_serve_twice():
    assert [column.tolist() for column in columns(path=written("a.csv", b"t\n1\n3\n"), x="t", y="t", weight="t")] == [
        [1, 3]
    ] * 3


DROP = "; `problem.on_bad_rows=drop` leaves such rows out."
CSV_REFUSED = {
    "text": (b"x,y\n1,2\n\n3,abc\n", "`problem.y` must be a column of numbers, got 'abc' in row 2 of column 'y'."),
    "long text": (
        b"x,y\n" + b"a" * 500 + b",2\n",
        f"`problem.x` must be a column of numbers, got '{'a' * 37}...' in row 1",
    ),
    "decimal commas": (b'x;y\n1;"2,5"\n', "`problem.y` must be a column of numbers, got '2,5' in row 1 of column 'y'."),
    "booleans": (b"x,y\n1,true\n", "`problem.y` must be a column of numbers, got 'true' in row 1 of column 'y'."),
    "dates": (
        b"x,y\n2020-01-01,1\n",
        "`problem.x` must be a column of numbers, got '2020-01-01' in row 1 of column 'x'.",
    ),
    "nan": (
        b"x,y\n1,2\nnan,2\n",
        f"`problem.x` must be a column of finite numbers, got nan or nothing in row 2 of column 'x'{DROP}",
    ),
    "nothing": (
        b"x,y\n1,2\n1,2\n1,\n",
        f"`problem.y` must be a column of finite numbers, got nan or nothing in row 3 of column 'y'{DROP}",
    ),
    "infinite": (
        b"x,y\n1,-inf\n",
        f"`problem.y` must be a column of finite numbers, got -inf in row 1 of column 'y'{DROP}",
    ),
    "too large": (
        b"x,y\n1,1e400\n",
        f"`problem.y` must be a column of finite numbers, got inf in row 1 of column 'y'{DROP}",
    ),
    "too many values": (
        b"x,y\n1,2\n3,4,5\n",
        "`problem.path` must be a readable CSV file, got 'a.csv' (row 2 has 3 values and the header 2).",
    ),
    "too few values": (
        b"x,y\n1\n",
        "`problem.path` must be a readable CSV file, got 'a.csv' (row 1 has 1 value and the header 2).",
    ),
    "no column": (b"x,years\n1,2\n", "`problem.y` must be one of the columns x, years (its first row), got 'y'."),
    "no header": (b"1,2\n3,4\n", "`problem.x` must be one of the columns 1, 2 (its first row), got 'x'."),
    "many columns": (
        ",".join(f"c{i}" for i in range(100)).encode(),
        f"`problem.x` must be one of the columns {', '.join(f'c{i}' for i in range(20))}, 80 more (its first row), got 'x'.",
    ),
    "doubled column": (b"x,y,x\n1,2,3\n", "`problem.x` must name one column, got 'x', which 2 columns are called."),
    "empty": (b"", "`problem.path` must name a file with rows of data, got 'a.csv', which is empty."),
    "blank": (b"\n \n", "`problem.path` must name a file with rows of data, got 'a.csv', which has none."),
    "header only": (b"x,y\n", "`problem.path` must name a file with rows of data, got 'a.csv', which has none."),
    "unfinished header": (b"x,y", "`problem.path` must name a file with rows of data, got 'a.csv', which has none."),
    "UTF-16": (
        "x,y\n1,2\n".encode("utf-16"),
        "`problem.path` must be a readable CSV file, got 'a.csv' (it is not text in UTF-8).",
    ),
    "open quote": (
        b'x,y\n1,"2\n' + b"3,4\n" * 2**19,
        "`problem.path` must be a readable CSV file, got 'a.csv' (a row is longer than 1048576 bytes, or a quote is",
    ),
}


@pytest.mark.parametrize(("text", "message"), CSV_REFUSED.values(), ids=CSV_REFUSED)
def test_csv_that_is_refused(text, message):
    assert refusal(written("a.csv", text)).startswith(message)


def test_nearest_column_is_named():
    name = written("a.csv", b"time,height\n1,2\n")
    assert refusal(name, x="tim", y="height").endswith("got 'tim'. Did you mean 'time'?")
    assert refusal(name, x="time", y="height", weight="hight").startswith("`problem.weight` must be one of the columns")


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
    monkeypatch.setattr(datafile, "ROWS", size)
    file = DataFile(path=written(name, BAD), weight="w", on_bad_rows="drop")
    for _ in range(2):  # a second reading counts from 0 again
        notices = []
        x, y, weights = (np.concatenate(column) for column in zip(*file.chunks(notice=notices.append), strict=True))
        assert (x.tolist(), y.tolist(), weights.tolist()) == ([1, 2], [1, 3], [1, 1])
        (dropped,) = notices
        assert (dropped.rows, dropped.of, dropped.first) == (4, 6, 2)
        assert str(dropped) == f"4 of 6 rows of {name} were dropped, the first is row 2 (nan or nothing in column 'x')."
    assert f"nan or nothing in row 2 of column 'x'{DROP}" in refusal(name, weight="w")


def test_nothing_dropped_is_not_noticed():
    notices = []
    list(DataFile(path=written("a.csv", b"x,y\n1,2\n"), on_bad_rows="drop").chunks(notice=notices.append))
    assert notices == []


def test_text_is_refused_even_if_bad_rows_are_dropped():
    message = "`problem.y` must be a column of numbers, got 'abc' in row 2 of column 'y'."
    assert refusal(written("a.csv", b"x,y\n1,nan\n1,abc\n1,2\n"), on_bad_rows="drop") == message


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.npz"])
def test_file_without_a_good_row_is_refused(name):
    written(name, {"x": [np.nan, 1.0], "y": [1.0, np.inf]})
    assert refusal(name, on_bad_rows="drop") == (
        f"`problem.path` must name a file with a good row, got '{name}': "
        f"2 of 2 rows of {name} were dropped, the first is row 1 (nan or nothing in column 'x')."
    )


@pytest.mark.parametrize("name", ["a.parquet", "a.npz"])
def test_file_without_rows_is_refused(name):
    written(name, {"x": np.array([]), "y": np.array([])})
    assert refusal(name) == f"`problem.path` must name a file with rows of data, got '{name}', which has none."


NUMBERS = {
    "int8": pa.array([-1, 2], pa.int8()),
    "int64": pa.array([2**53 + 3, -(2**63)], pa.int64()),
    "uint64": pa.array([2**64 - 1, 0], pa.uint64()),
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
    assert refusal("a.parquet") == f"`problem.x` must be a column of numbers, got 'x', which holds {kind}."


def test_parquet_rows_without_a_number():
    written("a.parquet", {"x": [1, 2, None], "y": pa.array([None, None, 1.5])})
    assert "nan or nothing in row 1 of column 'y'" in refusal("a.parquet")
    written("a.parquet", {"x": [1, 2, None], "y": pa.nulls(3)})
    assert "3 of 3 rows" in refusal("a.parquet", on_bad_rows="drop")


def test_parquet_with_doubled_column():
    parquet.write_table(pa.table([pa.array([1.0])] * 3, names=["x", "x", "y"]), "a.parquet")
    assert refusal("a.parquet") == "`problem.x` must name one column, got 'x', which 2 columns are called."


@pytest.mark.parametrize("dtype", ["b1", "i1", "u8", "f2", ">f4", ">i8", "longdouble", "c16", "U3", "M8[s]"])
def test_npz_dtypes(dtype):
    x = np.array([0, 1]).astype(dtype)
    written("a.npz", {"x": x, "y": Y[:2]})
    if x.dtype.kind in "iuf":
        assert_bits(columns(path="a.npz")[0], [0, 1])
    else:
        assert (
            refusal("a.npz")
            == f"`problem.x` must be a column of numbers, got 'x', which holds {x.dtype} of shape (2,)."
        )


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


@pytest.mark.parametrize("name", ["a.csv.gz", "a.parquet", "a.npz", "compressed.npz"])
def test_damaged_file_is_refused(name, folder):
    n = 20_000
    written(name, {"x": np.random.RandomState(0).rand(n), "y": np.random.RandomState(1).rand(n)})
    whole = (folder / name).read_bytes()
    kind = {"gz": "CSV", "parquet": "Parquet", "npz": "NPZ"}[name.rpartition(".")[2]]
    cut, flipped = whole[: len(whole) // 2], whole[: len(whole) // 2] + bytes(100) + whole[len(whole) // 2 + 100 :]
    for damaged in (
        b"?",
        b"x,y\n1,2\n",
        cut,
        *([] if kind == "Parquet" else [flipped]),
    ):  # Parquet has no checksums here
        (folder / name).write_bytes(damaged)
        assert refusal(name).startswith(f"`problem.path` must be a readable {kind} file, got '{name}' (")


def test_file_that_is_not_there(folder):
    there = f"(current folder: {folder})."
    assert refusal("a.csv") == f"`problem.path` must name a file, got 'a.csv', which is not there {there}"
    (folder / "a.npz").mkdir()
    assert refusal("a.npz") == f"`problem.path` must name a file, got 'a.npz', a folder {there}"
    for read in (DataFile(path="a.csv").check, lambda: DataFile(path="a.csv").stamp):
        with pytest.raises(InputError, match="which is not there"):
            read()


def test_file_that_may_not_be_read(monkeypatch):
    def denied(*_):
        raise PermissionError(13, "Permission denied")

    written("a.csv", b"x,y\n1,2\n")
    monkeypatch.setattr(datafile, "_opened", denied)
    assert refusal("a.csv") == "`problem.path` must be a readable CSV file, got 'a.csv' (Permission denied)."


@pytest.mark.parametrize("path", ["", "a", "a.txt", "a.npy", "csv"])
def test_unknown_ending(path):
    wanted = "`problem.path` must be the name of a .csv, .csv.gz, .parquet or .npz file"
    with pytest.raises(InputError) as error:
        DataFile(path=path)
    assert str(error.value) == f"{wanted}, got {path!r}."


def test_on_bad_rows_is_checked():
    with pytest.raises(InputError, match=r"`problem.on_bad_rows` must be one of error, drop, got 'dorp'. Did you mean"):
        DataFile(path="a.csv", on_bad_rows="dorp")


def test_check_reads_the_header_only():
    DataFile(path=written("a.csv", b"x,y\n1,abc\n")).check()
    with pytest.raises(
        InputError, match=r"`problem.weight` must be one of the columns x, y \(its first row\), got 'w'."
    ):
        DataFile(path="a.csv", weight="w").check()


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet", "a.npz"])
def test_progress_rises_to_one(name, monkeypatch):
    monkeypatch.setattr(datafile, "BLOCK", 2**12)
    monkeypatch.setattr(datafile, "ROWS", 100)
    random = np.random.RandomState(0)
    written(name, {"x": random.rand(1000), "y": random.rand(1000)})
    seen = []
    for _ in DataFile(path=name).chunks(progress=seen.append):
        pass
    assert len(seen) > 5
    assert seen == sorted(seen)
    assert seen[0] < 1
    assert seen[-1] == 1


def test_errors_of_the_one_who_reads_are_left_alone():
    def fail(_):
        raise ValueError("mine")

    with pytest.raises(ValueError, match=r"^mine$"):
        list(DataFile(path=written("a.csv", b"x,y\n1,2\n")).chunks(progress=fail))


def test_name_and_stamp(folder):
    (folder / "sub").mkdir()
    written("sub/heights.2020.csv.gz", b"x,y\n1,2\n3,4\n")
    file = DataFile(path="sub/heights.2020.csv.gz", loss="sum")
    stat = (folder / file.path).stat()
    assert (file.choice, file.label) == ("file", "heights.2020")
    assert file.stamp == (stat.st_size, stat.st_mtime_ns)
    samples = file.samples()
    assert (samples.name, samples.domain, samples.weights.tolist()) == ("heights.2020", (1.0, 3.0), [1.0, 1.0])


def test_configuration_composes(folder):
    written("daten 1.csv", b"t,h\n1,2\n")
    overrides = ["problem=file", "problem.path='daten 1.csv'", "problem.x=t", "problem.y=h", "problem.on_bad_rows=drop"]
    cfg, default = composed(*overrides), composed("problem=file")
    file = OmegaConf.to_object(cfg.problem)
    assert file == DataFile(path="daten 1.csv", x="t", y="h", on_bad_rows="drop")
    assert columns(**vars(file)) == [[1.0], [2.0], [1.0]]
    assert {**default.problem} == vars(DataFile(path="a.csv")) | {"path": ""}


MEASURE = """
import resource, sys
from polyexp.datafile import DataFile
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
    assert loaded_by("import polyexp.datafile") == []
    written("a.csv", b"x,y\n1,2\n")
    code = "import sys, polyexp.datafile; list(polyexp.datafile.DataFile(path=sys.argv[1]).chunks())"
    assert loaded_by(code, "a.csv") == ["pyarrow"]
