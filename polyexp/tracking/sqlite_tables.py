"""The tables of MLflow in a SQLite store, as far as a run needs them, and the statements that write its rows."""

import sqlite3

from polyexp.tracking.entry import FOLDER_TAG, JOURNAL_TAG

__all__ = [
    "MAX_EXPERIMENT_TAG",
    "MAX_PARAM",
    "MAX_TAG",
    "NEW_DATASET",
    "NEW_EXPERIMENT",
    "NEW_INPUT",
    "NEW_INPUT_TAG",
    "NEW_METRIC",
    "NEW_PARAM",
    "NEW_RUN",
    "REFUSALS",
    "RUN",
    "RUNNING",
    "RUNS_OF_JOURNALS",
    "SET_EXPERIMENT_TAG",
    "SET_LATEST",
    "SET_STATUS",
    "SET_TAG",
    "WORKSPACE",
    "UnknownSchemaError",
    "require_schema",
]

REVISIONS = {"dc11669786a5"}  # of MLflow 3.17
# Every table that is read or written, with all of its columns in the revisions above.
COLUMNS = {
    table: frozenset(columns.split())
    for table, columns in {
        "alembic_version": "version_num",
        "experiments": "experiment_id name artifact_location lifecycle_stage creation_time last_update_time workspace",
        "experiment_tags": "key value experiment_id",
        "runs": "run_uuid name source_type source_name entry_point_name user_id status start_time end_time source_version "
        "lifecycle_stage artifact_uri experiment_id deleted_time",
        "params": "key value run_uuid",
        "tags": "key value run_uuid",
        "metrics": "key value timestamp run_uuid step is_nan",
        "latest_metrics": "key value timestamp step is_nan run_uuid",
        "datasets": "dataset_uuid experiment_id name digest dataset_source_type dataset_source dataset_schema dataset_profile",
        "inputs": "input_uuid source_type source_id destination_type destination_id step",
        "input_tags": "input_uuid name value",
        "logged_models": "model_id experiment_id name artifact_location creation_timestamp_ms last_updated_timestamp_ms status "
        "lifecycle_stage model_type source_run_id status_message",
        "logged_model_params": "model_id experiment_id param_key param_value",
        "logged_model_tags": "model_id experiment_id tag_key tag_value",
        "logged_model_metrics": "model_id metric_name metric_timestamp_ms metric_step metric_value experiment_id run_id "
        "dataset_uuid dataset_name dataset_digest",
    }.items()
}
ALL_COLUMNS = """
    SELECT one.name, info.name FROM sqlite_master AS one JOIN pragma_table_info(one.name) AS info WHERE one.type = 'table'
"""
# What a database or its driver says of the values of a run, which it does not take.
REFUSALS = (sqlite3.DataError, sqlite3.IntegrityError, sqlite3.InterfaceError, OverflowError, UnicodeError)
WORKSPACE = "default"  # the one of a store that has no others
# MLflow cuts longer values of params and tags, and refuses those of tags of MLflow experiments.
MAX_PARAM, MAX_TAG, MAX_EXPERIMENT_TAG = 6000, 8000, 20_000

NEW_EXPERIMENT = """
    INSERT INTO experiments (name, artifact_location, lifecycle_stage, creation_time, last_update_time, workspace)
    VALUES (?, ?, 'active', ?, ?, ?)
"""
NEW_RUN = """
    INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, source_version,
        lifecycle_stage, artifact_uri, experiment_id)
    VALUES (?, ?, 'UNKNOWN', '', '', ?, 'RUNNING', ?, '', 'active', ?, ?)
"""
NEW_PARAM = "INSERT INTO params (run_uuid, key, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
SET_TAG = """
    INSERT INTO tags (run_uuid, key, value) VALUES (?, ?, ?)
    ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value
"""
NEW_METRIC = """
    INSERT INTO metrics (run_uuid, key, value, step, timestamp, is_nan) VALUES (?, ?, ?, ?, ?, 0) ON CONFLICT DO NOTHING
"""
SET_LATEST = """
    INSERT INTO latest_metrics (run_uuid, key, value, step, timestamp, is_nan) VALUES (?, ?, ?, ?, ?, 0)
    ON CONFLICT (key, run_uuid) DO UPDATE SET
        value = excluded.value, step = excluded.step, timestamp = excluded.timestamp, is_nan = excluded.is_nan
    WHERE (excluded.step, excluded.timestamp, excluded.value) > (step, timestamp, value)
"""
RUN = f"""
    SELECT experiment_id, artifact_uri FROM runs JOIN tags ON tags.run_uuid = runs.run_uuid AND tags.key = '{JOURNAL_TAG}'
    WHERE runs.run_uuid = ? AND tags.value = ?
"""
RUNS_OF_JOURNALS = f"SELECT value, run_uuid FROM tags WHERE key = '{JOURNAL_TAG}' AND value IN ({{}})"
RUNNING = f"""
    SELECT folder.value FROM runs
    JOIN tags AS journal ON journal.run_uuid = runs.run_uuid AND journal.key = '{JOURNAL_TAG}'
    JOIN tags AS folder ON folder.run_uuid = runs.run_uuid AND folder.key = '{FOLDER_TAG}'
    WHERE runs.status = 'RUNNING' AND runs.lifecycle_stage = 'active'
"""
# Of a run that goes on after it was interrupted, too, which then has no end any more.
SET_STATUS = "UPDATE runs SET status = ?, end_time = ? WHERE run_uuid = ?"
NEW_DATASET = """
    INSERT INTO datasets (dataset_uuid, experiment_id, name, digest, dataset_source_type, dataset_source, dataset_schema,
        dataset_profile)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
NEW_INPUT = """
    INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id) VALUES (?, 'DATASET', ?, 'RUN', ?)
"""
NEW_INPUT_TAG = "INSERT INTO input_tags (input_uuid, name, value) VALUES (?, 'mlflow.data.context', 'training')"
SET_EXPERIMENT_TAG = """
    INSERT INTO experiment_tags (experiment_id, key, value) VALUES (?, ?, ?)
    ON CONFLICT (key, experiment_id) DO UPDATE SET value = excluded.value
"""


class UnknownSchemaError(Exception):
    """A database of a revision, or with columns, that only MLflow's own client can write."""


def require_schema(connection: sqlite3.Connection) -> None:
    """Require that a database is of one of the revisions that are listed here, and has the columns of these.

    A column that is not listed is refused whatever it is: what MLflow would write into it is not known.

    Args:
        connection: The connection to the database.

    Raises:
        UnknownSchemaError: It is of another revision, or has other columns.
    """
    found: dict[str, set[str]] = {}
    for table, column in connection.execute(ALL_COLUMNS):
        found.setdefault(table, set()).add(column)
    others = sorted(table for table, columns in COLUMNS.items() if found.get(table, set()) != columns)
    if others:
        raise UnknownSchemaError(f"it has other columns in {', '.join(others)}")
    revisions = {revision for (revision,) in connection.execute("SELECT version_num FROM alembic_version")}
    if len(revisions) != 1 or not revisions <= REVISIONS:
        raise UnknownSchemaError(f"its revision is {', '.join(map(str, revisions)) or 'missing'}")
