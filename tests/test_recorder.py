"""The recorder of a process outlives it, delivers what it has recorded, and holds none of its streams."""

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from polyexp.tracking.delivery import Delivery, store_of
from polyexp.tracking.destination import Destination
from polyexp.tracking.journal import JOURNAL, Journal
from polyexp.tracking.note import NOTE
from polyexp.tracking.ownership import RECORDER_LOG
from polyexp.tracking.recording import InProcess, Separate, recorder
from polyexp.tracking.syncing import DeliveryState, found_in, synchronized
from tests.helpers.commands import loaded_by, run_python, wait_until
from tests.helpers.journals import header, new_run, snapshot, stored
from tests.helpers.recording import GOES_ON, RUNNING, only_recorder, recording, run_in, runs_on

ROOT = Path(__file__).parents[1]
SECONDS = 60  # for what takes a moment
KILLED_SECONDS = 15  # by when what a killed run has recorded is in the store


@pytest.fixture
def uri(tmp_path, new_store):
    return new_store(tmp_path / "mlflow.db")


@pytest.fixture
def started(tmp_path, uri):
    """Call it with a program: a process that runs it (`recording`), and is killed at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda program, **options: stack.enter_context(recording(program, tmp_path, uri, **options))


# What is delivered


def test_a_run_that_ends_is_delivered_and_the_recorder_ends(tmp_path, uri, started):
    process = started(
        """
with run() as journal:
    record(journal)
one = recorder(journal.folder)
print(one._process.pid, one.wait([journal.folder], 60), flush=True)
"""
    )
    pid, reason = process.stdout.readline().split()
    assert process.wait(SECONDS) == 0
    assert reason == "None"
    assert run_in(tmp_path) == ("FINISHED", 30)
    assert store_of(tmp_path / "runs" / "1")
    wait_until(lambda: not runs_on(int(pid)))
    assert sorted(path.name for path in (tmp_path / "runs" / "1").iterdir()) == [
        "delivery.json",
        "history.csv",
        "journal.jsonl",
        "result.json",
    ]


def test_a_run_that_goes_on_is_in_the_store_meanwhile(tmp_path, started):
    process = started(GOES_ON)
    process.stdout.readline()
    wait_until(lambda: run_in(tmp_path)[1] > 0)
    first = run_in(tmp_path)[1]
    wait_until(lambda: run_in(tmp_path)[1] > first)
    assert run_in(tmp_path)[0] == "RUNNING"
    assert process.poll() is None


def killed_at_some_moment(tmp_path, started, seed):
    """A run is killed; what it had recorded by then must be in the store soon."""
    process = started(GOES_ON)
    recorder_pid = int(process.stdout.readline())
    end, seen = time.monotonic() + random.Random(seed).uniform(0, 4), 0
    while time.monotonic() < end:
        seen = int(process.stdout.readline())
    process.kill()
    killed_at = time.monotonic()
    seen = max([seen, *(int(line) for line in process.stdout if line.endswith("\n"))])
    wait_until(lambda: run_in(tmp_path)[0] == "KILLED", KILLED_SECONDS - (time.monotonic() - killed_at))
    assert run_in(tmp_path)[1] >= seen
    wait_until(lambda: store_of(tmp_path / "runs" / "1"))  # the note comes after the store
    wait_until(lambda: not runs_on(recorder_pid))
    assert not (tmp_path / "runs" / "1" / RECORDER_LOG).exists()


@pytest.mark.slow
def test_a_run_that_is_killed_is_in_the_store_as_killed(tmp_path, started):
    killed_at_some_moment(tmp_path, started, 0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 9))
def test_a_run_that_is_killed_at_any_moment_is_in_the_store_as_killed(tmp_path, started, seed):
    killed_at_some_moment(tmp_path, started, seed)


def test_a_run_that_is_killed_before_its_journal_leaves_nothing(tmp_path, started):
    process = started(
        """
folder = top / "1"
folder.mkdir(parents=True)
one = recorder(folder)
one.add(folder)
print(one._process.pid, flush=True)
time.sleep(600)
"""
    )
    pid = int(process.stdout.readline())
    process.kill()
    wait_until(lambda: not runs_on(pid))
    assert list((tmp_path / "runs" / "1").iterdir()) == []
    assert run_in(tmp_path) == (None, 0)


def test_nothing_is_written_before_there_is_a_header(tmp_path, started):
    process = started(
        """
