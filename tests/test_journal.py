"""A journal says all that a run has recorded, whatever interrupts it, and whatever somebody has written into it."""

import contextlib
import errno
import json
import math
import os
import struct
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from polyexp.base import InputError
from polyexp.tracking import journal as journals
from polyexp.tracking import journal_lines, process
from polyexp.tracking.entry import Status
from polyexp.tracking.journal import JOURNAL, Header, Journal, reason_of
from polyexp.tracking.journal_lines import JournalError, end_of, header_of, is_gone, lines_of
from polyexp.tracking.note import NOTE, Note, note_of, write_note
from polyexp.tracking.process import Process
from polyexp.tracking.syncing import DeliveryState, found_in
from polyexp.tracking.undelivered import undelivered
from tests.helpers.commands import run_python, wait_until
from tests.helpers.journals import DATASET, GONE, as_dict, gone, header, killed, new_run, record, snapshot
from tests.helpers.recording import waiting_process

ROOT = Path(__file__).parents[1]
MEGABYTE = 10**6


def lines(folder):
    """The kinds and the contents of all lines but the header."""
    _, begin = header_of(folder)
    return [(line.kind, line.content) for line in lines_of(folder, begin)]


def the_end(folder):
    kind, content = lines(folder)[-1]
    return kind, content["status"]


def read(folder):
    return undelivered(folder, "store", None, None)


# Written and read


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"store": "sqlite:////tmp/é 'x'.db", "planned": 10**6, "view": None, "resumed": False},
        {"name": "\x1b[1m\n😀", "params": {"j": "", "k\n": 'v"\\'}, "param_names": [], "view": {"sweep": "s"}},
        {"process": Process(7, "", "elsewhere"), "tags": {}, "lower_bound": 5e-324},
    ],
)
def test_a_header_is_read_as_it_was_written(tmp_path, changes):
    written = header(**changes)
    with Journal(tmp_path, written):
        found, begin = header_of(tmp_path)
    assert as_dict(found) == as_dict(written)
    assert isinstance(found, Header)
    assert begin == len((tmp_path / JOURNAL).read_bytes().splitlines(keepends=True)[0])


def test_a_lower_bound_that_is_not_there_is_nan(tmp_path):
    with Journal(tmp_path, header(lower_bound=math.nan)):
        assert math.isnan(header_of(tmp_path)[0].lower_bound)


def test_a_text_that_is_no_unicode_is_read_with_question_marks(tmp_path):
    """Paths may have bytes that no text has; a database takes none of them."""
    with Journal(tmp_path, header(tags={"mlflow.source.name": os.fsdecode(b"/home/\xff/polyexp")})):
        assert header_of(tmp_path)[0].tags == {"mlflow.source.name": "/home/?/polyexp"}


NUMBERS = st.floats(allow_nan=True, allow_infinity=True, allow_subnormal=True)


@settings(deadline=None)
@given(numbers=st.lists(NUMBERS, min_size=5, max_size=5))
@example(numbers=[math.nan, math.inf, -math.inf, -0.0, 5e-324])
def test_every_number_is_read_to_the_bit(tmp_path_factory, numbers):
    loss, excess, norm, *params = numbers
    seen = snapshot(3)
    seen.loss, seen.excess, seen.grad_norm, seen.params = np.float64(loss), excess, norm, np.array(params)
    folder = tmp_path_factory.mktemp("run")
    with Journal(folder, header()) as journal:
        journal.snapshot(seen)
        (_, content), *_ = lines(folder)
    found = [float(content[name]) for name in ("loss", "excess", "grad_norm")] + [float(w) for w in content["params"]]
    for one, expected in zip(found, numbers, strict=True):
        assert math.isnan(one) if math.isnan(expected) else struct.pack("d", one) == struct.pack("d", expected)


