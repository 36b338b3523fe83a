"""An experiment, which is built from a composed configuration, and its checks before the run."""

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
from polyexp.base import SETTINGS, InputError, require, shown, spell, whole
from polyexp.device import Device
from polyexp.exact import Forecast, forecast, require_computable, require_modes, require_stable
from polyexp.experiment.schema import (
    GROUPS,
    PARTS,
    keys_of,
    numbers_for_texts,
    require_schema,
    unknown_key_error,
    unknown_keys,
    valueless_keys,
)
from polyexp.fitting import NUMERICAL_CORE, CheckpointSettings, computed_by, require_offers
from polyexp.loop import Loop
from polyexp.model import Model, degree_in_x
from polyexp.optimizer import Optimizer
from polyexp.problem import (
    DataFile,  # noqa: F401  (defining a component registers it)
    OnProgress,
    Samples,
    Source,
    samples_for,
)
from polyexp.report import Report
from polyexp.tracking import Tracker

__all__ = ["Experiment", "build", "build_part", "varying"]

MAX_SEED = 2**32 - 1  # 32 bits, which each generator of random numbers accepts


@dataclass(frozen=True)
class _SamplesRequest:
    """A request for samples, the key of their cache.

    Requests are equal for equal settings and unchanged files, so that a sweep reads and reduces its data once. Their seed is 0
    where the samples do not depend on it.
    """

    key: tuple[str, object]  # the settings of the problem, and the stamp of its file
    problem: Source = field(compare=False)
    degree: int | None
    seed: int
    on_progress: OnProgress | None = field(compare=False)


@lru_cache(maxsize=4)
def _samples(request: _SamplesRequest) -> Samples:
    return samples_for(request.problem, request.degree, request.seed, request.on_progress)


@dataclass(frozen=True)
class Experiment:
    """The components and numbers that one run needs.

    Args:
        problem: The source of the samples.
        model: The model.
        loop: The loop, with the number of steps and when to stop.
        backend: The array library.
        device: The device of the backend.
        optimizer: The optimizer, whose numbers may still be automatic.
        tracking: The tracker that records the run.
        report: The component that decides which pictures are made.
        sweep: The settings of the sweep, which do not concern the run.
        checkpoint: When the run writes checkpoints.
        action: The action, which is carried out with the experiment.
        seed: The seed of the initial values and of random samples, from 0 to 2^32 - 1.
        quiet: Whether only errors and warnings are printed.
        resume: The folder of the run that goes on; None for a new run.
        found: The optimizer with the numbers that a run which goes on has found for "auto" and "asymptotic"; None for others.
    """

    problem: Source
    model: Model
    loop: Loop
    backend: Backend
    device: Device
    optimizer: Optimizer
    tracking: Tracker
    report: Report
    sweep: Any
    checkpoint: CheckpointSettings
    action: Any
    seed: int
    quiet: bool
    resume: str | None = None
    found: Optimizer | None = None

    def check(self, on_progress: OnProgress | None = None) -> "Experiment":
        """Check the experiment, and return it.

        Args:
            on_progress: Called with the fraction of the samples that has been read, from 0 to 1.

        Raises:
            InputError: Where the components do not fit together, a device does not exist, or the run would diverge.
        """
        whole("seed", self.seed, 0, MAX_SEED)
        require_offers(self.loop, self.backend)
        self.backend.on_device(self.device)
        for one in dataclasses.fields(self.optimizer):
            value = getattr(self.optimizer, one.name)
            require(np.ndim(value) == 0, self.optimizer.key(one.name), "one number (a sweep, -m, takes several)", value)
        self.problem.check()
        samples = self.samples(on_progress)
        model = self.model.on_domain(samples.domain)
        x_key = self.problem.key("domain" if self.problem.interval else "x")
        require_computable(model, samples, model.initial_params(self.seed), x_key)
        if self.loop.direct:
            require_modes(self.forecast.optimizer, self.forecast.quadratic)
        require_stable(self.forecast)
        return self

    def samples(self, on_progress: OnProgress | None = None) -> Samples:
        """The samples of the run, which are read and reduced when they are first needed.

        Args:
            on_progress: Called with the fraction of the samples that has been read, from 0 to 1.
        """
        key = (repr(self.problem), self.problem.stamp)
        seed = self.seed if self.problem.random else 0
        return _samples(_SamplesRequest(key, self.problem, self.degree, seed, on_progress))

    @property
    def initial(self) -> np.ndarray:  # shape: (K,)
        """The initial values of the run."""
        return self.model.on_domain(self.samples().domain).initial_params(self.seed)

    @cached_property
    def forecast(self) -> Forecast:
        """The forecast of the run."""
        samples = self.samples()
        model = self.model.on_domain(samples.domain)
        optimizer = self.found or self.optimizer
        return forecast(model, self.loop, optimizer, samples, model.initial_params(self.seed), self.backend)

    @property
    def tuned_optimizer(self) -> Optimizer:
        """The optimizer with numbers in place of "auto" and "asymptotic"."""
        return self.found or (self.forecast.optimizer if self.optimizer.automatic else self.optimizer)

    @property
    def computed_by(self) -> str:
        """The library, dtype and device that compute the run, as text."""
        return computed_by(self.loop, self.placed_backend)

    @property
    def placed_backend(self) -> Backend:
        """The backend on the device of the run."""
        return self.backend.on_device(self.device)

    @property
    def degree(self) -> int | None:
        """The degree of the model as a polynomial in x; None where it is none."""
        return degree_in_x(self.model)

    def settings(self) -> dict[str, Any]:
        """The settings that decide the run, by their keys on the command line, such as `model` and `model.degree`."""
        flat: dict[str, Any] = {}
        for group in SETTINGS:
            component = getattr(self, group)
            flat[group] = component.choice
            flat |= {component.key(one.name): getattr(component, one.name) for one in dataclasses.fields(component)}
        return flat | {"seed": self.seed}

    def fingerprint(self) -> str:
        """The hash of all settings that decide the result, of the data file, and of the version of the numerical core.

        It has 16 hexadecimal digits. The interval of the snapshots decides where a run with a tolerance or a patience ends.
        """
        decisive = {key: spell(value) for key, value in self.settings().items()}
        if self.loop.tolerance is None and self.loop.patience is None:
            del decisive["loop.log_every"]
        decisive |= {"stamp": str(self.problem.stamp), "core": str(NUMERICAL_CORE)}
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]


