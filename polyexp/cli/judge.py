"""Overrides are judged by our own registry before Hydra composes: their key, their choice, and the kind of their value.

So the sentences about what was typed depend neither on the texts of Hydra nor on those of OmegaConf.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from hydra.core.override_parser.types import ValueType

from polyexp.base import InputError, cut, shown
from polyexp.cli.configs import ConfigFiles
from polyexp.cli.kinds import fits, kinds_of, wanted
from polyexp.cli.ranges import require_no_interval
from polyexp.cli.values import CHOSEN, Override, choices_of, read, values
from polyexp.experiment import GROUPS, all_keys, choice_hint, unknown_key_error

__all__ = ["Judge"]


@dataclass(frozen=True)
class Judge:
    """What judges the overrides of one command.

    Args:
        files: The config files to choose among.
        before: The choices of each group before those of a sweep, with which Hydra composes first.
        chosen: The choices of each group in the jobs of the command.
        sweeps: Whether the command is a sweep.
        sweeper: Whether the command names a sweeper, which may draw from intervals.
    """

    files: ConfigFiles
    before: Mapping[str, Sequence[str]]
    chosen: Mapping[str, Sequence[str]]
    sweeps: bool
    sweeper: bool = False

    @classmethod
    def of(cls, files: ConfigFiles, overrides: Sequence[Override], *, multirun: bool) -> "Judge":
        """What judges these overrides, from the choices that they make themselves.

        Args:
            files: The config files to choose among.
            overrides: The overrides of one command.
            multirun: Whether its options ask for a sweep; its overrides may do so, too.
        """
        typed = {one.key: one for one in overrides}
        made = {group: choices_of(typed[group], files.choices(group)) for group in CHOSEN if group in typed}
        experiments: Sequence[str | None] = made.get("experiment", ()) or [None]
        mode = typed.get("hydra.mode")
        sweeps = multirun or (mode is not None and mode.value == "MULTIRUN") or any(map(files.sweeps, experiments))
        # Hydra composes a sweep without the values of sweeps first.
        first = files.chosen(experiments[0] if len(experiments) == 1 else None)
        single = {group: choices for group, choices in made.items() if len(choices) == 1}
        inherited = [files.chosen(one) for one in experiments]
        chosen = {group: list(dict.fromkeys(one[group] for one in inherited if group in one)) for group in GROUPS}
        return cls(
            files,
            before={group: [choice] for group, choice in first.items()} | single,
            chosen=chosen | made,
            sweeps=sweeps,
            sweeper="hydra/sweeper" in typed,
        )

    def for_hydra(self, override: Override) -> str:
        """The word for Hydra, after everything about it has been checked that can be without the values of other words.

        Args:
            override: The override.

        Raises:
            InputError: Where the override is wrong.
        """
        if not override.key or (override.value is None and not override.prefix):
            raise InputError(f"{override.shown} cannot be read as key=value.{self._meant(override.word)}")
        group, at, _ = override.key.partition("@")
        if at and (override.is_hydras or group in CHOSEN):
            raise InputError(f"A config group takes no package: type `{cut(group)}={cut(override.value or '...')}`.")
        if not override.is_hydras:
            self._require_key(override.key)
        _require_plain(override)
        return self._with_values(override)

    def _with_values(self, override: Override) -> str:
        """The word for Hydra, whose key exists."""
        parsed = read(override, self.sweeps)
        if parsed.is_sweep_override() and not self.sweeps:
            or_list = ", or [...] around them for a list" if parsed.value_type == ValueType.SIMPLE_CHOICE_SWEEP else ""
            raise InputError(f"{override.shown} lists several values: put -m in front for a sweep{or_list}.")
        if override.is_hydras:
            return override.word
        if not self.sweeper:
            require_no_interval(parsed)
        allowed = self.files.choices(override.key) if override.key in CHOSEN else []
        for value, text in values(override, parsed, allowed):
            if override.key in CHOSEN:
                _require_choice(override.key, value, text, allowed)
            else:
                _require_kind(override.key, value, text)
        word = override.for_hydra(self.sweeps)
        # Hydra composes once before the jobs of a sweep, without the sweep's values, where the key need not exist yet.
        late = self.sweeps and not parsed.is_sweep_override() and not self._has(override.key, self.before)
        return f"++{word}" if late else word

    def _require_key(self, key: str) -> None:
        """Require a key that all choices of the command have."""
        if key in all_keys() and self._has(key, self.chosen):
            return
        short = ".".join(key.split(".")[:2])  # settings have no parts
        lacking, having = (self._choices(key, self.chosen, has) for has in (False, True))
        if key in all_keys() and having:
            raise InputError(
                f"`{key}` is no setting of {_listed(lacking)}: leave {'this choice' if len(lacking) == 1 else 'these choices'} "
                f"out, or sweep over {_listed(having)} in a command of its own."
            )
        group = key.partition(".")[0]
        owners = self._choices(key, {group: self.files.choices(group)}, True) if key in all_keys() else []
        existing = [one for one in all_keys() if self._has(one, self.chosen)]
        raise unknown_key_error(key if short in all_keys() else short, existing, owners)

    def _has(self, key: str, chosen: Mapping[str, Sequence[str]]) -> bool:
        """Whether all chosen choices have a setting."""
        return "." not in key or not self._choices(key, chosen, False)

    def _choices(self, key: str, chosen: Mapping[str, Sequence[str]], having: bool) -> list[str]:
        """The chosen choices that have a setting, or those that do not, such as `optimizer=adam`."""
        group, _, name = key.partition(".")
        found = [one for one in chosen.get(group, ()) if _has_setting(self.files, group, one, name) == having]
        return [f"{group}={one}" for one in found]

    def _meant(self, word: str) -> str:
        """A hint for a word without `=` that is the name of a choice or a key."""
        choices = [f"{group}={word}" for group in CHOSEN if word in self.files.choices(group)]
        keys = [f"{word}=..." for key in all_keys() if key == word]
        return f" Type {_listed([*choices, *keys])}." if choices or keys else ""


def _has_setting(files: ConfigFiles, group: str, choice: str, name: str) -> bool:
    component = files.component(group, choice)
    return component is None or name in {one.name for one in fields(component)}


def _listed(words: Sequence[str]) -> str:
    return ", ".join(f"`{cut(one)}`" for one in words)


def _require_plain(override: Override) -> None:
    """Require an override that changes a value: every setting has one, so nothing is added or removed."""
    key = cut(override.key)
    if "~" in override.prefix:
        raise InputError(f"`{key}` cannot be removed: type `{key}=...` to change it.")
    if override.prefix and not override.is_hydras:  # the allow-list refuses what is added to Hydra's own settings
        plain = cut(override.word.removeprefix(override.prefix))
        raise InputError(f"{override.shown} would add a setting, but all settings are there: type `{plain}`.")


def _require_choice(group: str, value: Any, text: str, allowed: Sequence[str]) -> None:
    if not isinstance(value, str):
        raise InputError(f"`{group}` takes the name of one choice ({', '.join(allowed)}), got {shown(text)}.")
    if value not in allowed:
        hint = choice_hint(group, value, allowed)
        raise InputError(f"`{group}` must be one of {', '.join(allowed)}, got {shown(value)}.{hint}")


def _require_kind(key: str, value: Any, text: str) -> None:
    kinds = kinds_of(key)
    if value == "???" or (value == "" and str not in kinds):
        raise InputError(f"`{key}` has no value: type `{key}=...`.")
    if not fits(value, kinds):
        raise InputError(f"`{key}` must be {wanted(kinds)}, got {shown(text)}.")
