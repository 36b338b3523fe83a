"""The connection to a SQLite store that is written: one file, a schema that is known, and whole transactions."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from polyexp.tracking.address import identity_of, sqlite_uri
from polyexp.tracking.sqlite import OLDEST
from polyexp.tracking.sqlite_tables import require_schema

__all__ = ["BUSY_SECONDS", "SqliteConnection"]

BUSY_SECONDS = 20.0  # as long as MLflow itself waits for a locked database


class SqliteConnection:
    """An open SQLite store; `SqliteConnection.open` opens one.

    Args:
        path: The file of the store.
        connection: The connection to it, without transactions of its own (`isolation_level=None`).
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path, self.connection = path, connection
        self._file = _file(path)
        self._schema_version = -1
        self._require_schema()
        self._require_same_file()

    @classmethod
    def open(cls, path: Path, busy_seconds: float = BUSY_SECONDS) -> Self:
        """The store at a path, which must exist.

        Args:
            path: The absolute path of the file.
            busy_seconds: How long a database that is locked is waited for, in seconds.

        Raises:
            UnknownSchemaError: Its revision or its columns are not those that are listed in `sqlite_tables`.
            OSError, sqlite3.Error: It cannot be opened.
        """
        connection = sqlite3.connect(f"{path.as_uri()}?mode=rw", busy_seconds, isolation_level=None, uri=True)
        try:
            connection.execute("PRAGMA foreign_keys=ON")
            return cls(path, connection)
        except BaseException:
            connection.close()
            raise

    @property
    def identity(self) -> str:
        """The address of the store, the number of its file, and the time at which its oldest MLflow experiment was made."""
        return identity_of(sqlite_uri(self.path), self._file[1], self.value(OLDEST))

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction, begun with the lock of the writer, which is rolled back where anything fails."""
        try:
            self.execute("BEGIN IMMEDIATE")
            self._require_same_file()
            self._require_schema()
            yield
            self.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:  # which SQLite ends itself where the disk is full
                with contextlib.suppress(sqlite3.Error):
                    self.execute("ROLLBACK")
            raise
        self._require_same_file()

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part of a transaction, which is rolled back alone where it fails."""
        self.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            if self.connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    self.execute("ROLLBACK TO part")
                    self.execute("RELEASE part")
            raise
        self.execute("RELEASE part")

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        """Execute a statement with values."""
        return self.connection.execute(statement, values)

    def rows(self, statement: str, *values: Any) -> list[Any]:
        """The rows of a query."""
        return self.execute(statement, *values).fetchall()

    def value(self, statement: str, *values: Any) -> Any:
        """The first column of the first row of a query; None where there is none."""
        row = self.execute(statement, *values).fetchone()
        return row[0] if row else None

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def _require_same_file(self) -> None:
        if _file(self.path) != self._file:
            raise FileNotFoundError(f"{self.path} is not the file any more that was opened")

    def _require_schema(self) -> None:
        """Require the tables that are listed. Another process may have upgraded them since the last transaction."""
        version = self.value("PRAGMA schema_version")
        if version != self._schema_version:
            require_schema(self.connection)
            self._schema_version = version


def _file(path: Path) -> tuple[int, int]:
    """The device and the number of a file, by which it differs from one that has taken its name."""
    status = os.stat(path)
    return status.st_dev, status.st_ino
