"""MLflow's own pages in a real browser, through the links that polyexp prints. Run by `make test-browser`.

The view's format belongs to one version of MLflow: what fails here after an update is `polyexp/tracking/view.py`.
With POLYEXP_SCREENSHOTS=<folder> the pictures of docs/comparing-runs.md are written there (`make screenshots`).
"""

import io
import json
import os
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from polyexp.tracking.store import open_store
from polyexp.tracking.view import ALL_RUNS, decoded, of_sweep
from tests.helpers.browser import FLAGS, chromium_path
from tests.helpers.commands import run_in_process
from tests.helpers.servers import serving
from tests.helpers.stores import all_runs, sweeps

pytestmark = pytest.mark.browser
SECONDS = 90  # until a page must have shown something, on a busy machine
SWEEP = ("backend=numpy", "model.degree=3,5", "optimizer.learning_rate=1e-7,1e-6,1e-5", "seed=0,1,2,3,4")
LARGE = (
    "backend=numpy",
    "model=legendre_series",
    "optimizer.learning_rate=logspace(-3,-0.01,60)",
    "seed=range(0,5)",
    "loop.steps=1000",
    "loop.log_every=50",
    "tracking.experiment_name=large",
)
BEST = ("optimizer.learning_rate=auto", "loop.steps=200", "loop.log_every=10")
MODELS = ("power_series", "legendre_series", "chebyshev_series")
ALL = 34  # the sweep itself, its 30 jobs, and three single runs
ASSISTANT_SEEN = "localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true')"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A store with a sweep of 30 runs, three single ones and a sweep of 300; the keys of views and the ids of runs."""
    folder = tmp_path_factory.mktemp("recorded")
    swept = run_in_process("-m", *SWEEP, "loop.steps=200", "loop.log_every=10", cwd=folder, pictures=True)
    assert swept.code == 0
    assert swept.err.startswith("warning: The forecast of 3 of 30 jobs is a fall of less than 1 % of the excess loss.")
    single = [
        run_in_process(f"model={model}", *BEST, "report.page=true", cwd=folder, pictures=True) for model in MODELS
    ]
    assert [one.code for one in single] == [0, 0, 0]
    uri = f"sqlite:///{folder / 'outputs' / 'mlflow.db'}"
    runs = all_runs(open_store(uri).client)
    pages = link(swept.out), link(single[-1].out)
    large = run_in_process("-m", *LARGE, cwd=folder)  # in an MLflow experiment of its own
    assert large.code == 0
    return SimpleNamespace(folder=folder, uri=uri, runs=runs, sweep=pages[0], plain=pages[1], large=link(large.out))


def link(text):
    """The path of the last link in what a command printed."""
    return re.findall(r"http://127\.0\.0\.1:5000(/#/\S+)", text)[-1]


@pytest.fixture(scope="module")
def address(recorded):
    with serving(recorded.folder, recorded.uri) as where:
        yield where


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    """Opens a browser with a fresh profile, in a window of a given size."""
    from playwright.sync_api import sync_playwright

    path = chromium_path()
    with sync_playwright() as playwright:

        def opened(width, height):
            profile = tmp_path_factory.mktemp("profile")
            size = {"width": width, "height": height}
            return playwright.chromium.launch_persistent_context(
                profile, executable_path=path, args=["--headless", *FLAGS], viewport=size, headless=True
            )

        yield opened


@pytest.fixture
def visit(chromium, address):
    """Opens a page of the server, as a returning visitor or, with first=True, as a new one."""
    contexts = []

    def open_page(path, *, first=False, size=(1400, 900)):
        context = chromium(*size)
        contexts.append(context)
        context.set_default_timeout(SECONDS * 1000)
        if not first:
            context.add_init_script(ASSISTANT_SEEN)
        page = context.new_page()
        page.goto(address + path)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def shot(tmp_path):
    """Takes a picture of a page, small enough for a repository."""
    from PIL import Image

    folder = Path(os.environ.get("POLYEXP_SCREENSHOTS", tmp_path))

    def take(page, name):
        image = Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(96)
        image.save(folder / f"{name}.png", optimize=True)
        assert (folder / f"{name}.png").stat().st_size < 200_000

    return take


def columns(page):
    """The table's column headers from left to right, the pinned ones included."""
    found = page.eval_on_selector_all(
        ".ag-header-cell", "cells => cells.map(c => [c.getBoundingClientRect().left, c.innerText.trim()])"
    )
    return [text for _, text in sorted(found) if text]


