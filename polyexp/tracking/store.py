"""Opening an MLflow store, also from many processes at once, with one sentence as the error where it cannot be opened.

MLflow creates the tables of an empty database without a lock: of eight processes that start together, seven crash, and the
database can remain incomplete. Therefore a SQLite store is created here, under a file lock, as a file of another name that is
renamed when it is complete.
"""

import contextlib
import logging
import os
import re
import shlex
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from polyexp.base import InputError

__all__ = ["Store", "default_uri", "open_store", "without_password"]

CHECKOUT_FOLDER = Path(__file__).parents[2]  # has a Makefile where polyexp is not installed but checked out
WITHOUT_JOB_EXECUTION = "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false"  # the server is ready after 6 seconds instead of 19
LOCK_TIMEOUT_SECONDS = 120  # longer than other processes need to create a store one after another
HEALTH_TIMEOUT_SECONDS = 3  # after which a server that does not answer is reported


@dataclass(frozen=True)
class Store:
    """An open MLflow store.

    Args:
        uri: The absolute address of the store.
        client: The MLflow client of the store.
        artifact_root: The folder for the artifacts of new MLflow experiments; None leaves it to the server.
    """

    uri: str
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
    def ui(self) -> str:
        """The address of the pages of MLflow: that of the server, or the one at which `serve` serves a local store."""
        return _address(self.uri) if self._is_served else "http://127.0.0.1:5000"

    @property
    def serve(self) -> list[str]:
        """The command that serves the pages of MLflow; none where a server does already."""
        if self._is_served:
            return []
        own = (
            self.uri == sqlite_uri(CHECKOUT_FOLDER / "outputs" / "mlflow.db")
            and (CHECKOUT_FOLDER / "Makefile").exists()
        )
        shown = shlex.quote(without_password(self.uri))
        return (
            ["make ui"] if own else [f"{WITHOUT_JOB_EXECUTION} mlflow server --workers 1 --backend-store-uri {shown}"]
        )

    def pages(self, experiment_id: str, run_id: str) -> list[str]:
        """Lines with the command that serves the pages of MLflow, and the address of the page of a run."""
        page = f"{self.ui}/#/experiments/{experiment_id}/runs/{run_id}?workflowType=machine_learning"
        return [*(f"Open it with: {command}" for command in self.serve), page]

    @property
    def _is_served(self) -> bool:
        return self.uri.startswith(("http://", "https://"))


def sqlite_uri(path: Path) -> str:
    """The address of a SQLite file, with the reserved characters of its path quoted."""
    return "sqlite:///" + str(path).replace("%", "%25").replace("?", "%3F")


def without_password(uri: str) -> str:
    """The text with `***` for each password in an address, as in `postgresql://user:***@host/name`."""
    return re.sub(r"(://[^/@:\s]*):[^/@\s]*@", r"\1:***@", uri)


def _address(uri: str) -> str:
    """The address of a server without user and password, which /health does not need and urllib does not accept."""
    return re.sub(r"//[^/@]*@", "//", uri.rstrip("/"))


def default_uri() -> str:
    """The value of MLFLOW_TRACKING_URI, or where it is not set the address of outputs/mlflow.db below the current folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or sqlite_uri(Path.cwd() / "outputs" / "mlflow.db")


@cache
def open_store(uri: str) -> Store:
    """Open the store at `uri`, and create a SQLite store that does not exist. It remains open for the rest of the process.

    Raises:
        InputError: Where the store cannot be opened or created.
    """
    # MLflow reads these variables when it is imported. What the user has set is not changed.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    with _opening_errors(uri):
        from mlflow import MlflowClient
        from mlflow.store.db.db_types import DATABASE_ENGINES

        for name in ("mlflow.store.db.utils", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        if uri.startswith("sqlite:"):
            return _open_sqlite(uri)
        if uri.startswith(("http://", "https://")):
            urllib.request.urlopen(f"{_address(uri)}/health", timeout=HEALTH_TIMEOUT_SECONDS).close()
        elif uri.partition(":")[0].partition("+")[0] in DATABASE_ENGINES:
            _connect(uri)
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
        return Store(uri, client, None)


def _open_sqlite(uri: str) -> Store:
    from filelock import FileLock
    from mlflow import MlflowClient
    from sqlalchemy import make_url

    name = make_url(uri).database
    if name in (None, "", ":memory:"):
        raise ValueError("a SQLite store needs a file: sqlite:///path/to/mlflow.db")
    path = Path(name).absolute()
    if path.is_file() and path.stat().st_size and not _is_sqlite(path):
        raise ValueError("file is not a database")
    root = str(path.parent / "artifacts")
    Path(root).mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock", timeout=LOCK_TIMEOUT_SECONDS):
        if not path.exists() or not path.stat().st_size:
            _make_sqlite(path, root)
        _use_wal(path)
        address = sqlite_uri(path)
        _connect(address)
        client = MlflowClient(address)
        client.search_experiments(max_results=1)
    return Store(address, client, root)


def _connect(uri: str) -> None:
    """Raise at once where there is no database; MLflow would try for 100 seconds, and log ten messages."""
    from sqlalchemy import create_engine, inspect

    engine = create_engine(uri)
    try:
        inspect(engine)
    finally:
        engine.dispose()


def _is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"


def _use_wal(path: Path) -> None:
    """Turn on write-ahead logging, which lets readers and a writer work at the same time; the file stores the setting."""
    with contextlib.closing(sqlite3.connect(path, timeout=LOCK_TIMEOUT_SECONDS)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


def _make_sqlite(path: Path, artifact_root: str) -> None:
    """Create an empty SQLite store of the current schema."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    store = SqlAlchemyStore(sqlite_uri(unfinished), artifact_root)
    store.engine.dispose()
    os.replace(unfinished, path)


@contextlib.contextmanager
def _opening_errors(uri: str) -> Iterator[None]:
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
        reason = getattr(error, "orig", None) or getattr(error, "reason", None) or error
        text = f"{str(reason).strip() or type(error).__name__}\n".partition("\n")[0].partition(". ")[0]
        shown = without_password(uri)
        advice = "Type `tracking=none` to run without a record."
        if "out-of-date" in text:
            advice = f"Back it up and run `mlflow db upgrade {shown}`, or type `tracking=none`."
        raise InputError(
            f"`tracking.uri` must name a store that can be opened, got {shown!r} ({text}). {advice}"
        ) from error