def test_everything_is_read_as_it_was_written(tmp_path):
    new_run(tmp_path)
    found = read(tmp_path)
    curve = [(point.step, point.value) for point in found.entry.points if point.name == "loss/train"]
    assert curve == [(1, 1.0), (10, 0.1), (20, 0.05), (30, 1 / 30)]
    weights = [(one.name, one.value) for one in found.entry.points if one.step == 20 and one.name.startswith("weight/")]
    assert weights == [("weight/w0", 20.0), ("weight/w1", -20.0)]
    assert [(p.name, p.value) for p in found.entry.points if p.step == 0] == [("loss/final", 0.5)]  # nan is left out
    assert found.entry.dataset == DATASET
    assert found.entry.params == {"seed": "1", "derived": "1"}
    assert found.entry.tags == {"mlflow.user": "somebody", "outcome": "x", "polyexp.journal": header().id}
    assert [file.path.name for file in found.entry.files] == ["result.json", "history.csv"]
    assert (found.entry.status, found.note.position) == (Status.FINISHED, (tmp_path / JOURNAL).stat().st_size)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, "FINISHED"),
        (ValueError("x" * 10**6), "FAILED"),
        (InputError("no"), "FAILED"),
        (KeyboardInterrupt(), "KILLED"),
        (SystemExit(143), "KILLED"),
    ],
)
def test_the_last_line_says_how_the_run_ended(tmp_path, error, status):
    with contextlib.suppress(BaseException), Journal(tmp_path, header()):
        if error:
            raise error
    assert the_end(tmp_path) == ("end", status)
    assert end_of(tmp_path) == (Status(status), reason_of(error) if error else "")
    assert (tmp_path / JOURNAL).stat().st_size < 2000  # whatever the error says


def test_an_error_of_the_run_is_not_replaced_by_one_of_the_journal(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "full")

    def run():
        with Journal(tmp_path, header()):
            monkeypatch.setattr(os, "write", full)
            raise ValueError("first")

    with pytest.raises(ValueError, match="first"):
        run()
    assert list(lines_of(tmp_path, header_of(tmp_path)[1])) == []


def test_the_end_is_known_from_the_end_of_the_file(tmp_path):
    with Journal(tmp_path, header(params={"long": "x" * 10**5})) as journal:
        assert end_of(tmp_path) is None
        journal.warning('{"kind": "end"')
        assert end_of(tmp_path) is None
    assert end_of(tmp_path) == (Status.FINISHED, "")


# One run a folder


def test_a_second_run_in_a_folder_is_refused_and_changes_nothing(tmp_path):
    new_run(tmp_path)
    before = (tmp_path / JOURNAL).read_bytes()
    with pytest.raises(InputError, match=r"`hydra\.run\.dir` must name a folder without a run in it"):
        Journal(tmp_path, header(2))
    assert (tmp_path / JOURNAL).read_bytes() == before


ONE_WINS = """
import sys, time
from pathlib import Path
from polyexp.base import InputError
from polyexp.tracking.journal import Journal
from tests.helpers.journals import header
from tests.helpers.recording import waiting_process
folder, number = Path(sys.argv[1]), int(sys.argv[2])
(folder / f"ready {number}").touch()
while not (folder / "go").exists():
    time.sleep(0.001)
try:
    with Journal(folder, header(number)):
        print("mine")
except InputError:
    print("refused")
"""