def cells(page, column):
    """The texts of a column, from the top."""
    script = """(all, column) => all.filter(c => c.getAttribute('col-id') === column).map(
        c => [c.getBoundingClientRect().top, c.innerText.trim()])"""
    return [text for _, text in sorted(page.eval_on_selector_all(".ag-cell", script, column))]


def cut(page):
    """The texts of cells that end in `...` because they do not fit."""
    script = """all => all.filter(c => [c, ...c.querySelectorAll('*')].some(
        e => getComputedStyle(e).textOverflow === 'ellipsis' && e.scrollWidth > e.clientWidth)).map(c => c.innerText)"""
    return page.eval_on_selector_all(".ag-cell[col-id*='.']", script)


def wait_for_rows(page, number):
    page.get_by_text(f"{number} matching runs").wait_for()
    page.wait_for_function("document.querySelectorAll('.ag-row').length > 3")
    page.wait_for_timeout(1500)  # columns are moved into their order after the first rows


def test_runs_are_listed_with_losses_and_settings(visit, recorded, shot):
    page = visit(recorded.plain, size=(1600, 620))
    wait_for_rows(page, ALL)
    assert columns(page)[:7] == [
        "Run Name",
        "Created",
        "loss/final",
        "loss/final_excess",
        "polyexp.outcome",
        "problem",
        "model",
    ]
    assert len(cut(page)) == 4  # the names of single runs and of the sweep: the same check on a sweep would fail
    assert cells(page, "params.`model`")[:3] == list(reversed(MODELS))
    shown = [float(text) for text in cells(page, "metrics.`loss/final`")[:3]]
    assert shown == [run.data.metrics["loss/final"] for run in reversed(recorded.runs[-3:])]
    shot(page, "runs")


def test_a_sweep_is_one_row_of_the_page_that_mlflow_opens_by_itself(visit, recorded, shot):
    page = visit("/#/experiments/1/runs", size=(1600, 420))
    page.get_by_text(f"{ALL} matching runs").wait_for()
    page.wait_for_function("document.querySelectorAll('.ag-row').length > 3")
    page.wait_for_timeout(1500)
    names = [text.splitlines()[-1] for text in cells(page, "attributes.`Run Name`")]
    assert len(names) == 4
    assert sum(name.startswith("sweep ") for name in names) == 1
    shot(page, "default")


def test_the_run_of_a_sweep_has_its_picture_and_its_table(visit, recorded, shot):
    (parent,) = sweeps(open_store(recorded.uri).client)
    about = f"/#/experiments/{parent.info.experiment_id}/runs/{parent.info.run_id}/artifacts"
    page = visit(f"{about}/sweep.png?workflowType=machine_learning", size=(1400, 800))
    page.wait_for_function("[...document.images].some(i => i.src.startsWith('blob:') && i.naturalWidth > 300)")
    page.get_by_text("sweep.csv").wait_for()
    page.get_by_text("Path:").evaluate("one => one.style.visibility = 'hidden'")  # it is that of this machine
    page.wait_for_timeout(500)
    shot(page, "parent")
    page = visit(f"{about}/sweep.csv?workflowType=machine_learning", size=(1400, 800))
    page.get_by_text("learning_rate").first.wait_for()


def test_the_charts_of_three_hundred_runs_are_drawn(visit, recorded, shot):
    """MLflow loads a hundred runs at a time."""
    page = visit(recorded.large + "&compareRunsMode=CHART", size=(1600, 1200))
    for number in (100, 200):
        page.get_by_text(f"{number} matching runs").wait_for()
        page.wait_for_timeout(1500)
        page.evaluate("document.querySelectorAll('.ag-body-viewport').forEach(one => one.scrollTop = one.scrollHeight)")
        page.get_by_text("Load more").first.click()
    page.get_by_text("300 matching runs").wait_for()
    page.wait_for_function(f"({DRAWN})().filter(([name, , curves]) => name === 'loss/train' && curves >= 300).length")
    page.locator("svg.parcoords, .parcoords").first.wait_for()
    page.wait_for_timeout(4000)
    shot(page, "charts-300")


