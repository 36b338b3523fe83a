"""Tables on the terminal, whose numbers and words are never broken."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from polyexp.base import cut, printable

__all__ = ["Column", "columns_of", "plain_table", "tables"]

GAP_CHARACTERS, EDGE_CHARACTERS = 3, 2  # that rich puts around each column, and around a table
MAX_VALUE_CHARACTERS = 40  # of a cell, or half a line; columns with longer ones hold words, which are wrapped at blanks


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Args:
        head: The text of its head.
        cells: The text of each row.
        numeric: Whether the cells are numbers, which are aligned to the right.
    """

    head: str
    cells: Sequence[str]
    numeric: bool = False


def columns_of(heads: Sequence[str], rows: Sequence[Sequence[str]], *, numeric: bool = False) -> list[Column]:
    """The columns of a table that is given by its rows.

    Args:
        heads: The heads of the columns.
        rows: The cells of each row.
        numeric: Whether all columns but the first hold numbers.
    """
    columns = zip(heads, *rows, strict=True)
    return [Column(head, cells, numeric and number > 0) for number, (head, *cells) in enumerate(columns)]


def tables(columns: Sequence[Column], width: int, *, keys: int = 1) -> Iterator[Table]:
    """One table, or several where its columns do not fit beside each other; columns without any text are left out.

    Control characters are escaped, and words that are longer than half a line and than 40 characters are cut.

    Args:
        columns: The columns, whose heads are wrapped at blanks and after dots where that makes room.
        width: The number of characters of a line.
        keys: The number of first columns with which each further table begins.
    """
    columns = [_printable(column, width) for column in columns if any(column.cells) or not column.cells]
    block: list[Column] = []
    for column in columns:
        if len(block) > keys and _width([*block, column], width) > width:
            yield _table(block, width)
            block = columns[:keys]
        block = [*block, column]
    yield _table(block, width)


def plain_table(columns: Sequence[Column], width: int) -> str | None:
    """The lines of the one table of `tables` as rich prints them where they fit; None where they do not.

    Args:
        columns: The columns.
        width: The number of characters of a line.
    """
    shown = [_printable(column, width) for column in columns if any(column.cells) or not column.cells]
    widths = [max(map(cell_len, [column.head, *column.cells])) for column in shown]
    length = sum(widths) + GAP_CHARACTERS * len(widths) + 1
    if length >= width or any(_holds_words(column, width) for column in shown):
        return None
    rows = [_row(row, shown, widths) for row in zip(*([column.head, *column.cells] for column in shown), strict=True)]
    rule = f" {SIMPLE_HEAD.head_row_horizontal * (length - 2)} "
    return "\n".join([" " * length, rows[0], rule, *rows[1:], " " * length])


def _row(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    blanks = [" " * (size - cell_len(cell)) for cell, size in zip(cells, widths, strict=True)]
    triples = zip(cells, columns, blanks, strict=True)
    return "  " + "   ".join(blank + cell if column.numeric else cell + blank for cell, column, blank in triples) + "  "


def _printable(column: Column, width: int) -> Column:
    most = max(MAX_VALUE_CHARACTERS, width // 2)

    def fitting(text: str) -> str:
        return re.sub(rf"\S{{{most + 1},}}", lambda word: cut(word[0], most), printable(text))

    return Column(fitting(column.head), [fitting(cell) for cell in column.cells], column.numeric)


def _width(columns: Sequence[Column], width: int) -> int:
    return sum(_least_width(column, width) for column in columns) + _frame(columns)


def _frame(columns: Sequence[Column]) -> int:
    return GAP_CHARACTERS * len(columns) + EDGE_CHARACTERS


def _least_width(column: Column, width: int) -> int:
    """The characters of the longest cell, or of the longest word where it is wrapped."""
    unbroken = " ".join(column.cells).split() if _holds_words(column, width) else column.cells
    return max(map(len, [*_HeadWrapper().words(column.head), *unbroken]), default=0)


def _holds_words(column: Column, width: int) -> bool:
    return max(map(len, column.cells), default=0) > min(MAX_VALUE_CHARACTERS, width // 2)


class _HeadWrapper(textwrap.TextWrapper):
    """A wrapper of text that breaks lines at blanks and after dots, as in `optimizer.learning_rate`."""

    wordsep_simple_re = re.compile(r"(\s+)|(?<=\.)(?=\w)")

    def __init__(self, width: int = 1) -> None:
        super().__init__(width, break_long_words=False, break_on_hyphens=False)

    def words(self, text: str) -> list[str]:
        """The parts of a text that are not broken."""
        return [word for word in self._split(text) if word.strip()]


def _table(columns: Sequence[Column], width: int) -> Table:
    table = Table(box=SIMPLE_HEAD)
    natural = sum(max(map(len, [column.head, *column.cells])) for column in columns) + _frame(columns)
    for column in columns:
        least, holds_words = _least_width(column, width), _holds_words(column, width)
        head = column.head if natural <= width else _HeadWrapper(least).fill(column.head)
        justify = "right" if column.numeric and not holds_words else "left"
        table.add_column(Text(head), justify=justify, no_wrap=not holds_words, min_width=least)  # type: ignore[arg-type]
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*map(Text, row))
    return table
