"""A comparison as text: sentences, and tables of its first runs."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from polyexp.base import counted
from polyexp.comparison.table import Comparison
from polyexp.report.tables import Column

__all__ = ["parts"]

MAX_ROWS = 50  # of a table; compare.html has all runs
MAX_POWERS = 24  # whose coefficients are printed; compare.html has all of them


def parts(comparison: Comparison) -> Iterator[str | Sequence[Column]]:
    """The sentences and tables to print, each table as its columns.

    Args:
        comparison: The comparison.
    """
    yield f"A {comparison.title}"
    if not comparison.settings:
        yield "They do not differ in their settings."
    yield _first_rows([comparison.ids, *comparison.columns])
    if len(comparison.runs) > MAX_ROWS:
        yield f"... and {counted(len(comparison.runs) - MAX_ROWS, 'more run')}, listed in compare.html.\n"
    if comparison.coefficients:
        yield "The fitted polynomials in powers of x:"
        yield _first_rows([comparison.polynomials, *comparison.coefficients[:MAX_POWERS]])
    if len(comparison.coefficients) > MAX_POWERS:
        yield f"... and {counted(len(comparison.coefficients) - MAX_POWERS, 'more power')}, listed in compare.html.\n"
    yield from comparison.notes


def _first_rows(columns: Sequence[Column]) -> list[Column]:
    return [replace(column, cells=column.cells[:MAX_ROWS]) for column in columns]
