"""Samples from a CSV, Parquet or NPZ file, read part by part, so that the file may be larger than memory.

CSV and Parquet are read by pyarrow, which is imported when such a file is opened.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from polyexp.base import InputError, nearest, one_of, require
from polyexp.problem.files.format import Format, NotANumberError
from polyexp.problem.files.formats import FORMATS, UNREADABLE
from polyexp.problem.samples import Chunk
from polyexp.problem.source import SAMPLES_PER_CHUNK, Dropped, OnDropped, OnProgress, Source

__all__ = ["DataFile"]

MAX_NAMES_LISTED = 20  # column names in an error


@dataclass
class DataFile(Source, name="file"):
    """Samples from the columns of a CSV, Parquet or NPZ file.

    Args:
        path: The path of a .csv, .csv.gz, .parquet or .npz file, relative to the current folder.
        x: The name of the column of x.
        y: The name of the column of y.
        weight: The name of the column of weights, or None for weight 1 of each sample.
        on_bad_rows: What happens to a row in which a number is missing, nan or infinite, or the weight is negative:
            "error" refuses the file and names the row, "drop" leaves the row out. Text in place of a number is always
            refused.
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

    def __post_init__(self) -> None:
        super().__post_init__()
        *others, last = FORMATS
        require(bool(self._ending), self.key("path"), f"the name of a {', '.join(others)} or {last} file", self.path)
        one_of(self.key("on_bad_rows"), self.on_bad_rows, ("error", "drop"))

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
        """The column that each field names, such as `{"x": "time", "y": "height"}`."""
        named = {"x": self.x, "y": self.y, "weight": self.weight}
        return {field: column for field, column in named.items() if column is not None}

    @property
    def _ending(self) -> str:
        name = str(self.path).lower()
        return next((ending for ending in FORMATS if name.endswith(ending)), "")

    def _parts(self) -> Iterator[tuple[Chunk, float]]:
        """All rows, each part with the fraction of the file that has been read."""
        names = list(dict.fromkeys(self.columns.values()))
        with self._reading():
            for values, done in self._opened().parts(names):
                column = dict(zip(names, values, strict=True))
                x, y = column[self.x], column[self.y]
                yield Chunk(x, y, np.ones_like(x) if self.weight is None else column[self.weight]), done

    def _opened(self) -> Format:
        """The open file; InputError where it lacks one of the columns."""
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
            kind = "a folder" if path.is_dir() else "which does not exist"
            raise InputError(
                f"`problem.path` must name a file, got '{self.path}', {kind} (current folder: {Path.cwd()})."
            )
        if not path.stat().st_size:
            raise InputError(f"`problem.path` must name a file with rows of data, got '{self.path}', which is empty.")
        return path

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Turn every error of reading into an InputError of one sentence."""
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
    """The rows of one reading, counted and without the bad ones.

    Args:
        file: The file that is read.
    """

    def __init__(self, file: DataFile) -> None:
        self.file = file
        self.read = self.kept = 0
        self.first_bad = (0, "")
        self.weighted = False

    def good(self, chunk: Chunk) -> Chunk:
        """The good rows of the next part; InputError where a row is bad and `on_bad_rows` is "error"."""
        good = np.isfinite(chunk.x) & np.isfinite(chunk.y) & np.isfinite(chunk.weights) & (chunk.weights >= 0)
        if not good.all():
            self._meet(chunk, int(good.argmin()))
            chunk = Chunk(*(column[good] for column in chunk))
        self.read += good.size
        self.kept += chunk.x.size
        self.weighted |= bool(chunk.weights.any())
        return chunk

    def _meet(self, chunk: Chunk, index: int) -> None:
        """Refuse or note the first bad row of a part, which is at this index."""
        x, y, weight = (float(column[index]) for column in chunk)
        field = "x" if not np.isfinite(x) else "y" if not np.isfinite(y) else "weight"
        value = {"x": x, "y": y, "weight": weight}[field]
        row, shown = self.read + index + 1, "nan or an empty cell" if np.isnan(value) else repr(value)
        column = f"column {self.file.columns[field]!r}"
        if self.file.on_bad_rows == "error":
            wanted = "a column of finite numbers" + " of at least 0" * (field == "weight")
            hint = "`problem.on_bad_rows=drop` leaves such rows out"
            raise InputError(f"`problem.{field}` must be {wanted}, got {shown} in row {row} of {column}; {hint}.")
        if not self.first_bad[0]:
            self.first_bad = row, f"{shown} in {column}"

    def finish(self, on_dropped: OnDropped | None) -> None:
        """Report the dropped rows after the last part; InputError where no good row or no weight above 0 is left."""
        path, bad = self.file.path, self.read - self.kept
        dropped = Dropped(Path(path).name, bad, self.read, *self.first_bad)
        if not self.read:
            raise InputError(f"`problem.path` must name a file with rows of data, got '{path}', which has none.")
        if not self.kept:
            raise InputError(f"`problem.path` must name a file with at least one valid row, got '{path}': {dropped}")
        if not self.weighted:
            raise InputError(f"`problem.weight` must name a column with a number above 0, got {self.file.weight!r}.")
        if bad and on_dropped:
            on_dropped(dropped)


def _require_column(key: str, column: str, found: list[tuple[str, str]], header: str) -> None:
    """Raise `InputError` unless exactly one column has this name, and it holds numbers."""
    names = [name for name, _ in found]
    if column not in names:
        more = [f"{len(names) - MAX_NAMES_LISTED} more"] if len(names) > MAX_NAMES_LISTED else []
        shown = _short(", ".join(names[:MAX_NAMES_LISTED] + more), 400)
        raise InputError(f"`{key}` must be one of the columns {shown}{header}, got {column!r}.{nearest(column, names)}")
    if names.count(column) > 1:
        raise InputError(
            f"`{key}` must name one column, got {column!r}, which is the name of {names.count(column)} columns."
        )
    holds = dict(found)[column]
    if holds:
        raise InputError(f"`{key}` must be a column of numbers, got {column!r}, which holds {holds}.")


def _reason(error: Exception) -> str:
    message = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return _short(message, 120).rstrip(".") or type(error).__name__


def _short(text: str, length: int) -> str:
    """The text on one line, shortened to `length` characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 3] + "..."
