"""The base class of file formats: files with named columns, read part by part."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from polyexp.problem.files.options import Options

__all__ = ["BYTES_PER_BLOCK", "NUMBERS", "ROWS_PER_PART", "CellError", "Format", "Part"]

# Bytes read at a time. pyarrow reads up to 32 blocks ahead, and no row of a CSV file may be longer than one.
BYTES_PER_BLOCK = 2**20
ROWS_PER_PART = 2**17  # rows decoded at a time: 3 MiB of x, y and weights
NUMBERS = "a column of numbers"
Part = tuple[list[np.ndarray], float]
"""Some rows of the chosen columns, in float64, and the fraction of the file that has been read with them."""


class CellError(Exception):
    """A cell whose value cannot be read as a number.

    Args:
        column: The name of the column.
        row: The number of the row, counted from 1 without the header.
        value: The value as text.
        wanted: What the column must be, in words.
        hint: What reads such a value, in words that end the error; empty where nothing does.
    """

    def __init__(self, column: str, row: int, value: str, wanted: str = NUMBERS, hint: str = "") -> None:
        self.column, self.row, self.value, self.wanted, self.hint = column, row, value, wanted, hint


class Format(ABC):
    """A kind of file that has named columns.

    `words` names such a file in an error, and `header` says where its columns are named.

    Args:
        path: The path of the file.
        options: The columns that are read, and how.
    """

    words: str
    header = ""

    def __init__(self, path: Path, options: Options) -> None:
        self.path, self.options = path, options

    @abstractmethod
    def names(self) -> list[str]:
        """The names of all columns."""

    def holds(self, column: str) -> str:
        """What a column holds, in words; an empty text where that can be read as numbers, or is only found in doing so."""
        return ""

    def hint(self) -> str:
        """What may help where a column is not found: a sentence after a blank, or an empty text."""
        return ""

    @abstractmethod
    def parts(self) -> Iterator[Part]:
        """All rows of the columns `options.columns` in parts of bounded size, with nan where a value is missing.

        Raises:
            CellError: A value is no number, or one that float64 does not hold.
        """
