"""What MLflow holds after a run, by the tracking contract, however the run ends; and stores that any process can open."""

import contextlib
import csv
import getpass
import json
import math
import os
import signal
import sqlite3
from collections import Counter
from functools import partial
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from omegaconf import OmegaConf

import polyexp as p
from polyexp.tracking.store import open_store
from tests.helpers.commands import POLYEXP, execute, run_in_process, run_python, start
from tests.helpers.servers import serving
from tests.helpers.stores import all_runs, history, only_run

ARGS = (
    "problem=cos",
    "problem.num_samples=50",
    "problem.noise=0.1",
    "model=legendre_series",
    "model.degree=3",
    "optimizer=momentum",
    "optimizer.learning_rate=1e-2",
    "loop.steps=25",
    "loop.log_every=10",
    "seed=3",
)
SNAPSHOTS = [10, 20, 25]
SLOWEST = 136  # steps until a thousandth of every mode is left
DERIVED = ("momentum.", "samples.", "learning_rate.", "hessian.")  # recorded as params, but no configuration keys
NAMES = ["w0", "w1", "w2", "w3"]
SHORT = ("backend=numpy", "problem.num_samples=20", "model.degree=3", "loop.steps=20", "loop.log_every=10")


def the_same_in_python():
    """The run of ARGS through the Python API."""
    return p.fit(
        p.Problem("cos", num_samples=50, noise=0.1),
        p.LegendreSeries(degree=3),
        loop=p.Manual(steps=25, log_every=10),
        optimizer=p.Momentum(learning_rate=1e-2),
        seed=3,
    )


def result_json(run):
    """The exact numbers of a run, from its artifact."""
    return json.loads((Path(run.info.artifact_uri) / "result.json").read_text())


class Recorded:
    """The run of ARGS, its record, and the same run in Python."""

    def __init__(self, folder, store):
        self.folder, self.client = folder, store
        self.exit = run_in_process(*ARGS, cwd=folder)
        self.run = only_run(store)
        self.artifacts = folder / "outputs" / "artifacts" / self.run.info.run_id / "artifacts"
        self.result = the_same_in_python()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded")
    return Recorded(folder, open_store(f"sqlite:///{folder / 'outputs' / 'mlflow.db'}").client)


# A finished run


def test_params_are_spelt_as_on_the_command_line(recorded):
    assert recorded.run.data.params == {
        "problem": "cos",
        "problem.target": "cos",
        "problem.domain": "[-3.141592653589793,3.141592653589793]",
        "problem.num_samples": "50",
        "problem.sampling": "linspace",
        "problem.noise": "0.1",
        "problem.loss": "mean",
        "problem.reduction": "auto",
        "model": "legendre_series",
        "model.degree": "3",
        "model.domain": "null",
        "model.initial": "uniform",
        "model.initial_scale": "1.0",
        "loop": "manual",
        "loop.steps": "25",
        "loop.log_every": "10",
        "loop.tolerance": "null",
        "loop.patience": "null",
        "backend": "torch",
        "backend.dtype": "float64",
        "device": "cpu",
        "device.threads": "1",
        "optimizer": "momentum",
        "optimizer.learning_rate": "0.01",
        "optimizer.momentum": "0.9",
        "optimizer.allow_divergence": "false",
        "seed": "3",
        "samples.total": "50",
        "samples.used": "4",
        "samples.floor": str(recorded.result.samples.floor),
        "learning_rate.used": "0.01",
        "learning_rate.max_stable": str(3.8 / recorded.result.quadratic.largest),
        "learning_rate.best": str(polyak(recorded.result.quadratic).learning_rate),
        "momentum.used": "0.9",
        "hessian.largest": str(recorded.result.quadratic.largest),
        "hessian.condition": str(recorded.result.quadratic.condition),
        "hessian.steps_of_slowest_mode": str(SLOWEST),
    }


def test_the_slowest_mode_needs_so_many_steps(recorded):
    """By the update rule, mode by mode."""
    eigenvalues = recorded.result.quadratic.eigenvalues
    left, velocity, largest = np.ones(4), np.zeros(4), []
    for _ in range(SLOWEST):
        velocity = 0.9 * velocity + eigenvalues * left
        left = left - 0.01 * velocity
        largest.append(np.abs(left).max())
    assert largest[-1] <= 1e-3 < largest[-2]


def polyak(quadratic):
    return p.Momentum("auto").tuned(quadratic.largest, quadratic.smallest)


