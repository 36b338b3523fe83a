"""Checkpoints while a fit runs: what is kept stays what it is, and the fit neither waits nor fails for a disk."""

import errno
import sys
import threading
import time
import tracemalloc
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import polyexp as p
from polyexp.base import sync_folder
from polyexp.experiment import build, compute
from polyexp.fitting import (
    CHECKPOINT,
    PREVIOUS,
    CheckpointWriter,
    History,
    blocks,
    checkpoint_file,
    read_checkpoint,
)
from polyexp.fitting.history import Collected
from polyexp.tracking import Journal, history_of
from tests.helpers.cases import named
from tests.helpers.checkpoints import FINGERPRINT, LONG, MODEL, SETTINGS, bits, failing, fit_arguments, kept, saved
from tests.helpers.commands import start, wait_until
from tests.helpers.config import composed
from tests.helpers.fits import SAMPLES
from tests.helpers.journals import header
from tests.helpers.runs import assert_same_bits

ROOT = Path(__file__).parents[1]
MEGABYTE = 10**6


def writer(folder, **options):
    """A writer that writes as often as it can."""
    return CheckpointWriter(folder, SETTINGS, FINGERPRINT, **({"every": 0.0} | options))


@pytest.fixture
def single_steps(monkeypatch):
    """A block for each step."""
    monkeypatch.setattr(blocks, "MAX_BLOCK_SECONDS", 1e-7)


# `keep` of `fit`


@pytest.mark.parametrize("backend", [p.NumPy(), p.Torch("float32"), p.JAX()], ids=named)
@pytest.mark.parametrize("seed", [0, [0, 1, 2]], ids=["single", "batch"])
def test_a_checkpoint_stays_what_it_is_while_the_fit_goes_on(single_steps, backend, seed):
    """Also its history, although the arrays of the fit grow, as they do at 64 snapshots, 136 and so on."""
    arguments = fit_arguments(backend=backend, seed=seed, loop=p.Manual(steps=150, log_every=1))
    at_once, later = [], []

    def keep(make):
        one = make()
        later.append(one)
        at_once.append(saved(one, with_history=True).arrays["history.params"].copy())

    whole = p.fit(**arguments, keep=keep)
    assert_same_bits(whole, p.fit(**arguments))
    assert [len(one) for one in at_once] == list(range(1, 150))
    for copy, one in zip(at_once, later, strict=True):
        np.testing.assert_array_equal(one.history.params, copy)
        np.testing.assert_array_equal(one.history.params, whole.history.params[: len(copy)])
    for one in later[::30]:
        assert_same_bits(p.fit(**arguments, start=one), whole)


def test_keep_is_called_where_stop_is_but_not_after_it(single_steps):
    """The checkpoint of a fit that was stopped is that of its result."""
    calls = []
    arguments = fit_arguments(loop=p.Manual(steps=10, log_every=5))

    def stop():
        calls.append("stop")
        return len(calls) == 7

    result = p.fit(**arguments, stop=stop, keep=lambda make: calls.append(int(make().state.step)))
    assert calls == ["stop", 1, "stop", 2, "stop", 3, "stop"]
    assert result.checkpoint.state.step == 4
    assert len(kept(arguments)[1]) == 9  # not after the end


def test_no_state_is_read_unless_a_checkpoint_is_made(single_steps, monkeypatch):
    """The state of the optimizer is read for a checkpoint alone."""
    reads = []

    class Counting(p.NumPy):
        def get(self, array):
            reads.append(1)
            return super().get(array)

    def number(keep):
        reads.clear()
        p.fit(**fit_arguments(backend=Counting(), loop=p.Manual(steps=20, log_every=10)), keep=keep)
        return len(reads)

    none = number(None)
    assert number(lambda make: None) == none
    assert number(lambda make: make()) == none + 19 * 6  # parameters, loss, norm, and three arrays of Adam


def test_compute_passes_it_on():
    words = ("backend=numpy", "problem.num_samples=20", "model.degree=3", "loop.steps=20", "loop.log_every=5")
    experiment = build(composed(*words, "tracking=none"))
    checkpoints = []
    whole = compute(experiment, keep=lambda make: checkpoints.append(make()))
    again = compute(experiment, start=lambda begin: saved(checkpoints[2]).joined(begin, checkpoints[2].history))
    assert_same_bits(whole, again)


# A million snapshots


def long_history(size):
    random = np.random.RandomState(0)
    return History(
        np.arange(1, size + 1), random.rand(size, 4), *(random.rand(size) for _ in range(3)), length=np.int64(size)
    )


