"""polyexp's side of Hydra: where the configs are, which options exist, the help page, and errors in one sentence."""

import re
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import fields
from functools import cache, partial
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from types import UnionType
from typing import Any, get_args

from hydra._internal.core_plugins.basic_sweeper import BasicSweeperConf
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

import polyexp.action.action  # noqa: F401  (defining a component registers it)
from polyexp.base.component import Component
from polyexp.base.validation import InputError, nearest
from polyexp.experiment.experiment import GROUPS, Config, Experiment, build, unknown_key

__all__ = ["checked", "conf_dir", "explain", "gather", "outside_configs", "prepare"]

PLUGINS = "polyexp.plugins"
PACKAGE = Path(__file__).parents[1]


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
    sweeper = BasicSweeperConf(_target_="hydra_plugins.polyexp_plugins.CheckedSweeper")
    store.store(group="hydra/sweeper", name="polyexp", node=sweeper)
    store.store(group="hydra/help", name="polyexp", node={"app_name": "polyexp", "template": help_page()})
    plugins = str(PACKAGE / "cli" / "_plugins")
    if plugins not in sys.path:
        sys.path.append(plugins)


def checked(*configs: DictConfig) -> list[Experiment]:
    """The experiments that `configs` describe; InputError where anything about one of them is wrong.

    Stores are opened, and made, only after everything else is found to be right.
    """
    try:
        experiments = [build(cfg).check() for cfg in configs]
    except OmegaConfBaseException as error:
        raise InputError(explain(error)) from error
    for experiment in experiments:
        experiment.action.check(experiment)
    return experiments


def gather(experiment: Experiment, varying: Sequence[str], sweep: str) -> None:
    """Print where the runs of a sweep, of which this is the first experiment, are."""
    lines = experiment.tracking.gather(sweep, varying) if experiment.action.records else []
    for line in lines if not experiment.quiet else []:
        print(line)


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
  python -m polyexp action=compare                           the last ten runs side by side
  python -m polyexp action=export action.run=1a2b3c4d        the polynomial of a run as C (or action.format=python, ...)

Results go to outputs/: a folder for each run, and the MLflow store (`make ui` opens it).

  -m, --multirun           sweep over comma-separated values
  -c job, --cfg job        print the configuration and stop
  --info defaults          print how it was composed
  -sc install=bash         print the shell completion: eval "$$(polyexp -sc install=bash)"
  --hydra-help             Hydra's own options
"""


USER_ERRORS = (HydraException, OmegaConfBaseException, YAMLError, ValueError)  # an InputError is a ValueError
KINDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    list[float]: "a list of numbers",
    list[str]: "a list: [a,b]",
}
# What Hydra and OmegaConf say, and what is said instead.
REPHRASED = {
    r"Config group override must be|Merge error": "A group takes one choice, by its name; `python -m polyexp --help` "
    "lists them.",
    r"Ambiguous value for argument '(.*)'": r"`\1` lists several values: type -m in front for a sweep, or [...] around "
    "them for a list.",
    r"Key 'experiment' not in 'Config'": "The file must begin with the line `# @package _global_`.",
}


def explain(error: Exception) -> str:
    """One sentence for anything that can be wrong with what the user typed, or wrote into a config of their own."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, MissingConfigException) and "/" in (error.missing_cfg_file or ""):
        return _unknown_choice(str(error.missing_cfg_file), error.options or ())
    if isinstance(error, OverrideParseException):
        reasons = [line for line in error.message.splitlines() if line.startswith(("missing", "mismatched"))]
        why = "".join(f" ({reason})" for reason in reasons[:1])
        hint = "" if str(error.override).isascii() else """ Put quotes of its own around the value: key="'...'"."""
        return f"`{error.override}` cannot be read as key=value{why}.{hint}"
    if isinstance(error, YAMLError):
        return f"A config file is not YAML: {' '.join(str(error).split())}."
    text = f"{error}\n{error.__cause__ or ''}"
    file = re.match(r"In '(?!schema/)(\S+)': \w+ raised", text)
    return (f"In {file[1]}.yaml: " if file else "") + _rephrased(text)


def _rephrased(text: str) -> str:
    """Hydra's text, which names the override in its first line, followed by OmegaConf's, which may name the key."""
    for pattern, words in REPHRASED.items():
        if found := re.search(pattern, text):
            return found.expand(words)
    key = re.search(r"full_key: (\w[\w.]*)", text)
    unknown = re.search(r"Could not override '(\S+)'", text)
    if key and (unknown or re.search(r"Key '.*' (is )?not in ", text)):
        return str(unknown_key(key[1]))
    if unknown:
        group, moved, _ = unknown[1].partition("@")
        return f"A group stays where it is: type `{group}=...`." if moved else str(unknown_key(unknown[1]))
    if key and "support deletion" in text:
        return f"`{key[1]}` cannot be removed."
    if key and (value := re.search(r"^Error merging override [^=]*=(.*)|Value '(.*)' of type", text)):
        return _wrong_type(key[1], value[1] if value[1] is not None else value[2])
    return next(line for line in text.splitlines() if line).rstrip(".:") + "."


def _plugins() -> list[EntryPoint]:
    return list(entry_points(group=PLUGINS))


def _load(plugin: EntryPoint) -> None:
    try:
        plugin.load()
    except Exception as error:
        raise InputError(f"The plugin `{plugin.name}` ({plugin.value}) cannot be imported: {error!r}.") from error


def _unknown_choice(path: str, options: Sequence[str]) -> str:
    """For a config file `group/choice` that does not exist; a choice may have slashes, and so have these groups."""
    nested = path.startswith(("hydra/", "schema/"))
    group, _, word = path.rpartition("/") if nested else path.partition("/")
    registered = [name for of, name in Component.registry if f"schema/{of}" == group]
    allowed = choices(group) or list(options) or registered
    if not allowed:
        return str(unknown_key(group))
    return f"`{group}` must be one of {', '.join(allowed)}, got {word!r}.{nearest(word, allowed)}"


def _wrong_type(key: str, value: str) -> str:
    group, _, name = key.rpartition(".")
    owners: list[type[Any]] = [Config, *(cls for cls in Component.registry.values() if cls.group == group)]
    types = [one.type for owner in owners for one in fields(owner) if one.name == name]
    kinds = {kind for one in types for kind in (get_args(one) if isinstance(one, UnionType) else (one,))}
    wanted = [words for kind, words in KINDS.items() if kind in kinds]
    return f"`{key}` must be {wanted[0] if wanted else 'of another kind'}, got {value!r}."