@pytest.mark.slow
def test_of_eight_processes_at_once_one_has_the_folder(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        ends = [pool.submit(run_python, ONE_WINS, tmp_path, str(number), cwd=ROOT) for number in range(8)]
        wait_until(lambda: len(list(tmp_path.glob("ready *"))) == 8)
        (tmp_path / "go").touch()
        said = [one.result().out.strip() for one in ends]
    assert sorted(said) == ["mine"] + ["refused"] * 7
    assert header_of(tmp_path)[0].name == f"run {said.index('mine')}"
    assert the_end(tmp_path) == ("end", "FINISHED")


def test_a_note_on_a_journal_that_was_removed_is_not_taken_for_one_on_the_new_journal(tmp_path):
    new_run(tmp_path)
    write_note(tmp_path, Note("store", "1", "1", (tmp_path / JOURNAL).stat().st_size, 3, Status.FINISHED))
    (tmp_path / JOURNAL).unlink()
    with Journal(tmp_path, header(2)):
        assert note_of(tmp_path) is None


# What interrupts the writing


class Disk:
    """A disk on which only so many bytes are left, some of which a write takes before it fails."""

    def __init__(self, left):
        self.left, self._write = left, os.write

    def write(self, file, data):
        if not self.left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = self._write(file, data[: self.left])
        self.left -= written
        return written


@pytest.mark.parametrize("left", [0, 1, 30, 200, 10**6])
def test_a_disk_that_is_full_leaves_a_journal_that_can_be_read(tmp_path, monkeypatch, left):
    """The line that did not fit is left out; once there is space again, lines follow the last whole one."""
    with Journal(tmp_path, header()) as journal:
        journal.snapshot(snapshot(10))
        disk = Disk(left)
        monkeypatch.setattr(os, "write", disk.write)
        fails = pytest.raises(OSError, match="No space") if left < 10**6 else contextlib.nullcontext()
        with fails:
            journal.snapshot(snapshot(20))
            journal.snapshot(snapshot(30))
        fitted = [content["step"] for _, content in lines(tmp_path)]
        assert fitted == [10, 20, 30][: {0: 1, 1: 1, 30: 1, 200: 2, 10**6: 3}[left]]
        disk.left = 10**6
        journal.snapshot(snapshot(40))
    kinds = [content.get("step", kind) for kind, content in lines(tmp_path)]
    assert kinds == [*fitted, 40, "end"]


def test_a_disk_that_is_full_at_the_end_of_a_run_is_an_error(tmp_path, monkeypatch):
    def run():
        with Journal(tmp_path, header()) as journal:
            journal.snapshot(snapshot(10))
            monkeypatch.setattr(os, "write", Disk(5).write)

    with pytest.raises(OSError, match="No space"):
        run()
    assert [kind for kind, _ in lines(tmp_path)] == ["snapshot"]


@pytest.mark.parametrize("left", [0, 5])
def test_a_journal_that_cannot_be_begun_leaves_nothing(tmp_path, monkeypatch, left):
    open_files = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    monkeypatch.setattr(os, "write", Disk(left).write)
    with pytest.raises(OSError, match="No space"):
        Journal(tmp_path, header())
    assert list(tmp_path.iterdir()) == []
    assert not open_files or len(os.listdir("/proc/self/fd")) == open_files


@pytest.mark.parametrize("part", [0, 7, None])
def test_a_line_that_is_interrupted_is_whole_or_not_there(tmp_path, monkeypatch, part):
    """part: how much of it has been written before; None for all."""
    write = os.write

    def interrupted(file, data):
        write(file, data[:part])
        raise KeyboardInterrupt

    def run():
        with Journal(tmp_path, header()) as journal:
            journal.snapshot(snapshot(10))
            with monkeypatch.context() as patch:
                patch.setattr(os, "write", interrupted)
                journal.snapshot(snapshot(20))

    with pytest.raises(KeyboardInterrupt):
        run()
    steps = [content["step"] for kind, content in lines(tmp_path) if kind == "snapshot"]
    assert steps == ([10] if part is not None else [10, 20])
    assert the_end(tmp_path) == ("end", "KILLED")


@pytest.mark.slow
def test_a_last_line_that_is_torn_is_ignored_at_every_byte(tmp_path):
    new_run(tmp_path, steps=2)
    path = tmp_path / JOURNAL
    whole = path.read_bytes()
    ends = [at + 1 for at, byte in enumerate(whole) if byte == ord("\n")]
    for size in range(ends[0], len(whole) + 1):
        path.write_bytes(whole[:size])
        complete = sum(end <= size for end in ends)
        assert len(lines(tmp_path)) == complete - 1
        assert (end_of(tmp_path) is not None) == (size == len(whole))
        assert read(tmp_path).note.position <= size
    for size in range(ends[0]):
        path.write_bytes(whole[:size])
        with pytest.raises(FileNotFoundError):
            header_of(tmp_path)
        with pytest.raises(FileNotFoundError):
            read(tmp_path)


def test_a_run_that_was_killed_is_delivered_although_its_last_line_is_torn(tmp_path):
    killed(new_run(tmp_path))
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b'{"kind": "warning", "text": "it"}\n{"kind": "snap')
    found = read(tmp_path)
    assert found.entry.status is Status.KILLED
    assert list(lines_of(tmp_path, found.note.position)) == []


# What somebody has written into it


@pytest.fixture(scope="module")
def journal_bytes(tmp_path_factory):
    return (killed(new_run(tmp_path_factory.mktemp("whole"))) / JOURNAL).read_bytes()


