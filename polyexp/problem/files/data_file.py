"""Samples from a CSV, Parquet or NPZ file, read part by part, so that the file may be larger than memory.

CSV and Parquet are read by pyarrow, which is imported when such a file is opened.
"""

import csv
import gzip
import io
import re
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np

from polyexp.base.validation import InputError, nearest, one_of, require
from polyexp.problem import sampling as problem
from polyexp.problem.samples import Chunk
from polyexp.problem.sampling import Dropped, Notice, Progress, Source

__all__ = ["DataFile"]

BLOCK = (
    2**20
)  # bytes read at a time; pyarrow reads up to 32 blocks ahead, and no row of a CSV file may be longer than one
ROWS = 2**17  # rows decoded at a time: 3 MiB of x, y and weights
SHOWN = 20  # column names that an error lists

Part = tuple[list[np.ndarray], float]
"""Some rows of the columns asked for, in float64, and the fraction of the file that has been read with them."""


class NotANumberError(Exception):
    """Text in a column of numbers; rows count from 1."""

    def __init__(self, column: str, row: int, value: str) -> None:
        self.column, self.row, self.value = column, row, value


class Format(ABC):
    """A kind of file that has named columns."""

    words: str
    header = ""  # where its columns are named, in words for an error

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def columns(self) -> list[tuple[str, str]]:
        """Each column's name, and what it holds; nothing where that can be read as numbers."""

    @abstractmethod
    def parts(self, columns: list[str]) -> Iterator[Part]:
        """All rows of these columns (each named once) in parts of bounded size, with nan where a value is missing."""


class CSV(Format):
    """Text with a header row. Its delimiter is the comma, semicolon or tab, whichever the header has most of."""

    words = "a readable CSV file"
    header = " (its first row)"

    def columns(self) -> list[tuple[str, str]]:
        """Any column may hold numbers; reading shows."""
        return [(name.strip(), "") for name in self._header()[0]]

    def parts(self, columns: list[str]) -> Iterator[Part]:
        """A part is a block of the file."""
        header, delimiter = self._header()
        names = [name.strip() for name in header]
        chosen = [header[names.index(column)] for column in columns]
        size = self.path.stat().st_size
        try:
            with _opened(self.path) as raw, self._reader(raw, chosen, delimiter) as reader:
                for number, batch in enumerate(reader, 1):
                    # The file is read ahead, so blocks tell better how far this is; of a compressed file they cannot.
                    yield [_floats(batch.column(name)) for name in chosen], min(number * BLOCK, raw.tell()) / size
        except ValueError as error:
            if "Empty CSV file" not in str(error):  # said of a header without a line end: it has no rows
                raise _explained(str(error), names) from error

    def _reader(self, raw: Any, columns: list[str], delimiter: str) -> Any:
        import pyarrow as pa
        from pyarrow import csv as arrow

        return arrow.open_csv(
            pa.CompressedInputStream(raw, "gzip") if self._is_compressed else raw,
            read_options=arrow.ReadOptions(block_size=BLOCK, use_threads=False),  # threads would lose count of the rows
            parse_options=arrow.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=arrow.ConvertOptions(
                include_columns=columns, column_types=dict.fromkeys(columns, pa.float64())
            ),
        )

    def _header(self) -> tuple[list[str], str]:
        """The first row that is not blank, and the delimiter."""
        with self._text() as text:
            first = next((line for line in text if line.strip()), "")
            if "\0" in first:
                raise ValueError("it is not text in UTF-8")
            delimiter = max(",;\t", key=first.count)
            return next(csv.reader(chain([first], text), delimiter=delimiter), []), delimiter

    def _text(self) -> IO[str]:
        raw: Any = (gzip.open if self._is_compressed else open)(self.path, "rb")
        return io.TextIOWrapper(raw, "utf-8-sig", errors="replace", newline="")

    @property
    def _is_compressed(self) -> bool:
        return self.path.suffix.lower() == ".gz"