@pytest.mark.parametrize("with_history", [False, True], ids=["length", "values"])
def test_a_checkpoint_copies_no_snapshot(with_history):
    """Of a million, which have 64 MB."""
    size = 10**6
    stopped = p.fit(**fit_arguments(), stop=lambda: True).checkpoint
    state = stopped.state._replace(step=np.int64(size))
    begin = replace(stopped, state=state, history=long_history(size))
    peaks, seconds = [], []

    def keep(make):
        tracemalloc.start()
        saved(make(), with_history=with_history)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        began = time.perf_counter()
        saved(make(), with_history=with_history)
        seconds.append(time.perf_counter() - began)

    loop = p.Manual(steps=size + 50, log_every=10)
    p.fit(**fit_arguments(loop=loop), start=begin, keep=keep)
    assert len(peaks) > 3
    assert max(peaks) < 0.1 * MEGABYTE
    assert min(seconds) < 0.01


def test_a_file_without_the_values_is_small(tmp_path):
    stopped = p.fit(**fit_arguments(), stop=lambda: True).checkpoint
    with writer(tmp_path) as one:
        one.write(replace(stopped, history=long_history(10**5)))
    assert (tmp_path / CHECKPOINT).stat().st_size < 10**5 * 8 + 20_000  # the steps alone
    assert read_checkpoint(tmp_path)[0].steps.size == 10**5


def test_snapshots_grow_in_place_unless_a_history_sees_them():
    collected = Collected(long_history(1000))
    history = collected.history(np.int64(1000))
    before = history.params.copy()
    snapshot = p.Snapshot(1001, np.full(4, 7.0), *(np.array(7.0) for _ in range(3)))
    for _ in range(200):
        collected.add(snapshot)
    np.testing.assert_array_equal(history.params, before)
    again = collected.history(np.int64(1200))
    np.testing.assert_array_equal(again.params[:1000], before)
    assert (again.params[1000:] == 7).all()


# The writer


def test_the_newest_is_on_the_disk_at_the_end(tmp_path, single_steps):
    arguments = fit_arguments()
    with writer(tmp_path) as one:
        whole = p.fit(**arguments, keep=one.keep)
    again, warning = read_checkpoint(tmp_path)
    assert (warning, again.step, again.history) == ("", 59, None)
    assert_same_bits(p.fit(**arguments, start=lambda begin: again.joined(begin, kept(arguments)[1][-1].history)), whole)


def test_a_batch_with_its_history(tmp_path, single_steps):
    arguments = fit_arguments(seed=[0, 1, 2])
    with writer(tmp_path, with_history=True) as one:
        whole = p.fit(**arguments, keep=one.keep)
    again, _ = read_checkpoint(tmp_path)
    assert_same_bits(p.fit(**arguments, start=again.joined), whole)


def test_nothing_is_made_before_it_is_due(tmp_path, single_steps):
    """And no thread is started."""
    threads = threading.active_count()
    with writer(tmp_path, every=1e9) as one:
        p.fit(**fit_arguments(), keep=lambda make: one.keep(None))  # which cannot be called
        assert threading.active_count() == threads
    assert not list(tmp_path.iterdir())


def test_one_is_made_each_time_that_it_is_due(tmp_path, monkeypatch):
    now, made = [0.0], []
    monkeypatch.setattr("polyexp.fitting.checkpoint_writer.time.monotonic", lambda: now[0])
    checkpoint = kept(fit_arguments())[1][0]

    def make():
        made.append(now[0])
        return checkpoint

    with writer(tmp_path, every=30) as one:
        for now[0] in (0.0, 29.9, 30.0, 30.5, 59.9, 61.0, 90.0, 91.0):
            one.keep(make)
    assert made == [30.0, 61.0, 91.0]


def test_the_fit_does_not_wait_for_the_disk(tmp_path, single_steps, monkeypatch):
    """The fit ends while the disk does not answer; afterwards the newest is written, and those between are left out."""
    answers, threads, steps = threading.Event(), [], []
    fsync, write = checkpoint_file.os.fsync, checkpoint_file.write_checkpoint

    def slow(file):
        threads.append(threading.current_thread().name)
        assert answers.wait(60)
        fsync(file)

    def noted(folder, one):
        steps.append(one.step)
        write(folder, one)

    monkeypatch.setattr("os.fsync", slow)
    monkeypatch.setattr("polyexp.fitting.checkpoint_writer.write_checkpoint", noted)
    with writer(tmp_path) as one:
        result = p.fit(**fit_arguments(), keep=one.keep)
        assert result.outcome is p.Outcome.MAX_STEPS
        assert not (tmp_path / CHECKPOINT).exists()
        answers.set()
    assert steps[-1] == 59
    assert len(steps) <= 3  # the first one, the one that waited, perhaps one between
    assert set(threads) == {"checkpoints"}
    assert read_checkpoint(tmp_path)[0].step == 59


