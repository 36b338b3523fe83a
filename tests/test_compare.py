"""Runs side by side: found by id, sweep, filter or as the last ones; as text, page, picture and record."""

import io
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from polyexp.base import InputError
from polyexp.comparison import Comparison, best_first, parts
from polyexp.comparison.figure import _draw_target, draw, labels
from polyexp.comparison.page import page
from polyexp.comparison.table import MAX_DETAILED, Detail
from polyexp.report.stream import UNLIMITED_COLUMNS
from polyexp.report.tables import tables
from polyexp.tracking import RecordedRuns, Selection
from polyexp.tracking.store import open_store
from tests.helpers.commands import run_in_process
from tests.helpers.records import CONTENT, HISTORY, recorded
from tests.helpers.stores import all_runs


def label(run_id):
    return run_id[:8]


QUICK = ("backend=numpy", "loop.steps=40", "loop.log_every=10", "problem.num_samples=40", "quiet=true")
SWEEP = "sweeps/naïve sweep 1"


class Store:
    """A folder with a sweep of three runs, a diverged run, and one that has not ended."""

    def __init__(self, folder):
        self.folder = folder
        self.client = open_store(f"sqlite:///{folder / 'outputs' / 'mlflow.db'}").client
        options = ("model.degree=3", "optimizer.learning_rate=1e-3,2e-3,1e-4", f"hydra.sweep.dir='{SWEEP}'")
        assert self.cli("-m", "model=legendre_series", *options, *QUICK).code == 0
        rate = ("optimizer.learning_rate=1e30", "optimizer.allow_divergence=true")
        assert self.cli("model.degree=2", *rate, *QUICK).code == 0
        self.fits = all_runs(self.client)
        self.ids = [run.info.run_id for run in self.fits]
        self.experiment = self.fits[0].info.experiment_id
        self.unfinished = self.client.create_run(self.experiment, run_name="not yet").info.run_id

    def cli(self, *words):
        return run_in_process(*words, cwd=self.folder)

    @property
    def runs(self):
        return RecordedRuns(open_store(f"sqlite:///{self.folder / 'outputs' / 'mlflow.db'}"), "polyexp")


@pytest.fixture(scope="module")
def four(tmp_path_factory, new_store):
    folder = tmp_path_factory.mktemp("compare")
    new_store(folder / "outputs" / "mlflow.db")
    return Store(folder)


@pytest.fixture(scope="module")
def compared(four):
    """The comparison of all runs, as the command makes it, in a folder with spaces and characters beyond ASCII."""
    done = four.cli("action=compare", "hydra.run.dir='side by side ü'")
    assert (done.code, done.err) == (0, "")
    return SimpleNamespace(out=done.out, folder=four.folder / "side by side ü")


# What is printed


def test_only_what_differs_is_printed(compared, four):
    heads = re.findall(r"[a-z_]+\.$|\S+", compared.out.partition("The fitted")[0])
    assert {"model", "learning_rate", "outcome", "loss"} <= set(heads)
    assert not {"backend", "seed", "loop", "num_samples", "hessian.", "samples."} & set(heads)
    for run in four.fits:
        # Columns that do not fit beside the others are in a further table.
        shown = " ".join(one for one in compared.out.splitlines() if one.split()[:1] == [label(run.info.run_id)])
        assert run.data.params["model"] in shown
        assert run.data.params["optimizer.learning_rate"] in shown


def test_numbers_and_coefficients_are_the_recorded_ones(compared, four):
    words = compared.out.split()
    for run in four.runs.select(Selection()):
        for metric in ("loss/final", "loss/max_error"):
            if metric in run.metrics:
                assert f"{run.metrics[metric]:.6g}" in words
        for value in run.result().power_series:
            assert f"{value:.6g}" in words


def test_the_text_fits_its_columns_without_colours(compared):
    shown = compared.out.partition("Files in")[0]
    assert max(map(len, shown.splitlines())) <= 120
    assert "\x1b" not in compared.out
    assert "…" not in shown  # what rich puts where a table is squeezed


def test_runs_are_ordered_by_loss_and_the_diverged_come_last(compared, four):
    shown = re.findall(r"^ *([0-9a-f]{8,32}) ", compared.out, re.MULTILINE)[:4]
    losses = {label(run.info.run_id): run.data.metrics.get("loss/final", np.inf) for run in four.fits}
    outcome = {label(run.info.run_id): run.data.tags["polyexp.outcome"] for run in four.fits}
    assert [losses[one] for one in shown[:3]] == sorted(losses[one] for one in shown[:3])
    assert [outcome[one] for one in shown] == ["MAX_STEPS"] * 3 + ["DIVERGED"]