class Parquet(Format):
    """Apache Parquet. Integers, floats and decimals are numbers; booleans, times and text are not."""

    words = "a readable Parquet file"

    def columns(self) -> list[tuple[str, str]]:
        """As the file's schema says."""
        with self._file() as file:
            return [(field.name, "" if _holds_numbers(field.type) else str(field.type)) for field in file.schema_arrow]

    def parts(self, columns: list[str]) -> Iterator[Part]:
        """A part has `ROWS` rows, however large the file's row groups are."""
        read = 0
        with self._file() as file:
            for batch in file.iter_batches(batch_size=ROWS, columns=columns, use_threads=False):
                read += batch.num_rows
                yield [_floats(batch.column(name)) for name in columns], read / file.metadata.num_rows

    def _file(self) -> Any:
        from pyarrow import parquet

        # pyarrow's defaults hold all of a row group in memory; a buffer makes it read page by page.
        return parquet.ParquetFile(str(self.path), pre_buffer=False, buffer_size=BLOCK)


class NPZ(Format):
    """What `np.savez(path, x=x, y=y)` and `np.savez_compressed` write; each column is an array of one dimension."""

    words = "a readable NPZ file"

    def columns(self) -> list[tuple[str, str]]:
        """As the arrays' headers say."""
        with zipfile.ZipFile(self.path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
            return [(name, _array_holds(archive, name)) for name in names]

    def parts(self, columns: list[str]) -> Iterator[Part]:
        """A part has `ROWS` rows."""
        with ExitStack() as stack:
            archive = stack.enter_context(zipfile.ZipFile(self.path))
            files = [stack.enter_context(archive.open(f"{name}.npy")) for name in columns]
            heads = [_array_head(file) for file in files]
            lengths = [shape[0] for shape, _ in heads]
            if len(set(lengths)) > 1:
                raise ValueError(f"its arrays {', '.join(columns)} have lengths {', '.join(map(str, lengths))}")
            for begin in range(0, lengths[0], ROWS):
                n = min(ROWS, lengths[0] - begin)
                values = [_array_part(file, dtype, n) for file, (_, dtype) in zip(files, heads, strict=True)]
                yield values, (begin + n) / lengths[0]


FORMATS: Mapping[str, type[Format]] = {".csv": CSV, ".csv.gz": CSV, ".parquet": Parquet, ".npz": NPZ}
UNREADABLE = (OSError, EOFError, ValueError, LookupError, RuntimeError, zipfile.BadZipFile, zlib.error, csv.Error)
"""What reading a file that is damaged, forbidden or of another kind raises; pyarrow's errors are among them."""


@dataclass
class DataFile(Source, name="file"):
    """Samples from the columns of a file.

    path: a .csv, .csv.gz, .parquet or .npz file; relative to the current folder. x, y: the names of their columns.
    weight: the name of the column of weights; None means that each sample has weight 1.
    on_bad_rows: what to do with a row in which a number is missing, nan or infinite, or the weight negative: "error"
    refuses the file and names the row, "drop" goes on without it. Text in place of a number is always refused.
    """

    path: str = ""
    x: str = "x"
    y: str = "y"
    weight: str | None = None
    on_bad_rows: str = "error"

    def __post_init__(self) -> None:
        super().__post_init__()
        *others, last = FORMATS
        require(bool(self._ending), self.key("path"), f"the name of a {', '.join(others)} or {last} file", self.path)
        one_of(self.key("on_bad_rows"), self.on_bad_rows, ("error", "drop"))

    @property
    def label(self) -> str:
        """The file's name without its ending."""
        return Path(self.path).name[: -len(self._ending)]

    @property
    def stamp(self) -> tuple[int, int]:
        """The file's size in bytes, and when it was last changed, in nanoseconds."""
        with self._reading():
            stat = self._file().stat()
        return stat.st_size, stat.st_mtime_ns

    def check(self) -> None:
        """InputError where there is no such file, or it lacks a column; reads no more than its header."""
        with self._reading():
            self._opened()

    def chunks(self, seed: int = 0, progress: Progress | None = None, notice: Notice | None = None) -> Iterator[Chunk]:
        """Read the file.

        progress: called after each part with the fraction that is done. notice: called at the end if rows were dropped.
        Raises InputError where the file cannot be read, or has no good row, or a bad one that is not to be dropped.
        """
        rows = Rows(self)
        for part, done in self._parts():
            chunk = rows.good(part)
            for begin in range(0, chunk.x.size, problem.CHUNK):
                yield Chunk(*(column[begin : begin + problem.CHUNK] for column in chunk))
            if progress:
                progress(done)
        rows.finish(notice)

    @property
    def columns(self) -> dict[str, str]:
        """The column that each field names: `{"x": "time", "y": "height"}`."""
        named = {"x": self.x, "y": self.y, "weight": self.weight}
        return {field: column for field, column in named.items() if column is not None}

    @property
    def _ending(self) -> str:
        name = str(self.path).lower()
        return next((ending for ending in FORMATS if name.endswith(ending)), "")

    def _parts(self) -> Iterator[tuple[Chunk, float]]:
        """All rows, with the fraction of the file that has been read."""
        names = list(dict.fromkeys(self.columns.values()))
        with self._reading():
            for values, done in self._opened().parts(names):
                column = dict(zip(names, values, strict=True))
                x, y = column[self.x], column[self.y]
                yield Chunk(x, y, np.ones_like(x) if self.weight is None else column[self.weight]), done

    def _opened(self) -> Format:
        """The file, with every column that is asked for."""
        opened = FORMATS[self._ending](self._file())
        found = opened.columns()
        if not found:
            raise InputError(f"`problem.path` must name a file with rows of data, got '{self.path}', which has none.")
        for field, column in self.columns.items():
            _require_column(self.key(field), column, found, opened.header)
        return opened

    def _file(self) -> Path:
        path = Path(self.path).expanduser()
        if not path.is_file():
            kind = "a folder" if path.is_dir() else "which is not there"
            raise InputError(
                f"`problem.path` must name a file, got '{self.path}', {kind} (current folder: {Path.cwd()})."
            )
        if not path.stat().st_size:
            raise InputError(f"`problem.path` must name a file with rows of data, got '{self.path}', which is empty.")
        return path

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """One sentence for whatever goes wrong inside."""
        try:
            yield
        except InputError:
            raise
        except NotANumberError as cell:
            field = next(field for field, column in self.columns.items() if column == cell.column)
            value = f"{_short(cell.value, 40)!r} in row {cell.row} of column {cell.column!r}"
            raise InputError(f"`{self.key(field)}` must be a column of numbers, got {value}.") from None
        except UNREADABLE as error:
            words = FORMATS[self._ending].words
            raise InputError(f"`problem.path` must be {words}, got '{self.path}' ({_reason(error)}).") from error


class Rows:
    """The rows of one reading: counts them, and keeps the bad ones out."""

    def __init__(self, file: DataFile) -> None:
        self.file = file
        self.read = self.kept = 0
        self.first_bad = (0, "")
        self.weighted = False

    def good(self, chunk: Chunk) -> Chunk:
        """The good rows of the next part. Raises InputError where one is bad and is not to be dropped."""
        good = np.isfinite(chunk.x) & np.isfinite(chunk.y) & np.isfinite(chunk.weights) & (chunk.weights >= 0)
        if not good.all():
            self._meet(chunk, int(good.argmin()))
            chunk = Chunk(*(column[good] for column in chunk))
        self.read += good.size
        self.kept += chunk.x.size
        self.weighted |= bool(chunk.weights.any())
        return chunk

    def _meet(self, chunk: Chunk, index: int) -> None:
        """The first bad row of a part."""
        x, y, weight = (float(column[index]) for column in chunk)
        field = "x" if not np.isfinite(x) else "y" if not np.isfinite(y) else "weight"
        value = {"x": x, "y": y, "weight": weight}[field]
        row, shown = self.read + index + 1, "nan or nothing" if np.isnan(value) else repr(value)
        column = f"column {self.file.columns[field]!r}"
        if self.file.on_bad_rows == "error":
            wanted = "a column of finite numbers" + " of at least 0" * (field == "weight")
            hint = "`problem.on_bad_rows=drop` leaves such rows out"
            raise InputError(f"`problem.{field}` must be {wanted}, got {shown} in row {row} of {column}; {hint}.")
        if not self.first_bad[0]:
            self.first_bad = row, f"{shown} in {column}"

    def finish(self, notice: Notice | None) -> None:
        """To be called after the last part."""
        path, bad = self.file.path, self.read - self.kept
        dropped = Dropped(Path(path).name, bad, self.read, *self.first_bad)
        if not self.read:
            raise InputError(f"`problem.path` must name a file with rows of data, got '{path}', which has none.")
        if not self.kept:
            raise InputError(f"`problem.path` must name a file with a good row, got '{path}': {dropped}")
        if not self.weighted:
            raise InputError(f"`problem.weight` must name a column with a number above 0, got {self.file.weight!r}.")
        if bad and notice:
            notice(dropped)


def _require_column(key: str, column: str, found: list[tuple[str, str]], header: str) -> None:
    """InputError unless exactly one column has this name, and numbers in it."""
    names = [name for name, _ in found]
    if column not in names:
        more = [f"{len(names) - SHOWN} more"] if len(names) > SHOWN else []
        shown = _short(", ".join(names[:SHOWN] + more), 400)
        raise InputError(f"`{key}` must be one of the columns {shown}{header}, got {column!r}.{nearest(column, names)}")
    if names.count(column) > 1:
        raise InputError(
            f"`{key}` must name one column, got {column!r}, which {names.count(column)} columns are called."
        )
    holds = dict(found)[column]
    if holds:
        raise InputError(f"`{key}` must be a column of numbers, got {column!r}, which holds {holds}.")


def _opened(path: Path) -> Any:
    import pyarrow as pa

    return pa.OSFile(str(path))


def _floats(array: Any) -> np.ndarray:
    """An array of pyarrow's in float64, with nan where it has no value."""
    import pyarrow as pa

    if pa.types.is_decimal(array.type):
        array = array.cast(pa.string())  # casting decimals themselves misses the nearest float64 now and then
    array = array.cast(pa.float64(), safe=False)
    # Not to_numpy and not fill_null: both import pandas, which takes longer than reading a million rows.
    bare = pa.Array.from_buffers(array.type, len(array), [None, array.buffers()[1]], offset=array.offset)
    floats = np.from_dlpack(bare).copy()
    if array.null_count:
        floats[np.from_dlpack(array.is_null().cast(pa.uint8())) == 1] = np.nan
    return floats


def _holds_numbers(kind: Any) -> bool:
    from pyarrow import types

    return any(test(kind) for test in (types.is_integer, types.is_floating, types.is_decimal, types.is_null))


def _array_head(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and dtype of an array in the .npy format, whose numbers come next."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype


def _array_holds(archive: zipfile.ZipFile, name: str) -> str:
    with archive.open(f"{name}.npy") as file:
        shape, dtype = _array_head(file)
    return "" if dtype.kind in "iuf" and len(shape) == 1 else f"{dtype} of shape {shape}"


def _array_part(file: IO[bytes], dtype: np.dtype[Any], n: int) -> np.ndarray:
    """The next n numbers."""
    values = np.frombuffer(file.read(n * dtype.itemsize), dtype)
    if values.size < n:
        raise EOFError("an array is cut short")
    with np.errstate(over="ignore"):  # a long double may be beyond float64: then it is inf, and refused as such
        return values.astype(float)


TEXT = re.compile(r"CSV column #(\d+): Row #(\d+): .*invalid value '(.*)'", re.DOTALL)
RAGGED = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")


def _explained(said: str, names: list[str]) -> Exception:
    """An error for what pyarrow said about a CSV file. It counts the header as row 1."""
    if found := TEXT.search(said):
        return NotANumberError(names[int(found[1])], int(found[2]) - 1, found[3])
    if found := RAGGED.search(said):
        row, wanted, got = map(int, found.groups())
        return ValueError(f"row {row - 1} has {_values(got)} and the header {wanted}")
    if "straddling" in said:
        return ValueError(f"a row is longer than {BLOCK} bytes, or a quote is not closed")
    return ValueError(said)


def _values(count: int) -> str:
    return "1 value" if count == 1 else f"{count} values"


def _reason(error: Exception) -> str:
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return _short(said, 120).rstrip(".") or type(error).__name__


def _short(text: str, length: int) -> str:
    """Text on one line, without its end where it is longer than this."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 3] + "..."
