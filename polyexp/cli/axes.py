"""The axes of a sweep: settings with several values, which are combined, or go in step."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import chain, product

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from polyexp.base import InputError, cut
from polyexp.cli.ranges import number_of_values
from polyexp.experiment import all_keys, key_hint
from polyexp.sweep import MAX_JOBS, SweepSettings

__all__ = ["Axis", "asked_of_sweep", "axes_of", "effective", "is_of_sweep", "jobs_of"]


@dataclass(frozen=True)
class Axis:
    """Settings whose values go in step: one setting, or those of `sweep.zip`. A setting with one value is an axis, too.

    Args:
        overrides: The override of each setting, all with equally many values.
    """

    overrides: tuple[Override, ...]

    def __len__(self) -> int:
        return number_of_values(self.overrides[0])

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        """The words of each value."""
        return zip(*map(_words, self.overrides), strict=True)


def is_of_sweep(key: str) -> bool:
    """Whether a key is one of the settings of the sweep itself, which are no settings of its jobs.

    Args:
        key: The key, such as `sweep.zip`.
    """
    return key.partition(".")[0] == "sweep"


def asked_of_sweep(cfg: DictConfig) -> list[str]:
    """The keys of the settings of the sweep itself that ask for something, such as `sweep.zip`.

    Args:
        cfg: The configuration.
    """
    keys = [f"sweep.{one.name}" for one in fields(SweepSettings)]
    return [key for key in keys if OmegaConf.select(cfg, key)]


def effective(overrides: Sequence[Override]) -> dict[str, Override]:
    """The overrides by their keys, in the order in which the keys are first named; of one key the last one counts.

    The settings of the sweep itself (`sweep.zip`), which are no settings of its jobs, are left out.

    Args:
        overrides: The overrides of the config files and of the command line.

    Raises:
        InputError: Where one of the settings of the sweep itself has several values.
    """
    by_key = {one.key_or_group: one for one in overrides}
    for key in filter(is_of_sweep, list(by_key)):
        if by_key.pop(key).is_sweep_override():
            raise InputError(f"`{key}` holds for the whole sweep: type one value.")
    return by_key


def axes_of(overrides: Mapping[str, Override], zipped: Sequence[str]) -> list[Axis]:
    """The axes of a sweep, in the order of the overrides; that of `sweep.zip` has the place of the first of its keys.

    Args:
        overrides: The overrides by their keys.
        zipped: The keys whose values go in step.

    Raises:
        InputError: Where `zipped` names a key that has not several values, or not as many as the others.
    """
    _require_zippable(overrides, zipped)
    in_step = Axis(tuple(overrides[key] for key in zipped))
    first = next((key for key in overrides if key in zipped), None)
    return [
        in_step if key == first else Axis((one,)) for key, one in overrides.items() if key == first or key not in zipped
    ]


def jobs_of(axes: Sequence[Axis]) -> list[list[str]]:
    """The overrides of each job, of which there is one for each combination; the last axis varies first.

    Args:
        axes: The axes.

    Raises:
        InputError: Where there are none, or more than MAX_JOBS; they are counted before they are listed.
    """
    count = math.prod(float(len(axis)) for axis in axes)
    if count > MAX_JOBS:
        raise InputError(
            f"A sweep must have at most {MAX_JOBS} jobs, got {count:.4g}: type fewer values, or several sweeps."
        )
    if count == 0:
        raise InputError("The sweep has no jobs: a glob matches nothing.")
    return [list(chain.from_iterable(parts)) for parts in product(*axes)]


def _words(override: Override) -> Iterator[str]:
    key = override.get_key_element()
    if not override.is_sweep_override():
        return iter([f"{key}={override.get_value_element_as_str()}"])
    return (f"{key}={text}" for text in override.sweep_string_iterator())


def _require_zippable(overrides: Mapping[str, Override], zipped: Sequence[str]) -> None:
    """Require keys that exist, each once, with equally many values."""
    for key, times in Counter(zipped).items():
        if key not in all_keys():
            raise InputError(f"`sweep.zip` names `{cut(key)}`, which is no setting.{key_hint(key, all_keys())}")
        if times > 1:
            raise InputError(f"`sweep.zip` names `{key}` {times} times: type each key once.")
        if key not in overrides or not overrides[key].is_sweep_override():
            raise InputError(
                f"`sweep.zip` names `{key}`, which does not have several values: type {key}=... with a comma or a range, or "
                "leave it out of sweep.zip."
            )
    counts = {key: number_of_values(overrides[key]) for key in zipped}
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{count} of `{key}`" for key, count in counts.items())
        raise InputError(f"`sweep.zip` needs equally many values of each key, got {found}: type as many for each.")
