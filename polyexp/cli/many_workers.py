"""The launchers of sweeps by several workers: each receives a slice of the sweep, which it computes as batches."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from hydra.core.utils import JobReturn
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from polyexp.action import Fit
from polyexp.base import InputError
from polyexp.cli.job_maker import ENDED, Ended, JobMaker
from polyexp.cli.jobs import JobTask
from polyexp.cli.launcher import BatchedLauncher, needs_hydra
from polyexp.cli.local_workers import Joblib, Ray
from polyexp.cli.submitit_workers import SubmititLocal, SubmititSlurm
from polyexp.cli.texts import unquoted
from polyexp.cli.worker import Slice, work
from polyexp.cli.workers import Workers
from polyexp.experiment import Experiment, batch_key
from polyexp.sweep import FAILED, MAX_RUNS, JobRow, slices

__all__ = [
    "JoblibLauncher",
    "RayLauncher",
    "SlicedLauncher",
    "SubmititLocalLauncher",
    "SubmititSlurmLauncher",
]


class SlicedLauncher(BatchedLauncher):
    """A launcher whose jobs are run by workers.

    Args:
        **settings: The settings of its workers.
    """

    workers: ClassVar[type[Workers]]

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self._settings = settings

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Prepare the launcher.

        Raises:
            InputError: The library is not installed, a setting of the workers is wrong, or the configuration asks for what
                only Hydra does.
        """
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self._workers = self.workers(**self._settings)
        self._workers.require_there()
        if needs_hydra(config):
            raise _basic_needed(self.workers, "callbacks and logs of Hydra")

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run jobs, and return what became of each of them, in their order.

        Args:
            job_overrides: The overrides of each job.
            initial_job_idx: The number of the first job.

        Raises:
            InputError: A job is no fit.
        """
        task = self.task_function
        assert isinstance(task, JobTask)
        jobs = dict(enumerate(job_overrides, initial_job_idx))
        found = {number: task.experiment(number, words) for number, words in jobs.items()}
        if any(one and not isinstance(one.action, Fit) for one in found.values()):
            raise _basic_needed(self.workers, "an action that is no fit")
        return self._launched(task, jobs, {number: one for number, one in found.items() if one})

    def _ended(
        self, maker: JobMaker, task: JobTask, jobs: dict[int, Sequence[str]], experiments: dict[int, Experiment]
    ) -> Iterator[Ended]:
        """Have workers run the jobs that are not done, and give what became of each one, slice by slice."""
        assert self.config is not None
        assert self.hydra_context is not None
        loader: Any = self.hydra_context.config_loader
        numbers = [number for number in jobs if number not in task.done]
        # A job without an experiment has a data file that has changed; its worker reads it again.
        keys = [batch_key(experiments[number]) if number in experiments else None for number in numbers]
        count = max(self._workers.at_once, -(-len(numbers) // MAX_RUNS))
        parts = [
            Slice.of(
                {numbers[place]: jobs[numbers[place]] for place in places},
                task.sweep,
                self.config,
                loader.config_search_path,
            )
            for places in slices(keys, count)
        ]
        for place, returned in self._workers.map(work, parts, Path(str(self.config.hydra.sweep.dir)).absolute()):
            yield from _left(maker, parts[place]) if returned is None else returned


def _left(maker: JobMaker, part: Slice) -> Iterator[Ended]:
    """What a worker that has died has left of its slice."""
    for number, words in part.jobs.items():
        failed = JobRow(number, tuple(map(unquoted, words)), FAILED, reason=ENDED)
        yield maker.left(number, words) or Ended(failed)


def _basic_needed(workers: type[Workers], what: str) -> InputError:
    return InputError(
        f"`hydra/launcher={workers.launcher}` runs fits alone, and cannot have {what}: type `hydra/launcher=polyexp`."
    )


class JoblibLauncher(SlicedLauncher):
    """The launcher on joblib."""

    workers = Joblib


class SubmititLocalLauncher(SlicedLauncher):
    """The launcher on submitit, on this machine."""

    workers = SubmititLocal


class SubmititSlurmLauncher(SlicedLauncher):
    """The launcher on submitit, by Slurm."""

    workers = SubmititSlurm


class RayLauncher(SlicedLauncher):
    """The launcher on Ray."""

    workers = Ray