def test_a_sweep_of_thirty_runs_is_readable_without_a_click(visit, recorded, tmp_path):
    """In the first minute of a new user, with the assistant's panel open."""
    page = visit(recorded.sweep, first=True, size=(1600, 1400))
    wait_for_rows(page, 30)
    assert columns(page)[:6] == [
        "Run Name",
        "Created",
        "loss/final",
        "model.degree",
        "optimizer.learning_rate",
        "seed",
    ]
    names = [text.splitlines()[-1] for text in cells(page, "attributes.`Run Name`")]  # a row's colour comes first
    assert len(set(names)) == 30
    assert "degree=3 lr=1e-06 seed=1" in names
    losses = [float(text) for text in cells(page, "metrics.`loss/final`")]
    assert losses == sorted(run.data.metrics["loss/final"] for run in recorded.runs[:30])
    assert cut(page) == []
    page.screenshot(path=tmp_path / "first-visit.png")


def test_what_differs_stands_before_the_outcome(visit, recorded, shot):
    page = visit(recorded.sweep, size=(1600, 760))
    wait_for_rows(page, 30)
    assert cut(page) == []
    assert columns(page)[2:] == [
        "loss/final",
        "model.degree",
        "optimizer.learning_rate",
        "seed",
        "loss/final_excess",
        "polyexp.outcome",
        "Duration",
    ]
    assert set(cells(page, "tags.`polyexp.outcome`")) == {"MAX_STEPS"}
    shot(page, "sweep")


DRAWN = """() => [...document.querySelectorAll('.js-plotly-plot')].filter(p => p.layout && p.data.length).map(
    p => [p.data[0].metricKey || p.data[0].type, [p.layout.xaxis.type, p.layout.yaxis.type],
    p.data.filter(d => d.y).length])"""


def test_the_charts_of_a_sweep_are_drawn(visit, recorded, shot):
    page = visit(recorded.sweep + "&compareRunsMode=CHART", size=(1600, 1200))
    page.wait_for_function(
        f"({DRAWN})().filter(([name]) => ['loss/train', 'loss/excess', 'bar'].includes(name)).length == 3"
    )
    page.locator("svg.parcoords, .parcoords").first.wait_for()
    drawn = {name: (scales, curves) for name, scales, curves in page.evaluate(DRAWN)}
    assert drawn["loss/train"][0] == drawn["loss/excess"][0] == ["log", "log"]
    assert drawn["loss/train"][1] >= 30
    titles = page.eval_on_selector_all(
        "[data-testid=experiment-view-compare-runs-card]", "cards => cards.map(c => c.innerText.split('\\n')[0])"
    )
    assert titles[:4] == ["loss/train", "loss/excess", "loss/log10_final", "Parallel Coordinates"]
    page.wait_for_timeout(1500)
    shot(page, "charts")
    differences = page.locator("[data-testid=experiment-view-compare-runs-card]", has_text="Compare by")
    differences.get_by_text("optimizer.learning_rate").wait_for()
    assert differences.get_by_text("loop.steps").count() == 0  # the same in all runs


@pytest.mark.parametrize("which", ["plain", "sweep"])
def test_the_page_takes_the_view_as_it_is_written(visit, recorded, which):
    """MLflow stores a view that the user changes: apart from the change it equals what polyexp wrote, key by key."""
    page = visit(getattr(recorded, which))
    wait_for_rows(page, ALL if which == "plain" else 30)
    page.get_by_role("button", name="Override saved view").click()
    page.wait_for_timeout(1500)
    stored = [json.loads(text) for text in page.evaluate("Object.values(localStorage)") if "compareRunCharts" in text]
    tags = open_store(recorded.uri).client.get_experiment_by_name("polyexp").tags
    key = getattr(recorded, which).partition("viewStateShareKey=")[2]
    written = decoded(tags[f"mlflow.sharedViewState.{key}"])
    view = (
        ALL_RUNS
        if which == "plain"
        else of_sweep(key.removeprefix("polyexp-sweep-"), ["model.degree", "optimizer.learning_rate", "seed"])
    )
    assert written == view.state()
    (state,) = stored
    common = state.keys() & written.keys() - {"compareRunSections", "compareRunCharts", "columnOrder", "columnWidths"}
    assert {"selectedColumns", "runsHiddenMode", "globalLineChartConfig", "groupBy"} <= common
    assert {name: state[name] for name in common} == {name: written[name] for name in common}
    assert state["compareRunCharts"][: len(written["compareRunCharts"])] == written["compareRunCharts"]


