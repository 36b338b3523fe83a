"""The file of a SQLite store: examined before MLflow is imported, and made only where nothing is.

A file is opened only for reading until it is known to be a database of MLflow of the revision that the installed MLflow uses.
MLflow itself would make its tables in any database, and bring those of an older MLflow up to date.
"""

import contextlib
import os
import re
import sqlite3
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from polyexp.base import open_regular
from polyexp.tracking.address import for_mlflow, identity_of, sqlite_uri
from polyexp.tracking.artifact_folder import location_of
from polyexp.tracking.entry import JOURNAL_TAG

__all__ = [
    "NewerRevisionError",
    "OtherRevisionError",
    "deleted_among",
    "deleted_experiment",
    "ended_journals",
    "exists",
    "identity",
    "is_locked",
    "latest_revision",
    "make",
    "reading",
    "require_tables",
    "require_writable",
    "revision",
    "use_wal",
]

BUSY_SECONDS = 120  # for which a database that another process has locked is waited for
MAGIC = b"SQLite format 3\0"  # the first bytes of every SQLite database
VERSION_TABLE = "alembic_version"  # holds the revision of a database that MLflow has made
# Of every MLflow database.
TABLES = {"experiments", "runs", "params", "metrics", "latest_metrics", "tags", VERSION_TABLE}
EXPERIMENT = "SELECT * FROM experiments WHERE name = :name"
ENDED = f"""
    SELECT tags.value FROM runs JOIN tags ON tags.run_uuid = runs.run_uuid AND tags.key = '{JOURNAL_TAG}'
    WHERE runs.status != 'RUNNING'
"""
OLDEST = "SELECT min(creation_time) FROM experiments"
KINDS = {
    stat.S_ISDIR: "a folder",
    stat.S_ISBLK: "a device",
    stat.S_ISCHR: "a device",
    stat.S_ISFIFO: "a named pipe",
    stat.S_ISSOCK: "a socket",
}


class OtherRevisionError(ValueError):
    """A database of an older or a newer MLflow."""


class NewerRevisionError(OtherRevisionError):
    """A database whose revision the installed MLflow does not know."""


def exists(path: Path, seconds: float = BUSY_SECONDS) -> bool:
    """Whether there is a SQLite store at a path; False where nothing is, so that one can be made.

    Args:
        path: The path of the file, which is only read, and only where it is a regular file.
        seconds: For which a database that another process has locked is waited for.

    Raises:
        ValueError: Where something else is there; OtherRevisionError for a database of another MLflow.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return False
    for is_kind, name in KINDS.items():
        if is_kind(mode):
            raise ValueError(f"it is {name}")
    head = _head(path)
    if not head:
        raise ValueError("it is an empty file; a store is made only where no file is")
    if not head.startswith(MAGIC):
        raise ValueError("file is not a database")
    with reading(path, seconds) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        rows = database.execute(f"SELECT * FROM {VERSION_TABLE}").fetchall() if VERSION_TABLE in tables else []
    require_tables(tables, [str(row[0]) for row in rows])
    return True


def revision(path: Path, seconds: float) -> str:
    """The revision of a SQLite store.

    Args:
        path: The path of the file, which is only read.
        seconds: For which a database that another process has locked is waited for.

    Raises:
        sqlite3.Error: It is none.
    """
    with reading(path, seconds) as database:
        return str(database.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()[0])


def identity(path: Path, seconds: float = BUSY_SECONDS) -> str | None:
    """A text that names a SQLite store, another one where it has been made anew at the same path; None where there is none.

    It consists of the address, the number of the file, and the time at which its oldest MLflow experiment was made.

    Args:
        path: The path of the file, which is only read.
        seconds: For which a database that another process has locked is waited for.

    Raises:
        OSError, sqlite3.Error: It is no SQLite store, or it cannot be read.
    """
    try:
        number = os.stat(path).st_ino
    except FileNotFoundError:
        return None
    with reading(path, seconds) as database:
        return identity_of(sqlite_uri(path), number, database.execute(OLDEST).fetchone()[0])


def ended_journals(path: Path, seconds: float = BUSY_SECONDS) -> set[str]:
    """The ids of the journals whose runs a SQLite store has, with their end.

    Args:
        path: The path of the file, which is only read.
        seconds: For which a database that another process has locked is waited for.

    Raises:
        OSError, sqlite3.Error: It is no SQLite store, or it cannot be read.
    """
    with reading(path, seconds) as database:
        return {journal for (journal,) in database.execute(ENDED)}


def deleted_experiment(path: Path, name: str, seconds: float) -> str | None:
    """The id of the MLflow experiment of a name if it has been deleted; None where it has not, or is not there.

    Args:
        path: The path of a SQLite store, which is only read.
        name: The name of the MLflow experiment.
        seconds: For which a database that another process has locked is waited for.
    """
    with reading(path, seconds) as database:
        database.row_factory = sqlite3.Row
        return deleted_among(map(dict, database.execute(EXPERIMENT, {"name": name})))


def deleted_among(rows: Iterable[Mapping[str, Any]]) -> str | None:
    """The id of a deleted MLflow experiment, of those of one name in a database; None where none has been deleted.

    Args:
        rows: The rows of the table experiments. Those of another workspace are others.
    """
    own = (row for row in rows if row.get("workspace", "default") == "default")
    return next((str(row["experiment_id"]) for row in own if row["lifecycle_stage"] == "deleted"), None)


def is_locked(error: BaseException) -> bool:
    """Whether an error says that another process has locked the database."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the other bits tell more of the reason
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def require_writable(path: Path) -> None:
    """Require that a SQLite store can be written, or where nothing is that one can be made; nothing is tried.

    Args:
        path: The path of the file.

    Raises:
        OSError: It cannot.
        ModuleNotFoundError: MLflow, which makes a store, is not installed.
    """
    latest_revision()
    folder = next(folder for folder in path.parents if folder.exists())
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is not a folder")
    for place in (folder, path) if path.exists() else (folder,):
        if not os.access(place, os.W_OK | (os.X_OK if place == folder else 0)):
            raise PermissionError(f"{place} cannot be written")


