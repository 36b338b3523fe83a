"""Opening an MLflow store, also from many processes at once, with one sentence as the error where it cannot be opened.

MLflow creates the tables of an empty database without a lock: of eight processes that start together, seven crash, and the
database can remain incomplete. Therefore a SQLite store is created here, under a file lock, as a file of another name that is
linked to its own name when it is complete.
"""

import contextlib
import logging
import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from polyexp.base import InputError, shown
from polyexp.tracking import sqlite
from polyexp.tracking.address import (
    KEY,
    VARIABLE,
    hidden,
    is_server,
    require_address,
    sqlite_path,
    sqlite_uri,
    without_credentials,
)
from polyexp.tracking.answers import require_answer
from polyexp.tracking.login import registered

__all__ = ["Store", "default_uri", "open_recorded", "open_store"]

CHECKOUT_FOLDER = Path(__file__).parents[2]  # has a Makefile where polyexp is not installed but checked out
WITHOUT_JOB_EXECUTION = "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false"  # the server is ready after 6 seconds instead of 19
LOCK_TIMEOUT_SECONDS = 120  # longer than other processes need to create a store one after another


@dataclass(frozen=True)
class Store:
    """An open MLflow store.

    Args:
        uri: The absolute address of the store, of a server without user and password.
        client: The MLflow client of the store.
        artifact_root: The folder for the artifacts of new MLflow experiments; None leaves it to the server.
    """

    uri: str = field(repr=False)  # which may hold the password of a database
    client: Any
    artifact_root: str | None

    def experiment_id(self, name: str) -> str:
        """The id of the MLflow experiment of this name, which is created if need be."""
        return str(self.experiment(name).experiment_id)

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
            raise InputError(
                f"`tracking.experiment_name` must not name a deleted experiment, got {name!r}: "
                f"choose another name, or restore it with `mlflow experiments restore -x {experiment.experiment_id}`."
            )
        return experiment

    @property
    def shown(self) -> str:
        """The address without credentials."""
        return without_credentials(self.uri)

    @property
    def ui(self) -> str:
        """The address of the pages of MLflow: that of the server, or the one at which `serve` serves a local store."""
        return self.shown.rstrip("/") if is_server(self.uri) else "http://127.0.0.1:5000"

    @property
    def serve(self) -> list[str]:
        """The command that serves the pages of MLflow; none where a server does already."""
        if is_server(self.uri):
            return []
        own = sqlite_uri((CHECKOUT_FOLDER / "outputs" / "mlflow.db").resolve())
        if self.uri == own and (CHECKOUT_FOLDER / "Makefile").exists():
            return ["make ui"]
        address = shlex.quote(self.shown)
        return [f"{WITHOUT_JOB_EXECUTION} mlflow server --workers 1 --backend-store-uri {address}"]

    def pages(self, experiment_id: str, run_id: str) -> list[str]:
        """Lines with the command that serves the pages of MLflow, and the address of the page of a run."""
        page = f"{self.ui}/#/experiments/{experiment_id}/runs/{run_id}?workflowType=machine_learning"
        return [*(f"Open it with: {command}" for command in self.serve), page]


def default_uri() -> str:
    """The value of MLFLOW_TRACKING_URI, or where it is not set the address of outputs/mlflow.db below the current folder."""
    return os.environ.get(VARIABLE) or sqlite_uri(Path.cwd() / "outputs" / "mlflow.db")


def open_store(uri: str) -> Store:
    """Open the store at `uri`, and create a SQLite store where nothing is. It remains open for the rest of the process.

    Args:
        uri: The address, which holds credentials at most where it comes from MLFLOW_TRACKING_URI.

    Raises:
        InputError: Where the store cannot be opened or created.
    """
    key, path = _place(uri)
    return _opened(sqlite_uri(path) if path else uri.strip(), key)


def open_recorded(uri: str) -> Store:
    """Open the store at `uri` for reading what is recorded: where no SQLite store is, none is created.

    Args:
        uri: The address.

    Raises:
        InputError: Where there is no store, or it cannot be opened.
    """
    key, path = _place(uri)
    with _opening_errors(uri, key):
        there = path is None or sqlite.exists(path)
    if not there:
        raise InputError(
            f"`{key}` must name a store with recorded runs, got {shown(uri)}, where nothing is recorded yet."
        )
    return open_store(uri)


def _place(uri: str) -> tuple[str, Path | None]:
    """The setting or variable that an address comes from, and the path of a SQLite store, None for another one."""
    key = VARIABLE if uri == os.environ.get(VARIABLE) else KEY
    require_address(uri, key)
    with _opening_errors(uri, key):
        return key, sqlite_path(uri)


@cache
def _opened(uri: str, key: str) -> Store:
    with _opening_errors(uri, key):
        path = sqlite_path(uri)
        if path:
            return _open_sqlite(path)
        require_answer(uri)
        return _open_remote(uri)


def _import_mlflow() -> Any:
    """MLflow, which reads these variables when it is imported. What the user has set is not changed."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    import mlflow

    for name in ("mlflow.store.db.utils", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return mlflow


def _client(uri: str) -> Any:
    """An MLflow client whose store has answered."""
    client = _import_mlflow().MlflowClient(uri)
    client.search_experiments(max_results=1)
    return client


def _open_remote(uri: str) -> Store:
    _import_mlflow()
    address = registered(uri) if is_server(uri) else uri
    return Store(address, _client(address), None)


def _open_sqlite(path: Path) -> Store:
    from filelock import FileLock

    sqlite.exists(path)  # before anything is made
    root, lock = path.parent / "artifacts", Path(f"{path}.lock")
    if lock.is_symlink() or (lock.is_file() and lock.stat().st_size):
        raise FileExistsError(f"{lock} is not the lock of a store")
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(lock, timeout=LOCK_TIMEOUT_SECONDS):
        if not sqlite.exists(path):
            _import_mlflow()
            sqlite.make(path, root)
        sqlite.use_wal(path)
        client = _client(sqlite_uri(path))
    return Store(sqlite_uri(path), client, str(root))


@contextlib.contextmanager
def _opening_errors(uri: str, key: str) -> Iterator[None]:
    """A context in which every exception becomes an InputError about the address of the store."""
    try:
        yield
    except InputError:
        raise
    except ImportError as error:  # mlflow itself, or the driver of a database
        raise InputError(
            f"`tracking=mlflow` needs a package that cannot be imported ({error}): type `tracking=none`."
        ) from error
    except Exception as error:
        # What SQLAlchemy and urllib have caught themselves.
        causes = (getattr(error, name, None) for name in ("orig", "reason"))
        reason = next((one for one in causes if isinstance(one, Exception)), error)
        text = f"{str(reason).strip() or type(error).__name__}\n".partition("\n")[0].partition(". ")[0]
        address = without_credentials(uri)
        advice = "Type `tracking=none` to run without a record."
        if isinstance(error, sqlite.OtherRevisionError):
            advice = f"Back it up and run `mlflow db upgrade {shlex.quote(address)}`, or type `tracking=none`."
        raise InputError(
            f"`{key}` must name a store that can be opened, got {address!r} ({hidden(text, uri)}). {advice}"
        ) from (None if address != uri else error)
