"""A run that is killed: what it has seen is in MLflow, and the run is closed."""

import os
import random
import signal
import time

import pytest

from tests.helpers.commands import run, wait_until
from tests.helpers.recorded_fits import fitting, journal, verdict

LIMIT_SECONDS = 15  # within which all is in the store
SEEN_MILLISECONDS = 2000
FROM_THE_START = 8  # runs that may be killed before they have a journal; the others have one
LONG = ("loop.steps=10000000", "quiet=true")  # it neither ends by itself nor waits until its pipe is read


def kill_at(fit, seconds):
    """Kill a fit some seconds after the start of its process, and return when, in milliseconds since 1970."""
    time.sleep(seconds)
    assert fit.is_alive()
    fit.process.send_signal(signal.SIGKILL)
    killed = time.time_ns() // 1_000_000
    fit.process.wait()
    return killed


def points_in(store, folder):
    """Whether a store holds all that the journal of a killed run holds."""
    return verdict(store, folder, "KILLED").is_right


def require_journaled(folder, killed):
    """Require that what was seen two seconds before is in the journal, of a fit that has a snapshot every few milliseconds."""
    lines = journal(folder)
    if lines and killed - lines[0]["time"] > 2 * SEEN_MILLISECONDS:
        assert lines[-1]["kind"] == "snapshot"
        assert killed - lines[-1]["time"] <= SEEN_MILLISECONDS


@pytest.mark.sample(4)
@pytest.mark.parametrize("number", range(40))
def test_a_run_is_killed_at_a_random_moment(number, seed, tmp_path, new_store, facts):
    store = tmp_path / "store" / "mlflow.db"
    uri, folder = new_store(store), tmp_path / "runs" / "one"
    with fitting(tmp_path, f"tracking.uri={uri}", *LONG) as fit:
        if number >= FROM_THE_START:
            fit.wait_for()
        killed = kill_at(fit, random.Random(f"{seed} {number}").uniform(0, 8))
        require_journaled(folder, killed)
        if journal(folder):
            wait_until(lambda: points_in(store, folder), seconds=LIMIT_SECONDS)
    note(facts, store, folder, "SIGKILL of the run", "at a random moment")


@pytest.mark.sample(1)
@pytest.mark.parametrize("number", range(6))
def test_a_run_whose_store_is_a_server_is_killed(number, seed, server, tmp_path, facts):
    address, store, folder = server[0], server[1] / "mlflow.db", tmp_path / "runs" / "one"
    with fitting(tmp_path, f"tracking.uri={address}", f"tracking.experiment_name={tmp_path}", *LONG) as fit:
        fit.wait_for()
        killed = kill_at(fit, random.Random(f"{seed} server {number}").uniform(0, 8))
        require_journaled(folder, killed)
        wait_until(lambda: points_in(store, folder), seconds=LIMIT_SECONDS)
    note(facts, store, folder, "SIGKILL of the run, whose store is a server", "at a random moment")


@pytest.mark.sample(2)
@pytest.mark.parametrize("number", range(20))
def test_a_run_is_killed_with_its_recorder(number, seed, tmp_path, new_store, facts):
    store = tmp_path / "store" / "mlflow.db"
    uri, folder = new_store(store), tmp_path / "runs" / "one"
    with fitting(tmp_path, f"tracking.uri={uri}", *LONG) as fit:
        fit.wait_for()
        seconds = random.Random(f"{seed} both {number}").uniform(0, 6)
        if number % 2:  # the recorder first, or last
            seconds /= 2
            time.sleep(seconds)
            for one in fit.recorders:
                os.kill(one, signal.SIGKILL)
        kill_at(fit, seconds)
        for one in fit.recorders:
            if not number % 2:
                os.kill(one, signal.SIGKILL)
        fit.wait_for_recorder()
        synced = run("action=sync", "action.folder=runs", cwd=tmp_path)
    assert (synced.code, synced.err) == (0, "")
    note(facts, store, folder, "SIGKILL of the run and its recorder", "at a random moment, then `action=sync`")


def note(facts, store, folder, fault, when):
    """Note and require that a killed run is in a store, if it has begun."""
    if not journal(folder):  # killed before there was anything to record
        assert not list(folder.glob("*.jsonl"))
        facts(fault=fault, when=when, lost=0, doubled=0, wrong=0)
        return
    found = verdict(store, folder, "KILLED")
    facts(fault=fault, when=when, lost=found.lost, doubled=found.doubled, wrong=len(found.wrong))
    assert found.is_right, found
