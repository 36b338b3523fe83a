"""The connection to Hydra: components become choices of config groups, and composed configurations become experiments."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import NoReturn

from hydra._internal.utils import create_automatic_config_search_path
from hydra.conf import HydraConf
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, Node, OmegaConf
from omegaconf.errors import OmegaConfBaseException

import polyexp.action  # noqa: F401  (defining a component registers it)
from polyexp.base import Component, InputError, counted
from polyexp.cli.configs import PACKAGE, conf_dir, load_plugin, plugins
from polyexp.cli.help import help_page
from polyexp.cli.kinds import schema
from polyexp.cli.local_workers import WORKERS
from polyexp.cli.overrides import explain
from polyexp.experiment import Config, Experiment, build
from polyexp.problem import OnProgress
from polyexp.report.progress_bar import bar
from polyexp.sweep import hydra_config

__all__ = ["all_checked", "as_input_error", "checked", "prepare", "search_path"]

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


PLUGINS = "hydra_plugins.polyexp_plugins"  # the module in which Hydra finds the launchers


def prepare() -> None:
    """Register every component of polyexp and of its plugins with Hydra. Called once, before composition."""
    for plugin in plugins():
        load_plugin(plugin)
    OmegaConf.register_new_resolver("oc.env", _refuse_environment, replace=True)
    store = ConfigStore.instance()
    store.store(group="schema", name="config", node=schema(Config), package="_global_")
    for (group, name), cls in Component.registry.items():
        store.store(group=f"schema/{group}", name=name, node=schema(cls), package=group)
    store.store(group="hydra/hydra_logging", name="polyexp", node=LOGGING)
    store.store(group="hydra/launcher", name="polyexp", node={"_target_": f"{PLUGINS}.BatchedLauncher"})
    for name, workers in WORKERS.items():
        node = {"_target_": f"{PLUGINS}.{name}", **asdict(workers())}
        store.store(group="hydra/launcher", name=workers.launcher, node=node)
    store.store(group="hydra", name="config", node=_hydra_node(), provider="hydra")
    store.store(group="hydra/help", name="polyexp", node={"app_name": "polyexp", "template": help_page()})
    hydra_plugins = str(PACKAGE / "cli" / "_plugins")
    if hydra_plugins not in sys.path:
        sys.path.append(hydra_plugins)


def _hydra_node() -> HydraConf:
    """Hydra's own node with our launcher by default; one of conf/config.yaml could not be replaced by an experiment file."""
    node = HydraConf()
    node.defaults = [{"launcher": "polyexp"} if "launcher" in one else one for one in node.defaults]
    return node


def _refuse_environment(*names: str, _node_: Node) -> NoReturn:
    """Refuse `${oc.env:NAME}`, whose value would be recorded, shown, or become a part of the name of a folder."""
    key = _node_._get_full_key(None)
    raise InputError(
        f"`{key}` must not read the environment (oc.env), which can hold secrets: let the shell replace $NAME."
    )


def search_path(config_path: str | None = None) -> ConfigSearchPath:
    """The folders in which config files are looked up: those of Hydra, polyexp, and plugins.

    Args:
        config_path: The folder that replaces `conf`, if there is one.
    """
    return create_automatic_config_search_path(None, None, str(conf_dir()) if config_path is None else config_path)


def checked(cfg: DictConfig) -> Experiment:
    """The experiment that a configuration describes, which has been checked, with a bar while its samples are read.

    Args:
        cfg: The composed configuration.

    Raises:
        InputError: Where it describes no experiment, or its action is certain to fail.
    """
    with _in_our_words():
        with hydra_config(cfg):
            experiment = build(cfg)
        with bar(f"Reading {experiment.problem.label}", quiet=experiment.quiet) as progress:
            experiment.check(progress)
    _check_actions([experiment])
    return experiment


def all_checked(experiments: Iterable[Experiment], jobs: int, *, quiet: bool) -> list[Experiment]:
    """The experiments of a sweep, which have been checked, with a bar meanwhile.

    Stores are opened or created only after everything else has been checked.

    Args:
        experiments: The experiments, which may be built one by one as they are asked for.
        jobs: Their number.
        quiet: Whether there is no bar.

    Raises:
        InputError: Where a configuration describes no experiment, or its action is certain to fail.
    """
    done: list[Experiment] = []
    with _in_our_words(), bar(f"Checking {counted(jobs, 'job')}", quiet=quiet) as progress:
        progress(0)
        for experiment in experiments:
            done.append(experiment.check(partial(_show_share, progress, len(done), jobs)))
            progress(len(done) / jobs)
    _check_actions(done)
    return done


def _check_actions(experiments: Sequence[Experiment]) -> None:
    """Check what the actions need, and each tracker once."""
    for tracking in dict.fromkeys(one.tracking for one in experiments if one.action.records):
        tracking.check()
    for experiment in experiments:
        experiment.action.check(experiment)


@contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except OmegaConfBaseException as error:
        raise as_input_error(error) from error


def as_input_error(error: Exception) -> InputError:
    """The error that a user sees: the one that a resolver has raised inside OmegaConf, or what `error` says in our words."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, InputError):
        cause = cause.__cause__ or cause.__context__
    return cause or InputError(explain(error))


def _show_share(progress: OnProgress, before: int, jobs: int, done: float) -> None:
    progress((before + done) / jobs)
