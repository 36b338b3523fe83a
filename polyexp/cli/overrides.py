"""One sentence on what is wrong with the input of the user, from the errors of Hydra and OmegaConf."""

import re
from collections.abc import Sequence
from dataclasses import fields
from types import UnionType
from typing import Any, get_args

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

import polyexp.action.action  # noqa: F401  (defining a component registers it)
from polyexp.base import Component, InputError, nearest
from polyexp.cli.configs import choices
from polyexp.experiment import Config, unknown_key_error

__all__ = ["USER_ERRORS", "explain"]

USER_ERRORS = (HydraException, OmegaConfBaseException, YAMLError, ValueError)  # an InputError is a ValueError
# The words for the type of a setting; the first that fits is used, so that int is before float.
TYPE_WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    list[float]: "a list of numbers",
    list[str]: "a list: [a,b]",
}
# Patterns of messages of Hydra and OmegaConf, and the sentences that replace them.
REPHRASED_MESSAGES = {
    r"Config group override must be|Merge error": "A config group takes the name of one choice; `python -m polyexp --help` "
    "lists them.",
    r"Ambiguous value for argument '(.*)'": r"`\1` lists several values: put -m in front for a sweep, or [...] around "
    "them for a list.",
    r"Key 'experiment' not in 'Config'": "The file must begin with the line `# @package _global_`.",
}


def explain(error: Exception) -> str:
    """One sentence on what is wrong on the command line, or in a config file of the user."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, MissingConfigException) and "/" in (error.missing_cfg_file or ""):
        return _unknown_choice(str(error.missing_cfg_file), error.options or ())
    if isinstance(error, OverrideParseException):
        reasons = [line for line in error.message.splitlines() if line.startswith(("missing", "mismatched"))]
        why = "".join(f" ({reason})" for reason in reasons[:1])
        hint = "" if str(error.override).isascii() else """ Put the value in its own quotes: key="'...'"."""
        return f"`{error.override}` cannot be read as key=value{why}.{hint}"
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
    key = re.search(r"full_key: (\w[\w.]*)", text)
    unknown = re.search(r"Could not override '(\S+)'", text)
    if key and (unknown or re.search(r"Key '.*' (is )?not in ", text)):
        return str(unknown_key_error(key[1]))
    if unknown:
        group, moved, _ = unknown[1].partition("@")
        return f"A config group takes no package: type `{group}=...`." if moved else str(unknown_key_error(unknown[1]))
    if key and "support deletion" in text:
        return f"`{key[1]}` cannot be removed."
    if key and (value := re.search(r"^Error merging override [^=]*=(.*)|[Vv]alue '(.*)'(?: of| is| for|, )", text)):
        return _wrong_type(key[1], value[1] if value[1] is not None else value[2])
    reason = next(line for line in text.splitlines() if line).rstrip(".:") + "."
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
    group, _, name = key.rpartition(".")
    owners: list[type[Any]] = [Config, *(cls for cls in Component.registry.values() if cls.group == group)]
    types = [one.type for owner in owners for one in fields(owner) if one.name == name]
    kinds = {kind for one in types for kind in (get_args(one) if isinstance(one, UnionType) else (one,))}
    wanted = [words for kind, words in TYPE_WORDS.items() if kind in kinds]
    return f"`{key}` must be {wanted[0] if wanted else 'of another type'}, got {value!r}."
