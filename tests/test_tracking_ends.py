"""What MLflow holds after runs that end in other ways, and during a run; and what happens where it fails."""

import errno
import json
import math
import os
import shutil
import signal
from functools import partial
from pathlib import Path

import pytest

import polyexp as p
from polyexp.tracking import Journal, recording
from polyexp.tracking.sqlite_writer import SqliteWriter
from polyexp.tracking.store import open_store
from tests.helpers.commands import POLYEXP, SHORT, start, wait_until
from tests.helpers.refusals import require_refused
from tests.helpers.stores import all_runs, history, only_run

# Other ends


def test_a_diverged_run_is_finished_with_its_last_finite_parameters(cli, store):
    ended = cli(
        "optimizer.learning_rate=1e30",  # the second update overflows
        "optimizer.allow_divergence=true",
        "loop.steps=300",
        "loop.log_every=100",
        "backend.dtype=float32",
    )
    run = only_run(store)
    assert ended.code == 0
    assert ended.err.startswith("warning: the run diverged; its parameters are those after ")
    assert (run.info.status, run.data.tags["polyexp.outcome"]) == ("FINISHED", "DIVERGED")
    assert "Try a smaller optimizer.learning_rate." in run.data.tags["mlflow.note.content"]
    assert all(math.isfinite(value) and abs(value) < 1e300 for value in run.data.metrics.values())
    written = json.loads(next((Path(run.info.artifact_uri)).glob("result.json")).read_text())
    assert written["outcome"] == "DIVERGED"
    assert {
        f"weight/{name}": value for name, value in written["parameters"].items()
    }.items() <= run.data.metrics.items()
    assert 0 < written["steps"] < 2 == history(store, run, "weight/w0")[-1][0]


def failing_at(step, error, problem, model, *, observe, **settings):
    """polyexp.fit, whose callback raises after the snapshot of `step` was recorded."""

    def failing(snapshot):
        observe(snapshot)
        if snapshot.step == step:
            raise error

    return p.fit(problem, model, observe=failing, **settings)


FIRE = RuntimeError("the disk is on fire")


def test_a_run_whose_folder_is_deleted_says_so_in_one_sentence(cli, store, monkeypatch, tmp_path):
    def deleting(*args, **settings):
        result = p.fit(*args, **settings)
        shutil.rmtree(tmp_path / "one")
        return result

    monkeypatch.setattr("polyexp.experiment.run.fit", deleting)
    ended = cli(*SHORT, "hydra.run.dir=one")
    assert ended.code == 1
    assert ended.err == (
        f"polyexp: The folder of the run, {tmp_path / 'one'}, cannot be written any more (No such file or directory).\n"
    )
    assert not (tmp_path / "one").exists()


def test_a_run_whose_disk_is_full_says_so_in_one_sentence(cli, store, monkeypatch, tmp_path):
    written = os.write
    full = OSError(errno.ENOSPC, "No space left on device")

    def write(file, content):
        if b'"kind": "result"' in bytes(content):
            raise full
        return written(file, content)

    monkeypatch.setattr(os, "write", write)
    ended = cli(*SHORT, "hydra.run.dir=one")
    assert (ended.code, len(ended.err.splitlines())) == (1, 1)
    assert ended.err.startswith(
        f"polyexp: The folder of the run, {tmp_path / 'one'}, cannot be written any more (No space"
    )
    wait_until(lambda: all_runs(store) and only_run(store).info.status == "FAILED")


def test_a_run_that_raises_is_failed_with_what_was_seen(cli, store, monkeypatch):
    monkeypatch.setattr("polyexp.experiment.run.fit", partial(failing_at, 20, FIRE))
    ended = cli(*SHORT, "loop.steps=100")
    run = only_run(store)
    assert ended.code == 1
    assert "RuntimeError: the disk is on fire" in ended.err
    assert run.info.status == "FAILED"
    assert run.info.end_time
    assert [step for step, _ in history(store, run, "loss/train")] == [1, 2, 5, 10, 20]
    assert run.data.params["loop.steps"] == "100"


