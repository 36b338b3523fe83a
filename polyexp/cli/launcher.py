"""The launcher of sweeps: jobs that differ only in numbers are computed together, all others one after another."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.utils import JobReturn, JobStatus, configure_log, setup_globals
from omegaconf import DictConfig, open_dict, read_write

from polyexp.action import Fit
from polyexp.cli.job_maker import Ended, JobMaker
from polyexp.cli.jobs import JobTask, RunError
from polyexp.cli.signals import signals
from polyexp.experiment import Experiment
from polyexp.report.stream import Stream
from polyexp.sweep import job_line, run_jobs

__all__ = ["BatchedLauncher", "needs_hydra"]


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
        if isinstance(task, JobTask) and not needs_hydra(self.config):
            numbered = dict(enumerate(job_overrides, initial_job_idx))
            found = {number: task.experiment(number, words) for number, words in numbered.items()}
            experiments = {number: one for number, one in found.items() if one and isinstance(one.action, Fit)}
            if experiments.keys() >= numbered.keys() - task.done.keys():
                return self._launched(task, numbered, experiments)
        return super().launch(job_overrides, initial_job_idx)

    def _launched(
        self, task: JobTask, jobs: dict[int, Sequence[str]], experiments: dict[int, Experiment]
    ) -> list[JobReturn]:
        assert self.config is not None
        assert self.hydra_context is not None
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        Path(str(self.config.hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
        maker = JobMaker(self.hydra_context.config_loader, self.config, task.sweep)
        lines = _Lines(task, quiet=all(one.quiet for one in experiments.values()))
        found = {number: Ended(task.done[number], task.done[number].loss) for number in jobs if number in task.done}
        # Those whose result is that of another sweep were never computed in this one.
        own = {number: words for number, words in jobs.items() if not (number in found and found[number].row.reused)}
        for ended in self._ended(maker, task, own, experiments) if found.keys() < jobs.keys() else ():
            lines.ended(ended)
            found[ended.row.number] = ended
        return [_Returned(words, found[number], maker.composing(number, words)) for number, words in jobs.items()]

    def _ended(
        self, maker: JobMaker, task: JobTask, jobs: dict[int, Sequence[str]], experiments: dict[int, Experiment]
    ) -> Iterator[Ended]:
        """Run the jobs that are not done, and give what became of each one that has ended."""
        assert self.config is not None
        ready = [
            maker.ready(number, words, experiments[number], done=number in task.done)
            for number, words in jobs.items()
            if number in experiments  # one that is done and whose data file has changed is not here
        ]
        folder = Path(str(self.config.hydra.sweep.dir)).absolute()
        for number, ended in run_jobs(ready, folder, signals):
            yield Ended.of(number, jobs[number], ended)


def needs_hydra(cfg: DictConfig) -> bool:
    """Whether a configuration asks for something that Hydra's own way to run a job does.

    Args:
        cfg: The configuration of the sweep.
    """
    hydra = cfg.hydra
    own_log = hydra.runtime.choices.get("hydra/job_logging") != "none"
    return bool(own_log or hydra.get("callbacks") or hydra.job.chdir or hydra.job.env_set)


class _Returned(JobReturn):
    """What Hydra's sweepers are told of a job: its loss, or that it has failed.

    Args:
        words: The overrides of the job.
        ended: What became of it.
        composed: What composes its configuration, which takes longer than a fit and is asked for by few.
    """

    def __init__(self, words: Sequence[str], ended: Ended, composed: Callable[[], DictConfig]) -> None:
        super().__init__(list(words))
        self._composed = composed
        del self.cfg  # so that the property below is found
        if ended.row.has_result:
            self.status, self.return_value = JobStatus.COMPLETED, ended.loss
        else:
            self.status = JobStatus.FAILED
            self.return_value = RunError(2 if ended.refused else 1, ended.row.reason)

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
        task: What counts the jobs and has the keys to which the sweep gives several values.
        quiet: Whether the lines of jobs that have not failed are left out.
    """

    def __init__(self, task: JobTask, *, quiet: bool) -> None:
        self._counter, self._varying, self._quiet = task.counter, task.sweep.varying, quiet
        self._out, self._errors = Stream(), Stream(stderr=True)

    def ended(self, ended: Ended) -> None:
        """Count a job that has ended, and print its line."""
        row = ended.row
        self._counter.done += row.has_result
        self._counter.failed += not row.has_result
        if row.failed or not self._quiet:
            done = self._counter.done + self._counter.failed
            stream = self._errors if row.failed else self._out
            stream.text(job_line(done, self._counter.total, row.label(self._varying), row))
