"""The settings of a recorded run as the words of a command, which are judged exactly as if they were typed.

A record is data that anybody may have written. So only what decides a result is taken from it (the groups of `SETTINGS` and
the seed), texts are put into quotes, and whatever refers to something else (`${...}`) is refused.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from polyexp.base import SETTINGS, InputError, cut, shown, spell
from polyexp.cli.configs import ConfigFiles
from polyexp.cli.judge import Judge
from polyexp.cli.kinds import is_interpolation, kinds_of
from polyexp.cli.texts import quote
from polyexp.cli.values import Override
from polyexp.experiment import PARTS, all_keys, unknown_key_error
from polyexp.tracking import KIND_TAG, RecordedFit

__all__ = ["recorded_words"]

SEED = "seed"
NOT_OF_A_FIT = {*PARTS, "experiment", "hydra"} - {*SETTINGS, SEED}  # the first words of keys that no record has
MAX_LISTED = 3


def recorded_words(fit: RecordedFit, typed: Sequence[Override] = ()) -> list[str]:
    """The recorded settings of a run as overrides `key=value`, which have been judged.

    Where result.json has the value of a setting, it is that value, to the bit and with its kind; otherwise it is the text of
    the param. What is typed takes precedence: a typed key replaces the recorded one, and another typed choice of a group all
    recorded settings of this group.

    Args:
        fit: The recorded run.
        typed: The overrides that are typed beside them, which are not returned.

    Raises:
        InputError: The record has a setting that is not one of this version or not one of a fit, a value that is not allowed or
            no plain value, or lacks the choice of a group.
    """
    try:
        overrides = [Override.of(word) for word in _words(fit, {one.key: one.value or "" for one in typed})]
        judge = Judge.of(ConfigFiles(), [*overrides, *typed], multirun=False)
        for one in overrides:
            judge.for_hydra(one)
    except InputError as error:
        raise _cannot_be_used(fit, str(error)) from error
    except RecursionError as error:
        raise _cannot_be_used(fit, "a setting is nested too deeply.") from error
    return [one.word for one in overrides]


def _words(fit: RecordedFit, typed: dict[str, str]) -> Iterator[str]:
    for key in fit.params:
        _require_setting(key)
    if missing := [group for group in SETTINGS if group not in fit.params and group not in typed]:
        raise InputError(_lacking(fit, missing))
    for key in sorted(fit.params, key=lambda one: "." in one):  # choices of groups first
        group = key.partition(".")[0]
        other_choice = group in typed and typed[group] != fit.params.get(group)
        if key not in typed and not other_choice:
            yield f"{key}={_value(fit, key)}"


def _require_setting(key: str) -> None:
    """Require the key of a setting that decides a result, which a record may have."""
    first = key.lstrip("+~").replace("/", ".").replace("@", ".").partition(".")[0]
    if first in NOT_OF_A_FIT:
        raise InputError(f"`{cut(key)}` is not taken from a record, as it does not decide the result of a fit.")
    if key not in all_keys():
        raise unknown_key_error(key)


def _value(fit: RecordedFit, key: str) -> str:
    """The recorded value of a setting, as it is typed."""
    text, config = fit.params[key], {} if isinstance(fit.result, InputError) else fit.result.config
    if key in config and not fit.agrees(key, config[key]):
        raise InputError(f"`{key}` is {shown(text)} in its params, and {shown(spell(config[key]))} in its result.json.")
    if is_interpolation(text) or is_interpolation(spell(config.get(key))):
        raise InputError(f"`{key}` must be a plain value in a record, got {shown(text)}.")
    if "." not in key:  # a choice, which the judge finds among those that there are
        return text
    return _typed(config[key]) if key in config else _typed_text(key, text)


def _typed(value: Any) -> str:
    """A value of JSON, as it is typed."""
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(_typed, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{quote(str(key))}:{_typed(one)}" for key, one in value.items()) + "}"
    return spell(value)


def _typed_text(key: str, text: str) -> str:
    """The text of a param, as it is typed: in quotes where the setting takes text."""
    kinds = kinds_of(key)
    is_null = text == "null" and type(None) in kinds
    return quote(text) if str in kinds and not is_null else text


def _lacking(fit: RecordedFit, groups: Sequence[str]) -> str:
    if KIND_TAG in fit.tags:
        return f"it is a {cut(fit.tags[KIND_TAG])}, not a fit."
    listed = ", ".join(f"`{one}`" for one in groups[:MAX_LISTED]) + (", ..." if len(groups) > MAX_LISTED else "")
    return f"its record lacks {listed}, as that of a result that was made in Python does."


def _cannot_be_used(fit: RecordedFit, reason: str) -> InputError:
    version = fit.tags.get("polyexp.version")
    by = f", which polyexp {cut(version)} has recorded," if version else ""
    return InputError(f"The settings of the run {fit.shown}{by} cannot be used: {reason}")
