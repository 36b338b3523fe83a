"""The saved view of MLflow's pages: what is written, when, and that an error there stops no run. `test_browser.py` opens it."""

import json
import re
from pathlib import Path

import pytest

from polyexp.tracking import view as views
from polyexp.tracking.sqlite_writer import SqliteWriter
from polyexp.tracking.view import ALL_RUNS, TAG, decoded, encoded, links, of_sweep
from tests.helpers.stores import all_runs, only_run

SHORT = ("backend=numpy", "problem.num_samples=20", "model.degree=3", "loop.steps=2")
RATES = "optimizer.learning_rate=1e-7,1e-6"


def saved(client):
    """The views of the experiment by key."""
    tags = client.get_experiment_by_name("polyexp").tags
    return {key.removeprefix(TAG): value for key, value in tags.items() if key.startswith(TAG)}


def link(text):
    """The last address in a text: experiment, and key of the view if there is one."""
    return re.findall(r"#/experiments/(\d+)/runs\?workflowType=machine_learning(?:&viewStateShareKey=(\S+))?", text)[-1]


@pytest.mark.parametrize("view", [ALL_RUNS, of_sweep("s", ["model.degree", "seed"])], ids=lambda view: view.key)
def test_a_tag_reads_back_as_the_state(view):
    assert decoded(encoded(view)) == view.state()
    assert len(encoded(view)) < 5000  # MLflow's limit is 20 000


def test_the_columns_are_losses_outcome_and_the_settings_that_vary():
    state = of_sweep("s", ["model.degree", "seed"]).state()
    assert state["selectedColumns"] == [
        "metrics.`loss/final`",
        "params.`model.degree`",
        "params.`seed`",
        "metrics.`loss/final_excess`",
        "tags.`polyexp.outcome`",
    ]
    assert state["columnOrder"] == list(state["columnWidths"])
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`loss/final`", True)
    assert state["searchFilter"] == 'tags.`polyexp.sweep` = "s"'


def test_the_charts_are_curves_bars_parallel_coordinates_and_differences():
    charts = of_sweep("s", ["seed"]).state()["compareRunCharts"]
    assert [(one["type"], one.get("metricKey"), one.get("scaleType")) for one in charts] == [
        ("LINE", "loss/train", "log"),
        ("LINE", "loss/excess", "log"),
        ("BAR", "loss/log10_final", None),
        ("PARALLEL", None, None),
        ("DIFFERENCE", None, None),
    ]
    assert [one["xAxisScaleType"] for one in charts[:2]] == ["log", "log"]  # the first snapshot is that of step 1
    assert charts[3]["selectedParams"] == ["seed"]
    assert len({one["uuid"] for one in charts}) == len(charts)


def test_a_sweep_over_everything_shows_what_fits():
    view = of_sweep("s", [f"model.key{n}" for n in range(50)])
    assert len(view.settings) == views.MAX_SETTING_COLUMNS
    assert of_sweep("s", []).settings == ALL_RUNS.settings


def test_a_run_saves_the_view_once_and_prints_the_link(cli, store):
    first = cli(*SHORT)
    written = saved(store)
    assert link(first.out) == (only_run(store).info.experiment_id, ALL_RUNS.key)
    assert decoded(written[ALL_RUNS.key]) == ALL_RUNS.state()
    second = cli(*SHORT, "seed=1")
    assert link(second.out) == link(first.out)
    assert saved(store) == written  # with its time of writing


def test_make_ui_knows_the_same_link(cli, store):
    assert links(store, "http://127.0.0.1:5000") == []
    last = cli(*SHORT).out.splitlines()[-1]
    assert links(store, "http://127.0.0.1:5000") == [last.replace("All runs side by side", "polyexp")]