journal = run()
whole = (journal.folder / "journal.jsonl").read_bytes()
new = top / "2"
new.mkdir()
with (new / "journal.jsonl").open("wb", buffering=0) as file:
    recorder(new).add(new)
    print(file.write(whole[:50]), flush=True)
    sys.stdin.readline()
    file.write(whole[50:].replace(b"run 1", b"run 2").replace(journal.header.id.encode(), b"5" * 32))
print(recorder(new)._process.pid, flush=True)
sys.stdin.readline()
"""
    )
    process.stdout.readline()
    wait_until(lambda: run_in(tmp_path)[0] == "RUNNING")
    process.stdin.write("go on\n")
    process.stdin.flush()
    process.stdout.readline()
    wait_until(lambda: len(stored(tmp_path / "mlflow.db")["runs"]) == 2)
    assert not [path for path in (tmp_path / "runs").rglob(RECORDER_LOG) if path.stat().st_size]


def test_one_recorder_serves_all_runs_of_a_process(tmp_path, started):
    process = started(
        """
found = set()
for number in range(30):
    with run(number) as journal:
        record(journal)
    found.add(recorder(journal.folder)._process.pid)
print(*found, flush=True)
"""
    )
    (pid,) = map(int, process.stdout.readline().split())
    assert process.wait(SECONDS) == 0
    wait_until(lambda: not runs_on(pid))
    found = stored(tmp_path / "mlflow.db")
    assert sorted(row["name"] for row in found["runs"]) == sorted(f"run {number}" for number in range(30))
    assert {row["status"] for row in found["runs"]} == {"FINISHED"}
    assert all(map(store_of, (tmp_path / "runs").iterdir()))


def test_a_delivery_that_takes_long_does_not_end_it_while_its_process_goes_on(tmp_path, started):
    process = started(
        """
import contextlib, sqlite3
with contextlib.closing(sqlite3.connect(uri.removeprefix("sqlite:///"), isolation_level=None)) as database:
    database.execute("BEGIN IMMEDIATE")
    with run() as journal:
        record(journal)
    time.sleep(4)  # for the recorder, which waits for the lock
one = recorder(journal.folder)
print(one.wait([journal.folder], 60), flush=True)
time.sleep(1)
print(one.is_running, flush=True)
"""
    )
    assert [line.strip() for line in process.stdout] == ["None", "True"]


def test_a_folder_may_have_any_name(tmp_path, uri):
    names = ["line\nfeed", 'quo"te', "é", os.fsdecode(b"\xff")]
    one = Separate(tmp_path)
    folders = [new_run(tmp_path / name, number, store=uri) for number, name in enumerate(names)]
    try:
        assert one.wait(folders, SECONDS) is None
    finally:
        one.leave()
    assert len(stored(tmp_path / "mlflow.db")["runs"]) == len(names)


# Signals, streams and processes


@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP"])
def test_a_signal_to_the_group_of_the_run_does_not_reach_the_recorder(tmp_path, started, name):
    process = started(GOES_ON, own_session=True)
    pid = int(process.stdout.readline())
    process.stdout.readline()
    assert os.getpgid(pid) == os.getsid(pid) == pid
    os.killpg(process.pid, getattr(signal, name))
    process.wait(SECONDS)
    wait_until(lambda: run_in(tmp_path)[0] == "KILLED")
    wait_until(lambda: not runs_on(pid))


@pytest.mark.slow
def test_a_signal_to_the_recorder_itself_that_a_terminal_sends_is_ignored(tmp_path, started):
    process = started(GOES_ON)
    pid = int(process.stdout.readline())
    wait_until(lambda: run_in(tmp_path)[0])
    for number in (signal.SIGINT, signal.SIGHUP):
        os.kill(pid, number)
    process.kill()
    wait_until(lambda: run_in(tmp_path)[0] == "KILLED")


def test_a_pipe_behind_a_run_closes_when_the_run_ends(tmp_path, uri):
    """The recorder goes on: the store is locked."""
    program = """
with run() as journal:
    record(journal)
print(recorder(journal.folder)._process.pid, flush=True)
"""
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        done = run_python(RUNNING + program, tmp_path / "runs", uri, strict=False)
        assert (done.code, done.err) == (0, "")
        assert runs_on(int(done.out))
    wait_until(lambda: not runs_on(int(done.out)))
    assert run_in(tmp_path)[0] == "FINISHED"


@pytest.mark.slow
def test_a_forked_process_does_not_keep_the_recorder_alive(tmp_path, started):
    """It holds the pipe open that tells the recorder what to do."""
    process = started(
        """
