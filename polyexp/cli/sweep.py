"""A sweep, whatever sweeper of Hydra runs it: its jobs are checked before they start, counted, and listed at the end."""

import math
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Override, RangeSweep
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, configure_log
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, RunMode, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from polyexp.base import InputError, NotDeliveredError
from polyexp.cli.composition import all_checked, finish_sweep
from polyexp.cli.config_loader import as_typed, in_one_sentence, parse
from polyexp.cli.texts import quoted
from polyexp.experiment import Experiment
from polyexp.report.progress_bar import JobCounter
from polyexp.sweep import MAX_JOBS
from polyexp.tracking import require_no_run

__all__ = ["CheckedLauncher", "Sweep"]

# A configuration of Python's logging in which nothing is printed.
SILENT_LOGGING = {"version": 1, "disable_existing_loggers": False, "root": {"handlers": []}}


class Sweep:
    """A sweep, which has not begun.

    Args:
        cfg: The configuration of the sweep.
        context: The config loader and the callbacks.
        task: What carries out one job; it takes the keys that have several values as `varying`.
    """

    def __init__(self, cfg: DictConfig, context: HydraContext, task: Any) -> None:
        self._cfg, self._context = cfg, context
        self._typed = as_typed(cfg.hydra.overrides.task)
        _quote_params(cfg)
        self._counter = JobCounter()
        self._experiments: list[Experiment] = []
        self._folders: set[Path] = set()
        self._all_are_checked = False
        self._overrides = self._parsed()
        keys = frozenset(one.get_key_element() for one in self._overrides if one.is_sweep_override())
        self._job_task = JobTask(task, keys)
        self._task: TaskFunction = self._counter.counted(self._job_task)

    def run(self) -> None:
        """Check and run all jobs, and then print where their runs are recorded, also where a job has failed.

        The jobs of Hydra's own sweeper are all checked before the first one starts; those of another sweeper, which
        chooses them as it goes, when it hands a batch of them to the launcher.

        Raises:
            InputError: Where there are no jobs, or one of them is certain to fail.
        """
        sweeper = self._sweeper()
        if hasattr(sweeper, "split_arguments"):  # Hydra's BasicSweeper, whose module Hydra has loaded twice
            _require_few(self._overrides)
            (jobs,) = sweeper.split_arguments(self._overrides, max_batch_size=None)
            self._check(jobs, 0)
            self._all_are_checked = True
            sweeper.validate_batch_is_legal = _nothing
        try:
            sweeper.sweep(arguments=self._typed)
        except BaseException:
            with suppress(NotDeliveredError):  # the first error is the one to report
                self._finish()
            raise
        self._finish()

    def _finish(self) -> None:
        """Print where the runs are recorded, if there are any."""
        if self._experiments:
            finish_sweep(self._experiments, Path(self._cfg.hydra.sweep.dir).absolute())

    def _sweeper(self) -> Any:
        """The sweeper, whose launcher checks each batch of jobs first."""
        plugins: Any = Plugins.instance()
        instantiate = plugins.instantiate_launcher
        plugins.instantiate_launcher = lambda **of: CheckedLauncher(instantiate(**of), self._check_batch)
        try:
            with in_one_sentence("The sweeper cannot be made"):
                return plugins.instantiate_sweeper(
                    hydra_context=self._context, task_function=self._task, config=self._cfg
                )
        finally:
            del plugins.instantiate_launcher  # which is that of the class again

    def _check_batch(self, jobs: Sequence[Sequence[str]], first: int) -> None:
        if not self._all_are_checked:
            self._check(jobs, first)

    def _parsed(self) -> list[Override]:
        """The overrides of the sweep, from the config files (`hydra.sweeper.params`) and the command line."""
        params = OmegaConf.select(self._cfg, "hydra.sweeper.params") or {}
        words = [*(f"{key}={value}" for key, value in params.items()), *self._typed]
        overrides = parse(words, self._context.config_loader)
        ConfigLoaderImpl.validate_sweep_overrides_legal(overrides, RunMode.MULTIRUN, from_shell=False)
        return overrides

    def _check(self, jobs: Sequence[Sequence[str]], first: int) -> None:
        """Check jobs, the first of which has the number `first`."""
        if not jobs:
            raise InputError("The sweep has no jobs: a range is empty, or a glob matches nothing.")
        experiments = (self._built(job, number) for number, job in enumerate(jobs, first))
        self._counter.total += len(jobs)
        self._experiments += all_checked(experiments, len(jobs), quiet=self._cfg.quiet)
        if all(one.quiet for one in self._experiments):
            with read_write(self._cfg), open_dict(self._cfg):
                self._cfg.hydra.hydra_logging = SILENT_LOGGING  # Hydra would print a line for each job
            configure_log(self._cfg.hydra.hydra_logging)

    def _built(self, words: Sequence[str], number: int) -> Experiment:
        """The experiment of a job."""
        loader: Any = self._context.config_loader
        template, job = loader.job(self._cfg, words)

        def composed() -> DictConfig:  # numbered as launchers do it
            cfg: DictConfig = loader.load_sweep_config(self._cfg, list(words))
            with open_dict(cfg):
                cfg.hydra.job.id, cfg.hydra.job.num = str(number), number
            return cfg

        self._require_own_folder(*template.folder(job, number, composed))
        experiment: Experiment = template.experiment(job, composed)
        self._job_task.keep(number, job.words, experiment)
        return experiment

    def _require_own_folder(self, sweep: str, name: str) -> None:
        """Require that the folder of a job is its own, and below that of the sweep."""
        folder = Path(os.path.realpath(Path(sweep, name)))
        if folder in self._folders or Path(os.path.realpath(sweep)) not in folder.parents:
            raise InputError(
                "`hydra.sweep.subdir` must be another folder for each job, below that of the sweep, got "
                f"{name!r}: leave it out, or put ${{hydra.job.num}} into it."
            )
        require_no_run("hydra.sweep.dir", Path(sweep, name))
        self._folders.add(folder)