def test_the_params_typed_again_give_the_same_run(recorded, cli, store):
    typed = [f"{key}={value}" for key, value in recorded.run.data.params.items() if not key.startswith(DERIVED)]
    assert cli(*typed).code == 0
    again = only_run(store)
    assert again.data.tags["polyexp.fingerprint"] == recorded.run.data.tags["polyexp.fingerprint"]
    assert result_json(again)["loss"] == result_json(recorded.run)["loss"]


def test_metrics_are_the_numbers_of_the_python_api(recorded):
    snapshots, result = recorded.result.history, recorded.result
    expected = {
        "loss/train": snapshots.loss,
        "loss/excess": snapshots.excess,
        "optimizer/grad_norm": snapshots.grad_norm,
        **{f"weight/{name}": snapshots.params[:, k] for k, name in enumerate(NAMES)},
    }
    exact = {
        "loss/final": result.loss,
        "loss/final_excess": result.excess,
        "loss/best": result.quadratic.lowest,
        "loss/predicted": result.loss,
        "loss/log10_final": math.log10(result.loss),
        "loss/max_error": result.max_error,
        "optimizer/steps": 25,
    }
    final = {name: float(f"{value:.4g}") for name, value in exact.items()}
    recorded_history = partial(history, recorded.client, recorded.run)
    assert recorded.run.data.metrics.keys() == expected.keys() | final.keys() | {"optimizer/steps_per_second"}
    for name, values in expected.items():
        assert recorded_history(name) == list(zip(SNAPSHOTS, values.tolist(), strict=True))
    for name, value in final.items():
        assert recorded_history(name) == [(0, value)]
    ((step, rate),) = recorded_history("optimizer/steps_per_second")
    assert step == 0
    assert rate > 0


def test_losses_belong_to_the_parameters_before_the_update_and_weights_to_those_after(cli, store):
    assert cli(*ARGS, "loop.log_every=1", "loop.steps=3").code == 0
    run = only_run(store)
    weights = np.array([[value for _, value in history(store, run, f"weight/{name}")] for name in NAMES]).T
    losses = [value for _, value in history(store, run, "loss/train")]
    problem = p.Problem("cos", num_samples=50, noise=0.1).samples(3)
    model = p.LegendreSeries(degree=3).on(problem.domain)
    before = [model.initial_params(3), *weights[:-1]]
    assert losses == pytest.approx([float(problem.loss(model(w, problem.x))) for w in before], rel=1e-13)
    assert result_json(run)["loss"] == pytest.approx(float(problem.loss(model(weights[-1], problem.x))), rel=1e-13)


def test_tags_say_who_what_and_how(recorded):
    tags, info = recorded.run.data.tags, recorded.run.info
    (folder,) = (recorded.folder / "outputs" / "runs").glob("*/*")
    expected = {
        "polyexp.version": p.__version__,
        "polyexp.computed_by": recorded.result.computed_by,
        "polyexp.overrides": " ".join(ARGS),
        "polyexp.output_folder": str(folder),
        "polyexp.outcome": "MAX_STEPS",
        "mlflow.user": getpass.getuser(),
        "mlflow.source.name": str(Path(p.__file__).parent / "__main__.py"),
        "mlflow.source.type": "LOCAL",
    }
    assert {name: tags.get(name) for name in expected} == expected
    assert len(tags["polyexp.fingerprint"]) == 16
    assert "polyexp.sweep" not in tags
    assert info.status == "FINISHED"
    assert info.start_time <= info.end_time
    assert info.run_name.startswith("cos samples=50 noise=0.1 legendre_series degree=3 momentum lr=1e-2 steps=25")


def test_the_commit_is_recorded_in_a_checkout(recorded):
    asked = execute(["git", "rev-parse", "HEAD"], Path(p.__file__).parent)
    if asked.code:
        pytest.skip("not a git checkout")
    assert recorded.run.data.tags["mlflow.source.git.commit"] == asked.out.strip()


