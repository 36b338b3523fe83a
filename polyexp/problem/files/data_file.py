"""Samples from a CSV, Parquet or NPZ file, read part by part, so that the file may be larger than memory.

CSV and Parquet are read by pyarrow, which is imported when such a file is opened.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from polyexp.base import InputError, nearest, one_of, require, shown
from polyexp.problem.files.dates import DATES
from polyexp.problem.files.format import NUMBERS, CellError, Format
from polyexp.problem.files.formats import FORMATS, UNREADABLE
from polyexp.problem.files.options import Options, options_of
from polyexp.problem.files.rows import Rows
from polyexp.problem.samples import Chunk
from polyexp.problem.source import COMPUTABLE, SAMPLES_PER_CHUNK, OnDropped, OnProgress, Source

__all__ = ["DataFile"]

MAX_NAMES_LISTED = 20  # column names in an error
MAX_NAMES_COMPARED = 1000  # column names among which a similar one is looked for


@dataclass
class DataFile(Source, name="file"):
    """Samples from the columns of a CSV, Parquet or NPZ file.

    Args:
        path: The path of a .csv, .tsv, .parquet or .npz file, relative to the current folder; .csv and .tsv may be compressed
            (.csv.gz).
        x: The name of the column of x, or its number from 0 in a CSV file without a header.
        y: The name of the column of y, or its number.
        weight: The name of the column of weights, or its number, or None for weight 1 of each sample. A weight multiplies the
            squared residual of its row: it is 1 / sigma^2 for a y with the standard deviation sigma.
        on_bad_rows: What happens to a row in which a number is missing, nan or infinite, or the weight is negative:
            "error" refuses the file and names the row, "drop" leaves the row out. Text in place of a number is always
            refused.
        header: Whether the first row of a CSV file names the columns: "true", "false", or "auto": it does not where columns
            are named by number and numbers are what it holds there.
        delimiter: What separates the columns of a CSV file: "comma", "semicolon", "tab", "blank" (any number of blanks and
            tabs), any other character, or "auto": of comma, semicolon and tab the most frequent in the first row, or else
            blanks.
        decimal: "point" or "comma", the decimal separator of a CSV file.
        encoding: The encoding of a CSV file, such as "latin-1", or "auto": that of its byte order mark, or else UTF-8.
        comment: What lines of a CSV file begin with that are left out, such as "%", or "auto": "#" where the file begins so.
        dates: The unit, "days" or "seconds", in which x counts the time from 1970-01-01, 00:00 UTC, where its column holds
            dates such as 2020-12-31 or 2020-12-31T23:59:30+01:00; None where it holds numbers.
        loss: "mean" or "sum" of the squared residuals.
        reduction: "auto", "none" or "gauss", see `Source`.

    Raises:
        InputError: A value is not allowed; when the file is read, also where that fails.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> import polyexp as p
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez(f"{folder}/fall.npz", time=[0, 0.5, 1], height=[5, 3.75, 0])
        ...     samples = p.DataFile(f"{folder}/fall.npz", x="time", y="height").samples()
        >>> samples.name, samples.x.tolist(), samples.y.tolist()
        ('fall', [0.0, 0.5, 1.0], [5.0, 3.75, 0.0])
    """

    path: str = ""
    x: str = "x"
    y: str = "y"
    weight: str | None = None
    on_bad_rows: str = "error"
    header: str = "auto"
    delimiter: str = "auto"
    decimal: str = "point"
    encoding: str = "auto"
    comment: str = "auto"
    dates: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.header = str(self.header).lower()  # a bool, as YAML and Python write it, becomes its word
        self.x, self.y = str(self.x), str(self.y)  # the number of a column may be given as one
        self.weight = None if self.weight is None else str(self.weight)
        *others, last = FORMATS
        require(bool(self._ending), self.key("path"), f"the name of a {', '.join(others)} or {last} file", self.path)
        one_of(self.key("on_bad_rows"), self.on_bad_rows, ("error", "drop"))
        self._options()

    @property
    def random(self) -> bool:
        """False: a file does not depend on the seed."""
        return False

    @property
    def label(self) -> str:
        """The name of the file without its ending."""
        return Path(self.path).name[: -len(self._ending)]

    @property
    def axis_names(self) -> tuple[str, str]:
        """The names of the columns of x and y."""
        return self.x, self.y

    @property
    def stamp(self) -> tuple[int, int]:
        """The size of the file in bytes, and the time of its last change in nanoseconds since 1970."""
        with self._reading():
            stat = self._file().stat()
        return stat.st_size, stat.st_mtime_ns

    def check(self) -> None:
        """Raise `InputError` where there is no such file or it lacks a column. Only the header is read."""
        with self._reading():
            self._opened()

    def chunks(
        self, seed: int = 0, on_progress: OnProgress | None = None, on_dropped: OnDropped | None = None
    ) -> Iterator[Chunk]:
        """Read the file.

        Args:
            seed: Not used.
            on_progress: Called after each part with the fraction of the file that is done.
            on_dropped: Called after the last part if rows were dropped.

        Raises:
            InputError: The file cannot be read, has no good row, or has a bad row and `on_bad_rows` is "error".
        """
        rows = Rows(self.path, self.columns, drop=self.on_bad_rows == "drop")
        for part, done in self._parts():
            chunk = rows.good(part)
            for begin in range(0, chunk.x.size, SAMPLES_PER_CHUNK):
                yield Chunk(*(column[begin : begin + SAMPLES_PER_CHUNK] for column in chunk))
            if on_progress:
                on_progress(done)
        rows.finish(on_dropped)

    def not_computable(self, field: str, got: str) -> InputError:
        """The error for a column of which float64 cannot compute a loss."""
        wanted = f"a column of {COMPUTABLE[field]}"
        return InputError(f"`{self.key(field)}` must be {wanted}, got {got} in column {shown(self.columns[field])}.")

    @property
    def columns(self) -> dict[str, str]:
        """The column that each field names, such as `{"x": "time", "y": "height"}`."""
        named = {"x": self.x, "y": self.y, "weight": self.weight}
        return {field: column for field, column in named.items() if column is not None}

    @property
    def _ending(self) -> str:
        name = str(self.path).lower()
        return next((ending for ending in FORMATS if name.endswith(ending)), "")

    def _options(self) -> Options:
        return options_of(
            self.key,
            tuple(dict.fromkeys(self.columns.values())),
            self.x,
            header=self.header,
            delimiter=self.delimiter,
            decimal=self.decimal,
            encoding=self.encoding,
            comment=self.comment,
            dates=self.dates,
        )

    def _parts(self) -> Iterator[tuple[Chunk, float]]:
        """All rows, each part with the fraction of the file that has been read."""
        with self._reading():
            opened = self._opened()
            for values, done in opened.parts():
                column = dict(zip(opened.options.columns, values, strict=True))
                x, y = column[self.x], column[self.y]
                yield Chunk(x, y, np.ones_like(x) if self.weight is None else column[self.weight]), done

    def _opened(self) -> Format:
        """The open file; InputError where it lacks one of the columns."""
        opened = FORMATS[self._ending](self._file(), self._options())
        names = opened.names()
        if not names:
            raise InputError(
                f"`problem.path` must name a file with rows of data, got {shown(self.path)}, which has none."
            )
        for field, column in self.columns.items():
            _require_column(self.key(field), column, names, opened)
        return opened

    def _file(self) -> Path:
        path = Path(os.path.expanduser(self.path))  # Path.expanduser fails where there is no such user
        if not path.is_file():
            kind = (
                "a folder" if path.is_dir() else "which is no regular file" if path.exists() else "which does not exist"
            )
            raise InputError(
                f"`problem.path` must name a file, got {shown(self.path)}, {kind} (current folder: {Path.cwd()})."
            )
        if not path.stat().st_size:
            raise InputError(
                f"`problem.path` must name a file with rows of data, got {shown(self.path)}, which is empty."
            )
        return path

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Turn every error of reading into an InputError of one sentence."""
        try:
            yield
        except InputError:
            raise
        except CellError as cell:
            field = next(field for field, column in self.columns.items() if column == cell.column)
            value = f"{_short(cell.value, 40)!r} in row {cell.row} of column {shown(cell.column)}"
            hint = f"; {cell.hint}" if cell.hint else ""
            raise InputError(f"`{self.key(field)}` must be {cell.wanted}, got {value}{hint}.") from None
        except UNREADABLE as error:
            words = FORMATS[self._ending].words
            raise InputError(f"`problem.path` must be {words}, got {shown(self.path)} ({_reason(error)}).") from error