# The page


class Page(HTMLParser):
    """The cells, by table and row, and everything that a page would load."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.loaded, self.tags, self._cell = [], [], set(), False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.loaded += [value for name, value in attrs if name in ("src", "href", "srcset", "data")]
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.tables[-1][-1].append("")
            self._cell = True

    def handle_endtag(self, tag):
        self._cell = self._cell and tag not in ("th", "td")

    def handle_data(self, data):
        if self._cell:
            self.tables[-1][-1][-1] += data


def test_the_page_holds_the_tables_and_needs_no_network(compared, four):
    text = (compared.folder / "compare.html").read_text(encoding="utf-8")
    read = Page(text)
    assert [one[:22] for one in read.loaded] == ["data:image/png;base64,"]
    assert "script" not in read.tags
    assert not re.search(r"https?://|@import|url\(", text)
    (head, *rows), (powers, *coefficients) = read.tables
    assert (head[0], head[-1]) == ("run", "name")
    assert "optimizer.learning_rate" in head
    assert powers == ["run", "x^0", "x^1", "x^2", "x^3"]
    assert {row[0] for row in rows} == {row[0] for row in coefficients} == {label(one) for one in four.ids}
    assert all(len(row) == len(head) for row in rows)


def comparison_of(runs):
    """The comparison of runs, with the files of the first ones."""
    return Comparison(runs, [Detail.of(run) for run in runs[:MAX_DETAILED]])


def text_of(comparison, width=120):
    console = Console(width=width, record=True, file=io.StringIO())
    for part in parts(comparison):
        for one in [part] if isinstance(part, str) else tables(part, width):
            console.print(one, markup=False, highlight=False, soft_wrap=isinstance(one, str))
    return console.export_text()


def test_text_from_outside_is_escaped():
    evil = '<script>alert("x")</script> [red]$x_1$[/red] :smile:'
    runs = [recorded(1, name=evil), recorded(2, params={"model": evil, "seed": "2"})]
    comparison = comparison_of(runs)
    read = Page(page(comparison, b""))
    assert "script" not in read.tags
    assert [read.tables[0][1][-1], read.tables[0][2][-3]] == [evil, evil]
    assert evil[:30] in text_of(comparison)
    draw(comparison).draw_without_rendering()


# The picture


def test_the_picture_has_every_curve_and_says_which_is_which(four):
    comparison = Comparison.of(best_first(four.runs.select(Selection())))
    drawn = draw(comparison)
    losses, fits = drawn.axes
    assert losses.get_yscale() == "log"
    assert (losses.get_xscale(), losses.get_xlabel(), losses.get_ylabel()) == ("linear", "step", "loss")
    assert (fits.get_xlabel(), fits.get_ylabel()) == ("x", "y")
    assert len(losses.get_lines()) == 4
    curve = comparison.details[0].losses
    np.testing.assert_array_equal(losses.get_lines()[0].get_xdata(), curve.step)
    np.testing.assert_array_equal(losses.get_lines()[0].get_ydata(), curve.loss)
    x, y = fits.get_lines()[0].get_data()
    expected = np.polynomial.Polynomial(comparison.details[0].result.power_series)(x)
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-12)
    assert (x[0], x[-1]) == (-np.pi, np.pi)
    assert fits.get_lines()[-1].get_label() == "sin"
    low, high = fits.get_ylim()
    assert -3 < low < -1 < 1 < high < 3  # the diverged run does not set the scale
    (legend,) = drawn.legends
    shown = [text.get_text() for text in legend.get_texts()]
    assert shown == labels(comparison)
    assert shown[0] == f"{comparison.runs[0].label}  {comparison.runs[0].name}"
    assert shown[3].startswith(f"{comparison.runs[3].label}  degree=2 lr=1e30")


def test_twenty_runs_are_drawn_each_in_its_own_style():
    runs = [recorded(number) for number in range(25)]
    comparison = comparison_of(runs)
    drawn = draw(comparison)
    lines = drawn.axes[0].get_lines()
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == len(lines) == MAX_DETAILED == 20
    assert drawn.get_suptitle() == "Comparison of 25 runs"
    assert [text.get_text() for text in drawn.texts[1:]] == [
        "the loss of the first 20 of 25 runs by step, and the fitted curves"
    ]
    sentence = "Coefficients and curves are shown for the first 20 of 25 runs."
    assert sentence in page(comparison, b"")
    assert sentence in text_of(comparison)


def test_runs_without_a_curve_or_a_shared_target_are_drawn_too():
    lost = CONTENT | {"parameters": {"w0": None, "w1": 1.0}, "power_series": [None, 1.0]}
    other = CONTENT | {"config": {"model": "power_series", "model.degree": 1, "problem": "file"}}
    runs = [recorded(1, result=lost), recorded(2, result=other)]
    comparison = comparison_of(runs)
    losses, fits = draw(comparison).axes
    assert len(losses.get_lines()) == 2
    assert len(fits.get_lines()) == 1
    assert "-" in text_of(comparison).split()


# Many runs


def test_files_are_read_for_the_first_runs_only():
    runs = [recorded(number) for number in range(300)]
    comparison = Comparison.of(runs)
    assert text_of(comparison)
    assert page(comparison, b"")
    assert [run.artifacts.count for run in runs] == [2] * MAX_DETAILED + [0] * (300 - MAX_DETAILED)


def test_the_page_has_all_of_many_runs_and_the_text_says_how_many_are_left():
    runs = best_first([recorded(number) for number in range(300)])
    comparison = comparison_of(runs)
    assert len(Page(page(comparison, b"")).tables[0]) == 301
    text = text_of(comparison)
    assert "... and 250 more runs, listed in compare.html." in text
    assert text.count("run 2") <= 52


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_tables_fit_their_width(width):
    long = {f"problem.{letter * 40}": letter * 90 for letter in "abcdefgh"}
    runs = [recorded(1, params=long), recorded(2, params={})]
    comparison = comparison_of(runs)
    assert max(map(len, text_of(comparison, width).splitlines())) <= max(width, 80)


def test_runs_that_differ_in_nothing(four):
    runs = [recorded(1), recorded(1, id="f" * 32)]
    comparison = comparison_of(runs)
    assert comparison.settings == []
    assert "They do not differ in their settings." in text_of(comparison)
    assert "They do not differ in their settings." in page(comparison, b"")


def test_a_search_goes_through_all_pages(four, monkeypatch):
    monkeypatch.setattr("polyexp.tracking.recorded.RUNS_PER_PAGE", 1)
    assert [run.id for run in four.runs.select(Selection())] == four.ids[::-1]
    assert [run.id for run in four.runs.select(Selection(last=3))] == four.ids[:0:-1]


# The record


def test_a_comparison_is_recorded_where_no_search_of_runs_finds_it(compared, four):
    (run,) = all_runs(four.client, "polyexp comparisons")
    assert run.data.tags["polyexp.kind"] == "comparison"
    assert set(run.data.tags["polyexp.compared"].split()) == set(four.ids)
    assert run.info.status == "FINISHED"
    assert {one.path for one in four.client.list_artifacts(run.info.run_id)} == {"compare.html", "compare.png"}
    assert run.info.run_id in compared.out
    assert {one.info.run_id for one in all_runs(four.client)} == {*four.ids, four.unfinished}
    assert {one.id for one in four.runs.select(Selection())} == set(four.ids)
    done = four.cli("action=compare", f"action.runs=[{four.ids[0]},{run.info.run_id}]")
    assert done.err == f"polyexp: The run {label(run.info.run_id)} has no results: it is a comparison.\n"


# Which runs


def selected(four, **changes):
    return {run.id for run in four.runs.select(Selection(**changes))}


@pytest.mark.parametrize("typed", ["naïve sweep 1", SWEEP, f"{SWEEP}/", f"./{SWEEP}"])
def test_a_sweep_by_its_name_or_folder(typed, four, monkeypatch):
    monkeypatch.chdir(four.folder)
    assert selected(four, sweep=typed) == set(four.ids[:3])


def test_a_sweep_of_this_name_in_another_folder_is_another(four, monkeypatch):
    monkeypatch.chdir(four.folder)
    assert selected(four, sweep="elsewhere/naïve sweep 1") == set()
    assert selected(four, sweep="O'Brien") == set()


def test_a_filter_and_the_last(four):
    assert selected(four, filter="params.model = 'power_series'") == {four.ids[3]}
    assert selected(four, filter="params.`optimizer.learning_rate` = '0.001'") == {four.ids[0]}
    assert selected(four, last=2) == set(four.ids[2:])
    assert selected(four, filter="params.model = 'legendre_series'", last=2) == set(four.ids[1:3])


def test_runs_by_the_first_letters_of_their_ids(four):
    done = four.cli("action=compare", f"action.runs=[{four.ids[1][:7]},{four.ids[0]}]", "hydra.run.dir=two")
    assert (done.code, done.err) == (0, "")
    shown = re.findall(r"^ *([0-9a-f]{8,32}) ", done.out, re.MULTILINE)
    assert shown[:2] == [label(four.ids[1]), label(four.ids[0])]  # as typed
    assert Path(four.folder / "two" / "compare.png").read_bytes().startswith(b"\x89PNG")


def test_a_sweep_and_quiet_from_the_command_line(four):
    done = four.cli("action=compare", f"action.sweep='{SWEEP}'", "quiet=true", "hydra.run.dir=three")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert len(Page((four.folder / "three" / "compare.html").read_text()).tables[0]) == 4


WITH_RESULTS = "must select at least two runs with results to compare, got"
FILTER = (
    "`action.filter` must be an MLflow filter such as metrics.`loss/final` < 1 and params.model = 'legendre', got 'loss < "
    "1' (Invalid"
)
IDS = "must be a run's id, or its first 6 or more characters, got"
BAD = {
    "a short number": (["action.runs=[1e5,abcdef]"], f"`action.runs` {IDS} '1e5'.\n"),
    "one run": (["action.runs=[ID0]"], f"`action.runs` {WITH_RESULTS} 1."),
    "the same run twice": (["action.runs=[ID0,ID0]"], f"`action.runs` {WITH_RESULTS} 1."),
    "no runs": (["action.runs=[]"], f"`action.runs` {WITH_RESULTS} 0."),
    "unknown run": (["action.runs=[ID0,a1a1a1a1]"], "`action.runs` must be the id of a recorded run, got 'a1a1a1a1'."),
    "no list": (["action.runs=ID0"], "`action.runs` must be a list: [a,b], got 'ID0'."),
    "without results": (["action.runs=[ID0,UNFINISHED]"], "The run SHORT has no results yet: it is RUNNING."),
    "both": (
        ["action.runs=[abcdef]", "action.last=3"],
        "`action.runs` must be used alone, without sweep, filter or last, got",
    ),
    "last": (["action.last=1"], "`action.last` must be a whole number of at least 2, got 1."),
    "no such sweep": (
        ["action.sweep=nope"],
        f"`action.sweep` {WITH_RESULTS} 0 in the experiment 'polyexp' of sqlite:///",
    ),
    "sweep": (['action.sweep="a\'b\\"c"'], "`action.sweep` must be a name without both kinds of quotes, got"),
    "filter": (["action.filter='loss < 1'"], FILTER),
    "an empty experiment": (
        ["tracking.experiment_name=other"],
        f"`action.last` {WITH_RESULTS} 0 in the experiment 'other'",
    ),
    "no tracking": (["tracking=none"], "`tracking=none` records no runs that could be read: type `tracking=mlflow`."),
}


@pytest.mark.parametrize(("words", "sentence"), BAD.values(), ids=BAD)
def test_bad_input(words, sentence, four):
    ids = {"ID0": four.ids[0], "UNFINISHED": four.unfinished, "SHORT": label(four.unfinished)}
    before = len(all_runs(four.client, "polyexp comparisons"))

    def fill(text):
        return re.sub("|".join(ids), lambda found: ids[found[0]], text)

    done = four.cli("action=compare", *map(fill, words))
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"polyexp: {fill(sentence)}")
    assert len(done.err.splitlines()) == 1
    assert len(all_runs(four.client, "polyexp comparisons")) == before


@pytest.mark.parametrize("word", ["8e511057", "123e10", "0e123456", "1234567"])
def test_an_id_that_reads_as_a_number_is_what_was_typed(four, word):
    """So 8 characters of an id are enough, whatever they are."""
    done = four.cli("action=compare", f"action.runs=[{word},{four.ids[0]}]")
    assert (done.code, done.out) == (2, "")
    assert done.err == f"polyexp: `action.runs` must be the id of a recorded run, got '{word}'.\n"


def test_a_problem_of_a_plugin_may_have_a_target_that_is_a_list():
    config = CONTENT["config"] | {"problem.target": [1.0, 2.0]}
    detail = Detail.of(recorded(result=CONTENT | {"config": config}))
    assert _draw_target(None, [detail, detail]) is None


def test_long_names_are_cut_where_they_do_not_differ():
    names = [f"{'the same ' * 9}{word}{' and the same' * 9}" for word in ("red", "green")]
    runs = [recorded(number, name=name) for number, name in enumerate(names)]
    shown = labels(comparison_of(runs))
    assert [words.split("  ")[1] for words in shown] == ["...red...", "...green..."]
    different = [recorded(number, name=f"{number} {'x' * 200} {number}", id=f"{number}a" * 16) for number in range(2)]
    assert [len(words) for words in labels(comparison_of(different))] == [77, 77]


def test_steps_of_other_decades_are_on_a_logarithmic_axis():
    history = "step,loss\n1,1.0\n1000000000000,0.5\n"
    scales = {
        last: draw(comparison_of([recorded(1), recorded(2, history=text)])).axes[0].get_xscale()
        for last, text in (("alike", HISTORY), ("longer", history), ("from 0", history.replace("1,1.0", "0,1.0")))
    }
    assert scales == {"alike": "linear", "longer": "log", "from 0": "symlog"}


# Means and sums


def of_loss(number, kind, loss, total=100, **params):
    params = {"problem.loss": kind, "samples.total": str(total)} | params
    return recorded(number, params=params, metrics={"loss/final": loss, "loss/final_excess": loss / 2})


def test_sums_and_means_are_compared_per_sample():
    runs = [of_loss(1, "mean", 0.31), of_loss(2, "sum", 8.9), of_loss(3, "sum", 8.9, **{"problem.weight": "w"})]
    comparison = comparison_of(best_first(runs))
    assert [run.id for run in comparison.runs] == [runs[1].id, runs[0].id, runs[2].id]
    cells = {column.head: column.cells for column in comparison.numbers}
    assert cells["final loss per sample"] == ["0.089", "0.31", "-"]
    assert cells["excess loss per sample"] == ["0.0445", "0.155", "-"]
    sentence = "Losses are compared per sample: a sum of squares is divided by its number of samples."
    assert sentence in text_of(comparison)
    assert sentence in page(comparison, b"")
    axes = draw(comparison).axes[0]
    assert axes.get_ylabel() == "loss per sample"
    np.testing.assert_array_equal(axes.get_lines()[0].get_ydata(), np.array([1.0, 0.1, 0.01]) / 100)
    assert len(axes.get_lines()[2].get_ydata()) == 0


@pytest.mark.parametrize(("kinds", "totals"), [(("mean", "mean"), (10, 20)), (("sum", "sum"), (10, 10))])
def test_losses_of_one_unit_are_shown_as_they_are(kinds, totals):
    runs = [of_loss(number, *both) for number, both in enumerate(zip(kinds, (3.0, 2.0), totals, strict=True))]
    comparison = comparison_of(best_first(runs))
    assert comparison.numbers[1].head == "final loss"
    assert comparison.numbers[1].cells == ["2", "3"]
    assert comparison.notes == []


def test_sums_over_different_numbers_of_samples():
    runs = [of_loss(1, "sum", 3.0, total=10), of_loss(2, "sum", 4.0, total=100)]
    assert [run.id for run in best_first(runs)] == [runs[1].id, runs[0].id]


# Damaged records


def test_a_damaged_run_is_left_out_and_named():
    runs = [recorded(1), recorded(2, result=b"{"), recorded(3, history="step\n1\n"), recorded(4)]
    comparison = Comparison.of(runs)
    assert [run.id for run in comparison.runs] == [runs[0].id, runs[3].id]
    first, second = comparison.left_out
    assert first.startswith(f"Left out: The result.json of the run {runs[1].label} cannot be used: it is not JSON (")
    assert second == (
        f"Left out: The history.csv of the run {runs[2].label} cannot be used: it must have one column `loss`."
    )
    assert first in text_of(comparison, 10_000)
    assert second in text_of(comparison, UNLIMITED_COLUMNS)
    assert len(Page(page(comparison, b"")).tables[0]) == 3


def test_nothing_is_left_to_compare():
    with pytest.raises(InputError, match=r"No run is left to compare: The result\.json of the run 0000000"):
        Comparison.of([recorded(1, result=b"[]"), recorded(2, result=b"")])


def test_a_whole_table_where_nothing_limits_its_width():
    long = {f"problem.{letter * 40}": letter * 90 for letter in "abcdefgh"}
    text = text_of(comparison_of([recorded(1, params=long), recorded(2, params={})]), UNLIMITED_COLUMNS)
    assert "a" * 90 in text
    assert sum("final loss" in line for line in text.splitlines()) == 1
