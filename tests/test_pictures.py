"""The pictures of a run, tested by their contents: curves, labels and limits."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from numpy.polynomial import Legendre
from PIL import Image

import polyexp as p
from polyexp.base import SETTINGS, printable
from polyexp.report import Report
from polyexp.report.axes import figure as empty_figure
from polyexp.report.axes import log_axis, log_steps, plain, save, shortened, thinned, thinned_history
from polyexp.report.figures import coefficients_figure, draw, fit_figure, loss_figure, modes_figure
from polyexp.report.figures.curves import updates
from tests.helpers.commands import MAIN, loaded_by, run_in_process
from tests.helpers.figures import AUTO, QUICK, Run, Wave
from tests.helpers.fits import without_early
from tests.helpers.stores import only_run

ALL = ["fit.png", "loss.png", "coefficients.png", "modes.png"]


@pytest.fixture(scope="module")
def plain_run():
    """The default experiment: a power series of degree 7 through sin."""
    return Run(p.Problem())


def curves(ax):
    """The lines of some axes by their names."""
    return {line.get_label(): line for line in ax.get_lines()}


def named(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def words(figure):
    """The title and the line below it."""
    return [text.get_text() for text in figure.texts]


def sentences(ax):
    return [text.get_text() for text in ax.texts]


# fit.png


def test_the_fit_shows_target_samples_nodes_and_curve(plain_run):
    figure = fit_figure(plain_run.result, plain_run.displayed)
    top, bottom = figure.axes
    assert named(top) == ["target", "400 of 4000 samples", "reduced to 8 nodes", "fitted"]
    assert (top.get_ylabel(), bottom.get_ylabel(), bottom.get_xlabel()) == ("sin(x)", "data - fit", "x")
    drawn = curves(top)
    x = drawn["fitted"].get_xdata()
    assert (x[0], x[-1], x.size) == (-np.pi, np.pi, 600)
    assert drawn["fitted"].get_ydata() == pytest.approx(plain_run.result(x))
    assert drawn["target"].get_ydata() == pytest.approx(np.sin(x), abs=1e-15)
    assert drawn["400 of 4000 samples"].get_xdata().size == 400
    assert drawn["reduced to 8 nodes"].get_xdata() == pytest.approx(plain_run.result.samples.x)
    low, high = top.get_ylim()
    assert low < plain_run.result(x).min() < plain_run.result(x).max() < high


def test_the_residual_has_a_scale_of_its_own():
    run = Run(p.Problem(), p.LegendreSeries(), p.Manual(steps=200), AUTO)
    top, bottom = fit_figure(run.result, run.displayed).axes
    assert np.ptp(top.get_ylim()) > 2
    assert np.ptp(bottom.get_ylim()) < 2e-3
    dots, zero, line = bottom.get_lines()
    x = line.get_xdata()
    assert line.get_ydata() == pytest.approx(np.sin(x) - run.result(x), abs=1e-12)
    assert list(zero.get_ydata()) == [0, 0]
    assert np.abs(dots.get_ydata()).max() == pytest.approx(run.result.max_error, rel=1e-9)


def test_title_and_small_print_say_what_was_fitted_and_how_well(plain_run):
    assert words(fit_figure(plain_run.result, plain_run.displayed)) == [
        "sin by power_series of degree 7",
        "loss 10.45 after 4000 steps, largest error 11.69",
    ]


def test_data_without_a_function_have_no_target():
    run = Run(p.Samples.of([0.0, 1, 2, 3], [1.0, 0, 2, 1]), p.PowerSeries(degree=1), optimizer=p.GradientDescent(0.01))
    top, bottom = fit_figure(run.result, run.displayed).axes
    assert named(top) == ["samples", "fitted"]
    dots, _ = bottom.get_lines()
    assert list(curves(top)["samples"].get_xdata()) == [0, 1, 2, 3]
    assert dots.get_ydata() == pytest.approx(np.array([1, 0, 2, 1]) - run.result([0, 1, 2, 3]))
    assert (top.get_ylabel(), bottom.get_ylabel(), bottom.get_xlabel()) == ("y", "data - fit", "x")


def test_the_axes_have_the_names_of_the_columns(tmp_path):
    (tmp_path / "fall.csv").write_text("time,height $h$\n0,5\n1,4\n2,0\n")
    file = p.DataFile(str(tmp_path / "fall.csv"), x="time", y="height $h$")
    run = Run(file, p.PowerSeries(degree=1), p.Manual(steps=2), AUTO)
    top, bottom = fit_figure(run.result, run.displayed).axes
    assert (top.get_ylabel(), bottom.get_ylabel(), bottom.get_xlabel()) == (r"height \$h\$", "data - fit", "time")


def test_long_names_of_columns_fill_the_room_at_their_axes(tmp_path):
    x, y = "the year of the measurement in the garden", "deviation of the temperature from its mean"
    (tmp_path / "years.csv").write_text(f"{x},{y}\n0,5\n1,4\n2,0\n")
    run = Run(p.DataFile(str(tmp_path / "years.csv"), x=x, y=y), p.PowerSeries(degree=1), p.Manual(steps=2), AUTO)
    top, bottom = fit_figure(run.result, run.displayed).axes
    assert (top.get_ylabel(), bottom.get_xlabel()) == ("deviation ...m its mean", x)


@pytest.mark.parametrize("name", ["a\x1b[31mb\x07", "x" * 500, "a\nb"])
def test_names_in_pictures_are_short_and_printable(name):
    problem = p.Problem(num_samples=9)
    source = replace(problem, target=renamed(np.sin, name))
    run = Run(source, p.PowerSeries(degree=1), p.Manual(steps=2), AUTO)
    figure = fit_figure(run.result, run.displayed)
    texts = [*words(figure), *(ax.get_ylabel() for ax in figure.axes)]
    assert all(text.isprintable() and len(text) <= 80 for text in texts)
    assert printable(name)[:9] in texts[0]


def renamed(function, name):
    """The function by another name."""

    def same(x):
        return function(x)

    same.__name__ = name
    return same


def test_noisy_samples_are_shown_as_they_were_given():
    problem = p.Problem("cos", num_samples=300, noise=0.5, sampling="uniform")
    run = Run(problem, seed=5, optimizer=p.GradientDescent(1e-7))
    given = problem.samples(5)
    dots = curves(fit_figure(run.result, run.displayed).axes[0])["samples"]
    assert np.array_equal(dots.get_xdata(), given.x)
    assert np.array_equal(dots.get_ydata(), given.y)


def test_too_many_samples_are_not_read_again():
    run = Run(p.Problem(num_samples=2**20 + 1), loop=p.Manual(steps=1))
    top, bottom = fit_figure(run.result, run.displayed).axes
    assert named(top) == ["target", "reduced to 8 nodes", "fitted"]
    assert bottom.get_ylabel() == "target - fit"


def test_a_function_of_ones_own_is_the_target():
    run = Run(p.Problem(np.tanh, num_samples=9), loop=p.Manual(steps=1))
    target = curves(fit_figure(run.result, run.displayed).axes[0])["target"]
    assert target.get_ydata() == pytest.approx(np.tanh(target.get_xdata()))


def test_a_curve_that_leaves_the_picture_does_not_flatten_it():
    run = Run(optimizer=p.GradientDescent(2e-6, allow_divergence=True), loop=without_early(p.Manual)(log_every=1000))
    assert run.result.outcome is p.Outcome.DIVERGED
    figure = fit_figure(run.result, run.displayed)
    low, high = figure.axes[0].get_ylim()
    assert -3 < low < -1 < 1 < high < 3
    assert sentences(figure.axes[0]) == ["the fitted curve is beyond this range"]
    assert "(DIVERGED: the last finite parameters)" in words(figure)[1]


# loss.png


def test_the_loss_beside_its_prediction_and_the_best_possible_one(plain_run):
    figure = loss_figure(plain_run.result, plain_run.forecast)
    (ax,) = figure.axes
    assert named(ax) == ["predicted", "measured", "best possible: 2.461e-08"]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()) == ("updates taken", "loss", "log")
    assert words(figure)[1] == "learning_rate=1e-06 is stable (limit 1.616e-06)"
    drawn = curves(ax)
    floor = drawn["best possible: 2.461e-08"]
    assert list(floor.get_ydata()) == [plain_run.result.quadratic.lowest] * 2
    low, high = ax.get_ylim()
    assert low < plain_run.result.quadratic.lowest
    assert high > plain_run.result.samples.loss(
        plain_run.result.model(plain_run.result.initial, plain_run.result.samples.x)
    )


def test_measured_and_predicted_losses_agree_where_they_meet(plain_run):
    drawn = curves(loss_figure(plain_run.result, plain_run.forecast).axes[0])
    taken, loss = (np.asarray(one) for one in drawn["measured"].get_data())
    assert list(taken) == [0, 1, 4, 9, 19, 49, 99, *range(199, 4000, 200), 4000]
    assert loss[-1] == plain_run.result.loss
    q, start = plain_run.result.quadratic, plain_run.result.initial
    damping = np.stack([plain_run.result.optimizer.damping(q.eigenvalues, int(t)) for t in taken])
    assert loss == pytest.approx(q.lowest + q.excess_at(damping * q.coordinates(start)), rel=1e-9)
    at, predicted = (np.asarray(one) for one in drawn["predicted"].get_data())
    assert (at[0], at[-1]) == (0, 4000)
    assert np.interp(taken, at, predicted) == pytest.approx(loss, rel=1e-3)


def test_what_is_not_known_is_not_drawn():
    run = Run(model=p.Legendre(), optimizer=p.Adam(1e-3), loop=p.Manual(steps=20, log_every=5))
    figure = loss_figure(run.result, run.forecast)
    assert named(figure.axes[0]) == ["measured", f"lower bound for this degree: {run.forecast.lowest:.4g}"]
    assert words(figure)[1] == "learning_rate=0.001 has no known stability limit"


def test_a_rate_above_the_limit_is_named():
    run = Run(optimizer=p.GradientDescent(2e-6, allow_divergence=True), loop=p.Manual(log_every=100))
    assert "learning_rate=2e-06 is NOT stable (limit " in words(loss_figure(run.result, run.forecast))[1]


def test_snapshots_that_are_spread_logarithmically_are_drawn_so():
    run = Run(loop=p.ClosedForm(steps=10**12))
    for figure in (loss_figure(run.result, run.forecast), coefficients_figure(run.result)):
        (ax,) = figure.axes
        assert ax.get_xscale() == "symlog"
        low, high = ax.get_xlim()
        assert -1 < low < 0
        assert high > 10**12
        assert ax.get_lines()[0].get_marker() == "None"  # 200 of them would be a band


@pytest.mark.parametrize("steps", [10**5, 10**9, 10**12, 10**18])
def test_the_ticks_of_many_decades_do_not_meet(steps):
    run = Run(loop=p.ClosedForm(steps=steps))
    for figure in (loss_figure(run.result, run.forecast), coefficients_figure(run.result)):
        canvas, axis = FigureCanvasAgg(figure), figure.axes[0].xaxis
        canvas.draw()
        low, high = axis.get_view_interval()
        boxes = [
            tick.label1.get_window_extent(canvas.get_renderer())
            for tick in axis.get_major_ticks()
            if low <= tick.get_loc() <= high
        ]
        assert len(boxes) >= 5
        assert all(one.x1 < other.x0 for one, other in pairwise(boxes))


def test_a_loss_that_falls_at_first_is_drawn_over_the_logarithm_of_the_steps(plain_run):
    """It falls by nearly four decades in 20 of 4000 steps, and by one in the others."""
    for figure in (loss_figure(plain_run.result, plain_run.forecast), coefficients_figure(plain_run.result)):
        assert figure.axes[0].get_xscale() == "symlog"


def test_a_loss_that_falls_evenly_is_drawn_over_the_steps():
    """A single mode, whose loss falls by the same factor in every step."""
    constant, model = p.Samples.of([0.0, 1], [1.0, 1]), p.PowerSeries(degree=0, initial=[0.0])
    run = Run(constant, model, p.Manual(steps=400, log_every=40), p.GradientDescent(0.005))
    (ax,) = loss_figure(run.result, run.forecast).axes
    assert ax.get_xscale() == "linear"
    assert curves(ax)["measured"].get_marker() == "o"
    assert list(curves(ax)["measured"].get_xdata()) == [0, 1, 4, 9, 19, *range(39, 400, 40), 400]


def test_a_loss_of_zero_is_said():
    perfect = p.Samples.of([0.0, 1.0], [0.0, 0.0])
    run = Run(perfect, p.PowerSeries(degree=1, initial=[0.0, 0.0]), p.Manual(steps=3, log_every=1))
    assert sentences(loss_figure(run.result, run.forecast).axes[0]) == ["No loss is finite and above zero."]
    assert sentences(coefficients_figure(run.result).axes[0]) == ["Every coefficient is at its optimum."]
    assert sentences(modes_figure(run.result, run.forecast).axes[0]) == ["no mode had any excess loss at the start"]
    run = Run(
        p.Samples.of([1.0], [2.0]), p.PowerSeries(degree=0), p.Manual(steps=3, log_every=1), p.GradientDescent(0.5)
    )
    assert sentences(loss_figure(run.result, run.forecast).axes[0]) == ["exactly 0 at 3 of 4 snapshots"]


# coefficients.png


def test_a_curve_that_ends_at_0_is_explained():
    run = Run(loop=p.ClosedForm(steps=10**12))
    (ax,) = coefficients_figure(run.result).axes
    assert (run.result.params == run.result.quadratic.optimum).any()
    assert sentences(ax) == ["exactly 0 where a curve ends or has a gap"]


def test_each_coefficient_and_its_distance_to_the_optimum(plain_run):
    (ax,) = coefficients_figure(plain_run.result).axes
    assert named(ax) == [f"w{k}" for k in range(8)]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()) == ("updates taken", "|coefficient - optimum|", "log")
    result = plain_run.result
    for k, (name, line) in enumerate(curves(ax).items()):
        assert name == f"w{k}"
        assert list(line.get_xdata()) == [0, *result.history.step]
        path = np.append(result.initial[k], result.history.params[:, k])
        assert line.get_ydata() == pytest.approx(np.abs(path - result.quadratic.optimum[k]))
    colours = [line.get_color() for line in ax.get_lines()]
    assert len(set(colours)) == 8


def test_other_models_go_towards_the_best_polynomial():
    run = Run(p.Problem(num_samples=100), p.Legendre(), p.Manual(steps=40, log_every=10), p.GradientDescent(1e-4))
    figure = coefficients_figure(run.result)
    assert named(figure.axes[0]) == ["x^0", "x^1", "x^2", "x^3"]
    assert "the best polynomial of the same degree" in words(figure)[1]
    x = np.linspace(-np.pi, np.pi, 100)
    best = Legendre.fit(x, np.sin(x), 3).convert(kind=np.polynomial.Polynomial).coef
    last = [line.get_ydata()[-1] for line in figure.axes[0].get_lines()]
    assert last == pytest.approx(np.abs(run.result.power_series - best), abs=1e-10)


def test_a_model_that_is_no_polynomial_shows_its_parameters(tmp_path):
    run = Run(model=Wave(), loop=p.Manual(steps=50, log_every=10), optimizer=p.GradientDescent(1e-2))
    (ax,) = coefficients_figure(run.result).axes
    assert (named(ax), ax.get_ylabel(), ax.get_yscale()) == (["a", "b"], "value", "linear")
    assert curves(ax)["b"].get_ydata()[-1] == run.result.params[1]
    assert [path.name for path in draw(tmp_path, run.result, run.forecast, run.displayed)] == ALL[:3]


def test_many_coefficients_share_a_colour_scale():
    run = Run(p.Problem("abs", [-1, 1], 200), p.LegendreSeries(degree=60), p.Manual(steps=20, log_every=5), AUTO)
    main, bar = coefficients_figure(run.result).axes
    assert main.get_legend() is None
    assert len(main.get_lines()) == 61
    assert [label.get_text() for label in bar.get_yticklabels()] == ["w0", "w60"]


def test_more_coefficients_than_can_be_told_apart_are_thinned():
    run = Run(p.Problem("abs", [-1, 1], 400), p.LegendreSeries(degree=150), p.Manual(steps=2), AUTO)
    ax = coefficients_figure(run.result).axes[0]
    assert len(ax.get_lines()) == 64
    assert sentences(ax) == ["64 of 151 coefficients"]
    assert len(modes_figure(run.result, run.forecast).axes[0].patches) == 64


# modes.png


def test_what_is_left_of_each_mode(plain_run):
    figure = modes_figure(plain_run.result, plain_run.forecast)
    (ax,) = figure.axes
    assert named(ax) == ["predicted", "a thousandth", "done", "still going"]
    assert (ax.get_yscale(), ax.get_ylabel()) == ("log", "remaining / initial distance")
    assert list(curves(ax)["a thousandth"].get_ydata()) == [1e-3, 1e-3]
    left = {round(bar.get_x() + bar.get_width() / 2): bar.get_y() + bar.get_height() for bar in ax.patches}
    expected = np.abs([plain_run.forecast.mode(k)[0] for k in range(8)])  # the column of the table on the terminal
    assert sorted(left) == list(range(8))
    assert [left[k] for k in range(8)] == pytest.approx(np.maximum(expected, 1e-12), rel=1e-6)
    assert curves(ax)["predicted"].get_ydata() == pytest.approx(np.maximum(expected, 1e-12))
    labels = [label.get_text() for label in ax.get_xticklabels()]
    assert labels[0] == f"0\n{plain_run.forecast.eigenvalues[0]:.3g}"
    assert words(figure)[1] == "mode 3 holds 66.5 % of the 10.45 above the best possible loss"


@pytest.mark.parametrize(("low", "high"), [(1e-9, 1e6), (0.15, 0.3), (2.0, 900.0)])
def test_ticks_are_the_numbers_of_matplotlib_as_text(low, high):
    """Both the powers of ten and what is between them: the text of a label is the number that it stands beside."""
    made, (ax,) = empty_figure("ticks")
    log_axis(ax, np.array([low, high]), otherwise="")
    ax.set_xlim(0, 1e4)
    log_steps(ax)
    FigureCanvasAgg(made).draw()
    superscripts = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    for axis in (ax.xaxis, ax.yaxis):
        ticks = axis.get_major_ticks() + axis.get_minor_ticks()
        labels = [(tick.get_loc(), tick.label1.get_text()) for tick in ticks if tick.label1.get_text()]
        assert len(labels) > 2
        for place, label in labels:
            number, _, power = label.rpartition("10") if set(label) & set("⁻⁰¹²³⁴⁵⁶⁷⁸⁹") else (label, "", "⁰")
            value = float(number.rstrip("\N{MULTIPLICATION SIGN}") or 1) * 10.0 ** int(power.translate(superscripts))
            assert value == pytest.approx(place)


def test_bars_that_are_cut_are_marked(plain_run):
    (ax,) = modes_figure(plain_run.result, plain_run.forecast).axes
    damping = np.abs([plain_run.forecast.mode(k)[0] for k in range(8)])
    (arrows,) = (line for line in ax.get_lines() if line.get_marker() == "v")
    assert list(arrows.get_xdata()) == list(np.flatnonzero(damping < 1e-12)) == [0, 1]
    assert sentences(ax) == ["1e-12 or less"]


def test_bars_that_grow_beyond_the_picture_are_marked():
    rate = p.GradientDescent(1e10, allow_divergence=True)
    run = Run(optimizer=rate, loop=p.Manual(steps=8, log_every=1))
    (ax,) = modes_figure(run.result, run.forecast).axes
    assert sentences(ax) == ["1e+12 or more"]
    assert ax.get_ylim()[1] > 1e12


def test_modes_that_the_samples_do_not_determine_have_no_bar():
    run = Run(p.Samples.of([0.0, 1.0], [1.0, 2.0]), p.PowerSeries(degree=3), p.Manual(steps=5), AUTO)
    (ax,) = modes_figure(run.result, run.forecast).axes
    assert len(ax.patches) == 2


def test_modes_that_grow_are_told_apart():
    run = Run(optimizer=p.GradientDescent(2e-6, allow_divergence=True), loop=p.Manual(steps=3, log_every=1))
    (ax,) = modes_figure(run.result, run.forecast).axes
    assert "grown" in named(ax)
    assert ax.get_ylim()[1] > 1


def test_only_linear_models_have_modes():
    run = Run(model=p.Legendre(), loop=p.Manual(steps=1))
    assert modes_figure(run.result, run.forecast) is None


def test_a_run_at_its_optimum_says_so():
    run = Run(model=p.LegendreSeries(), optimizer=AUTO)
    assert words(modes_figure(run.result, run.forecast))[1] == "what is left is no more than rounding"


# Every run can be drawn, without a warning (the test suite turns warnings into errors)

HARD = {
    "one look": lambda: Run(loop=p.Manual(steps=1)),
    "degree 0": lambda: Run(model=p.PowerSeries(degree=0)),
    "degree 60": lambda: Run(
        p.Problem("abs", [-1, 1], 200), p.LegendreSeries(degree=60), p.Manual(steps=20), p.Adam(1e-2)
    ),
    "one sample": lambda: Run(p.Samples.of([3.0], [2.0]), p.PowerSeries(degree=3), optimizer=AUTO),
    "diverged to inf": lambda: Run(
        optimizer=p.GradientDescent(1e10, allow_divergence=True), loop=p.Manual(steps=300, log_every=300)
    ),
    "beyond float64": lambda: Run(
        p.Samples.of([0.0, 1e150, 2e150], [0.0, 5e150, 2e150]), p.PowerSeries(degree=2), p.Manual(log_every=9)
    ),
    "a perfect start": lambda: Run(
        p.Samples.of([0.0, 1.0], [0.0, 0.0]), p.PowerSeries(degree=1, initial=[0.0, 0.0]), p.Manual(steps=2)
    ),
    "a name": lambda: Run(
        p.Samples.of([0.0, 1, 2], [1.0, 0, 1], name="a$b$ {x} \\frac 数据 <script>alert(1)</script> .csv"),
        p.PowerSeries(degree=1),
    ),
}


@pytest.mark.parametrize("name", HARD)
def test_every_run_has_pictures(name, tmp_path):
    run = HARD[name]()
    for path in draw(tmp_path, run.result, run.forecast, run.displayed):
        with Image.open(path) as image:
            assert image.width == 900
    assert len(list(tmp_path.iterdir())) == (4 if run.result.quadratic else 3)


def test_the_same_run_gives_the_same_bytes(tmp_path):
    run = Run(loop=p.Manual(steps=1))
    first, second = (
        save(loss_figure(run.result, run.forecast), tmp_path / name).read_bytes() for name in ("a.png", "b.png")
    )
    assert first == second


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    y=st.lists(st.floats(-1e100, 1e100), min_size=1, max_size=5),
    degree=st.integers(0, 4),
    rate=st.floats(1e-12, 1e12),
    steps=st.integers(1, 30),
)
def test_no_run_breaks_a_figure(y, degree, rate, steps):
    optimizer = p.GradientDescent(rate, allow_divergence=True)
    run = Run(
        p.Samples.of(range(len(y)), y), p.PowerSeries(degree=degree), p.Manual(steps=steps, log_every=7), optimizer
    )
    for figure in (
        fit_figure(run.result, run.displayed),
        loss_figure(run.result, run.forecast),
        coefficients_figure(run.result),
        modes_figure(run.result, run.forecast),
    ):
        for ax in figure.axes if figure else []:
            assert np.isfinite([*ax.get_xlim(), *ax.get_ylim()]).all()


@given(size=st.integers(1, 10_000), most=st.integers(2, 500))
def test_thinning_keeps_both_ends_and_no_more_than_asked(size, most):
    some = thinned(size, most)
    assert (some[0], some[-1]) == (0, size - 1)
    assert some.size == min(size, most)
    assert (np.diff(some) > 0).all()


@settings(max_examples=40)
@given(st.text(), st.integers(8, 60))
def test_names_fit_into_titles(name, most):
    assert len(shortened(name, most)) <= most
    assert len(plain(name)) == len(printable(name))


def test_letters_without_a_glyph_become_question_marks():
    assert plain("Größe \u03b1 \u6570.csv") == "Größe \u03b1 ?.csv"
    assert plain("a\x1b[31m\x07\n") == r"a\x1b[31m\x07\n"


def test_a_long_history_is_thinned():
    run = Run(loop=p.Manual(steps=2000, log_every=1))
    taken, loss = updates(run.result)
    assert 300 < taken.size == loss.size <= 401
    assert (taken[0], taken[-2], taken[-1]) == (0, 1999, 2000)
    assert list(taken[:20]) == list(range(20))  # where the loss is steepest
    assert np.diff(taken).max() <= 11
    assert len(curves(coefficients_figure(run.result).axes[0])["w0"].get_xdata()) == taken.size


@given(size=st.integers(1, 10_000), most=st.integers(4, 500))
def test_thinned_snapshots_have_both_ends(size, most):
    some = thinned_history(size, most)
    assert (some[0], some[-1]) == (0, size - 1)
    assert some.size <= most
    assert (np.diff(some) > 0).all()


# On the command line


def pictures(folder):
    return sorted(path.name for path in Path(folder).rglob("*.png"))


def test_a_single_run_draws_and_records_its_pictures(tmp_path, cli, store):
    assert run_in_process(*QUICK, cwd=tmp_path, pictures=True) == (0, "", "")
    (folder,) = tmp_path.glob("outputs/runs/*/*")
    assert pictures(folder) == sorted(ALL)
    recorded = [one.path for one in store.list_artifacts(only_run(store).info.run_id)]
    assert recorded == sorted(["config.yaml", "history.csv", "result.json", *ALL])


def test_a_run_is_recorded_even_where_no_picture_can_be_made(tmp_path, cli, store, monkeypatch):
    def full(*args):
        raise OSError("No space left on device")

    monkeypatch.setattr("polyexp.report.report.draw", full)
    warning = "warning: the pictures of this run could not be made (OSError('No space left on device')).\n"
    assert run_in_process(*QUICK, cwd=tmp_path, pictures=True) == (0, "", warning)
    assert only_run(store).info.status == "FINISHED"
    assert "loss/final" in only_run(store).data.metrics


@pytest.mark.parametrize(
    ("wanted", "single", "job"), [("auto", True, False), ("all", True, True), ("none", False, False)]
)
def test_when_pictures_are_drawn(wanted, single, job):
    report = Report(pictures=wanted)
    assert (report.draws(in_sweep=False), report.draws(in_sweep=True)) == (single, job)


def test_a_sweep_is_drawn_as_a_whole_and_its_jobs_if_asked(tmp_path):
    sweep = ("-m", "seed=1", "tracking=none", *QUICK)
    assert run_in_process(*sweep, cwd=tmp_path, pictures=True).code == 0
    assert run_in_process(*sweep, "report.pictures=none", cwd=tmp_path, pictures=True).code == 0
    assert pictures(tmp_path) == ["sweep.png"]
    assert run_in_process(*sweep, "report.pictures=all", cwd=tmp_path, pictures=True).code == 0
    assert pictures(tmp_path) == sorted([*ALL, "sweep.png", "sweep.png"])


def test_a_run_without_pictures_does_not_load_their_libraries(tmp_path):
    words = (*QUICK, "tracking=none", "report.pictures=none")
    assert not {"matplotlib", "plotly"} & set(loaded_by(MAIN, *words, cwd=tmp_path))


def test_a_wrong_word_is_refused(cli, tmp_path):
    wrong = cli("report.pictures=al")
    sentence = "polyexp: `report.pictures` must be one of auto, all, none, got 'al'. Did you mean 'all'?\n"
    assert wrong == (2, "", sentence)
    assert cli("report.page=perhaps") == (2, "", "polyexp: `report.page` must be true or false, got 'perhaps'.\n")
    assert cli("report.picture=all").err.startswith("polyexp: `report.picture` is not a setting of this experiment.")
    assert not list(tmp_path.rglob("result.json"))


def test_pictures_decide_no_result(cli, store):
    assert "report" not in SETTINGS
    assert cli(*QUICK, "report.pictures=none").code == 0
    run = only_run(store)
    assert not [name for name in run.data.params if name.startswith("report")]
    assert run.info.run_name == "numpy samples=20 degree=3 steps=2 lr=auto"
