"""polyexp's side of Hydra: where the configs are, which options exist, the help page, and errors in one sentence."""

import sys
import textwrap
from dataclasses import fields
from functools import cache, partial
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException, ValidationError

import polyexp.actions  # noqa: F401  (defining a component registers it)
from polyexp.checks import InputError, nearest
from polyexp.component import Component
from polyexp.config import GROUPS, Config, Experiment, build, unknown_key

__all__ = ["checked", "conf_dir", "explain", "outside_configs", "prepare"]

PLUGINS = "polyexp.plugins"
PACKAGE = Path(__file__).parent


def conf_dir() -> Path:
    """The folder of the configs: inside the package (installed), or else beside it (a checkout)."""
    inside = PACKAGE / "conf"
    return inside if inside.is_dir() else PACKAGE.parent / "conf"


def prepare() -> None:
    """Make every component, of polyexp and of outside packages, known to Hydra. Called once, before composition."""
    for plugin in _plugins():
        _load(plugin)
    store = ConfigStore.instance()
    store.store(group="schema", name="config", node=Config, package="_global_")
    for (group, name), cls in Component.registry.items():
        store.store(group=f"schema/{group}", name=name, node=cls, package=group)
    sweeper = {
        "_target_": "hydra_plugins.polyexp_plugins.CheckedSweeper",
        "max_batch_size": None,
        "params": None,
    }
    store.store(group="hydra/sweeper", name="polyexp", node=sweeper)
    store.store(group="hydra/help", name="polyexp", node={"app_name": "polyexp", "template": help_page()})
    plugins = str(PACKAGE / "_plugins")
    if plugins not in sys.path:
        sys.path.append(plugins)


def checked(cfg: DictConfig) -> Experiment:
    """The experiment that `cfg` describes; InputError where anything about it is wrong."""
    return build(cfg).check()


@cache
def outside_configs() -> dict[str, Path]:
    """The `conf` folder of each package that is registered as a plugin and has one, by the plugin's name."""
    folders = {}
    for plugin in _plugins():
        spec = find_spec(plugin.module.partition(".")[0])
        for location in (spec.submodule_search_locations or []) if spec else []:
            if (Path(location) / "conf").is_dir():
                folders[plugin.name] = Path(location) / "conf"
    return folders


def choices(group: str) -> list[str]:
    """The options of a group: its YAML files, here and in outside packages."""
    folders = [folder / group for folder in (conf_dir(), *outside_configs().values())]
    files = [file.relative_to(folder) for folder in folders for file in folder.rglob("*.yaml")]
    return sorted({file.with_suffix("").as_posix() for file in files})


def help_page() -> str:
    """What `--help` prints."""
    hanging = partial(textwrap.fill, width=118, subsequent_indent=" " * 13, break_on_hyphens=False)
    groups = "\n".join(hanging(f"  {group:<11}{', '.join(choices(group))}") for group in (*GROUPS, "experiment"))
    return f"""polyexp fits polynomial expansions by gradient descent and records every run in MLflow.

  python -m polyexp [group=choice ...] [group.setting=value ...]

Groups and their choices:
{groups}

Each choice has settings of its own (`python -m polyexp model=legendre --cfg job` shows them all with their values),
and there are two more: seed (0) and quiet (false).

Examples:
  python -m polyexp                                          the default: a power series of degree 7 fitted to sin(x)
  python -m polyexp model=legendre loop=autograd             another model, another source of the gradient
  python -m polyexp backend=numpy loop.steps=10000           NumPy, more steps
  python -m polyexp experiment=notebook/numpy                a named experiment; its values can be changed as well
  python -m polyexp model.initial=[0,0,0,0] model.degree=3   initial values of your own
  python -m polyexp -m loop=manual,autograd seed=0,1,2       a sweep: all six combinations
  python -m polyexp tracking=none                            without MLflow

Results go to outputs/: a folder for each run, and the MLflow store (`make ui` opens it).

  -m, --multirun           sweep over comma-separated values
  -c job, --cfg job        print the configuration and stop
  --info defaults          print how it was composed
  -sc install=bash         print the shell completion: eval "$$(polyexp -sc install=bash)"
  --hydra-help             Hydra's own options
"""


def explain(error: Exception) -> str:
    """One sentence for anything that can be wrong with what the user typed."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, word = error.missing_cfg_file.partition("/")
        return _unknown_choice(group, word)
    if isinstance(error, OverrideParseException):
        reasons = [line for line in error.message.splitlines() if not line.startswith(("Error parsing", "See http"))]
        return f"`{error.override}` cannot be read as key=value ({reasons[0].strip('. ')})."
    cause = error.__cause__
    if isinstance(cause, ValidationError) and cause.full_key:
        return _wrong_type(cause.full_key, _first_line(error).partition("=")[2] or _first_line(cause))
    if isinstance(cause, (ConfigAttributeError, ConfigKeyError)) and cause.full_key:
        return str(unknown_key(cause.full_key))
    text = _first_line(error)
    if text.startswith("Could not override '"):
        return str(unknown_key(text.split("'")[1].partition("@")[0]))
    return text


KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text", list[float]: "a list of numbers"}
USER_ERRORS = (HydraException, OmegaConfBaseException, ValueError)  # an InputError is a ValueError


def _plugins() -> list[EntryPoint]:
    return list(entry_points(group=PLUGINS))


def _load(plugin: EntryPoint) -> None:
    try:
        plugin.load()
    except Exception as error:
        raise InputError(f"The plugin `{plugin.name}` ({plugin.value}) cannot be imported: {error!r}.") from error


def _unknown_choice(group: str, word: str) -> str:
    allowed = choices(group)
    if not allowed:
        return str(unknown_key(group))
    return f"`{group}` must be one of {', '.join(allowed)}, got {word!r}.{nearest(word, allowed)}"


def _wrong_type(key: str, value: str) -> str:
    group, _, name = key.rpartition(".")
    owners: list[type[Any]] = [Config, *(cls for cls in Component.registry.values() if cls.group == group)]
    kinds = {one.type for owner in owners for one in fields(owner) if one.name == name}
    wanted = [words for kind, words in KINDS.items() if kind in kinds]
    return f"`{key}` must be {wanted[0] if wanted else 'of another kind'}, got {value!r}."


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
