"""What MLflow holds after a finished run, by the tracking contract."""

import csv
import getpass
import json
import math
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

import polyexp as p
from polyexp.exact import tuned
from polyexp.experiment import Job, build
from polyexp.experiment.job import run_info
from polyexp.report import headline
from polyexp.tracking.store import open_store
from tests.helpers.commands import execute, run_in_process
from tests.helpers.config import composed
from tests.helpers.figures import Wave
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
SNAPSHOTS = [1, 2, 5, 10, 20, 25]
SLOWEST = 136  # steps until a thousandth of every mode is left
DERIVED = ("momentum.", "samples.", "learning_rate.", "hessian.")  # recorded as params, but no configuration keys
NAMES = ["w0", "w1", "w2", "w3"]


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
        "learning_rate.best": str(best(recorded.result).learning_rate),
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


def best(result):
    """The optimizer of the run with the rate that `auto` takes for its steps."""
    return tuned(p.Momentum("auto"), result.model, result.quadratic, result.initial, p.Manual(25))


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
        "loss/lowest": result.quadratic.lowest,
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
    model = p.LegendreSeries(degree=3).on_domain(problem.domain)
    before = [model.initial_params(3), *weights[:-1]]
    assert losses == pytest.approx([float(problem.loss(model(w, problem.x))) for w in before], rel=1e-13)
    assert result_json(run)["loss"] == pytest.approx(float(problem.loss(model(weights[-1], problem.x))), rel=1e-13)


def test_a_run_without_overrides_has_no_tag_for_them():
    job = Job(Path("runs"), (), None, "")
    assert "polyexp.overrides" not in run_info(build(composed(*ARGS)), job).tags


def first_chart(client, run):
    """The name of the first chart of a run's page, which sorts the charts of a section by name, and its points."""
    name = min(name for name in run.data.metrics if name.startswith("loss/"))
    return name, history(client, run, name)


def test_the_first_chart_of_a_runs_page_is_a_curve(recorded):
    name, points = first_chart(recorded.client, recorded.run)
    assert name == "loss/excess"
    assert [step for step, _ in points] == SNAPSHOTS  # MLflow draws a metric of a step above 0 as a curve


def test_it_is_the_distance_from_the_lower_bound_where_the_best_loss_is_not_known(cli, store):
    assert cli("model=legendre", "loop.steps=25", "loop.log_every=10").code == 0
    run = only_run(store)
    name, points = first_chart(store, run)
    assert name == "loss/excess_at_most"
    bound = result_json(run)["lower_bound"]
    assert 0 < bound < 0.01
    assert points == [(step, loss - bound) for step, loss in history(store, run, "loss/train")]
    assert len(points) == len(SNAPSHOTS)


def test_no_loss_is_below_0_whatever_the_model():
    job = Job(Path("runs"), (), None, "")
    nonlinear, linear = (replace(build(composed()), model=model) for model in (Wave(), p.PowerSeries()))
    assert run_info(nonlinear, job).lower_bound == 0
    assert math.isnan(run_info(linear, job).lower_bound)


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
    assert "" not in tags.values()
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
    assert recorded.run.data.tags["polyexp.commit"].removesuffix("-dirty") == asked.out.strip()


def test_the_description_has_the_formula_and_a_table(recorded):
    lines = recorded.run.data.tags["mlflow.note.content"].splitlines()
    assert lines[0] == f"`{headline(recorded.result)}`"
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
        "formula": headline(result),
        "samples": {"total": 50, "used": 4, "floor": result.samples.floor, "domain": [-math.pi, math.pi]},
        "learning_rate": {
            "used": 0.01,
            "max_stable": 3.8 / result.quadratic.largest,
            "best": best(result).learning_rate,
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


@pytest.mark.parametrize("left", ["result.json", "journal.jsonl"])
def test_a_result_is_recorded_into_a_folder_of_its_own_alone(tmp_path, left):
    result = p.fit(p.Problem("sin"), p.PowerSeries(degree=2), loop=p.Manual(steps=3), backend=p.NumPy())
    (tmp_path / left).write_text("precious")
    with pytest.raises(
        p.InputError, match=r"`folder` must name a folder without a run in it, got .*: name another one\."
    ):
        p.record(result, tmp_path, tracking=p.NoTracking())
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [(left, "precious")]
    with pytest.raises(p.InputError, match="`name` must be a text of at most 250 characters"):
        p.record(result, tmp_path / "other", name="a" * 251, tracking=p.NoTracking())
    assert not (tmp_path / "other").exists()
