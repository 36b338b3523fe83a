"""The file of a SQLite store: examined before MLflow is imported, and made only where nothing is.

A file is opened only for reading until it is known to be a database of MLflow of the revision that the installed MLflow uses.
MLflow itself would make its tables in any database, and bring those of an older MLflow up to date.
"""

import contextlib
import os
import re
import sqlite3
import stat
from collections.abc import Collection
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from polyexp.tracking.address import sqlite_uri

__all__ = ["OtherRevisionError", "exists", "latest_revision", "make", "require_tables", "use_wal"]

BUSY_SECONDS = 120  # for which a database that another process has locked is waited for
MAGIC = b"SQLite format 3\0"  # the first bytes of every SQLite database
VERSION_TABLE = "alembic_version"  # holds the revision of a database that MLflow has made
# Of every MLflow database.
TABLES = {"experiments", "runs", "params", "metrics", "latest_metrics", "tags", VERSION_TABLE}
KINDS = {
    stat.S_ISDIR: "a folder",
    stat.S_ISBLK: "a device",
    stat.S_ISCHR: "a device",
    stat.S_ISFIFO: "a named pipe",
    stat.S_ISSOCK: "a socket",
}


class OtherRevisionError(ValueError):
    """A database of an older or a newer MLflow."""


def exists(path: Path) -> bool:
    """Whether there is a SQLite store at a path; False where nothing is, so that one can be made.

    Args:
        path: The path of the file, which is only read, and only where it is a regular file.

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
    with path.open("rb") as file:
        head = file.read(100)
    if not head:
        raise ValueError("it is an empty file; a store is made only where no file is")
    if not head.startswith(MAGIC):
        raise ValueError("file is not a database")
    tables, revisions = _content(path, in_wal_mode=head[18:19] == b"\2")
    require_tables(tables, revisions)
    return True


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
        raise OtherRevisionError(f"its revision is {revision}, that of the installed MLflow {latest_revision()}")


@cache
def latest_revision() -> str:
    """The revision of the databases that the installed MLflow makes, read from its migrations, without importing it.

    Raises:
        ModuleNotFoundError: MLflow is not installed.
    """
    spec = find_spec("mlflow")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'mlflow'")
    (folder,) = spec.submodule_search_locations
    texts = [file.read_text("utf-8") for file in Path(folder, "store/db_migrations/versions").glob("*.py")]
    found = {name: {one for text in texts for one in _assigned(name, text)} for name in ("revision", "down_revision")}
    (latest,) = found["revision"] - found["down_revision"]
    return latest


def _assigned(name: str, text: str) -> list[str]:
    return re.findall(rf"""^{name}(?:: \w+)? = ["'](\w+)["']""", text, re.MULTILINE)


def _content(path: Path, *, in_wal_mode: bool) -> tuple[set[str], list[str]]:
    """The tables of a database and the content of alembic_version, with nothing written and no file left behind.

    A reader of a database in WAL mode makes files beside it where no other process has made them; immutable=1 prevents that,
    and misses nothing where they do not exist.
    """
    alone = in_wal_mode and not Path(f"{path}-wal").exists()
    options = "mode=ro&immutable=1" if alone else "mode=ro"
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?{options}", timeout=BUSY_SECONDS, uri=True)) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        rows = database.execute(f"SELECT * FROM {VERSION_TABLE}").fetchall() if VERSION_TABLE in tables else []
    return tables, [str(row[0]) for row in rows]


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
        SqlAlchemyStore(sqlite_uri(unfinished), str(artifact_root)).engine.dispose()
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
