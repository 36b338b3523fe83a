"""The record of a sweep in its folder: the manifest, the journal of its run, and at its end the table and the picture."""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from pathlib import Path

from polyexp.base import InputError, NotDeliveredError, counted, folder_errors, version
from polyexp.experiment import varying
from polyexp.report import Terminal
from polyexp.sweep.figure import draw_sweep
from polyexp.sweep.jobs import INSTEAD, read_manifest, write_manifest
from polyexp.sweep.outcomes import SweepJob, is_going_on, row_of, run_id_of
from polyexp.sweep.table import JobRow, SweepTable, write_table
from polyexp.sweep.terminal import summary
from polyexp.tracking import (
    FOLDER_TAG,
    JOURNAL,
    KIND_SWEEP,
    KIND_TAG,
    NOTE,
    RESULT,
    Delivered,
    Destination,
    Header,
    Journal,
    JournalError,
    RunInfo,
    Tracker,
    header_of,
    lock,
    sweep_name,
)

__all__ = ["FailedJobsError", "SweepRecord"]


class FailedJobsError(Exception):
    """Jobs of a sweep that have failed. Its message says how many."""


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
        self._require_same_store(jobs[0].experiment.tracking)
        for place in (self.folder, *(one.folder for one in jobs)):
            if is_going_on(place):
                raise _going_on(self.folder)

    def _require_same_store(self, tracking: Tracker) -> None:
        """Require that the store of a sweep that is resumed is that of its earlier jobs, as long as that is there."""
        with suppress(OSError, JournalError):
            earlier = header_of(self.folder)[0]
            now = tracking.header(RunInfo("", {}, (), {}))
            same = (earlier.store, earlier.experiment) == (now.store, now.experiment)
            if not same and not _is_missing(earlier.store):
                raise InputError(
                    f"The sweep in {self.folder} is recorded in {_place(earlier)}, and would go on in {_place(now)}: type the "
                    "command in the folder and with the environment variables with which the sweep was started."
                )

    def clear(self, jobs: Iterable[SweepJob]) -> None:
        """Remove the records of jobs that have no result, once their runs are delivered as they are, so that they run again.

        All other files of their folders are left: the repeated run writes those again that are its own.

        Args:
            jobs: The jobs of a sweep that is resumed that will run.

        Raises:
            NotDeliveredError: A run cannot be delivered; nothing is removed.
            FolderError: A folder cannot be written.
        """
        left = [one for one in jobs if one.folder.exists()]
        recorded = [one.folder for one in left if (one.folder / JOURNAL).exists()]
        if recorded:
            tracking = left[0].experiment.tracking
            tracking.begin(self.folder)
            if warning := tracking.delivered(recorded).warning:
                raise NotDeliveredError(f"Runs that are to be repeated must be delivered first. {warning}")
        with folder_errors(self.folder, "sweep"):
            for one in left:
                for name in (RESULT, NOTE, JOURNAL):
                    (one.folder / name).unlink(missing_ok=True)

    def add(self, jobs: Iterable[SweepJob]) -> str:
        """Write the manifest with these jobs, too, begin the journal with the first ones, and return its id.

        Args:
            jobs: The jobs, before any of them runs.

        Raises:
            FolderError: The folder of the sweep cannot be written.
        """
        self.jobs += jobs
        with folder_errors(self.folder, "sweep"):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._take()
            write_manifest(self.folder, (one.planned for one in self.jobs))
            self._journal = self._journal or self._begun()
        return self._journal.header.id

    def finish(self, error: BaseException | None, reasons: Mapping[int, str], *, quiet: bool) -> None:
        """Print the summary, wait until the runs are delivered, write the table and the picture, and end the journal.

        Args:
            error: What has ended the sweep early; None where all its jobs have ended.
            reasons: Why jobs have failed, by their numbers, as the launcher says it: of some their folders do not.
            quiet: Whether only failures and warnings are printed.

        Raises:
            NotDeliveredError: A run is not in the store, and the settings require it.
            FolderError: The folder of the sweep cannot be written any more.
        """
        if self._journal is None:
            return
        tracking = self._tracking
        with folder_errors(self.folder, "sweep"), Terminal(self.folder, quiet=quiet) as terminal:
            table = self._table(reasons)
            terminal.print_parts(summary(table))
            jobs = [one.folder for one in self.jobs if (one.folder / JOURNAL).exists()]
            try:
                delivered = tracking.delivered(jobs) if jobs else Delivered()
            finally:
                self._end(terminal, table, error)
            if not delivered.warning:
                delivered = tracking.delivered([self.folder])
            terminal.end(self.folder, delivered.lines, delivered.warning)

    def _table(self, reasons: Mapping[int, str]) -> SweepTable:
        """What has become of the jobs, from the folder of each of them; where that does not say it, why they have failed."""
        rows = (self.reused.get(one.planned.number) or row_of(one.planned, one.folder) for one in self.jobs)
        return SweepTable(tuple(row.with_reason(reasons.get(row.number, "")) for row in rows))

    def _take(self) -> None:
        """Let no other process work on this sweep, as long as this one or one that it has forked does."""
        if self._lock is None:
            with suppress(PermissionError):  # Windows opens no folders
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
        table = SweepTable(
            tuple(row if row.reused else replace(row, run_id=run_id_of(job.folder)) for row, job in rows)
        )
        failures = len(table.failures)
        if failures and (error is None or isinstance(error, Exception)):
            error = FailedJobsError(f"{failures} of {counted(len(table.rows), 'job')} failed")
        try:
            files = [write_table(self.folder, table)]
            try:
                if self.jobs[0].experiment.report.draws(in_sweep=False):
                    files.append(draw_sweep(self.folder, table, self._lowest))
            except Exception as failure:  # the results do not depend on the picture
                terminal.warn(f"the picture of this sweep could not be made ({failure!r}).")
            self._journal.result(table.metrics, {}, {})
            self._journal.files([one.name for one in files])
        except BaseException as failure:
            self._journal.end(error or failure)
            raise
        self._journal.end(error)

    @property
    def _lowest(self) -> float | None:
        """The best possible loss, where all jobs have the same one."""
        forecasts = [one.experiment.forecast for one in self.jobs]
        lowest = {one.lowest if one.exact else None for one in forecasts}
        return lowest.pop() if len(lowest) == 1 else None


def _is_missing(store: str | None) -> bool:
    """Whether a store is a SQLite file that is not there any more."""
    with suppress(InputError):  # of an address that is none
        return store is not None and Destination.of(store).is_missing
    return False


def _place(header: Header) -> str:
    """Where a run is recorded, in words."""
    return f"the MLflow experiment {header.experiment} of {header.store}" if header.store else "its folder alone"


def _going_on(folder: Path) -> InputError:
    return InputError(
        f"The sweep in {folder} is going on: wait until its process and those of its jobs have ended, or stop them."
    )
