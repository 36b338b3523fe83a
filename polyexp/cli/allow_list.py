"""What a configuration may change of Hydra's own node: nothing through which code runs or files are written elsewhere.

Hydra instantiates its callbacks, its logging handlers, its launcher and its sweeper before any task runs. So the composed
node is compared with the one that Hydra, polyexp and the installed plugins bring for the same choices.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any

from omegaconf import DictConfig, OmegaConf

from polyexp.base import InputError

__all__ = ["cannot_be_set", "require_allowed", "wanted_of_hydra"]

# What Hydra itself sets in the node while it composes.
SET_BY_HYDRA = (
    *("overrides", "job.override_dirname", "job.config_name"),
    *("runtime.version", "runtime.version_base", "runtime.cwd", "runtime.config_sources", "runtime.choices"),
)
# The words in the names of settings of launchers and sweepers whose values are run, imported or evaluated, such as
# `setup`, `custom_search_space` and joblib's `pre_dispatch`.
EXECUTED = {"args", "callback", "callbacks", "class", "command", "commands", "dispatch", "env", "exec", "executable"}
EXECUTED |= {"func", "function", "hook", "hooks", "import", "module", "python", "script", "setup", "shell", "space"}
EXECUTED |= {"target", "partial", "convert", "recursive"}
ABSENT = object()  # the value of a setting that is not there


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable() and value != "???"


def _is_plain(value: Any) -> bool:
    """Whether a value is a number, a truth value, null or a text of one line, without an interpolation or a password."""
    if isinstance(value, str):
        return _is_text(value) and "${" not in value and not re.search(r"://[^/]*@", value)
    return value is None or isinstance(value, (bool, int, float, Enum))


def _is_name(value: Any) -> bool:
    return _is_plain(value) and isinstance(value, str) and not re.search(r"[/\\]", value) and value.strip(". ") != ""


def _is_verbosity(value: Any) -> bool:
    return all(
        isinstance(one, (bool, str)) and _is_plain(one) for one in (value if isinstance(value, list) else [value])
    )


def _is_parameters(value: Any) -> bool:
    return value is None or (isinstance(value, dict) and all(map(_is_plain, [*value, *value.values()])))


def _is_batch_size(value: Any) -> bool:
    return value is None or (isinstance(value, int) and value >= 1)


# The settings that may differ from what is brought, with what they must be, in words and as a function.
ALLOWED: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "run.dir": ("a folder", _is_text),
    "sweep.dir": ("a folder", _is_text),
    "sweep.subdir": ("a folder", _is_text),
    "mode": ("RUN or MULTIRUN", _is_plain),
    "verbose": ("true, false, or names of loggers", _is_verbosity),
    "job.name": ("a name without slashes and interpolations", _is_name),
    "sweeper.params": ("keys with values: {seed: '1,2'}", _is_parameters),
    "sweeper.max_batch_size": ("null or a whole number of at least 1", _is_batch_size),
}
OF_PLUGINS = "a number, true, false or a text of one line, without interpolations and passwords"


def require_allowed(composed: DictConfig, brought: DictConfig) -> None:
    """Require that Hydra's node differs from what is brought in harmless settings only.

    Args:
        composed: Hydra's node as it was composed from all files and the command line.
        brought: The node that Hydra, polyexp and the installed plugins bring for the same choices.

    Raises:
        InputError: For a setting that may not be set, or not to this value; it is named.
    """
    there, here = (OmegaConf.to_container(one, resolve=False) for one in (brought, composed))
    for key in SET_BY_HYDRA:
        _copy(here, there, key.split("."))
    for key, value, before in _differences(here, there):
        words, fits = ALLOWED.get(key, (OF_PLUGINS, _is_plain))
        if key not in ALLOWED and not _is_of_plugin(key, value, before):
            raise cannot_be_set(key)
        if value is ABSENT or not fits(value):
            raise InputError(f"`hydra.{key}` must be {words}.")


def cannot_be_set(key: str) -> InputError:
    """The error about a setting of Hydra's that may not be set.

    Args:
        key: The key below `hydra`.
    """
    return InputError(
        f"`hydra.{key}` cannot be set: of Hydra's own settings polyexp accepts {', '.join(ALLOWED)}, and numbers and texts "
        "of the launcher and the sweeper."
    )


def wanted_of_hydra(key: str) -> str | None:
    """The words for what a setting of Hydra's must be, which follow "must be"; None where it has no rule of its own.

    Args:
        key: The whole key, such as `hydra.mode`.
    """
    words, _ = ALLOWED.get(key.removeprefix("hydra."), (None, None))
    return words


def _is_of_plugin(key: str, value: Any, before: Any) -> bool:
    """Whether a setting is one of the chosen launcher or sweeper whose value is not run."""
    owner, *names = key.split(".")
    in_schema = before is None or isinstance(before, (bool, int, float, str, Enum))
    words = {word for name in names for word in name.lower().split("_")}
    return (
        owner in ("launcher", "sweeper") and bool(names) and in_schema and value is not ABSENT and not words & EXECUTED
    )


def _copy(source: Any, target: Any, names: list[str]) -> None:
    *above, last = names
    for name in above:
        source, target = source[name], target[name]
    target[last] = source[last]


def _differences(here: Any, there: Any, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The settings that are not the same in two nodes: their keys, and both values."""
    for name in {**there, **here}:
        key, value, before = f"{prefix}{name}", here.get(name, ABSENT), there.get(name, ABSENT)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            yield from _differences(value, before, f"{key}.")
        elif type(value) is not type(before) or value != before:
            yield key, value, before