def test_a_disk_that_never_answers_holds_up_the_end_for_a_while_alone(tmp_path, single_steps, monkeypatch):
    answers = threading.Event()
    monkeypatch.setattr("os.fsync", lambda file: answers.wait(60))
    one = writer(tmp_path)
    p.fit(**fit_arguments(), keep=one.keep)
    began = time.monotonic()
    one.close(0.2)
    assert time.monotonic() - began < 5
    answers.set()
    wait_until(lambda: not any(thread.name == "checkpoints" for thread in threading.enumerate()))


def no_space(*args):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("call", ["fsync", "replace", "open"])
def test_a_failure_is_one_warning_and_the_fit_goes_on(tmp_path, single_steps, monkeypatch, call):
    arguments, warnings, threads = fit_arguments(), [], set()

    def warn(sentence):
        warnings.append(sentence)
        threads.add(threading.current_thread())

    whole = p.fit(**arguments)
    monkeypatch.setattr(f"os.{call}", no_space)
    with writer(tmp_path, warn=warn) as one:
        assert_same_bits(p.fit(**arguments, keep=one.keep), whole)
        one.write(kept(arguments)[1][0])
    monkeypatch.undo()
    assert warnings == [
        f"a checkpoint could not be written into {tmp_path} (No space left on device); the fit does not depend on it, "
        "and the checkpoint before is kept."
    ]
    assert threads == {threading.current_thread()}


def test_it_writes_again_once_the_disk_does(tmp_path, single_steps):
    checkpoints, warnings = kept(fit_arguments())[1], []
    with writer(tmp_path, warn=warnings.append) as one:
        with failing("write", 5, lambda: no_space()):
            one.keep(lambda: checkpoints[0])
            wait_until(lambda: one._failure)
        one.keep(lambda: checkpoints[1])
    assert len(warnings) == 1
    assert read_checkpoint(tmp_path) == (saved(checkpoints[1]), "")


def test_one_that_is_too_large_is_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint_file, "MAX_FILE_BYTES", 1)
    warnings, checkpoint = [], kept(fit_arguments())[1][0]
    with writer(tmp_path, warn=warnings.append) as one:
        one.keep(lambda: checkpoint)
        one.write(checkpoint)
    assert len(warnings) == 1
    assert "must have at most 1 bytes" in warnings[0]


def test_the_journal_is_brought_to_the_disk_first(tmp_path):
    """In the thread that writes; where that fails, no checkpoint counts snapshots that may be lost."""
    checkpoints, calls, warnings = kept(fit_arguments())[1], [], []

    def first():
        calls.append(threading.current_thread().name)
        assert len(calls) == 1 or read_checkpoint(tmp_path)[0].step == 1
        if len(calls) == 2:
            no_space()

    with writer(tmp_path, first=first, warn=warnings.append) as one:
        one.write(checkpoints[0])
        one.keep(lambda: checkpoints[1])
    assert calls == ["MainThread", "checkpoints"]
    assert len(warnings) == 1
    assert read_checkpoint(tmp_path) == (saved(checkpoints[0]), "")


@pytest.mark.parametrize(("number", "is_raised"), [(errno.EINVAL, False), (errno.ENOTSUP, False), (errno.EIO, True)])
def test_a_file_system_without_fsync_of_folders(tmp_path, monkeypatch, number, is_raised):
    def fail(file):
        raise OSError(number, "no")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="no") if is_raised else nullcontext():
        sync_folder(tmp_path)
    monkeypatch.delattr("os.O_DIRECTORY")
    sync_folder(tmp_path / "missing")  # where folders cannot be opened


def test_the_last_one_is_not_overtaken(tmp_path, monkeypatch):
    """One that waits for the disk, or that waits in line, is older than the one that is written on demand."""
    checkpoints, answers, begun = kept(fit_arguments())[1], threading.Event(), threading.Event()
    fsync = checkpoint_file.os.fsync

    def slow(file):
        begun.set()
        assert answers.wait(60)
        fsync(file)

    monkeypatch.setattr("os.fsync", slow)
    with writer(tmp_path) as one:
        one.keep(lambda: checkpoints[0])
        assert begun.wait(60)
        one.keep(lambda: checkpoints[1])
        threading.Timer(0.2, answers.set).start()
        one.write(checkpoints[2])  # waits for the first one
        assert read_checkpoint(tmp_path) == (saved(checkpoints[2]), "")
    assert read_checkpoint(tmp_path) == (saved(checkpoints[2]), "")
    (tmp_path / CHECKPOINT).unlink()
    assert read_checkpoint(tmp_path)[0] == saved(checkpoints[0])


