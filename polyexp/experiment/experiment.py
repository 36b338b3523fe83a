"""A composed configuration as the objects it describes, with everything checked that can be checked before a run."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from omegaconf import MISSING, DictConfig, OmegaConf

from polyexp.backend import Backend
from polyexp.base.component import SETTINGS, Component
from polyexp.base.validation import InputError, nearest, require, whole
from polyexp.device import Device
from polyexp.exact.prediction import Forecast, forecast, require_stable
from polyexp.exact.rates import require_modes
from polyexp.fitting.driver import require_offers
from polyexp.loop import Loop
from polyexp.model import Model, degree_in_x
from polyexp.optimizer import Optimizer
from polyexp.problem.files.data_file import DataFile  # noqa: F401  (defining a component registers it)
from polyexp.problem.reduction import samples_for
from polyexp.problem.samples import Samples
from polyexp.problem.sampling import Source
from polyexp.report import Report
from polyexp.report.progress_bar import bar
from polyexp.tracking import Tracker

__all__ = ["GROUPS", "Config", "build", "known_keys", "spell", "unknown_key", "varying"]

GROUPS = (*SETTINGS, "tracking", "report", "action")
MAX_SEED = 2**32 - 1


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


@dataclass(frozen=True)
class _Wanted:
    """Samples that are asked for; equal for equal settings, so that a sweep reads and reduces its data once."""

    key: tuple[str, object]
    problem: Source = field(compare=False)
    degree: int | None
    seed: int
    quiet: bool = field(compare=False)


@lru_cache(maxsize=4)
def _samples(wanted: _Wanted) -> Samples:
    with bar(f"Reading {wanted.problem.label}", quiet=wanted.quiet) as progress:
        return samples_for(wanted.problem, wanted.degree, wanted.seed, progress)


@dataclass(frozen=True)
class Experiment:
    """What one run needs, built and checked.

    action: what to do with it (`actions.py`). seed: of the initial values and of random samples.
    quiet: print errors and warnings only.
    """

    problem: Source
    model: Model
    loop: Loop
    backend: Backend
    device: Device
    optimizer: Optimizer
    tracking: Tracker
    report: Report
    action: Any
    seed: int
    quiet: bool

    def check(self) -> "Experiment":
        """InputError where the parts do not go together, or need a device that is not there."""
        whole("seed", self.seed, 0, MAX_SEED)
        require_offers(self.loop, self.backend)
        self.backend.on(self.device)
        for one in dataclasses.fields(self.optimizer):
            value = getattr(self.optimizer, one.name)
            require(np.ndim(value) == 0, self.optimizer.key(one.name), "one number (a sweep, -m, takes several)", value)
        self.problem.check()
        if self.loop.direct:
            require_modes(self.forecast.optimizer, self.forecast.quadratic)
        require_stable(self.forecast)
        return self

    @cached_property
    def forecast(self) -> Forecast:
        """What is known of the run before it starts."""
        key = (repr(self.problem), self.problem.stamp)
        samples = _samples(_Wanted(key, self.problem, self.degree, self.seed, self.quiet))
        model = self.model.on(samples.domain)
        return forecast(model, self.loop, self.optimizer, samples, model.initial_params(self.seed))

    @property
    def degree(self) -> int | None:
        """The model's degree as a polynomial in x."""
        return degree_in_x(self.model)

    def settings(self) -> dict[str, Any]:
        """What the user could set and what decides the run, by its key on the command line: `model`, `model.degree`"""
        flat: dict[str, Any] = {}
        for group in SETTINGS:
            component = getattr(self, group)
            flat[group] = component.choice
            flat |= {component.key(one.name): getattr(component, one.name) for one in dataclasses.fields(component)}
        return flat | {"seed": self.seed}

    def fingerprint(self) -> str:
        """A hash of everything that decides the result: equal for equal experiments, wherever they are recorded."""
        decisive = {key: spell(value) for key, value in self.settings().items() if key != "loop.log_every"}
        decisive["stamp"] = str(self.problem.stamp)
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]


def varying(experiments: Sequence[Experiment]) -> tuple[str, ...]:
    """The settings that are not the same in all experiments, or that some of them do not have."""
    spelt = [{key: spell(value) for key, value in one.settings().items()} for one in experiments]
    keys = dict.fromkeys(key for one in spelt for key in one)
    return tuple(key for key in keys if len({one.get(key) for one in spelt}) > 1)


def build(cfg: DictConfig) -> Experiment:
    """The experiment that a composed configuration describes.

    Raises InputError for keys that no component has and for values out of range.
    """
    for key in valueless_keys(cfg):
        raise InputError(f"`{key}` has no value: type `{key}=...`.")
    for group in GROUPS:
        _require_schema(cfg, group)
    for key in unknown_keys(cfg):
        raise unknown_key(key)
    settings = {one.name: cfg[one.name] for one in dataclasses.fields(Config)}
    return Experiment(**{k: OmegaConf.to_object(v) if isinstance(v, DictConfig) else v for k, v in settings.items()})


def valueless_keys(cfg: DictConfig) -> Iterator[str]:
    """The keys of a configuration that were removed (`~seed`), emptied (`~model`) or left open (`???`)."""
    own = [one.name for one in dataclasses.fields(Config)]
    yield from (name for name in own if name not in cfg)
    yield from sorted(OmegaConf.missing_keys(OmegaConf.masked_copy(cfg, own)))
    yield from (group for group in GROUPS if cfg[group] is None)


def _require_schema(cfg: DictConfig, group: str) -> None:
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
            fields = {one.name for one in dataclasses.fields(OmegaConf.get_type(cfg, str(key)))}
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
