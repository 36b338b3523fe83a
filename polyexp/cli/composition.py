"""The connection to Hydra: components become choices of config groups, and composed configurations become experiments."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain

from hydra._internal.core_plugins.basic_sweeper import BasicSweeperConf
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

import polyexp.action  # noqa: F401  (defining a component registers it)
from polyexp.base import Component, InputError
from polyexp.cli.configs import PACKAGE, load_plugin, plugins
from polyexp.cli.help import help_page
from polyexp.cli.overrides import explain
from polyexp.experiment import Config, Experiment, build
from polyexp.problem import OnProgress
from polyexp.report.progress_bar import bar
from polyexp.report.stream import Stream

__all__ = ["checked", "finish_sweep", "prepare"]

# A configuration of Python's logging: Hydra's own lines as Hydra prints them; of libraries only warnings, and of matplotlib,
# which warns that it builds its cache of fonts, only errors.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "hydra": {"format": "[%(asctime)s][HYDRA] %(message)s"},
        "library": {"format": "%(name)s: %(message)s"},
    },
    "filters": {"hydra": {"name": "hydra"}},
    "handlers": {
        "hydra": {
            "class": "logging.StreamHandler",
            "formatter": "hydra",
            "filters": ["hydra"],
            "stream": "ext://sys.stdout",
        },
        "library": {
            "class": "logging.StreamHandler",
            "formatter": "library",
            "level": "WARNING",
            "stream": "ext://sys.stderr",
        },
    },
    "root": {"level": "INFO", "handlers": ["hydra", "library"]},
    "loggers": {"matplotlib": {"level": "ERROR"}},
}


def prepare() -> None:
    """Register every component of polyexp and of its plugins with Hydra. Called once, before composition."""
    for plugin in plugins():
        load_plugin(plugin)
    store = ConfigStore.instance()
    store.store(group="schema", name="config", node=Config, package="_global_")
    for (group, name), cls in Component.registry.items():
        store.store(group=f"schema/{group}", name=name, node=cls, package=group)
    sweeper = BasicSweeperConf(_target_="hydra_plugins.polyexp_plugins.CheckedSweeper")
    store.store(group="hydra/sweeper", name="polyexp", node=sweeper)
    store.store(group="hydra/hydra_logging", name="polyexp", node=LOGGING)
    store.store(group="hydra/help", name="polyexp", node={"app_name": "polyexp", "template": help_page()})
    hydra_plugins = str(PACKAGE / "cli" / "_plugins")
    if hydra_plugins not in sys.path:
        sys.path.append(hydra_plugins)


def checked(configs: Iterable[DictConfig], jobs: int = 1) -> list[Experiment]:
    """The experiments that `configs` describe, which have been checked, with a bar meanwhile.

    Stores are opened or created only after everything else has been checked.

    Args:
        configs: Composed configurations, which may be composed one by one as they are asked for.
        jobs: The number of configurations.

    Raises:
        InputError: Where a configuration describes no experiment, or its action is certain to fail.
    """
    try:
        experiments = list(_checked(map(build, configs), jobs))
    except OmegaConfBaseException as error:
        raise InputError(explain(error)) from error
    for experiment in experiments:
        experiment.action.check(experiment)
    return experiments


def _checked(experiments: Iterator[Experiment], jobs: int) -> Iterator[Experiment]:
    first = next(experiments)
    what = f"Reading {first.problem.label}" if jobs == 1 else f"Checking {jobs} jobs"
    with bar(what, quiet=first.quiet) as progress:
        for number, experiment in enumerate(chain([first], experiments)):
            yield experiment.check(partial(_show_share, progress, number, jobs))
            progress((number + 1) / jobs)


def _show_share(progress: OnProgress, before: int, jobs: int, done: float) -> None:
    progress((before + done) / jobs)


def finish_sweep(experiment: Experiment, varying: Sequence[str], sweep: str) -> None:
    """Print where the runs of a sweep are recorded.

    Args:
        experiment: The first experiment of the sweep.
        varying: The keys of the settings that are not the same in all runs.
        sweep: The name of the sweep.
    """
    lines = experiment.tracking.finish_sweep(sweep, varying) if experiment.action.records else []
    for line in lines if not experiment.quiet else []:
        Stream().text(line)
