"""The interface of a tracker, and the names under which the numbers of a run are recorded."""

import math
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from polyexp.base import Component, InputError
from polyexp.exact import Forecast
from polyexp.fitting import Result
from polyexp.tracking.finished import FinishedRun, finished_recorded
from polyexp.tracking.journal import Header, now
from polyexp.tracking.process import Process
from polyexp.tracking.recorded import RecordedRuns

__all__ = ["DERIVED_PARAMS", "Delivered", "RunInfo", "Tracker", "derived_params", "final_metrics"]

# The params of MLflow that are no settings, but follow from these and the samples.
DERIVED_PARAMS = (
    "samples.total",
    "samples.used",
    "samples.floor",
    "samples.note",
    "learning_rate.used",
    "learning_rate.max_stable",
    "learning_rate.best",
    "momentum.used",
    "hessian.steps_of_slowest_mode",
    "hessian.largest",
    "hessian.condition",
)


@dataclass(frozen=True)
class Delivered:
    """What a user is told of runs that have ended.

    Args:
        lines: Where they are recorded, and how to open it.
        warning: Why they are not there yet, and what to do; None where they are.
    """

    lines: Sequence[str] = ()
    warning: str | None = None


@dataclass(frozen=True)
class RunInfo:
    """What is recorded of a run before it starts.

    Args:
        name: The name of the run.
        params: The settings by their keys, as on the command line.
        param_names: The names of the parameters of the model.
        tags: The tags of the run.
        snapshots: The number of regular snapshots that the run will have unless it ends early.
        lower_bound: A lower bound of the loss, in the unit of y squared, where the best loss is not known; otherwise nan.
        parent: The id of the journal of the sweep to which the run belongs; empty where it belongs to none.
        found: The numbers that were found for automatic settings of the optimizer, by their names.
    """

    name: str
    params: Mapping[str, str]
    param_names: Sequence[str]
    tags: Mapping[str, str]
    snapshots: int = 0
    lower_bound: float = math.nan
    parent: str = ""
    found: Mapping[str, float] = field(default_factory=dict)


@dataclass
class Tracker(Component):
    """The base class of trackers, which record runs.

    A tracker says in the header of a journal where the run is recorded. This base class records runs in their folders alone.
    """

    group: ClassVar[str] = "tracking"

    def check(self) -> None:
        """Check that runs can be recorded. Called before a run, and before the first job of a sweep.

        Raises:
            InputError: Where they cannot.
        """

    def header(self, about: RunInfo) -> Header:
        """The header of the journal of a new run.

        Args:
            about: What is recorded of the run before it starts.
        """
        return Header(
            id=uuid.uuid4().hex,
            name=about.name,
            params=about.params,
            tags=about.tags,
            param_names=about.param_names,
            planned=about.snapshots,
            lower_bound=about.lower_bound,
            parent=about.parent,
            found=about.found,
            started=now(),
            process=Process.current(),
            store=None,
            experiment="",
        )

    @property
    def resume_words(self) -> list[str]:
        """What must be typed for a run that goes on to be recorded in the same store."""
        return []

    def begin(self, folder: Path) -> None:
        """Have the journal that is or will be in a folder delivered while it grows."""

    def delivered(self, folders: Sequence[Path]) -> Delivered:
        """What a user is told of runs that have ended: where they are, or why they are not there yet.

        Args:
            folders: The folders of the runs.

        Raises:
            NotDeliveredError: They are not there, and the settings require it.
        """
        return Delivered()

    def records_model(self, *, in_sweep: bool) -> bool:
        """Whether the fit of a run is recorded as a model, too.

        Args:
            in_sweep: Whether the run is a job of a sweep.
        """
        return False

    @property
    def misses_model(self) -> bool:
        """Whether a user is warned where a run has no model."""
        return False

    def finished(self, fingerprints: Collection[str]) -> dict[str, FinishedRun]:
        """The latest finished run of each of these fingerprints that has one.

        Args:
            fingerprints: The fingerprints of experiments.

        Raises:
            InputError: The tracker records nothing, or its store cannot be read.
        """
        return finished_recorded(self.recorded(), fingerprints)

    def recorded(self) -> RecordedRuns:
        """The recorded runs.

        Raises:
            InputError: Where the tracker records none.
        """
        raise InputError(
            f"`{self.group}={self.choice}` records no runs that could be read: type `{self.group}=mlflow`."
        )


def final_metrics(result: Result, forecast: Forecast) -> dict[str, float]:
    """The metrics of a finished run, which are recorded with step 0, so that MLflow draws them as bars.

    No name of theirs may come before `loss/excess_at_most`, a curve (`undelivered.py`). They have four significant digits,
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
    return shown | {"optimizer/steps": float(result.steps)}


def derived_params(result: Result, forecast: Forecast) -> dict[str, str]:
    """The numbers that follow from the settings and the samples, which are recorded as params of MLflow beside the settings."""
    derived = (
        result.samples.total,
        result.samples.size,
        result.samples.floor,
        result.samples.note or None,
        result.optimizer.learning_rate,
        forecast.limit,
        forecast.best_rate,
        getattr(result.optimizer, "momentum", None),
        forecast.slowest,
        float(forecast.eigenvalues[0]),
        forecast.condition,
    )
    return {name: str(value) for name, value in zip(DERIVED_PARAMS, derived, strict=True) if value is not None}
