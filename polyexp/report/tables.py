"""Tables on the terminal, whose numbers and words are never broken."""

import textwrap
from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from polyexp.base import printable

__all__ = ["tables"]

GAP_CHARACTERS, EDGE_CHARACTERS = 3, 2  # that rich puts around each column, and around a table
MAX_VALUE_CHARACTERS = 40  # of a cell, or half a line; columns with longer ones hold words, which are wrapped at blanks


def tables(
    heads: Sequence[str], rows: Sequence[Sequence[str]], width: int, *, keys: int = 1, right: bool = False
) -> Iterator[Table]:
    """One table, or several where its columns do not fit beside each other; columns without any text are left out.

    Args:
        heads: The heads of the columns, which are wrapped at blanks where that makes room.
        rows: The cells of each row.
        width: The number of characters of a line.
        keys: The number of first columns with which each further table begins.
        right: Whether all columns but the first are aligned to the right.
    """
    columns = [[printable(cell) for cell in column] for column in zip(heads, *rows, strict=True)]
    columns = [column for column in columns if any(column[1:]) or not rows]
    block: list[list[str]] = []
    for column in columns:
        if len(block) > keys and _width([*block, column], width) > width:
            yield _table(block, width, right=right)
            block = columns[:keys]
        block = [*block, column]
    yield _table(block, width, right=right)


def _width(columns: Sequence[Sequence[str]], width: int) -> int:
    least = sum(_least_width(column, width) for column in columns)
    return least + GAP_CHARACTERS * len(columns) + EDGE_CHARACTERS


def _least_width(column: Sequence[str], width: int) -> int:
    """The characters of the longest cell, or of the longest word where it is wrapped."""
    head, *cells = column
    unbroken = " ".join(cells).split() if _holds_words(column, width) else cells
    return max(map(len, [*head.split(), *unbroken]), default=0)


def _holds_words(column: Sequence[str], width: int) -> bool:
    return max(map(len, column[1:]), default=0) > min(MAX_VALUE_CHARACTERS, width // 2)


def _table(columns: Sequence[Sequence[str]], width: int, *, right: bool) -> Table:
    table = Table(box=SIMPLE_HEAD)
    natural = sum(max(map(len, column)) for column in columns) + GAP_CHARACTERS * len(columns) + EDGE_CHARACTERS
    for number, column in enumerate(columns):
        least, holds_words = _least_width(column, width), _holds_words(column, width)
        head = column[0] if natural <= width or not column[0] else textwrap.fill(column[0], least)
        justify = "right" if right and number and not holds_words else "left"
        table.add_column(Text(head), justify=justify, no_wrap=not holds_words, min_width=least)  # type: ignore[arg-type]
    for row in zip(*(column[1:] for column in columns), strict=True):
        table.add_row(*map(Text, row))
    return table
