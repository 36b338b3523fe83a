"""Data files in the forms that people have them in: exactly the numbers that are read, with the setting where one is needed."""

import gzip
from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from polyexp import DataFile, InputError
from polyexp.problem.files import csv as csv_format
from tests.helpers.datafiles import assert_bits, columns, refusal, written

pytestmark = pytest.mark.usefixtures("working_folder")

X, Y = [0.5, 2.0, -3.25], [10.0, 1e-3, 7.0]
ROWS = [("0.5", "10"), ("2", "1e-3"), ("-3.25", "7")]


def text(*rows, between=",", end="\n"):
    return "".join(between.join(row) + end for row in rows)


def with_commas(between):
    rows = [[cell.replace(".", ",") for cell in row] for row in ROWS]
    return text(("x", "y"), *rows, between=between)


BY_NUMBER = {"x": "0", "y": "1"}
FORMS = {
    # without a header
    "no header": ("a.csv", text(*ROWS), BY_NUMBER),
    "no header, said so": ("a.csv", text(*ROWS), {**BY_NUMBER, "header": "false"}),
    "no header, numbers of columns as int and bool": ("a.csv", text(*ROWS), {"x": 0, "y": 1, "header": False}),
    "no header, third column": ("a.csv", text(*[(b, "7", a) for a, b in ROWS]), {"x": "2", "y": "0"}),
    "no header, column of text": ("a.csv", text(*[("A", *row) for row in ROWS]), {"x": "1", "y": "2"}),
    "no header, semicolons": ("a.csv", text(*ROWS, between=";"), BY_NUMBER),
    "no header, blanks": ("a.csv", text(*ROWS, between="  "), BY_NUMBER),
    "no header, an empty cell first": ("a.csv", text(("", ""), *ROWS), {**BY_NUMBER, "on_bad_rows": "drop"}),
    "header of numbers": ("a.csv", text(("2019", "2020"), *ROWS), {"x": "2019", "y": "2020"}),
    "header of the columns' own numbers": ("a.csv", text(("0", "1"), *ROWS), {**BY_NUMBER, "header": "true"}),
    "header with numbers and text": ("a.csv", text(("a", "0", "1"), *[("q", *row) for row in ROWS]), BY_NUMBER),
    # lines that are no rows
    "lines of blanks": ("a.csv", text(("x", "y"), ROWS[0], ("  ",), *ROWS[1:], (" ",)), {}),
    "the delimiter named as by Excel": ("a.csv", "sep=;\n" + text(("x", "y"), *ROWS, between=";"), {}),
    # delimiters
    "tsv": ("a.tsv", text(("x", "y"), *ROWS, between="\t"), {}),
    "tsv, compressed": ("a.tsv.gz", text(("x", "y"), *ROWS, between="\t"), {}),
    "tsv with commas in its names": (
        "A.TSV",
        text(("x, in, m", "y, in, s"), *ROWS, between="\t"),
        {"x": "x, in, m", "y": "y, in, s"},
    ),
    "tsv that has commas": ("a.tsv", text(("x", "y"), *ROWS), {}),
    "a name with semicolons": ("a.csv", text(("x;a;b", "y"), *ROWS), {"x": "x;a;b"}),
    "bars": ("a.csv", text(("x", "y"), *ROWS, between="|"), {"delimiter": "|"}),
    "semicolon as a character": ("a.csv", text(("x", "y"), *ROWS, between=";"), {"delimiter": ";"}),
    "semicolon by name": ("a.csv", text(("x", "y"), *ROWS, between=";"), {"delimiter": "semicolon"}),
    "comma by name": ("a.csv", text(("x", "y;;;"), *ROWS), {"delimiter": "comma", "y": "y;;;"}),
    "tab by name": ("a.csv", text(("x", "y,,,"), *ROWS, between="\t"), {"delimiter": "tab", "y": "y,,,"}),
    "blank": ("a.csv", text(("x", "y"), *ROWS, between=" "), {}),
    "blanks and tabs": ("a.csv", "  x \t y\n0.5    10  \n\t2 1e-3\n -3.25\t\t7", {"delimiter": "blank"}),
    "blanks, tabs in rows": ("a.csv", " x  y \n0.5    10  \n\t2 1e-3\n -3.25\t\t7", {}),
    "blanks by name": ("a.csv", "x,1 y\n0.5 10\n2 1e-3\n-3.25 7\n", {"delimiter": "blank", "x": "x,1"}),
    "blanks and quotes": ("a.csv", '"x a" y\n0.5 10\n2 1e-3\n-3.25 7\n', {"x": "x a"}),
    "one column of a name with a blank": ("a.csv", "x y\n0.5\n2\n-3.25\n", {"x": "x y", "y": "x y"}),
    # decimal commas
    "decimal commas": ("a.csv", with_commas(";"), {"decimal": "comma"}),
    "decimal commas, tabs": ("a.tsv", with_commas("\t"), {"decimal": ","}),
    "decimal commas, blanks": ("a.csv", with_commas(" "), {"decimal": "comma"}),
    "decimal commas in quotes": ("a.csv", 'x,y\n"0,5",10\n2,"1e-3"\n"-3,25",7\n', {"decimal": "comma"}),
    "decimal commas without a header": (
        "a.csv",
        with_commas(";").partition("\n")[2],
        {**BY_NUMBER, "decimal": "comma"},
    ),
    # comments
    "comments before the header": ("a.csv", "# made by hand\n#\n\n" + text(("x", "y"), *ROWS), {}),
    "comments between rows, noticed": ("a.csv", "# a\nx,y\n0.5,10\n  # b, c\n2,1e-3\n-3.25,7\n# end", {}),
    "comments between rows, named": ("a.csv", "x,y\n0.5,10\n#b,c\n2,1e-3\n-3.25,7\n", {"comment": "#"}),
    "comments of percent": ("a.csv", "% a, b\nx,y\n0.5,10\n2,1e-3\n% c\n-3.25,7\n", {"comment": "%"}),
    "comments of two characters": ("a.csv", "// a\nx y\n0.5 10\n2 1e-3\n-3.25 7\n", {"comment": "//"}),
    "comments of a file without header": ("a.csv", "# a\n" + text(*ROWS), BY_NUMBER),
    "header in a comment": ("a.csv", "# made by hand\n# x,y\n" + text(*ROWS), {}),
    "header in a comment, blanks": ("a.csv", "# x y\n" + text(*ROWS, between=" "), {}),
    "header that begins with a sharp": ("a.csv", text(("#x", "y"), *ROWS), {"x": "#x"}),
}


