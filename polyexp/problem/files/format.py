"""The base class of file formats: files with named columns, read part by part."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import numpy as np

__all__ = ["BYTES_PER_BLOCK", "ROWS_PER_PART", "Format", "NotANumberError", "Part"]

# Bytes read at a time. pyarrow reads up to 32 blocks ahead, and no row of a CSV file may be longer than one.
BYTES_PER_BLOCK = 2**20
ROWS_PER_PART = 2**17  # rows decoded at a time: 3 MiB of x, y and weights
Part = tuple[list[np.ndarray], float]
"""Some rows of the chosen columns, in float64, and the fraction of the file that has been read with them."""


class NotANumberError(Exception):
    """Text in a column of numbers.

    Args:
        column: The name of the column.
        row: The number of the row, counted from 1 without the header.
        value: The text.
    """

    def __init__(self, column: str, row: int, value: str) -> None:
        self.column, self.row, self.value = column, row, value


class Format(ABC):
    """A kind of file that has named columns.

    `words` names such a file in an error, and `header` says where its columns are named.

    Args:
        path: The path of the file.
    """

    words: str
    header = ""

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def columns(self) -> list[tuple[str, str]]:
        """The name of each column, and what it holds in words: an empty string where that can be read as numbers."""

    @abstractmethod
    def parts(self, columns: list[str]) -> Iterator[Part]:
        """All rows of these columns in parts of bounded size, with nan where a value is missing.

        Args:
            columns: The names of the columns, each of them once.
        """
