"""CSV files, read by pyarrow."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property, partial
from itertools import chain, islice
from typing import Any

import numpy as np

from polyexp.base import counted
from polyexp.problem.files.arrow import open_binary, to_float64
from polyexp.problem.files.blocks import Body, blocks_of, body, head_of
from polyexp.problem.files.dates import from_text
from polyexp.problem.files.dialect import DATE, Dialect, dialect_of
from polyexp.problem.files.encoding import encoding_of, in_utf8, is_utf8
from polyexp.problem.files.format import BYTES_PER_BLOCK, NUMBERS, CellError, Format, Part
from polyexp.problem.files.integers import is_large, require_held

__all__ = ["CSV"]


class CSV(Format):
    """CSV, plain or compressed by gzip; the module `dialect` says how it may be written."""

    words = "a readable CSV file"

    @property
    def header(self) -> str:  # type: ignore[override]
        """Where the columns are named."""
        return " (its first row)" if self._dialect.has_header else " (their numbers, as it has no header)"

    def names(self) -> list[str]:
        """The columns that the header names. Whether a column holds numbers is found when it is read."""
        return list(self._dialect.names)

    def hint(self) -> str:
        """The setting that may help where a column is not found."""
        dialect = self._dialect
        if dialect.numeric and dialect.has_header:
            return " Columns without a header are numbered: `problem.x=0 problem.y=1`."
        if comment := _comment_hint(dialect.names[0]):
            return f" {comment}."
        if len(dialect.names) == 1 and not self.options.delimiter:
            return " `problem.delimiter` sets what separates columns."
        return "" if self._header_is_utf8 else " `problem.encoding` sets the encoding, which is not UTF-8."

    def parts(self) -> Iterator[Part]:
        """All rows of the columns; each part is a block of the file.

        Raises:
            CellError: A cell holds no number or date, or a whole number that float64 does not hold.
            ValueError: The file is not a CSV file that pyarrow can read.
        """
        names = self._dialect.names
        size, rows, texts, read = self.path.stat().st_size, 0, self._batches(as_text=True), 0
        try:
            for number, (batch, position) in enumerate(self._batches(as_text=False), 1):
                columns = dict(zip(self.options.columns, batch.columns, strict=True))
                values = [self._values(column, cells, rows) for column, cells in columns.items()]
                if any(map(is_large, values)):  # read once more as text, since float64 may have rounded them
                    exact, _ = next(islice(texts, number - read - 1, None))
                    read = number
                    self._require_held(values, exact.columns, rows)
                rows += batch.num_rows
                # pyarrow reads ahead, so for a plain file the blocks are nearer to what is done than its position is.
                # A compressed file has more blocks than its size suggests; there the position is the smaller one.
                yield values, min(number * BYTES_PER_BLOCK, position) / size
        except ValueError as error:
            if "Empty CSV file" not in str(error):  # pyarrow's error for a file without rows
                raise self._explained(str(error), names) from error

    def _values(self, column: str, cells: Any, rows_before: int) -> np.ndarray:
        if self.options.dated(column):
            return from_text(cells, self.options.unit, column, rows_before)
        return to_float64(cells)

    def _require_held(self, values: list[np.ndarray], texts: list[Any], rows_before: int) -> None:
        for column, floats, cells in zip(self.options.columns, values, texts, strict=True):
            if not self.options.dated(column):
                require_held(column, floats, rows_before, partial(_taken, cells))

    def _batches(self, as_text: bool) -> Iterator[tuple[Any, int]]:
        """The cells of the columns as numbers, except for dates, or all as text; and the position in the file."""
        import pyarrow as pa
        from pyarrow import csv as arrow

        dialect, options = self._dialect, self.options
        places = {column: str(dialect.names.index(column)) for column in options.columns}
        kinds = {
            place: pa.string() if as_text or options.dated(name) else pa.float64() for name, place in places.items()
        }
        with self._open() as (raw, blocks):
            rows = Body(body(blocks, dialect, BYTES_PER_BLOCK))
            with arrow.open_csv(
                pa.PythonFile(rows, mode="r"),
                # With threads pyarrow's errors do not give the number of the row.
                arrow.ReadOptions(
                    block_size=BYTES_PER_BLOCK,
                    use_threads=False,
                    column_names=[str(index) for index in range(len(dialect.names))],
                ),
                arrow.ParseOptions(
                    delimiter=dialect.delimiter, newlines_in_values=True, invalid_row_handler=_skipped_if_blank
                ),
                arrow.ConvertOptions(
                    include_columns=list(kinds),
                    column_types=kinds,
                    decimal_point=options.decimal,
                    null_values=[*arrow.ConvertOptions().null_values, *MISSING],
                ),
            ) as reader:
                for batch in reader:
                    yield batch, raw.tell()

    @contextmanager
    def _open(self) -> Iterator[tuple[Any, Iterator[bytes]]]:
        """The file, and the blocks of its text in an encoding that extends ASCII."""
        import pyarrow as pa

        with open_binary(self.path) as raw, ExitStack() as stack:
            compressed = self.path.suffix.lower() == ".gz"
            stream = stack.enter_context(pa.CompressedInputStream(raw, "gzip")) if compressed else raw
            blocks = blocks_of(stream, BYTES_PER_BLOCK)
            first = next(blocks, b"")
            yield raw, in_utf8(chain([first], blocks), encoding_of(first, self.options.encoding))

    @cached_property
    def _head(self) -> tuple[bytes, bool]:
        with self._open() as (_, blocks):
            return head_of(blocks)

    @cached_property
    def _dialect(self) -> Dialect:
        tabbed = self.path.name.lower().removesuffix(".gz").endswith(".tsv")
        return dialect_of(*self._head, self.options, "\t" if tabbed else "")

    @property
    def _header_is_utf8(self) -> bool:
        return bool(self.options.encoding) or is_utf8(self._head[0][: self._dialect.begin])

    def _explained(self, message: str, names: tuple[str, ...]) -> Exception:
        """An error that explains pyarrow's message about a CSV file."""
        if found := TEXT_CELL.search(message):
            column, row, value = names[int(found[1])], int(found[2]), found[3]
            return CellError(column, row, value, NUMBERS, self._hint(column, value))
        if found := RAGGED_ROW.search(message):
            row, wanted, got = map(int, found.groups()[:3])
            of = "the header" if self._dialect.has_header else "the first row"
            hint = _comment_hint(found[4]) or _blank_hint(got, found[4])
            return ValueError(f"row {row} has {counted(got, 'value')} and {of} {wanted}{'; ' if hint else ''}{hint}")
        if "straddling" in message:
            return ValueError(f"a row is longer than {BYTES_PER_BLOCK} bytes, or a quote is not closed")
        return ValueError(message)

    def _hint(self, column: str, value: str) -> str:
        """The setting that reads such a cell, in words; empty where none does."""
        if DECIMAL_COMMA.fullmatch(value) and self.options.decimal == ".":
            return "`problem.decimal=comma` reads decimal commas"
        if DATE.fullmatch(value) and column == self.options.x and not self.options.unit:
            return "`problem.dates=days` or `=seconds` reads dates"
        return _comment_hint(value) if column == self._dialect.names[0] else ""


