"""The history of a single run, from the snapshots in its journal, whose numbers are exact."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from polyexp.base import counted, printable
from polyexp.fitting import History
from polyexp.tracking.entry import is_whole
from polyexp.tracking.journal import JOURNAL
from polyexp.tracking.journal_lines import JournalError, Line, header_of, line_error, lines_of

__all__ = ["history_of", "recorded_steps"]

NUMBERS = ("loss", "excess", "grad_norm")
NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}  # as texts, since JSON has no such numbers


def history_of(folder: Path, steps: np.ndarray) -> History:
    """The history of a single run at some steps.

    The journal may have more snapshots: of a run that was killed those after its checkpoint, and of one that has ended before
    and goes on with more steps that of its former last step.

    Args:
        folder: The folder of the run.
        steps: The steps in ascending order, such as those of a checkpoint. Shape (S,).

    Raises:
        FileNotFoundError: There is no journal.
        JournalError: It lacks one of these snapshots, or its parameters, or is damaged.
        OSError: The file cannot be read.
    """
    header, position = header_of(folder)
    size = len(header.param_names)
    places = {step: place for place, step in enumerate(steps.tolist())}
    table, found = np.empty((len(places), len(NUMBERS) + size)), set[int]()
    for line in _snapshots(folder, position):
        try:
            step = line.content["step"]
            if is_whole(step) and step not in places:
                continue
            step, row = _row(line.content, size)
            if step in found:
                raise ValueError("a step twice")
            table[places[step]] = row
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            raise line_error(folder, "damaged, or is a snapshot without parameters", line.end) from error
        found.add(step)
    if len(found) < len(places):
        raise JournalError(
            f"{printable(str(folder / JOURNAL))} has {counted(len(found), 'snapshot')} of the {len(places)} of the checkpoint "
            "of the run: go on from the checkpoint before, or start the run again in another folder."
        )
    loss, excess, grad_norm = (np.ascontiguousarray(column) for column in table[:, : len(NUMBERS)].T)
    params = np.ascontiguousarray(table[:, len(NUMBERS) :])
    return History(np.array(steps, int), params, loss, excess, grad_norm, np.int64(len(places)))


def recorded_steps(folder: Path) -> frozenset[int]:
    """The steps of all snapshots in the journal of a run.

    Args:
        folder: The folder of the run.

    Raises:
        JournalError: The journal is damaged.
        OSError: It cannot be read.
    """
    _, position = header_of(folder)
    steps: set[int] = set()
    for line in _snapshots(folder, position):
        step: Any = line.content.get("step")
        if not is_whole(step):
            raise line_error(folder, "damaged", line.end)
        steps.add(step)
    return frozenset(steps)


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
