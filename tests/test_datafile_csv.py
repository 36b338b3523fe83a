"""CSV files: what is read, bit for bit, what is refused, and the error."""

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyexp.problem.files import csv as csv_format
from polyexp.problem.files import parquet as parquet_format
from tests.helpers.datafiles import DROP, as_csv, assert_bits, columns, refusal, written

pytestmark = pytest.mark.usefixtures("working_folder")

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
        for module in (csv_format, parquet_format):
            patch.setattr(module, "BYTES_PER_BLOCK", 40)
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


CSV_REFUSED = {
    "text": (b"x,y\n1,2\n\n3,abc\n", "`problem.y` must be a column of numbers, got 'abc' in row 2 of column 'y'."),
    "long text": (
        b"x,y\n" + b"a" * 500 + b",2\n",
        f"`problem.x` must be a column of numbers, got '{'a' * 37}...' in row 1",
    ),
    "decimal commas": (
        b'x;y\n1;"2,5"\n',
        "`problem.y` must be a column of numbers, got '2,5' in row 1 of column 'y'; `problem.decimal=comma` reads",
    ),
    "booleans": (b"x,y\n1,true\n", "`problem.y` must be a column of numbers, got 'true' in row 1 of column 'y'."),
    "dates": (
        b"x,y\n2020-01-01,1\n",
        "`problem.x` must be a column of numbers, got '2020-01-01' in row 1 of column 'x'; `problem.dates=days`",
    ),
    "nan": (
        b"x,y\n1,2\nnan,2\n",
        f"`problem.x` must be a column of finite numbers, got nan or an empty cell in row 2 of column 'x'{DROP}",
    ),
    "nothing": (
        b"x,y\n1,2\n1,2\n1,\n",
        f"`problem.y` must be a column of finite numbers, got nan or an empty cell in row 3 of column 'y'{DROP}",
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
    "no column": (
        b"x,years\n1,2\n",
        "`problem.y` must be one of the columns 'x', 'years' (its first row), and means 'y' where it is left out",
    ),
    "no header": (
        b"1,2\n3,4\n",
        "`problem.x` must be one of the columns '1', '2' (its first row), and means 'x' where it is left out: "
        "type `problem.x=...` with one of them. Columns",
    ),
    "many columns": (
        ",".join(f"c{i}" for i in range(100)).encode(),
        f"`problem.x` must be one of the columns {', '.join(repr(f'c{i}') for i in range(20))}, 80 more (its first row), "
        "and means 'x' where it is left out: type `problem.x=...` with one of them.",
    ),
    "doubled column": (
        b"x,y,x\n1,2,3\n",
        "`problem.x` must name one column, got 'x', which is the name of 2 columns.",
    ),
    "empty": (b"", "`problem.path` must name a file with rows of data, got 'a.csv', which is empty."),
    "blank": (b"\n \n", "`problem.path` must name a file with rows of data, got 'a.csv', which has none."),
    "header only": (b"x,y\n", "`problem.path` must name a file with rows of data, got 'a.csv', which has none."),
    "unfinished header": (b"x,y", "`problem.path` must name a file with rows of data, got 'a.csv', which has none."),
    "UTF-16 without a mark": (
        "x,y\n1,2\n".encode("utf-16-le"),
        "`problem.path` must be a readable CSV file, got 'a.csv' (it is not text in UTF-8; `problem.encoding=utf-16-le`",
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