class JobTask:
    """What carries out a job of a sweep, with the experiment that has been checked.

    Args:
        task: What carries out one job.
        varying: The keys to which the sweep gives several values.
    """

    def __init__(self, task: Any, varying: frozenset[str]) -> None:
        self._task, self._varying = task, varying
        # With the stamps of their problems, by the numbers and the overrides of their jobs.
        self._experiments: dict[tuple[Any, ...], tuple[Experiment, object]] = {}

    def __call__(self, cfg: DictConfig) -> Any:
        """Carry out a job, whose number and overrides Hydra has set."""
        hydra = HydraConfig.get()
        experiment = self.experiment(int(hydra.job.num), as_typed(hydra.overrides.task))
        return self._task(cfg, experiment, self._varying)

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
    """A launcher of Hydra that checks each batch of jobs before it launches them.

    Args:
        launcher: The launcher.
        check: What checks a batch; it takes the overrides of the jobs and the number of the first one.
    """

    def __init__(self, launcher: Launcher, check: Callable[[Sequence[Sequence[str]], int], None]) -> None:
        self._launcher, self._check = launcher, check

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
        return self._launcher.launch(job_overrides, initial_job_idx)


def _require_few(overrides: Sequence[Override]) -> None:
    """Require overrides that describe at most MAX_JOBS jobs, before these are listed."""
    count = math.prod(_number_of_values(one) for one in overrides)
    if count > MAX_JOBS:
        raise InputError(
            f"A sweep must have at most {MAX_JOBS} jobs, got {count:.4g}: type fewer values, or several sweeps."
        )


def _number_of_values(override: Override) -> float:
    """The number of values that an override gives to its key."""
    value = override.value()
    if isinstance(value, RangeSweep):
        start, stop, step = (float(one or 0) for one in (value.start, value.stop, value.step))
        length = (stop - start) / step if step else math.inf
        return max(0, math.ceil(length)) if math.isfinite(length) else math.inf
    return sum(1 for _ in override.sweep_iterator()) if override.is_discrete_sweep() else 1


def _quote_params(cfg: DictConfig) -> None:
    """Put the texts among the values of `hydra.sweeper.params` into quotes, as those of the command line are already."""
    params = OmegaConf.select(cfg, "hydra.sweeper.params") or {}
    with read_write(cfg), open_dict(cfg):
        for key, value in params.items():
            params[key] = quoted(str(key), str(value), sweeps=True)


def _nothing(batch: Sequence[Sequence[str]]) -> None:
    """Check nothing again."""
