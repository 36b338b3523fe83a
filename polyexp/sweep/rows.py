"""CSV files of a sweep: one line for each row, whatever its texts are, and cells that no spreadsheet takes for a formula.

What is read is data that anybody may have written: lines, files and numbers have bounds.
"""

import csv
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

from polyexp.base import InputError, counted, open_regular, printable, replaced, require

__all__ = [
    "MAX_JOBS",
    "MAX_WHOLE",
    "as_cell",
    "as_text",
    "number_of",
    "overrides_cell",
    "overrides_of",
    "read_rows",
    "real_number",
    "required_whole_number",
    "whole_number",
    "write_rows",
]


class Numbered(Protocol):
    """A row that has a number."""

    @property
    def number(self) -> int:
        """The number."""


Row = TypeVar("Row", bound=Numbered)

MAX_JOBS = 100_000  # of a sweep
MAX_WHOLE = 2**63 - 1  # of a number of steps
MAX_CELL_CHARACTERS = 100_000  # of the overrides of a job; the csv module reads cells of at most 131 072
MAX_LINE_BYTES = 2**20
MAX_FILE_BYTES = 2**30
MAX_WHOLE_DIGITS = 19  # those of 2^63
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)
# What a spreadsheet takes for a formula, in some countries with the wide forms of -, =, + and @; an apostrophe before it makes
# it a text.
FORMULA = re.compile(r"['\s]*[-=+@\uff0d\uff1d\uff0b\uff20]")


def as_cell(text: str) -> str:
    r"""A text as a cell: printable, and with an apostrophe where a spreadsheet would take it for a formula.

    Args:
        text: The text. A number remains one.

    Example:
        >>> print(as_cell("=1+1"), as_cell("-1e-6"), as_cell("a\nb"))
        '=1+1 -1e-6 a\nb
    """
    text = printable(text)
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text


def as_text(cell: str) -> str:
    """The text of a cell that `as_cell` has made of a printable one.

    Args:
        cell: The cell.

    Example:
        >>> as_text("'=1+1"), as_text("-1e-6"), as_text("'a'")
        ('=1+1', '-1e-6', "'a'")
    """
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell


def overrides_cell(overrides: Sequence[str]) -> str:
    r"""The overrides of a job as JSON in ASCII, which holds every text exactly.

    Args:
        overrides: The words, as they are typed.

    Raises:
        InputError: They are too long.

    Example:
        >>> print(overrides_cell(["seed=1", "problem.y='a\n'"]))
        ["seed=1", "problem.y='a\n'"]
    """
    cell = json.dumps(list(overrides))
    long = len(cell) > MAX_CELL_CHARACTERS
    require(not long, "overrides", f"at most {MAX_CELL_CHARACTERS} characters long for each job", overrides)
    return cell


def overrides_of(cell: str) -> tuple[str, ...]:
    """The overrides in a cell.

    Args:
        cell: A list of texts as JSON.

    Raises:
        InputError: It is none.
    """
    try:
        words = json.loads(cell)
    except (ValueError, RecursionError):
        words = None
    texts = isinstance(words, list) and all(isinstance(one, str) for one in words)
    require(texts, "overrides", "a list of texts as JSON", cell)
    return tuple(words)


def number_of(text: str) -> float | None:
    """The finite number that a text is; None where it is none.

    Args:
        text: The text.

    Example:
        >>> number_of("1e-6"), number_of("auto"), number_of("nan"), number_of("1_000"), number_of("1e999")
        (1e-06, None, None, None, None)
    """
    value = float(text) if NUMBER.fullmatch(text) else math.inf
    return value if math.isfinite(value) else None


def real_number(key: str, cell: str) -> float | None:
    """The finite number in a cell; None for an empty one.

    Args:
        key: The name of the column.
        cell: The cell.

    Raises:
        InputError: It holds something else.
    """
    value = number_of(cell)
    require(value is not None or not cell, key, "a finite number or empty", cell)
    return value


def whole_number(key: str, cell: str) -> int | None:
    """The whole number from 0 to 2^63 - 1 in a cell; None for an empty one.

    Args:
        key: The name of the column.
        cell: The cell.

    Raises:
        InputError: It holds something else.
    """
    return required_whole_number(key, cell) if cell else None


def required_whole_number(key: str, cell: str) -> int:
    """The whole number from 0 to 2^63 - 1 in a cell.

    Args:
        key: The name of the column.
        cell: The cell.

    Raises:
        InputError: It holds something else.
    """
    whole = cell.isascii() and cell.isdigit() and len(cell) <= MAX_WHOLE_DIGITS and int(cell) <= MAX_WHOLE
    require(whole, key, f"a whole number from 0 to {MAX_WHOLE}", cell)
    return int(cell)


def write_rows(path: Path, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file as a whole, so that it is on the disk when this returns.

    Args:
        path: The path of the file.
        heads: The heads of the columns.
        rows: The cells of each row, without ends of lines in them. A float has the digits from which it is read exactly.

    Raises:
        OSError: It cannot be written.
    """
    with replaced(path) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(heads)
        writer.writerows(rows)
        file.flush()
        os.fsync(file.fileno())


def read_rows(
    path: Path, heads: Sequence[str], row_of: Callable[[Mapping[str, str]], Row], instead: str
) -> tuple[Row, ...]:
    """The rows of a CSV file, whose numbers ascend.

    Args:
        path: The path of the file.
        heads: The heads of the columns that are needed; there may be others.
        row_of: The function that makes a row of its cells by their heads, or raises InputError.
        instead: A sentence on what to do where the file cannot be used.

    Raises:
        InputError: There is no such file, or it is damaged: sentences with the path, the line and `instead`.
    """
    rows, found, number = list[Row](), list[str](), 0
    try:
        with open_regular(path) as file:
            _require_small(file)
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES), b""), 1):
                cells = _cells(line)
                if number == 1:
                    found = _with(heads, cells)
                else:
                    rows.append(_ascending(rows, row_of(_by_head(found, cells))))
            _require(number > 0, "it is empty")
    except InputError as error:
        place = f"Line {number} of {path}" if number else path
        raise InputError(f"{place} cannot be used: {str(error).removesuffix('.')}. {instead}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}). {instead}") from error
    return tuple(rows)


def _require(ok: bool, otherwise: str) -> None:
    if not ok:
        raise InputError(otherwise)


def _require_small(file: BinaryIO) -> None:
    _require(os.fstat(file.fileno()).st_size <= MAX_FILE_BYTES, f"it has more than {MAX_FILE_BYTES} bytes")


def _cells(line: bytes) -> list[str]:
    _require(len(line) < MAX_LINE_BYTES, "it is too long")
    _require(line.endswith(b"\n"), "its end is missing")
    try:
        return next(csv.reader([line.decode("utf-8")], strict=True), [])
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError("it is no line of CSV in UTF-8") from error


def _with(heads: Sequence[str], cells: list[str]) -> list[str]:
    missing = [head for head in heads if cells.count(head) != 1]
    _require(not missing, f"it must have one column `{''.join(missing[:1])}`")
    return cells


def _by_head(heads: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    _require(len(cells) == len(heads), f"it has {counted(len(cells), 'column')} in place of {len(heads)}")
    return dict(zip(heads, cells, strict=True))


def _ascending(rows: Sequence[Row], row: Row) -> Row:
    _require(not rows or rows[-1].number < row.number, f"the numbers do not ascend, got {row.number}")
    return row
