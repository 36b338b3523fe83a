"""NPZ files, the archives of NumPy, read part by part and without pickles."""

import io
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO, Any

import numpy as np

from polyexp.problem.files.dates import from_datetime64
from polyexp.problem.files.format import ROWS_PER_PART, Format, Part
from polyexp.problem.files.integers import require_held

__all__ = ["NPZ"]

MAX_HEAD_BYTES = 2**16  # of the head of an array, which says its shape and dtype


class NPZ(Format):
    """NPZ, as `np.savez(path, x=x, y=y)` and `np.savez_compressed` write it; each column is a one-dimensional array."""

    words = "a readable NPZ file"

    def names(self) -> list[str]:
        """The names of the arrays."""
        with zipfile.ZipFile(self.path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]

    def holds(self, column: str) -> str:
        """The dtype and the shape of an array that holds no numbers, from its head."""
        with zipfile.ZipFile(self.path) as archive, archive.open(f"{column}.npy") as file:
            shape, dtype = _array_head(file)
        kinds = "M" if self.options.dated(column) else "iuf"
        return "" if dtype.kind in kinds and len(shape) == 1 else f"{dtype} of shape {shape}"

    def parts(self) -> Iterator[Part]:
        """All rows of the arrays; each part has `ROWS_PER_PART` rows.

        Raises:
            CellError: A whole number is one that float64 does not hold.
            ValueError: The arrays differ in length.
            EOFError: An array is cut short.
        """
        columns = self.options.columns
        with ExitStack() as stack:
            archive = stack.enter_context(zipfile.ZipFile(self.path))
            files = [stack.enter_context(archive.open(f"{name}.npy")) for name in columns]
            heads = [_array_head(file) for file in files]
            lengths = [shape[0] for shape, _ in heads]
            if len(set(lengths)) > 1:
                raise ValueError(f"its arrays {', '.join(columns)} have lengths {', '.join(map(str, lengths))}")
            for begin in range(0, lengths[0], ROWS_PER_PART):
                n = min(ROWS_PER_PART, lengths[0] - begin)
                read = [_array_part(file, dtype, n) for file, (_, dtype) in zip(files, heads, strict=True)]
                values = [self._floats(name, part, begin) for name, part in zip(columns, read, strict=True)]
                yield values, (begin + n) / lengths[0]

    def _floats(self, column: str, part: np.ndarray, rows_before: int) -> np.ndarray:
        if self.options.dated(column):
            return from_datetime64(part, self.options.unit)
        with np.errstate(over="ignore"):  # a long double beyond float64 becomes inf, which is refused later
            floats = part.astype(float)
        if part.dtype.kind in "iu":
            require_held(column, floats, rows_before, lambda large: part[large].tolist())
        return floats


def _array_head(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and dtype of an array in the .npy format; reading goes on with its numbers.

    Raises:
        ValueError: The head is none, or is longer than that of any array of numbers.
    """
    head = io.BytesIO(file.read(MAX_HEAD_BYTES))
    try:
        version = np.lib.format.read_magic(head)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(head)
    except Exception as error:  # besides ValueError those of Python's own parser, for a head that is made to fail
        raise ValueError(f"an array in it cannot be read: {error}") from None
    file.seek(head.tell())
    return shape, dtype


def _array_part(file: IO[bytes], dtype: np.dtype[Any], n: int) -> np.ndarray:
    """The next n elements."""
    values = np.frombuffer(file.read(n * dtype.itemsize), dtype)
    if values.size < n:
        raise EOFError("an array is cut short")
    return values
