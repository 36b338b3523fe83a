"""What an MLflow store holds after a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyexp.tracking import KIND_SWEEP, KIND_TAG

if TYPE_CHECKING:  # MLflow takes seconds to import, and many tests do without
    from mlflow import MlflowClient
    from mlflow.entities import Run


def all_runs(client: MlflowClient, experiment: str = "polyexp") -> list[Run]:
    """Every run of an experiment but for sweeps, oldest first; none where there is no such experiment."""
    return [run for run in _runs(client, experiment) if run.data.tags.get(KIND_TAG) != KIND_SWEEP]


def sweeps(client: MlflowClient, experiment: str = "polyexp") -> list[Run]:
    """The run of every sweep of an experiment, oldest first."""
    return [run for run in _runs(client, experiment) if run.data.tags.get(KIND_TAG) == KIND_SWEEP]


def only_run(client: MlflowClient, experiment: str = "polyexp") -> Run:
    """The run of an experiment that has one."""
    (run,) = all_runs(client, experiment)
    return run


def _runs(client: MlflowClient, experiment: str) -> list[Run]:
    found = client.get_experiment_by_name(experiment)
    return client.search_runs([found.experiment_id], order_by=["attributes.start_time"]) if found else []


def history(client: MlflowClient, run: Run, metric: str) -> list[tuple[int, float]]:
    """The points of a metric as (step, value), in the order in which they were recorded."""
    points = client.get_metric_history(run.info.run_id, metric)
    return [(point.step, point.value) for point in sorted(points, key=lambda point: point.timestamp)]
