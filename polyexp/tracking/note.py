"""The note on what has been delivered of a journal, `delivery.json` beside it.

A note counts for one store alone. It is written after the store has been; whoever is killed between the two writes the same
again.
"""

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from polyexp.base import open_regular, replaced
from polyexp.tracking.entry import Status, is_whole
from polyexp.tracking.ownership import JOURNAL, NOTE

__all__ = ["NOTE", "Note", "note_of", "write_note"]

MAX_NOTE_BYTES = 2**16


@dataclass(frozen=True)
class Note:
    """What has been delivered of a journal.

    Args:
        store: The store, as `Writer.identity` names it.
        run_id: The id of the run in this store; None before it has been written.
        experiment_id: The id of its MLflow experiment.
        position: The position in the journal, in bytes, up to which everything has been delivered that is to be.
        regular: The number of regular snapshots before this position.
        early: The number of early ones.
        status: The status that the store knows.
    """

    store: str
    run_id: str | None = None
    experiment_id: str | None = None
    position: int = 0
    regular: int = 0
    early: int = 0
    status: Status = Status.RUNNING


def note_of(folder: Path, store: str | None = None) -> Note | None:
    """The note on the delivery of a run; None where there is none, it does not fit the journal, or it is about another store.

    Args:
        folder: The folder of the run.
        store: The store, as `Writer.identity` names it; None stands for any.
    """
    try:
        with open_regular(folder / NOTE) as file:
            content = json.loads(file.read(MAX_NOTE_BYTES).decode("utf-8"))
        note = Note(**{**content, "status": Status(content["status"])})
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    is_valid = _is_valid(note) and _is_behind_a_line(folder, note.position)
    return note if is_valid and store in (None, note.store) else None


def write_note(folder: Path, note: Note) -> None:
    """Write the note on the delivery of a run; it is replaced as a whole.

    Args:
        folder: The folder of the run.
        note: The note.

    Raises:
        OSError: It cannot be written.
    """
    with replaced(folder / NOTE) as unfinished, unfinished.open("w", encoding="utf-8") as file:
        json.dump(asdict(note), file)
        file.flush()
        os.fsync(file.fileno())


def _is_behind_a_line(folder: Path, position: int) -> bool:
    """Whether a position is behind a line of the journal, as that of every note on it is."""
    with suppress(OSError), open_regular(folder / JOURNAL) as file:
        if 0 < position <= file.seek(0, os.SEEK_END):
            file.seek(position - 1)
            return file.read(1) == b"\n"
    return False


def _is_valid(note: Note) -> bool:
    counts = all(map(is_whole, (note.position, note.regular, note.early)))
    ids = (note.run_id, note.experiment_id)
    is_id = all(one is None or (isinstance(one, str) and one.isascii()) for one in ids)
    return counts and isinstance(note.store, str) and is_id