@pytest.mark.parametrize("old", ["not JSON", '{"state": "deflate;AAAA"}', encoded(of_sweep("s", []))])
def test_another_view_under_the_name_is_replaced(cli, store, tmp_path, old):
    number = store.create_experiment("polyexp", artifact_location=str(tmp_path / "artifacts"))
    store.set_experiment_tag(number, TAG + ALL_RUNS.key, old)
    assert cli(*SHORT).code == 0
    assert decoded(saved(store)[ALL_RUNS.key]) == ALL_RUNS.state()


def test_a_view_that_cannot_be_written_costs_no_run(cli, store, monkeypatch):
    def refuse(*args):
        raise ValueError("the tag is too long")

    monkeypatch.setattr(SqliteWriter, "set_experiment_tag", refuse)
    ended = cli(*SHORT)
    assert (ended.code, only_run(store).info.status) == (0, "FINISHED")
    assert saved(store) == {}
    monkeypatch.undo()
    assert cli(*SHORT).code == 0
    assert saved(store).keys() == {ALL_RUNS.key}


def test_a_sweep_ends_with_the_link_to_its_runs(cli, store):
    ended = cli("-m", *SHORT, RATES, "seed=0,1")
    (sweep,) = {run.data.tags["polyexp.sweep"] for run in all_runs(store)}
    key = f"polyexp-sweep-{sweep}"
    last = ended.out.splitlines()[-1]
    assert last.startswith("The runs of this sweep: http://127.0.0.1:5000/")
    assert link(last) == (all_runs(store)[0].info.experiment_id, key)
    assert decoded(saved(store)[key]) == of_sweep(sweep, ["optimizer.learning_rate", "seed"]).state()
    found = store.search_runs([link(last)[0]], decoded(saved(store)[key])["searchFilter"])
    assert len(found) == 4


def test_a_quiet_sweep_says_nothing_and_a_failed_one_says_where_its_runs_are(cli, store, monkeypatch):
    assert "http" not in cli("-m", *SHORT, RATES, "quiet=true").out
    monkeypatch.setattr("polyexp.experiment.run.fit", lambda *args, **settings: 1 / 0)
    ended = cli("-m", *SHORT, RATES)
    assert ended.code == 1
    assert ended.out.splitlines()[-1].startswith("The runs of this sweep: ")
    assert len(saved(store)) == 3  # of both sweeps, and of all runs


def test_a_refused_sweep_and_one_that_records_nothing_have_no_link(cli):
    refused = cli("-m", *SHORT, "seed=0,-1")
    assert (refused.code, refused.out) == (2, "")
    for words in (("action=predict",), ("tracking=none",)):
        assert "The runs of this sweep" not in cli("-m", *SHORT, "seed=0,1", *words).out


def test_only_the_latest_sweeps_keep_their_views(cli, store, monkeypatch):
    monkeypatch.setattr(views, "SWEEPS_KEPT", 2)
    keys = [link(cli("-m", *SHORT, "seed=0,1").out)[1] for _ in range(3)]
    assert saved(store).keys() == {ALL_RUNS.key, *keys[1:]}


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("seed=0,1",), ["seed=0", "seed=1"]),
        (
            (RATES, "loop=manual,autograd"),
            ["lr=1e-07 manual", "lr=1e-07 autograd", "lr=1e-06 manual", "lr=1e-06 autograd"],
        ),
        (("seed=range(2)",), ["seed=0", "seed=1"]),
    ],
)
def test_the_jobs_of_a_sweep_are_named_by_what_varies(cli, store, words, names):
    assert cli("-m", *SHORT, "backend=torch", *words).code == 0
    assert sorted(run.info.run_name for run in all_runs(store)) == sorted(names)


def test_numbers_are_short_enough_for_the_table_and_exact_in_the_files(cli, store):
    assert cli(*SHORT).code == 0
    run = only_run(store)
    shown = run.data.metrics["loss/final"]
    exact = json.loads((Path(run.info.artifact_uri) / "result.json").read_text())["loss"]
    assert shown != exact
    assert shown == pytest.approx(exact, rel=5e-4)
    assert len(repr(shown)) <= len("-1.234e-100")
