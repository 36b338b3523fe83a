"""A comparison as tables of text; columns that do not fit into the width go into further tables."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from polyexp.comparison.table import Column, Comparison

__all__ = ["tables"]

MAX_ROWS = 50  # of a table; compare.html has all runs
MAX_CELL_CHARACTERS = 36
MAX_POWERS = 24  # whose coefficients are printed; compare.html has all of them
COLUMN_GAP_CHARACTERS = 3  # that rich puts between columns


def tables(comparison: Comparison, width: int | None) -> Iterator[Table | str]:
    """The sentences and tables to print.

    Args:
        comparison: The comparison.
        width: The most characters in a line of a table; None for one table with whole cells.
    """
    yield f"A {comparison.title}"
    if not comparison.settings:
        yield "They do not differ in their settings."
    yield from _blocks(comparison.ids, comparison.columns, width)
    if len(comparison.runs) > MAX_ROWS:
        yield f"... and {len(comparison.runs) - MAX_ROWS} more runs, which are in compare.html.\n"
    if comparison.coefficients:
        yield "The fitted polynomials in powers of x:"
        yield from _blocks(comparison.polynomials, comparison.coefficients[:MAX_POWERS], width)
    if len(comparison.coefficients) > MAX_POWERS:
        yield f"... and {len(comparison.coefficients) - MAX_POWERS} more powers, which are in compare.html.\n"
    yield from comparison.notes


def _blocks(ids: Column, columns: Sequence[Column], width: int | None) -> Iterator[Table]:
    """The columns in as many tables as the width requires, each with the column of the ids in front."""
    if width is None:
        yield _table([ids, *columns])
        return
    short = [replace(column, cells=[_cut(cell) for cell in column.cells]) for column in columns]
    block = [ids]
    for column in short:
        if len(block) > 1 and sum(map(_width, [*block, column])) + 2 > width:
            yield _table(block)
            block = [ids]
        block.append(column)
    yield _table(block)


def _table(columns: Sequence[Column]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    for column in columns:
        table.add_column(Text(_head(column)), justify="right" if column.numeric else "left", no_wrap=True)
    rows = min(MAX_ROWS, *(len(column.cells) for column in columns))
    for row in range(rows):
        table.add_row(*(Text(column.cells[row]) for column in columns))
    return table


def _width(column: Column) -> int:
    return max(map(len, [*_head(column).splitlines(), *column.cells[:MAX_ROWS]])) + COLUMN_GAP_CHARACTERS


def _head(column: Column) -> str:
    return column.head.replace(".", ".\n")


def _cut(cell: str) -> str:
    return cell if len(cell) <= MAX_CELL_CHARACTERS else f"{cell[: MAX_CELL_CHARACTERS - 3]}..."
