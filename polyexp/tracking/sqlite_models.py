"""The MLflow models of runs in a SQLite store, written without mlflow: the rows and files that its client writes.

The id of a model follows from that of the journal, so that writing it again finds the same one. A model that a person has
deleted stays so.
"""

import uuid
from pathlib import Path
from typing import NamedTuple

from polyexp.tracking import sqlite_tables as sql
from polyexp.tracking.artifact_folder import copy_files, local_folder, location_of_model
from polyexp.tracking.entry import JOURNAL_TAG, Entry, LoggedModel
from polyexp.tracking.logged_model import written_files
from polyexp.tracking.sqlite_connection import SqliteConnection

__all__ = ["ModelPlace", "copy_model", "write_model"]

MODEL_LEVELS = 3  # of folders between the location of an MLflow experiment and the files of a model
OF_RUN = f"""
    SELECT model.model_id FROM inputs
    JOIN logged_models AS model ON model.model_id = inputs.destination_id
    JOIN logged_model_tags AS tag ON tag.model_id = model.model_id AND tag.tag_key = '{JOURNAL_TAG}'
    WHERE inputs.source_type = 'RUN_OUTPUT' AND inputs.source_id = ? AND inputs.destination_type = 'MODEL_OUTPUT'
    ORDER BY model.lifecycle_stage, model.creation_timestamp_ms, model.model_id
"""
NEW_MODEL = """
    INSERT INTO logged_models (model_id, experiment_id, name, artifact_location, creation_timestamp_ms,
        last_updated_timestamp_ms, status, lifecycle_stage, source_run_id)
    VALUES (?, ?, ?, ?, ?, ?, 2, 'active', ?)
    ON CONFLICT (model_id) DO UPDATE SET
        last_updated_timestamp_ms = max(last_updated_timestamp_ms, excluded.last_updated_timestamp_ms)
"""  # 2: it is ready
NEW_OUTPUT = """
    INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id)
    VALUES (?, 'RUN_OUTPUT', ?, 'MODEL_OUTPUT', ?) ON CONFLICT DO NOTHING
"""
NEW_PARAM = """
    INSERT INTO logged_model_params (model_id, experiment_id, param_key, param_value) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
NEW_TAG = """
    INSERT INTO logged_model_tags (model_id, experiment_id, tag_key, tag_value) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
NEW_METRIC = """
    INSERT INTO logged_model_metrics (model_id, metric_name, metric_timestamp_ms, metric_step, metric_value, experiment_id,
        run_id)
    VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
FORGET_METRIC = """
    DELETE FROM logged_model_metrics
    WHERE model_id = ? AND metric_name = ? AND run_id = ? AND metric_step = ? AND metric_timestamp_ms < ?
"""  # of which MLflow's pages would show the first one
DELETE = """
    UPDATE logged_models SET lifecycle_stage = 'deleted', last_updated_timestamp_ms = ?
    WHERE model_id = ? AND lifecycle_stage = 'active'
"""


class ModelPlace(NamedTuple):
    """Where the model of a run is.

    Args:
        model_id: Its id.
        run_id: The id of the run.
        location: The location of its files.
    """

    model_id: str
    run_id: str
    location: str


def write_model(
    store: SqliteConnection, entry: Entry, model: LoggedModel, run_id: str, experiment_id: int, artifact_root: Path
) -> ModelPlace | None:
    """Write the rows of the model of a run, or delete an earlier model where its last result has none.

    Args:
        store: The store, in a transaction.
        entry: The entry of the run.
        model: The model.
        run_id: The id of the run in the store.
        experiment_id: The id of its MLflow experiment.
        artifact_root: The folder that stands for mlflow-artifacts:/.

    Returns:
        Where its files belong; None where it has none.

    Raises:
        UnknownLocationError: That is not in a folder of this machine.
    """
    model_id = store.value(OF_RUN, run_id) or f"m-{entry.id}"
    if model.export is None:
        store.execute(DELETE, model.time, model_id)
        return None
    root = store.value("SELECT artifact_location FROM experiments WHERE experiment_id = ?", experiment_id) or ""
    location = location_of_model(root, model_id)
    local_folder(location, artifact_root)
    about = (model_id, experiment_id)
    store.execute(NEW_MODEL, *about, model.name, location, model.time, model.time, run_id)
    many = store.connection.executemany
    many(NEW_PARAM, ((*about, name, text[: sql.MAX_PARAM]) for name, text in model.params.items()))
    store.execute(NEW_TAG, *about, JOURNAL_TAG, entry.id)
    many(FORGET_METRIC, ((model_id, name, run_id, step, at) for name, _, step, at in model.metrics))
    many(
        NEW_METRIC,
        ((model_id, name, at, step, value, experiment_id, run_id) for name, value, step, at in model.metrics),
    )
    store.execute(NEW_OUTPUT, uuid.uuid4().hex, run_id, model_id)
    return ModelPlace(model_id, run_id, location)


def copy_model(model: LoggedModel, place: ModelPlace, artifact_root: Path) -> None:
    """Copy the files of a model to its place, in that of an earlier one where the run was resumed.

    Args:
        model: The model, which has a polynomial.
        place: Where it is.
        artifact_root: The folder that stands for mlflow-artifacts:/.

    Raises:
        OSError: A file cannot be written, or a symbolic link is in the place of a folder.
    """
    with written_files(model, place.model_id, place.run_id, place.location) as files:
        copy_files(local_folder(place.location, artifact_root), files, MODEL_LEVELS)
