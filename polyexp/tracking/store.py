"""Opening an MLflow store: safe when many processes start at once, and an error in one sentence when it cannot be.

MLflow creates the tables of an empty database without a lock: of eight processes that start together, seven crash and
the database can stay half made. So a SQLite store is made here, under a file lock, beside its final name, and moved
there when it is whole.
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

CHECKOUT = Path(__file__).parents[2]
FAST_START = "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false"  # ready in 6 seconds, not 19
LOCK_SECONDS = 120
HEALTH_SECONDS = 3


@dataclass(frozen=True)
class Store:
    """An open store.

    uri: its absolute address. artifact_root: where the artifacts of new experiments go; None leaves that to the server.
    """

    uri: str
    client: Any
    artifact_root: str | None

    def experiment_id(self, name: str) -> str:
        """The id of the experiment of this name, created if need be."""
        return str(self.experiment(name).experiment_id)

    def experiment(self, name: str) -> Any:
        """The experiment of this name with its tags, created if need be; several processes may do so at once."""
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
        """The address of the pages: the server's own, or where `serve` shows a local store."""
        return _address(self.uri) if self._is_served else "http://127.0.0.1:5000"

    @property
    def serve(self) -> list[str]:
        """The command that serves the pages, unless a server does so already."""
        if self._is_served:
            return []
        own = self.uri == sqlite_uri(CHECKOUT / "outputs" / "mlflow.db") and (CHECKOUT / "Makefile").exists()
        shown = shlex.quote(without_password(self.uri))
        return ["make ui"] if own else [f"{FAST_START} mlflow server --workers 1 --backend-store-uri {shown}"]

    def pages(self, experiment_id: str, run_id: str) -> list[str]:
        """Lines that say how to open a run's page, and where it is."""
        page = f"{self.ui}/#/experiments/{experiment_id}/runs/{run_id}?workflowType=machine_learning"
        return [*(f"Open it with: {command}" for command in self.serve), page]

    @property
    def _is_served(self) -> bool:
        return self.uri.startswith(("http://", "https://"))


def sqlite_uri(path: Path) -> str:
    """The address of a SQLite file, whose path may hold what an address reserves."""
    return "sqlite:///" + str(path).replace("%", "%25").replace("?", "%3F")


def without_password(uri: str) -> str:
    """Text as it may be shown and recorded: addresses in it become `postgresql://user:***@host/name`."""
    return re.sub(r"(://[^/@:\s]*):[^/@\s]*@", r"\1:***@", uri)


def _address(uri: str) -> str:
    """A server's address without user and password: /health asks for none, and urllib takes none."""
    return re.sub(r"//[^/@]*@", "//", uri.rstrip("/"))


def default_uri() -> str:
    """MLFLOW_TRACKING_URI, or else a SQLite file below the current folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or sqlite_uri(Path.cwd() / "outputs" / "mlflow.db")


@cache
def open_store(uri: str) -> Store:
    """Open the store at `uri`, creating a SQLite one that does not exist.

    Raises InputError where that is impossible. Kept open for the rest of the process.
    """
    # Before the import, which reads them; whoever has set them otherwise keeps that.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    with _one_sentence(uri):
        from mlflow import MlflowClient
        from mlflow.store.db.db_types import DATABASE_ENGINES

        for noisy in ("mlflow.store.db.utils", "alembic"):
            logging.getLogger(noisy).setLevel(logging.WARNING)
        if uri.startswith("sqlite:"):
            return _open_sqlite(uri)
        if uri.startswith(("http://", "https://")):
            urllib.request.urlopen(f"{_address(uri)}/health", timeout=HEALTH_SECONDS).close()
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
    with FileLock(f"{path}.lock", timeout=LOCK_SECONDS):
        if not path.exists() or not path.stat().st_size:
            _make_sqlite(path, root)
        _use_wal(path)
        address = sqlite_uri(path)
        _connect(address)
        client = MlflowClient(address)
        client.search_experiments(max_results=1)
    return Store(address, client, root)


def _connect(uri: str) -> None:
    """Raise at once where there is no database; MLflow would try for 100 seconds, and say so ten times."""
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
    """Write-ahead logging, which lets readers and a writer work at the same time; the file remembers it."""
    with contextlib.closing(sqlite3.connect(path, timeout=LOCK_SECONDS)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


def _make_sqlite(path: Path, artifact_root: str) -> None:
    """A migrated, empty store."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    store = SqlAlchemyStore(sqlite_uri(unfinished), artifact_root)
    store.engine.dispose()
    os.replace(unfinished, path)


@contextlib.contextmanager
def _one_sentence(uri: str) -> Iterator[None]:
    """Whatever prevents opening the store, as an InputError."""
    try:
        yield
    except InputError:
        raise
    except ImportError as error:  # mlflow itself, or the driver of a database
        raise InputError(f"`tracking=mlflow` needs what cannot be imported ({error}): type `tracking=none`.") from error
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