def _require_column(key: str, column: str, names: list[str], opened: Format) -> None:
    """Raise `InputError` unless exactly one column has this name, and it holds numbers, or dates where they are read."""
    got = shown(column)
    if column not in names:
        like = nearest(column, names[:MAX_NAMES_COMPARED])
        columns = f"the columns {_listed(names)}{opened.header}"
        given = f"and means {got} where it is left out: type `{key}=...` with one of them"
        is_default = key in ("problem.x", "problem.y") and column == key.rpartition(".")[2]
        raise InputError(
            f"`{key}` must be one of {columns}, {given if is_default else f'got {got}'}.{opened.hint() or like}"
        )
    if names.count(column) > 1:
        raise InputError(
            f"`{key}` must name one column, got {got}, which is the name of {names.count(column)} columns."
        )
    holds = opened.holds(column)
    if holds:
        wanted, hint = (DATES, "") if opened.options.dated(column) else (NUMBERS, _dates_hint(key, holds))
        raise InputError(f"`{key}` must be {wanted}, got {got}, which holds {_short(holds, 80)}{hint}.")


def _dates_hint(key: str, holds: str) -> str:
    is_date = key.endswith(".x") and holds.startswith(("date", "timestamp"))  # in pyarrow and in NumPy
    return "; `problem.dates=days` or `=seconds` reads dates" if is_date else ""


def _listed(names: list[str]) -> str:
    more = [f"{len(names) - MAX_NAMES_LISTED} more"] if len(names) > MAX_NAMES_LISTED else []
    return _short(", ".join([*map(shown, names[:MAX_NAMES_LISTED]), *more]), 200)


def _reason(error: Exception) -> str:
    message = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return _short(message, 200).rstrip(".") or type(error).__name__


def _short(text: str, length: int) -> str:
    """The text on one line, shortened to `length` characters."""
    line = " ".join(text[: 2 * length].split())
    return line if len(line) <= length else line[: length - 3] + "..."
