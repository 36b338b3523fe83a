"""polyexp.runs: the recorded runs of a store as a list and as a table, with and without MLflow."""

import sqlite3
from contextlib import closing

import numpy as np
import pandas as pd
import pytest

import polyexp as p
from tests.helpers.commands import run_in_process, run_python
from tests.helpers.servers import serving

QUICK = ("backend=numpy", "loop.steps=50", "report.pictures=none", "quiet=true")
ALL = "attributes.status != 'X'"  # a filter that every run passes, so that MLflow is asked
SWEEP = "polyexp.sweep"
EXAMPLE = "metrics.`loss/final` < 1 and params.model = 'legendre'"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, new_store):
    """The address of a store with a run, a sweep of three jobs, a run that diverged, and a comparison."""
    folder = tmp_path_factory.mktemp("recorded")
    uri = new_store(folder / "outputs" / "mlflow.db")
    for words in (
        QUICK,
        ("-m", *QUICK, "model=legendre_series", "model.degree=1,2,3", "optimizer.learning_rate=0.1"),
        (*QUICK, "optimizer.learning_rate=1", "optimizer.allow_divergence=true"),
        ("action=compare", "action.last=2", "quiet=true"),
    ):
        assert run_in_process(*words, cwd=folder)[0] == 0
    return uri


def test_the_latest_come_first(recorded):
    runs = p.runs(recorded)
    assert len(runs) == 5
    assert [run.outcome for run in runs] == ["DIVERGED", *["MAX_STEPS"] * 4]
    assert [run.started for run in runs] == sorted((run.started for run in runs), reverse=True)
    assert repr(runs) == f"<RunList: 5 runs of the experiment 'polyexp' of {recorded}>"
    assert repr(runs[-1]) == f"<ListedRun {runs[-1].id[:8]}: MAX_STEPS, loss {runs[-1].loss:.4g}, {runs[-1].name}>"
    assert list(p.runs(recorded, last=2)) == list(runs[:2])


def test_the_jobs_of_a_sweep_are_in_the_order_of_their_losses(recorded):
    name = p.runs(recorded)[1].tags[SWEEP]
    jobs = p.runs(recorded, sweep=name)
    assert [run.params["model.degree"] for run in jobs] == ["3", "2", "1"] or jobs[0].loss <= jobs[1].loss <= jobs[
        2
    ].loss
    assert len(jobs) == len({run.id for run in jobs}) == 3
    assert len({run.parent for run in jobs}) == 1
    assert jobs[0].parent not in {run.id for run in p.runs(recorded)}  # which is no fit
    assert list(p.runs(recorded, sweep=str(jobs[0].folder.parent))) == list(jobs)
    assert p.runs(recorded, sweep=name, filter=ALL).listed == jobs.listed


def test_mlflow_gives_the_same_list(recorded):
    mine, its = p.runs(recorded), p.runs(recorded, filter=ALL)
    assert mine == its
    pd.testing.assert_frame_equal(mine.to_frame(), its.to_frame(), check_exact=True)


def test_the_table_is_that_of_mlflow(recorded):
    import mlflow

    frame = p.runs(recorded).to_frame()
    client = mlflow.MlflowClient(recorded)
    for row in frame.to_dict("records"):
        run = client.get_run(row["run_id"])
        assert {f"params.{key}": value for key, value in run.data.params.items()}.items() <= row.items()
        for key, value in run.data.metrics.items():
            np.testing.assert_array_equal(row[f"metrics.{key}"], value)
        assert (row["status"], row["name"]) == (run.info.status, run.info.run_name)
        assert row["started"] == pd.Timestamp(run.info.start_time, unit="ms", tz="UTC")
        assert row["ended"] == pd.Timestamp(run.info.end_time, unit="ms", tz="UTC")
        parent = run.data.tags.get("mlflow.parentRunId")
        assert row["parent"] == parent or (pd.isna(row["parent"]) and parent is None)
    assert not [name for name in frame.columns if name.startswith("tags.mlflow.")]
    assert frame["metrics.weight/w7"].isna().tolist() == [False, True, True, True, False]


def test_a_filter(recorded):
    runs = p.runs(recorded, filter="params.model = 'legendre_series' and metrics.`loss/final` < 1")
    assert runs
    assert {run.params["model"] for run in runs} == {"legendre_series"}
    assert len(p.runs(recorded, filter=ALL, last=1)) == 1


