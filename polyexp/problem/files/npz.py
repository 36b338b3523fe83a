"""NPZ files, the archives of NumPy, read part by part and without pickles."""

import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO, Any

import numpy as np

from polyexp.problem.files.format import ROWS_PER_PART, Format, Part

__all__ = ["NPZ"]


class NPZ(Format):
    """NPZ, as `np.savez(path, x=x, y=y)` and `np.savez_compressed` write it; each column is a one-dimensional array."""

    words = "a readable NPZ file"

    def columns(self) -> list[tuple[str, str]]:
        """The names of the arrays; what they hold is read from their headers."""
        with zipfile.ZipFile(self.path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
            return [(name, _array_holds(archive, name)) for name in names]

    def parts(self, columns: list[str]) -> Iterator[Part]:
        """All rows of these arrays; each part has `ROWS_PER_PART` rows.

        Raises:
            ValueError: The arrays differ in length.
            EOFError: An array is cut short.
        """
        with ExitStack() as stack:
            archive = stack.enter_context(zipfile.ZipFile(self.path))
            files = [stack.enter_context(archive.open(f"{name}.npy")) for name in columns]
            heads = [_array_head(file) for file in files]
            lengths = [shape[0] for shape, _ in heads]
            if len(set(lengths)) > 1:
                raise ValueError(f"its arrays {', '.join(columns)} have lengths {', '.join(map(str, lengths))}")
            for begin in range(0, lengths[0], ROWS_PER_PART):
                n = min(ROWS_PER_PART, lengths[0] - begin)
                values = [_array_part(file, dtype, n) for file, (_, dtype) in zip(files, heads, strict=True)]
                yield values, (begin + n) / lengths[0]


def _array_head(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and dtype of an array in the .npy format; reading goes on with its numbers."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype


def _array_holds(archive: zipfile.ZipFile, name: str) -> str:
    with archive.open(f"{name}.npy") as file:
        shape, dtype = _array_head(file)
    return "" if dtype.kind in "iuf" and len(shape) == 1 else f"{dtype} of shape {shape}"


def _array_part(file: IO[bytes], dtype: np.dtype[Any], n: int) -> np.ndarray:
    """The next n numbers as float64."""
    values = np.frombuffer(file.read(n * dtype.itemsize), dtype)
    if values.size < n:
        raise EOFError("an array is cut short")
    with np.errstate(over="ignore"):  # a long double beyond float64 becomes inf, which is refused later
        return values.astype(float)
