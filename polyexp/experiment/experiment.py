"""A composed configuration as the objects it describes, with everything checked that can be checked before a run."""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf

from polyexp.backend import Backend
from polyexp.base import SETTINGS, InputError, require, whole
from polyexp.device import Device
from polyexp.exact import Forecast, forecast, require_modes, require_stable
from polyexp.experiment.schema import GROUPS, Config, require_schema, spell, unknown_key, unknown_keys, valueless_keys
from polyexp.fitting import require_offers
from polyexp.loop import Loop
from polyexp.model import Model, degree_in_x
from polyexp.optimizer import Optimizer
from polyexp.problem import (
    DataFile,  # noqa: F401  (defining a component registers it)
    Samples,
    Source,
    samples_for,
)
from polyexp.report import Report
from polyexp.report.progress_bar import bar
from polyexp.tracking import Tracker

__all__ = ["Experiment", "build", "varying"]

MAX_SEED = 2**32 - 1


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
        require_schema(cfg, group)
    for key in unknown_keys(cfg):
        raise unknown_key(key)
    return Experiment(**{one.name: _built(cfg[one.name]) for one in dataclasses.fields(Config)})


def _built(value: Any) -> Any:
    """A node as the component that it describes, and any other value as it is."""
    return OmegaConf.to_object(value) if isinstance(value, DictConfig) else value