@pytest.mark.parametrize(("name", "content", "fields"), FORMS.values(), ids=FORMS)
def test_form_that_is_read(name, content, fields):
    x, y, weights = columns(path=written(name, content.encode()), **fields)
    assert_bits(x, X)
    assert_bits(np.append(y, 0 * weights), np.append(Y if fields.get("y") != "x y" else X, np.zeros(3)))


def test_what_savetxt_writes():
    np.savetxt("a.csv", np.column_stack([X, Y]), header="time height")
    x, y, _ = columns(path="a.csv", x="time", y="height")
    assert_bits(x, X)
    assert_bits(y, Y)


ENCODINGS = {
    "utf-8": {},
    "utf-8-sig": {},
    "utf-16": {},
    "utf-32": {},
    "latin-1": {},
    "cp1252": {},
    "utf-16-le": {"encoding": "utf-16-le"},
    "utf-16-be": {"encoding": "utf-16-be"},
    "utf-7": {"encoding": "utf-7"},
    "mac-roman": {"encoding": "mac-roman"},
    "cp500": {"encoding": "cp500"},  # EBCDIC
}


@pytest.mark.parametrize("size", [2**20, 32])
@pytest.mark.parametrize("ending", ["csv", "csv.gz"])
@pytest.mark.parametrize(("encoding", "fields"), ENCODINGS.items(), ids=ENCODINGS)
def test_encoding(encoding, fields, ending, size, monkeypatch):
    monkeypatch.setattr(csv_format, "BYTES_PER_BLOCK", size)
    name = written(f"a.{ending}", text(("größe", "y", "wo"), *[(*row, "Köln") for row in ROWS]).encode(encoding))
    x, y, _ = columns(path=name, x="größe", **fields)
    assert_bits(x, X)
    assert_bits(y, Y)


def test_encoding_that_is_named_beats_what_is_noticed():
    written("a.csv", text(("größe", "y"), *ROWS).encode("mac-roman"))
    assert "problem.encoding" in refusal("a.csv", x="größe")
    written("a.csv", text(("größe", "y"), *ROWS).encode())
    assert_bits(columns(path="a.csv", x="gr√∂√üe", encoding="mac-roman")[0], X)


