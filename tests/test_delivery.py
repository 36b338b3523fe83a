"""However a journal is delivered, in whatever pieces and with whatever failures, its store ends with the same rows, once."""

import contextlib
import fcntl
import json
import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyexp.tracking import delivery, journal_lines
from polyexp.tracking.delivery import Delivery, deliver, store_of
from polyexp.tracking.journal import JOURNAL, Journal
from polyexp.tracking.journal_lines import JournalError
from polyexp.tracking.note import NOTE, note_of, write_note
from polyexp.tracking.process import Process
from polyexp.tracking.sqlite_writer import SqliteWriter
from polyexp.tracking.syncing import DeliveryState, found_in
from tests.helpers.commands import run_python
from tests.helpers.databases import files
from tests.helpers.faults import deliver_with_fault, delivering_store
from tests.helpers.faults import delivered as delivered_store
from tests.helpers.journals import gone, header, killed, new_run, record, snapshot, stored
from tests.helpers.memory_store import MemoryStore, MemoryWriter

ROOT = Path(__file__).parents[1]
SHARED = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def writer(store):
    return MemoryWriter(store)


def delivered(folder, writer):
    """One delivery of one run, which succeeds."""
    (done,) = deliver({folder: None}, writer).values()
    assert isinstance(done, Delivery), done
    return done


def prefix(folder, whole, size):
    """Make the journal as long as it was when so many bytes were written."""
    path = folder / JOURNAL
    before = path.stat().st_size if path.exists() else 0
    with path.open("ab") as file:
        file.write(whole[before:size])
    os.utime(path, (1_700_000_100, 1_700_000_100))


def raising(when):
    """A function that raises in those calls of it whose number, from 0 on, is in `when`."""
    calls = iter(range(10**6))

    def call():
        if next(calls) in when:
            raise ConnectionError("failed")

    return call


# One delivery


def test_a_run_is_delivered_as_a_whole(tmp_path, store, writer):
    done = delivered(new_run(tmp_path), writer)
    run = store.by_name["run 1"]
    assert store.points("run 1") == [(1, 1.0), (10, 0.1), (20, 0.05), (30, 1 / 30)]
    assert store.points("run 1", "loss/final") == [(0, 0.5)]
    assert store.points("run 1", "weight/w1") == [(1, -1.0), (10, -10.0), (20, -20.0), (30, -30.0)]
    assert run["params"] == {"seed": "1", "derived": "1"}
    assert run["files"] == {name: f"{name} of run 1\n" for name in ("result.json", "history.csv")}
    assert run["status"] == "FINISHED"
    assert len(run["datasets"]) == 1
    assert done.is_complete
    assert store_of(tmp_path)
    assert note_of(tmp_path) == note_of(tmp_path, "memory 0") == done.note
    assert note_of(tmp_path, "memory 1") is None


def test_a_second_delivery_changes_nothing(tmp_path, store, writer):
    """Of a run that has ended the store is only asked whether it has it."""
    delivered(new_run(tmp_path), writer)
    before = (tmp_path / NOTE).read_bytes(), repr(store.by_name)
    assert delivered(tmp_path, writer).is_complete
    assert ((tmp_path / NOTE).read_bytes(), repr(store.by_name)) == before
    assert not any((writer.entries[-1].points, writer.entries[-1].files, writer.entries[-1].params))


def test_a_run_that_goes_on_is_delivered_while_it_does(tmp_path, store, writer):
    with Journal(tmp_path, header(planned=10)) as journal:
        assert not delivered(tmp_path, writer).is_complete
        for step in (10, 20):
            journal.snapshot(snapshot(step))
            delivered(tmp_path, writer)
            assert store.points("run 1")[-1] == (step, 1 / step)
        assert store.by_name["run 1"]["status"] == "RUNNING"
        assert not store_of(tmp_path)
    assert not store_of(tmp_path)
    assert delivered(tmp_path, writer).is_complete
    assert store.by_name["run 1"]["status"] == "FINISHED"
    assert sum(len(entry.points) for entry in writer.entries) == 2 * 6  # none is sent twice


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_how_a_run_ended_is_delivered(tmp_path, store, writer, error):
    with contextlib.suppress(BaseException), Journal(tmp_path, header()):
        raise error
    delivered(tmp_path, writer)
    assert store.by_name["run 1"]["status"] == ("FAILED" if error is ValueError else "KILLED")