def varying(experiments: Sequence[Experiment]) -> tuple[str, ...]:
    """The keys of the settings that are not the same in all experiments, or that some of these do not have."""
    spelt = [{key: spell(value) for key, value in one.settings().items()} for one in experiments]
    keys = dict.fromkeys(key for one in spelt for key in one)
    return tuple(key for key in keys if len({one.get(key) for one in spelt}) > 1)


def build(cfg: DictConfig) -> Experiment:
    """The experiment that a composed configuration describes.

    Args:
        cfg: The configuration, as Hydra has composed it.

    Raises:
        InputError: For a key without a value, a key that no component has, or a value out of range.
    """
    _require_values(cfg, PARTS)
    for group in GROUPS:
        require_schema(cfg, group)
    for key in unknown_keys(cfg):
        raise unknown_key_error(key, keys_of(cfg))
    _require_texts(cfg, PARTS)
    return Experiment(**{part: _built(cfg[part]) for part in PARTS})


def build_part(cfg: DictConfig, part: str) -> Any:
    """The component, or the value, that a configuration has under one key at its top.

    Args:
        cfg: The configuration, or the part of it under this key; only values have changed since it was built as a whole.
        part: The key, such as `model` or `seed`.

    Raises:
        InputError: For a key without a value, or a value out of range.
    """
    _require_values(cfg, (part,))
    _require_texts(cfg, (part,))
    return _built(cfg[part])


def _require_values(cfg: DictConfig, parts: Sequence[str]) -> None:
    for key in valueless_keys(cfg, parts):
        raise InputError(f"`{key}` has no value: type `{key}=...`.")


def _require_texts(cfg: DictConfig, parts: Sequence[str]) -> None:
    for key, value in numbers_for_texts(cfg, parts):
        raise InputError(
            f"`{key}` must be a list of texts, got {shown(value)} in it: put quotes around it in the file."
        )


def _built(value: Any) -> Any:
    """The component that a node describes; any other value unchanged."""
    return OmegaConf.to_object(value) if isinstance(value, DictConfig) else value
