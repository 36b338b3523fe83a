"""Malformed data files: each is refused in one sentence that names the file, the row and column, and the setting that helps."""

import gzip
import io
import os
import struct
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.helpers.refusals import require_refused


class Case(NamedTuple):
    """A file, the words that are typed besides its path, and what the sentence must contain."""

    name: str
    content: bytes | Callable[[Path], object]
    words: tuple[str, ...]
    fragments: tuple[str, ...]


CASES: dict[str, Case] = {}
DROP, LARGE = "`problem.on_bad_rows=drop`", 2**53 + 1
NUMBERS, FINITE, HELD = "must be a column of numbers, ", "must be a column of finite numbers", "that float64 holds, "
COMMA, DAYS, SHARP = "`problem.decimal=comma`", "`problem.dates=days`", "`problem.comment='#'`"
MISSING_CELL = "nan or an empty cell in row 2 of column 'y'"
ONE_OF, READABLE, ROWS = "must be one of the columns ", "must be a readable ", "must name a file with rows of data"


def case(title: str, name: str, content: bytes | Callable[[Path], object], words: str, *fragments: str) -> None:
    assert title not in CASES
    CASES[title] = Case(name, content, tuple(words.split()), fragments)


def csv_case(title: str, content: bytes, words: str, *fragments: str) -> None:
    case(title, "a.csv", content, words, *fragments)


def table(**columns: object) -> Callable[[Path], object]:
    return lambda path: parquet.write_table(pa.table(columns), path)


def arrays(**columns: object) -> Callable[[Path], object]:
    return lambda path: np.savez(path, **columns)


def head(shape: str, dtype: str = "<f8", rest: bytes = b"") -> bytes:
    """An array in the .npy format whose head says what it likes."""
    words = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(words)) + words + rest