def test_the_description_has_the_formula_and_a_table(recorded):
    lines = recorded.run.data.tags["mlflow.note.content"].splitlines()
    assert lines[0] == f"`{recorded.result.model.formula(recorded.result.params)}`"
    assert "above the best possible loss of this model" in lines[2]
    assert "MAX_STEPS: All steps were taken." in lines[2]
    assert lines[4:6] == ["| parameter | learned | optimum |", "| --- | --- | --- |"]
    assert [line.split("|")[1].strip() for line in lines[6:10]] == NAMES
    numbers = np.array([[float(cell) for cell in line.split("|")[2:4]] for line in lines[6:10]])
    assert numbers[:, 0] == pytest.approx(recorded.result.params, rel=1e-9)
    assert numbers[:, 1] == pytest.approx(recorded.result.quadratic.optimum, rel=1e-9)


def test_the_samples_are_a_dataset(recorded, cli, store):
    (given,) = recorded.run.inputs.dataset_inputs
    assert given.dataset.name == "cos_50"
    assert [(tag.key, tag.value) for tag in given.tags] == [("mlflow.data.context", "training")]
    assert json.loads(given.dataset.profile)["features_shape"] == [4]
    cli("-m", *ARGS, "seed=3,4", "loop.steps=1")
    same, other = (run.inputs.dataset_inputs[0].dataset.digest for run in all_runs(store))
    assert same == given.dataset.digest != other


def test_artifacts_are_the_files_of_the_folder_and_never_a_pickle(recorded):
    (folder,) = (recorded.folder / "outputs" / "runs").glob("*/*")
    names = ["config.yaml", "history.csv", "result.json"]
    assert sorted(path.name for path in recorded.artifacts.iterdir()) == names
    assert [one.path for one in recorded.client.list_artifacts(recorded.run.info.run_id)] == names
    for name in names:
        assert (recorded.artifacts / name).read_bytes() == (folder / name).read_bytes()
    everything = [path for path in recorded.folder.rglob("*") if path.is_file()]
    assert not [path for path in everything if path.suffix in {".pkl", ".pickle", ".pt", ".joblib"}]
    assert not [path for path in everything if path.read_bytes()[:1] == b"\x80"]  # the first bytes of every pickle


def test_result_json_is_exact(recorded):
    written, result = json.loads((recorded.artifacts / "result.json").read_text()), recorded.result
    assert written.pop("seconds") > 0
    config = written.pop("config")
    assert written == {
        "outcome": "MAX_STEPS",
        "steps": 25,
        "loss": result.loss,
        "excess_loss": result.excess,
        "best_loss": result.quadratic.lowest,
        "predicted_loss": pytest.approx(result.loss, rel=1e-8),
        "max_error": result.max_error,
        "parameters": result.parameters,
        "power_series": result.power_series.tolist(),
        "formula": result.model.formula(result.params),
        "samples": {"total": 50, "used": 4, "floor": result.samples.floor, "domain": [-math.pi, math.pi]},
        "learning_rate": {
            "used": 0.01,
            "max_stable": 3.8 / result.quadratic.largest,
            "best": polyak(result.quadratic).learning_rate,
        },
        "momentum": 0.9,
        "steps_of_slowest_mode": SLOWEST,
        "hessian_eigenvalues": dict.fromkeys(("initial", "final"), result.quadratic.eigenvalues.tolist()),
        "computed_by": result.computed_by,
    }
    assert config["problem.domain"] == [-np.pi, np.pi]
    assert config.keys() == {key for key in recorded.run.data.params if not key.startswith(DERIVED)}


def test_history_csv_is_exact(recorded):
    with (recorded.artifacts / "history.csv").open(newline="") as file:
        head, *rows = csv.reader(file)
    snapshots = recorded.result.history
    assert head == ["step", "loss", "excess", "grad_norm", *NAMES]
    numbers = np.column_stack([snapshots.loss, snapshots.excess, snapshots.grad_norm, snapshots.params]).tolist()
    assert rows == [[str(step), *map(repr, row)] for step, row in zip(SNAPSHOTS, numbers, strict=True)]


def test_config_yaml_is_the_composed_configuration(recorded):
    config = OmegaConf.load(recorded.artifacts / "config.yaml")
    assert (config.model.degree, config.seed, config.tracking.experiment_name) == (3, 3, "polyexp")
    assert config.optimizer == {"learning_rate": 1e-2, "momentum": 0.9, "allow_divergence": False}


def test_nothing_beside_outputs_is_written(recorded):
    assert [path.name for path in recorded.folder.iterdir()] == ["outputs"]
    left = {path.name for path in (recorded.folder / "outputs").iterdir()}
    assert left - {"mlflow.db-shm", "mlflow.db-wal"} == {"artifacts", "mlflow.db", "mlflow.db.lock", "runs"}


