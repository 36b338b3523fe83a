"""Writing to a SQLite store while the call of a given number fails: a statement, or what makes, opens or renames a file."""

import contextlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.recording import typical
from polyexp.tracking.entry import Entry, Status
from polyexp.tracking.sqlite_writer import SqliteWriter
from tests.helpers.databases import files, rows

SYSTEM_CALLS = ("mkdir", "open", "fchmod", "utime", "rename")


class Counted:
    """Calls of several functions, counted together; `fail` is called before the one of number `at`, from 1 on."""

    def __init__(self, at: int, fail: Callable[[], Any]) -> None:
        self.calls, self._at, self._fail = 0, at, fail

    def wrap(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **named: Any) -> Any:
            self.calls += 1
            if self.calls == self._at:
                self._fail()
            return call(*args, **named)

        return counted


class Connection:
    """A connection whose statements are counted."""

    def __init__(self, connection: Any, counted: Counted) -> None:
        self._connection = connection
        self.execute, self.executemany = counted.wrap(connection.execute), counted.wrap(connection.executemany)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def two_runs(folder: Path) -> list[Entry]:
    """A finished run with two files, and one that has just begun."""
    whole = typical(0, folder)
    running = {"dataset": None, "files": [], "status": Status.RUNNING, "ended": None}
    return [typical(0, folder, files=whole.files[:2]), typical(1, folder, **running)]


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[SqliteWriter]:
    """A writer, at one moment and with ids that are always the same."""
    numbers = count()
    with (
        patch("time.time", lambda: 1_800_000_000.0),
        patch("uuid.uuid4", lambda: uuid.UUID(int=next(numbers))),
        contextlib.closing(SqliteWriter.open(folder / "mlflow.db", folder / "artifacts")) as writer,
    ):
        yield writer


def write_with_fault(folder: Path, at: int, fail: Callable[[], Any]) -> int:
    """Write two runs to the store of a folder while call number `at` fails, and return how many calls were made."""
    entries, counted = two_runs(folder), Counted(at, fail)
    with writing(folder) as writer, contextlib.ExitStack() as stack:
        writer._connection = Connection(writer._connection, counted)
        for name in SYSTEM_CALLS:
            stack.enter_context(patch.object(os, name, counted.wrap(getattr(os, name))))
        writer.write(entries)
    return counted.calls


def write(folder: Path) -> str:
    """Write the two runs without a fault, and return what the store then holds, but for the name of its folder."""
    with writing(folder) as writer:
        writer.write(two_runs(folder))
    content = rows(folder / "mlflow.db"), {name: one[0] for name, one in files(folder / "artifacts").items()}
    return repr(content).replace(str(folder), "store")


def copied_store(source: Path, folder: Path) -> Path:
    """A folder with a copy of a store that nobody has open."""
    folder.mkdir(parents=True)
    shutil.copy(source, folder / "mlflow.db")
    return folder