def test_two_runs_are_compared(visit, recorded, shot):
    page = visit(recorded.plain, size=(1400, 1000))
    wait_for_rows(page, ALL)
    for row in (0, 1):
        page.locator(f".ag-row[row-index='{row}'] input[type=checkbox]").first.check(force=True)
    page.get_by_role("button", name="Compare").click()
    page.get_by_text("Comparing 2 Runs from 1 Experiment").wait_for()
    only = page.get_by_text("Show diff only").first
    only.wait_for()
    text = page.inner_text("body")
    for run in recorded.runs[-2:]:
        assert run.info.run_name in text
        assert run.data.params["model"] in text
    steps = page.get_by_text("loop.steps", exact=True)
    assert steps.count() == 1
    only.click()
    steps.wait_for(state="hidden")
    only.evaluate("one => one.scrollIntoView({block: 'start'})")
    page.wait_for_timeout(1000)
    shot(page, "compare")


def artifact(recorded, name):
    run = recorded.runs[-1].info
    return f"/#/experiments/{run.experiment_id}/runs/{run.run_id}/artifacts/{name}?workflowType=machine_learning"


def test_the_picture_of_a_fit_is_shown(visit, recorded):
    page = visit(artifact(recorded, "fit.png"))
    page.wait_for_function("[...document.images].some(i => i.src.startsWith('blob:') && i.naturalWidth > 300)")


def test_the_slider_of_the_animated_page_moves(visit, recorded):
    page = visit(artifact(recorded, "page.html"))
    frame = page.frame_locator("iframe").first
    slider, label = frame.locator(".slider-rail-touch-rect").first, frame.locator(".slider-label").first
    slider.wait_for()
    drawn = "[...document.querySelectorAll('.scatterlayer .js-line')].map(line => line.getAttribute('d'))"
    seen = label.text_content(), frame.locator("body").evaluate(drawn)
    box = slider.bounding_box()
    page.mouse.click(box["x"] + 0.7 * box["width"], box["y"] + box["height"] / 2)
    page.wait_for_timeout(1500)
    now = label.text_content(), frame.locator("body").evaluate(drawn)
    assert "updates taken" in seen[0] != now[0]
    assert len(seen[1]) == len(now[1]) > 1
    assert seen[1] != now[1]


def test_the_models_of_single_runs_are_shown_and_those_of_sweeps_are_none(visit, recorded, shot):
    """In the tab of models, on a page of its own, and on the page of its run."""
    client, run = open_store(recorded.uri).client, recorded.runs[-1]
    models = client.search_logged_models([run.info.experiment_id])
    assert {one.source_run_id for one in models} == {one.info.run_id for one in recorded.runs[-3:]}
    page = visit("/#/experiments/1/models?workflowType=machine_learning", size=(1400, 600))
    for one in recorded.runs[-3:]:
        page.get_by_text(one.info.run_name).first.wait_for()
    assert page.get_by_text("Ready", exact=True).count() == 3
    page.wait_for_timeout(1000)
    shot(page, "models")
    (model,) = (one for one in models if one.source_run_id == run.info.run_id)
    about = f"/#/experiments/1/models/{model.model_id}"
    page = visit(f"{about}?workflowType=machine_learning")
    page.get_by_text("loss/final_excess").first.wait_for()
    text = page.inner_text("body")
    assert all(word in text for word in ("model.degree", run.info.run_name, "loss/max_error"))
    page = visit(f"{about}/artifacts?workflowType=machine_learning")
    page.get_by_text("polynomial.py").first.click()
    page.wait_for_function("document.body.innerText.includes('def polynomial(x)')")
    page = visit(f"/#/experiments/1/runs/{run.info.run_id}?workflowType=machine_learning")
    page.get_by_text("Logged models (1)").first.wait_for()
