"""The store that runs are to be recorded in: what can be told of it before a run, and how it is made and opened for writing.

A run is checked within 3 seconds and without importing MLflow. MLflow creates the tables of an empty database without a lock:
of eight processes that start together, seven crash, and the database can remain incomplete. Therefore a SQLite store is created
here, under a file lock, as a file of another name that is linked to its own name when it is complete.
"""

import contextlib
import logging
import os
import shlex
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from polyexp.tracking import answers, sqlite
from polyexp.tracking.address import (
    KEY,
    VARIABLE,
    address_in,
    identity_of,
    is_server,
    require_address,
    require_no_credentials,
    sqlite_path,
    sqlite_uri,
    without_credentials,
)
from polyexp.tracking.artifact_folder import location_of
from polyexp.tracking.entry import Writer
from polyexp.tracking.errors import deleted_experiment_error, opening_errors
from polyexp.tracking.login import shared_login

__all__ = ["Destination", "Pages", "import_mlflow", "make_store", "open_writer"]

CHECKOUT_FOLDER = Path(__file__).parents[2]  # has a Makefile where polyexp is not installed but checked out
WITHOUT_JOB_EXECUTION = "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false"  # the server is ready after 6 seconds instead of 19
LOCK_TIMEOUT_SECONDS = 120  # longer than other processes need to create a store one after another
CHECK_SECONDS = 1  # for which a check waits for a database that another process has locked


class Pages:
    """The addresses that are shown of a store at `uri`."""

    uri: str

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
        return [*(f"Open it with: `{command}`" for command in self.serve), page]


@dataclass(frozen=True)
class Destination(Pages):
    """A store that runs are to be recorded in, which is not opened.

    Args:
        uri: The absolute address, which holds credentials at most where it comes from MLFLOW_TRACKING_URI.
        key: The setting or the variable that the address comes from.
    """

    uri: str = field(repr=False)
    key: str = KEY

    @classmethod
    def of(cls, uri: str | None, key: str = KEY) -> Self:
        """The store at an address.

        Args:
            uri: The address, also as it is shown where MLFLOW_TRACKING_URI holds the same one with credentials; None is the
                value of MLFLOW_TRACKING_URI, or where it is not set outputs/mlflow.db below the current folder.
            key: The setting that the address comes from, if it does not come from MLFLOW_TRACKING_URI.

        Raises:
            InputError: It is no address of a store, or it holds credentials and is not that of MLFLOW_TRACKING_URI.
        """
        variable = os.environ.get(VARIABLE)
        if variable and uri in (None, "", variable, without_credentials(variable.strip())):
            chosen, key = variable, VARIABLE
        else:
            require_no_credentials("" if uri is None else uri, key)
            chosen = uri or _default_uri()
        require_address(chosen, key)
        with opening_errors(chosen, key):
            path = sqlite_path(chosen)
        return cls(sqlite_uri(path) if path else chosen.strip(), key)

    @property
    def path(self) -> Path | None:
        """The path of a SQLite store; None for another one."""
        return sqlite_path(self.uri)

    @property
    def is_missing(self) -> bool:
        """Whether it is a SQLite file that is not there, as where its folder has been moved."""
        return self.path is not None and not self.path.exists()

    @property
    def artifact_root(self) -> str | None:
        """The location of the artifacts of new MLflow experiments; None leaves it to the server."""
        return location_of(_artifact_root(self.path)) if self.path else None

    @property
    def local_artifacts(self) -> Path:
        """The folder of the artifacts of a SQLite store."""
        assert self.path
        return _artifact_root(self.path)

    @property
    def sync(self) -> str:
        """The command that delivers later; it names a store that would be sent a login which is set for any of its kind."""
        is_named = self.key == VARIABLE or not shared_login(self.uri)
        return f"{'' if is_named else f'{VARIABLE}={shlex.quote(self.shown)} '}python -m polyexp action=sync"

    def identity(self) -> str | None:
        """What names the store, as `Writer.identity` does, without MLflow; None for a SQLite store that is not there.

        Raises:
            Exception: It cannot be told within about 3 seconds.
        """
        if path := self.path:
            return sqlite.identity(path, CHECK_SECONDS)
        return identity_of(self.shown, answers.oldest_experiment(self.uri))

    def ended_journals(self) -> set[str] | None:
        """The ids of the journals whose runs a SQLite store has, with their end; None for another store.

        Raises:
            Exception: It is not there, or cannot be read.
        """
        return sqlite.ended_journals(self.path, CHECK_SECONDS) if self.path else None

    def is_named_by(self, identity: str) -> bool:
        """Whether an identity is that of a store at this address, though perhaps of one that was there before."""
        return address_in(identity) == self.shown

    def check(self, experiment_name: str) -> None:
        """Check within about 3 seconds that runs can be recorded. MLflow is not imported, and nothing is made or changed.

        A SQLite store that another process has locked passes, as it can be free when there is something to write.

        Args:
            experiment_name: The name of the MLflow experiment.

        Raises:
            InputError: Where they cannot, or the MLflow experiment has been deleted.
        """
        with opening_errors(self.uri, self.key):
            path = self.path
            deleted = _deleted(path, experiment_name) if path else answers.deleted_experiment(self.uri, experiment_name)
        if deleted:
            raise deleted_experiment_error(experiment_name, deleted)