def test_an_older_one_is_not_written_after_the_last_one(tmp_path):
    """The thread has taken it, but has not begun to write when the last one is written."""
    checkpoints = kept(fit_arguments())[1]
    with writer(tmp_path) as one:
        one._writing.acquire()
        one.keep(lambda: checkpoints[0])
        wait_until(lambda: one._waiting is None)
        numbered = one._numbered(checkpoints[1])
        one._writing.release()  # the thread may write first, or last
        one._write(*numbered)
    assert read_checkpoint(tmp_path) == (saved(checkpoints[1]), "")
    with writer(tmp_path) as one:
        older, newer = one._numbered(checkpoints[2]), one._numbered(checkpoints[3])
        one._write(*newer)
        one._write(*older)
    assert read_checkpoint(tmp_path) == (saved(checkpoints[3]), "")


def test_what_a_killed_process_left_is_removed(tmp_path):
    (tmp_path / f".123.{CHECKPOINT}").write_text("")
    (tmp_path / ".123.result.json").write_text("")
    with writer(tmp_path) as one:
        one.write(kept(fit_arguments())[1][0])
    assert sorted(path.name for path in tmp_path.iterdir()) == [".123.result.json", CHECKPOINT]


# With a journal


class GoneError(Exception):
    """In place of a signal that kills the process: nothing else is written."""


@pytest.mark.parametrize("last", [3, 17, 40, 59])
@pytest.mark.parametrize("loop", [p.Manual(steps=60, log_every=2), p.ClosedForm(steps=60)], ids=named)
def test_a_run_that_is_gone_goes_on_from_its_checkpoint_and_its_journal(tmp_path, single_steps, last, loop):
    """No step twice, none missing; what the journal has beyond the checkpoint is left out."""
    arguments = fit_arguments(loop=loop, optimizer=p.Momentum(0.1))
    whole, seen = p.fit(**arguments), []
    journal = Journal(tmp_path, header(param_names=list(MODEL.on_domain(SAMPLES.domain).param_names)))
    one = writer(tmp_path, first=journal.sync)

    def observe(snapshot):
        journal.snapshot(snapshot)
        if snapshot.step >= last:
            raise GoneError

    with pytest.raises(GoneError):
        p.fit(**arguments, observe=observe, keep=one.keep)
    wait_until(lambda: (tmp_path / CHECKPOINT).exists())
    one.close()
    again, warning = read_checkpoint(tmp_path)
    history = history_of(tmp_path, again.steps)
    assert warning == ""
    result = p.fit(**arguments, start=lambda begin: again.joined(begin, history), observe=seen.append)
    assert_same_bits(result, whole)
    assert [*history.step.tolist(), *(snapshot.step for snapshot in seen)] == whole.history.step.tolist()
    journal.end()


def test_the_numbers_of_a_fit_are_the_same_for_each_way_to_keep_it(tmp_path, single_steps):
    arguments = fit_arguments()
    with writer(tmp_path) as one:
        p.fit(**arguments, keep=one.keep)
    again = read_checkpoint(tmp_path)[0]
    expected = saved(kept(arguments)[1][-1])
    same = {name: value for name, value in bits(again).items() if name != "seconds"}
    assert same == {name: value for name, value in bits(expected).items() if name != "seconds"}
    assert (tmp_path / PREVIOUS).exists()


@pytest.mark.slow
@pytest.mark.parametrize("milliseconds", [1, 100, 300, 600, 900])
def test_a_process_that_is_killed_while_it_writes(tmp_path, milliseconds):
    """Wherever it is then: it goes on from its checkpoint and its journal to the same bits."""
    program = "import sys\nfrom pathlib import Path\nfrom tests.helpers.checkpoints import run_for_long\n"
    program += "run_for_long(Path(sys.argv[1]))"
    folder = tmp_path / "run"
    folder.mkdir()
    with start([sys.executable, "-c", program, folder], cwd=ROOT) as process:
        wait_until(lambda: (folder / CHECKPOINT).exists())
        time.sleep(milliseconds / 1000)
        assert process.poll() is None
        process.kill()
        process.wait(60)
    arguments, seen = fit_arguments(**LONG), []
    again, _ = read_checkpoint(folder)
    history = history_of(folder, again.steps)
    result = p.fit(**arguments, start=lambda begin: again.joined(begin, history), observe=seen.append)
    whole = p.fit(**arguments)
    assert_same_bits(result, whole)
    assert [*history.step.tolist(), *(snapshot.step for snapshot in seen)] == whole.history.step.tolist()
    assert 0 < again.step < 100_000
