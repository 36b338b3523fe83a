"""What became of the jobs of a sweep, as their folders or the store say it.

So it does not matter which launcher has run a job, and where.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from polyexp.base import InputError
from polyexp.experiment import Experiment
from polyexp.sweep.jobs import PlannedJob
from polyexp.sweep.table import FAILED, KILLED, NOT_RUN, JobRow
from polyexp.tracking import (
    JOURNAL,
    Header,
    JournalError,
    Status,
    Tracker,
    end_of,
    header_of,
    is_gone,
    note_of,
    read_result,
)

__all__ = [
    "SweepJob",
    "going_on_error",
    "header_in",
    "is_going_on",
    "is_recorded_in",
    "reused_rows",
    "row_of",
    "run_id_of",
]


@dataclass(frozen=True)
class SweepJob:
    """A job of a sweep, which has been checked.

    Args:
        planned: What the manifest says of it.
        folder: Its folder, which need not exist.
        experiment: Its experiment.
    """

    planned: PlannedJob
    folder: Path
    experiment: Experiment


def header_in(folder: Path) -> Header | None:
    """The header of the journal in a folder; None where no run has begun there, or its journal is damaged.

    Args:
        folder: The folder, which need not exist.
    """
    with suppress(OSError, JournalError):
        return header_of(folder)[0]
    return None


def is_going_on(folder: Path) -> bool:
    """Whether the folder of a run or a sweep has a journal to which a process still writes.

    Args:
        folder: The folder, which need not exist.
    """
    with suppress(OSError, JournalError):
        return end_of(folder) is None and not is_gone(folder, header_of(folder)[0])
    return False


def going_on_error(folder: Path) -> InputError:
    """The error of a sweep that is going on.

    Args:
        folder: Its folder.
    """
    return InputError(
        f"The sweep in {folder} is going on: wait until its process and those of its jobs have ended, or stop them."
    )


def is_recorded_in(store: str | None, folder: Path) -> bool:
    """Whether a folder has a journal that is to be delivered to a store, and to no other one.

    Args:
        store: The store, as `address_of` names it.
        folder: The folder, which need not exist.
    """
    header = header_in(folder)
    return header is not None and header.store == store


def row_of(job: PlannedJob, folder: Path) -> JobRow:
    """What became of a job, as the journal and the result in its folder say.

    Args:
        job: The job.
        folder: Its folder, which need not exist.
    """
    try:
        header, _ = header_of(folder)
        end = end_of(folder)
        run_id = run_id_of(folder)
        if end is None:
            gone = is_gone(folder, header)
            outcome, reason = (KILLED, "its process has ended") if gone else (NOT_RUN, "")
            return JobRow(job.number, job.overrides, outcome, run_id=run_id, reason=reason)
        status, reason = end
        if status is not Status.FINISHED:
            outcome = FAILED if status is Status.FAILED else KILLED
            return JobRow(job.number, job.overrides, outcome, run_id=run_id, reason=reason)
        result = read_result(folder)
        numbers = (result.outcome, result.loss, result.excess, result.steps)
        return JobRow(job.number, job.overrides, *numbers, run_id=run_id)
    except FileNotFoundError as error:
        if Path(error.filename or "").name == JOURNAL:
            return JobRow(job.number, job.overrides, NOT_RUN)
        reason = f"its {Path(error.filename or '').name} is missing"
    except (JournalError, InputError) as error:
        reason = str(error)
    except OSError as error:
        reason = f"its folder cannot be read ({error.strerror})"
    return JobRow(job.number, job.overrides, FAILED, reason=reason)


def run_id_of(folder: Path) -> str:
    """The id of the run of a job in its store; empty where it is not delivered.

    Args:
        folder: The folder of the job, which need not exist.
    """
    note = note_of(folder)
    return (note.run_id or "") if note else ""


def reused_rows(jobs: Iterable[SweepJob]) -> dict[int, JobRow]:
    """The rows of the jobs for which their store has a finished run with the same fingerprint, by their numbers.

    Args:
        jobs: The jobs.

    Raises:
        InputError: A tracker records nothing, or its store cannot be read.
    """
    by_tracker: dict[Tracker, list[SweepJob]] = {}
    for one in jobs:
        by_tracker.setdefault(one.experiment.tracking, []).append(one)
    rows: dict[int, JobRow] = {}
    for tracking, some in by_tracker.items():
        found = tracking.finished({one.planned.fingerprint for one in some})
        for planned in (one.planned for one in some if one.planned.fingerprint in found):
            run = found[planned.fingerprint]
            numbers = (run.outcome, run.loss, run.excess, run.steps, run.run_id)
            with suppress(InputError):  # of an outcome that another version of polyexp has
                row = JobRow(planned.number, planned.overrides, *numbers, reused=True)
                rows |= {row.number: row} if row.has_result else {}
    return rows
