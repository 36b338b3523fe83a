"""Samples from a CSV, Parquet or NPZ file, read part by part, so that the file may be larger than memory.

CSV and Parquet are read by pyarrow, which is imported when such a file is opened.
"""

import csv
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from polyexp.base import InputError, nearest, one_of, require
from polyexp.problem.files.csv import CSV
from polyexp.problem.files.format import Format, NotANumberError
from polyexp.problem.files.npz import NPZ
from polyexp.problem.files.parquet import Parquet
from polyexp.problem.samples import Chunk
from polyexp.problem.source import SAMPLES_PER_CHUNK, Dropped, OnDropped, OnProgress, Source

__all__ = ["DataFile"]

MAX_NAMES = 20  # column names that an error lists


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

    def chunks(
        self, seed: int = 0, on_progress: OnProgress | None = None, on_dropped: OnDropped | None = None
    ) -> Iterator[Chunk]:
        """Read the file.

        on_progress: called after each part with the fraction that is done. on_dropped: called at the end if rows were dropped.
        Raises InputError where the file cannot be read, or has no good row, or a bad one that is not to be dropped.
        """
        rows = Rows(self)
        for part, done in self._parts():
            chunk = rows.good(part)
            for begin in range(0, chunk.x.size, SAMPLES_PER_CHUNK):
                yield Chunk(*(column[begin : begin + SAMPLES_PER_CHUNK] for column in chunk))
            if on_progress:
                on_progress(done)
        rows.finish(on_dropped)

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

    def finish(self, on_dropped: OnDropped | None) -> None:
        """To be called after the last part."""
        path, bad = self.file.path, self.read - self.kept
        dropped = Dropped(Path(path).name, bad, self.read, *self.first_bad)
        if not self.read:
            raise InputError(f"`problem.path` must name a file with rows of data, got '{path}', which has none.")
        if not self.kept:
            raise InputError(f"`problem.path` must name a file with a good row, got '{path}': {dropped}")
        if not self.weighted:
            raise InputError(f"`problem.weight` must name a column with a number above 0, got {self.file.weight!r}.")
        if bad and on_dropped:
            on_dropped(dropped)


def _require_column(key: str, column: str, found: list[tuple[str, str]], header: str) -> None:
    """InputError unless exactly one column has this name, and numbers in it."""
    names = [name for name, _ in found]
    if column not in names:
        more = [f"{len(names) - MAX_NAMES} more"] if len(names) > MAX_NAMES else []
        shown = _short(", ".join(names[:MAX_NAMES] + more), 400)
        raise InputError(f"`{key}` must be one of the columns {shown}{header}, got {column!r}.{nearest(column, names)}")
    if names.count(column) > 1:
        raise InputError(
            f"`{key}` must name one column, got {column!r}, which {names.count(column)} columns are called."
        )
    holds = dict(found)[column]
    if holds:
        raise InputError(f"`{key}` must be a column of numbers, got {column!r}, which holds {holds}.")


def _reason(error: Exception) -> str:
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return _short(said, 120).rstrip(".") or type(error).__name__


def _short(text: str, length: int) -> str:
    """Text on one line, without its end where it is longer than this."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 3] + "..."
