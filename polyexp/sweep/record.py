"""The record of a sweep in its folder: the manifest, the journal of its run, and at its end the table and the picture."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path

from polyexp.base import InputError, counted, folder_errors, from_here, version
from polyexp.experiment import Interruption, varying
from polyexp.report import Terminal
from polyexp.sweep.figure import draw_sweep
from polyexp.sweep.jobs import write_manifest
from polyexp.sweep.outcomes import SweepJob, going_on_error, header_in, is_recorded_in, row_of, run_id_of
from polyexp.sweep.resumed import as_planned, recorded_name
from polyexp.sweep.table import JobRow, SweepTable, write_table
from polyexp.sweep.terminal import interrupted, summary
from polyexp.tracking import (
    FOLDER_TAG,
    JOURNAL,
    KIND_SWEEP,
    KIND_TAG,
    OVERRIDES_TAG,
    Delivered,
    Journal,
    RunInfo,
    Tracker,
    address_of,
    locked_folder,
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
        interruption: What may ask the sweep to end early.
    """

    def __init__(self, folder: Path, words: Sequence[str], keys: Iterable[str], interruption: Interruption) -> None:
        self.folder, self.name = folder, recorded_name(folder) or sweep_name(folder)
        self.jobs: list[SweepJob] = []
        self.reused: dict[int, JobRow] = {}  # the rows of jobs whose result is that of an earlier run, by their numbers
        self._words, self._keys, self._interruption = words, tuple(sorted(keys)), interruption
        self._journal: Journal | None = None
        self._held, self._is_taken = ExitStack(), False  # the lock of the folder

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def as_planned(self, jobs: Sequence[SweepJob]) -> list[SweepJob]:
        """The jobs as the manifest has them, where no process is working on this sweep.

        Args:
            jobs: The jobs of a sweep that is resumed.

        Raises:
            InputError: They are not, the manifest is damaged, or the sweep is going on.
        """
        self._take()
        return as_planned(self.folder, jobs)

    def add(self, jobs: Iterable[SweepJob]) -> str:
        """Write the manifest with these jobs, too, begin the journal with the first ones, and return its id.

        Args:
            jobs: The jobs, before any of them runs.

        Raises:
            InputError: The jobs are recorded in several stores, or another process is working on this sweep.
            OSError: The folder of the sweep cannot be written.
        """
        self.jobs += jobs
        _require_one_store(self.jobs)
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
            with self._interruption.gently():
                table, resume = self._table(reasons), f"sweep.resume={self._typed}"
                if isinstance(error, KeyboardInterrupt):  # the recorder delivers what is left, and nobody waits for it
                    terminal.print(interrupted(table, resume), always=True)
                    self._end(terminal, table, error)
                    return
                terminal.print_parts(summary(table, resume))
                store, delivered = address_of(tracking), Delivered()
                jobs = [one.folder for one in self.jobs if is_recorded_in(store, one.folder)]
            try:
                if jobs and not self._interruption.asked():
                    delivered = tracking.delivered(jobs)
            finally:
                with self._interruption.gently():
                    self._end(terminal, table, error)
            if not (delivered.warning or self._interruption.asked()):
                delivered = tracking.delivered([self.folder])
            terminal.end(self.folder, delivered.lines, delivered.warning)
        if error is None:  # otherwise that is the one to report
            self._interruption.end()

    def _table(self, reasons: Mapping[int, str]) -> SweepTable:
        """What has become of the jobs, from the folder of each of them; where that does not say it, why they have failed."""
        rows = (self.reused.get(one.planned.number) or row_of(one.planned, one.folder) for one in self.jobs)
        return SweepTable(tuple(row.with_reason(reasons.get(row.number, "")) for row in rows))

    def _take(self) -> None:
        """Let no other process work on this sweep, as long as this one or one that it has forked does."""
        if not self._is_taken:
            self._held.enter_context(locked_folder(self.folder, going_on_error(self.folder)))
            self._is_taken = True

    @property
    def _typed(self) -> str:
        """The folder of the sweep, or its date and time where that suffices, as it is typed."""
        usual = self.folder.parent.parent == Path("outputs", "sweeps").absolute()
        return shlex.quote(self.name if usual else str(from_here(self.folder)))

    @property
    def _tracking(self) -> Tracker:
        return self.jobs[0].experiment.tracking

    def _begun(self) -> Journal:
        """The journal of the sweep, which takes the place of that of a sweep that is resumed."""
        self._tracking.begin(self.folder)
        tags = {**version.tags(), KIND_TAG: KIND_SWEEP, FOLDER_TAG: str(self.folder)}
        if self._words:
            tags[OVERRIDES_TAG] = " ".join(self._words)
        header = self._tracking.header(RunInfo(f"sweep {self.name}", {}, (), tags))
        keys = dict.fromkeys([*varying([one.experiment for one in self.jobs]), *self._keys])
        header = header.of_sweep(self.name, tuple(keys))
        if earlier := header_in(self.folder):
            header = header.again(earlier)
        return Journal(self.folder, header, anew=(self.folder / JOURNAL).exists())

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
                if self.jobs[0].experiment.report.draws(in_sweep=False) and not self._interruption.asked():
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


def _require_one_store(jobs: Iterable[SweepJob]) -> None:
    """Require that all jobs are recorded in one store, as their parent is in it, too."""
    stores = {address_of(tracking) for tracking in {one.experiment.tracking for one in jobs}}
    if len(stores) > 1:
        some = " and ".join(sorted(one or "none" for one in stores)[:2])
        raise InputError(
            f"`tracking` must name one store for all jobs of a sweep, got {some}: start a sweep for each of them."
        )
