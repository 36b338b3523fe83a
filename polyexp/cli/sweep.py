"""A sweep, whatever sweeper of Hydra runs it: its jobs are checked before they start, counted, and listed at the end."""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, configure_log
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from polyexp.base import InputError, NotDeliveredError, shown
from polyexp.cli.axes import asked_of_sweep, axes_of, effective, is_of_sweep, jobs_of
from polyexp.cli.composition import all_checked
from polyexp.cli.config_loader import as_typed, in_one_sentence, parse, require_short
from polyexp.cli.jobs import CheckedLauncher, JobTask, error_of, numbered, reasons_of
from polyexp.cli.ranges import spelled_out
from polyexp.cli.signals import signals
from polyexp.cli.texts import quoted, unquoted
from polyexp.experiment import Experiment, InSweep
from polyexp.experiment.schema import require_schema
from polyexp.report import futile_jobs
from polyexp.report.progress_bar import JobCounter
from polyexp.report.stream import Stream
from polyexp.sweep import (
    CHECKPOINTS,
    MANIFEST,
    SWEEP_FILE,
    SWEEP_PICTURE,
    PlannedJob,
    SweepJob,
    SweepRecord,
    SweepTable,
    clear,
    listing,
    reused_rows,
    row_of,
    to_run,
)
from polyexp.tracking import JOURNAL, NOTE, RESULT, RUN_LOG, require_no_run

__all__ = ["Sweep"]

# Files of the sweep in its folder, in which the folders of its jobs are.
OWN_FILES = {MANIFEST, SWEEP_FILE, SWEEP_PICTURE, JOURNAL, NOTE, RESULT, CHECKPOINTS, "multirun.yaml", RUN_LOG}
OWN_FILES |= {".submitit"}
# A configuration of Python's logging in which nothing is printed.
SILENT_LOGGING = {"version": 1, "disable_existing_loggers": False, "root": {"handlers": []}}


