"""The launcher of sweeps: jobs that differ only in numbers are computed together, all others one after another."""

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.utils import JobReturn, JobStatus, configure_log, setup_globals
from omegaconf import DictConfig, open_dict, read_write

from polyexp.action import Fit
from polyexp.base import InputError
from polyexp.cli.jobs import JobTask, RunError, numbered
from polyexp.cli.texts import unquoted
from polyexp.experiment import Experiment, InSweep, Job
from polyexp.fitting import Result
from polyexp.report.stream import Stream
from polyexp.sweep import FAILED, NOT_RUN, JobOverrides, JobRow, ReadyJob, SweepTable, Template, job_line, run_jobs
from polyexp.tracking import reason_of

__all__ = ["BatchedLauncher"]


class BatchedLauncher(BasicLauncher):
    """A launcher that computes jobs together where it can.

    Where a job is no fit, has not been checked, or needs what Hydra alone does around a job (callbacks, a log of its own,
    variables of the environment, another current folder), all jobs are run as Hydra's own launcher runs them.
    """

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run jobs, and return what became of each of them, in their order.

        Args:
            job_overrides: The overrides of each job.
            initial_job_idx: The number of the first job.
        """
        assert self.config is not None
        setup_globals()
        task = self.task_function
        if isinstance(task, JobTask) and not _needs_hydra(self.config):
            numbered = dict(enumerate(job_overrides, initial_job_idx))
            left = {number: words for number, words in numbered.items() if number not in task.done}
            found = {number: task.experiment(number, words) for number, words in left.items()}
            experiments = {number: one for number, one in found.items() if one and isinstance(one.action, Fit)}
            if len(experiments) == len(left):
                done = {number: task.done[number].loss for number in numbered if number in task.done}
                ended = done | self._ended(task, left, experiments, _Lines(task, numbered, experiments))
                return [
                    _Returned(words, ended[number], self._composing(number, words))
                    for number, words in numbered.items()
                ]
        return super().launch(job_overrides, initial_job_idx)

    def _ended(
        self, task: JobTask, jobs: dict[int, Sequence[str]], experiments: dict[int, Experiment], lines: "_Lines"
    ) -> dict[int, float | Exception | None]:
        """Run jobs, and give the loss of each, or the error that it has raised."""
        assert self.config is not None
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        Path(str(self.config.hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
        ready = [ReadyJob(number, experiments[number], self._beginning(task, number, jobs[number])) for number in jobs]
        losses: dict[int, float | Exception | None] = {}
        for number, ended in run_jobs(ready):
            lines.ended(number, ended)
            losses[number] = float(ended.loss) if isinstance(ended, Result) else ended
        return losses

    def _beginning(self, task: JobTask, number: int, words: Sequence[str]) -> Any:
        """What makes the folder of a job."""
        assert self.hydra_context is not None
        assert self.config is not None
        loader: Any = self.hydra_context.config_loader
        template, job = loader.job(self.config, words)
        return partial(_begun, template, job, number, self._composing(number, words), task.sweep)

    def _composing(self, number: int, words: Sequence[str]) -> Callable[[], DictConfig]:
        """What composes the configuration of a job."""
        assert self.hydra_context is not None
        assert self.config is not None
        return partial(numbered, self.hydra_context.config_loader, self.config, words, number)


def _needs_hydra(cfg: DictConfig) -> bool:
    """Whether a configuration asks for something that Hydra's own way to run a job does."""
    hydra = cfg.hydra
    own_log = hydra.runtime.choices.get("hydra/job_logging") != "none"
    return bool(own_log or hydra.get("callbacks") or hydra.job.chdir or hydra.job.env_set)


def _begun(template: Template, job: JobOverrides, number: int, composed: Any, of: InSweep) -> Job:
    """Make the folder of a job with the files of Hydra, and return the circumstances of its run."""
    sweep, name = template.folder(job, number, composed)
    folder = Path(sweep, name).absolute()
    files = template.files(job, number, folder)
    files.write(folder)
    overrides = tuple(map(unquoted, job.words))
    return Job(folder, overrides, of, files.config, log_only=True)


class _Returned(JobReturn):
    """What Hydra's sweepers are told of a job: its loss, or that it has failed.

    Args:
        words: The overrides of the job.
        ended: Its loss, or the error that it has raised.
        composed: What composes its configuration, which takes longer than a fit and is asked for by few.
    """

    def __init__(
        self, words: Sequence[str], ended: float | Exception | None, composed: Callable[[], DictConfig]
    ) -> None:
        super().__init__(list(words))
        self._composed = composed
        del self.cfg  # so that the property below is found
        if not isinstance(ended, Exception):
            self.status, self.return_value = JobStatus.COMPLETED, ended
        else:
            self.status = JobStatus.FAILED
            self.return_value = RunError(2 if isinstance(ended, InputError) else 1)

    @cached_property
    def cfg(self) -> DictConfig:  # type: ignore[override]
        """The configuration of the job without Hydra's node."""
        cfg = self._composed()
        with read_write(cfg), open_dict(cfg):
            del cfg["hydra"]
        return cfg


class _Lines:
    """What prints a line for each job that has ended.

    Args:
        task: What counts the jobs.
        jobs: The overrides of all jobs by their numbers.
        experiments: The experiments of those that run. Where all are quiet, only those that have failed get a line.
    """

    def __init__(self, task: JobTask, jobs: dict[int, Sequence[str]], experiments: dict[int, Experiment]) -> None:
        self._counter, self._quiet = task.counter, all(one.quiet for one in experiments.values())
        self._words = {number: tuple(map(unquoted, words)) for number, words in jobs.items()}
        self._table = SweepTable(tuple(JobRow(number, words, NOT_RUN) for number, words in self._words.items()))
        self._out, self._errors = Stream(), Stream(stderr=True)

    def ended(self, number: int, ended: Result | Exception) -> None:
        """Count a job that has ended, and print its line."""
        words = self._words[number]
        if isinstance(ended, Result):
            self._counter.done += 1
            row, stream = JobRow.of(number, words, ended), self._out
        else:
            self._counter.failed += 1
            row, stream = JobRow(number, words, FAILED, reason=reason_of(ended)), self._errors
        if row.failed or not self._quiet:
            done = self._counter.done + self._counter.failed
            stream.text(job_line(done, self._counter.total, self._table.label(row), row))