def test_a_run_that_has_gone_without_a_word_was_killed_at_its_last_sign_of_life(tmp_path, store, writer):
    killed(new_run(tmp_path))
    os.utime(tmp_path / JOURNAL, (1_700_000_100, 1_700_000_100))
    assert [one.state for one in found_in(tmp_path)] == [DeliveryState.LOCAL]
    delivered(tmp_path, writer)
    run = store.by_name["run 1"]
    assert (run["status"], run["ended"]) == ("KILLED", 1_700_000_100_000)
    assert store_of(tmp_path)


@pytest.mark.parametrize("tail", [b"", b'{"kind": "sna', b'{"kind": "warning", "time": 1, "text": ""}\n', b"{}"])
def test_a_killed_run_is_complete_whatever_it_wrote_last(tmp_path, store, writer, tail):
    killed(new_run(tmp_path, store="sqlite:////nowhere/mlflow.db"))
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(tail)
    assert [one.state for one in found_in(tmp_path)] == [DeliveryState.STALE]
    delivered(tmp_path, writer)
    assert store_of(tmp_path) == writer.identity


def test_a_run_of_another_machine_is_closed_after_a_minute_without_a_sign_of_life(tmp_path, store, writer):
    new_run(tmp_path, process=Process(1, "1", "elsewhere"))
    lines = (tmp_path / JOURNAL).read_bytes().splitlines(keepends=True)
    (tmp_path / JOURNAL).write_bytes(b"".join(lines[:-1]))
    assert not delivered(tmp_path, writer).is_complete
    old = time.time() - 2 * journal_lines.HEARTBEAT_LIMIT_SECONDS
    os.utime(tmp_path / JOURNAL, (old, old))
    assert delivered(tmp_path, writer).is_complete
    assert store.by_name["run 1"]["status"] == "KILLED"
    with (tmp_path / JOURNAL).open("ab") as file:  # its machine was only asleep
        file.write(lines[-1])
    assert not store_of(tmp_path)
    delivered(tmp_path, writer)
    assert store.by_name["run 1"]["status"] == "FINISHED"
    assert store_of(tmp_path)


# In pieces, and with failures


@pytest.fixture(scope="module")
def journals(tmp_path_factory):
    """The bytes of journals that ended and that did not, of curves of which all and of which some points are sent."""
    found = []
    for number, (planned, steps) in enumerate([(3, 3), (0, 0), (4000, 23), (2000, 1)]):
        folder = gone(new_run(tmp_path_factory.mktemp("run"), number, steps, planned=planned))
        found.append((folder / JOURNAL).read_bytes())
        found.append((killed(folder) / JOURNAL).read_bytes())
    return found


def copied_files(folder):
    for name in ("result.json", "history.csv"):
        (folder / name).write_text(f"{name}\n", encoding="utf-8")


def at_once(folder, whole):
    """What a store holds after one delivery at the end."""
    folder.mkdir()
    copied_files(folder)
    prefix(folder, whole, len(whole))
    store = MemoryStore()
    assert delivered(folder, MemoryWriter(store)).is_complete
    return store


