"""`tracking.log_model`: which runs have a model, whatever way they end, and what it then is."""

import json
import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest

import polyexp as p
from polyexp.experiment import run as run_module
from polyexp.tracking import JOURNAL
from tests.helpers.commands import run_python
from tests.helpers.databases import rows
from tests.helpers.models import values_without_polyexp
from tests.helpers.stores import all_runs, only_run, sweeps

RUN = ("backend=numpy", "problem.num_samples=50", "model=legendre_series", "optimizer.learning_rate=auto")
SHORT = (*RUN, "loop.steps=20", "loop.log_every=10")
DIVERGING = ("backend=numpy", "optimizer.learning_rate=1e30", "optimizer.allow_divergence=true", "loop.steps=9")
FOLDER = "hydra.run.dir=outputs/one"


@pytest.fixture
def models(tmp_path, store):
    """Call it for the models that are not deleted, by the ids of their runs."""

    def call():
        found = rows(tmp_path / "outputs" / "mlflow.db")["logged_models"]
        found = [one for one in found if one["lifecycle_stage"] == "active"]
        by_run = {one["source_run_id"]: one for one in found}
        assert len(by_run) == len(found)
        return by_run

    return call


def journal_of(folder):
    return [json.loads(line) for line in (folder / JOURNAL).read_text().splitlines()]


def code_of(model):
    return Path(model["artifact_location"], "polynomial.py").read_text()


def exported(cli, tmp_path, run_id):
    """What `action=export` writes for a run."""
    done = cli("action=export", f"action.run='{run_id}'", "action.format=python", "hydra.run.dir=exported")
    assert done.code == 0, done.err
    return (tmp_path / "exported" / "polynomial.py").read_text()


def test_a_single_run_has_a_model_whose_code_is_what_is_exported(cli, store, tmp_path, models):
    assert cli(*SHORT, FOLDER).code == 0
    run = only_run(store)
    (model,) = models().values()
    assert model["source_run_id"] == run.info.run_id
    assert exported(cli, tmp_path, run.info.run_id) in code_of(model)
    assert "polyexp.no_model" not in run.data.tags
    assert not any("log_model" in key for key in run.data.params)
    logged = store.get_logged_model(model["model_id"])
    assert [one.model_id for one in run.outputs.model_outputs] == [logged.model_id]
    assert logged.params == {key: value for key, value in run.data.params.items() if key in header_params(tmp_path)}
    finals = {one["metric_name"]: one["metric_value"] for one in rows_of(tmp_path, "logged_model_metrics")}
    assert finals == {key: value for key, value in run.data.metrics.items() if key in finals}
    assert {"loss/final", "loss/max_error", "loss/final_excess", "optimizer/steps"} <= finals.keys()
    assert logged.tags == {"polyexp.journal": run.info.run_id}


def header_params(tmp_path):
    return journal_of(tmp_path / "outputs" / "one")[0]["params"]


def rows_of(tmp_path, table):
    return rows(tmp_path / "outputs" / "mlflow.db")[table]


def test_it_is_loaded_without_polyexp_and_has_the_values_of_the_result(cli, store, tmp_path):
    assert cli(*SHORT, FOLDER).code == 0
    run = only_run(store)
    uri = f"sqlite:///{tmp_path / 'outputs' / 'mlflow.db'}"
    samples = p.Problem(num_samples=50)
    loop = p.Manual(steps=20, log_every=10)
    result = p.fit(samples, p.LegendreSeries(), loop=loop, optimizer=p.GradientDescent("auto"), backend=p.NumPy())
    x = np.linspace(*result.samples.domain, 10_000)
    (values,) = values_without_polyexp([(f"runs:/{run.info.run_id}/model", x)], uri)
    stated = journal_of(tmp_path / "outputs" / "one")[-3]["model"]["polynomial"]["accuracy"]
    apart = np.abs(values - result(x))
    assert apart.max() <= stated["rounding"]
    assert (apart / np.spacing(np.abs(result(x)))).max() <= stated["ulps_of_value"]
    space = {}
    exec(exported(cli, tmp_path, run.info.run_id), space)
    assert values.tolist() == [space["polynomial"](one) for one in x.tolist()]