def assert_bounded(folder):
    """Everything that reads a journal raises nothing but JournalError and OSError."""
    tracemalloc.start()
    with contextlib.suppress(JournalError, OSError):
        found = undelivered(folder, "store", None, None)
        assert all(math.isfinite(point.value) for point in found.entry.points)
        assert all(0 <= point.step < 2**63 and 0 <= point.time < 2**63 for point in found.entry.points)
        json.dumps([found.entry.params, found.entry.tags], ensure_ascii=False).encode()
    with contextlib.suppress(JournalError, OSError):
        write_note(folder, Note("store", "1", "1", 100, 0, Status.RUNNING))
        undelivered(folder, "store", note_of(folder), None)
    assert len([(one.state, one.name, one.megabytes, one.is_due) for one in found_in(folder)]) == 1
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert used < 20 * MEGABYTE


MUTATIONS = st.lists(
    st.tuples(st.integers(0, 10**4), st.integers(0, 30), st.binary(max_size=20)), min_size=1, max_size=4
)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mutations=MUTATIONS)
def test_damaged_bytes_are_errors_of_the_journal(tmp_path, journal_bytes, mutations):
    (tmp_path / NOTE).unlink(missing_ok=True)
    data = journal_bytes
    for at, length, new in mutations:
        at %= len(data) + 1
        data = data[:at] + new + data[at + length :]
    (tmp_path / JOURNAL).write_bytes(data)
    assert_bounded(tmp_path)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.sampled_from([10**400, -1, 2**63, math.nan, math.inf, "\ud800", "nan", "RUNNING", "\x00", "a" * 300, "..", ""])
    | st.floats()
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def paths_of(value, path=()):
    """The places of all values within a value of JSON."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in items:
        yield from paths_of(one, (*path, name))


@pytest.mark.slow
@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), new=VALUES, missing=st.booleans())
def test_values_of_other_kinds_are_errors_of_the_journal(tmp_path, journal_bytes, data, new, missing):
    (tmp_path / NOTE).unlink(missing_ok=True)
    parsed = [json.loads(line) for line in journal_bytes.splitlines()]
    *outer, last = data.draw(st.sampled_from([path for path in paths_of(parsed) if path]))
    place = parsed
    for name in outer:
        place = place[name]
    if missing:
        del place[last]
    else:
        place[last] = new
    (tmp_path / JOURNAL).write_text("".join(f"{json.dumps(line)}\n" for line in parsed), encoding="utf-8")
    assert_bounded(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 10**5 + b"\n",
        b'{"kind": "warning", "text": ' + b"9" * 10**5 + b"}\n",
        b"x" * (2**22 + 5) + b"\n",
        b"x" * (2**22 + 5),
        b'{"kind": "snapshot"}\n',
        b'{"kind": "files", "names": 3, "time": 1}\n',
        b'{"kind": "end", "status": "RUNNING", "time": 1}\n',
        b'{"kind": "end", "status": "DONE", "time": 1}\n',
        b'{"kind": "end", "status": "KILLED", "time": 1e400}\n',
        b'{"kind": "warning", "text": "\\ud800"}\n',
        b"\n",
        b"null\n",
        b'"kind"\n',
        b'["kind"]\n',
    ],
)
def test_a_line_that_is_damaged_is_one_sentence(tmp_path, line):
    new_run(tmp_path)
    number = len((tmp_path / JOURNAL).read_bytes().splitlines()) + 1
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(line)
    with pytest.raises(JournalError, match=rf"^Line {number} of .*/journal\.jsonl is (damaged|too long)\.$"):
        read(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "5EED" * 8},
        {"id": "5eed"},
        {"id": 5},
        {"planned": 2**63},
        {"planned": 1.5},
        {"planned": True},
        {"started": -1},
        {"process": {"pid": 1}},
        {"process": None},
        {"params": []},
        {"params": {"a": 1}},
        {"param_names": None},
        {"store": 5},
        {"resumed": None},
        {"lower_bound": None},
        {"lower_bound": 10**400},
        {"view": []},
        {"format": 2},
        {"kind": "warning"},
        {"name": "\ud800"},
        {"name": " "},
        {"name": "a" * 300},
        {"params": {"a" * 300: "1"}},
        {"params": {"": "1"}},
        {"tags": {"a\0": "1"}},
        {"store": "sqlite:////tmp/a.db", "experiment": ""},
        {"param_names": "w0"},
    ],
)
def test_a_header_that_is_damaged_is_one_sentence(tmp_path, changes):
    new_run(tmp_path)
    first, *rest = (tmp_path / JOURNAL).read_text().splitlines(keepends=True)
    (tmp_path / JOURNAL).write_text(json.dumps(json.loads(first) | changes) + "\n" + "".join(rest))
    with pytest.raises(JournalError, match=r"^[^\n]*journal\.jsonl[^\n]*\.$"):
        header_of(tmp_path)
    (found,) = found_in(tmp_path)
    assert (found.state, found.name) == (DeliveryState.DAMAGED, "")
    assert str(tmp_path) in found.damage


def test_only_regular_files_are_journals(tmp_path):
    new_run(tmp_path / "real")
    for name in ("link", "pipe", "folder"):
        (tmp_path / name).mkdir()
    (tmp_path / "link" / JOURNAL).symlink_to(tmp_path / "real" / JOURNAL)
    os.mkfifo(tmp_path / "pipe" / JOURNAL)
    (tmp_path / "folder" / JOURNAL).mkdir()
    assert [one.folder.name for one in found_in(tmp_path)] == ["real"]


# Signs of life


def test_a_heartbeat_changes_the_time_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(journals, "HEARTBEAT_SECONDS", 0.01)
    path, beaten = tmp_path / JOURNAL, threading.Event()
    utime = os.utime

    def observed(*args):
        utime(*args)
        beaten.set()

    with Journal(tmp_path, header()):
        os.utime(path, (1, 1))
        monkeypatch.setattr(os, "utime", observed)
        beaten.clear()
        assert beaten.wait(60)
        assert path.stat().st_mtime > 10**9
        assert any(one.name == "heartbeat" for one in threading.enumerate())
    for one in threading.enumerate():
        if one.name == "heartbeat":
            one.join(60)
    os.utime(path, (1, 1))
    assert path.stat().st_mtime == 1


def test_a_run_that_ends_in_a_moment_needs_no_heartbeat(tmp_path):
    before = threading.active_count()
    with Journal(tmp_path, header(), lasting=False):
        assert threading.active_count() == before


def test_a_run_of_this_machine_lives_as_long_as_its_process(tmp_path):
    new_run(tmp_path)
    os.utime(tmp_path / JOURNAL, (1, 1))
    assert not is_gone(tmp_path, header_of(tmp_path)[0])
    gone(tmp_path)
    os.utime(tmp_path / JOURNAL)
    assert is_gone(tmp_path, header_of(tmp_path)[0])


@pytest.mark.parametrize("other", [Process(os.getpid(), "1", "elsewhere"), Process(os.getpid(), "", GONE.host)])
def test_a_run_of_another_machine_lives_as_long_as_its_heart_beats(tmp_path, other):
    """So does one of which the start of the process is not known."""
    new_run(tmp_path, process=other)
    path = tmp_path / JOURNAL
    now = path.stat().st_mtime
    for age, expected in ((0, False), (journal_lines.HEARTBEAT_LIMIT_SECONDS * 2, True)):
        os.utime(path, (now - age, now - age))
        assert is_gone(tmp_path, header_of(tmp_path)[0]) is expected


def test_a_process_whose_number_is_used_again_has_ended():
    me = Process.current()
    assert me.is_alive
    assert not Process(me.pid, "1", me.host).is_alive
    assert not GONE.is_alive


def test_a_process_that_nobody_has_waited_for_has_ended():
    with waiting_process() as (one, child):
        assert one.is_alive
        child.stdin.close()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it is a zombie now
        assert not one.is_alive
    assert not one.is_alive


def test_processes_are_known_without_proc(monkeypatch):
    started = process._started(os.getpid())
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path, **_: path.parts[:2] != ("/", "proc") and exists(path))
    if (found := process._started(os.getpid())) is None:
        pytest.skip("there is no ps")
    assert found != started
    assert process._started(GONE.pid) is None


def test_many_threads_may_have_a_journal_each(tmp_path):
    def run(number):
        (tmp_path / str(number)).mkdir()
        with Journal(tmp_path / str(number), header(number)) as journal:
            record(journal)
        return len(lines(journal.folder))

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(run, range(16))) == {8}


def test_snapshots_without_params_have_no_weights(tmp_path):
    """Those of a sweep that are neither the first nor the last one."""
    with Journal(tmp_path, header()) as journal:
        for step in (10, 20, 30):
            journal.snapshot(snapshot(step), with_params=step != 20)
    points = undelivered(tmp_path, "store", None, None).entry.points
    assert [one.step for one in points if one.name == "loss/train"] == [10, 20, 30]
    assert [(one.step, one.value) for one in points if one.name == "weight/w1"] == [(10, -10.0), (30, -30.0)]
