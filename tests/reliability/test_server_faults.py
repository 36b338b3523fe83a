"""A server that fails after the checks of a run: the fit ends as ever, and `action=sync` delivers it once and whole."""

import contextlib
import threading
import time

import pytest

from tests.helpers.commands import run
from tests.helpers.faulty_proxy import FAULTS, KINDS, Fault, FaultyProxy
from tests.helpers.recorded_fits import FILES, fitting, verdict
from tests.helpers.servers import find_free_port, started

CALLS = {  # of a run, by what they are called in the table
    "get experiment": "get_experiment",
    "create experiment": "create_experiment",
    "search": "search",
    "create run": "create",
    "log batch": "log_batch",
    "log inputs": "log_inputs",
    "upload": "upload",
    "update run": "update",
    "set experiment tag": "set_experiment_tag",
}
EACH = {
    "401": FAULTS["401"],
    "429": FAULTS["429"],
    "500": FAULTS["500"],
    "reset": FAULTS["reset_before"],
    "hang": FAULTS["hang"],
    "answer lost": FAULTS["reset_after"],
}
MANY = 1000  # calls, until it is mended
WAIT = "tracking.wait=1"


def judge(facts, folder, done, store, fault, when, status="FINISHED"):
    """Deliver what is left, and require that the fit was not disturbed and is in the store once and whole."""
    synced = run("action=sync", "action.folder=runs", cwd=folder)
    found = verdict(store, folder / "runs" / "one", status)
    facts(fault=fault, when=when, exit=done.code, lines=len(done.err.splitlines()), lost=found.lost)
    facts(doubled=found.doubled, wrong=len(found.wrong))
    assert (synced.code, synced.err) == (0, "")
    require_undisturbed(folder, done)
    assert found.is_right, found


def require_undisturbed(folder, done):
    assert done.code == 0, done.err
    assert len(done.err.splitlines()) <= 3, done.err
    assert {path.name for path in (folder / "runs" / "one").iterdir()} >= FILES


@pytest.mark.sample(4)
@pytest.mark.parametrize("fault", EACH)
@pytest.mark.parametrize("call", CALLS)
def test_a_kind_of_call_that_fails_until_it_is_mended(call, fault, server, tmp_path, facts):
    address, store = server[0], server[1] / "mlflow.db"
    with FaultyProxy(address) as proxy:
        # The checks get the experiment once, and call nothing else.
        proxy.fail(CALLS[call], EACH[fault], MANY, after=int(call == "get experiment"))
        with fitting(tmp_path, f"tracking.uri={proxy.address}", f"tracking.experiment_name={tmp_path}", WAIT) as fit:
            fit.wait_for()
            done = fit.finish()
            proxy.heal()
            judge(facts, tmp_path, done, store, f"server: {fault}", "from the first such call on")
            fit.wait_for_recorder()
        proxy.settle()
    assert verdict(store, tmp_path / "runs" / "one").is_right


@pytest.mark.parametrize("fault", [*EACH, "500 ms more"])
def test_every_call_fails_until_it_is_mended(fault, server, tmp_path, facts):
    address, store = server[0], server[1] / "mlflow.db"
    with FaultyProxy(address) as proxy:
        with fitting(tmp_path, f"tracking.uri={proxy.address}", f"tracking.experiment_name={tmp_path}", WAIT) as fit:
            fit.wait_for(20)
            with fit.halted():
                fit.wait_for_delivery()
                for kind in KINDS:
                    proxy.fail(kind, EACH.get(fault, Fault(delay=0.5)), MANY)
            done = fit.finish()
            proxy.heal()
            judge(facts, tmp_path, done, store, f"server: {fault}", "every call, after some points were delivered")
            fit.wait_for_recorder()
        proxy.settle()
    assert verdict(store, tmp_path / "runs" / "one").is_right


@pytest.mark.parametrize("seconds", [1, 10, pytest.param(60, marks=pytest.mark.sample(0))])
def test_a_server_that_is_killed_and_comes_back(seconds, tmp_path, new_store, facts):
    folder, port = tmp_path / "server", find_free_port()
    uri = new_store(folder / "mlflow.db")
    words = (folder, uri, port, "--artifacts-destination", folder / "artifacts")
    with contextlib.ExitStack() as servers:
        server = servers.enter_context(started(*words))

        def bring_back():
            time.sleep(seconds)
            servers.enter_context(started(*words))

        back = threading.Thread(target=bring_back)
        with fitting(tmp_path, f"tracking.uri={server.address}", WAIT) as fit:
            fit.wait_for(20)
            with fit.halted():
                fit.wait_for_delivery()
                server.kill()
            back.start()
            done = fit.finish()
            back.join()
            when = "after some points were delivered"
            judge(facts, tmp_path, done, folder / "mlflow.db", f"server killed, back after {seconds} s", when)
            fit.wait_for_recorder()
        assert verdict(folder / "mlflow.db", tmp_path / "runs" / "one").is_right
