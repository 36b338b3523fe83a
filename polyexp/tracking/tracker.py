"""What a tracker is, and the names under which a run's numbers are recorded."""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import numpy as np

from polyexp.base import Component, InputError
from polyexp.exact import Forecast
from polyexp.fitting import Look, Result
from polyexp.tracking.recorded import RecordedRuns

__all__ = ["About", "Record", "Tracker", "derived_params", "final_metrics", "look_metrics"]


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

    def look(self, look: Look) -> None:
        """Take note of what is seen."""

    def finish(self, result: Result, known: Forecast, files: Sequence[Path]) -> None:
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

    def recorded(self) -> RecordedRuns:
        """The runs that have been recorded here; InputError for a tracker that keeps none."""
        raise InputError(f"`{self.group}={self.choice}` keeps no runs to read: type `{self.group}=mlflow`.")

    def gather(self, sweep: str, varying: Sequence[str]) -> list[str]:
        """Called when the last job of a sweep has ended: lines that tell a person where all of its runs are.

        varying: the settings that are not the same in all of them.
        """
        return []


def look_metrics(look: Look, param_names: Sequence[str]) -> dict[str, float]:
    """The metrics of one look.

    `loss/train`, `loss/excess` and `optimizer/grad_norm` belong to the parameters before this step's update, `weight/*` to
    those after it.
    """
    metrics = {
        "loss/train": float(look.loss),
        "loss/excess": float(look.excess),
        "optimizer/grad_norm": float(look.grad_norm),
    }
    metrics |= {f"weight/{name}": float(value) for name, value in zip(param_names, look.params, strict=True)}
    return _finite(metrics)


def final_metrics(result: Result, known: Forecast) -> dict[str, float]:
    """The metrics of a finished run. They have step 0, so that MLflow draws them as bars.

    MLflow's table cuts long numbers, and with them a power of ten; so these have four significant digits. The exact ones are
    in result.json.
    """
    with np.errstate(divide="ignore"):
        log10 = float(np.log10(result.loss))
    metrics = {
        "loss/final": result.loss,
        "loss/final_excess": result.excess,
        "loss/best" if known.exact else "loss/lower_bound": known.lowest,
        "loss/predicted": known.final_loss if math.isfinite(known.final_loss or 0) else None,
        "loss/log10_final": log10,
        "loss/max_error": result.max_error,
        "optimizer/steps_per_second": result.history.step[-1] / result.seconds,
    }
    shown = {name: float(f"{value:.4g}") for name, value in metrics.items() if value is not None}
    return _finite(shown | {"optimizer/steps": float(result.steps)})


def derived_params(result: Result, known: Forecast) -> dict[str, Any]:
    """What follows from the settings and the samples, recorded as params beside the settings."""
    derived = {
        "samples.total": result.samples.total,
        "samples.used": result.samples.size,
        "samples.floor": result.samples.floor,
        "samples.note": result.samples.note or None,
        "learning_rate.used": result.optimizer.learning_rate,
        "learning_rate.max_stable": known.limit,
        "learning_rate.best": known.best_rate,
        "momentum.used": getattr(result.optimizer, "momentum", None),
        "hessian.steps_of_slowest_mode": known.slowest,
        "hessian.largest": float(known.eigenvalues[0]),
        "hessian.condition": known.condition,
    }
    return {name: value for name, value in derived.items() if value is not None}


def _finite(metrics: dict[str, float]) -> dict[str, float]:
    """Without what is not finite, for which MLflow would draw 1.8e308."""
    return {name: value for name, value in metrics.items() if math.isfinite(value)}
