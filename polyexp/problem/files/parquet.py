"""Parquet files, read by pyarrow."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from polyexp.problem.files.arrow import to_datetime64, to_held_float64
from polyexp.problem.files.dates import from_datetime64, from_text
from polyexp.problem.files.format import BYTES_PER_BLOCK, ROWS_PER_PART, Format, Part

__all__ = ["Parquet"]

MAX_BYTES = 2**26  # of a part of a column without regard to its number of rows
MAX_BYTES_PER_ROW = 64  # the longest decimal has 32


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
            ValueError: A column has far more bytes than its numbers need.
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
        """Refuse columns whose dictionary or whose pages would fill the memory, as in a file made for that."""
        for group in map(metadata.row_group, range(metadata.num_row_groups)):
            for chunk in map(group.column, range(group.num_columns)):
                needed = MAX_BYTES + MAX_BYTES_PER_ROW * chunk.num_values
                if chunk.path_in_schema in self.options.columns and chunk.total_uncompressed_size > needed:
                    raise ValueError(
                        f"{chunk.total_uncompressed_size} bytes for {chunk.num_values} values in a row group"
                    )

    def _file(self) -> Any:
        from pyarrow import parquet

        # By default pyarrow holds a whole row group in memory; with a buffer it reads page by page.
        return parquet.ParquetFile(str(self.path), pre_buffer=False, buffer_size=BYTES_PER_BLOCK)


def _holds_numbers(kind: Any) -> bool:
    from pyarrow import types

    return any(test(kind) for test in (types.is_integer, types.is_floating, types.is_decimal, types.is_null))


def _holds_dates(kind: Any) -> bool:
    from pyarrow import types

    return any(test(kind) for test in (types.is_date, types.is_timestamp, types.is_string))
