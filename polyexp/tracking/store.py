"""Opening an MLflow store with MLflow's client, with one sentence as the error where it cannot be opened."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from polyexp.base import InputError, shown
from polyexp.tracking import answers, sqlite
from polyexp.tracking.address import for_mlflow, is_server
from polyexp.tracking.destination import (
    Destination,
    Pages,
    import_mlflow,
    make_store,
)
from polyexp.tracking.errors import deleted_experiment_error, opening_errors
from polyexp.tracking.login import registered

__all__ = ["Store", "open_recorded", "open_store", "store_of", "unlogged"]

USUAL_EXPERIMENT = "Default"  # of every store


@dataclass(frozen=True)
class Store(Pages):
    """An open MLflow store.

    Args:
        uri: The absolute address of the store, of a server without user and password.
        client: The MLflow client of the store.
        artifact_root: The folder for the artifacts of new MLflow experiments; None leaves it to the server.
    """

    uri: str = field(repr=False)  # which may hold the password of a database
    client: Any
    artifact_root: str | None

    def experiment(self, name: str) -> Any:
        """The MLflow experiment of this name with its tags, which is created if need be.

        Several processes may create it at once.

        Raises:
            InputError: Where it has been deleted.
        """
        from mlflow.exceptions import MlflowException

        experiment = self.client.get_experiment_by_name(name)
        if experiment is None:
            try:
                self.client.create_experiment(name, artifact_location=self.artifact_root)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            experiment = self.client.get_experiment_by_name(name)
        if experiment.lifecycle_stage == "deleted":
            raise deleted_experiment_error(name, experiment.experiment_id)
        return experiment


def open_store(uri: str) -> Store:
    """Open the store at `uri`, and create a SQLite store where nothing is. It remains open for the rest of the process.

    Args:
        uri: The address, which holds credentials at most where it comes from MLFLOW_TRACKING_URI.

    Raises:
        InputError: Where the store cannot be opened or created.
    """
    return _opened(Destination.of(uri))


def open_recorded(destination: Destination) -> Store:
    """Open a store for reading what is recorded: where no SQLite store is, none is created.

    Args:
        destination: The store.

    Raises:
        InputError: Where there is no store, or it cannot be opened.
    """
    with opening_errors(destination.uri, destination.key):
        there = destination.path is None or sqlite.exists(destination.path)
    if not there:
        raise InputError(
            f"`{destination.key}` must name a store with recorded runs, got {shown(destination.shown)}, where nothing is "
            "recorded yet."
        )
    return _opened(destination)


@cache
def _opened(destination: Destination) -> Store:
    with opening_errors(destination.uri, destination.key):
        if destination.path:
            make_store(destination)
        else:
            answers.deleted_experiment(destination.uri, USUAL_EXPERIMENT)  # before MLflow would try for minutes
        store = store_of(destination.uri, destination.artifact_root)
        store.client.search_experiments(max_results=1)  # it has answered
        return store


@contextmanager
def unlogged() -> Iterator[None]:
    """A context in which MLflow does not log the errors of a database, which it also raises, with all of their SQL."""
    logger = logging.getLogger("mlflow.store.db.utils")

    def nothing(_: logging.LogRecord) -> bool:
        return False

    logger.addFilter(nothing)  # one for each context, since several threads may be in one
    try:
        yield
    finally:
        logger.removeFilter(nothing)


def store_of(uri: str, artifact_root: str | None = None) -> Store:
    """A store with MLflow's client, which has not been asked for anything.

    Args:
        uri: The absolute address, which may hold credentials; of a server, these are not in the address of the client.
        artifact_root: The folder for the artifacts of new MLflow experiments; None leaves it to the server.
    """
    mlflow = import_mlflow()
    address = registered(uri) if is_server(uri) else uri
    return Store(address, mlflow.MlflowClient(for_mlflow(address)), artifact_root)
