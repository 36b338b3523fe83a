"""The schema of a configuration: its groups, its keys, and the errors for keys that it does not have."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING, DictConfig, OmegaConf

from polyexp.base import SETTINGS, Component, InputError, nearest

__all__ = ["GROUPS", "Config", "known_keys", "require_schema", "spell", "unknown_key", "unknown_keys", "valueless_keys"]

GROUPS = (*SETTINGS, "tracking", "report", "action")


@dataclass
class Config:
    """One experiment. As a schema its groups are open; built, they hold the components."""

    problem: Any = MISSING
    model: Any = MISSING
    loop: Any = MISSING
    backend: Any = MISSING
    device: Any = MISSING
    optimizer: Any = MISSING
    tracking: Any = MISSING
    report: Any = MISSING
    action: Any = MISSING
    seed: int = 0
    quiet: bool = False


def valueless_keys(cfg: DictConfig) -> Iterator[str]:
    """The keys of a configuration that were removed (`~seed`), emptied (`~model`) or left open (`???`)."""
    own = [one.name for one in dataclasses.fields(Config)]
    yield from (name for name in own if name not in cfg)
    yield from sorted(OmegaConf.missing_keys(OmegaConf.masked_copy(cfg, own)))
    yield from (group for group in GROUPS if cfg[group] is None)


def require_schema(cfg: DictConfig, group: str) -> None:
    """InputError for a config file of a group that is not described by one of the group's components."""
    schema = OmegaConf.get_type(cfg, group)
    if not (isinstance(schema, type) and issubclass(schema, Component) and schema.group == group):
        raise InputError(
            f"`{group}` must be described by a component: its file must begin with `defaults: [/schema/{group}/...]`."
        )


def unknown_keys(cfg: DictConfig) -> Iterator[str]:
    """The dotted keys of a configuration that belong to no component (`+typo=1` puts them there)."""
    own = {one.name for one in dataclasses.fields(Config)}
    for key in cfg:
        if key not in own and key != "hydra":
            yield str(key)
        elif key in GROUPS:
            schema: Any = OmegaConf.get_type(cfg, str(key))
            fields = {one.name for one in dataclasses.fields(schema)}
            yield from (f"{key}.{name}" for name in cfg[key] if name not in fields)


def known_keys() -> list[str]:
    """Every key that some choice of groups accepts."""
    dotted = (f"{cls.group}.{one.name}" for cls in Component.registry.values() for one in dataclasses.fields(cls))
    return sorted({*(one.name for one in dataclasses.fields(Config)), "experiment", *dotted})


def unknown_key(key: str) -> InputError:
    """The error for a key that does not exist, with the nearest one that does."""
    keys = [known for known in known_keys() if "." in known or "." not in key]
    same_ending = [known for known in known_keys() if known.rpartition(".")[2] == key.rpartition(".")[2]]
    here = sorted((known for known in same_ending if known != key), key=_place)
    hint = f" Did you mean {here[0]!r}?" if here else nearest(key, keys)
    if key in keys:
        hint = f" It belongs to another choice of `{key.partition('.')[0]}`."
    return InputError(f"`{key}` is not a setting of this experiment.{hint} `python -m polyexp --help` lists them.")


def _place(key: str) -> int:
    """Groups that decide a result come first."""
    group = key.partition(".")[0]
    return GROUPS.index(group) if group in GROUPS else -1


def spell(value: Any) -> str:
    """A value as one types it on the command line."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{spell(one)}" for key, one in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(spell, value)) + "]"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return str(value)
