"""A sweep that is resumed: what must be as it was, and what of its jobs is removed so that they run again."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from polyexp.base import InputError, NotDeliveredError, counted, folder_errors, printable
from polyexp.experiment import can_go_on
from polyexp.sweep.jobs import INSTEAD, read_manifest
from polyexp.sweep.outcomes import SweepJob, going_on_error, header_in, is_going_on, is_recorded_in, store_of
from polyexp.tracking import JOURNAL, NOTE, RESULT, Destination

__all__ = ["clear", "recorded_name", "require_resumable"]

MAX_NAME_CHARACTERS = 500  # as MLflow allows of a tag that names a view


def recorded_name(folder: Path) -> str | None:
    """The name under which a sweep is recorded, which it keeps when its folder is renamed; None where there is none.

    Args:
        folder: The folder of the sweep, which need not exist.
    """
    header = header_in(folder)
    name = ((header and header.view) or {}).get("sweep")
    is_name = isinstance(name, str) and 0 < len(name) <= MAX_NAME_CHARACTERS and printable(name) == name
    return str(name) if is_name else None


def require_resumable(folder: Path, jobs: Sequence[SweepJob]) -> None:
    """Require that a sweep can go on: its jobs and its store are as they were, and no process is working on it.

    Args:
        folder: The folder of the sweep.
        jobs: The jobs of its command line.

    Raises:
        InputError: They are not, the folder is damaged, or the sweep is going on.
    """
    _require_same_jobs(folder, jobs)
    store = store_of(jobs[0].experiment.tracking)
    for one in (folder, *(job.folder for job in jobs)):
        _require_same_store(one, store)
        if is_going_on(one):
            raise going_on_error(folder)
    if not header_in(folder) and any(header_in(one.folder) for one in jobs):
        raise InputError(f"The sweep in {folder} cannot be resumed: its {JOURNAL} is missing or damaged. {INSTEAD}")


def clear(folder: Path, jobs: Iterable[SweepJob]) -> None:
    """Remove the records of jobs that have no result, once their runs are delivered as they are, so that they run again.

    Those of jobs with a checkpoint, from which they go on as the same runs, are left; and so are all other files of their
    folders: the repeated run writes those again that are its own.

    Args:
        folder: The folder of the sweep.
        jobs: The jobs of a sweep that is resumed that will run.

    Raises:
        NotDeliveredError: A run cannot be delivered; nothing is removed.
        FolderError: A folder cannot be written.
    """
    left = [one for one in jobs if one.folder.exists() and not can_go_on(one.folder, one.planned.fingerprint)]
    if not left:
        return
    tracking = left[0].experiment.tracking
    store = store_of(tracking)
    if recorded := [one.folder for one in left if is_recorded_in(store, one.folder)]:
        tracking.begin(folder)
        if warning := tracking.delivered(recorded).warning:
            raise NotDeliveredError(f"Runs that are to be repeated must be delivered first. {warning}")
    with folder_errors(folder, "sweep"):
        for one in left:
            for name in (RESULT, NOTE, JOURNAL):
                (one.folder / name).unlink(missing_ok=True)


def _require_same_jobs(folder: Path, jobs: Sequence[SweepJob]) -> None:
    planned = read_manifest(folder)
    differing = [job.number for job, one in zip(planned, jobs, strict=False) if job != one.planned]
    if differing or len(planned) != len(jobs):
        what = (
            f"job {differing[0]} is not the one that it was"
            if differing
            else f"it had {counted(len(planned), 'job')} and would have {len(jobs)}"
        )
        raise InputError(
            f"The sweep in {folder} cannot be resumed: {what}, because config files, data or polyexp have changed. {INSTEAD}"
        )


def _require_same_store(folder: Path, now: str | None) -> None:
    """Require that the journal in a folder of a sweep, if there is one, names the store in which the sweep would go on.

    A SQLite store that is not there any more may have been moved together with the sweep.
    """
    header = header_in(folder)
    if header and header.store != now and not _is_missing(header.store):
        earlier = "no store" if header.store is None else printable(header.store)
        raise InputError(
            f"{folder / JOURNAL} names {earlier}, but the sweep would go on in {now or 'no store'}: type the command in the "
            "folder and with the environment variables with which the sweep was started."
        )


def _is_missing(store: str | None) -> bool:
    """Whether a store is a SQLite file that is not there any more."""
    with suppress(InputError):  # of an address that is none
        return store is not None and Destination.of(store).is_missing
    return False
