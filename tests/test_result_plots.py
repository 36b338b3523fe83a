"""The pictures of a result in Python: the axes that are returned, and what is drawn on them."""

import doctest

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt

import polyexp as p
from polyexp.report.figures import fit_figure, loss_figure, modes_figure
from tests.helpers.commands import run_python
from tests.helpers.figures import Run
from tests.helpers.fits import SAMPLES

PARTS = {"backend": p.NumPy(), "loop": p.Manual(steps=30, log_every=10)}
RATES = p.GradientDescent([1e-3, 1e-2, 1e9], allow_divergence=True)
METHODS = ("plot", "plot_loss", "plot_modes")

every_method = pytest.mark.parametrize("method", METHODS)


@pytest.fixture(autouse=True)
def _closed_figures():
    mpl.use("agg")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def run():
    return Run(p.Problem())


@pytest.fixture(scope="module")
def batch():
    return p.fit(SAMPLES, p.LegendreSeries(degree=2), optimizer=RATES, **PARTS)


def drawn(ax):
    """The curves of axes by their labels; the points of each as a list."""
    return {line.get_label(): np.transpose(line.get_data()).tolist() for line in ax.get_lines()}


def named(ax):
    return ax.get_legend_handles_labels()[1]


@every_method
def test_a_figure_of_pyplot_is_made_where_no_axes_are_given(method, run):
    ax = getattr(run.result, method)()
    assert plt.fignum_exists(ax.figure.number)
    assert ax in ax.figure.axes
    ax.figure.canvas.draw()


@every_method
def test_the_axes_that_are_given_are_drawn_on_and_returned(method, run):
    figure, ax = plt.subplots()
    ax.set_title("mine")
    assert getattr(run.result, method)(ax) is ax
    assert (figure.axes, ax.get_title(), len(plt.get_fignums())) == ([ax], "mine", 1)
    assert ax.get_legend() is not None
    assert getattr(run.result, method)(ax=ax) is ax
    figure.canvas.draw()


def test_nothing_is_drawn_that_the_figures_of_a_run_do_not_draw(run):
    """The same curves and labels; only target and axis names are those that the samples tell."""
    result = run.result
    shown = [result.plot(), result.plot_loss(), result.plot_modes()]
    figures = [
        fit_figure(result, run.displayed),
        loss_figure(result, run.forecast),
        modes_figure(result, run.forecast),
    ]
    for ax, figure in zip(shown, figures, strict=True):
        expected = drawn(figure.axes[0])
        expected.pop("400 of 4000 samples", None)  # of which the result has the nodes only
        assert drawn(ax) == expected
        assert [text.get_text() for text in ax.figure.texts] == [text.get_text() for text in figure.texts]


def test_the_curve_of_arrays():
    ax = p.fit([0, 1, 2], [1, 3, 5], p.PowerSeries(degree=1), **PARTS).plot()
    assert named(ax) == ["samples", "fitted"]
    assert drawn(ax)["samples"] == [[0, 1], [1, 3], [2, 5]]
    assert len(ax.figure.axes) == 2


@pytest.mark.parametrize("method", ["plot", "plot_loss"])
def test_a_batch_has_a_curve_for_each_run(method, batch):
    ax = getattr(batch, method)()
    labels = ["run 0, learning_rate=0.001", "run 1, learning_rate=0.01", "run 2, learning_rate=1e+09"]
    assert [name for name in named(ax) if name.startswith("run")] == labels
    ax.figure.canvas.draw()
    legend = ax.figure.legends[0].get_window_extent()
    assert legend.y1 < ax.get_tightbbox().y0  # below the axes
    assert legend.y0 > 0


def test_the_curves_of_a_batch_are_those_of_its_runs(batch):
    curves = drawn(batch.plot_loss())
    for run, label in enumerate(["run 0, learning_rate=0.001", "run 1, learning_rate=0.01"]):
        assert curves[label] == drawn(batch[run].plot_loss())["measured"]
    x, y = np.transpose(drawn(batch.plot())["run 1, learning_rate=0.01"])
    np.testing.assert_array_equal(y, batch[1](x))


def test_many_runs_have_the_colours_of_a_scale():
    many = p.fit(SAMPLES, p.LegendreSeries(degree=1), seed=range(100), **PARTS)
    ax = many.plot_loss()
    assert [name for name in named(ax) if name.startswith("run")] == ["run 0", "run 99"]
    assert "64 of 100 runs" in [text.get_text() for text in ax.texts]
    assert len({line.get_color() for line in ax.get_lines()}) == 65  # and the best loss
    ax.figure.canvas.draw()


def test_a_run_that_diverged_and_long_names_are_drawn():
    samples = p.Samples.of(SAMPLES.x, SAMPLES.y, name="$ a name that goes on and on \x1b[2J" * 9)
    rate = p.GradientDescent(1e9, allow_divergence=True)
    result = p.fit(samples, p.LegendreSeries(degree=2), optimizer=rate, **PARTS)
    assert result.outcome is p.Outcome.DIVERGED
    for method in METHODS:
        getattr(result, method)().figure.canvas.draw()


def test_the_modes_of_what_has_none_are_refused(batch):
    for result, sentence in (
        (batch, "`plot_modes` shows a single run, such as `result[0].plot_modes()`."),
        (
            p.fit(SAMPLES, p.Legendre(), **PARTS),
            "`plot_modes` needs a model that is linear in its parameters, and a loss that float64 holds, got the model "
            "legendre.",
        ),
    ):
        with pytest.raises(p.InputError) as raised:
            result.plot_modes()
        assert str(raised.value) == sentence


def test_what_are_no_axes_is_refused(run):
    with pytest.raises(p.InputError) as raised:
        run.result.plot("ax")
    assert str(raised.value) == "`ax` must be axes of matplotlib, such as those of `pyplot.subplots()`, got 'ax'."


def test_without_matplotlib_one_sentence_says_what_to_type():
    program = """
import sys
sys.modules["matplotlib"] = None
import polyexp as p
result = p.fit([0, 1], [1, 2], p.PowerSeries(degree=1), backend=p.NumPy(), loop=p.Manual(steps=1))
try:
    result.plot()
except p.InputError as error:
    print(error)
"""
    done = run_python(program)
    assert done.out == "A picture needs matplotlib, which is not installed: type `pip install matplotlib`.\n", done.err


@pytest.mark.parametrize("cls", [p.Result, p.RunList, p.ListedRun])
def test_the_examples_of_the_methods_run(cls):
    finder, runner, report = doctest.DocTestFinder(), doctest.DocTestRunner(verbose=False), []
    for test in finder.find(cls, cls.__name__, globs={}):
        runner.run(test, out=report.append)
    assert not runner.failures, "".join(report)
