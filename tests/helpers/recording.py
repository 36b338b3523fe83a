"""Programs that record runs in processes of their own, with a recorder, and what their store holds meanwhile."""

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from polyexp.tracking.process import Process, _started

ROOT = Path(__file__).parents[2]
RUNNING = f"""
import os, sys, time
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from polyexp.tracking.journal import Journal
from polyexp.tracking.recording import recorder
from tests.helpers.journals import header, new_run, record, snapshot
top, uri = Path(sys.argv[1]), sys.argv[2]
def run(number=1, **changes):
    folder = top / str(number)
    folder.mkdir(parents=True, exist_ok=True)
    recorder(folder).add(folder)
    return Journal(folder, header(number, store=uri, **changes))
"""
GOES_ON = """
step = 0
with run(planned=0) as journal:
    print(recorder(journal.folder)._process.pid, flush=True)
    while True:
        step += 1
        journal.snapshot(snapshot(step))
        print(step, flush=True)
        time.sleep(0.02)
"""  # it prints the number of its recorder, and each step once that is in the journal
RECORDER = """
import sys
from polyexp.tracking.recorder import main
main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
"""


@contextlib.contextmanager
def recording(program: str, folder: Path, uri: str, *, own_session: bool = False) -> Iterator[subprocess.Popen[str]]:
    """A process that runs RUNNING and a program, whose runs are in `folder/runs`; it is killed at the end."""
    command = [sys.executable, "-c", RUNNING + program, str(folder / "runs"), uri]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, start_new_session=own_session) as process:
        try:
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def only_recorder(log: IO[bytes], giving_up: float) -> Iterator[subprocess.Popen[bytes]]:
    """A recorder of this process, which gives up after some seconds; it is killed at the end."""
    command = [sys.executable, "-c", RECORDER, str(os.getpid()), log.name, str(giving_up)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def waiting_process() -> Iterator[tuple[Process, subprocess.Popen[bytes]]]:
    """A process that ends when its input is closed."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        yield Process(child.pid, _started(child.pid) or "", Process.current().host), child


def runs_on(pid: int) -> bool:
    """Whether a process of this machine runs."""
    return _started(pid) is not None


def run_in(folder: Path) -> tuple[str | None, int]:
    """The status of the only run of the store in a folder, None where there is none yet, and the last step of its curve."""
    with contextlib.closing(sqlite3.connect(folder / "mlflow.db")) as database:
        rows = database.execute("SELECT run_uuid, status FROM runs").fetchall()
        if not rows:
            return None, 0
        ((run_id, status),) = rows
        what = "SELECT max(step) FROM metrics WHERE key = 'loss/train' AND run_uuid = ?"
        return status, database.execute(what, (run_id,)).fetchone()[0] or 0
