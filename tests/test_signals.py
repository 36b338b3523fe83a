"""SIGINT, SIGTERM and SIGHUP end the process with one line and their own exit code, whatever it does."""

import os
import signal

import pytest

from polyexp.cli.signals import Interrupted, Signals
from tests.helpers.commands import POLYEXP, SHORT, run_python, start, wait_until

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
def test_during_a_fit(tmp_path, number):
    words = [*POLYEXP, *SHORT, "tracking=none", "loop.steps=1000000000", "loop.log_every=1000000"]
    with start(words, tmp_path) as process:
        wait_until(lambda: list(tmp_path.rglob("journal.jsonl")))
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == ENDS[number]


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


def test_in_another_thread_nothing_is_taken():
    code = """
import threading
from polyexp.cli.signals import signals
thread = threading.Thread(target=signals.take)
thread.start()
thread.join()
"""
    assert run_python(code) == (0, "", "")