def require_tables(tables: Collection[str], revisions: Collection[str]) -> None:
    """Require that a database which is not empty is one of MLflow, and of the revision of the MLflow that is installed.

    Args:
        tables: The names of its tables.
        revisions: The content of its table alembic_version.

    Raises:
        ValueError: It is of another program, or (OtherRevisionError) of another MLflow.
    """
    if not set(tables) >= TABLES or len(revisions) != 1:
        raise ValueError("it is a database of another program")
    (revision,) = revisions
    if revision != latest_revision():
        error = OtherRevisionError if revision in _revisions()["down_revision"] else NewerRevisionError
        raise error(f"its revision is {revision}, that of the installed MLflow {latest_revision()}")


def latest_revision() -> str:
    """The revision of the databases that the installed MLflow makes, read from its migrations, without importing it.

    Raises:
        ModuleNotFoundError: MLflow is not installed.
    """
    (latest,) = _revisions()["revision"] - _revisions()["down_revision"]
    return latest


@cache
def _revisions() -> dict[str, set[str]]:
    """The revisions that the migrations of the installed MLflow begin and end with."""
    spec = find_spec("mlflow")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'mlflow'")
    (folder,) = spec.submodule_search_locations
    texts = [file.read_text("utf-8") for file in Path(folder, "store/db_migrations/versions").glob("*.py")]
    return {name: {one for text in texts for one in _assigned(name, text)} for name in ("revision", "down_revision")}


def _assigned(name: str, text: str) -> list[str]:
    return re.findall(rf"""^{name}(?:: \w+)? = ["'](\w+)["']""", text, re.MULTILINE)


def _head(path: Path) -> bytes:
    with open_regular(path.resolve()) as file:
        return file.read(100)


@contextlib.contextmanager
def reading(path: Path, seconds: float = BUSY_SECONDS) -> Iterator[sqlite3.Connection]:
    """A connection that only reads, with nothing written and no file left behind.

    A reader of a database in WAL mode makes files beside it where no other process has made them; immutable=1 prevents that,
    and misses nothing where they do not exist.

    Args:
        path: The path of the file.
        seconds: For which a database that another process has locked is waited for.
    """
    alone = _head(path)[18:19] == b"\2" and not Path(f"{path}-wal").exists()
    options = "mode=ro&immutable=1" if alone else "mode=ro"
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?{options}", timeout=seconds, uri=True)) as database:
        yield database


def make(path: Path, artifact_root: Path) -> None:
    """Make an empty SQLite store where nothing is; the caller holds the lock of the path.

    It is made under another name, and gets its own only when it is complete.

    Args:
        path: The path of the file.
        artifact_root: The folder for the artifacts of its MLflow experiments.

    Raises:
        FileExistsError: Where something has come to be at the path.
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    with TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        unfinished = Path(folder, "new.db")
        SqlAlchemyStore(for_mlflow(sqlite_uri(unfinished)), location_of(artifact_root)).engine.dispose()
        try:
            os.link(unfinished, path)  # which, unlike a renaming, replaces nothing
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            if os.path.lexists(path):
                raise FileExistsError(f"File exists: '{path}'") from None
            unfinished.rename(path)


def use_wal(path: Path) -> None:
    """Turn on write-ahead logging, which lets readers and a writer work at the same time; the file stores the setting."""
    with contextlib.closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
