"""The record of a sweep in its folder: the manifest, the journal of its run, and at its end the table and the picture.

What became of a job is read from the folder of the job, so that it does not matter which launcher has run it, and where.
"""

import os
import shutil
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from polyexp.base import InputError, NotDeliveredError, counted, version
from polyexp.experiment import Experiment, varying
from polyexp.report import Terminal
from polyexp.sweep.figure import draw_sweep
from polyexp.sweep.jobs import INSTEAD, PlannedJob, read_manifest, write_manifest
from polyexp.sweep.table import FAILED, KILLED, NOT_RUN, JobRow, SweepTable, write_table
from polyexp.sweep.terminal import summary
from polyexp.tracking import (
    FOLDER_TAG,
    JOURNAL,
    KIND_SWEEP,
    KIND_TAG,
    Delivered,
    Journal,
    JournalError,
    RunInfo,
    Status,
    Tracker,
    end_of,
    header_of,
    is_gone,
    lock,
    note_of,
    read_result,
    sweep_name,
)

__all__ = ["FailedJobsError", "SweepJob", "SweepRecord", "reused_rows", "row_of"]


class FailedJobsError(Exception):
    """Jobs of a sweep that have failed. Its message says how many."""


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


class SweepRecord(AbstractContextManager["SweepRecord"]):
    """The record of a sweep of fits, a context manager that gives the folder of the sweep free at its end.

    Args:
        folder: The folder of the sweep.
        words: The command line after `-m`.
        keys: The keys to which the sweep gives several values.
    """

    def __init__(self, folder: Path, words: Sequence[str], keys: Iterable[str]) -> None:
        self.folder, self.name = folder, sweep_name(folder)
        self.jobs: list[SweepJob] = []
        self.reused: dict[int, JobRow] = {}  # the rows of jobs whose result is that of an earlier run, by their numbers
        self._words, self._keys = words, tuple(sorted(keys))
        self._journal: Journal | None = None
        self._lock: int | None = None

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            os.close(self._lock)

    def require_same(self, jobs: Sequence[SweepJob]) -> None:
        """Require that the jobs are those of the manifest, and that no process is working on this sweep.

        Args:
            jobs: The jobs of a sweep that is resumed.

        Raises:
            InputError: They are not, the manifest is damaged, or the sweep is going on.
        """
        planned = read_manifest(self.folder)
        differing = [job.number for job, one in zip(planned, jobs, strict=False) if job != one.planned]
        if differing or len(planned) != len(jobs):
            what = f"job {differing[0]} is another one" if differing else f"it would have {counted(len(jobs), 'job')}"
            raise InputError(
                f"The sweep in {self.folder} cannot be resumed: {what} than when it was started, because config files, data or "
                f"polyexp have changed. {INSTEAD}"
            )
        self._take()
        for place in (self.folder, *(one.folder for one in jobs)):
            if is_going_on(place):
                raise _going_on(self.folder)

    def clear(self, jobs: Iterable[SweepJob]) -> None:
        """Remove the folders of jobs that have no result, once their runs are delivered as they are, so that they run again.

        Args:
            jobs: The jobs that will run.

        Raises:
            NotDeliveredError: A run cannot be delivered; nothing is removed.
            OSError: A folder cannot be removed.
        """
        left = [one for one in jobs if one.folder.exists()]
        recorded = [one.folder for one in left if (one.folder / JOURNAL).exists()]
        if recorded:
            tracking = left[0].experiment.tracking
            tracking.begin(self.folder)
            if warning := tracking.delivered(recorded).warning:
                raise NotDeliveredError(f"Runs that are to be repeated must be delivered first. {warning}")
        for one in left:
            shutil.rmtree(one.folder)

    def add(self, jobs: Iterable[SweepJob]) -> str:
        """Write the manifest with these jobs, too, begin the journal with the first ones, and return its id.

        Args:
            jobs: The jobs, before any of them runs.

        Raises:
            OSError: The folder of the sweep cannot be written.
        """
        self.jobs += jobs
        self.folder.mkdir(parents=True, exist_ok=True)
        self._take()
        write_manifest(self.folder, (one.planned for one in self.jobs))
        self._journal = self._journal or self._begun()
        return self._journal.header.id

    @property
    def table(self) -> SweepTable:
        """What has become of the jobs so far; reading it reads the folder of each of them."""
        rows = (self.reused.get(one.planned.number) or row_of(one.planned, one.folder) for one in self.jobs)
        return SweepTable(tuple(rows))

    def finish(self, error: BaseException | None, *, quiet: bool) -> None:
        """Print the summary, wait until the runs are delivered, write the table and the picture, and end the journal.

        Args:
            error: What has ended the sweep early; None where all its jobs have ended.
            quiet: Whether only failures and warnings are printed.

        Raises:
            NotDeliveredError: A run is not in the store, and the settings require it.
            OSError: The folder of the sweep cannot be written any more.
        """
        if self._journal is None:
            return
        tracking = self._tracking
        with Terminal(self.folder, quiet=quiet) as terminal:
            table = self.table
            terminal.print_parts(summary(table))
            jobs = [one.folder for one in self.jobs if (one.folder / JOURNAL).exists()]
            try:
                delivered = tracking.delivered(jobs) if jobs else Delivered()
            finally:
                self._end(terminal, table, error)
            if not delivered.warning:
                delivered = tracking.delivered([self.folder])
            terminal.end(self.folder, delivered.lines, delivered.warning)

    def _take(self) -> None:
        """Let no other process work on this sweep, as long as this one or one that it has forked does."""
        if self._lock is None:
            self._lock = os.open(self.folder, os.O_RDONLY)
            if not lock(self._lock):
                raise _going_on(self.folder)

    @property
    def _tracking(self) -> Tracker:
        return self.jobs[0].experiment.tracking

    def _begun(self) -> Journal:
        """The journal of the sweep, which takes the place of that of a sweep that is resumed."""
        self._tracking.begin(self.folder)
        tags = {**version.tags(), KIND_TAG: KIND_SWEEP, FOLDER_TAG: str(self.folder)}
        if self._words:
            tags["polyexp.overrides"] = " ".join(self._words)
        header = self._tracking.header(RunInfo(f"sweep {self.name}", {}, (), tags))
        keys = dict.fromkeys([*varying([one.experiment for one in self.jobs]), *self._keys])
        header = header.of_sweep(self.name, tuple(keys))
        with suppress(FileNotFoundError):
            return Journal(self.folder, header.again(header_of(self.folder)[0]), anew=True)
        return Journal(self.folder, header)

    def _end(self, terminal: Terminal, table: SweepTable, error: BaseException | None) -> None:
        """Write the table, with the ids of the runs that are delivered by now, the picture, and how the sweep ended."""
        assert self._journal
        rows = zip(table.rows, self.jobs, strict=True)
        table = SweepTable(tuple(row if row.reused else replace(row, run_id=_run_id(job.folder)) for row, job in rows))
        failures = len(table.failures)
        if failures and (error is None or isinstance(error, Exception)):
            error = FailedJobsError(f"{failures} of {counted(len(table.rows), 'job')} failed")
        files = [write_table(self.folder, table)]
        try:
            if self.jobs[0].experiment.report.draws(in_sweep=False):
                files.append(draw_sweep(self.folder, table, self._lowest))
        except Exception as failure:  # the results do not depend on the picture
            terminal.warn(f"the picture of this sweep could not be made ({failure!r}).")
        self._journal.result(table.metrics, {}, {})
        self._journal.files([one.name for one in files])
        self._journal.end(error)

    @property
    def _lowest(self) -> float | None:
        """The best possible loss, where all jobs have the same one."""
        forecasts = [one.experiment.forecast for one in self.jobs]
        lowest = {one.lowest if one.exact else None for one in forecasts}
        return lowest.pop() if len(lowest) == 1 else None


