"""What a tracker is, and the names under which a run's numbers are recorded."""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import numpy as np

from polyexp.component import Component
from polyexp.fit import Result, State

__all__ = ["About", "Record", "Tracker", "final_metrics", "look_metrics"]


@dataclass(frozen=True)
class About:
    """What is known of a run before it starts."""

    name: str
    params: Mapping[str, str]
    param_names: Sequence[str]
    tags: Mapping[str, str]


class Record(AbstractContextManager["Record"]):
    """One run being recorded; this one records nothing, which is `tracking=none`.

    Left by an exception, a record says so: failed, or killed where the run was interrupted.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the record."""

    def look(self, state: State) -> None:
        """Take note of a state, which holds float64 NumPy."""

    def finish(self, result: Result, files: Sequence[Path]) -> None:
        """Record the result with its files."""

    def where(self) -> list[str]:
        """Lines that tell a person where the record is and how to open it."""
        return []


@dataclass
class Tracker(Component):
    """Where runs are recorded."""

    group: ClassVar[str] = "tracking"

    def check(self) -> None:
        """InputError where nothing can be recorded; called before a run, and before a sweep's first job."""

    @abstractmethod
    def record(self, about: About) -> Record:
        """The record of one run."""


def look_metrics(state: State, param_names: Sequence[str]) -> dict[str, float]:
    """The metrics of one look.

    `loss/train` and `optimizer/grad_norm` belong to the parameters before this step's update, `weight/*` to those
    after it.
    """
    metrics = {"loss/train": float(state.loss), "optimizer/grad_norm": float(state.grad_norm)}
    metrics |= {f"weight/{name}": float(value) for name, value in zip(param_names, state.params, strict=True)}
    return _finite(metrics)


def final_metrics(result: Result) -> dict[str, float]:
    """The metrics of a finished run. They have step 0, so that MLflow draws them as bars."""
    with np.errstate(divide="ignore"):
        log10 = float(np.log10(result.loss))
    metrics = {
        "loss/final": float(result.loss),
        "loss/log10_final": log10,
        "loss/max_error": float(result.max_error),
        "optimizer/steps": float(result.steps),
        "optimizer/steps_per_second": float(result.history.step[-1] / result.seconds),
    }
    return _finite(metrics)


def _finite(metrics: dict[str, float]) -> dict[str, float]:
    """Without what is not finite, for which MLflow would draw 1.8e308."""
    return {name: value for name, value in metrics.items() if math.isfinite(value)}
