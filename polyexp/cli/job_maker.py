"""The jobs of a sweep, made ready to be run by a launcher or by a worker, and what became of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

from omegaconf import DictConfig

from polyexp.base import InputError
from polyexp.cli.jobs import numbered
from polyexp.cli.signals import signals
from polyexp.cli.texts import unquoted
from polyexp.experiment import Experiment, InSweep, Job, can_go_on
from polyexp.fitting import Result
from polyexp.sweep import FAILED, JobOverrides, JobRow, PlannedJob, ReadyJob, Template, row_of
from polyexp.tracking import JOURNAL, reason_of

__all__ = ["ENDED", "Ended", "JobMaker"]

ENDED = "its worker has ended"  # the reason of a job that a worker has not finished


@dataclass(frozen=True)
class Ended:
    """What became of a job, in a form that a worker can send.

    Args:
        row: Its row in the table of the sweep.
        loss: The final loss, finite or not; None where there is no result.
        refused: Whether its input is wrong.
    """

    row: JobRow
    loss: float | None = None
    refused: bool = False

    @classmethod
    def of(cls, number: int, words: Sequence[str], ended: Result | Exception) -> Self:
        """What became of a job that has been run.

        Args:
            number: The number of the job.
            words: Its overrides.
            ended: Its result, or the error that it has raised.
        """
        shown = tuple(map(unquoted, words))
        if isinstance(ended, Result):
            return cls(JobRow.of(number, shown, ended), float(ended.loss))
        return cls(JobRow(number, shown, FAILED, reason=reason_of(ended)), refused=isinstance(ended, InputError))


class JobMaker:
    """What makes the jobs of a sweep.

    Args:
        loader: The config loader.
        master: The configuration of the sweep.
        sweep: The sweep to which the jobs belong.
    """

    def __init__(self, loader: Any, master: DictConfig, sweep: InSweep) -> None:
        self._loader, self._master, self._sweep = loader, master, sweep

    def composing(self, number: int, words: Sequence[str]) -> Callable[[], DictConfig]:
        """What composes the configuration of a job.

        Args:
            number: The number of the job.
            words: Its overrides.
        """
        return partial(numbered, self._loader, self._master, words, number)

    def experiment(self, number: int, words: Sequence[str]) -> Experiment:
        """The experiment of a job, which has not been checked.

        Args:
            number: The number of the job.
            words: Its overrides.

        Raises:
            InputError: The configuration describes none.
        """
        template, job = self._loader.job(self._master, words)
        experiment: Experiment = template.experiment(job, self.composing(number, words))
        return experiment

    def ready(self, number: int, words: Sequence[str], experiment: Experiment, *, done: bool = False) -> ReadyJob:
        """A job that can be run.

        Args:
            number: The number of the job.
            words: Its overrides.
            experiment: Its experiment, which has been checked.
            done: Whether it has its result already.
        """
        template, job = self._loader.job(self._master, words)
        folder = Path(*template.folder(job, number, self.composing(number, words))).absolute()
        goes_on = not done and (folder / JOURNAL).exists()  # that of a job that begins anew has been removed
        begin = partial(_begun, template, job, number, folder, self._sweep, goes_on)
        return ReadyJob(number, experiment, begin, done, goes_on)

    def left(self, number: int, words: Sequence[str]) -> Ended | None:
        """What a worker has left of a job, as its folder says; None where it has not begun, or can go on.

        Args:
            number: The number of the job.
            words: Its overrides.
        """
        template, job = self._loader.job(self._master, words)
        folder = Path(*template.folder(job, number, self.composing(number, words))).absolute()
        if not (folder / JOURNAL).exists():
            return None
        row = row_of(PlannedJob(number, "0" * 16, tuple(map(unquoted, words))), folder)
        if row.has_result:
            return Ended(row, row.loss)
        if can_go_on(folder, self.experiment(number, words).fingerprint()):
            return None
        reason = row.reason if row.outcome == FAILED else ENDED
        return Ended(JobRow(number, row.overrides, FAILED, run_id=row.run_id, reason=reason))


def _begun(template: Template, job: JobOverrides, number: int, folder: Path, of: InSweep, goes_on: bool) -> Job:
    """Make the folder of a job with the files of Hydra, and return the circumstances of its run."""
    files = template.files(job, number, folder)
    files.write(folder)
    overrides = tuple(map(unquoted, job.words))
    return Job(folder, overrides, of, files.config, log_only=True, interruption=signals, goes_on=goes_on)