def _default_uri() -> str:
    """The value of MLFLOW_TRACKING_URI, or where it is not set the address of outputs/mlflow.db below the current folder."""
    return os.environ.get(VARIABLE) or sqlite_uri(Path.cwd() / "outputs" / "mlflow.db")


def make_store(destination: Destination) -> None:
    """Make a SQLite store where nothing is, and let it be read and written at the same time; several processes may.

    Args:
        destination: The store. Of one that is not SQLite nothing is made.

    Raises:
        Exception: It cannot be made, or something else is there.
    """
    if path := destination.path:
        from filelock import FileLock

        sqlite.exists(path)  # before anything is made
        lock, root = _lock(path), _artifact_root(path)
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(lock, timeout=LOCK_TIMEOUT_SECONDS):
            if not sqlite.exists(path):
                import_mlflow()
                sqlite.make(path, root)
            sqlite.use_wal(path)


@contextlib.contextmanager
def open_writer(destination: Destination, *, make: bool = True) -> Iterator[Writer]:
    """A context with what writes to a store: MLflow, or for a SQLite store of a form that is known what does without it.

    Args:
        destination: The store.
        make: Whether a SQLite store is made where nothing is.

    Raises:
        Exception: It cannot be opened; `failures.describe` is the reason in a few words.
    """
    if make:
        make_store(destination)
    writer = _writer(destination)
    try:
        yield writer
    finally:
        writer.close()


def _writer(destination: Destination) -> Writer:
    from polyexp.tracking.client_writer import ClientWriter

    if path := destination.path:
        from polyexp.tracking.sqlite_writer import SqliteWriter, UnknownSchemaError

        with contextlib.suppress(UnknownSchemaError):
            return SqliteWriter.open(path, _artifact_root(path), lambda: ClientWriter(destination.uri))
    return ClientWriter(destination.uri)


def import_mlflow() -> Any:
    """MLflow, which reads these variables when it is imported. What the user has set is not changed."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    import mlflow

    for name in ("mlflow.store.db.utils", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return mlflow


def _deleted(path: Path, experiment_name: str) -> str | None:
    """The id of the MLflow experiment of a name if it has been deleted in a SQLite store, which can be written."""
    try:
        there = sqlite.exists(path, CHECK_SECONDS)
        _lock(path)
        sqlite.require_writable(path)
        _require_folder(_artifact_root(path))
        return sqlite.deleted_experiment(path, experiment_name, CHECK_SECONDS) if there else None
    except sqlite3.OperationalError as error:
        if sqlite.is_locked(error):
            return None
        raise


def _lock(path: Path) -> Path:
    """The file whose lock lets one process at a time make a store."""
    lock = Path(f"{path}.lock")
    if lock.is_symlink() or (lock.exists() and (not lock.is_file() or lock.stat().st_size)):
        raise FileExistsError(f"{lock} is not the lock of a store")
    return lock


def _artifact_root(path: Path) -> Path:
    return path.parent / "artifacts"


def _require_folder(root: Path) -> None:
    if os.path.lexists(root) and not root.is_dir():
        raise NotADirectoryError(f"{root} is not a folder")
