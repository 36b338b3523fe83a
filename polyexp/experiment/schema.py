"""The schema of a configuration: its groups, its keys, and the errors about keys that do not exist."""

import dataclasses
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

from omegaconf import MISSING, DictConfig, OmegaConf

from polyexp.base import SETTINGS, Component, InputError, cut
from polyexp.experiment.suggestions import key_hint

__all__ = [
    "GROUPS",
    "PARTS",
    "Config",
    "all_keys",
    "keys_of",
    "numbers_for_texts",
    "require_schema",
    "unknown_key_error",
    "unknown_keys",
    "valueless_keys",
]

GROUPS = (
    *SETTINGS,
    "tracking",
    "report",
    "sweep",
    "checkpoint",
    "action",
)  # all config groups; SETTINGS are those that decide a result
MAX_OWNERS = 3  # choices that a sentence names


@dataclass
class Config:
    """The schema of a configuration, in which each group is described further by the component that is chosen."""

    problem: Any = MISSING
    model: Any = MISSING
    loop: Any = MISSING
    backend: Any = MISSING
    device: Any = MISSING
    optimizer: Any = MISSING
    tracking: Any = MISSING
    report: Any = MISSING
    sweep: Any = MISSING
    checkpoint: Any = MISSING
    action: Any = MISSING
    seed: int = 0
    quiet: bool = False
    resume: str | None = None


# The keys at the top of a configuration: the groups, `seed`, `quiet` and `resume`.
PARTS = tuple(one.name for one in dataclasses.fields(Config))


def valueless_keys(cfg: DictConfig, parts: Sequence[str] = PARTS) -> Iterator[str]:
    """The keys of a configuration that have no value: removed (`~seed`, `~model`), or not given (`???`).

    Args:
        cfg: The configuration.
        parts: The keys at its top that are examined.
    """
    yield from (name for name in parts if name not in cfg)
    yield from sorted(OmegaConf.missing_keys(OmegaConf.masked_copy(cfg, list(parts))))
    yield from (group for group in GROUPS if group in parts and cfg[group] is None)


def require_schema(cfg: DictConfig, group: str) -> None:
    """Check that a group of a configuration is described by a component of this group.

    Raises:
        InputError: Where its config file has no schema, or that of another group.
    """
    schema = OmegaConf.get_type(cfg, group)
    if not (isinstance(schema, type) and issubclass(schema, Component) and schema.group == group):
        raise InputError(
            f"`{group}` must be described by a component: its file must begin with `defaults: [/schema/{group}/...]`."
        )


def unknown_keys(cfg: DictConfig) -> Iterator[str]:
    """The keys of a configuration that belong to no component; `+typo=1` adds such a key."""
    for key in cfg:
        if key not in PARTS and key != "hydra":
            yield str(key)
        elif key in GROUPS:
            schema: Any = OmegaConf.get_type(cfg, str(key))
            fields = {one.name for one in dataclasses.fields(schema)}
            yield from (f"{key}.{name}" for name in cfg[key] if name not in fields)


def numbers_for_texts(cfg: DictConfig, parts: Sequence[str] = PARTS) -> Iterator[tuple[str, Any]]:
    """The keys of lists of texts in which a config file has something else, and the first such value.

    Args:
        cfg: The configuration.
        parts: The keys at its top that are examined.
    """
    for group in (one for one in GROUPS if one in parts):
        schema: Any = OmegaConf.get_type(cfg, group)
        names = [name for name, kind in get_type_hints(schema).items() if list[str] in (kind, *get_args(kind))]
        values = [(f"{group}.{name}", one) for name in names for one in cfg[group][name] or ()]
        yield from ((key, one) for key, one in values if not isinstance(one, str))


def all_keys() -> list[str]:
    """The keys of all components of all groups; where several would do, the first is preferred."""
    dotted = {f"{cls.group}.{one.name}" for cls in Component.registry.values() for one in dataclasses.fields(cls)}
    return [*PARTS, "experiment", *sorted(dotted, key=lambda key: (_group_position(key), key))]


def keys_of(cfg: DictConfig) -> list[str]:
    """The keys of a configuration, in the same order.

    Args:
        cfg: The configuration, whose groups are described by components.
    """
    schemas: dict[str, Any] = {group: OmegaConf.get_type(cfg, group) for group in GROUPS}
    dotted = {f"{group}.{one.name}" for group, schema in schemas.items() for one in dataclasses.fields(schema)}
    return [key for key in all_keys() if "." not in key or key in dotted]


def unknown_key_error(key: str, applicable: Collection[str] = (), owners: Sequence[str] = ()) -> InputError:
    """The error about a key that does not exist, with the one that was probably meant.

    Args:
        key: The key, as it was typed.
        applicable: The keys that exist in the experiment; empty where they are not known, for all keys.
        owners: Choices of the key's group that do have this setting, such as `optimizer=momentum`.
    """
    keys = list(applicable) or all_keys()
    if owners:
        several = ", ".join(f"`{one}`" for one in owners[:MAX_OWNERS]) + (", ..." if len(owners) > MAX_OWNERS else "")
        hint = f" It belongs to {several}."
    elif key in all_keys():
        hint = f" It belongs to another choice of `{key.partition('.')[0]}`."
    else:
        hint = "" if key.startswith("hydra") else key_hint(key, keys)
    return InputError(
        f"`{cut(key)}` is not a setting of this experiment.{hint} `python -m polyexp --cfg job` prints all settings."
    )


def _group_position(key: str) -> int:
    """The position of the group of a key, which orders hints: groups that decide a result come first."""
    return GROUPS.index(key.partition(".")[0])
