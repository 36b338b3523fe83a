"""Parquet files, read by pyarrow."""

from collections.abc import Iterator
from typing import Any

from polyexp.problem.files.arrow import to_float64
from polyexp.problem.files.format import BYTES_PER_BLOCK, ROWS_PER_PART, Format, Part

__all__ = ["Parquet"]


class Parquet(Format):
    """Apache Parquet. Integers, floats and decimals are numbers; booleans, times and text are not."""

    words = "a readable Parquet file"

    def columns(self) -> list[tuple[str, str]]:
        """The columns of the file's schema."""
        with self._file() as file:
            return [(field.name, "" if _holds_numbers(field.type) else str(field.type)) for field in file.schema_arrow]

    def parts(self, columns: list[str]) -> Iterator[Part]:
        """All rows of these columns; each part has `ROWS_PER_PART` rows, whatever the size of the file's row groups."""
        read = 0
        with self._file() as file:
            for batch in file.iter_batches(batch_size=ROWS_PER_PART, columns=columns, use_threads=False):
                read += batch.num_rows
                yield [to_float64(batch.column(name)) for name in columns], read / file.metadata.num_rows

    def _file(self) -> Any:
        from pyarrow import parquet

        # By default pyarrow holds a whole row group in memory; with a buffer it reads page by page.
        return parquet.ParquetFile(str(self.path), pre_buffer=False, buffer_size=BYTES_PER_BLOCK)


def _holds_numbers(kind: Any) -> bool:
    from pyarrow import types

    return any(test(kind) for test in (types.is_integer, types.is_floating, types.is_decimal, types.is_null))
