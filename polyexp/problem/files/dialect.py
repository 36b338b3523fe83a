"""How a CSV file is written: where its header is, what separates its columns, and what its comments begin with.

What the settings leave open follows from the first lines: of several ways to read them, that one is chosen in which the
columns that are asked for are found.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from polyexp.base import InputError
from polyexp.problem.files.encoding import decoded
from polyexp.problem.files.options import Options

__all__ = ["MAX_HEADER_BYTES", "Dialect", "dialect_of"]

MAX_HEADER_BYTES = 2**20  # of all lines up to the header, with it
BLANK = " "  # the delimiter of columns that any number of blanks and tabs separate
NUMBER = re.compile(r"\s*([+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)|)\s*", re.IGNORECASE)
SEPARATOR = re.compile(rb'"?sep=([^\w\s"]|\t)"?\s*', re.IGNORECASE)  # the first line by which Excel names the delimiter
DATE = re.compile(r"\s*\d{4}-\d\d-\d\d\b.*")


@dataclass(frozen=True)
class Dialect:
    """A way to read a CSV file.

    Args:
        names: The names of the columns; where there is no header, their numbers, counted from 0.
        delimiter: The character between two columns; a blank stands for any number of blanks and tabs.
        begin: The number of bytes before the first row.
        comment: The beginning of lines that are left out; empty where there are none.
        has_header: Whether the names are from the file.
        numeric: Whether the line of the names, or the first row where there are none, holds only numbers.
    """

    names: tuple[str, ...]
    delimiter: str
    begin: int
    comment: bytes
    has_header: bool
    numeric: bool


@dataclass(frozen=True)
class Head:
    """The beginning of a CSV file, in lines.

    Args:
        lines: The lines with their ends.
        whole: Whether they are the whole file.
        options: The settings of reading.
        preferred: The delimiter that is tried first where it occurs.
    """

    lines: Sequence[bytes]
    whole: bool
    options: Options
    preferred: str

    def dialects(self) -> Iterator[Dialect]:
        """All ways to read the file that the settings leave, the most usual first."""
        first = self._first(b"")
        sharp = not self.options.comment and first < len(self.lines) and self.lines[first].lstrip().startswith(b"#")
        for comment in (b"", b"#") if sharp else (self.options.comment.encode(),):
            first = self._first(comment)
            for delimiter in self._delimiters(first):
                if not (sharp and not comment and delimiter == BLANK):  # where "#" would be the first name
                    yield from self._with(first, delimiter, comment)

    def _first(self, comment: bytes) -> int:
        """The index of the first line that is neither blank nor a comment."""
        begin = 1 if self._declared else 0
        skipped = (
            not line.strip() or bool(comment and line.lstrip().startswith(comment)) for line in self.lines[begin:]
        )
        return next((index for index, skip in enumerate(skipped, begin) if not skip), len(self.lines))

    @property
    def _declared(self) -> str:
        """The delimiter that the first line names; empty where it names none."""
        found = SEPARATOR.fullmatch(self.lines[0]) if self.lines else None
        return found[1].decode("latin-1") if found else ""

    def _delimiters(self, first: int) -> list[str]:
        """The delimiters of a line, the most frequent first; blanks last, and only where there is no comma or semicolon."""
        if (named := self.options.delimiter or self._declared) or first == len(self.lines):
            return [named or ","]
        line = self.lines[first].decode("latin-1")
        found = sorted(
            (one for one in ",;\t" if one in line), key=lambda one: (one != self.preferred, -line.count(one))
        )
        blank = [BLANK] if len(line.split()) > 1 and not {",", ";"} & set(found) else []
        return [*(found or [","]), *blank]

    def _with(self, first: int, delimiter: str, comment: bytes) -> Iterator[Dialect]:
        """The ways to read the file with this delimiter: with a header, without one, and with one in a comment."""
        cells, end = self._cells(first, delimiter)
        numeric = bool(cells) and all(map(NUMBER.fullmatch, cells))
        asked, header = self.options.columns, self.options.header
        row, after = self._offset(first), self._offset(end)
        numbers = tuple(map(str, range(len(cells))))
        if header != "false":
            yield Dialect(cells, delimiter, after, comment, True, numeric)
        if header == "false" or (not header and set(asked) <= set(numbers) and self._is_data(cells)):
            yield Dialect(numbers, delimiter, row, comment, False, numeric)
        if comment and header != "false":
            for names in self._commented(first, delimiter, comment):
                if len(names) == len(cells) and set(asked) <= set(names):
                    yield Dialect(names, delimiter, row, comment, True, False)

    def _is_data(self, cells: Sequence[str]) -> bool:
        """Whether the cells of the columns that are asked for by number hold what a row would hold there."""
        return all(NUMBER.fullmatch(cells[int(one)]) or DATE.fullmatch(cells[int(one)]) for one in self.options.columns)

    def _commented(self, first: int, delimiter: str, comment: bytes) -> Iterator[tuple[str, ...]]:
        """The names in the comment just before the first row, where np.savetxt writes them."""
        for line in self.lines[max(first - 1, 0) : first]:
            text = line.lstrip().removeprefix(comment)
            yield self._named(next(csv.reader([_joined(text, delimiter)], delimiter=delimiter), []))

    def _cells(self, first: int, delimiter: str) -> tuple[tuple[str, ...], int]:
        """The cells of the record that begins at a line, and the index of the line after it."""
        reader = csv.reader((_joined(line, delimiter) for line in self.lines[first:]), delimiter=delimiter)
        try:
            cells = next(reader, [])
        except csv.Error as error:
            longest = csv.field_size_limit()
            raise ValueError(
                f"its header has a cell of more than {longest} characters, or a quote is not closed"
            ) from error
        end = first + reader.line_num
        if end == len(self.lines) and not self.whole:
            raise ValueError(f"its header is longer than {MAX_HEADER_BYTES} bytes, or a quote is not closed")
        return self._named(cells), end

    def _named(self, cells: Sequence[str]) -> tuple[str, ...]:
        return tuple(decoded(cell.encode("latin-1"), self.options.encoding).strip() for cell in cells)

    def _offset(self, index: int) -> int:
        return sum(map(len, islice(self.lines, index)))


def dialect_of(head: bytes, whole: bool, options: Options, preferred: str) -> Dialect:
    """The way in which a CSV file is read.

    Args:
        head: The beginning of the file, in UTF-8 or in an encoding that extends ASCII.
        whole: Whether that is the whole file.
        options: The settings of reading.
        preferred: The delimiter that is preferred to others where it occurs.

    Raises:
        InputError: The first row may be both names and data.
        ValueError: The header is too long.
    """
    dialects = list(Head(head.splitlines(keepends=True), whole, options, preferred).dialects())
    fitting = [one for one in dialects if set(options.columns) <= set(one.names)]
    if not fitting:  # the last of the usual ones explains best what was found
        return next(one for one in dialects if one.comment == dialects[-1].comment)
    chosen = fitting[0]
    if chosen.has_header and any(not one.has_header and one.delimiter == chosen.delimiter for one in fitting):
        raise InputError(
            "`problem.header` must be true or false, as the first row may be names or data: type `problem.header=false` "
            "where it is data."
        )
    return chosen


def _joined(line: bytes, delimiter: str) -> str:
    """A line as text, with one blank between columns where any number of blanks separates them."""
    return (b" ".join(line.split()) if delimiter == BLANK else line).decode("latin-1")
