"""SIGINT, SIGTERM and SIGHUP end the process with one line and their own exit code, whatever it does."""

import json
import os
import re
import signal
from functools import partial

import pytest

from polyexp.base import InputError
from polyexp.cli.signals import Interrupted, Signals
from polyexp.experiment.job import run_info
from polyexp.report import write
from polyexp.sweep import read_table
from polyexp.tracking.store import open_store
from tests.helpers.commands import POLYEXP, SHORT, run_python, start, wait_until
from tests.helpers.stores import all_runs, only_run

ENDS = {
    signal.SIGINT: (130, "polyexp: interrupted.\n"),
    signal.SIGTERM: (143, "polyexp: terminated.\n"),
    signal.SIGHUP: (129, "polyexp: ended, since its terminal was closed.\n"),
}
# Sends a signal when the n-th module is searched that is imported after the first line of polyexp's main function.
AT_IMPORT = """
import os, signal, sys
import polyexp.__main__ as entrypoint

signal.signal(signal.SIGINT, signal.default_int_handler)

class Finder:
    left = {place}

    def find_spec(self, *_):
        Finder.left -= 1
        if Finder.left == 0:
            os.kill(os.getpid(), {number})

sys.meta_path.insert(0, Finder())
sys.argv = ["polyexp", *{words}]
sys.exit(entrypoint.main())
"""


@pytest.mark.parametrize("place", [1, 30, 300, 700, 1100, 1500])  # torch is imported after the other libraries
@pytest.mark.parametrize("number", ENDS, ids=lambda one: one.name)
def test_during_the_imports(tmp_path, number, place):
    words = ["tracking=none", "loop.steps=20", "report.pictures=none"]
    ended = run_python(AT_IMPORT.format(place=place, number=int(number), words=words), cwd=tmp_path, strict=False)
    assert (ended.code, ended.err) == ENDS[number]
    assert not list(tmp_path.rglob("journal.jsonl"))


@pytest.mark.parametrize("number", ENDS, ids=lambda one: one.name)
def test_a_signal_that_is_ignored_at_the_start_stays_so(tmp_path, number):
    program = f"import signal\nsignal.signal({int(number)}, signal.SIG_IGN)\n"
    code = program + AT_IMPORT.format(place=50, number=int(number), words=[*SHORT, "tracking=none"]).replace(
        "signal.signal(signal.SIGINT, signal.default_int_handler)", ""
    )
    ended = run_python(code, cwd=tmp_path, strict=False)
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize("number", ENDS, ids=lambda one: one.name)
def test_during_a_fit(tmp_path, new_store, number):
    """The run ends after its current block, with its files, and is recorded as KILLED, with the outcome INTERRUPTED."""
    client = open_store(new_store(tmp_path / "outputs" / "mlflow.db")).client
    words = [*POLYEXP, *SHORT, "loop.steps=1000000000", "loop.log_every=1000000", "hydra.run.dir=outputs/one"]
    with start(words, tmp_path) as process:
        wait_until(lambda: [one.info.status for one in all_runs(client)] == ["RUNNING"])
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == ENDS[number]
    last = out.splitlines()[-1]
    assert re.fullmatch(
        r"INTERRUPTED after \d+ steps, loss .*\. To go on, type `python -m polyexp resume=outputs/one`\.", last
    )
    result = json.loads((tmp_path / "outputs" / "one" / "result.json").read_text())
    assert f"INTERRUPTED after {result['steps']} steps" in last
    wait_until(lambda: [one.info.status for one in all_runs(client)] == ["KILLED"])
    run = only_run(client)
    assert run.data.tags["polyexp.outcome"] == "INTERRUPTED"
    assert (tmp_path / "outputs" / "one" / "history.csv").exists()


def test_during_the_pictures_the_run_is_finished_without_them(cli, store, monkeypatch):
    monkeypatch.setattr("polyexp.experiment.run.write", partial(killing, write, signal.SIGTERM))
    ended = cli(*SHORT, "report.pictures=all", "hydra.run.dir=outputs/one")
    assert (ended.code, ended.err) == ENDS[signal.SIGTERM]
    run = only_run(store)
    assert (run.info.status, run.data.tags["polyexp.outcome"]) == ("FINISHED", "MAX_STEPS")
    assert "Files in outputs/one" in ended.out


def test_before_a_run_begins_nothing_is_left(cli, tmp_path, monkeypatch):
    monkeypatch.setattr("polyexp.experiment.run.run_info", partial(killing, run_info, signal.SIGINT))
    ended = cli(*SHORT)
    assert (ended.code, ended.err) == ENDS[signal.SIGINT]
    assert not (tmp_path / "outputs" / "runs").exists()


@pytest.mark.parametrize(
    "where", ["polyexp.cli.main.prepare", "polyexp.experiment.Experiment.check", "polyexp.action.fit.run"]
)
@pytest.mark.parametrize("lost", [AttributeError("of the code of others"), None], ids=["error", "sentence"])
def test_what_a_signal_raises_is_not_lost_in_the_code_of_others(cli, tmp_path, monkeypatch, where, lost):
    def losing(*_):
        try:
            os.kill(os.getpid(), signal.SIGHUP)
        except Interrupted:
            raise (lost or InputError("another sentence")) from None

    monkeypatch.setattr(where, losing)
    ended = cli(*SHORT)
    assert (ended.code, ended.out, ended.err) == (ENDS[signal.SIGHUP][0], "", ENDS[signal.SIGHUP][1])
    assert not (tmp_path / "outputs" / "runs").exists()


