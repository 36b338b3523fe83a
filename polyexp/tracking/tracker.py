"""The interface of a tracker, and the names under which the numbers of a run are recorded."""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import numpy as np

from polyexp.base import Component, FormerNames, InputError
from polyexp.exact import Forecast
from polyexp.fitting import Result, Snapshot
from polyexp.tracking.recorded import RecordedRuns

__all__ = ["Record", "RunInfo", "Tracker", "derived_params", "final_metrics", "snapshot_metrics"]


@dataclass(frozen=True)
class RunInfo:
    """What is recorded of a run before it starts.

    Args:
        name: The name of the run.
        params: The settings by their keys, as on the command line.
        param_names: The names of the parameters of the model.
        tags: The tags of the run.
        lower_bound: A lower bound of the loss, in the unit of y squared, where the best loss is not known; otherwise nan.
    """

    name: str
    params: Mapping[str, str]
    param_names: Sequence[str]
    tags: Mapping[str, str]
    lower_bound: float = math.nan


class Record(FormerNames, AbstractContextManager["Record"]):
    """The record of one run, a context manager; this base class records nothing, as `tracking=none` does.

    A record whose context ends with an exception has the status FAILED, or KILLED where the run was interrupted.
    """

    renamed: ClassVar[Mapping[str, str]] = {"look": "snapshot"}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the record."""

    def snapshot(self, snapshot: Snapshot) -> None:
        """Record a snapshot."""

    def finish(self, result: Result, forecast: Forecast, files: Sequence[Path]) -> None:
        """Record the result with its files."""

    def where(self) -> list[str]:
        """Lines for the user on where the record is, and how to open it."""
        return []


@dataclass
class Tracker(Component):
    """The base class of trackers, which record runs."""

    group: ClassVar[str] = "tracking"
    renamed: ClassVar[Mapping[str, str]] = {"gather": "finish_sweep"}

    def check(self) -> None:
        """Check that runs can be recorded. Called before a run, and before the first job of a sweep.

        Raises:
            InputError: Where they cannot.
        """

    @abstractmethod
    def record(self, about: RunInfo) -> Record:
        """The record of a new run."""

    def recorded(self) -> RecordedRuns:
        """The recorded runs.

        Raises:
            InputError: Where the tracker records none.
        """
        raise InputError(
            f"`{self.group}={self.choice}` records no runs that could be read: type `{self.group}=mlflow`."
        )

    def finish_sweep(self, sweep: str, varying: Sequence[str]) -> list[str]:
        """Finish the record of a sweep whose last job has ended, and return lines on where its runs are.

        Args:
            sweep: The name of the sweep.
            varying: The keys of the settings that are not the same in all runs.
        """
        return []


def snapshot_metrics(snapshot: Snapshot, about: RunInfo) -> dict[str, float]:
    """The metrics of one snapshot of a single run.

    The metrics of `loss/` and `optimizer/` are those of the parameters before the update of the step, `weight/<name>` are the
    parameters after it. `loss/excess` is there where the best loss is known, and otherwise `loss/excess_at_most`: MLflow sorts
    the charts of `loss/` by name, so that a curve comes before the bars of `final_metrics`.
    """
    metrics = {
        "loss/train": float(snapshot.loss),
        "loss/excess": float(snapshot.excess),
        "loss/excess_at_most": float(snapshot.loss) - about.lower_bound,
        "optimizer/grad_norm": float(snapshot.grad_norm),
    }
    metrics |= {f"weight/{name}": float(value) for name, value in zip(about.param_names, snapshot.params, strict=True)}
    return _finite(metrics)


def final_metrics(result: Result, forecast: Forecast) -> dict[str, float]:
    """The metrics of a finished run, which are recorded with step 0, so that MLflow draws them as bars.

    No name of theirs may come before `loss/excess_at_most`, a curve (`snapshot_metrics`). They have four significant digits,
    because the table of MLflow cuts long numbers together with their power of ten. The exact numbers are in result.json.
    """
    with np.errstate(divide="ignore"):
        log10 = float(np.log10(result.loss))
    metrics = {
        "loss/final": result.loss,
        "loss/final_excess": result.excess,
        "loss/lowest" if forecast.exact else "loss/lower_bound": forecast.lowest,
        "loss/predicted": forecast.final_loss if math.isfinite(forecast.final_loss or 0) else None,
        "loss/log10_final": log10,
        "loss/max_error": result.max_error,
        "optimizer/steps_per_second": result.history.step[-1] / result.seconds,
    }
    shown = {name: float(f"{value:.4g}") for name, value in metrics.items() if value is not None}
    return _finite(shown | {"optimizer/steps": float(result.steps)})


def derived_params(result: Result, forecast: Forecast) -> dict[str, Any]:
    """The numbers that follow from the settings and the samples, which are recorded as params of MLflow beside the settings."""
    derived = {
        "samples.total": result.samples.total,
        "samples.used": result.samples.size,
        "samples.floor": result.samples.floor,
        "samples.note": result.samples.note or None,
        "learning_rate.used": result.optimizer.learning_rate,
        "learning_rate.max_stable": forecast.limit,
        "learning_rate.best": forecast.best_rate,
        "momentum.used": getattr(result.optimizer, "momentum", None),
        "hessian.steps_of_slowest_mode": forecast.slowest,
        "hessian.largest": float(forecast.eigenvalues[0]),
        "hessian.condition": forecast.condition,
    }
    return {name: value for name, value in derived.items() if value is not None}


def _finite(metrics: dict[str, float]) -> dict[str, float]:
    """The metrics that are finite; for any other MLflow would draw 1.8e308."""
    return {name: value for name, value in metrics.items() if math.isfinite(value)}
