"""The note on what has been delivered of a journal, `delivery.json` beside it.

A note counts for one store alone. It is written after the store has been; whoever is killed between the two writes the same
again.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from polyexp.base import open_regular, replaced
from polyexp.tracking.entry import Status, is_whole

__all__ = ["NOTE", "Note", "note_of", "write_note"]

NOTE = "delivery.json"
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
        status: The status that the store knows.
    """

    store: str
    run_id: str | None = None
    experiment_id: str | None = None
    position: int = 0
    regular: int = 0
    status: Status = Status.RUNNING


def note_of(folder: Path, store: str | None = None) -> Note | None:
    """The note on the delivery of a run; None where there is none, it is damaged, or it is about another store.

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
    return note if _is_valid(note) and store in (None, note.store) else None


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


def _is_valid(note: Note) -> bool:
    counts = is_whole(note.position) and is_whole(note.regular)
    ids = (note.run_id, note.experiment_id)
    is_id = all(one is None or (isinstance(one, str) and one.isascii()) for one in ids)
    return counts and isinstance(note.store, str) and is_id