def test_before_a_journal_begins_nothing_is_left(cli, tmp_path, monkeypatch):
    def killed(self):
        (folder,) = tmp_path.glob("outputs/runs/*/*")
        (folder / "recorder.log").touch()  # by a recorder that has just been started
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Signals, "gently", killed)
    ended = cli(*SHORT)
    assert (ended.code, ended.err) == ENDS[signal.SIGINT]
    assert not (tmp_path / "outputs" / "runs").exists()


def test_in_a_sweep_jobs_that_have_not_begun_are_left(cli, store, tmp_path, monkeypatch):
    monkeypatch.setattr("polyexp.experiment.run.write", partial(killing, write, signal.SIGINT))
    ended = cli("-m", *SHORT, "seed=0,1,2", "hydra.sweep.dir=outputs/s")
    assert ended.code == 130
    assert [row.outcome for row in read_table(tmp_path / "outputs" / "s").rows] == ["MAX_STEPS", "NOT_RUN", "NOT_RUN"]
    monkeypatch.undo()
    assert cli("sweep.resume=outputs/s").code == 0
    assert [row.outcome for row in read_table(tmp_path / "outputs" / "s").rows] == ["MAX_STEPS"] * 3


@pytest.mark.parametrize("number", ENDS, ids=lambda one: one.name)
def test_after_the_command_has_ended(tmp_path, number):
    code = f"""
import atexit, os, sys
import polyexp.__main__ as entrypoint

atexit.register(os.kill, os.getpid(), {int(number)})
sys.argv = ["polyexp", *{SHORT}, "tracking=none", "report.pictures=none"]
sys.exit(entrypoint.main())
"""
    ended = run_python(code, cwd=tmp_path)
    assert (ended.code, ended.err) == ENDS[number]
    assert "Files in" in ended.out


def killing(function, number, *args, **named):
    """Call a function, and send this process a signal."""
    done = function(*args, **named)
    os.kill(os.getpid(), number)
    return done


# What decides it


@pytest.fixture
def signals():
    handlers = {number: signal.getsignal(number) for number in ENDS}
    one = Signals()
    one.take()
    one.imported()
    yield one
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDS, ids=lambda one: one.name)
def test_a_signal_is_raised_where_the_process_is(signals, number):
    with pytest.raises(Interrupted) as stop:
        os.kill(os.getpid(), number)
    assert (stop.value.code, f"polyexp: {stop.value.sentence}\n") == ENDS[number]


def test_a_run_that_is_recorded_is_asked_to_stop(signals):
    with signals.gently():
        assert not signals.asked()
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.asked()
    with pytest.raises(Interrupted) as stop:
        signals.end()
    assert stop.value.code == 143


def test_a_second_signal_ends_the_process_at_once(tmp_path):
    code = """
import os, signal
from polyexp.base import InputError
from polyexp.cli.signals import signals
signals.take()
signals.imported()
with signals.gently():
    os.kill(os.getpid(), signal.SIGTERM)
    print("still here", flush=True)
    os.kill(os.getpid(), signal.SIGINT)
    print("not any more")
"""
    ended = run_python(code, cwd=tmp_path)
    assert ended == (130, "still here\n", "polyexp: interrupted.\n")


def test_a_second_signal_where_the_first_one_is_raised(tmp_path):
    code = """
import os, signal
from polyexp.base import InputError
from polyexp.cli.signals import signals
signals.take()
signals.imported()
try:
    os.kill(os.getpid(), signal.SIGTERM)
finally:
    print("still here", flush=True)
    os.kill(os.getpid(), signal.SIGHUP)
"""
    ended = run_python(code, cwd=tmp_path)
    assert ended == (129, "still here\n", "polyexp: ended, since its terminal was closed.\n")


def test_where_python_cannot_raise_an_exception_nothing_is_printed_of_it(tmp_path):
    """As in what the garbage collector calls. It is noted, and raised at the end; other exceptions are printed."""
    code = """
import os, signal, sys
from polyexp.cli.signals import signals

class Deleted:
    def __init__(self, done):
        self.done = done
    def __del__(self):
        self.done()

signals.take()
signals.imported()
try:
    with signals.never_lost():
        Deleted(lambda: os.kill(os.getpid(), signal.SIGTERM))
        print(signals.asked(), flush=True)
        Deleted(lambda: 1 / 0)
except KeyboardInterrupt as stop:
    sys.exit(stop.code)
"""
    ended = run_python(code, cwd=tmp_path)
    assert (ended.code, ended.out) == (143, "True\n")
    assert "ZeroDivisionError" in ended.err
    assert "Interrupted" not in ended.err


def test_in_another_thread_nothing_is_taken():
    code = """
import threading
from polyexp.base import InputError
from polyexp.cli.signals import signals
thread = threading.Thread(target=signals.take)
thread.start()
thread.join()
"""
    assert run_python(code) == (0, "", "")
