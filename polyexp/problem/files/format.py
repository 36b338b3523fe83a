"""What a file format is: named columns, read part by part."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import numpy as np

__all__ = ["BYTES_PER_BLOCK", "ROWS_PER_PART", "Format", "NotANumberError", "Part"]

BYTES_PER_BLOCK = (
    2**20
)  # bytes read at a time; pyarrow reads up to 32 blocks ahead, and no row of a CSV file may be longer than one
ROWS_PER_PART = 2**17  # rows decoded at a time: 3 MiB of x, y and weights
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