# Dates, as days and seconds since 1970-01-01

DATES = {
    "dates": (["1970-01-02", "2020-02-29", "1969-12-31"], [1, 18321, -1]),
    "far dates": (["0001-01-01", "9999-12-31", "1582-10-15"], [-719162, 2932896, -141427]),
    "times": (["1970-01-01T12:00:00", "2020-02-29 06:00", "1969-12-31T18:00"], [0.5, 18321.25, -0.25]),
    "fractions": (["1970-01-01T00:00:00.25", "1970-01-01T00:00:01.5", "1969-12-31T23:59:59.75"], None),
    "zones": (["1970-01-01T12:00:00Z", "1970-01-01T12:00:00+06:00", "1970-01-01T12:00:00-0600"], [0.5, 0.25, 0.75]),
    "blanks around them": ([" 1970-01-02", "1970-01-03 ", '"1970-01-04"'], [1, 2, 3]),
}
FRACTIONS = {"seconds": [0.25, 1.5, -0.25], "days": [0.25 / 86400, 1.5 / 86400, -1 + 86399.75 / 86400]}


@pytest.mark.parametrize("unit", ["days", "seconds"])
@pytest.mark.parametrize(("texts", "days"), DATES.values(), ids=DATES)
def test_dates_of_a_csv_file(texts, days, unit):
    name = written("a.csv", text(("t", "y"), *[(one, "1") for one in texts]).encode())
    expected = FRACTIONS[unit] if days is None else np.array(days) * {"days": 1, "seconds": 86400}[unit]
    assert_bits(columns(path=name, x="t", dates=unit)[0], expected)


def test_dates_without_a_header():
    written("a.csv", b"1970-01-02,3\n1970-01-03,4\n")
    assert [one.tolist() for one in columns(path="a.csv", x="0", y="1", dates="days")[:2]] == [[1, 2], [3, 4]]


def test_missing_dates_are_bad_rows():
    written("a.csv", b"x,y\n1970-01-02,3\n,4\n \t,4\n1970-01-04,5\n")
    assert "nan or an empty cell in row 2 of column 'x'" in refusal("a.csv", dates="days")
    assert columns(path="a.csv", dates="days", on_bad_rows="drop")[0].tolist() == [1, 3]


BINARY_DATES = {
    "date32": pa.array([date(1970, 1, 2), None, date(2020, 2, 29)]),
    "date64": pa.array([date(1970, 1, 2), None, date(2020, 2, 29)], pa.date64()),
    "timestamp s": pa.array([datetime(1970, 1, 2), None, datetime(2020, 2, 29)], pa.timestamp("s")),
    "timestamp ns with a zone": pa.array(
        [datetime(1970, 1, 2), None, datetime(2020, 2, 29)], pa.timestamp("ns", "UTC")
    ),
    "text": pa.array(["1970-01-02", None, "2020-02-29"]),
}


@pytest.mark.parametrize("dates", BINARY_DATES.values(), ids=BINARY_DATES)
def test_dates_of_a_parquet_file(dates):
    parquet.write_table(pa.table({"x": dates, "y": [1.0, 2.0, 3.0]}), "a.parquet")
    x, y, _ = columns(path="a.parquet", dates="days", on_bad_rows="drop")
    assert (x.tolist(), y.tolist()) == ([1, 18321], [1, 3])


@pytest.mark.parametrize("unit", ["D", "h", "s", "ms", "us", "ns"])
def test_dates_of_an_npz_file(unit):
    written("a.npz", {"x": np.array(["1970-01-02", "NaT", "2020-02-29"], f"M8[{unit}]"), "y": np.arange(3.0)})
    assert columns(path="a.npz", dates="days", on_bad_rows="drop")[0].tolist() == [1, 18321]
    assert columns(path="a.npz", dates="seconds", on_bad_rows="drop")[0].tolist() == [86400, 18321 * 86400]


# Whole numbers

LARGE = [2**53, 2**53 + 2, -(2**53) - 4, 2**62, 3]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet", "a.npz"])
def test_large_whole_numbers_that_float64_holds(name):
    whole = np.array(LARGE)
    content = text(("x", "y"), *[(str(one), "1e300") for one in LARGE]).encode()
    written(name, content if ".csv" in name else {"x": whole, "y": whole})
    assert_bits(columns(path=name)[0], np.array(LARGE, float))