def test_a_failed_job_does_not_stop_a_sweep(cli, store, monkeypatch):
    monkeypatch.setattr("polyexp.experiment.run.fit", partial(failing_at, 20, FIRE))
    ended = cli("-m", *SHORT, "loop.steps=20,10")
    assert ended.code == 1
    assert [run.info.status for run in all_runs(store)] == ["FAILED", "FINISHED"]


def test_an_interrupted_job_ends_its_sweep(cli, store, monkeypatch):
    monkeypatch.setattr("polyexp.experiment.run.fit", partial(failing_at, 10, KeyboardInterrupt()))
    ended = cli("-m", *SHORT, "seed=0,1")
    assert (ended.code, ended.err) == (130, "polyexp: interrupted.\n")
    assert only_run(store).info.status == "KILLED"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("signum", "code", "err"),
    [(signal.SIGINT, 130, "polyexp: interrupted.\n"), (signal.SIGTERM, 143, "polyexp: terminated.\n")],
)
def test_a_run_is_in_mlflow_while_it_goes_on_and_killed_once_it_is_interrupted(tmp_path, new_store, signum, code, err):
    client = open_store(new_store(tmp_path / "outputs" / "mlflow.db")).client

    def seen():
        return [(one.info.status, [step for step, _ in history(client, one, "loss/train")]) for one in all_runs(client)]

    first = [1, 2, 5, 10, 20]
    with start([*POLYEXP, *SHORT, "loop.steps=1000000000", "loop.log_every=1000000"], cwd=tmp_path) as process:
        wait_until(lambda: [(status, steps[:5]) for status, steps in seen()] == [("RUNNING", first)])
        process.send_signal(signum)
        _, written = process.communicate(timeout=60)
    assert (process.returncode, written) == (code, err)
    wait_until(lambda: [(status, steps[:5]) for status, steps in seen()] == [("KILLED", first)])


def test_an_interrupt_while_a_run_is_delivered_loses_nothing(cli, store, monkeypatch):
    write, interrupts = SqliteWriter.write, [KeyboardInterrupt]

    def interrupted(self, entries):
        if interrupts:
            raise interrupts.pop()
        return write(self, entries)

    monkeypatch.setattr(SqliteWriter, "write", interrupted)
    ended = cli(*SHORT)
    assert (ended.code, ended.err) == (130, "polyexp: interrupted.\n")
    run = only_run(store)
    assert run.info.status == "FINISHED"
    assert [step for step, _ in history(store, run, "weight/w0")] == [1, 2, 5, 10, 20]
    assert run.data.params["model.degree"] == "3"
    assert run.data.tags["polyexp.outcome"] == "MAX_STEPS"


def test_a_loss_without_a_finite_logarithm_is_no_metric(cli, store):
    exact = ("problem.num_samples=1", "model.degree=0", "model.initial=[0]", "problem.domain=[0,1]")
    assert cli(*exact, "loop.steps=1").code == 0
    metrics = only_run(store).data.metrics
    assert metrics["loss/final"] == 0
    assert "loss/log10_final" not in metrics


# Deliveries while a run goes on


def test_a_run_that_is_delivered_in_parts_is_the_same(cli, store, monkeypatch):
    during, snapshot = [], Journal.snapshot

    def delivered(self, one):
        snapshot(self, one)
        assert recording.recorder(self.folder).wait([self.folder], 60) is None
        run = only_run(store)
        during.append((run.info.status, [step for step, _ in history(store, run, "loss/train")]))

    monkeypatch.setattr(Journal, "snapshot", delivered)
    assert cli(*SHORT, "loop.steps=30").code == 0
    steps = [1, 2, 5, 10, 20, 30]
    assert during == [("RUNNING", steps[:count]) for count in range(1, 7)]
    monkeypatch.undo()
    assert cli(*SHORT, "loop.steps=30").code == 0
    often, once = all_runs(store)
    assert often.info.status == once.info.status == "FINISHED"
    assert often.data.params == once.data.params
    same = once.data.metrics.keys() - {"optimizer/steps_per_second"}
    assert often.data.metrics.keys() == once.data.metrics.keys()
    assert all(history(store, often, name) == history(store, once, name) for name in same)
    own = {"polyexp.journal", "polyexp.output_folder"}
    assert {name: often.data.tags[name] for name in once.data.tags.keys() - own} == {
        name: one for name, one in once.data.tags.items() if name not in own
    }


