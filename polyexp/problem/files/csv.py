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
    """Text with a header row. Its delimiter is the comma, semicolon or tab, whichever the header has most of."""

    words = "a readable CSV file"
    header = " (its first row)"

    def columns(self) -> list[tuple[str, str]]:
        """Any column may hold numbers; reading shows."""
        return [(name.strip(), "") for name in self._header()[0]]

    def parts(self, columns: list[str]) -> Iterator[Part]:
        """A part is a block of the file."""
        header, delimiter = self._header()
        names = [name.strip() for name in header]
        chosen = [header[names.index(column)] for column in columns]
        size = self.path.stat().st_size
        try:
            with open_binary(self.path) as raw, self._reader(raw, chosen, delimiter) as reader:
                for number, batch in enumerate(reader, 1):
                    # The file is read ahead, so blocks tell better how far this is; of a compressed file they cannot.
                    yield (
                        [to_float64(batch.column(name)) for name in chosen],
                        min(number * BYTES_PER_BLOCK, raw.tell()) / size,
                    )
        except ValueError as error:
            if "Empty CSV file" not in str(error):  # said of a header without a line end: it has no rows
                raise _explained(str(error), names) from error

    def _reader(self, raw: Any, columns: list[str], delimiter: str) -> Any:
        import pyarrow as pa
        from pyarrow import csv as arrow

        return arrow.open_csv(
            pa.CompressedInputStream(raw, "gzip") if self._is_compressed else raw,
            read_options=arrow.ReadOptions(
                block_size=BYTES_PER_BLOCK, use_threads=False
            ),  # threads would lose count of the rows
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


TEXT = re.compile(r"CSV column #(\d+): Row #(\d+): .*invalid value '(.*)'", re.DOTALL)
RAGGED = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")


def _explained(said: str, names: list[str]) -> Exception:
    """An error for what pyarrow said about a CSV file. It counts the header as row 1."""
    if found := TEXT.search(said):
        return NotANumberError(names[int(found[1])], int(found[2]) - 1, found[3])
    if found := RAGGED.search(said):
        row, wanted, got = map(int, found.groups())
        return ValueError(f"row {row - 1} has {_values(got)} and the header {wanted}")
    if "straddling" in said:
        return ValueError(f"a row is longer than {BYTES_PER_BLOCK} bytes, or a quote is not closed")
    return ValueError(said)


def _values(count: int) -> str:
    return "1 value" if count == 1 else f"{count} values"
