"""Writing to a SQLite store without mlflow: the same rows and files that MLflow's client writes, many runs a transaction.

Only a store of a revision and of tables that are listed here is written; for any other `UnknownSchemaError` is raised, and
MLflow's own client has to write it. The rows of a `write` are committed together, and then the files are copied. Whatever
fails or is interrupted in between, the same `write` again completes it, and nothing is there twice.
"""

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, Self

from polyexp.base import InputError
from polyexp.tracking import sqlite_tables as sql
from polyexp.tracking.artifact_folder import (
    UnknownLocationError,
    copy_files,
    local_folder,
    location_of,
    location_of_run,
)
from polyexp.tracking.entry import (
    PARENT_TAG,
    Dataset,
    Entry,
    LostRunError,
    MLflowExperiment,
    Writer,
    Written,
    latest,
)
from polyexp.tracking.errors import deleted_experiment_error
from polyexp.tracking.sqlite_connection import BUSY_SECONDS, SqliteConnection
from polyexp.tracking.sqlite_models import ModelPlace, copy_model, write_model
from polyexp.tracking.sqlite_tables import UnknownSchemaError

__all__ = ["SqliteWriter", "UnknownSchemaError"]

NAME_TAG, USER_TAG = "mlflow.runName", "mlflow.user"


class _Run(NamedTuple):
    id: str
    experiment_id: int
    location: str
    model: ModelPlace | None = None