@pytest.mark.parametrize(
    ("words", "jobs", "made"),
    [
        ((), 1, 1),
        (("tracking.log_model=always",), 1, 1),
        (("tracking.log_model=never",), 1, 0),
        (("-m", "seed=0,1"), 2, 0),
        (("-m", "seed=0,1", "tracking.log_model=never"), 2, 0),
        (("-m", "seed=0,1", "tracking.log_model=always"), 2, 2),
        (("-m", "seed=0,1", "hydra/launcher=basic"), 2, 0),
        (("-m", "seed=0"), 1, 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_which_runs_have_a_model(cli, store, tmp_path, models, words, jobs, made):
    assert cli(*SHORT, *words).code == 0
    assert len(all_runs(store)) == jobs
    assert len(models()) == made
    assert set(models()) <= {run.info.run_id for run in all_runs(store)}
    assert not any(run.info.run_id in models() for run in sweeps(store))
    assert bool(list(tmp_path.glob("outputs/artifacts/models/*"))) == bool(made)
    assert all("polyexp.no_model" not in run.data.tags for run in all_runs(store))


def test_the_setting_is_neither_a_param_nor_part_of_the_fingerprint(cli, store):
    for word in ("auto", "always", "never"):
        assert cli(*SHORT, f"tracking.log_model={word}").code == 0
    runs = all_runs(store)
    assert len({run.data.tags["polyexp.fingerprint"] for run in runs}) == 1
    assert runs[0].data.params == runs[1].data.params == runs[2].data.params
    assert {run.info.run_name for run in runs} == {runs[0].info.run_name}


@pytest.mark.parametrize("word", ["yes", "true", "Auto", "1", "null", "[auto]", "''"])
def test_another_word_is_refused(cli, tmp_path, word):
    ended = cli(f"tracking.log_model={word}")
    assert (ended.code, ended.out) == (2, "")
    assert re.fullmatch(r"polyexp: `tracking\.log_model` must be (one of auto, always, never|a text).*\n", ended.err), (
        ended.err
    )
    assert not (tmp_path / "outputs" / "runs").exists()


def test_without_a_tracker_there_is_no_model(cli, store, tmp_path):
    assert cli(*SHORT, FOLDER, "tracking=none").code == 0
    assert all("model" not in line for line in journal_of(tmp_path / "outputs" / "one"))
    assert not (tmp_path / "outputs" / "artifacts" / "models").exists()


# Runs without a polynomial


@pytest.mark.parametrize("word", ["auto", "always", "never"])
def test_a_diverged_run_has_no_model(cli, store, models, word):
    ended = cli(*DIVERGING, f"tracking.log_model={word}")
    assert ended.code == 0
    sentence = "warning: no MLflow model is made of this run: The run diverged.\n"
    assert (sentence in ended.err) == (word == "always")
    assert models() == {}
    said = only_run(store).data.tags.get("polyexp.no_model")
    assert said == (None if word == "never" else "The run diverged.")


def test_a_run_that_failed_has_no_model(cli, store, models, monkeypatch):
    def fail(*args, **options):
        raise MemoryError("8 GiB")

    monkeypatch.setattr(run_module, "compute", fail)
    assert cli(*SHORT).code == 1
    assert only_run(store).info.status == "FAILED"
    assert models() == {}


# Runs that go on


@pytest.fixture
def interrupted(cli, monkeypatch):
    """Call it with words: the run in outputs/one has been interrupted."""

    def call(*words):
        compute = run_module.compute

        def interrupting(*args, observe, **options):
            def seen(snapshot):
                observe(snapshot)
                if snapshot.step >= 10:
                    os.kill(os.getpid(), signal.SIGINT)
                    options["stop"] = lambda: True

            return compute(*args, observe=seen, **options)

        with monkeypatch.context() as patch:
            patch.setattr(run_module, "compute", interrupting)
            assert cli(*words).code == 130

    return call


def test_an_interrupted_run_has_a_model_once_it_has_ended(cli, store, tmp_path, models, interrupted):
    interrupted(*SHORT, FOLDER)
    assert only_run(store).info.status == "KILLED"
    assert models() == {}
    assert cli("resume=outputs/one").code == 0
    run = only_run(store)
    (model,) = models().values()
    assert model["source_run_id"] == run.info.run_id
    assert exported(cli, tmp_path, run.info.run_id) in code_of(model)


def test_a_run_that_goes_on_after_its_end_renews_its_model(cli, store, tmp_path, models):
    assert cli(*SHORT, FOLDER).code == 0
    (first,) = models().values()
    before = code_of(first)
    assert cli("resume=outputs/one", "loop.steps=30").code == 0
    (second,) = models().values()
    assert second["model_id"] == first["model_id"]
    assert second["last_updated_timestamp_ms"] > first["last_updated_timestamp_ms"]
    assert code_of(second) != before
    assert exported(cli, tmp_path, only_run(store).info.run_id) in code_of(second)
    assert len(rows_of(tmp_path, "logged_models")) == 1
    metrics = {one["metric_name"]: one["metric_value"] for one in rows_of(tmp_path, "logged_model_metrics")}
    assert len(metrics) == len(rows_of(tmp_path, "logged_model_metrics")) > 4
    assert metrics == {key: value for key, value in only_run(store).data.metrics.items() if key in metrics}
    assert len([one for one in rows_of(tmp_path, "inputs") if one["source_type"] == "RUN_OUTPUT"]) == 1


def test_delivering_again_makes_no_second_model(cli, store, tmp_path, models):
    assert cli(*SHORT, FOLDER).code == 0
    tables = ("logged_models", "logged_model_params", "logged_model_tags", "logged_model_metrics", "inputs")
    before = [rows_of(tmp_path, table) for table in tables]
    (tmp_path / "outputs" / "one" / "delivery.json").unlink()
    assert cli("action=sync").code == 0
    assert [rows_of(tmp_path, table) for table in tables] == before


def test_a_model_that_was_deleted_stays_so(cli, store, tmp_path, models):
    assert cli(*SHORT, FOLDER).code == 0
    (model,) = models().values()
    store.delete_logged_model(model["model_id"])
    (tmp_path / "outputs" / "one" / "delivery.json").unlink()
    assert cli("action=sync").code == 0
    assert models() == {}


# In Python


def test_a_fit_that_is_recorded_in_python_has_a_model(tmp_path, store, models):
    uri = f"sqlite:///{tmp_path / 'outputs' / 'mlflow.db'}"
    result = p.fit(p.Samples.of([-1, 0, 1], [1, 0, 1]), p.PowerSeries(degree=2), backend=p.NumPy())
    p.record(result, tmp_path / "one", tracking=p.MLflow(uri=uri))
    p.record(result, tmp_path / "two", tracking=p.MLflow(uri=uri, log_model="never"))
    (model,) = models().values()
    assert model["source_run_id"] == journal_of(tmp_path / "one")[0]["id"]
    assert repr(float(result.params[0])) in code_of(model)


def test_the_computing_process_imports_no_mlflow_for_a_model():
    program = "import polyexp.tracking.logged_model, sys\nprint({'mlflow', 'torch', 'yaml'} & set(sys.modules))"
    assert run_python(program).out.strip() == "set()"
