"""The picture of a sweep, tested by its contents: axes, curves, colours, marks and words."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from polyexp.sweep import JobRow, SweepTable, draw_sweep, sweep_figure
from polyexp.sweep.layout import Layout, layout_of, spaced_geometrically

RATE, MOMENTUM, DEGREE = "optimizer.learning_rate", "optimizer.momentum", "model.degree"


def table_of(keys, combinations, loss, outcome=lambda *_: "MAX_STEPS"):
    """A sweep whose losses and outcomes are functions of the values."""
    rows = []
    for number, values in enumerate(combinations):
        ended = outcome(*values)
        final = loss(*values) if ended in ("MAX_STEPS", "DIVERGED") else None
        words = tuple(f"{key}={value}" for key, value in zip(keys, values, strict=True))
        rows.append(JobRow(number, words, ended, final))
    return SweepTable(tuple(rows))


def words(figure):
    return [text.get_text() for text in figure.texts]


def lines(ax):
    return {line.get_label(): line for line in ax.get_lines()}


def points(line):
    return list(zip(*(np.asarray(one).tolist() for one in line.get_data()), strict=True))


def named(figure):
    legends = [one for one in (*figure.legends, figure.axes[0].get_legend()) if one is not None]
    return [text.get_text() for one in legends for text in one.get_texts()]


# Which settings are axes


@pytest.mark.parametrize(
    ("keys", "combinations", "layout"),
    [
        ((RATE,), [(1e-3,), (1e-2,)], Layout(RATE, None, (), ())),
        ((RATE,), [(1e-3,), ("auto",)], Layout(None, None, (), (RATE,))),
        ((RATE, "seed"), product([1, 2], range(9)), Layout(RATE, None, (), ("seed",))),
        (("seed",), [(0,), (1,)], Layout("seed", None, (), ())),
        (("model", "seed"), product("ab", "01"), Layout(None, None, (), ("model", "seed"))),
        ((DEGREE, RATE), product([3, 5], [1, 2, 3]), Layout(RATE, DEGREE, (), ())),
        ((DEGREE, RATE, MOMENTUM), product([3], [1, 2, 3], [0, 0.5]), Layout(RATE, MOMENTUM, (), ())),
        (
            (DEGREE, RATE, MOMENTUM, "model"),
            product([3, 5], [1, 2, 3], [0, 0.1, 0.5], "ab"),
            Layout(RATE, MOMENTUM, (), (DEGREE, "model")),
        ),
        ((DEGREE, "loop.steps"), [(1, 100), (2, 200), (3, 250)], Layout(DEGREE, None, ("loop.steps",), ())),
        ((DEGREE, "model"), [(1, "a"), (2, "b"), (3, "c")], Layout(DEGREE, None, ("model",), ())),
        ((DEGREE, "model"), [(1, "a"), (2, "b"), (3, "a")], Layout(DEGREE, None, (), ("model",))),
        ((RATE, MOMENTUM), [(1, 0.3), (2, 0.1), (3, 0.2)], Layout(RATE, MOMENTUM, (), ())),  # of a random search
    ],
)
def test_the_layout(keys, combinations, layout):
    assert layout_of(table_of(keys, combinations, lambda *_: 1.0)) == layout


@pytest.mark.parametrize(
    ("values", "logarithmic"),
    [
        (np.logspace(-8, -5.8, 100), True),
        (np.linspace(1, 100, 100), False),
        ([1, 2, 5, 10, 20, 50], True),
        ([0, 1, 10, 100], False),
        ([1, 9], False),
        ([1, 10], False),
        ([-1, 1, 100], False),
        ([1e-300, 1], False),
        (range(1, 13), False),
    ],
)
def test_values_in_geometric_steps_have_a_logarithmic_axis(values, logarithmic):
    assert spaced_geometrically(np.array(values, float)) is logarithmic


# One numeric setting


def test_the_loss_over_one_setting():
    rates = [0.001, 0.01, 0.1, 1.0, 10.0]
    ends = {1.0: "DIVERGED", 10.0: "FAILED"}
    table = table_of(
        [RATE], [(rate,) for rate in rates], lambda rate: 1e-3 / rate, lambda one: ends.get(one, "MAX_STEPS")
    )
    figure = sweep_figure(table, 1e-4)
    (ax,) = figure.axes
    assert words(figure) == ["Final loss of 5 jobs", "best: 0.01, job 2 (lr=0.1)"]
    assert named(figure) == ["final loss", "diverged", "failed", "best", "best possible: 0.0001"]
    drawn = lines(ax)
    assert points(drawn["final loss"]) == [(0.001, 1.0), (0.01, 0.1), (0.1, 0.01)]
    assert (points(drawn["diverged"]), points(drawn["failed"])) == ([(1.0, 0.98)], [(10.0, 0.98)])
    assert points(drawn["best"]) == [(0.1, 0.01)]
    assert drawn["best possible: 0.0001"].get_ydata() == [1e-4] * 2
    assert (ax.get_xscale(), ax.get_yscale(), ax.get_xlabel()) == ("log", "log", RATE)
    assert ax.get_ylim()[0] < 1e-4
    assert ax.get_ylim()[1] > 1


def test_losses_within_a_decade_have_a_linear_axis():
    figure = sweep_figure(table_of([DEGREE], [(3,), (4,)], lambda degree: 1.0 / degree))
    (ax,) = figure.axes
    assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "linear")
    assert len(figure.legends) == 1  # where the power of ten at the axis does not meet it


def test_several_seeds_are_points_around_their_median():
    table = table_of([RATE, "seed"], product([1, 10, 100], [0, 1, 2]), lambda rate, seed: rate * 2.0**seed)
    figure = sweep_figure(table)
    every, median, best = figure.axes[0].get_lines()
    assert words(figure)[0] == "Final loss of 9 jobs, medians over seed"
    assert sorted(points(every)) == [(rate, rate * factor) for rate in (1, 10, 100) for factor in (1, 2, 4)]
    assert points(median) == [(1, 2), (10, 20), (100, 200)]
    assert points(best) == [(1, 1)]


def test_settings_that_are_no_numbers_are_curves_of_their_own():
    table = table_of(["model", RATE], product("abcdefghijkl", [1, 10]), lambda model, rate: ord(model) * rate)
    figure = sweep_figure(table)
    assert named(figure) == ["a", "b", "c", "d", "e", "f", "g", "5 others", "best"]
    drawn = lines(figure.axes[0])
    assert points(drawn["b"]) == [(1, 98), (10, 980)]
    assert np.isnan(drawn["5 others"].get_ydata()).sum() == 5
    assert len({drawn[name].get_color() for name in named(figure)[:8]}) == 8


def test_a_sweep_over_seeds_has_no_curve():
    (ax,) = sweep_figure(table_of(["seed"], [(2,), (0,), (1,)], lambda seed: 100.0**seed)).axes
    assert lines(ax)["final loss"].get_linestyle() == "None"


def test_settings_in_step_are_named_at_the_axis():
    figure = sweep_figure(table_of([DEGREE, "loop.steps"], [(1, 100), (2, 200)], lambda *_: 1.0))
    assert figure.axes[0].get_xlabel() == "model.degree (in step with loop.steps)"


def test_losses_of_exactly_0_are_counted():
    (ax,) = sweep_figure(table_of([DEGREE], [(1,), (2,), (3,)], lambda degree: [1.0, 1e-9, 0.0][degree - 1])).axes
    assert [text.get_text() for text in ax.texts] == ["the loss of 1 job is exactly 0"]


# Two numeric settings


def test_two_settings_are_coloured_cells():
    values = product([3, 5], [0.1, 1, 10], [0, 1])
    ends = {(5, 10): "DIVERGED", (3, 10): "FAILED"}
    table = table_of(
        [DEGREE, RATE, "seed"],
        values,
        lambda degree, rate, seed: degree * rate + seed,
        lambda degree, rate, seed: ends.get((degree, rate), "MAX_STEPS"),
    )
    figure = sweep_figure(table, 1e-3)
    ax, bar = figure.axes
    assert words(figure) == [
        "Final loss, minimum over seed",
        "best possible: 0.001; best: 0.3, job 0 (degree=3 lr=0.1 seed=0)",
    ]
    (mesh,) = ax.collections
    assert mesh.get_array().tolist() == [[pytest.approx(0.3), 3, None], [0.5, 5, None]]
    assert (mesh.norm.vmin, mesh.norm.vmax, bar.get_yscale()) == (pytest.approx(0.3), 5, "log")
    drawn = lines(ax)
    assert (points(drawn["diverged"]), points(drawn["failed"])) == ([(2, 1)] * 2, [(2, 0)] * 2)
    assert points(drawn["best"]) == [(0, 0)]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["0.1", "1", "10"]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["3", "5"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == (RATE, DEGREE)


@pytest.mark.parametrize("size", [10, 30])
def test_the_labels_of_many_cells_do_not_meet(size):
    rates, momenta = np.logspace(-8, -5.8, size), np.linspace(0, 0.95, size)
    figure = sweep_figure(table_of([RATE, MOMENTUM], product(rates, momenta), lambda rate, momentum: rate + momentum))
    figure.canvas.draw()
    ax = figure.axes[0]
    boxes = [label.get_window_extent() for label in ax.get_xticklabels()]
    assert all(one.x1 < other.x0 for one, other in pairwise(boxes))
    boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
    assert all(one.y1 < other.y0 for one, other in pairwise(boxes))
    assert ax.yaxis.label.get_window_extent().x1 <= min(box.x0 for box in boxes)


def test_a_random_search_is_coloured_points():
    values = [(10.0**-k, (k * 7 % 10) / 10) for k in range(9)]
    table = table_of([RATE, MOMENTUM], values, lambda rate, momentum: rate)
    ax, _ = sweep_figure(table).axes
    (drawn,) = ax.collections
    assert drawn.get_offsets().tolist() == [list(one) for one in values]
    assert drawn.get_array().tolist() == [rate for rate, _ in values]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")


def test_the_title_counts_settings_where_their_names_are_too_long():
    keys = [RATE, DEGREE, *(f"model.a_long_name_of_a_setting_{n}" for n in range(3))]
    figure = sweep_figure(table_of(keys, product([1, 2, 3, 4], [1, 2, 3], "ab", "ab", "ab"), lambda *_: 1.0))
    assert words(figure)[0] == "Final loss, minimum over 3 settings"


# No numeric setting


def test_bars_without_a_numeric_setting():
    ends = {"c": "DIVERGED", "d": "FAILED", "e": "DIVERGED"}
    table = table_of(
        ["model", "seed"],
        product("abcde", [0, 1]),
        lambda model, seed: {"a": 2.0, "b": 1.0}.get(model, 9.0) + seed,
        lambda model, seed: ends.get(model, "MAX_STEPS"),
    )
    figure = sweep_figure(table)
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["b", "a", "c", "d", "e"]
    assert [bar.get_width() for bar in ax.patches] == [1.0, 2.0]
    assert [points(line)[0][0] for line in ax.get_lines() if line.get_marker() == "."] == [2.0, 3.0]
    assert words(figure) == ["Final loss of 10 jobs, minimum over seed", "best: 1, job 2 (b seed=0)"]
    assert named(figure) == ["diverged", "failed", "best"]


def test_at_most_thirty_bars():
    figure = sweep_figure(table_of(["problem"], [(f"p{n}",) for n in range(40)], lambda name: float(name[1:]) + 1))
    assert len(figure.axes[0].patches) == 30
    assert words(figure)[0] == "Final loss of the best 30 of 40 combinations"


def test_the_names_of_bars_are_whole():
    figure = sweep_figure(table_of(["model"], [("legendre_series",), ("power_series",)], lambda *_: 1.0))
    figure.canvas.draw()
    assert min(label.get_window_extent().x0 for label in figure.axes[0].get_yticklabels()) >= 0


def test_a_single_job_is_one_bar():
    figure = sweep_figure(table_of(["seed"], [(0,)], lambda _: 2.0))
    assert words(figure) == ["Final loss of 1 job", "best: 2, job 0"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["job 0"]


# Every sweep can be drawn, without a warning (the test suite turns warnings into errors)

NAMES = ["model", RATE, MOMENTUM, "seed", "problem.name $x$"]
VALUES = st.sampled_from(["0", "1", "-3", "1e-300", "1e308", "1e-6", "auto", "a$b$\n\udc80", "x" * 500])
LOSSES = st.none() | st.sampled_from([0.0, 1e-320, 1e-8, 1.0, 1e300, 1.7e308])
ENDS = st.sampled_from(["MAX_STEPS", "DIVERGED", "FAILED", "NOT_RUN", "FINISHED"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from(NAMES), unique=True, max_size=4).flatmap(
        lambda keys: st.tuples(
            st.just(keys), st.lists(st.tuples(st.tuples(*[VALUES] * len(keys)), LOSSES, ENDS), min_size=1, max_size=8)
        )
    ),
    st.none() | st.sampled_from([0.0, 1e-9, 1e300]),
)
def test_no_sweep_breaks_its_picture(sweep, lowest):
    keys, jobs = sweep
    rows = [
        JobRow(number, tuple(f"{key}={value}" for key, value in zip(keys, values, strict=True)), end, loss)
        for number, (values, loss, end) in enumerate(jobs)
    ]
    figure = sweep_figure(SweepTable(tuple(rows)), lowest)
    figure.canvas.draw()
    for ax in figure.axes:
        assert np.isfinite([*ax.get_xlim(), *ax.get_ylim()]).all()
    assert all(text.isprintable() and len(text) <= 120 for text in words(figure))


@pytest.mark.parametrize("keys", [[RATE], [RATE, DEGREE], ["model"]])
def test_the_same_sweep_gives_the_same_bytes(keys, tmp_path):
    table = table_of(keys, product([1, 2] if keys != ["model"] else "ab", repeat=len(keys)), lambda *_: 1.0)
    first, second = (draw_sweep(tmp_path, table).read_bytes() for _ in range(2))
    assert first == second
    with Image.open(tmp_path / "sweep.png") as image:
        assert image.width == 900


def test_a_sweep_without_any_loss_says_so():
    for keys, values in (
        ([RATE], [(1,), (2,)]),
        (["model"], [("a",), ("b",)]),
        ([RATE, DEGREE], product([1, 2], [3, 4])),
    ):
        ax = sweep_figure(table_of(keys, values, lambda *_: 1.0, lambda *_: "FAILED")).axes[0]
        assert [text.get_text() for text in ax.texts] == ["No job has a loss to compare."]
