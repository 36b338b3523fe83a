"""The loss curve in history.csv, which is read in a stream and thinned, so that its length costs no memory."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from polyexp.base import InputError, Value

__all__ = ["LossCurve", "curve_of", "history_rows", "loss_curve"]

FIRST_POINTS = 100  # which are all kept, since a logarithmic axis shows them
MAX_POINTS = 2000  # of the others, half of which are left out each time that there are more
MAX_LINE_BYTES = 10**6  # the longest model has a thousand parameters, with at most 25 characters each


@dataclass(frozen=True)
class LossCurve(Value):
    """A loss curve.

    Args:
        step: The steps, finite. # shape: (L,)
        loss: The losses, which need not be finite. # shape: (L,)
    """

    step: np.ndarray
    loss: np.ndarray


def loss_curve(chunks: Iterable[bytes]) -> LossCurve:
    """The loss curve in a history.csv.

    Args:
        chunks: The content of the file.

    Raises:
        InputError: A line is too long, a column is missing, a line has another number of columns than the first one, or a
            step or a loss is no number. Only lines that are kept are examined.
    """
    lines = _lines(chunks)
    heads = _heads(next(lines, b""))
    columns = [_column(heads, name) for name in ("step", "loss")]
    rows = [_row(number, line, len(heads), columns) for number, line in _kept(lines)]
    return curve_of([(step, loss) for step, loss in rows])


def history_rows(chunks: Iterable[bytes]) -> tuple[list[str], Iterator[tuple[float, ...]]]:
    r"""The names of the columns of a history.csv, and its rows, which are read one by one; the first column is `step`.

    Args:
        chunks: The content of the file.

    Raises:
        InputError: A line is too long, the first column is not `step`, a name occurs twice, a line has another number of
            columns than the first one, a cell is no number, or a step is not a whole number above that of the line before.

    Example:
        >>> names, rows = history_rows([b"step,loss", b"\n1,0.5", b"\n2,0.25"])
        >>> names, list(rows)
        (['step', 'loss'], [(1.0, 0.5), (2.0, 0.25)])
    """
    lines = _lines(chunks)
    heads = _heads(next(lines, b""))
    if heads[:1] != ["step"] or len(set(heads)) < len(heads):
        raise InputError("its first line must be the names of different columns, `step` first")
    return heads, _rows(lines, len(heads))


def _rows(lines: Iterable[bytes], columns: int) -> Iterator[tuple[float, ...]]:
    before = -1.0
    for number, line in enumerate(lines):
        row = _row(number, line, columns, range(columns))
        if not (row[0].is_integer() and row[0] > before):
            raise InputError(f"the step in line {number + 2} of it is not a whole number above the one before")
        before = row[0]
        yield row


def curve_of(points: Sequence[tuple[float, float]]) -> LossCurve:
    """The curve through points (step, loss).

    Raises:
        InputError: There is no point, or a step is not a finite number of at least 0.
    """
    if not points:
        raise InputError("it has no points")
    step, loss = np.array(points, float).T
    if not (np.isfinite(step) & (step >= 0)).all():
        raise InputError("a step in it is not a finite number of at least 0")
    return LossCurve(step, loss)


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
        if len(rest) > MAX_LINE_BYTES:
            raise InputError("a line of it is too long")
    if rest:
        yield rest


def _heads(line: bytes) -> list[str]:
    try:
        return next(csv.reader([line.decode("utf-8")], strict=True), [])
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError("its first line is no line of CSV") from error


def _column(heads: Sequence[str], name: str) -> int:
    if heads.count(name) != 1:
        raise InputError(f"it must have one column `{name}`")
    return heads.index(name)


def _kept(lines: Iterable[bytes]) -> list[tuple[int, bytes]]:
    """The first lines, evenly spread others and the last line, with their numbers."""
    kept, every, last = list[tuple[int, bytes]](), 1, None
    for number, line in enumerate(lines):
        last = (number, line)
        if number < FIRST_POINTS or number % every == 0:
            kept.append(last)
        if len(kept) > FIRST_POINTS + MAX_POINTS:
            every *= 2
            kept = [one for one in kept if one[0] < FIRST_POINTS or one[0] % every == 0]
    return kept if last is None or kept[-1] == last else [*kept, last]


def _row(number: int, line: bytes, columns: int, wanted: Sequence[int]) -> tuple[float, ...]:
    cells = line.split(b",")
    if len(cells) != columns:
        raise InputError(f"line {number + 2} of it has {len(cells)} columns in place of {columns}")
    try:
        return tuple(float(cells[column]) for column in wanted)
    except ValueError as error:
        what = "a step or loss" if len(wanted) == 2 else "a cell"
        raise InputError(f"{what} in line {number + 2} of it is no number") from error
