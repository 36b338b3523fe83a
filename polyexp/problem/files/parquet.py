"""Parquet files, read by pyarrow."""

import re
from collections.abc import Iterator
from typing import IO, Any

import numpy as np

from polyexp.problem.files.arrow import to_datetime64, to_held_float64
from polyexp.problem.files.dates import from_datetime64, from_text
from polyexp.problem.files.format import BYTES_PER_BLOCK, ROWS_PER_PART, Format, Part

__all__ = ["Parquet"]

MAX_PAGE_BYTES = 2**26  # of a page, which is decoded as a whole; writers make pages of 1 MiB
MAX_HEADER_BYTES = 16
# The first two fields of the header of a page in Thrift's compact protocol, the kind and the size in bytes: each has a byte
# 0x15, and a number in groups of seven bits, of which the lowest is the sign (the Parquet format, parquet.thrift).
PAGE_HEADER = re.compile(rb"\x15[\x80-\xff]*[\x00-\x7f]\x15([\x80-\xff]*[\x00-\x7f])")


class Parquet(Format):
    """Apache Parquet. Integers, floats and decimals are numbers; booleans, times and text are not."""

    words = "a readable Parquet file"

    def names(self) -> list[str]:
        """The columns of the file's schema."""
        with self._file() as file:
            return list(file.schema_arrow.names)

    def holds(self, column: str) -> str:
        """The type of a column that holds no numbers."""
        with self._file() as file:
            kind = file.schema_arrow.field(column).type
        return "" if (_holds_dates if self.options.dated(column) else _holds_numbers)(kind) else str(kind)

    def parts(self) -> Iterator[Part]:
        """All rows of the columns; each part has `ROWS_PER_PART` rows, whatever the size of the file's row groups.

        Raises:
            CellError: A whole number is one that float64 does not hold, or a text is no date.
            ValueError: A page of a column would fill the memory.
        """
        columns, read = list(self.options.columns), 0
        with self._file() as file:
            self._require_sizes(file.metadata)
            for batch in file.iter_batches(batch_size=ROWS_PER_PART, columns=columns, use_threads=False):
                values = [self._values(name, batch.column(name), read) for name in columns]
                read += batch.num_rows
                yield values, read / file.metadata.num_rows

    def _values(self, column: str, array: Any, rows_before: int) -> np.ndarray:
        from pyarrow import types

        if not self.options.dated(column):
            return to_held_float64(array, column, rows_before)
        if types.is_string(array.type):
            return from_text(array, self.options.unit, column, rows_before)
        return from_datetime64(to_datetime64(array), self.options.unit)

    def _require_sizes(self, metadata: Any) -> None:
        """Refuse columns whose dictionary or first page would fill the memory, as in a small file made for that."""
        paths = [metadata.schema.column(index).path for index in range(metadata.num_columns)]
        places = [paths.index(column) for column in self.options.columns]
        with self.path.open("rb") as file:
            for group in map(metadata.row_group, range(metadata.num_row_groups)):
                for place in places:
                    _require_pages(file, group.column(place))

    def _file(self) -> Any:
        from pyarrow import parquet

        # By default pyarrow holds a whole row group in memory; with a buffer it reads page by page.
        return parquet.ParquetFile(str(self.path), pre_buffer=False, buffer_size=BYTES_PER_BLOCK)


def _require_pages(file: IO[bytes], chunk: Any) -> None:
    """Refuse the part of a column whose dictionary or first page is longer than `MAX_PAGE_BYTES`."""
    for offset in (chunk.dictionary_page_offset, chunk.data_page_offset):
        if offset:
            file.seek(offset)
            found = PAGE_HEADER.match(file.read(MAX_HEADER_BYTES))
            size = sum((byte & 127) << 7 * place for place, byte in enumerate(found[1])) >> 1 if found else 0
            if size > MAX_PAGE_BYTES:
                raise ValueError(
                    f"a page of column {chunk.path_in_schema} has {size} bytes, more than {MAX_PAGE_BYTES}"
                )


def _holds_numbers(kind: Any) -> bool:
    from pyarrow import types

    return any(test(kind) for test in (types.is_integer, types.is_floating, types.is_decimal, types.is_null))


def _holds_dates(kind: Any) -> bool:
    from pyarrow import types

    return any(test(kind) for test in (types.is_date, types.is_timestamp, types.is_string))