def archive(**members: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(f"{name}.npy", content)
    return data.getvalue()


def random_table(name: str) -> bytes:
    data, random = io.BytesIO(), np.random.RandomState(0)
    columns = {"x": random.rand(2000), "y": random.rand(2000)}
    if name.endswith("parquet"):
        parquet.write_table(pa.table(columns), data)
    else:
        np.savez_compressed(data, **columns)
    return data.getvalue()


# Paths

THERE = "current folder"
for ending in (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet", ".npz"):
    case(
        f"missing {ending}",
        f"a{ending}",
        lambda path: None,
        "",
        "`problem.path` must name a file",
        "does not exist",
        THERE,
    )
    case(f"folder {ending}", f"a{ending}", lambda path: path.mkdir(), "", "`problem.path`", "a folder", THERE)
    case(f"fifo {ending}", f"a{ending}", lambda path: os.mkfifo(path), "", "`problem.path`", "no regular file", THERE)
    case(f"empty {ending}", f"a{ending}", b"", "", "`problem.path`", ROWS, "which is empty")
for name in ("a", "a.txt", "a.npy", "a.xlsx", "a.csv.bz2", "csv", "a.json"):
    case(
        f"ending of {name}",
        name,
        b"x,y\n1,2\n",
        "",
        "`problem.path` must be the name of a",
        ".csv",
        ".npz",
        f"'{name}'",
    )
case("link to nothing", "a.csv", lambda path: path.symlink_to("b.csv"), "", "does not exist")
case("link to itself", "a.csv", lambda path: path.symlink_to(path), "", "`problem.path`")

# Names of columns

csv_case(
    "other names",
    b"time,height\n1,2\n",
    "",
    "`problem.x`",
    ONE_OF,
    "'time', 'height' (its first row)",
    "and means 'x' where it is left out",
)
csv_case(
    "similar name", b"time,height\n1,2\n", "problem.x=time problem.y=hight", "`problem.y`", "Did you mean 'height'?"
)
csv_case("other weight", b"x,y,w\n1,2,3\n", "problem.weight=v", "`problem.weight`", ONE_OF, "'x', 'y', 'w'")
csv_case("doubled", b"x,y,x\n1,2,3\n", "", "`problem.x` must name one column", "the name of 2 columns")
csv_case("no header", b"1,2\n3,4\n", "", "`problem.x`", "columns '1', '2'", "`problem.x=0 problem.y=1`")
csv_case("beyond the columns", b"1,2\n3,4\n", "problem.x=0 problem.y=2", ONE_OF, "`problem.x=0 problem.y=1`")
csv_case("beyond, header=false", b"1,2\n", "problem.header=false problem.y=2", "`problem.x`", "no header")
csv_case(
    "names or data", b"0,1\n2,3\n", "problem.x=0 problem.y=1", "`problem.header` must be true", "`problem.header=false`"
)
csv_case("bars", b"x|y\n1|2\n", "", "`problem.x`", ONE_OF, "x|y", "`problem.delimiter`")
csv_case("wrong delimiter", b"x;y\n1;2\n", "problem.delimiter=tab", "`problem.x`", ONE_OF, "x;y")
csv_case("percent comment", b"% made\nx,y\n1,2\n", "", ONE_OF, "% made", "`problem.comment='%'`")
csv_case("controls", b"\x1b[31mx\x07,y\n1,2\n", "", ONE_OF, r"'\x1b[31mx\x07', 'y'")
csv_case("long name", b"z" * 9000 + b",y\n1,2\n", "", ONE_OF, "zzz...")
csv_case("many names", b",".join(b"c%d" % one for one in range(5000)) + b"\n", "", ONE_OF, "'c19', 4980 more")
csv_case("asked for controls", b"x,y\n1,2\n", "problem.x=" + "\x1b" + "[1m", "`problem.x`", ONE_OF, r"\x1b[1m")
csv_case("Latin-1 names", "größe,y\n1,2\n".encode("latin-1"), "problem.x=große", "'größe', 'y'", "`problem.encoding`")
csv_case("case of names", b"X,Y\n1,2\n", "", "`problem.x`", ONE_OF, "'X', 'Y'")

# Cells

csv_case("text", b"x,y\n1,2\n3,abc\n", "", "`problem.y`", NUMBERS, "'abc' in row 2 of column 'y'")
csv_case("long text", b"x,y\n1,2\n" + b"q" * 5000 + b",4\n", "", "`problem.x`", "qqq...' in row 2 of column 'x'")
csv_case("text with controls", b"x,y\n1,\x1b[2J\n", "", "`problem.y`", NUMBERS, r"\x1b[2J", "row 1")
csv_case("boolean", b"x,y\n1,true\n", "", "`problem.y`", "'true' in row 1")
csv_case("hexadecimal", b"x,y\n1,0x1F\n", "", "`problem.y`", "'0x1F' in row 1")
csv_case("thousands", b'x,y\n1,"1,234.5"\n', "", "`problem.y`", "'1,234.5' in row 1 of column 'y'")
csv_case("unit", b"x,y\n1,5 m\n", "", "`problem.y`", "'5 m' in row 1")
csv_case("complex", b"x,y\n1,1+2j\n", "", "`problem.y`", "'1+2j' in row 1")
csv_case("percentage", b"x,y\n1,5%\n", "", "`problem.y`", "'5%' in row 1")
csv_case("decimal comma", b"x;y\n1;2\n2;2,5\n", "", "'2,5' in row 2 of column 'y'", COMMA)
csv_case("decimal comma in x", b"x;y\n-1,5e3;2\n", "", "`problem.x`", "'-1,5e3' in row 1", COMMA)
csv_case("decimal comma in blanks", b"x y\n1,5 2,5\n", "", "`problem.x`", "'1,5' in row 1", COMMA)
csv_case("decimal point", b"x;y\n1;2.5\n", "problem.decimal=comma", "`problem.y`", "'2.5' in row 1")
csv_case("date", b"x,y\n2020-01-31,1\n", "", "`problem.x`", NUMBERS, "'2020-01-31' in row 1", DAYS)
csv_case("date in y", b"x,y\n1,2020-01-31\n", "", "`problem.y`", NUMBERS, "'2020-01-31' in row 1 of column 'y'")
csv_case("numbers for dates", b"x,y\n2020-01-31,1\n1,2\n", "problem.dates=days", "`problem.x`", "dates", "'1' in row 2")
csv_case(
    "date that is none", b"x,y\n2020-01-31,1\n2020-02-30,1\n", "problem.dates=days", "dates", "'2020-02-30' in row 2"
)
csv_case(
    "German date", b"x,y\n31.12.2020,1\n", "problem.dates=days", "dates such as 2020-12-31", "'31.12.2020' in row 1"
)
csv_case("American date", b"x,y\n12/31/2020,1\n", "problem.dates=seconds", "dates such as 2020-12-31", "'12/31/2020'")
csv_case("only some zones", b"x,y\n2020-01-01T00:00Z,1\n2020-01-02,1\n", "problem.dates=days", "dates", "in row 2")
csv_case("comment in rows", b"x,y\n1,2\n# note\n", "", "row 2 has 1 value and the header 2", SHARP)
csv_case("comment with comma", b"x,y\n1,2\n# a, b\n", "", "`problem.x`", "'# a' in row 2 of column 'x'", SHARP)
csv_case("too many values", b"x,y\n1,2\n3,4,5\n", "", READABLE, "row 2 has 3 values and the header 2")
csv_case("too few values", b"x,y\n1\n", "", READABLE, "row 1 has 1 value and the header 2")
csv_case("blanks in rows", b"x\ty\n1 2\n", "", "row 1 has 1 value", "`problem.delimiter=blank`")
csv_case("open quote", b'x,y\n1,"2\n' + b"3,4\n" * 2**19, "", READABLE, "a quote is not closed")
csv_case("open quote in header", b'x,"y\n' + b"3,4\n" * 2**17, "", READABLE, "a quote is not closed")
csv_case("long row", b"x,y\n1," + b"1" * 2**21 + b"\n", "", READABLE, "a row is longer than 1048576 bytes")
csv_case("long header", b"x" * 2**22, "", READABLE, "its header has a cell of more than 131072 characters")
csv_case("wide header", b"x," * 2**20, "", READABLE, "its header is longer than 1048576 bytes")
csv_case(
    "large integer", b"x,y\n1,2\n%d,3\n" % LARGE, "", "`problem.x`", HELD, f"'{LARGE}' in row 2 of column 'x'", "2^53"
)
csv_case("large integer in y", b"x,y\n1,%d\n" % -LARGE, "", "`problem.y`", HELD, f"'-{LARGE}' in row 1")
csv_case("only a header", b"x,y\n", "", "`problem.path`", ROWS, "which has none")
csv_case("blank", b"\n \n\n", "", "`problem.path`", ROWS, "which has none")
csv_case("only comments", b"# a\n# b\n", "", "`problem.path`", ROWS, "which has none")
csv_case("UTF-16 without a mark", "x,y\n1,2\n".encode("utf-16-le"), "", READABLE, "`problem.encoding=utf-16-le`")
csv_case("big-endian UTF-16", "x,y\n1,2\n".encode("utf-16-be"), "", READABLE, "`problem.encoding=utf-16-be`")
csv_case("compressed", gzip.compress(b"x,y\n1,2\n"), "", READABLE, "compressed by gzip", ".csv.gz")
csv_case("error of Excel", b"x,y\n1,#DIV/0!\n", "", "'#DIV/0!' in row 1 of column 'y'.")  # no hint about comments
csv_case("zip", archive(x=head("(1,)")), "", READABLE, "(it is not text in UTF-8)")
csv_case("blank cell", b"x,y\n1,2\n3, \n", "", "`problem.y`", MISSING_CELL, DROP)
csv_case("missing value of pandas", b"x,y\n1,2\n3,<NA>\n", "", "`problem.y`", MISSING_CELL, DROP)
csv_case("missing value of Python", b"x,y\n1,2\n3,None\n", "", "`problem.y`", MISSING_CELL, DROP)
csv_case("null characters", bytes(1000), "", READABLE, "not text in UTF-8")
csv_case("not the named encoding", b"gr\xf6\xdfe,y\n1,2\n", "problem.encoding=utf-8", READABLE, "utf-8")
csv_case("half a character", "x,y\n1,2\n".encode("utf-16") + b"1", "", READABLE, "utf-16")

# Numbers that are missing, infinite or negative, in each format

MISSING = "nan or an empty cell in row 2 of column"
for field, words in (("x", ""), ("y", ""), ("weight", "problem.weight=weight")):
    data = {"x": [1.0, 2.0], "y": [3.0, 4.0], "weight": [1.0, 2.0]}
    for bad, said in ((np.nan, MISSING), (np.inf, "got inf in row 2"), (-np.inf, "got -inf in row 2")):
        columns = data | {field: [1.0, bad]}
        rows = "".join(f"{x},{y},{weight}\n" for x, y, weight in zip(*columns.values(), strict=True))
        wanted = (f"`problem.{field}` {FINITE}", said, f"column '{field}'", DROP)
        case(f"{bad} in {field} csv", "a.csv", b"x,y,weight\n" + rows.encode(), words, *wanted)
        case(f"{bad} in {field} parquet", "a.parquet", table(**columns), words, *wanted)
        case(f"{bad} in {field} npz", "a.npz", arrays(**columns), words, *wanted)
csv_case("empty cell", b"x,y\n1,2\n3,\n", "", "`problem.y`", MISSING + " 'y'", DROP)
csv_case("beyond float64", b"x,y\n1,1e400\n", "", "`problem.y`", "got inf in row 1", DROP)
csv_case("no good row", b"x,y\nnan,2\n1,\n", "problem.on_bad_rows=drop", "at least one valid row", "2 of 2 rows")
NEGATIVE, ZERO = "`problem.weight` must be a column of finite numbers of at least 0, got -0.5", "with a number above 0"
for ending, write in (("parquet", table), ("npz", arrays)):
    of = {"x": [1.0, 2.0], "y": [3.0, 4.0]}
    case(
        f"negative weight {ending}",
        f"a.{ending}",
        write(**of, w=[1.0, -0.5]),
        "problem.weight=w",
        NEGATIVE,
        "row 2",
        DROP,
    )
    case(
        f"no weight {ending}",
        f"a.{ending}",
        write(**of, w=[0.0, 0.0]),
        "problem.weight=w",
        "`problem.weight`",
        ZERO,
        "'w'",
    )
    case(f"other columns {ending}", f"a.{ending}", write(a=[1.0], b=[2.0]), "", "`problem.x`", ONE_OF, "'a', 'b'")
    case(
        f"large y {ending}",
        f"a.{ending}",
        write(x=[1.0, 2.0], y=[1e200, 1.0]),
        "",
        "`problem.y`",
        "1e+135",
        "column 'y'",
    )
    case(
        f"narrow x {ending}",
        f"a.{ending}",
        write(x=[0.0, 1e-310], y=[1.0, 1.0]),
        "",
        "`problem.x`",
        "1e-300",
        "column 'x'",
    )
    case(
        f"wide x {ending}",
        f"a.{ending}",
        write(x=[-1e308, 1e308], y=[1.0, 1.0]),
        "",
        "`problem.x`",
        "width",
        "column 'x'",
    )
    case(
        f"large x {ending}",
        f"a.{ending}",
        write(x=[0.0, 1e100], y=[1.0, 1.0]),
        "",
        "`problem.x`",
        "`model=legendre_series`",
    )
    case(
        f"large weight {ending}",
        f"a.{ending}",
        write(**of, w=[1e300, 1.0]),
        "problem.weight=w",
        "`problem.weight`",
        "1e+270",
    )
    case(
        f"small weight {ending}",
        f"a.{ending}",
        write(**of, w=[1e-320, 0.0]),
        "problem.weight=w",
        "`problem.weight`",
        "1e-270",
    )
    integers = write(x=np.array([1, LARGE]), y=np.array([1, 2]))
    case(f"large integer {ending}", f"a.{ending}", integers, "", "`problem.x`", HELD, f"'{LARGE}' in row 2", "2^53")
    unsigned = write(x=np.array([1, 2]), y=np.array([2**64 - 1, 2], np.uint64))
    case(
        f"unsigned integer {ending}",
        f"a.{ending}",
        unsigned,
        "",
        "`problem.y`",
        HELD,
        f"'{2**64 - 1}' in row 1",
        "2^53",
    )
    weights = write(x=np.array([1, 2]), y=np.array([1, 2]), w=np.array([1, LARGE]))
    case(f"integer weight {ending}", f"a.{ending}", weights, "problem.weight=w", "`problem.weight`", HELD, "row 2")
csv_case("negative weight", b"x,y,w\n1,2,1\n3,4,-0.5\n", "problem.weight=w", NEGATIVE, "in row 2 of column 'w'", DROP)
csv_case("no weight", b"x,y,w\n1,2,0\n", "problem.weight=w", "`problem.weight`", ZERO, "'w'")
csv_case(
    "text as weight", b"x,y,w\n1,2,a\n", "problem.weight=w", "`problem.weight`", NUMBERS, "'a' in row 1 of column 'w'"
)
csv_case("large y", b"x,y\n1,2\n3,-1e200\n", "", "`problem.y`", "squares float64 holds", "1e+200 in column 'y'")
csv_case("subnormal x", b"x,y\n1e-320,2\n3e-320,5\n", "", "`problem.x`", "1e-300", "column 'x'")

# Parquet

KINDS = {"bool": [True, False], "string": ["1", "2"], "list<element: double>": [[1.0], [2.0]], "binary": [b"1", b"2"]}
for kind, values in KINDS.items():
    case(
        f"parquet {kind}", "a.parquet", table(x=values, y=[1.0, 2.0]), "", "`problem.x`", NUMBERS, f"which holds {kind}"
    )
DATED = np.array(["2020-01-01", "2020-01-02"], "M8[s]")
case(
    "parquet timestamps",
    "a.parquet",
    table(x=DATED, y=[1.0, 2.0]),
    "",
    "`problem.x`",
    "which holds timestamp[ms]",
    DAYS,
)
case(
    "parquet timestamps in y", "a.parquet", table(x=[1.0, 2.0], y=DATED), "", "`problem.y`", "which holds timestamp[ms]"
)
case(
    "parquet no dates",
    "a.parquet",
    table(x=[1.0], y=[2.0]),
    "problem.dates=days",
    "`problem.x`",
    "dates",
    "holds double",
)
case("parquet bad date", "a.parquet", table(x=["1.1.70"], y=[2.0]), "problem.dates=days", "dates", "'1.1.70' in row 1")
case("parquet decimal", "a.parquet", table(x=[Decimal(LARGE)], y=[1.0]), "", "`problem.x`", HELD, "in row 1")
case(
    "parquet no rows", "a.parquet", table(x=np.array([]), y=np.array([])), "", "`problem.path`", ROWS, "which has none"
)
case("parquet nulls", "a.parquet", table(x=[1, None], y=[1, 2]), "", "`problem.x`", MISSING, DROP)
case("parquet of text", "a.parquet", b"x,y\n1,2\n", "", READABLE + "Parquet file", "'a.parquet'")
case("parquet of noise", "a.parquet", os.urandom(1000), "", READABLE + "Parquet file", "'a.parquet'")
case("parquet cut", "a.parquet", random_table("a.parquet")[:9000], "", READABLE + "Parquet file")
case("parquet without its end", "a.parquet", random_table("a.parquet")[:-4], "", READABLE + "Parquet file")

# NPZ

for dtype in ("b1", "c16", "U3", "S3", "M8[s]", "m8[s]"):
    values, hint = np.array([0, 1]).astype(dtype), (DAYS,) if dtype == "M8[s]" else ()
    case(
        f"npz {dtype}",
        "a.npz",
        arrays(x=values, y=[1, 2]),
        "",
        "`problem.x`",
        NUMBERS,
        f"{values.dtype} of shape (2,)",
        *hint,
    )
case(
    "npz objects", "a.npz", arrays(x=np.array([None, 1]), y=[1, 2]), "", "`problem.x`", NUMBERS, "object of shape (2,)"
)
case("npz two dimensions", "a.npz", arrays(x=np.ones((2, 2)), y=[1, 2]), "", "`problem.x`", "float64 of shape (2, 2)")
case("npz no dimension", "a.npz", arrays(x=1.0, y=2.0), "", "`problem.x`", "float64 of shape ()")
case("npz lengths", "a.npz", arrays(x=[1, 2], y=[1, 2, 3]), "", READABLE + "NPZ file", "x, y have lengths 2, 3")
case("npz no dates", "a.npz", arrays(x=[1.0], y=[2.0]), "problem.dates=days", "`problem.x`", "dates", "holds float64")
case("npz empty arrays", "a.npz", arrays(x=[], y=[]), "", "`problem.path`", ROWS, "which has none")
case("npz of nothing", "a.npz", archive(), "", "`problem.path`", ROWS, "which has none")
case("npz of text", "a.npz", b"x,y\n1,2\n", "", READABLE + "NPZ file", "'a.npz'")
case("npz cut", "a.npz", random_table("a.npz")[:9000], "", READABLE + "NPZ file", "'a.npz'")
case("npz no arrays", "a.npz", archive(x=b"no array", y=b"no array"), "", READABLE + "NPZ file", "an array in it")
case(
    "npz claims much",
    "a.npz",
    archive(x=head("(10**12,)"), y=head("(9,)")),
    "",
    READABLE + "NPZ file",
    "an array in it",
)
case(
    "npz cut arrays",
    "a.npz",
    archive(x=head("(9,)"), y=head("(9,)")),
    "",
    READABLE + "NPZ file",
    "an array is cut short",
)
case("npz huge arrays", "a.npz", archive(x=head(f"({10**12},)"), y=head(f"({10**12},)")), "", READABLE, "is cut short")
case("npz huge texts", "a.npz", archive(x=head("(2,)", "<U99999999"), y=head("(2,)")), "", "`problem.x`", NUMBERS)
case("npz negative shape", "a.npz", archive(x=head("(-1,)"), y=head("(-1,)")), "", "`problem.path`", ROWS)
case("npz deep head", "a.npz", archive(x=head("(" * 9000), y=head("(9,)")), "", READABLE + "NPZ file", "an array in it")
LONG_HEAD = b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**28) + b" " * 2**28
case("npz long head", "a.npz", archive(x=LONG_HEAD, y=head("(9,)")), "", READABLE + "NPZ file", "an array in it")

# Compressed files

WHOLE = gzip.compress(b"x,y\n" + b"".join(b"%d,%d\n" % (one, one * one % 97) for one in range(9000)))
GZ = READABLE + "CSV file"
case("gz of text", "a.csv.gz", b"x,y\n1,2\n", "", GZ, "'a.csv.gz'")
case("gz cut", "a.csv.gz", WHOLE[: len(WHOLE) // 2], "", GZ, "'a.csv.gz'")
case("gz damaged", "a.csv.gz", WHOLE[:5000] + bytes(100) + WHOLE[5100:], "", GZ, "'a.csv.gz'")
case("gz of one long line", "a.csv.gz", lambda path: grown(path, b"x" * 2**20, 1024), "", GZ, "its header")
case(
    "gz of one long row",
    "a.csv.gz",
    lambda path: grown(path, b"1" * 2**20, 1024, b"x,y\n1,"),
    "",
    GZ,
    "a row is longer",
)
case("gz of blank lines", "a.csv.gz", lambda path: grown(path, b"\n" * 2**20, 1024, b"x,y\n"), "", GZ, "blank lines")
case("gz of null characters", "a.csv.gz", lambda path: grown(path, bytes(2**20), 1024), "", GZ, "not text in UTF-8")


def grown(path: Path, block: bytes, times: int, before: bytes = b"") -> None:
    """A gigabyte, as members of a megabyte each, which takes a few milliseconds to write."""
    path.write_bytes(gzip.compress(before) + gzip.compress(block) * times)


# Settings

for key, value in {
    "header": "yes",
    "delimiter": "ab",
    "decimal": "dot",
    "encoding": "nonsense",
    "dates": "hours",
}.items():
    case(f"setting {key}", "a.csv", b"x,y\n1,2\n", f"problem.{key}={value}", f"`problem.{key}` must be ", f"'{value}'")
case("setting comment", "a.csv", b"x,y\n1,2\n", f"problem.comment={'q' * 20}", "`problem.comment` must be ")
case(
    "setting on_bad_rows",
    "a.csv",
    b"x,y\n1,2\n",
    "problem.on_bad_rows=dorp",
    "`problem.on_bad_rows`",
    "Did you mean 'drop'?",
)


@pytest.mark.parametrize("title", CASES)
def test_malformed_file_is_refused(title, tmp_path):
    name, content, words, fragments = CASES[title]
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        content(path)
    said = require_refused(tmp_path, "tracking=none", "backend=numpy", "problem=file", f"problem.path={name}", *words)
    for fragment in fragments:
        assert fragment in said


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet", "a.npz"])
def test_file_that_may_not_be_read_is_refused(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(b"x,y\n1,2\n")
    path.chmod(0)
    try:
        said = require_refused(tmp_path, "tracking=none", "backend=numpy", "problem=file", f"problem.path={name}")
    finally:
        path.chmod(0o600)
    assert READABLE in said
    assert "Permission denied" in said


def test_there_are_many():
    assert len(CASES) >= 154