def test_a_point_has_the_time_at_which_it_was_seen(cli, store):
    assert cli(*SHORT).code == 0
    run = only_run(store)
    times = [point.timestamp for point in store.get_metric_history(run.info.run_id, "loss/train")]
    assert times == sorted(times)
    assert run.info.start_time <= times[0]
    assert times[-1] <= run.info.end_time


# A tracker that fails


@pytest.fixture
def failing_store(monkeypatch):
    """The store of `cli` fails as soon as a run has been checked."""

    def fail(self, entries):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SqliteWriter, "write", fail)


@pytest.mark.usefixtures("failing_store")
def test_a_tracker_that_fails_does_not_fail_a_run(cli, store, tmp_path):
    ended = cli(*SHORT)
    assert ended.code == 0
    address = f"sqlite:///{tmp_path / 'outputs' / 'mlflow.db'}"
    ((warning, line),) = [(one, two) for one, _, two in [ended.err.partition("\n")]]
    assert warning.startswith(f"warning: This run is not in {address} yet: ")
    assert "No space left on device" in warning
    assert warning.endswith(". `python -m polyexp action=sync` delivers later.")
    assert line == ""
    assert all_runs(store) == []
    (folder,) = (tmp_path / "outputs" / "runs").glob("*/*")
    assert {path.name for path in folder.iterdir()} >= {"journal.jsonl", "result.json", "history.csv"}


def test_what_was_not_delivered_is_delivered_later(cli, store, tmp_path, request, monkeypatch):
    request.getfixturevalue("failing_store")
    cli(*SHORT)
    monkeypatch.undo()
    synced = cli("action=sync")
    assert (synced.code, synced.err) == (0, "")
    run = only_run(store)
    assert run.info.status == "FINISHED"
    assert [step for step, _ in history(store, run, "loss/train")] == [1, 2, 5, 10, 20]


@pytest.mark.usefixtures("failing_store")
@pytest.mark.parametrize("words", [(), ("-m", "seed=0,1")])
def test_a_required_record_that_fails_is_exit_code_1(cli, words):
    ended = cli(*SHORT, "tracking.required=true", *words)
    assert ended.code == 1
    assert ended.err.startswith("polyexp: ")
    assert ended.err.count("\n") == 1
    assert "`python -m polyexp action=sync` delivers later." in ended.err


@pytest.mark.usefixtures("failing_store")
def test_a_sweep_warns_once(cli):
    ended = cli("-m", *SHORT, "seed=0,1")
    assert ended.code == 0
    assert ended.err.startswith("warning: 2 runs of this sweep are not in sqlite:///")
    assert ended.err.count("\n") == 1


# A folder belongs to one run


@pytest.mark.parametrize("words", [("hydra.run.dir=one",), ("-m", "seed=0,1", "hydra.sweep.dir=one")])
@pytest.mark.parametrize("tracking", ["mlflow", "none"])
def test_a_second_run_into_a_folder_is_refused(cli, tmp_path, words, tracking):
    assert cli(*SHORT, *words, f"tracking={tracking}").code == 0
    sentence = require_refused(tmp_path, *SHORT, *words, f"tracking={tracking}", "model.degree=2")
    key = words[-1].partition("=")[0]
    assert sentence.startswith(f"`{key}` must name a folder without a run in it, got 'one")
    assert sentence.endswith("': leave it out, so that each run has its own.")


def test_the_folder_of_a_run_without_a_journal_is_refused_too(cli, tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "result.json").write_text("{}")
    assert "without a run in it, got 'one': " in require_refused(tmp_path, *SHORT, "hydra.run.dir=one")
