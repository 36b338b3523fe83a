"""Runs recorded in MLflow: computed first, then written in few calls.

A run costs three calls beside its dataset and artifacts (create, one batch, terminate), however many points it has.
A long run is written every few seconds, so that its curves can be watched.
"""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from polyexp.base import InputError, require
from polyexp.exact import Forecast
from polyexp.fitting import Look, Result
from polyexp.report import description
from polyexp.tracking.recorded import RecordedRuns
from polyexp.tracking.store import Store, default_uri, open_store, without_password
from polyexp.tracking.tracker import About, Record, Tracker, derived_params, final_metrics, look_metrics
from polyexp.tracking.view import ALL_RUNS, arrange, of_sweep

__all__ = ["MLflow"]

FLUSH_SECONDS = 5.0
MAX_NAME = 250  # what every database behind MLflow can hold


@dataclass
class MLflow(Tracker, name="mlflow"):
    """An MLflow store.

    uri: None means MLFLOW_TRACKING_URI, or else outputs/mlflow.db below the current folder.
    experiment_name: the MLflow experiment; created if need be.
    """

    uri: str | None = None
    experiment_name: str = "polyexp"

    def __post_init__(self) -> None:
        name = self.experiment_name
        require(
            bool(name.strip()) and len(name) <= MAX_NAME,
            self.key("experiment_name"),
            f"a name of 1 to {MAX_NAME} letters",
            name,
        )

    def check(self) -> None:
        """Open the store and find the experiment."""
        self._open().experiment_id(self.experiment_name)

    def record(self, about: About) -> Record:
        """A record in this store's experiment."""
        store = self._open()
        return MLflowRecord(store, store.experiment(self.experiment_name), about)

    def gather(self, sweep: str, varying: Sequence[str]) -> list[str]:
        """Arrange the pages for a sweep; the link to them."""
        with contextlib.suppress(Exception):  # whatever is wrong with the store, the jobs have said it
            store = self._open()
            experiment = store.experiment(self.experiment_name)
            return arrange(store.client, store.ui, experiment, of_sweep(sweep, varying))
        return []

    def recorded(self) -> RecordedRuns:
        """The runs of this store's experiment."""
        return RecordedRuns(self._open(), self.experiment_name)

    def _open(self) -> Store:
        return open_store(self.uri or default_uri())


class MLflowRecord(Record):
    """One MLflow run. It is created when there is something to write, not before."""

    def __init__(self, store: Store, experiment: Any, about: About) -> None:
        self._store = store
        self._client = store.client
        self._experiment = experiment
        self._experiment_id = str(experiment.experiment_id)
        self._about = about
        self._pages: list[str] = []
        self._run_id: str | None = None
        self._params = dict(about.params)  # not yet written, like the tags and the points from number `_written` on
        self._tags: dict[str, str] = {}
        self._points: list[tuple[str, float, int]] = []
        self._written = 0
        self._started = int(time.time() * 1000)
        self._flushed = time.monotonic()

    def look(self, look: Look) -> None:
        """Buffer the metrics; write them if the last time was seconds ago."""
        self._add(look_metrics(look, self._about.param_names), look.step)
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self._flush()

    def finish(self, result: Result, known: Forecast, files: Sequence[Path]) -> None:
        """Everything that is only known at the end."""
        self._add(final_metrics(result, known), 0)
        self._params |= {name: str(value) for name, value in derived_params(result, known).items()}
        self._tags |= {"polyexp.outcome": result.outcome.name, "mlflow.note.content": description(result, known)}
        run_id = self._flush()
        self._client.log_inputs(run_id, [_dataset(result)])
        for file in files:
            self._client.log_artifact(run_id, str(file))
        self._pages = arrange(self._client, self._store.ui, self._experiment, ALL_RUNS)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._client.set_terminated(self._run_id, "FINISHED")
        elif self._run_id or not isinstance(error, InputError):
            # A store that has just failed may fail here again; the first error is the one to report.
            with contextlib.suppress(Exception):
                self._run_id = self._run_id or self._half_created()
            with contextlib.suppress(Exception):
                self._flush()
            with contextlib.suppress(Exception):
                self._client.set_terminated(self._run_id, "FAILED" if issubclass(kind, Exception) else "KILLED")

    def where(self) -> list[str]:
        """The store, the command that opens it, the run's page, and the page on which runs stand side by side."""
        recorded = f"Recorded in {without_password(self._store.uri)} as {self._about.name} ({self._run_id})"
        return [recorded, *self._store.pages(self._experiment_id, str(self._run_id)), *self._pages]

    def _add(self, metrics: dict[str, float], step: int) -> None:
        self._points += [(name, value, step) for name, value in metrics.items()]

    def _flush(self) -> str:
        """Write what is new, in one batch, and return the run's id."""
        from mlflow.entities import Metric, Param, RunTag

        self._run_id = self._run_id or self._create()
        self._client.log_batch(
            self._run_id,
            # Timestamps follow from the position, so that a point written twice is dropped by MLflow, not doubled.
            metrics=[
                Metric(name, value, self._started + position, step)
                for position, (name, value, step) in enumerate(self._points[self._written :], self._written)
            ],
            params=[Param(name, value) for name, value in self._params.items()],
            tags=[RunTag(name, value) for name, value in self._tags.items()],
        )
        self._params, self._tags, self._written = {}, {}, len(self._points)
        self._flushed = time.monotonic()
        return self._run_id

    def _half_created(self) -> str | None:
        """The run that an interrupted `create_run` has made after all."""
        folder = self._about.tags["polyexp.output_folder"]
        found = self._client.search_runs([self._experiment_id], f"tags.`polyexp.output_folder` = '{folder}'")
        return str(found[0].info.run_id) if found else None

    def _create(self) -> str:
        from mlflow.tracking.context.registry import resolve_tags

        about = self._about
        tags = resolve_tags(dict(about.tags))
        run = self._client.create_run(self._experiment_id, start_time=self._started, tags=tags, run_name=about.name)
        return str(run.info.run_id)


def _dataset(result: Result) -> Any:
    """The samples as an MLflow dataset input: name, size and digest."""
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.numpy_dataset import from_numpy
    from mlflow.entities import DatasetInput, InputTag

    samples = result.samples
    source = CodeDatasetSource({"mlflow.source.name": "polyexp", "mlflow.source.type": "LOCAL"})
    name = f"{samples.name}_{samples.total}"
    dataset = from_numpy(samples.x, targets=samples.y, source=source, name=name)
    return DatasetInput(dataset._to_mlflow_entity(), [InputTag("mlflow.data.context", "training")])