@pytest.mark.parametrize("field", ["x", "y", "weight"])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet", "a.npz"])
@pytest.mark.parametrize("value", [2**53 + 1, 2**62 + 1])
def test_large_whole_numbers_that_float64_does_not_hold(name, field, value, monkeypatch):
    monkeypatch.setattr(csv_format, "BYTES_PER_BLOCK", 64)
    data = {one: np.arange(1, 30) for one in ("x", "y", "weight")}
    data[field][17] = value
    data["x"][5] = 2**60  # large, but a power of two
    rows = [tuple(map(str, row)) for row in zip(*data.values(), strict=True)]
    written(name, text(tuple(data), *rows).encode() if ".csv" in name else data)
    said = refusal(name, weight="weight")
    assert said.startswith(f"`problem.{field}` must be a column of numbers that float64 holds, got '{value}' in row 18")


def test_numbers_with_a_fraction_are_rounded_as_ever():
    written("a.csv", b"x,y\n9007199254740993.5,1\n1e17,9007199254740993e0\n")
    assert columns(path="a.csv")[0].tolist() == [9007199254740994.0, 1e17]


# Bounds


def test_a_long_header_is_not_read_to_its_end():
    with gzip.open("a.csv.gz", "wb", compresslevel=1) as file:
        for _ in range(64):
            file.write(b"x," * 2**19)
    assert "its header is longer than 1048576 bytes" in refusal("a.csv.gz")


@pytest.mark.parametrize("line", [b"\n", b"# c\n"])
def test_blank_lines_without_end(line):
    with gzip.open("a.csv.gz", "wb", compresslevel=1) as file:
        file.write(b"# c\nx,y\n1,2\n")
        for _ in range(20):
            file.write(line * (2**20 // len(line)))
    assert "bytes of blank lines or comments" in refusal("a.csv.gz")


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_many_columns(name):
    names = [f"c{one}" for one in range(50_000)]
    written(name, text(names, ["1"] * 50_000, ["2"] * 50_000).encode())
    assert columns(path=name, x="c49999", y="c3")[0].tolist() == [1, 2]
    said = refusal(name, x="nothing", y="c3")
    assert "49980 more" in said
    assert len(said) < 400


def test_pages_that_fill_the_memory():
    zeros = np.zeros(2**23 + 1)
    options = {"use_dictionary": False, "compression": "zstd", "data_page_size": 2**30, "max_rows_per_page": 2**30}
    parquet.write_table(pa.table({"x": zeros, "y": zeros}), "a.parquet", row_group_size=2**24, **options)
    assert "a page of column x has 6710" in refusal("a.parquet")


def test_the_second_reading_as_text_follows_the_first(monkeypatch):
    monkeypatch.setattr(csv_format, "BYTES_PER_BLOCK", 64)
    rows = [(str(2**60 if one % 7 == 3 else one), "1") for one in range(100)]
    rows[80] = (str(2**60 + 1), "1")
    written("a.csv", text(("x", "y"), *rows).encode())
    assert f"got '{2**60 + 1}' in row 81 of column 'x'" in refusal("a.csv")


# Settings

SETTINGS = {
    "header": ["yes", "1", ""],
    "delimiter": ["", "ab", '"', "5", "x", ".", "\n", "é"],
    "decimal": ["", "dot", ";"],
    "encoding": ["", "nonsense", "rot13", "base64", "a\0b"],
    "comment": ["", " ", "a" * 11, "\n", "é"],
    "dates": ["", "hours", "years"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in SETTINGS.items() for value in values])
def test_setting_that_is_not_allowed(name, value):
    with pytest.raises(InputError, match=rf"^`problem\.{name}` must be "):
        DataFile(path="a.csv", **{name: value})


def test_ambiguous_header_is_refused():
    written("a.csv", b"0,1\n2,3\n")
    assert refusal("a.csv", x="0", y="1").startswith("`problem.header` must be true or false")
    assert columns(path="a.csv", x="0", y="1", header="true")[0].tolist() == [2]
    assert columns(path="a.csv", x="0", y="1", header="false")[0].tolist() == [0, 2]