@pytest.mark.slow
@SHARED
@given(data=st.data())
def test_pieces_with_failures_give_the_same_rows_as_one_delivery(tmp_path_factory, journals, data, monkeypatch):
    """The process lives until the last piece: a run whose process has gone is closed, whatever follows."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    whole = data.draw(st.sampled_from(journals))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    folder, store = tmp_path_factory.mktemp("pieces"), MemoryStore()
    copied_files(folder)
    calls = st.sets(st.integers(0, 20), max_size=5)
    before, after, notes = (raising(data.draw(calls)) for _ in range(3))
    writer = MemoryWriter(store, before, after)
    write = note_writer(notes, before_it=data.draw(st.booleans()))
    with monkeypatch.context() as patch:
        patch.setattr(delivery, "write_note", write)
        patch.setattr("polyexp.tracking.undelivered.is_gone", lambda *_: False)
        last = None
        for size in cuts:
            prefix(folder, whole, size)
            (done,) = deliver({folder: last}, writer).values()
            last = done if isinstance(done, Delivery) else last
    prefix(folder, whole, len(whole))
    with monkeypatch.context() as patch:
        patch.setattr(delivery, "write_note", write)
        for _ in range(25):
            (done,) = deliver({folder: last}, writer).values()
            last = done if isinstance(done, Delivery) else last
    assert store_of(folder)
    assert store.by_name == at_once(folder / "other", whole).by_name


def note_writer(fails, *, before_it):
    def write(folder, note):
        if before_it:
            fails_as_the_disk(fails)
        write_note(folder, note)
        if not before_it:
            fails_as_the_disk(fails)

    return write


def fails_as_the_disk(fails):
    try:
        fails()
    except ConnectionError:
        raise OSError(28, "No space left on device") from None


@settings(SHARED, max_examples=15)
@given(data=st.data())
def test_pieces_give_the_same_rows_in_a_sqlite_store(tmp_path_factory, empty_store, journals, data, monkeypatch):
    whole = data.draw(st.sampled_from(journals))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=4)))
    top = tmp_path_factory.mktemp("store")
    found = []
    for name, sizes in (("pieces", cuts), ("whole", [])):
        run = top / name / "run"
        run.mkdir(parents=True)
        copied_files(run)
        shutil.copy(empty_store, top / name / "mlflow.db")
        for size in sizes:
            prefix(run, whole, size)
            with monkeypatch.context() as patch:
                patch.setattr("polyexp.tracking.undelivered.is_gone", lambda *_: False)
                deliver_to(top / name, run)
        prefix(run, whole, len(whole))
        assert deliver_to(top / name, run).is_complete
        kept = repr(stored(top / name / "mlflow.db")).replace(str(top / name), "top")
        found.append((kept, {name: one[0] for name, one in files(top / name / "artifacts").items()}))
    assert found[0] == found[1]


def deliver_to(store, folder):
    """Deliver a run to the SQLite store in a folder."""
    with contextlib.closing(SqliteWriter.open(store / "mlflow.db", store / "artifacts")) as writer:
        (done,) = deliver({folder: None}, writer, str(store / "artifacts")).values()
    return done


# Curves of many points


def curve(folder, planned, lines, *, ended=True):
    """A journal of so many regular snapshots, of which the same line is written with other steps, and two early ones."""
    with contextlib.ExitStack() as stack:
        journal = stack.enter_context(Journal(folder, header(planned=planned, param_names=[])))
        for step in (1, 2):
            early = {"early": True, "loss": 1.0, "excess": 0.5, "grad_norm": 2.0, "params": []}
            journal._write("snapshot", step=step, **early)
        form = (
            '{"kind": "snapshot", "time": %d, "step": %d, "loss": 1.5, "excess": 0.5, "grad_norm": 2.0, "params": []}\n'
        )
        with (folder / JOURNAL).open("ab") as file:
            file.write("".join(form % (k, 10 * k) for k in range(1, lines + 1)).encode())
    if not ended:
        killed(folder)
    return folder


CURVES = [1, 2, 979, 980, 981, 999, 1000, 1001, 1959, 1960, 1961, 12_345, 100_000]


@pytest.mark.parametrize("killed_early", [False, True])
@pytest.mark.parametrize("planned", CURVES)
def test_a_curve_is_sent_as_every_nth_point_and_the_last(tmp_path, store, writer, planned, killed_early):
    lines = planned * 2 // 3 if killed_early else planned
    curve(tmp_path, planned, lines, ended=not killed_early)
    assert delivered(tmp_path, writer).is_complete
    stride = -(-planned // 980)
    expected = sorted({1, 2, *range(10 * stride, 10 * lines + 1, 10 * stride), *([10 * lines] if lines else [])})
    assert [step for step, _ in store.points("run 1")] == expected
    assert len(expected) <= 1000


@SHARED
@given(data=st.data())
def test_a_curve_has_the_same_points_in_whatever_pieces_it_is_sent(tmp_path_factory, data, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)
    planned = data.draw(st.integers(1, 5000))
    folder, other = tmp_path_factory.mktemp("curve"), tmp_path_factory.mktemp("other")
    curve(folder, planned, lines := data.draw(st.integers(0, min(planned, 30))))
    whole = (folder / JOURNAL).read_bytes()
    (folder / JOURNAL).unlink()
    store = MemoryStore()
    for size in sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8))):
        prefix(folder, whole, size)
        deliver({folder: None}, MemoryWriter(store))
    prefix(folder, whole, len(whole))
    delivered(folder, MemoryWriter(store))
    prefix(other, whole, len(whole))
    alone = MemoryStore()
    delivered(other, MemoryWriter(alone))
    assert store.points("run 1") == alone.points("run 1")
    assert len(alone.points("run 1")) <= 3 + lines


@pytest.mark.slow
def test_a_curve_of_a_million_snapshots_has_at_most_1000_points(tmp_path, store, writer):
    curve(tmp_path, 10**6, 10**6)
    delivered(tmp_path, writer)
    points = store.points("run 1")
    assert len(points) == 2 + 10**6 // 1021 + 1 <= 1000
    assert points[-1] == (10**7, 1.5)


# What has changed since the last delivery


@pytest.mark.parametrize("early", [False, True])
def test_a_curve_of_more_snapshots_than_planned_has_few_points(tmp_path, store, writer, early):
    with Journal(tmp_path, header(planned=0)) as journal:
        for step in range(20_000):
            journal.snapshot(snapshot(step + 1, early=early))
    delivered(tmp_path, writer)
    points = store.points("run 1")
    assert 980 <= len(points) <= 4000
    assert points[-1][0] == 20_000


def test_a_store_that_was_made_anew_gets_all_at_once(tmp_path, store, writer):
    first = delivered(new_run(tmp_path), writer)
    before = store.by_name
    store.make_anew()
    assert delivered(tmp_path, writer).note.run_id != first.note.run_id
    assert store.by_name == before


def test_a_run_that_is_lost_in_a_store_of_the_same_name_is_written_as_a_whole(tmp_path, store, writer):
    new_run(tmp_path)
    delivered(tmp_path, writer)
    before = store.by_name
    with (tmp_path / JOURNAL).open("ab") as file:  # something new, as otherwise nothing is asked for
        file.write(b'{"kind": "files", "time": 1, "names": ["result.json"]}\n')
    store.runs.clear()
    delivered(tmp_path, writer)
    assert store.by_name == before
    assert store_of(tmp_path)


def test_a_note_that_is_damaged_is_as_none(tmp_path, store, writer):
    delivered(new_run(tmp_path), writer)
    before = store.by_name
    counts = [
        asdict(note_of(tmp_path)) | {"position": position} for position in (-1, 10**30)
    ]  # the latter is in no file
    for text in ("", "{", "[]", "null", '{"store": 1}', *map(json.dumps, counts)):
        (tmp_path / NOTE).write_text(text)
        assert note_of(tmp_path) is None
        delivered(tmp_path, writer)
        assert store.by_name == before


def test_files_that_have_vanished_and_links_are_left_out(tmp_path, store, writer):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    new_run(tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()
    (tmp_path / "run" / "history.csv").unlink()
    (tmp_path / "run" / "history.csv").symlink_to(secret)
    delivered(tmp_path / "run", writer)
    assert store.by_name["run 1"]["files"] == {}
    assert store_of(tmp_path / "run")


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", ".hidden", "..", "", "sub/file", "folder"])
def test_only_files_of_the_folder_itself_are_delivered(tmp_path, store, writer, name):
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "run" / "sub").mkdir(parents=True)
    (tmp_path / "run" / "folder").mkdir()
    for path in ("sub/file", ".hidden"):
        (tmp_path / "run" / path).write_text("x")
    with Journal(tmp_path / "run", header()) as journal:
        journal.files([name])
    delivered(tmp_path / "run", writer)
    assert store.by_name["run 1"]["files"] == {}


@pytest.mark.parametrize("replaced", [False, True])
def test_a_run_whose_folder_is_lost_is_closed_as_killed(tmp_path, store, writer, replaced):
    folder = tmp_path / "run"
    folder.mkdir()
    with Journal(folder, header()) as journal:
        journal.snapshot(snapshot(10))
        last = delivered(folder, writer)
        shutil.rmtree(folder)
        if replaced:
            folder.write_text("a file")
        for _ in range(2):
            (last,) = deliver({folder: last}, writer).values()
            assert last.is_complete
    run = store.by_name["run 1"]
    assert (run["status"], store.points("run 1")) == ("KILLED", [(10, 0.1)])
    assert folder.exists() == replaced


def test_a_folder_that_was_lost_before_anything_was_delivered_is_an_error(tmp_path, store, writer):
    (done,) = deliver({tmp_path / "none": None}, writer).values()
    assert isinstance(done, FileNotFoundError)
    assert not store.runs


def test_one_journal_that_is_damaged_prevents_no_other(tmp_path, store, writer):
    for number in range(3):
        new_run(tmp_path / str(number), number)
    with (tmp_path / "1" / JOURNAL).open("ab") as file:
        file.write(b"damaged\n")
    done = deliver(dict.fromkeys(tmp_path / str(number) for number in range(3)), writer)
    assert isinstance(done[tmp_path / "1"], JournalError)
    assert sorted(store.by_name) == ["run 0", "run 2"]
    assert store_of(tmp_path / "2")


def test_where_the_store_fails_every_run_says_so(tmp_path, store):
    writer = MemoryWriter(store, before=raising({1}))
    folders = [new_run(tmp_path / f"{number:03}", number, 0) for number in range(delivery.RUNS_AT_ONCE + 5)]
    done = deliver(dict.fromkeys(reversed(folders)), writer)
    assert all(isinstance(done[folder], Delivery) for folder in folders[:-5])
    assert all(isinstance(done[folder], ConnectionError) for folder in folders[-5:])
    assert len(store.runs) == delivery.RUNS_AT_ONCE
    assert len(deliver(dict.fromkeys(folders), writer)) == len(store.by_name) == len(folders)


@pytest.mark.slow
def test_more_runs_than_a_process_may_open_files(tmp_path, store, writer, monkeypatch):
    """Only so many journals are open at once."""
    folders = [new_run(tmp_path / str(number), number, 0) for number in range(250)]
    opened, most, locked = [0], [0], delivery._locked

    @contextlib.contextmanager
    def counted(*args):
        with locked(*args):
            opened[0] += 1
            most[0] = max(most[0], opened[0])
            yield
            opened[0] -= 1

    monkeypatch.setattr(delivery, "_locked", counted)
    assert all(isinstance(one, Delivery) for one in deliver(dict.fromkeys(folders), writer).values())
    assert (most[0], opened[0], len(store.by_name)) == (delivery.RUNS_AT_ONCE, 0, 250)


# Views


def test_the_view_of_runs_is_saved_and_nothing_depends_on_it(tmp_path, store, writer):
    delivered(new_run(tmp_path / "a"), writer)
    assert any(tag.startswith("mlflow.sharedViewState") for tag in store.experiments["polyexp"])

    def fails(*_):
        raise ConnectionError

    writer.experiment = fails
    delivered(new_run(tmp_path / "b", 2), writer)
    assert store_of(tmp_path / "b")


def test_a_sweep_is_complete_once_its_view_is_saved(tmp_path, store, monkeypatch):
    with Journal(tmp_path, header().of_sweep("12-00-00", ["seed"])):
        pass
    writer = MemoryWriter(store)

    def fails(*_):
        raise ConnectionError

    for name in ("experiment", "set_experiment_tag"):
        with monkeypatch.context() as patch:
            patch.setattr(writer, name, fails)
            (done,) = deliver({tmp_path: None}, writer).values()
        assert isinstance(done, ConnectionError)
        assert not store_of(tmp_path)
    assert delivered(tmp_path, writer).is_complete
    assert store_of(tmp_path)
    assert len(store.runs) == 1


# Several deliverers


def test_two_deliverers_at_once_double_nothing(tmp_path, store):
    with Journal(tmp_path, header(planned=200)) as journal:
        stop, writers = threading.Event(), [MemoryWriter(store) for _ in range(4)]

        def go(writer):
            while not stop.is_set():
                assert all(isinstance(one, Delivery) for one in deliver({tmp_path: None}, writer).values())

        with ThreadPoolExecutor(4) as pool:
            going = [pool.submit(go, writer) for writer in writers]
            for step in range(1, 201):
                journal.snapshot(snapshot(step))
            stop.set()
            for one in going:
                one.result(60)
    delivered(tmp_path, writers[0])
    assert [step for step, _ in store.points("run 1")] == [*range(1, 201)]
    assert sum(len(entry.points) for writer in writers for entry in writer.entries) == 200 * 6


def test_a_journal_that_another_process_delivers_is_left_to_it(tmp_path, store, writer, monkeypatch):
    monkeypatch.setattr(delivery, "LOCK_SECONDS", 0.1)
    new_run(tmp_path)
    with (tmp_path / JOURNAL).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        (done,) = deliver({tmp_path: None}, writer).values()
    assert str(done) == f"Another process is delivering {tmp_path}."
    assert not store.runs
    assert delivered(tmp_path, writer).is_complete


def test_a_folder_under_two_names_is_delivered_once(tmp_path, store, writer, monkeypatch):
    monkeypatch.setattr(delivery, "LOCK_SECONDS", 0.1)
    new_run(tmp_path / "run")
    (tmp_path / "link").symlink_to(tmp_path / "run")
    done = deliver(dict.fromkeys([tmp_path / "link", tmp_path / "run"]), writer)
    assert {type(one) for one in done.values()} == {Delivery, JournalError}
    assert len(store.by_name) == 1


def test_a_file_system_without_locks_has_deliveries(tmp_path, store, writer, monkeypatch):
    def unsupported(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    assert delivered(new_run(tmp_path), writer).is_complete


MANY = """
import contextlib, sys
from pathlib import Path
from polyexp.tracking.delivery import Delivery, deliver
from polyexp.tracking.sqlite_writer import SqliteWriter
top = Path(sys.argv[1])
folders = sorted((top / "runs").iterdir(), reverse=sys.argv[2] == "1")
with contextlib.closing(SqliteWriter.open(top / "mlflow.db", top / "artifacts")) as writer:
    done = deliver(dict.fromkeys(folders), writer, str(top / "artifacts"))