# pyarrow's errors for a cell that holds text and for a row with too few or too many cells.
TEXT_CELL = re.compile(r"CSV column #(\d+): Row #(\d+): .*invalid value '(.*)'", re.DOTALL)
RAGGED_ROW = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)(?:: (.*))?", re.DOTALL)
DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,\d+([eE][+-]?\d+)?\s*")
COMMENT = re.compile(r"\s*(#|%|//|!)")


# Cells without a number besides those that pyarrow knows, such as NA, NULL and nan: as pandas and Python write them, and
# blanks, of which there may be many where columns are aligned.
MISSING = ("<NA>", "None", *(" " * width for width in range(1, 41)))


def _skipped_if_blank(row: Any) -> str:
    """What pyarrow does with a row that has too few or too many cells."""
    return "error" if row.text.strip() else "skip"


def _taken(texts: Any, indices: np.ndarray) -> list[str]:
    import pyarrow as pa

    return list(texts.take(pa.array(indices)).to_pylist())


def _comment_hint(text: str | None) -> str:
    found = COMMENT.match(text or "")
    return f"`problem.comment='{found[1]}'` leaves out lines that begin with it" if found else ""


def _blank_hint(got: int, text: str | None) -> str:
    blanks = got == 1 and len((text or "").split()) > 1
    return "`problem.delimiter=blank` reads columns between blanks" if blanks else ""
