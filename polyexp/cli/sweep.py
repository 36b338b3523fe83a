"""A sweep, whatever sweeper of Hydra runs it: its jobs are checked before they start, counted, and listed at the end."""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, configure_log
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, RunMode, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from polyexp.base import InputError, NotDeliveredError
from polyexp.cli.axes import axes_of, effective, is_of_sweep, jobs_of
from polyexp.cli.composition import all_checked, finish_sweep
from polyexp.cli.config_loader import as_typed, in_one_sentence, parse, require_short
from polyexp.cli.ranges import spelled_out
from polyexp.cli.texts import quoted
from polyexp.experiment import Experiment
from polyexp.experiment.schema import require_schema
from polyexp.report.progress_bar import JobCounter
from polyexp.tracking import require_no_run

__all__ = ["CheckedLauncher", "JobTask", "Sweep", "numbered"]

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
        _quote_params(cfg)
        self._counter = JobCounter()
        self._experiments: list[Experiment] = []
        self._folders: set[Path] = set()
        self._all_are_checked = False
        self._params = self._parsed(f"{key}={value}" for key, value in _params(cfg).items())
        self._typed = self._parsed(as_typed(cfg.hydra.overrides.task))
        _require_settings_of_jobs(self._params)
        self._overrides = effective([*self._params, *self._typed])
        keys = frozenset(key for key, one in self._overrides.items() if one.is_sweep_override())
        self._task = JobTask(task, keys, self._counter)

    def run(self) -> None:
        """Check and run all jobs, and then print where their runs are recorded, also where a job has failed.

        The jobs of Hydra's own sweeper are all checked before the first one starts; those of another sweeper, which
        chooses them as it goes, when it hands a batch of them to the launcher.

        Raises:
            InputError: Where there are no jobs, or one of them is certain to fail.
        """
        require_schema(self._cfg, "sweep")
        zipped = [str(key) for key in self._cfg.sweep.zip]
        basic = self._cfg.hydra.runtime.choices["hydra/sweeper"] == "basic"
        words = [] if basic else self._spelled_out(zipped)
        sweeper = self._sweeper()
        if basic:
            jobs = jobs_of(axes_of(self._overrides, zipped))
            self._check(jobs, 0)
            self._all_are_checked = True
            sweeper.validate_batch_is_legal = _nothing
            sweeper.params = {}
            sweeper.split_arguments = lambda _, size: list(sweeper.split_overrides_to_chunks(jobs, size))
        try:
            sweeper.sweep(arguments=words)
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

    def _parsed(self, words: Iterable[str]) -> list[Override]:
        """Overrides of the sweep, from the config files (`hydra.sweeper.params`) or the command line."""
        overrides = parse(list(words), self._context.config_loader)
        ConfigLoaderImpl.validate_sweep_overrides_legal(overrides, RunMode.MULTIRUN, from_shell=False)
        return overrides

    def _spelled_out(self, zipped: Sequence[str]) -> list[str]:
        """The words for a sweeper that is not Hydra's own, which reads them with Hydra's own parser.

        Those of config files are spelled out in the configuration, where such a sweeper reads them.
        """
        if zipped:
            raise InputError("`sweep.zip` needs Hydra's own sweeper: leave it out, or type hydra/sweeper=basic.")
        with read_write(self._cfg), open_dict(self._cfg):
            for key, override in zip(_params(self._cfg), self._params, strict=True):
                self._cfg.hydra.sweeper.params[key] = spelled_out(override).partition("=")[2]
        words = [spelled_out(one) for one in effective(self._typed).values()]
        for word in words:
            require_short(word)
        return words

    def _check(self, jobs: Sequence[Sequence[str]], first: int) -> None:
        """Check jobs, the first of which has the number `first`."""
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
        composed = partial(numbered, loader, self._cfg, words, number)
        self._require_own_folder(*template.folder(job, number, composed))
        experiment: Experiment = template.experiment(job, composed)
        self._task.keep(number, job.words, experiment)
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
        counter: What counts the jobs.
    """

    def __init__(self, task: Any, varying: frozenset[str], counter: JobCounter | None = None) -> None:
        self._task, self.varying, self.counter = task, varying, counter or JobCounter()
        # With the stamps of their problems, by the numbers and the overrides of their jobs.
        self._experiments: dict[tuple[Any, ...], tuple[Experiment, object]] = {}

    def __call__(self, cfg: DictConfig) -> Any:
        """Carry out a job, whose number and overrides Hydra has set, and count it."""
        return self.counter.counted(self._carry_out)(cfg)

    def _carry_out(self, cfg: DictConfig) -> Any:
        hydra = HydraConfig.get()
        experiment = self.experiment(int(hydra.job.num), as_typed(hydra.overrides.task))
        return self._task(cfg, experiment, self.varying)

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


def _require_settings_of_jobs(params: Sequence[Override]) -> None:
    """Require that `hydra.sweeper.params` holds no setting of the sweep itself."""
    for one in params:
        if is_of_sweep(one.key_or_group):
            advice = "write it beside `hydra` in the file, as `sweep: {zip: [...]}`"
            raise InputError(f"`{one.key_or_group}` is not a setting of jobs: {advice}.")


def _params(cfg: DictConfig) -> Any:
    """The overrides of a sweep in config files: `hydra.sweeper.params`."""
    return OmegaConf.select(cfg, "hydra.sweeper.params") or {}


def _quote_params(cfg: DictConfig) -> None:
    """Put the texts among the values of `hydra.sweeper.params` into quotes, as those of the command line are already."""
    with read_write(cfg), open_dict(cfg):
        for key, value in (params := _params(cfg)).items():
            params[key] = quoted(str(key), str(value), sweeps=True)


def _nothing(batch: Sequence[Sequence[str]]) -> None:
    """Check nothing again."""
