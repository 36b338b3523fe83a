"""The writer for every store that MLflow itself must write: servers, and databases other than SQLite of a known revision.

A run is known by its tag `polyexp.journal`. MLflow cannot create a run under a given name only once, so a run is searched
before it is created, after a creation that may have succeeded, and after one that has: of several runs with the same tag
every process keeps the same one and deletes the others, by an order that does not change once a run is there. The one that was
created in the latest further attempt comes first (what is still under way is older), then the one with the smallest id.
"""

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import cache
from itertools import count
from typing import Any, TypeVar

from polyexp.base import InputError
from polyexp.tracking import sqlite
from polyexp.tracking.address import identity_of, is_server, sqlite_path, without_credentials
from polyexp.tracking.client_models import ClientModels
from polyexp.tracking.client_values import batches, dataset_input
from polyexp.tracking.entry import (
    FOLDER_TAG,
    JOURNAL_TAG,
    PARENT_TAG,
    Entry,
    LostRunError,
    MLflowExperiment,
    Status,
    Written,
)
from polyexp.tracking.failures import concerns_store, error_code, is_passing
from polyexp.tracking.retry import Retry
from polyexp.tracking.store import open_store, store_of

__all__ = ["ClientWriter"]

T = TypeVar("T")
MAX_FOUND = 50_000  # runs of one search, by MLflow's own limit

RETRIED = "polyexp.retried"  # the time of a creation after one that may have succeeded, in milliseconds since 1970
USER = "mlflow.user"  # from which MLflow takes the user of a new run; all other tags are written with the params
TIMEOUT = "MLFLOW_HTTP_REQUEST_TIMEOUT"
AT_A_TIME = 4  # runs that are written at the same time
BYTES_PER_SECOND = 1_000_000  # of a file; a larger one has more time