print(sum(isinstance(one, Delivery) for one in done.values()))
"""


@pytest.mark.slow
def test_processes_that_deliver_the_same_runs_at_once_double_nothing(tmp_path, new_store):
    new_store(tmp_path / "mlflow.db")
    for number in range(20):
        new_run(tmp_path / "runs" / str(number), number)
    with ThreadPoolExecutor(4) as pool:
        ends = [*pool.map(lambda k: run_python(MANY, tmp_path, str(k % 2), cwd=ROOT), range(4))]
    assert [(one.out, one.err) for one in ends] == [("20\n", "")] * 4
    found = stored(tmp_path / "mlflow.db")
    assert len(found["runs"]) == len({row["name"] for row in found["runs"]}) == 20
    assert len(found["metrics"]) == len(set(map(repr, found["metrics"]))) == 20 * (4 * 6 + 1)


# A fault at every call


@pytest.fixture
def runs(tmp_path):
    """One run that has ended, one that was killed, one that goes on, and a sweep, which alone has a view."""
    new_run(tmp_path / "runs" / "0", 0, view=None)
    killed(new_run(tmp_path / "runs" / "1", 1, view=None))
    (tmp_path / "runs" / "3").mkdir()
    with Journal(tmp_path / "runs" / "3", header(3).of_sweep("12-00-00", ["seed"])):
        pass
    (tmp_path / "runs" / "2").mkdir()
    with Journal(tmp_path / "runs" / "2", header(2, view=None)) as journal:
        record(journal)
        yield tmp_path / "runs"


def broken():
    raise OSError(28, "No space left on device")


@pytest.mark.slow
def test_a_delivery_that_fails_at_any_call_is_completed_by_the_next_one(tmp_path, new_store, runs):
    new_store(empty := tmp_path / "empty.db")
    calls, _ = deliver_with_fault(delivering_store(empty, runs, tmp_path / "counted"), 0, broken)
    expected = completed(delivering_store(empty, runs, tmp_path / "expected"))
    assert calls > 80
    for at in range(1, calls + 1):
        store = delivering_store(empty, runs, tmp_path / str(at))
        deliver_with_fault(store, at, broken)  # which raises nothing, whatever fails
        assert completed(store) == expected, at


def completed(store):
    """Deliver once more, and once again, which changes nothing."""
    content = delivered_store(store)
    assert {path.name: store_of(path) is not None for path in (store / "runs").iterdir()} == {
        "0": True,
        "1": True,
        "2": False,
        "3": True,
    }
    assert delivered_store(store) == content
    return content


KILLED_ANYWHERE = """
import os, sys
from pathlib import Path
from tests.helpers.faults import deliver_with_fault, delivering_store
from tests.test_delivery import completed
empty, runs, folder = map(Path, sys.argv[1:])
expected, at, code = completed(delivering_store(empty, runs, folder / "expected")), 0, 9
while code == 9:
    at += 1
    store = delivering_store(empty, runs, folder / str(at))
    if not (child := os.fork()):
        deliver_with_fault(store, at, lambda: os._exit(9))
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert completed(store) == expected, at
print(at - 1, code)
"""


@pytest.mark.slow
def test_a_delivery_that_is_killed_at_any_call_is_completed_by_the_next_one(tmp_path, new_store, runs):
    new_store(empty := tmp_path / "empty.db")
    calls, _ = deliver_with_fault(delivering_store(empty, runs, tmp_path / "counted"), 0, broken)
    done = run_python(KILLED_ANYWHERE, empty, runs, tmp_path, cwd=ROOT)
    assert (done.out, done.err) == (f"{calls} 0\n", "")
