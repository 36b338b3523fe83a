"""CSV files, read by pyarrow."""

import csv
import gzip
import io
import re
from collections.abc import Iterator
from itertools import chain
from typing import IO, Any

from polyexp.problem.files.arrow import open_binary, to_float64
from polyexp.problem.files.format import BYTES_PER_BLOCK, Format, NotANumberError, Part

__all__ = ["CSV"]


class CSV(Format):
    """CSV, plain or compressed by gzip: UTF-8 text with a header row.

    The delimiter is the comma, semicolon or tab, whichever occurs most often in the header.
    """

    words = "a readable CSV file"
    header = " (its first row)"

    def columns(self) -> list[tuple[str, str]]:
        """The columns that the header names. Whether a column holds numbers is found when it is read."""
        return [(name.strip(), "") for name in self._header()[0]]

    def parts(self, columns: list[str]) -> Iterator[Part]:
        """All rows of these columns; each part is a block of the file.

        Raises:
            NotANumberError: A cell holds text in place of a number.
            ValueError: The file is not a CSV file that pyarrow can read.
        """
        header, delimiter = self._header()
        names = [name.strip() for name in header]
        chosen = [header[names.index(column)] for column in columns]
        size = self.path.stat().st_size
        try:
            with open_binary(self.path) as raw, self._reader(raw, chosen, delimiter) as reader:
                for number, batch in enumerate(reader, 1):
                    # pyarrow reads ahead, so for a plain file the blocks are nearer to what is done than its position is.
                    # A compressed file has more blocks than its size suggests; there the position is the smaller one.
                    yield (
                        [to_float64(batch.column(name)) for name in chosen],
                        min(number * BYTES_PER_BLOCK, raw.tell()) / size,
                    )
        except ValueError as error:
            if "Empty CSV file" not in str(error):  # pyarrow's error for a header without a line end, which has no rows
                raise _explained(str(error), names) from error

    def _reader(self, raw: Any, columns: list[str], delimiter: str) -> Any:
        import pyarrow as pa
        from pyarrow import csv as arrow

        return arrow.open_csv(
            pa.CompressedInputStream(raw, "gzip") if self._is_compressed else raw,
            # With threads pyarrow's errors do not give the number of the row.
            read_options=arrow.ReadOptions(block_size=BYTES_PER_BLOCK, use_threads=False),
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


# pyarrow's errors for a cell that holds text and for a row with too few or too many cells.
TEXT_CELL = re.compile(r"CSV column #(\d+): Row #(\d+): .*invalid value '(.*)'", re.DOTALL)
RAGGED_ROW = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")


def _explained(message: str, names: list[str]) -> Exception:
    """An error that explains pyarrow's message about a CSV file. pyarrow counts the header as row 1."""
    if found := TEXT_CELL.search(message):
        return NotANumberError(names[int(found[1])], int(found[2]) - 1, found[3])
    if found := RAGGED_ROW.search(message):
        row, wanted, got = map(int, found.groups())
        return ValueError(f"row {row - 1} has {_values(got)} and the header {wanted}")
    if "straddling" in message:
        return ValueError(f"a row is longer than {BYTES_PER_BLOCK} bytes, or a quote is not closed")
    return ValueError(message)


def _values(count: int) -> str:
    return "1 value" if count == 1 else f"{count} values"