with run() as journal:
    record(journal)
pid = recorder(journal.folder)._process.pid
child = os.fork()
if not child:
    os.close(1)
    time.sleep(600)
print(pid, child, flush=True)
os._exit(0)
"""
    )
    pid, child = map(int, process.stdout.readline().split())
    try:
        assert process.wait(SECONDS) == 0
        wait_until(lambda: not runs_on(pid))
        assert runs_on(child)
    finally:
        os.kill(child, signal.SIGKILL)
    assert run_in(tmp_path)[0] == "FINISHED"


def test_a_forked_process_has_a_recorder_of_its_own(tmp_path, started):
    process = started(
        """
mine = recorder(top.parent)._process.pid
child = os.fork()
if not child:
    with run() as journal:
        record(journal)
    print(recorder(journal.folder)._process.pid, flush=True)
    os._exit(0)
os.waitpid(child, 0)
print(mine, flush=True)
"""
    )
    child, mine = (int(process.stdout.readline()) for _ in range(2))
    assert child != mine
    process.wait(SECONDS)
    wait_until(lambda: run_in(tmp_path)[0] == "FINISHED")
    wait_until(lambda: not runs_on(child) and not runs_on(mine))


# Where it cannot deliver


@pytest.mark.slow
def test_it_gives_up_some_time_after_the_run(tmp_path, uri):
    """The store is not there, and is not made anew because it was there before."""
    folder, log = tmp_path / "run", tmp_path / RECORDER_LOG
    folder.mkdir()
    with Journal(folder, header(store=uri)), log.open("wb") as output, only_recorder(output, 5.0) as one:
        one.stdin.write(f'["{folder}", false]\n'.encode())
        one.stdin.flush()
        wait_until(lambda: run_in(tmp_path)[0] == "RUNNING")
        for path in tmp_path.glob("mlflow.db*"):
            path.unlink()
        one.stdin.close()
        assert one.wait(SECONDS) == 0
    assert not (tmp_path / "mlflow.db").exists()
    (line,) = log.read_text().splitlines()
    assert line.startswith(f"the store at {uri} fails (")


def test_a_recorder_that_is_killed_leaves_the_rest_to_a_synchronization(tmp_path, uri, started):
    process = started(GOES_ON)
    pid = int(process.stdout.readline())
    wait_until(lambda: run_in(tmp_path)[1] > 0)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not runs_on(pid))
    before = int(process.stdout.readline())
    process.kill()
    process.wait()
    seen = max([before, *(int(line) for line in process.stdout if line.endswith("\n"))])
    (found,) = found_in(tmp_path / "runs")
    assert found.state is DeliveryState.STALE
    ((_, done),) = synchronized([found.folder], Destination.of(uri))
    assert isinstance(done, Delivery)
    status, last = run_in(tmp_path)
    assert status == "KILLED"
    assert last >= seen


def test_a_recorder_that_was_killed_is_started_again_by_the_next_run_and_by_waiting(tmp_path, uri):
    one = recorder(tmp_path)
    folder = new_run(tmp_path / "run", store=uri)
    os.kill(one._process.pid, signal.SIGKILL)
    one._process.wait(SECONDS)
    assert one.wait([folder], SECONDS) == "the recorder has ended"
    other = recorder(tmp_path)
    assert other is not one
    assert recorder(tmp_path) is other
    assert other.wait([folder], SECONDS) is None
    one.leave()
    other.leave()


def test_what_is_delivered_is_not_delivered_again_when_it_is_waited_for(tmp_path, uri):
    one = recorder(tmp_path)
    folders = [new_run(tmp_path / f"run{number}", store=uri) for number in range(20)]
    assert one.wait(folders[:10], SECONDS) is None
    written = [(folder / NOTE).stat().st_ino for folder in folders[:10]]
    assert one.wait(folders, SECONDS) is None
    assert [(folder / NOTE).stat().st_ino for folder in folders[:10]] == written
    one.leave()


def test_a_run_that_begins_after_a_delivery_is_delivered_without_being_waited_for(tmp_path, uri):
    one = recorder(tmp_path)
    for number in range(2):
        folder = new_run(tmp_path / f"run{number}", store=uri)
        one.add(folder)
        wait_until(lambda there=folder: store_of(there))
    one.leave()


def test_a_failure_is_said_when_it_is_waited_for(tmp_path):
    (tmp_path / "mlflow.db").write_text("something else")
    folder = new_run(tmp_path / "run", store=f"sqlite:///{tmp_path / 'mlflow.db'}")
    one = Separate(folder)
    one.add(folder)
    try:
        wait_until(lambda: (folder / RECORDER_LOG).stat().st_size)
        reason = one.wait([folder], 0.0)
    finally:
        one.leave()
    assert "file is not a database" in reason
    assert (tmp_path / "mlflow.db").read_text() == "something else"


@pytest.mark.parametrize("text", ['{"kind": "header"}\n', "x\n"])
def test_a_damaged_journal_and_an_unknown_address_do_not_stop_it(tmp_path, uri, text):
    damaged, unknown = tmp_path / "damaged", new_run(tmp_path / "unknown", 2, store="nonsense://")
    damaged.mkdir()
    (damaged / JOURNAL).write_text(text)
    one = Separate(tmp_path)
    try:
        for folder in (damaged, unknown):
            one.add(folder)
        assert one.wait([new_run(tmp_path / "run", store=uri)], SECONDS) is None
        assert one.wait([damaged], 0.0)
    finally:
        one.leave()
    assert (tmp_path / RECORDER_LOG).exists()


@pytest.mark.slow
def test_a_run_that_can_never_be_delivered_does_not_delay_the_others(tmp_path, uri):
    bad = new_run(tmp_path / "bad", 2, store=uri)
    with (bad / JOURNAL).open("ab") as file:
        file.write(b"damaged\n")
    one = Separate(tmp_path)
    one.add(bad)
    try:
        wait_until(lambda: (tmp_path / RECORDER_LOG).stat().st_size)
        (tmp_path / "run").mkdir()
        with Journal(tmp_path / "run", header(store=uri)) as journal:
            one.add(tmp_path / "run")
            for step in (10, 20):
                journal.snapshot(snapshot(step))
                wait_until(lambda step=step: run_in(tmp_path)[1] == step)
    finally:
        one.leave()
    assert len((tmp_path / RECORDER_LOG).read_text().splitlines()) == 1  # it is said once


@pytest.mark.slow
def test_a_run_whose_folder_is_lost_is_closed(tmp_path, started):
    process = started(GOES_ON)
    pid = int(process.stdout.readline())
    wait_until(lambda: run_in(tmp_path)[1] > 0)
    shutil.rmtree(tmp_path / "runs")
    wait_until(lambda: run_in(tmp_path)[0] == "KILLED")
    process.kill()
    wait_until(lambda: not runs_on(pid))


def test_where_no_process_can_be_started_this_one_delivers(tmp_path, uri, monkeypatch):
    def fails(*_, **__):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with monkeypatch.context() as patch:
        patch.setattr("polyexp.tracking.recording._recorders", {})
        patch.setattr("polyexp.tracking.recording.subprocess.Popen", fails)
        one = recorder(tmp_path)
        assert isinstance(one, InProcess)
        folders = [new_run(tmp_path / str(number), number, store=uri) for number in range(2)]
        for folder in folders:
            one.add(folder)
        assert one.wait(folders[:1], 0) is None
        one.leave()
    assert all(map(store_of, folders))


def test_in_process_a_failure_is_said(tmp_path):
    (tmp_path / "mlflow.db").write_text("something else")
    folder = new_run(tmp_path / "run", store=f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert "file is not a database" in InProcess().wait([folder], 0)
    assert "cannot be read" in InProcess().wait([tmp_path / "none"], 0)


def test_a_recorder_of_a_store_that_is_known_imports_no_mlflow(tmp_path, uri):
    folder, told = new_run(tmp_path / "run", store=uri), tmp_path / "told"
    told.write_text(f'["{folder}", true]\n')
    code = f"""
import os
os.dup2(os.open({str(told)!r}, os.O_RDONLY), 0)
from polyexp.tracking.recorder import main
main(0, {str(tmp_path / RECORDER_LOG)!r})
"""
    loaded = loaded_by(code, cwd=ROOT)
    assert "mlflow" not in loaded
    assert "torch" not in loaded
    assert store_of(folder)
