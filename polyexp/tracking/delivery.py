"""The delivery of journals to a store: idempotent, and resumable at any point by any process."""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from polyexp.base import open_regular, printable
from polyexp.tracking.entry import Entry, LostRunError, Status, Writer, Written
from polyexp.tracking.journal import JOURNAL, Header, now
from polyexp.tracking.journal_lines import JournalError, lines_of
from polyexp.tracking.note import Note, note_of, write_note
from polyexp.tracking.ownership import lock
from polyexp.tracking.undelivered import Undelivered, undelivered
from polyexp.tracking.view import save, view_of

__all__ = ["RUNS_AT_ONCE", "Delivery", "deliver", "store_of"]

RUNS_AT_ONCE = 100  # that share a transaction, and whose journals are open
LOCK_SECONDS, POLL_SECONDS = 20.0, 0.05  # for which another process that delivers the same journals is waited for


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
    folders = sorted(runs)  # two processes lock the same journals in the same order
    for start in range(0, len(folders), RUNS_AT_ONCE):
        part = {folder: runs[folder] for folder in folders[start : start + RUNS_AT_ONCE]}
        try:
            done |= _delivered(part, writer, artifact_root)
        except Exception as error:  # the store fails, and would again for the others
            return done | dict.fromkeys(folders[start:], error)
    return done


def store_of(folder: Path) -> str | None:
    """The store to which all of a run that has ended has been delivered, as `Writer.identity` names it; None for none.

    Args:
        folder: The folder of the run.

    Raises:
        JournalError: The journal is damaged.
        OSError: The journal cannot be found.
    """
    note = note_of(folder)
    if note is None or note.status is Status.RUNNING or next(lines_of(folder, note.position), None):
        return None
    return note.store


def _delivered(
    runs: Mapping[Path, Delivery | None], writer: Writer, artifact_root: str | None
) -> dict[Path, Delivery | Exception]:
    store, until = writer.identity, time.monotonic() + LOCK_SECONDS
    with contextlib.ExitStack() as locks:

        def read(folder: Path, *, anew: bool = False) -> Undelivered | Exception:
            last = runs[folder]
            try:
                if not anew:
                    locks.enter_context(_locked(folder, until))
                return undelivered(folder, store, None if anew else note_of(folder, store), artifact_root)
            except (FileNotFoundError, NotADirectoryError) as error:
                return _lost(folder, last) if last and not anew else error
            except (OSError, JournalError) as error:
                return error

        done = _written({folder: read(folder) for folder in runs}, writer)
        lost = [folder for folder, one in done.items() if isinstance(one, LostRunError)]
        return done | _written({folder: read(folder, anew=True) for folder in lost}, writer)


def _written(read: Mapping[Path, Undelivered | Exception], writer: Writer) -> dict[Path, Delivery | Exception]:
    """The deliveries of what has been read, or what prevented them."""
    new = [one for one in read.values() if isinstance(one, Undelivered)]
    runs = [one for one in new if not one.is_empty]
    written = writer.write([one.entry for one in runs]) if runs else []
    where = {one.folder: what for one, what in zip(runs, written, strict=True)}
    where |= _save_views([one for one in new if not isinstance(where.get(one.folder), Exception)], writer)
    failed = {folder: one for folder, one in read.items() if isinstance(one, Exception)}
    return failed | {one.folder: _noted(one, where.get(one.folder)) for one in new}


def _save_views(new: Sequence[Undelivered], writer: Writer) -> dict[Path, Exception]:
    """Save the views of what has ended, each of which many runs may have, and give what prevented those of sweeps.

    The view of all runs is saved again by the next one; that of a sweep by none but the sweep.
    """
    ended = (one for one in new if one.entry.ended is not None and one.header.view is not None)
    failed: dict[Path, Exception] = {}
    for one in {repr((one.entry.experiment, one.header.view)): one for one in ended}.values():
        try:
            experiment = writer.experiment(one.entry.experiment, one.entry.artifact_root)
            save(writer, experiment, view_of(one.header.view or {}))
        except Exception as error:
            failed |= {one.folder: error} if one.header.view else {}
    return failed


def _noted(one: Undelivered, where: Written | Exception | None) -> Delivery | Exception:
    """The delivery of what has been written, if anything was, whose note is kept in the folder of the run."""
    if isinstance(where, Exception):
        return where
    note = one.note
    if where:
        note = replace(note, run_id=where.run_id, experiment_id=where.experiment_id)
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
def _locked(folder: Path, until: float) -> Iterator[None]:
    """A context in which no other process delivers the journal of a run."""
    with open_regular(folder / JOURNAL) as file:
        while not lock(file.fileno()):
            if time.monotonic() > until:
                raise JournalError(f"Another process is delivering {printable(str(folder))}.")
            time.sleep(POLL_SECONDS)
        yield