def test_the_best_coefficients_in_three_commands(recorded, tmp_path, monkeypatch):
    monkeypatch.chdir(p.runs(recorded)[0].folder.parents[3])  # where outputs/mlflow.db is
    best = p.runs().best()
    result = best.result()
    fitted = p.fit(
        p.Problem(),
        p.LegendreSeries(degree=int(best.params["model.degree"])),
        loop=p.Manual(steps=50),
        optimizer=p.GradientDescent(0.1),
        backend=p.NumPy(),
    )
    # A job of a batch is rounded in another order than a run alone: a few ulps in 50 steps.
    np.testing.assert_allclose(result.power_series, fitted.power_series, rtol=1e-12, atol=1e-12)
    assert best.loss == min(run.loss for run in p.runs())


@pytest.mark.parametrize("words", [None, ALL])
def test_the_result_of_each_run_is_that_of_its_folder(words, recorded):
    for run in p.runs(recorded, filter=words):
        assert run.result() == p.load_result(run.folder)


def test_neither_mlflow_nor_pandas_is_imported(recorded):
    program = f"""
import sys
import polyexp as p
runs = p.runs({recorded!r})
runs.best().result()
assert not {{"mlflow", "pandas", "matplotlib", "torch"}} & set(sys.modules)
runs.to_frame()
assert "mlflow" not in sys.modules
"""
    done = run_python(program)
    assert done.code == 0, done.err


def test_a_store_of_an_unknown_form_is_read_by_mlflow(new_store, tmp_path, monkeypatch):
    from polyexp.tracking import sqlite_runs
    from polyexp.tracking.sqlite_tables import UnknownSchemaError

    def refuse(connection):
        raise UnknownSchemaError("a test")

    uri = new_store(tmp_path / "mlflow.db")
    monkeypatch.setattr(sqlite_runs, "require_schema", refuse)
    assert p.runs(uri).listed == ()


def test_nothing_is_made_or_changed(new_store, tmp_path):
    uri = new_store(tmp_path / "mlflow.db")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert list(p.runs(uri)) == []
    assert p.runs(uri).to_frame().columns.tolist()[:3] == ["run_id", "name", "status"]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_run_without_a_result(new_store, tmp_path):
    from polyexp.tracking.store import open_store

    uri = new_store(tmp_path / "mlflow.db")
    client = open_store(uri).client
    experiment = client.create_experiment("polyexp")
    client.create_run(experiment, run_name="line 1\nline 2 \x1b[2J")
    (run,) = runs = p.runs(uri)
    assert (run.status, run.outcome, run.loss, run.folder, run.parent) == ("RUNNING", None, None, None, None)
    assert run.name == "line 1\\nline 2 \\x1b[2J"
    with pytest.raises(p.InputError) as raised:
        run.result()
    assert str(raised.value) == f"There is no result of the run {run.id[:8]}: it is RUNNING."
    with pytest.raises(p.InputError) as raised:
        runs.best()
    assert str(raised.value) == f"There is no run with a final loss among 1 run of the experiment 'polyexp' of {uri}."
    assert runs.to_frame()["ended"].isna().all()


def test_metrics_that_are_nan_and_deleted_runs_are_left_out(recorded, tmp_path):
    path = tmp_path / "mlflow.db"
    with (
        closing(sqlite3.connect(recorded.removeprefix("sqlite:///"))) as source,
        closing(sqlite3.connect(path)) as copy,
    ):
        source.backup(copy)
        copy.execute("UPDATE latest_metrics SET is_nan = 1, value = 0 WHERE key = 'loss/final'")
        (first,) = copy.execute("SELECT run_uuid FROM latest_metrics WHERE key = 'loss/final' LIMIT 1").fetchone()
        copy.execute("UPDATE runs SET lifecycle_stage = 'deleted' WHERE run_uuid = ?", (first,))
        copy.commit()
    runs = p.runs(f"sqlite:///{path}")
    assert len(runs) == 4
    assert first not in {run.id for run in runs}
    assert {run.loss for run in runs} == {None}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"last": 0}, "`last` must be a whole number from 1 to 9223372036854775807, got 0."),
        (
            {"filter": " "},
            "`filter` must be an MLflow filter, such as metrics.`loss/final` < 1 and params.model = 'legendre', got ' '.",
        ),
        (
            {"filter": "bla bla"},
            "`filter` must be an MLflow filter such as metrics.`loss/final` < 1 and params.model = 'legendre', got 'bla bla' "
            "(Invalid clause(s) in filter string: 'bla bla').",
        ),
        ({"last": 10**30}, f"`last` must be a whole number from 1 to 9223372036854775807, got {10**30}."),
        (
            {"filter": "end_time < 9999999999999999999999"},
            "`filter` cannot be used, got 'end_time < 9999999999999999999999': Python int too large to convert to SQLite "
            "INTEGER.",
        ),
        (
            {"filter": "params.a = '\ud800'"},
            "`filter` must be an MLflow filter, such as metrics.`loss/final` < 1 and params.model = 'legendre', without "
            """halves of surrogate pairs, got "params.a = '\\ud800'".""",
        ),
        ({"filter": 5}, f"`filter` must be an MLflow filter, such as {EXAMPLE}, got 5."),
        ({"sweep": 5}, "`sweep` must be the name or the folder of a sweep, got 5."),
        ({"sweep": ""}, "`sweep` must be the name or the folder of a sweep, got ''."),
        ({"sweep": b"a"}, "`sweep` must be the name or the folder of a sweep, got b'a'."),
        ({"experiment_name": 5}, "`experiment_name` must be the name of an MLflow experiment, got 5."),
        (
            {"experiment_name": "\ud800"},
            "`experiment_name` must be the name of an MLflow experiment, without halves of surrogate pairs, got '\\ud800'.",
        ),
    ],
)
def test_what_is_not_allowed_is_refused(arguments, sentence, recorded):
    with pytest.raises(p.InputError) as raised:
        p.runs(recorded, **arguments)
    assert str(raised.value) == sentence


