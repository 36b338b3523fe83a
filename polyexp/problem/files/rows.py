"""The rows of a data file, of which bad ones are refused or dropped."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from polyexp.base import InputError, cut, shown
from polyexp.problem.samples import Chunk
from polyexp.problem.source import Dropped, OnDropped

__all__ = ["Rows"]


class Rows:
    """The rows of one reading, counted and without the bad ones.

    Args:
        path: The path of the file.
        columns: The column that each field names, such as `{"x": "time", "y": "height"}`.
        drop: Whether bad rows are left out; otherwise the first one is an error.
    """

    def __init__(self, path: str, columns: Mapping[str, str], *, drop: bool) -> None:
        self.path, self.columns, self.drop = path, columns, drop
        self.read = self.kept = 0
        self.first_bad = (0, "")
        self.weighted = False

    def good(self, chunk: Chunk) -> Chunk:
        """The good rows of the next part; InputError where a row is bad and is not to be dropped."""
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
        row, text = self.read + index + 1, "nan or an empty cell" if np.isnan(value) else repr(value)
        column = f"column {shown(self.columns[field])}"
        if not self.drop:
            wanted = "a column of finite numbers" + " of at least 0" * (field == "weight")
            hint = "`problem.on_bad_rows=drop` leaves such rows out"
            raise InputError(f"`problem.{field}` must be {wanted}, got {text} in row {row} of {column}; {hint}.")
        if not self.first_bad[0]:
            self.first_bad = row, f"{text} in {column}"

    def finish(self, on_dropped: OnDropped | None) -> None:
        """Report the dropped rows after the last part; InputError where no good row or no weight above 0 is left."""
        path, bad = shown(self.path), self.read - self.kept
        dropped = Dropped(cut(Path(self.path).name), bad, self.read, *self.first_bad)
        if not self.read:
            raise InputError(f"`problem.path` must name a file with rows of data, got {path}, which has none.")
        if not self.kept:
            raise InputError(f"`problem.path` must name a file with at least one valid row, got {path}: {dropped}")
        if not self.weighted:
            weight = shown(self.columns["weight"])
            raise InputError(f"`problem.weight` must name a column with a number above 0, got {weight}.")
        if bad and on_dropped:
            on_dropped(dropped)
