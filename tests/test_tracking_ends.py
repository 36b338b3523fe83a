"""What MLflow holds after runs that end in other ways, and how few calls a run makes."""

import json
import math
import signal
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from mlflow import MlflowClient

import polyexp as p
from polyexp.tracking.store import open_store
from tests.helpers.commands import POLYEXP, SHORT, start
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
    ("signum", "code", "err"), [(signal.SIGINT, 130, "polyexp: interrupted.\n"), (signal.SIGTERM, 143, "")]
)
def test_an_interrupted_run_is_killed_with_what_was_seen(tmp_path, new_store, signum, code, err):
    uri = new_store(tmp_path / "outputs" / "mlflow.db")
    with start([*POLYEXP, *SHORT, "loop.steps=1000000000"], cwd=tmp_path) as process:
        while not process.stdout.readline().startswith("Loss at    20 "):  # which comes after step 10 is recorded
            assert process.poll() is None
        process.send_signal(signum)
        _, written = process.communicate(timeout=60)
    assert (process.returncode, written) == (code, err)
    client = open_store(uri).client
    run = only_run(client)
    assert run.info.status == "KILLED"
    assert [step for step, _ in history(client, run, "loss/train")[:5]] == [1, 2, 5, 10, 20]


def test_a_run_interrupted_while_it_is_written_loses_nothing(cli, store, monkeypatch):
    log_batch, interrupts = MlflowClient.log_batch, [KeyboardInterrupt]

    def interrupted(self, *args, **kwargs):
        if interrupts:
            raise interrupts.pop()
        return log_batch(self, *args, **kwargs)

    monkeypatch.setattr(MlflowClient, "log_batch", interrupted)
    assert cli(*SHORT).code == 130
    run = only_run(store)
    assert run.info.status == "KILLED"
    assert [step for step, _ in history(store, run, "weight/w0")] == [1, 2, 5, 10, 20]
    assert run.data.params["model.degree"] == "3"


def test_an_interrupt_while_a_run_is_created_leaves_one_killed_run(cli, store, monkeypatch):
    create = MlflowClient.create_run

    def interrupted(*args, **settings):
        create(*args, **settings)
        raise KeyboardInterrupt

    monkeypatch.setattr(MlflowClient, "create_run", interrupted)
    assert cli(*SHORT).code == 130
    assert only_run(store).info.status == "KILLED"


def test_a_loss_without_a_finite_logarithm_is_no_metric(cli, store):
    exact = ("problem.num_samples=1", "model.degree=0", "model.initial=[0]", "problem.domain=[0,1]")
    assert cli(*exact, "loop.steps=1").code == 0
    metrics = only_run(store).data.metrics
    assert metrics["loss/final"] == 0
    assert "loss/log10_final" not in metrics


# Few calls


@pytest.fixture
def calls(monkeypatch):
    """The names of the MlflowClient methods that are called, except look-ups."""
    seen = []

    def spied(name, method):
        def spy(self, *args, **kwargs):
            seen.append(name)
            return method(self, *args, **kwargs)

        return spy

    for name, method in vars(MlflowClient).items():
        if callable(method) and not name.startswith(("_", "get_", "search_")):
            monkeypatch.setattr(MlflowClient, name, spied(name, method))
    return seen


def test_a_run_costs_three_calls_beside_its_dataset_and_artifacts(cli, calls):
    cli(*SHORT, "loop.steps=200", "loop.log_every=1")
    assert Counter(calls) == {
        "create_experiment": 1,
        "set_experiment_tag": 1,  # the saved view, once for all runs
        "create_run": 1,
        "log_batch": 1,
        "log_inputs": 1,
        "log_artifact": 3,
        "set_terminated": 1,
    }


def test_a_long_run_is_written_while_it_runs(cli, store, calls, monkeypatch):
    monkeypatch.setattr("polyexp.tracking.mlflow.FLUSH_SECONDS", 0)
    during, log_batch = [], MlflowClient.log_batch

    def watched(self, run_id, *args, **kwargs):
        log_batch(self, run_id, *args, **kwargs)
        run = self.get_run(run_id)
        during.append((run.info.status, [step for step, _ in history(self, run, "loss/train")]))

    monkeypatch.setattr(MlflowClient, "log_batch", watched)
    cli(*SHORT, "loop.steps=30")
    steps = [1, 2, 5, 10, 20, 30]
    assert during == [*(("RUNNING", steps[:count]) for count in range(1, 7)), ("RUNNING", steps)]
    assert Counter(calls)["create_run"] == 1
    monkeypatch.undo()
    cli(*SHORT, "loop.steps=30")
    often, once = all_runs(store)
    assert often.data.params == once.data.params
    same = once.data.metrics.keys() - {"optimizer/steps_per_second"}
    assert often.data.metrics.keys() == once.data.metrics.keys()
    assert all(history(store, often, name) == history(store, once, name) for name in same)