def is_going_on(folder: Path) -> bool:
    """Whether the folder of a run or a sweep has a journal to which a process still writes.

    Args:
        folder: The folder, which need not exist.
    """
    with suppress(OSError, JournalError):
        return end_of(folder) is None and not is_gone(folder, header_of(folder)[0])
    return False


def _going_on(folder: Path) -> InputError:
    return InputError(
        f"The sweep in {folder} is going on: wait until its process and those of its jobs have ended, or stop them."
    )


def row_of(job: PlannedJob, folder: Path) -> JobRow:
    """What became of a job, as the journal and the result in its folder say.

    Args:
        job: The job.
        folder: Its folder, which need not exist.
    """
    try:
        header, _ = header_of(folder)
        end = end_of(folder)
        run_id = _run_id(folder)
        if end is None:
            gone = is_gone(folder, header)
            return JobRow(job.number, job.overrides, KILLED if gone else NOT_RUN, run_id=run_id)
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


def _run_id(folder: Path) -> str:
    """The id of the run of a job in its store; empty where it is not delivered."""
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
    rows = {}
    for tracking, some in by_tracker.items():
        found = tracking.finished({one.planned.fingerprint for one in some})
        for planned in (one.planned for one in some if one.planned.fingerprint in found):
            run = found[planned.fingerprint]
            numbers = (run.outcome, run.loss, run.excess, run.steps, run.run_id)
            rows[planned.number] = JobRow(planned.number, planned.overrides, *numbers, reused=True)
    return rows