class ClientWriter:
    """A writer through MlflowClient; a server is not asked for anything before the first call.

    It limits the time of MLflow's own HTTP requests for the whole process, and leaves no repetition to MLflow.

    Args:
        uri: The address of the store, which may hold credentials. A SQLite store is created where nothing is.
        retry: How often and how long each call is tried.

    Raises:
        InputError: A database cannot be opened.
    """

    def __init__(self, uri: str, retry: Retry = Retry()) -> None:  # noqa: B008 - it is frozen
        _limit_requests(retry.attempt)
        self._store = store_of(uri) if is_server(uri) else open_store(uri)
        self._client = self._store.client
        self._retry = retry
        self._call = retry.call
        self._models = ClientModels(self._client, retry)
        # The MLflow experiment by the id of a journal whose run may come to be twice.
        self._doubtful: dict[str, str] = {}
        # The ids of runs that are parents, by the ids of their journals.
        self._found_parents: dict[str, str] = {}

    @property
    def identity(self) -> str:
        """The address, and the time at which the oldest MLflow experiment was made; of a SQLite store that of `sqlite`."""
        from mlflow.entities import ViewType

        if path := sqlite_path(self._store.uri):
            return str(sqlite.identity(path))
        found = self._call(
            self._client.search_experiments,
            ViewType.ALL,
            max_results=1,
            order_by=["creation_time ASC", "experiment_id ASC"],
        )
        created = found[0].creation_time if found else None
        return identity_of(without_credentials(self._store.uri), created)

    def write(self, entries: Sequence[Entry]) -> list[Written | Exception]:
        """Write entries, up to four at a time, and return for each where it is, or why it could not be written.

        Where four in a row find a store that does not answer, the rest is not tried.

        Args:
            entries: The entries, each of another run.
        """
        failures: list[Exception] = []  # since the last success
        experiment_id = cache(lambda name, root: self.experiment(name, root).id)
        parents = self._parents(entries, experiment_id)

        def write(entry: Entry) -> Written | Exception:
            if len(failures) >= AT_A_TIME:
                return failures[-1]
            try:
                written = self._write(_with_parent(entry, parents), experiment_id)
            except Exception as error:
                if concerns_store(error):
                    failures.append(error)
                return error
            failures.clear()
            return written

        with ThreadPoolExecutor(AT_A_TIME) as pool:
            return list(pool.map(write, entries))

    def experiment(self, name: str, artifact_root: str | None) -> MLflowExperiment:
        """The MLflow experiment of this name, which is created if need be.

        Args:
            name: Its name.
            artifact_root: The folder for the artifacts of a new one; None leaves it to the server.

        Raises:
            InputError: It has been deleted.
        """
        found = self._call(replace(self._store, artifact_root=artifact_root).experiment, name)
        return MLflowExperiment(str(found.experiment_id), dict(found.tags))

    def set_experiment_tag(self, experiment_id: str, name: str, value: str | None) -> None:
        """Set a tag of an MLflow experiment, or delete it where the value is None; a tag that is not there is deleted."""
        if value is not None:
            self._call(self._client.set_experiment_tag, experiment_id, name, value)
        else:
            self._unless_missing(self._client.delete_experiment_tag, experiment_id, name)

    def running(self) -> list[str]:
        """The folders of the runs with a journal that have not ended as far as the store knows, from their tags."""
        experiments = [one.experiment_id for one in self._call(self._client.search_experiments)]
        found = self._call(self._client.search_runs, experiments, f"status = 'RUNNING' AND tags.`{JOURNAL_TAG}` != ''")
        return [run.data.tags[FOLDER_TAG] for run in found if FOLDER_TAG in run.data.tags]

    def close(self) -> None:
        """Delete the runs that have come to be twice since they were written, as far as the store answers."""
        with suppress(Exception):
            for journal, experiment_id in self._doubtful.items():
                with suppress(InputError):
                    self._only_run(experiment_id, journal)

    def _parents(self, entries: Sequence[Entry], experiment_id: Callable[[str, str | None], str]) -> dict[str, str]:
        """The ids of the runs that are parents, by the ids of their journals; one that is among the entries is created."""
        by_id, new = {one.id: one for one in entries}, {one.parent: one for one in entries if one.parent}
        for parent in new.keys() - self._found_parents.keys():
            one = by_id.get(parent, new[parent])
            with suppress(Exception):  # which the entry raises again
                where = experiment_id(one.experiment, one.artifact_root)
                found = self._place(one, experiment_id).run_id if one.id == parent else self._only_run(where, parent)
                if found:
                    self._found_parents[parent] = found
        return self._found_parents

    def _write(self, entry: Entry, experiment_id: Callable[[str, str | None], str]) -> Written:
        written = self._place(entry, experiment_id)
        if entry.is_parent and written.run_id != entry.id:
            self._adopt(entry.id, written)
        self._log(written.run_id, entry)
        if entry.model:
            self._models.write(entry, entry.model, *written)
        if entry.ended is not None:
            self._call(self._client.set_terminated, written.run_id, str(entry.status), entry.ended)
        return written

    def _adopt(self, journal: str, parent: Written) -> None:
        """Have the runs that name a parent by the id of its journal, as they were written before it, name it by its own id."""
        from mlflow.entities import ViewType

        children = f"tags.`{PARENT_TAG}` = '{journal}'"
        for run in self._call(self._client.search_runs, [parent.experiment_id], children, ViewType.ALL, MAX_FOUND):
            self._call(self._client.set_tag, run.info.run_id, PARENT_TAG, parent.run_id)

    def _place(self, entry: Entry, experiment_id: Callable[[str, str | None], str]) -> Written:
        """Where the run of an entry is, which is created where the entry does not name one."""
        if entry.run_id is None:
            where = experiment_id(entry.experiment, entry.artifact_root)
            found = self._only_run(where, entry.id)
            if found and entry.resumed and entry.ended is None:
                self._call(self._client.update_run, found, str(Status.RUNNING))
            return Written(found or self._created(where, entry), where)
        if run := self._unless_missing(self._client.get_run, entry.run_id):
            where = str(run.info.experiment_id)
            if self._only_run(where, entry.id) == entry.run_id:
                return Written(entry.run_id, where)
        raise LostRunError(f"the run {entry.run_id} is not in the store any more")

    def _only_run(self, experiment_id: str, journal: str) -> str | None:
        """The id of the run of a journal, after all others of the same journal were deleted; None where there is none."""
        from mlflow.entities import ViewType

        runs = self._call(
            self._client.search_runs, [experiment_id], f"tags.`{JOURNAL_TAG}` = '{journal}'", ViewType.ALL
        )
        kept, *others = sorted((run for run in runs if run.info.lifecycle_stage == "active"), key=_rank) or [None]
        for other in others:
            self._call(self._client.delete_run, other.info.run_id)
        if runs and not kept:
            run = runs[0].info
            raise InputError(
                f"The run {run.run_name!r} was deleted in MLflow and is not written again: to have it back, "
                f"type `mlflow runs restore --run-id {run.run_id}`."
            )
        return str(kept.info.run_id) if kept else None

    def _created(self, experiment_id: str, entry: Entry) -> str:
        """The id of the run of an entry, which is created, and looked for before each further attempt."""
        for number in count(1):
            result = self._create(experiment_id, entry)
            if isinstance(result, str):  # a search in a copy of the database may not find it yet
                return self._only_run(experiment_id, entry.id) or result
            self._doubtful[entry.id] = experiment_id
            time.sleep(self._retry.pause_after(number))
            if run_id := self._only_run(experiment_id, entry.id):
                return run_id
            if number >= self._retry.tries:
                raise result
        raise AssertionError("the loop has no end")

    def _create(self, experiment_id: str, entry: Entry) -> str | Exception:
        """The id of a new run, or an error after which there may be one."""
        tags = {name: entry.tags[name] for name in (USER,) if name in entry.tags} | {JOURNAL_TAG: entry.id}
        if entry.id in self._doubtful:
            tags[RETRIED] = str(time.time_ns() // 1_000_000)
        try:
            run = self._retry.once(self._client.create_run, experiment_id, entry.started, tags, entry.name)
        except Exception as error:
            if is_passing(error):
                return error
            raise
        return str(run.info.run_id)

    def _log(self, run_id: str, entry: Entry) -> None:
        for metrics, params, tags in batches(entry):
            self._call(self._client.log_batch, run_id, metrics, params, tags)
        if entry.dataset:
            self._call(self._client.log_inputs, run_id, [dataset_input(entry.dataset)])
        for file in entry.files:
            seconds = self._retry.total + file.path.stat().st_size / BYTES_PER_SECOND
            call = replace(self._retry, total=seconds).call
            call(self._client.log_artifact, run_id, str(file.path), file.folder or None)

    def _unless_missing(self, function: Callable[..., T], *args: Any) -> T | None:
        """What a call returns; None where the store does not know what it is about."""
        try:
            return self._call(function, *args)
        except Exception as error:
            if error_code(error) != "RESOURCE_DOES_NOT_EXIST":
                raise
        return None


def _with_parent(entry: Entry, parents: Mapping[str, str]) -> Entry:
    """The entry with the tag that names its parent, by the id of its journal as long as that is not there."""
    if not entry.parent:
        return entry
    return replace(entry, tags={**entry.tags, PARENT_TAG: parents.get(entry.parent, entry.parent)})


def _rank(run: Any) -> tuple[int, str]:
    """The place of a run among those of the same journal, which never changes; the first one is kept."""
    retried = run.data.tags.get(RETRIED, "")
    return (-int(retried) if retried.isdecimal() else 0, run.info.run_id)


def _limit_requests(seconds: int) -> None:
    """Limit MLflow's HTTP requests, and keep it from repeating one by itself, which would create a run twice."""
    os.environ[TIMEOUT] = str(min(seconds, _own_limit()))
    os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"


@cache
def _own_limit() -> float:
    """The limit that the user has set, in seconds, which is asked for once, before it is changed."""
    own = os.environ.get(TIMEOUT, "")
    return int(own) if own.isdecimal() else math.inf
