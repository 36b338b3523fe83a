"""The tracker that records runs in MLflow, in as few calls as possible.

A run needs three calls beside those for its dataset and artifacts (create, one batch, terminate), whatever its number of
snapshots. A run that takes longer is written every few seconds, so that its curves can be watched.
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
from polyexp.fitting import Result, Snapshot
from polyexp.report import description
from polyexp.tracking.address import require_address, require_no_credentials
from polyexp.tracking.recorded import RecordedRuns
from polyexp.tracking.store import Store, default_uri, open_recorded, open_store
from polyexp.tracking.tracker import Record, RunInfo, Tracker, derived_params, final_metrics, snapshot_metrics
from polyexp.tracking.view import ALL_RUNS, arrange, of_sweep

__all__ = ["MLflow"]

FLUSH_SECONDS = 5.0  # between two writes of a run; each of them delays the fit
MAX_NAME_CHARACTERS = 250  # of an MLflow experiment: each database of MLflow can hold as many


@dataclass
class MLflow(Tracker, name="mlflow"):
    """A tracker that records runs in an MLflow store.

    Args:
        uri: The address of the store; None means MLFLOW_TRACKING_URI, or where that is not set the SQLite file
            outputs/mlflow.db below the current folder. It holds no password.
        experiment_name: The name of the MLflow experiment, of 1 to 250 characters; it is created if need be.
    """

    uri: str | None = None
    experiment_name: str = "polyexp"

    def __post_init__(self) -> None:
        if self.uri is not None:
            require_no_credentials(self.uri)
            require_address(self.uri)
        name = self.experiment_name
        require(
            bool(name.strip()) and len(name) <= MAX_NAME_CHARACTERS,
            self.key("experiment_name"),
            f"a name of 1 to {MAX_NAME_CHARACTERS} characters",
            name,
        )

    def check(self) -> None:
        """Open the store and find or create the MLflow experiment.

        Raises:
            InputError: Where the store cannot be opened, or the MLflow experiment has been deleted.
        """
        self._open().experiment_id(self.experiment_name)

    def record(self, about: RunInfo) -> Record:
        """A record in the MLflow experiment."""
        store = self._open()
        return MLflowRecord(store, store.experiment(self.experiment_name), about)

    def finish_sweep(self, sweep: str, varying: Sequence[str]) -> list[str]:
        """Save a view of the runs of a sweep, and return lines with the link to it."""
        with contextlib.suppress(Exception):  # the jobs have already reported what is wrong with the store
            store = self._open()
            experiment = store.experiment(self.experiment_name)
            return arrange(store.client, store.ui, experiment, of_sweep(sweep, varying))
        return []

    def recorded(self) -> RecordedRuns:
        """The runs of the MLflow experiment."""
        return RecordedRuns(open_recorded(self.uri or default_uri()), self.experiment_name)

    def _open(self) -> Store:
        return open_store(self.uri or default_uri())


class MLflowRecord(Record):
    """A record in MLflow, whose MLflow run is created only when there is something to write.

    Args:
        store: The open store.
        experiment: The MLflow experiment.
        about: What is recorded of the run before it starts.
    """

    def __init__(self, store: Store, experiment: Any, about: RunInfo) -> None:
        self._store = store
        self._client = store.client
        self._experiment = experiment
        self._experiment_id = str(experiment.experiment_id)
        self._about = about
        self._pages: list[str] = []
        self._run_id: str | None = None
        # Not yet written are these params and tags, and the points from number `_written` on.
        self._params = dict(about.params)
        self._tags: dict[str, str] = {}
        self._points: list[tuple[str, float, int]] = []
        self._written = 0
        self._started = int(time.time() * 1000)
        self._flushed = time.monotonic()

    def snapshot(self, snapshot: Snapshot) -> None:
        """Collect the metrics of a snapshot, and write all of them if the last write was more than 5 seconds ago."""
        self._add(snapshot_metrics(snapshot, self._about), snapshot.step)
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self._flush()

    def finish(self, result: Result, forecast: Forecast, files: Sequence[Path]) -> None:
        """Write what is known only at the end, the dataset and the files, and save the view of all runs."""
        self._add(final_metrics(result, forecast), 0)
        self._params |= {name: str(value) for name, value in derived_params(result, forecast).items()}
        self._tags |= {"polyexp.outcome": result.outcome.name, "mlflow.note.content": description(result, forecast)}
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
                self._run_id = self._run_id or self._created_when_interrupted()
            with contextlib.suppress(Exception):
                self._flush()
            with contextlib.suppress(Exception):
                self._client.set_terminated(self._run_id, "FAILED" if issubclass(kind, Exception) else "KILLED")

    def where(self) -> list[str]:
        """Lines with the store, the command that serves its pages, the page of the run and the page of all runs."""
        recorded = f"Recorded in {self._store.shown} as {self._about.name} ({self._run_id})"
        return [recorded, *self._store.pages(self._experiment_id, str(self._run_id)), *self._pages]

    def _add(self, metrics: dict[str, float], step: int) -> None:
        self._points += [(name, value, step) for name, value in metrics.items()]

    def _flush(self) -> str:
        """Write what is new in one batch, and return the id of the MLflow run."""
        from mlflow.entities import Metric, Param, RunTag

        self._run_id = self._run_id or self._create()
        self._client.log_batch(
            self._run_id,
            # A timestamp follows from the position, so that MLflow drops a point that an interrupted batch has written.
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

    def _created_when_interrupted(self) -> str | None:
        """The id of the MLflow run that an interrupted `create_run` has created anyway; None where there is none."""
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
    """The samples as an input of the MLflow run, which records their name, size and digest, but not their values."""
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.numpy_dataset import from_numpy
    from mlflow.entities import DatasetInput, InputTag

    samples = result.samples
    source = CodeDatasetSource({"mlflow.source.name": "polyexp", "mlflow.source.type": "LOCAL"})
    name = f"{samples.name}_{samples.total}"
    dataset = from_numpy(samples.x, targets=samples.y, source=source, name=name)
    return DatasetInput(dataset._to_mlflow_entity(), [InputTag("mlflow.data.context", "training")])
