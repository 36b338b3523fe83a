"""The history of a single run, from the snapshots in its journal, whose numbers are exact."""

import math
from array import array
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from polyexp.base import counted, printable
from polyexp.fitting import History
from polyexp.tracking.entry import is_whole
from polyexp.tracking.journal import JOURNAL
from polyexp.tracking.journal_lines import JournalError, Line, header_of, line_error, lines_of

__all__ = ["history_of", "last_step"]

NUMBERS = ("loss", "excess", "grad_norm")
NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}  # as texts, since JSON has no such numbers


def history_of(folder: Path, length: int) -> tuple[History, int]:
    """The history of a single run up to a number of snapshots, and the position in its journal behind the last of them.

    Where the run was killed, its journal may have more snapshots than its checkpoint; they and what follows are left out.

    Args:
        folder: The folder of the run.
        length: The number of snapshots, such as that of a checkpoint.

    Raises:
        FileNotFoundError: There is no journal.
        JournalError: It has fewer snapshots, or lacks their parameters, or is damaged.
        OSError: The file cannot be read.
    """
    header, position = header_of(folder)
    size, steps, values = len(header.param_names), array("q"), array("d")
    for line in islice(_snapshots(folder, position), length):
        try:
            step, row = _row(line.content, size)
            if steps and step <= steps[-1]:
                raise ValueError("a step twice")
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            raise line_error(folder, "damaged, or is a snapshot without parameters") from error
        steps.append(step)
        values.extend(row)
        position = line.end
    if len(steps) < length:
        raise JournalError(
            f"{printable(str(folder / JOURNAL))} has {counted(len(steps), 'snapshot')}, and the checkpoint of the run needs "
            f"{length}: go on from the checkpoint before, or start the run again in another folder."
        )
    table = np.array(values, float).reshape(length, len(NUMBERS) + size)
    loss, excess, grad_norm = (np.ascontiguousarray(column) for column in table[:, : len(NUMBERS)].T)
    params = np.ascontiguousarray(table[:, len(NUMBERS) :])
    return History(np.array(steps, int), params, loss, excess, grad_norm, np.int64(length)), position


def last_step(folder: Path) -> int:
    """The step of the last snapshot in the journal of a run; 0 where there is none.

    Args:
        folder: The folder of the run.

    Raises:
        JournalError: The journal is damaged.
        OSError: It cannot be read.
    """
    _, position = header_of(folder)
    steps = [0]
    for line in _snapshots(folder, position):
        if not is_whole(line.content.get("step")):
            raise line_error(folder, "damaged")
        steps[0] = max(steps[0], int(line.content["step"]))
    return steps[0]


def _snapshots(folder: Path, position: int) -> Iterator[Line]:
    return (line for line in lines_of(folder, position) if line.kind == "snapshot")


def _row(content: Any, size: int) -> tuple[int, list[float]]:
    """The step of a snapshot, and its numbers: loss, excess, gradient norm, parameters."""
    step, params = content["step"], content["params"]
    if not (is_whole(step) and isinstance(params, list) and len(params) == size):
        raise ValueError("a value is of another kind")
    return step, [_number(one) for one in (*(content[name] for name in NUMBERS), *params)]


def _number(value: Any) -> float:
    return NOT_FINITE[value] if isinstance(value, str) else float(_is_number(value))


def _is_number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError("no number")
    return value