# Other ends


def test_a_diverged_run_is_finished_with_its_last_finite_parameters(cli, store):
    ended = cli(
        "optimizer.learning_rate=1",
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
    assert 0 < written["steps"] < 100 == history(store, run, "weight/w0")[-1][0]


def failing_at(step, error, problem, model, *, look, **settings):
    """polyexp.fit, whose callback raises after the snapshot of `step` was recorded."""

    def failing(state):
        look(state)
        if state.step == step:
            raise error

    return p.fit(problem, model, look=failing, **settings)


FIRE = RuntimeError("the disk is on fire")


def test_a_run_that_raises_is_failed_with_what_was_seen(cli, store, monkeypatch):
    monkeypatch.setattr("polyexp.run.fit", partial(failing_at, 20, FIRE))
    ended = cli(*SHORT, "loop.steps=100")
    run = only_run(store)
    assert ended.code == 1
    assert "RuntimeError: the disk is on fire" in ended.err
    assert run.info.status == "FAILED"
    assert run.info.end_time
    assert [step for step, _ in history(store, run, "loss/train")] == [10, 20]
    assert run.data.params["loop.steps"] == "100"


def test_a_failed_job_does_not_stop_a_sweep(cli, store, monkeypatch):
    monkeypatch.setattr("polyexp.run.fit", partial(failing_at, 20, FIRE))
    ended = cli("-m", *SHORT, "loop.steps=20,10")
    assert ended.code == 1
    assert [run.info.status for run in all_runs(store)] == ["FAILED", "FINISHED"]


def test_an_interrupted_job_ends_its_sweep(cli, store, monkeypatch):
    monkeypatch.setattr("polyexp.run.fit", partial(failing_at, 10, KeyboardInterrupt()))
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
    assert history(client, run, "loss/train")[0][0] == 10


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
    assert [step for step, _ in history(store, run, "weight/w0")] == [10, 20]
    assert run.data.params["model.degree"] == "3"


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
    assert during == [
        ("RUNNING", [10]),
        ("RUNNING", [10, 20]),
        ("RUNNING", [10, 20, 30]),
        ("RUNNING", [10, 20, 30]),
    ]
    assert Counter(calls)["create_run"] == 1
    monkeypatch.undo()
    cli(*SHORT, "loop.steps=30")
    often, once = all_runs(store)
    assert often.data.params == once.data.params
    same = once.data.metrics.keys() - {"optimizer/steps_per_second"}
    assert often.data.metrics.keys() == once.data.metrics.keys()
    assert all(history(store, often, name) == history(store, once, name) for name in same)


# Stores

STARTED_TOGETHER = """
import contextlib, os, sys
from polyexp.tracking.store import open_store
import mlflow.store.tracking.sqlalchemy_store
go, start = os.pipe()
children = []
for _ in range(8):
    child = os.fork()
    if not child:
        os.close(start)
        os.read(go, 1)  # until the parent closes the other end
        with contextlib.suppress(BaseException):
            store = open_store(sys.argv[1])
            print(store.experiment_id("polyexp"), store.artifact_root, flush=True)
            os._exit(0)
        os._exit(1)
    children.append(child)
os.close(start)
sys.exit(sum(os.waitpid(child, 0)[1] != 0 for child in children))
"""


@pytest.mark.slow
def test_eight_processes_may_create_a_store_at_once(tmp_path):
    path = tmp_path / "a" / "b" / "mlflow.db"
    done = run_python(STARTED_TOGETHER, f"sqlite:///{path}", cwd=tmp_path, strict=False)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [f"1 {path.parent / 'artifacts'}"] * 8
    client = open_store(f"sqlite:///{path}").client
    assert sorted(found.name for found in client.search_experiments()) == ["Default", "polyexp"]
    for name in ("Default", "polyexp"):  # beside the database, whichever process came first
        assert client.get_experiment_by_name(name).artifact_location.startswith(str(path.parent / "artifacts"))
    assert path.read_bytes()[18:20] == b"\x02\x02"  # SQLite's file format for WAL
    assert [found.name for found in tmp_path.iterdir()] == ["a"]


def test_a_relative_store_is_made_below_the_current_folder(tmp_path, new_store):
    new_store(tmp_path / "elsewhere" / "mine.db")
    ended = run_in_process(*SHORT, "tracking.uri=sqlite:///elsewhere/mine.db", cwd=tmp_path)
    run = only_run(open_store(f"sqlite:///{tmp_path / 'elsewhere' / 'mine.db'}").client)
    assert ended.code == 0
    assert run.info.artifact_uri == f"{tmp_path / 'elsewhere' / 'artifacts' / run.info.run_id / 'artifacts'}"
    assert not (tmp_path / "outputs" / "mlflow.db").exists()
    assert not (tmp_path / "mlruns").exists()


def test_a_folder_may_have_any_name(tmp_path, new_store):
    folder = tmp_path / "is it? #1"
    new_store(folder / "outputs" / "mlflow.db")
    ended = run_in_process(*SHORT, cwd=folder)
    assert (ended.code, ended.err) == (0, "")
    assert f"--backend-store-uri 'sqlite:///{str(folder).replace('?', '%3F')}/outputs/mlflow.db'" in ended.out
    assert len(list((folder / "outputs" / "artifacts").rglob("result.json"))) == 1
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and folder not in path.parents]


