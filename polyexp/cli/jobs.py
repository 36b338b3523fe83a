"""The jobs of a sweep on their way through the launchers of Hydra."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from polyexp.base import InputError
from polyexp.cli.config_loader import as_typed
from polyexp.experiment import Experiment, InSweep
from polyexp.report.progress_bar import JobCounter
from polyexp.sweep import JobRow
from polyexp.tracking import reason_of

__all__ = ["CheckedLauncher", "JobTask", "RunError", "error_of", "numbered", "reasons_of"]


class RunError(Exception):
    """The failure of a job, which has been printed to stderr.

    Args:
        code: The exit code of the process: 2 where the input of the user is wrong, else 1.
        reason: Why it has failed.
    """

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(reason or "A job has failed.")
        self.code, self.reason = code, reason


def error_of(returned: Sequence[JobReturn]) -> RunError | None:
    """The error that ends a sweep some of whose jobs have failed, with code 2 where each of these was refused; else None.

    Args:
        returned: What launchers have returned of all jobs.
    """
    failed = [one._return_value for one in returned if one.status is JobStatus.FAILED]
    if not failed:
        return None
    refused = [one for one in failed if isinstance(one, RunError) and one.code == 2]
    return RunError(2 if len(refused) == len(failed) else 1)


def reasons_of(returned: Sequence[JobReturn]) -> dict[int, str]:
    """Why jobs have failed, by their numbers.

    Args:
        returned: What launchers have returned of all jobs, in the order of their numbers.
    """
    failed = {number: one._return_value for number, one in enumerate(returned) if one.status is JobStatus.FAILED}
    return {
        number: error.reason if isinstance(error, RunError) else reason_of(error) for number, error in failed.items()
    }


class JobTask:
    """What carries out a job of a sweep, with the experiment that has been checked.

    Args:
        task: What carries out one job.
        sweep: The sweep to which the job belongs.
        counter: What counts the jobs.
    """

    def __init__(self, task: Any, sweep: InSweep, counter: JobCounter | None = None) -> None:
        self._task, self.sweep, self.counter = task, sweep, counter or JobCounter()
        self.done: dict[int, JobRow] = {}  # what became of the jobs that are not to run, by their numbers
        # With the stamps of their problems, by the numbers and the overrides of their jobs.
        self._experiments: dict[tuple[Any, ...], tuple[Experiment, object]] = {}

    def __call__(self, cfg: DictConfig) -> Any:
        """Carry out a job, whose number and overrides Hydra has set, and count it; of one that is done, return the loss."""
        if row := self.done.get(int(HydraConfig.get().job.num)):
            return row.loss
        return self.counter.counted(self._carry_out)(cfg)

    def _carry_out(self, cfg: DictConfig) -> Any:
        hydra = HydraConfig.get()
        experiment = self.experiment(int(hydra.job.num), as_typed(hydra.overrides.task))
        return self._task(cfg, experiment, self.sweep)

    def __getstate__(self) -> dict[str, Any]:
        """The attributes of a copy in another process, which builds and checks the experiments of its jobs itself."""
        return vars(self) | {"_experiments": {}}

    def keep(self, number: int, words: Sequence[str], experiment: Experiment) -> None:
        """Keep the experiment of a job.

        Args:
            number: The number of the job.
            words: The overrides of the job.
            experiment: The experiment.
        """
        self._experiments[number, *words] = experiment, experiment.problem.stamp

    def experiment(self, number: int, words: Sequence[str]) -> Experiment | None:
        """The experiment of a job; None where it must be checked anew, since it was not kept or its data file has changed.

        Args:
            number: The number of the job.
            words: The overrides of the job.
        """
        experiment, stamp = self._experiments.get((number, *words), (None, None))
        with suppress(InputError):  # which the check raises again
            if experiment is not None and experiment.problem.stamp == stamp:
                return experiment
        return None


class CheckedLauncher(Launcher):
    """A launcher of Hydra that checks each batch of jobs before it launches them, and remembers what it has returned of them.

    Args:
        launcher: The launcher.
        check: What checks a batch; it takes the overrides of the jobs and the number of the first one.
        returned: To what is returned of each job is appended.

    Attributes:
        reports_results: Whether the sweeper is told what is returned. Hydra's own one needs none of it, and would end with the
            batch in which a job has failed.
    """

    def __init__(
        self,
        launcher: Launcher,
        check: Callable[[Sequence[Sequence[str]], int], None],
        returned: list[JobReturn],
    ) -> None:
        self._launcher, self._check, self._returned = launcher, check, returned
        self.reports_results = True

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Prepare the launcher."""
        self._launcher.setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Check the jobs, and then launch them.

        Args:
            job_overrides: The overrides of each job.
            initial_job_idx: The number of the first job.

        Raises:
            InputError: Where one of the jobs is certain to fail; then none is launched.
        """
        self._check(job_overrides, initial_job_idx)
        returned = self._launcher.launch(job_overrides, initial_job_idx)
        self._returned += returned
        return returned if self.reports_results else []


def numbered(loader: Any, master: DictConfig, words: Sequence[str], number: int) -> DictConfig:
    """The configuration of a job with its number, as launchers make it.

    Args:
        loader: The config loader.
        master: The configuration of the sweep.
        words: The overrides of the job.
        number: Its number.

    Raises:
        InputError: Where it cannot be composed.
    """
    cfg: DictConfig = loader.load_sweep_config(master, list(words))
    with open_dict(cfg):
        cfg.hydra.job.id, cfg.hydra.job.num = str(number), number
    return cfg