class Sweep:
    """A sweep, which has not begun.

    Args:
        cfg: The configuration of the sweep.
        context: The config loader and the callbacks.
        task: What carries out one job; it takes the sweep to which the job belongs.
    """

    def __init__(self, cfg: DictConfig, context: HydraContext, task: Any) -> None:
        self._cfg, self._context = cfg, context
        _quote_params(cfg)
        self._counter = JobCounter()
        self._returned: list[JobReturn] = []
        self._folders: set[Path] = set()
        self._all_are_checked = False
        self._params = self._parsed(f"{key}={value}" for key, value in _params(cfg).items())
        self._typed = self._parsed(as_typed(cfg.hydra.overrides.task))
        _require_settings_of_jobs(self._params)
        self._overrides = effective([*self._params, *self._typed])
        keys = frozenset(key for key, one in self._overrides.items() if one.is_sweep_override())
        words = tuple(map(unquoted, as_typed(cfg.hydra.overrides.task)))
        self._record = SweepRecord(Path(cfg.hydra.sweep.dir).absolute(), words, keys, signals)
        self._task = JobTask(task, InSweep(self._record.name, keys), self._counter)

    def run(self) -> None:
        """Check and run all jobs, and then print what became of them and where they are recorded, also where some have failed.

        The jobs of Hydra's own sweeper are all checked before the first one starts; those of another sweeper, which
        chooses them as it goes, when it hands a batch of them to the launcher.

        Raises:
            InputError: Where there are no jobs, or one of them is certain to fail.
            RunError: Where jobs have failed.
        """
        require_schema(self._cfg, "sweep")
        zipped = [str(key) for key in self._cfg.sweep.zip]
        basic = self._cfg.hydra.runtime.choices["hydra/sweeper"] == "basic"
        with self._record:
            if basic:
                self._run_listed(self._sweeper(), jobs_of(axes_of(self._overrides, zipped)))
            else:
                words = self._spelled_out()
                self._run(self._sweeper(), words)

    def _run_listed(self, sweeper: Any, words: list[list[str]]) -> None:
        """Check all jobs, whose words these are, and run those that are left, or list them if only that is wanted."""
        jobs = self._checked(words, 0)
        if self._cfg.sweep.resume:
            jobs = self._record.as_planned(jobs)
        self._all_are_checked = True
        left = self._left(jobs)
        if self._cfg.sweep.dry_run:
            self._list(jobs, left)
            return
        sweeper.validate_batch_is_legal = _nothing
        sweeper.params = {}
        sweeper.launcher.reports_results = False
        sweeper.split_arguments = lambda _, size: list(sweeper.split_overrides_to_chunks(words, size))
        self._announce(jobs, left)
        if self._cfg.sweep.resume:
            clear(self._record.folder, left)
        self._begin(jobs)
        self._run(sweeper, [])

    def _run(self, sweeper: Any, words: Sequence[str]) -> None:
        """Run the sweeper, and then print what became of the jobs."""
        error: BaseException | None = None
        try:
            sweeper.sweep(arguments=list(words))
        except BaseException as stop:
            error = stop
        if error := error or error_of(self._returned):
            with suppress(NotDeliveredError):  # the first error is the one to report
                self._finish(error)
            raise error
        self._finish(None)

    def _left(self, jobs: Sequence[SweepJob]) -> list[SweepJob]:
        """The jobs that have no result yet, in the folder of the sweep or, if that is wanted, in the store."""
        settings, done = self._cfg.sweep, self._task.done
        if settings.resume:
            rows = [row_of(one.planned, one.folder) for one in jobs]
            done |= {row.number: row for row in rows if row.has_result}
        if settings.skip_finished:
            for one in jobs:
                if not one.experiment.action.records:
                    raise InputError(
                        f"`sweep.skip_finished` is about runs that are recorded, which `action={one.experiment.action.choice}` "
                        "does not make: leave it out."
                    )
            self._record.reused = reused_rows(one for one in jobs if one.planned.number not in done)
            done |= self._record.reused
        self._counter.total -= len(done)
        return [one for one in jobs if one.planned.number not in done]

    def _announce(self, jobs: Sequence[SweepJob], left: Sequence[SweepJob]) -> None:
        """Print how many jobs run, and what is certain of those that do, before they do."""
        line = to_run(len(jobs), len(left), len(self._record.reused))
        if line and not all(one.experiment.quiet for one in jobs):
            Stream().text(line)
        _warn(one.experiment for one in left)

    def _list(self, jobs: Sequence[SweepJob], left: Sequence[SweepJob]) -> None:
        """Print the jobs that would run."""
        table = SweepTable.of((one.planned for one in jobs), ())
        for line in listing(table, {one.planned.number for one in left}, reused=len(self._record.reused)):
            Stream().text(line)

    def _begin(self, jobs: Sequence[SweepJob]) -> None:
        """Begin the record of the sweep with these jobs, if they are recorded."""
        if all(one.experiment.action.records for one in jobs):
            journal = self._record.add(jobs)
            self._task.sweep = replace(self._task.sweep, journal=journal)

    def _finish(self, error: BaseException | None) -> None:
        """Print what became of the jobs, and where they are recorded."""
        experiments = [one.experiment for one in self._record.jobs]
        if not self._all_are_checked:
            _warn(experiments)
        self._record.finish(error, reasons_of(self._returned), quiet=all(one.quiet for one in experiments))

    def _sweeper(self) -> Any:
        """The sweeper, whose launcher checks each batch of jobs first."""
        plugins: Any = Plugins.instance()
        instantiate = plugins.instantiate_launcher
        plugins.instantiate_launcher = lambda **of: CheckedLauncher(
            instantiate(**of), self._check_batch, self._returned
        )
        try:
            with in_one_sentence("The sweeper cannot be made"):
                return plugins.instantiate_sweeper(
                    hydra_context=self._context, task_function=self._task, config=self._cfg
                )
        finally:
            del plugins.instantiate_launcher  # which is that of the class again

    def _check_batch(self, jobs: Sequence[Sequence[str]], first: int) -> None:
        if not self._all_are_checked:
            self._begin(self._checked(jobs, first))

    def _parsed(self, words: Iterable[str]) -> list[Override]:
        """Overrides of the sweep, from the config files (`hydra.sweeper.params`) or the command line."""
        overrides = parse(list(words), self._context.config_loader)
        ConfigLoaderImpl.validate_sweep_overrides_legal(overrides, RunMode.MULTIRUN, from_shell=False)
        return overrides

    def _spelled_out(self) -> list[str]:
        """The words for a sweeper that is not Hydra's own, which reads them with Hydra's own parser.

        Those of config files are spelled out in the configuration, where such a sweeper reads them.
        """
        for key in asked_of_sweep(self._cfg):
            raise InputError(f"`{key}` needs Hydra's own sweeper: leave it out, or type hydra/sweeper=basic.")
        with read_write(self._cfg), open_dict(self._cfg):
            for key, override in zip(_params(self._cfg), self._params, strict=True):
                self._cfg.hydra.sweeper.params[key] = spelled_out(override).partition("=")[2]
        words = [spelled_out(one) for one in effective(self._typed).values()]
        for word in words:
            require_short(word)
        return words

    def _checked(self, jobs: Sequence[Sequence[str]], first: int) -> list[SweepJob]:
        """Jobs, the first of which has the number `first`, which have been checked."""
        folders: list[Path] = []
        experiments = (self._built(job, number, folders) for number, job in enumerate(jobs, first))
        self._counter.total += len(jobs)
        checked = all_checked(experiments, len(jobs), quiet=self._cfg.quiet)
        if all(one.quiet for one in checked):
            with read_write(self._cfg), open_dict(self._cfg):
                self._cfg.hydra.hydra_logging = SILENT_LOGGING  # Hydra would print a line for each job
            configure_log(self._cfg.hydra.hydra_logging)
        return [
            SweepJob(PlannedJob(number, experiment.fingerprint(), tuple(map(unquoted, words))), folder, experiment)
            for number, (words, folder, experiment) in enumerate(zip(jobs, folders, checked, strict=True), first)
        ]

    def _built(self, words: Sequence[str], number: int, folders: list[Path]) -> Experiment:
        """The experiment of a job, whose folder is appended to those of the others."""
        loader: Any = self._context.config_loader
        template, job = loader.job(self._cfg, words)
        composed = partial(numbered, loader, self._cfg, words, number)
        sweep, name = template.folder(job, number, composed)
        self._require_own_folder(sweep, name)
        folders.append(Path(sweep, name).absolute())
        experiment: Experiment = template.experiment(job, composed)
        self._task.keep(number, job.words, experiment)
        return experiment

    def _require_own_folder(self, sweep: str, name: str) -> None:
        """Require that the folder of a job is its own, and below that of the sweep."""
        folder = Path(os.path.realpath(Path(sweep, name)))
        if Path(sweep).absolute() != self._record.folder:
            raise InputError(
                f"`hydra.sweep.dir` must be the same folder for all jobs, got {shown(sweep)}: put what differs into "
                "`hydra.sweep.subdir`."
            )
        if Path(name).parts[:1] and Path(name).parts[0] in OWN_FILES:
            raise InputError(f"`hydra.sweep.subdir` must not be the name of a file of the sweep, got {shown(name)}.")
        if folder in self._folders or Path(os.path.realpath(sweep)) not in folder.parents:
            raise InputError(
                "`hydra.sweep.subdir` must be another folder for each job, below that of the sweep, got "
                f"{name!r}: leave it out, or put ${{hydra.job.num}} into it."
            )
        if not self._cfg.sweep.resume:
            require_no_run("hydra.sweep.dir", Path(sweep, name))
        self._folders.add(folder)


def _warn(experiments: Iterable[Experiment]) -> None:
    """Warn of jobs that change little."""
    for line in futile_jobs([one.forecast for one in experiments]):
        Stream(stderr=True).text(f"warning: {line}")


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