def test_the_environment_names_the_store_and_the_command_line_wins(tmp_path, new_store, monkeypatch):
    mine, other = (new_store(tmp_path / f"{name}.db") for name in ("mine", "other"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mine)
    run_in_process(*SHORT, cwd=tmp_path)
    run_in_process(*SHORT, f"tracking.uri={other}", "tracking.experiment_name=by hand", cwd=tmp_path)
    assert [len(all_runs(open_store(uri).client)) for uri in (mine, other)] == [1, 0]
    assert len(all_runs(open_store(other).client, "by hand")) == 1
    assert not (tmp_path / "outputs" / "mlflow.db").exists()


@pytest.mark.parametrize(("before", "after"), [(None, "true"), ("false", "false")])
def test_telemetry_is_off_unless_the_user_turns_it_on(tmp_path, new_store, monkeypatch, before, after):
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY")
    if before:
        monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", before)
    open_store(new_store(tmp_path / "mlflow.db"))
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == after


def test_mlflow_itself_sees_that_telemetry_is_off():
    from mlflow.telemetry import get_telemetry_client

    assert mlflow.__version__
    assert get_telemetry_client() is None


def test_a_deleted_experiment_is_not_written_to(cli, store):
    number = store.create_experiment("polyexp")
    store.delete_experiment(number)
    ended = cli(*SHORT)
    assert ended == (
        2,
        "",
        "polyexp: `tracking.experiment_name` must not name a deleted experiment, got 'polyexp': choose another name, "
        f"or restore it with `mlflow experiments restore -x {number}`.\n",
    )


@pytest.mark.slow
def test_a_run_is_recorded_over_http_and_shows_no_password(tmp_path, new_store):
    with serving(tmp_path, new_store(tmp_path / "server.db")) as address:
        uri = address.replace("://", "://somebody:hunter2@")
        ended = run_in_process(*SHORT, f"tracking.uri={uri}", cwd=tmp_path)
        client = MlflowClient(address)
        run = only_run(client)
        artifacts = [one.path for one in client.list_artifacts(run.info.run_id)]
        steps = [step for step, _ in history(client, run, "loss/train")]
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[-2].startswith(f"{address}/#/experiments/1/runs/{run.info.run_id}?")
    assert ended.out.splitlines()[-1].startswith(f"Beside other runs: {address}/#/experiments/1/runs?")
    assert "mlflow server" not in ended.out
    assert steps == [10, 20]
    assert artifacts == ["config.yaml", "history.csv", "result.json"]
    shown = [ended.out, str(run.to_dictionary())]
    shown += [file.read_text() for file in (tmp_path / "served").rglob("*") if file.is_file()]
    assert not [text for text in shown if "hunter2" in text]


def test_a_store_of_plain_mlflow_is_put_into_wal_mode(tmp_path):
    uri = f"sqlite:///{tmp_path / 'plain.db'}"
    MlflowClient(uri).search_experiments()
    with contextlib.closing(sqlite3.connect(tmp_path / "plain.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    open_store(uri)
    with contextlib.closing(sqlite3.connect(tmp_path / "plain.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_file_that_is_no_store_is_left_alone(tmp_path):
    (tmp_path / "notes.db").write_text("shopping: eggs")
    with pytest.raises(p.InputError, match="file is not a database"):
        open_store(f"sqlite:///{tmp_path / 'notes.db'}")
    assert [one.name for one in tmp_path.iterdir()] == ["notes.db"]


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
