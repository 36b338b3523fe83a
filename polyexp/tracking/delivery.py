"""The delivery of journals to a store: idempotent, and resumable at any point by any process."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from polyexp.tracking.entry import Entry, LostRunError, Status, Writer, Written
from polyexp.tracking.journal import JOURNAL, Header, JournalError, now
from polyexp.tracking.note import NOTE, Note, note_of, write_note
from polyexp.tracking.undelivered import Undelivered, undelivered
from polyexp.tracking.view import save, view_of

__all__ = ["Delivery", "deliver", "is_delivered"]


@dataclass(frozen=True)
class Delivery:
    """What has been delivered of a journal.

    Args:
        header: The header of the journal.
        entry: What was last written of the run.
        note: The note of it.
    """

    header: Header
    entry: Entry
    note: Note

    @property
    def is_complete(self) -> bool:
        """Whether the run has ended, and the store knows how."""
        return self.note.status is not Status.RUNNING


def deliver(
    runs: Mapping[Path, Delivery | None], writer: Writer, artifact_root: str | None = None
) -> dict[Path, Delivery | Exception]:
    """Deliver what the journals of runs hold and a store does not know yet, and return it, or what prevented it.

    A run whose folder has been lost since its last delivery is closed as killed.

    Args:
        runs: The folders of the runs, with their last delivery in this process.
        writer: What writes to the store.
        artifact_root: The folder for the artifacts of new MLflow experiments; None leaves it to the server.
    """
    done: dict[Path, Delivery | Exception] = {}
    new: list[Undelivered] = []
    store = writer.identity
    with contextlib.ExitStack() as locks:
        for folder, last in runs.items():
            try:
                locks.enter_context(_locked(folder))
                new.append(undelivered(folder, store, note_of(folder, store), artifact_root))
            except FileNotFoundError as error:
                if last is None:
                    done[folder] = error
                else:
                    new.append(_lost(folder, last))
            except (OSError, JournalError) as error:
                done[folder] = error
        return done | _written(new, writer)


def is_delivered(folder: Path) -> bool:
    """Whether a run has ended and all that its journal holds has been delivered to the store that its note names.

    Args:
        folder: The folder of the run.

    Raises:
        OSError: The journal cannot be found.
    """
    note = note_of(folder)
    return note is not None and note.status is not Status.RUNNING and note.position >= (folder / JOURNAL).stat().st_size


def _written(new: list[Undelivered], writer: Writer) -> dict[Path, Delivery | Exception]:
    """The deliveries of what is new, or what prevented it."""
    done: dict[Path, Delivery | Exception] = {one.folder: Delivery(one.header, one.entry, one.note) for one in new}
    runs = [one for one in new if not one.is_empty]
    written = writer.write([one.entry for one in runs]) if runs else []
    for one, where in zip(runs, written, strict=True):
        done[one.folder] = where if isinstance(where, Exception) else _noted(one, where)
        if isinstance(where, LostRunError):  # the store has been made anew, and gets all of it with the next delivery
            (one.folder / NOTE).unlink(missing_ok=True)
    saved: dict[str, str] = {}
    for one in new:
        if one.entry.ended is not None and one.header.view is not None:
            experiment_id = _view_saved(one, writer, saved)
            if not one.header.is_run:
                done[one.folder] = _noted(one, Written("", experiment_id))
    return done


def _view_saved(one: Undelivered, writer: Writer, saved: dict[str, str]) -> str:
    """The id of the MLflow experiment of a run, in which its view has been saved, once for all runs that have the same."""
    key = repr((one.entry.experiment, one.header.view))
    if key not in saved:
        experiment = writer.experiment(one.entry.experiment, one.entry.artifact_root)
        with contextlib.suppress(Exception):  # nothing depends on a saved view
            save(writer, experiment, view_of(one.header.view or {}))
        saved[key] = experiment.id
    return saved[key]


def _noted(one: Undelivered, written: Written) -> Delivery | Exception:
    """The delivery of what has been written, whose note is kept in the folder of the run."""
    note = replace(one.note, run_id=written.run_id, experiment_id=written.experiment_id)
    try:
        if one.folder.is_dir():
            write_note(one.folder, note)
    except OSError as error:
        return error
    return Delivery(one.header, one.entry, note)


def _lost(folder: Path, last: Delivery) -> Undelivered:
    """The end of a run whose folder has been lost."""
    one = last.entry
    header = Entry(one.id, one.experiment, one.artifact_root, one.name, one.started, run_id=last.note.run_id)
    entry = replace(header, status=Status.KILLED, ended=now())
    return Undelivered(folder, last.header, entry, replace(last.note, status=Status.KILLED))


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """A context in which no other process delivers the journal of a run."""
    import fcntl

    with (folder / JOURNAL).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