class SqliteWriter(Writer):
    """A writer for an open SQLite store; `SqliteWriter.open` makes one.

    A param that is there already keeps its value, a tag gets the new one, and a run that has been deleted stays so, but is
    completed, so that it is whole when it is restored.

    Args:
        store: The open store.
        artifact_root: The folder for the artifacts of MLflow experiments that name none, and of mlflow-artifacts:/.
        otherwise: What makes the writer of runs whose artifacts are not in a folder of this machine; None where there is none.
    """

    def __init__(
        self, store: SqliteConnection, artifact_root: Path, otherwise: Callable[[], Writer] | None = None
    ) -> None:
        self._store, self._artifact_root, self._otherwise = store, artifact_root, otherwise

    @classmethod
    def open(
        cls,
        path: Path,
        artifact_root: Path,
        otherwise: Callable[[], Writer] | None = None,
        busy_seconds: float = BUSY_SECONDS,
    ) -> Self:
        """A writer for the store at a path, which must exist.

        Args:
            path: The absolute path of the file.
            artifact_root: The folder for the artifacts of MLflow experiments that name none, and of mlflow-artifacts:/.
            otherwise: What makes the writer of runs whose artifacts are not in a folder of this machine; None for none.
            busy_seconds: How long a database that is locked is waited for, in seconds.

        Raises:
            UnknownSchemaError: Its revision or its columns are not those that are listed in `sqlite_tables`.
            OSError, sqlite3.Error: It cannot be opened.
        """
        return cls(SqliteConnection.open(path, busy_seconds), artifact_root, otherwise)

    @property
    def identity(self) -> str:
        """The address of the store, the number of its file, and the time at which its oldest MLflow experiment was made."""
        return self._store.identity

    def write(self, entries: Sequence[Entry]) -> list[Written | Exception]:
        """Write the rows of entries, each of another run, in one transaction, and then copy their files.

        Beside the exceptions of every writer there is `UnknownLocationError`, where the artifacts of a run are not in a folder
        of this machine and there is no other writer; nothing of that run is written.

        Args:
            entries: The entries.

        Raises:
            UnknownSchemaError: The database has been upgraded since it was opened; nothing is written.
            OSError, sqlite3.Error: The store fails; nothing is written.
        """
        with self._store.transaction():
            found = self._found(entries)
            entries = self._with_parents(entries)
            runs = [self._row_written(entry, found.get(entry.id)) for entry in entries]
        return self._written_otherwise(
            entries, [self._files_written(entry, run) for entry, run in zip(entries, runs, strict=True)]
        )

    def experiment(self, name: str, artifact_root: str | None) -> MLflowExperiment:
        """The MLflow experiment of this name, which is created if need be.

        Raises:
            InputError: It has been deleted.
        """
        with self._store.transaction():
            experiment_id, _ = self._experiment(name, artifact_root)
            tags = self._store.rows("SELECT key, value FROM experiment_tags WHERE experiment_id = ?", experiment_id)
        return MLflowExperiment(str(experiment_id), dict(tags))

    def set_experiment_tag(self, experiment_id: str, name: str, value: str | None) -> None:
        """Set a tag of an MLflow experiment, or delete it where the value is None.

        Raises:
            ValueError: The value has more than 20 000 characters.
        """
        if value is not None and len(value) > sql.MAX_EXPERIMENT_TAG:
            raise ValueError(f"the tag {name!r} is longer than the {sql.MAX_EXPERIMENT_TAG} characters of MLflow")
        with self._store.transaction():
            if value is None:
                deleted = "DELETE FROM experiment_tags WHERE experiment_id = ? AND key = ?"
                self._store.execute(deleted, int(experiment_id), name)
            else:
                self._store.execute(sql.SET_EXPERIMENT_TAG, int(experiment_id), name, value)

    def running(self) -> list[str]:
        """The folders of the runs with a journal that have not ended as far as the store knows, from their tags."""
        return [folder for (folder,) in self._store.rows(sql.RUNNING)]

    def close(self) -> None:
        """Close the connection."""
        self._store.close()

    # Runs and MLflow experiments

    def _found(self, entries: Sequence[Entry]) -> dict[str, _Run]:
        """The runs that are in the store, by the ids of their journals, which are in their tags: also under another id."""
        found = {one.id: run for one in entries if (run := self._run(one.run_id or one.id, one.id))}
        new = [entry.id for entry in entries if entry.id not in found and not entry.run_id]
        places = ", ".join("?" * len(new))
        tagged = self._store.rows(sql.RUNS_OF_JOURNALS.format(places), *new)
        return found | {journal: run for journal, run_id in tagged if (run := self._run(run_id, journal))}

    def _with_parents(self, entries: Sequence[Entry]) -> list[Entry]:
        """The entries with the tags that name their parents, which have the ids of their journals unless they are there."""
        parents = list({one.parent for one in entries if one.parent})
        there = dict(self._store.rows(sql.RUNS_OF_JOURNALS.format(", ".join("?" * len(parents))), *parents))
        return [
            replace(one, tags={**one.tags, PARENT_TAG: there.get(one.parent, one.parent)}) if one.parent else one
            for one in entries
        ]

    def _row_written(self, entry: Entry, run: _Run | None) -> _Run | Exception:
        """The run of an entry, which is created where there is none, with all its rows; or why nothing of it is written."""
        if run is None and entry.run_id:
            return LostRunError(f"the run {entry.run_id} is not in {self._store.path}")
        try:
            with self._store.savepoint():
                run = run or self._new_run(entry, *self._experiment(entry.experiment, entry.artifact_root))
                local_folder(run.location, self._artifact_root)
                self._write_rows(entry, run)
                if entry.model:
                    about = (run.id, run.experiment_id, self._artifact_root)
                    run = run._replace(model=write_model(self._store, entry, entry.model, *about))
        except (InputError, UnknownLocationError, *sql.REFUSALS) as error:
            return error
        return run

    def _written_otherwise(
        self, entries: Sequence[Entry], written: list[Written | Exception]
    ) -> list[Written | Exception]:
        """What has been written, once the other writer has written what is left to it."""
        left = [k for k, one in enumerate(written) if isinstance(one, UnknownLocationError)]
        if left and self._otherwise:
            with contextlib.closing(self._otherwise()) as other:
                for k, one in zip(left, other.write([entries[k] for k in left]), strict=True):
                    written[k] = one
        return written

    def _files_written(self, entry: Entry, run: _Run | Exception) -> Written | Exception:
        """Where an entry is, once its files are copied; or why it is not complete."""
        if isinstance(run, Exception):
            return run
        try:
            copy_files(local_folder(run.location, self._artifact_root), entry.files)
            if entry.model and run.model:
                copy_model(entry.model, run.model, self._artifact_root)
        except (OSError, ValueError) as error:
            return error
        return Written(run.id, str(run.experiment_id))

    def _run(self, run_id: str, journal: str) -> _Run | None:
        rows = self._store.rows(sql.RUN, run_id, journal)
        return _Run(run_id, rows[0][0], rows[0][1] or "") if rows else None

    def _experiment(self, name: str, artifact_root: str | None) -> tuple[int, str]:
        """The id and the location of the artifacts of an MLflow experiment, which is created if need be."""
        what = "experiment_id, artifact_location, lifecycle_stage FROM experiments WHERE workspace = ? AND name = ?"
        for experiment_id, location, stage in self._store.rows(f"SELECT {what}", sql.WORKSPACE, name):
            if stage == "deleted":
                raise deleted_experiment_error(name, str(experiment_id))
            return experiment_id, location or ""
        now = int(time.time() * 1000)
        new = self._store.execute(sql.NEW_EXPERIMENT, name, artifact_root, now, now, sql.WORKSPACE).lastrowid
        location = artifact_root or location_of(self._artifact_root / str(new))
        self._store.execute("UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?", location, new)
        return int(new or 0), location

    def _new_run(self, entry: Entry, experiment_id: int, location: str) -> _Run:
        local_folder(location, self._artifact_root)
        if self._store.value("SELECT 1 FROM runs WHERE run_uuid = ?", entry.id):
            raise InputError(f"The run {entry.id} of {self._store.path} is not that of the journal with this id.")
        run = _Run(entry.id, experiment_id, location_of_run(location, entry.id))
        user = entry.tags.get(USER_TAG, "unknown")
        self._store.execute(sql.NEW_RUN, run.id, entry.name, user, entry.started, run.location, experiment_id)
        self._store.execute(sql.SET_TAG, run.id, NAME_TAG, entry.name)
        return run

    # What belongs to a run

    def _write_rows(self, entry: Entry, run: _Run) -> None:
        many = self._store.connection.executemany
        many(sql.NEW_PARAM, _texts(run.id, entry.params, sql.MAX_PARAM))
        many(sql.SET_TAG, _texts(run.id, entry.tags, sql.MAX_TAG))
        many(sql.NEW_METRIC, ((run.id, name, value, step, at) for name, value, step, at in entry.points))
        many(sql.SET_LATEST, ((run.id, name, value, step, at) for name, value, step, at in latest(entry.points)))
        if entry.dataset:
            self._add_dataset(run, entry.dataset)
        if entry.ended is not None or entry.resumed:
            self._store.execute(sql.SET_STATUS, entry.status.value, entry.ended, run.id)

    def _add_dataset(self, run: _Run, dataset: Dataset) -> None:
        same = (run.experiment_id, dataset.name, dataset.digest)
        which = "SELECT dataset_uuid FROM datasets WHERE experiment_id = ? AND name = ? AND digest = ?"
        dataset_id = self._store.value(which, *same)
        if dataset_id is None:
            dataset_id = uuid.uuid4().hex
            about = (dataset.source_type, dataset.source, dataset.schema, dataset.profile)
            self._store.execute(sql.NEW_DATASET, dataset_id, *same, *about)
        which = "source_type = 'DATASET' AND source_id = ? AND destination_type = 'RUN' AND destination_id = ?"
        if self._store.value(f"SELECT 1 FROM inputs WHERE {which}", dataset_id, run.id) is None:
            input_id = uuid.uuid4().hex
            self._store.execute(sql.NEW_INPUT, input_id, dataset_id, run.id)
            self._store.execute(sql.NEW_INPUT_TAG, input_id)


def _texts(run_id: str, texts: Mapping[str, str], limit: int) -> Iterator[tuple[str, str, str]]:
    return ((run_id, name, text[:limit]) for name, text in texts.items())
