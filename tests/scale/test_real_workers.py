"""Sweeps on joblib, submitit and Ray: every job is recorded once, also where a worker is killed (make test-scale).

The stores are SQLite and a server of MLflow on PostgreSQL.
"""

import csv
import os
import signal
from collections import Counter
from contextlib import suppress

import pytest

from polyexp.tracking import JournalError, end_of, header_of
from polyexp.tracking.store import open_store
from tests.helpers.commands import POLYEXP, SHORT, run, start, wait_until
from tests.helpers.postgresql import postgresql
from tests.helpers.servers import serving

pytestmark = pytest.mark.scale

WORKERS = {
    "polyexp_joblib": "hydra.launcher.n_jobs=4",
    "polyexp_submitit_local": "hydra.launcher.jobs=2",
    "polyexp_ray": "hydra.launcher.num_workers=2",
}
JOBS = {"polyexp_joblib": 200, "polyexp_submitit_local": 20, "polyexp_ray": 20}
COMMON = ("-m", "hydra.sweep.dir=outputs/s", "tracking.wait=60")
LONG = ("backend=numpy", "problem.noise=0.1", "loop.steps=400000", "loop.log_every=200000", "report.pictures=none")


def left_in(folder, uri):
    """The rows of sweep.csv, and the runs in the store: that of the sweep, and those of its jobs."""
    with (folder / "outputs" / "s" / "sweep.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    client = open_store(uri).client
    runs = client.search_runs([client.get_experiment_by_name("polyexp").experiment_id], max_results=1000)
    (parent,) = (one for one in runs if one.data.tags.get("polyexp.kind") == "sweep")
    return rows, parent, [one for one in runs if one.info.run_id != parent.info.run_id]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of an MLflow server whose store is a PostgreSQL."""
    folder = tmp_path_factory.mktemp("server")
    with postgresql() as database, serving(folder, database, "--artifacts-destination") as address:
        yield address


def record_once(folder, uri, launcher):
    """Have a launcher run a sweep, of which the store must hold each job once."""
    jobs = JOBS[launcher]
    words = (f"hydra/launcher={launcher}", WORKERS[launcher], f"seed=range(0,{jobs // 2})", "model.degree=2,3")
    ended = run(*COMMON, *SHORT, *words, f"tracking.uri={uri}", cwd=folder)
    assert ended.code == 0, ended.err
    rows, parent, children = left_in(folder, uri)
    assert parent.info.status == "FINISHED"
    assert {one.data.tags["mlflow.parentRunId"] for one in children} == {parent.info.run_id}
    assert [one.info.status for one in children] == ["FINISHED"] * jobs
    assert [int(row["number"]) for row in rows] == list(range(jobs))
    assert sorted(row["run_id"] for row in rows) == sorted(one.info.run_id for one in children)
    assert {row["outcome"] for row in rows} == {"MAX_STEPS"}
    for one in (children[0], children[-1]):
        history = open_store(uri).client.get_metric_history(one.info.run_id, "loss/train")
        assert [point.step for point in history] == [1, 2, 5, 10, 20]


@pytest.mark.parametrize("launcher", WORKERS)
def test_every_job_is_recorded_once(tmp_path, new_store, launcher):
    record_once(tmp_path, new_store(tmp_path / "outputs" / "mlflow.db"), launcher)


def test_workers_record_every_job_once_on_a_server_with_postgresql(tmp_path, server):
    record_once(tmp_path, server, "polyexp_joblib")


@pytest.mark.parametrize("launcher", WORKERS)
def test_a_worker_that_is_killed_loses_its_unfinished_jobs_alone(tmp_path, new_store, launcher):
    uri = new_store(tmp_path / "outputs" / "mlflow.db")
    two = "hydra.launcher.n_jobs=2" if launcher == "polyexp_joblib" else WORKERS[launcher]
    command = [*POLYEXP, *COMMON, *LONG, f"hydra/launcher={launcher}", two, "seed=range(0,6)"]
    first = tmp_path / "outputs" / "s" / "0"

    def begun():
        with suppress(OSError, JournalError):
            return header_of(first) and end_of(first) is None
        return False

    with start(command, tmp_path) as process:
        wait_until(begun)
        os.kill(header_of(first)[0].process.pid, signal.SIGKILL)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    assert "[1/6]" in out + err
    assert "seed=0 FAILED: its worker has ended" in err
    rows, parent, children = left_in(tmp_path, uri)
    assert parent.info.status == "FAILED"
    finished = {row["run_id"] for row in rows if row["outcome"] == "MAX_STEPS"}
    counts = Counter(one.info.run_id for one in children if one.info.status == "FINISHED")
    assert counts == Counter(finished)
    outcomes = [row["outcome"] for row in rows]
    assert outcomes[0] == "KILLED"
    if launcher == "polyexp_joblib":  # which ends the other process, too; what waited is run by new ones
        assert outcomes.count("MAX_STEPS") >= 4
    else:
        assert outcomes == ["KILLED", "FAILED", "FAILED", *["MAX_STEPS"] * 3]
    resumed = run("sweep.resume=outputs/s", cwd=tmp_path)
    assert resumed.code == 0, resumed.err
    rows, parent, children = left_in(tmp_path, uri)
    assert parent.info.status == "FINISHED"
    assert {row["outcome"] for row in rows} == {"MAX_STEPS"}
    assert Counter(one.info.status for one in children)["RUNNING"] == 0
    assert {row["run_id"] for row in rows} == {one.info.run_id for one in children if one.info.status == "FINISHED"}
