"""Several processes at once: that make one store, that use one folder, that deliver the same."""

import contextlib
import sqlite3
import threading
from contextlib import closing

import pytest

from tests.helpers.commands import POLYEXP, SHORT, run, start, wait_until
from tests.helpers.recorded_fits import distinct_runs, fitting, journal, verdict

AT_ONCE = 8


@pytest.mark.sample(2)
@pytest.mark.parametrize("number", range(25))
def test_eight_processes_make_one_store(number, tmp_path, facts):
    """None waits in vain, as MLflow's own start needs a while on a busy machine."""
    words = [*POLYEXP, *SHORT, "report.pictures=none", "quiet=true", "tracking.wait=120"]
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(start([*words, f"seed={k}"], tmp_path)) for k in range(AT_ONCE)]
        said = [process.communicate(timeout=300) for process in processes]
    store = tmp_path / "outputs" / "mlflow.db"
    folders = [path.parent for path in tmp_path.glob("outputs/runs/*/*/journal.jsonl")]
    found = distinct_runs(store)
    lost, doubled = AT_ONCE - len(found), found.total() - len(found)
    wrong = sum(not verdict(store, folder).is_right for folder in folders)
    facts(
        fault=f"{AT_ONCE} processes make one store", when="at the start", exit=max(one.returncode for one in processes)
    )
    facts(lines=max(len(err.splitlines()) for _, err in said), lost=lost, doubled=doubled, wrong=wrong, runs=AT_ONCE)
    assert [one.returncode for one in processes] == [0] * AT_ONCE
    assert not any("not in" in err or len(err.splitlines()) > 3 for _, err in said), said
    assert (lost, doubled, wrong, len(folders)) == (0, 0, 0, AT_ONCE)
    with closing(sqlite3.connect(store)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_second_run_into_one_folder(tmp_path, new_store, facts):
    """It is refused, and nothing of the first one is touched."""
    uri = new_store(tmp_path / "store" / "mlflow.db")
    with fitting(tmp_path, f"tracking.uri={uri}") as fit:
        fit.wait_for(20)
        with fit.halted():
            before = {path.name: path.read_bytes() for path in fit.folder.iterdir() if path.is_file()}
            second = run(*SHORT, f"tracking.uri={uri}", "hydra.run.dir=runs/one", cwd=tmp_path)
            kept = {"journal.jsonl", "polyexp.log"}
            after = {name: (fit.folder / name).read_bytes() for name in kept}
        first = fit.finish()
        fit.wait_for_recorder()
    found = verdict(tmp_path / "store" / "mlflow.db", fit.folder)
    facts(fault="a second run into the folder", when="while the first one runs", exit=second.code)
    facts(lines=len(second.err.splitlines()), lost=found.lost, doubled=found.doubled, wrong=len(found.wrong))
    assert second.code == 2
    assert len(second.err.splitlines()) == 1
    assert "`hydra.run.dir` must name a folder without a run in it" in second.err
    assert after == {name: before[name] for name in kept}
    assert (first.code, first.err) == (0, "")
    assert found.is_right, found


def test_two_deliveries_at_once(tmp_path, new_store, facts):
    uri = new_store(tmp_path / "store" / "mlflow.db")
    store = tmp_path / "store" / "mlflow.db"
    names = [f"runs/{number}" for number in range(6)]
    for number, name in enumerate(names):
        words = (*SHORT, "report.pictures=none", f"seed={number}", f"hydra.run.dir={name}")
        kept = ("tracking.wait=0", f"tracking.uri={uri}")
        with closing(sqlite3.connect(store, isolation_level=None)) as lock:
            lock.execute("BEGIN IMMEDIATE")
            with start([*POLYEXP, *words, *kept], tmp_path) as process:
                process.communicate(timeout=120)
    synced = []
    threads = [
        threading.Thread(target=lambda: synced.append(run("action=sync", "action.folder=runs", cwd=tmp_path)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: all((tmp_path / name / "delivery.json").exists() for name in names))
    found = [verdict(store, tmp_path / name) for name in names]
    facts(fault="two `action=sync` at once", when="with six runs to deliver", exit=max(one.code for one in synced))
    facts(lines=max(len(one.err.splitlines()) for one in synced), lost=sum(one.lost for one in found))
    facts(doubled=sum(one.doubled for one in found), wrong=sum(bool(one.wrong) for one in found), runs=len(names))
    assert [(one.code, one.err) for one in synced] == [(0, "")] * 2
    assert all(one.is_right for one in found), found
    assert len(journal(tmp_path / names[0])) > 1
