"""The connection to Hydra: components become choices of config groups, and composed configurations become experiments."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hydra._internal.utils import create_automatic_config_search_path
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

import polyexp.action  # noqa: F401  (defining a component registers it)
from polyexp.base import Component, InputError
from polyexp.cli.configs import PACKAGE, conf_dir, load_plugin, plugins
from polyexp.cli.help import help_page
from polyexp.cli.kinds import schema
from polyexp.cli.overrides import explain
from polyexp.experiment import Config, Experiment, build
from polyexp.report.progress_bar import bar

__all__ = ["checked", "finish_sweep", "prepare", "search_path"]


def prepare() -> None:
    """Register every component of polyexp and of its plugins with Hydra. Called once, before composition."""
    for plugin in plugins():
        load_plugin(plugin)
    store = ConfigStore.instance()
    store.store(group="schema", name="config", node=schema(Config), package="_global_")
    for (group, name), cls in Component.registry.items():
        store.store(group=f"schema/{group}", name=name, node=schema(cls), package=group)
    store.store(group="hydra/help", name="polyexp", node={"app_name": "polyexp", "template": help_page()})
    hydra_plugins = str(PACKAGE / "cli" / "_plugins")
    if hydra_plugins not in sys.path:
        sys.path.append(hydra_plugins)


def search_path(config_path: str | None = None) -> ConfigSearchPath:
    """The folders in which config files are looked up: those of Hydra, polyexp, and plugins.

    Args:
        config_path: The folder that replaces `conf`, if there is one.
    """
    return create_automatic_config_search_path(None, None, str(conf_dir()) if config_path is None else config_path)


def checked(*configs: DictConfig) -> list[Experiment]:
    """The experiments that `configs` describe, which have been checked.

    Stores are opened or created only after everything else has been checked.

    Args:
        configs: Composed configurations.

    Raises:
        InputError: Where a configuration describes no experiment, or its action is certain to fail.
    """
    try:
        experiments = [_checked(_built(cfg)) for cfg in configs]
    except OmegaConfBaseException as error:
        raise InputError(explain(error)) from error
    for experiment in experiments:
        experiment.action.check(experiment)
    return experiments


def _built(cfg: DictConfig) -> Experiment:
    with _hydra_config(cfg):
        return build(cfg)


@contextmanager
def _hydra_config(cfg: DictConfig) -> Iterator[None]:
    """A context in which `${hydra:...}` is found in `cfg`, where it has the node of Hydra."""
    before = HydraConfig.instance().cfg
    if "hydra" in cfg:
        HydraConfig.instance().set_config(cfg)
    try:
        yield
    finally:
        HydraConfig.instance().cfg = before


def _checked(experiment: Experiment) -> Experiment:
    with bar(f"Reading {experiment.problem.label}", quiet=experiment.quiet) as progress:
        return experiment.check(progress)


def finish_sweep(experiment: Experiment, varying: Sequence[str], sweep: str) -> None:
    """Print where the runs of a sweep are recorded.

    Args:
        experiment: The first experiment of the sweep.
        varying: The keys of the settings that are not the same in all runs.
        sweep: The name of the sweep.
    """
    lines = experiment.tracking.finish_sweep(sweep, varying) if experiment.action.records else []
    for line in lines if not experiment.quiet else []:
        print(line)