def test_a_filter_of_which_the_store_can_make_nothing(recorded, capfd):
    with pytest.raises(p.InputError) as raised:
        p.runs(recorded, filter=" and ".join(["metrics.`loss/final` < 1"] * 200))
    text = str(raised.value)
    assert text.startswith("`filter` cannot be used, got 'metrics.`loss/final` < 1 and metrics.")
    assert "too many FROM clause terms" in text
    assert "SELECT" not in text
    assert len(text) < 300
    assert capfd.readouterr() == ("", "")
    assert len(p.runs(recorded, filter=ALL)) == 5


def test_a_store_that_fails_is_not_blamed_on_the_filter(recorded, monkeypatch):
    def broken(*arguments, **keywords):
        raise ConnectionError("the store has gone")

    monkeypatch.setattr("mlflow.MlflowClient.search_runs", broken)
    with pytest.raises(
        p.InputError, match=r"`uri` must name a store that can be opened, got .* \(the store has gone\)"
    ):
        p.runs(recorded, filter=ALL)


def test_numbers_of_numpy_and_paths_are_taken(recorded):
    assert len(p.runs(recorded, last=np.int64(2))) == 2
    folder = p.runs(recorded)[1].folder.parent
    assert len(p.runs(recorded, sweep=folder)) == 3


def test_where_nothing_is_recorded_nothing_is_made(working_folder):
    with pytest.raises(p.InputError) as raised:
        p.runs()
    uri = f"sqlite:///{working_folder / 'outputs' / 'mlflow.db'}"
    shown = repr(uri) if len(repr(uri)) <= 80 else f"{repr(uri)[:77]}..."
    assert (
        str(raised.value) == f"`uri` must name a store with recorded runs, got {shown}, where nothing is recorded yet."
    )
    assert list(working_folder.iterdir()) == []


@pytest.mark.slow
def test_a_server_gives_the_same_runs_and_results(recorded, tmp_path):
    with serving(tmp_path, recorded) as address:
        runs = p.runs(address)
        assert runs.listed == p.runs(recorded).listed
        assert runs.best().result() == p.runs(recorded).best().result()


def listed(loss, **params):
    problem = {"problem": "sin", "problem.reduction": "auto", "problem.noise": "0.0", "model.degree": "7", "seed": "0"}
    settings = {key.replace("__", "."): value for key, value in params.items()}
    return p.ListedRun(f"{loss}", "a run", "FINISHED", problem | settings, {"loss/final": loss}, {})


def test_the_best_of_runs_of_one_problem_alone():
    """What leaves the loss comparable may differ: the model, the seed, and the reduction; and runs without a loss."""
    runs = [listed(3.0), listed(1.0, model__degree="3", seed="4"), listed(2.0, problem__reduction="none")]
    failed = p.ListedRun("id", "a run", "FAILED", {"problem": "cos"}, {}, {})
    assert p.RunList((*runs, failed), "a store").best() is runs[1]


@pytest.mark.parametrize(
    ("params", "keys"),
    [
        ({"problem": "cos"}, "`problem`"),
        ({"problem__noise": "0.1"}, "`problem.noise`"),
        (
            {"problem": "file", "problem__path": "a.csv", "problem__noise": "1"},
            "`problem`, `problem.noise`, `problem.path`",
        ),
    ],
)
def test_runs_of_several_problems_have_no_best(params, keys):
    with pytest.raises(p.InputError) as raised:
        p.RunList((listed(3.0), listed(1.0, **params)), "a store").best()
    assert str(raised.value) == (
        f"The losses of 2 runs of a store do not compare, as their problems differ in {keys}: take those of one problem by "
        "`runs(last=...)`, `runs(sweep=...)` or `runs(filter=...)`."
    )
