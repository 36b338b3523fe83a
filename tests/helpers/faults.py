"""Writing to a SQLite store, and delivering journals to it, while the call of a given number fails: a statement, or what makes,
opens, writes or renames a file."""

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.recording import typical
from polyexp.base.files import READING
from polyexp.tracking.delivery import Delivery, deliver
from polyexp.tracking.entry import Entry, Status
from polyexp.tracking.sqlite_writer import SqliteWriter
from tests.helpers.databases import files, rows
from tests.helpers.models import some_model

SYSTEM_CALLS = ("mkdir", "open", "fchmod", "utime", "rename", "replace", "fsync")


class Counted:
    """Calls of several functions, counted together; `fail` is called before the one of number `at`, from 1 on."""

    def __init__(self, at: int, fail: Callable[[], Any]) -> None:
        self.calls, self._at, self._fail = 0, at, fail

    def wrap(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **named: Any) -> Any:
            self.calls += not _is_reading(args)
            if self.calls == self._at and not _is_reading(args):
                self._fail()
            return call(*args, **named)

        return counted


def _is_reading(args: tuple[Any, ...]) -> bool:
    """Whether the arguments of a call are those with which `open_regular` opens a file, which changes nothing."""
    return args[1:] == (READING,)


class Connection:
    """A connection whose statements are counted."""

    def __init__(self, connection: Any, counted: Counted) -> None:
        self._connection = connection
        self.execute, self.executemany = counted.wrap(connection.execute), counted.wrap(connection.executemany)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def two_runs(folder: Path) -> list[Entry]:
    """A finished run with two files and a model, and one that has just begun."""
    whole = typical(0, folder)
    running = {"dataset": None, "files": [], "status": Status.RUNNING, "ended": None}
    return [typical(0, folder, files=whole.files[:2], model=some_model()), typical(1, folder, **running)]


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
    entries = two_runs(folder)
    with writing_with_fault(folder, at, fail) as (writer, counted):
        for one in writer.write(entries):
            if isinstance(one, Exception):
                raise one
    return counted.calls


@contextlib.contextmanager
def writing_with_fault(folder: Path, at: int, fail: Callable[[], Any]) -> Iterator[tuple[SqliteWriter, Counted]]:
    """As `writing`, while call number `at` fails."""
    counted = Counted(at, fail)
    with writing(folder) as writer, contextlib.ExitStack() as stack:
        writer._store.connection = Connection(writer._store.connection, counted)
        stack.enter_context(patch.object(json, "dump", counted.wrap(json.dump)))  # which writes the note
        for name in SYSTEM_CALLS:
            stack.enter_context(patch.object(os, name, counted.wrap(getattr(os, name))))
        yield writer, counted


def write(folder: Path) -> str:
    """Write the two runs without a fault, and return what the store then holds, but for the name of its folder."""
    with writing(folder) as writer:
        writer.write(two_runs(folder))
    return _content(folder)


def _content(folder: Path) -> str:
    content = rows(folder / "mlflow.db"), {name: one[0] for name, one in files(folder / "artifacts").items()}
    return repr(content).replace(str(folder), "store")


def deliver_with_fault(folder: Path, at: int, fail: Callable[[], Any]) -> tuple[int, list[Any]]:
    """Deliver the journals of `folder/runs` to the store of a folder while call number `at` fails.

    How many calls were made, and the deliveries.
    """
    with writing_with_fault(folder, at, fail) as (writer, counted):
        done = deliver(dict.fromkeys((folder / "runs").iterdir()), writer, str(folder / "artifacts"))
    return counted.calls, list(done.values())


def delivered(folder: Path) -> str:
    """Deliver without a fault, and return what the store then holds, but for the name of its folder."""
    _, done = deliver_with_fault(folder, 0, lambda: None)
    assert all(isinstance(one, Delivery) for one in done), done
    return _content(folder)


def delivering_store(source: Path, runs: Path, folder: Path) -> Path:
    """A folder with a copy of a store, and copies of the folders of runs in `runs`."""
    shutil.copytree(runs, copied_store(source, folder) / "runs")
    return folder


def copied_store(source: Path, folder: Path) -> Path:
    """A folder with a copy of a store that nobody has open."""
    folder.mkdir(parents=True)
    shutil.copy(source, folder / "mlflow.db")
    return folder
