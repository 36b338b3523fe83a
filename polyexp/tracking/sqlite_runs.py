"""The runs in a SQLite store, read without MLflow."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from polyexp.tracking import sqlite
from polyexp.tracking.artifact_folder import UnknownLocationError, local_folder
from polyexp.tracking.entry import FOLDER_TAG, KIND_TAG
from polyexp.tracking.sqlite_tables import require_schema

__all__ = ["SqliteRun", "runs_in_sqlite"]

RUNS = """
    SELECT runs.run_uuid, runs.name, runs.status, runs.start_time, runs.end_time, runs.artifact_uri
    FROM runs JOIN experiments ON experiments.experiment_id = runs.experiment_id
    WHERE experiments.name = :experiment AND runs.lifecycle_stage = 'active' AND experiments.lifecycle_stage = 'active'
    AND NOT EXISTS (SELECT 1 FROM tags WHERE tags.run_uuid = runs.run_uuid AND tags.key = :kind)
    AND (:sweep IS NULL OR EXISTS (
        SELECT 1 FROM tags WHERE tags.run_uuid = runs.run_uuid AND tags.key = 'polyexp.sweep' AND tags.value = :sweep
    ))
    ORDER BY runs.start_time DESC, runs.run_uuid LIMIT :last
"""
OF_RUNS = "SELECT run_uuid, key, value FROM {table} WHERE run_uuid IN (SELECT value FROM json_each(?)){more}"


class SqliteRun(NamedTuple):
    """A run as it is in the tables.

    Args:
        id: Its id.
        name: Its name.
        status: Its status.
        started: The time of its start, in milliseconds since 1970; None where it is unknown.
        ended: The time of its end, likewise.
        params: Its params.
        metrics: The latest value of each metric.
        tags: Its tags.
        folder: The folder of its artifacts, or its own where they are not on this machine.
    """

    id: str
    name: str
    status: str
    started: int | None
    ended: int | None
    params: dict[str, str]
    metrics: dict[str, float]
    tags: dict[str, str]
    folder: Path


def runs_in_sqlite(
    path: Path, artifact_root: Path, experiment: str, sweep: str | None, last: int | None
) -> Iterator[SqliteRun]:
    """The fits in a SQLite store, the latest first.

    Args:
        path: The file of the store, which is only read.
        artifact_root: The folder that stands for mlflow-artifacts:/.
        experiment: The name of the MLflow experiment.
        sweep: The name of a sweep; None for all runs.
        last: The number of runs; None for all.

    Raises:
        UnknownSchemaError: Its tables are not of a form that is read here.
        OSError, sqlite3.Error: It cannot be read.
    """
    with sqlite.reading(path) as database:
        require_schema(database)
        asked = {"experiment": experiment, "kind": KIND_TAG, "sweep": sweep, "last": -1 if last is None else last}
        rows = database.execute(RUNS, asked).fetchall()
        ids = json.dumps([row[0] for row in rows])
        # A metric that is nan has the value 0.
        params, metrics, tags = (
            _by_run(database.execute(OF_RUNS.format(table=table, more=more), (ids,)))
            for table, more in (("params", ""), ("latest_metrics", " AND is_nan = 0"), ("tags", ""))
        )
    for run_id, name, status, started, ended, location in rows:
        own, numbers = tags[run_id], {key: float(value) for key, value in metrics[run_id].items()}
        folder = Path(own.get(FOLDER_TAG, ""))
        with suppress(UnknownLocationError):
            folder = local_folder(str(location), artifact_root)
        yield SqliteRun(run_id, name or "", status, started, ended, params[run_id], numbers, own, folder)


def _by_run(rows: Iterable[sqlite3.Row]) -> defaultdict[str, dict[str, str]]:
    found = defaultdict[str, dict[str, str]](dict)
    for run_id, key, value in rows:
        found[run_id][key] = value
    return found
