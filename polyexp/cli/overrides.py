"""One sentence on what is wrong in a config file of the user, from the errors of Hydra and OmegaConf.

What is typed is judged before Hydra sees it (`polyexp.cli.judge`), but for the settings of Hydra itself.
"""

import re
from collections.abc import Sequence

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

import polyexp.action.action  # noqa: F401  (defining a component registers it)
from polyexp.base import Component, InputError, cut, nearest, shown
from polyexp.cli.allow_list import wanted_of_hydra
from polyexp.cli.configs import choices
from polyexp.cli.kinds import kinds_of, wanted
from polyexp.experiment import unknown_key_error

__all__ = ["USER_ERRORS", "explain"]

USER_ERRORS = (HydraException, OmegaConfBaseException, YAMLError, ValueError)  # an InputError is a ValueError
# Patterns of messages of Hydra and OmegaConf, and the sentences that replace them.
REPHRASED_MESSAGES = {
    r"Config group override must be|Merge error": "A config group takes the name of one choice; `python -m polyexp --help` "
    "lists them.",
    r"Key 'experiment' not in 'Config'": "The file must begin with the line `# @package _global_`.",
}


def explain(error: Exception) -> str:
    """One sentence on what is wrong in a config file of the user, or with a setting of Hydra itself."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, MissingConfigException) and "/" in (error.missing_cfg_file or ""):
        return _unknown_choice(str(error.missing_cfg_file), error.options or ())
    if isinstance(error, OverrideParseException):
        return f"`{cut(str(error.override))}` cannot be read as key=value: put quotes around the value."
    if isinstance(error, YAMLError):
        return f"A config file is not YAML: {' '.join(str(error).split())}."
    text = f"{error}\n{error.__cause__ or ''}"
    file = re.match(r"In '(?!schema/)(\S+)': \w+ raised while composing config:\n", text)
    return f"In {file[1]}.yaml: {_rephrased(text[file.end() :])}" if file else _rephrased(text)


def _rephrased(text: str) -> str:
    """The sentence that replaces messages of Hydra and OmegaConf.

    Args:
        text: The message of Hydra, which names the override in its first line, and that of OmegaConf, which may name the key.
    """
    for pattern, words in REPHRASED_MESSAGES.items():
        if found := re.search(pattern, text):
            return found.expand(words)
    key = re.search(r"full_key: (.+)", text)
    dotted = re.search(r"Key '(\w+)\.(\w+)' not in 'Config'", text)
    unknown = re.search(r"Could not override '(\S+)'", text)
    if dotted:
        return f"`{dotted[1]}.{dotted[2]}` is written as `{dotted[1]}: {{{dotted[2]}: ...}}` in a config file."
    if key and (unknown or re.search(r"Key '.*' (is )?not in ", text)):
        return str(unknown_key_error(key[1]))
    if unknown:
        return str(unknown_key_error(unknown[1]))
    if key and re.search(r"is not Optional|Incompatible value 'None'", text):
        return _wrong_type(key[1], "null")
    if key and (value := re.search(r"^Error merging override [^=]*=(.*)|[Vv]alue '(.*)'(?: of| is| for|, )", text)):
        return _wrong_type(key[1], value[1] if value[1] is not None else value[2])
    reason = (
        next((line for line in text.splitlines() if line), "The configuration cannot be composed").rstrip(".:") + "."
    )
    return reason if key is None or key[1] in reason else f"`{key[1]}` cannot have this value: {reason}"


def _unknown_choice(path: str, options: Sequence[str]) -> str:
    """The sentence about a config file that does not exist.

    Args:
        path: The name `group/choice`, in which the choice may have slashes, as the groups of hydra and schema have.
        options: The choices that Hydra lists.
    """
    nested = path.startswith(("hydra/", "schema/"))
    group, _, word = path.rpartition("/") if nested else path.partition("/")
    registered = [name for of, name in Component.registry if f"schema/{of}" == group]
    allowed = choices(group) or list(options) or registered
    if not allowed:
        return str(unknown_key_error(group))
    return f"`{group}` must be one of {', '.join(allowed)}, got {word!r}.{nearest(word, allowed)}"


def _wrong_type(key: str, value: str) -> str:
    words = wanted_of_hydra(key) or wanted(kinds_of(key))
    advice = ": put quotes around it in the file" if words == "text" and value != "null" else ""
    return f"`{key}` must be {words}, got {shown(value)}{advice}."
