"""A sweep that is resumed: what must be as it was, and what of its jobs is removed so that they run again."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from polyexp.base import InputError, NotDeliveredError, counted, folder_errors, printable
from polyexp.experiment import can_go_on
from polyexp.sweep.jobs import INSTEAD, PlannedJob, read_manifest
from polyexp.sweep.outcomes import SweepJob, going_on_error, header_in, is_going_on, is_recorded_in
from polyexp.tracking import JOURNAL, NOTE, RESULT, address_of, require_plain, require_same_store

__all__ = ["as_planned", "clear", "recorded_name"]

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


def as_planned(folder: Path, jobs: Sequence[SweepJob]) -> list[SweepJob]:
    """The jobs of a sweep that goes on, as its manifest has them.

    Their results and their store are as they were, and no process is working on it.

    Args:
        folder: The folder of the sweep.
        jobs: The jobs of its command line.

    Raises:
        InputError: They are not, the folder is damaged, or the sweep is going on.
    """
    planned = _require_same_jobs(folder, jobs)
    store = address_of(jobs[0].experiment.tracking)
    for one in (folder, *(job.folder for job in jobs)):
        require_plain(one)
        if header := header_in(one):
            require_same_store(one, header, store, "sweep")
        if is_going_on(one):
            raise going_on_error(folder)
    if not header_in(folder) and any(header_in(one.folder) for one in jobs):
        raise InputError(f"The sweep in {folder} cannot be resumed: its {JOURNAL} is missing or damaged. {INSTEAD}")
    return [replace(one, planned=was) for one, was in zip(jobs, planned, strict=True)]


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
    store = address_of(tracking)
    if recorded := [one.folder for one in left if is_recorded_in(store, one.folder)]:
        tracking.begin(folder)
        if warning := tracking.delivered(recorded).warning:
            raise NotDeliveredError(f"Runs that are to be repeated must be delivered first. {warning}")
    with folder_errors(folder, "sweep"):
        for one in left:
            for name in (RESULT, NOTE, JOURNAL):
                (one.folder / name).unlink(missing_ok=True)


def _require_same_jobs(folder: Path, jobs: Sequence[SweepJob]) -> Sequence[PlannedJob]:
    planned = read_manifest(folder)
    # What is typed beside `sweep.resume` is among the overrides of the jobs now, and decides no result.
    prints = [(one.number, one.fingerprint) for one in planned]
    now = [(one.planned.number, one.planned.fingerprint) for one in jobs]
    differing = [number for (number, was), one in zip(prints, now, strict=False) if (number, was) != one]
    if differing or len(planned) != len(jobs):
        what = (
            f"job {differing[0]} is not the one that it was"
            if differing
            else f"it had {counted(len(planned), 'job')} and would have {len(jobs)}"
        )
        raise InputError(
            f"The sweep in {folder} cannot be resumed: {what}, because config files, data or polyexp have changed. {INSTEAD}"
        )
    return planned
