"""Numbers and nouns of the sentences about a run: what is rounding is left out, digits distinguish, one thing has no s."""

import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import polyexp as p
from polyexp.base import counted
from polyexp.fitting import Snapshot
from polyexp.report import description, headline, loss_line
from polyexp.report.sentences import cancellation, coefficients, forecast_sentences, judgement, number
from polyexp.report.tables import Column, columns_of, tables
from tests.helpers.figures import AUTO, Run

pytestmark = pytest.mark.numeric


@pytest.fixture(scope="module")
def odd():
    """The best odd polynomial, found in a basis where the even coefficients are rounding."""
    return Run(p.Problem(), p.LegendreSeries(), optimizer=AUTO)


def test_terms_that_are_rounding_are_not_in_the_formula(odd):
    assert 0 < np.abs(odd.result.params[::2]).max() < 1e-14
    assert headline(odd.result) == "y = 0.9549 P1(z) - 1.158 P3(z) + 0.2193 P5(z) - 0.01664 P7(z), z = 0.3183 x"


def test_rounding_of_float32_is_larger(odd):
    params = np.array([5e-9, 0.3, 2e-3, -0.2])
    model = p.PowerSeries(degree=3)
    result = replace(odd.result, model=model, params=params, computed_by="torch 2, float32, cpu")
    assert headline(result) == "y = 0.3 x + 0.002 x^2 - 0.2 x^3"
    assert headline(replace(result, computed_by="torch 2, float64, cpu")).startswith("y = 5e-09 + 0.3 x")


def test_a_small_coefficient_of_a_large_power_is_kept(odd):
    """On [0, 1000] the term 1e-18 x^7 reaches 1000."""
    samples = p.Samples.of([0.0, 1000.0], [0.0, 1.0])
    params = np.array([1.0, 0, 0, 0, 0, 0, 0, 1e-18])
    result = replace(odd.result, model=p.PowerSeries(), samples=samples, params=params)
    assert headline(result) == "y = 1 + 1e-18 x^7"


def test_a_parameter_without_effect_is_kept(odd):
    """With b = 0 no value depends on c and d, which are as large as a."""
    result = replace(odd.result, model=p.Legendre(), params=np.array([0.5, 0, 0.3, 1]))
    assert headline(result) == "y = 0.5, z = 0.3 + x"


def test_a_run_without_finite_values_has_a_formula(odd):
    result = replace(odd.result, model=p.PowerSeries(degree=1), params=np.array([1e300, -1e308]))
    assert headline(result) == "y = 1e+300 - 1e+308 x"


def snapshot(loss, step=200):
    numbers = dict.fromkeys(("excess", "grad_norm"), np.nan)
    return replace(Snapshot(step, np.zeros(1), np.float64(loss), *numbers.values()))


@pytest.mark.parametrize(
    ("loss", "text"),
    [
        (98.4221, "98.422"),
        (1.0, "1.000"),
        (0.00812345, "0.008123"),
        (0.00798765, "0.007988"),
        (0.5, "0.5000"),
        (7.3e-8, "7.300e-08"),
        (1234567.0, "1.235e+06"),
        (0.0, "0.000"),
        (np.inf, "inf"),
    ],
)
def test_losses_that_differ_look_different(loss, text):
    assert loss_line(snapshot(loss)) == f"Loss at   200 iteration: {text}"


def test_zero_has_no_sign():
    assert number(-0.0, 4) == "0"
    model = p.PowerSeries(degree=2, initial=[0.0, -0.0, 1.0])
    run = Run(p.Samples.of([0.0, 1, 2], [0.0, 1, 4]), model, p.Manual(steps=1), AUTO)
    result = replace(run.result, params=np.array([0.0, -0.0, 1.0]))
    assert [row[1] for row in coefficients(result)] == [" 0", " 0", " 1"]
    assert "-0 " not in description(result, run.forecast)


def test_what_has_diverged_has_few_digits():
    rate = p.GradientDescent(1e3, allow_divergence=True)
    run = Run(optimizer=rate, loop=p.Manual(steps=300, log_every=100))
    assert run.result.outcome is p.Outcome.DIVERGED
    texts = [value.strip().lstrip("-") for _, value, _ in coefficients(run.result)]
    assert all(len(text.partition("e")[0].replace(".", "").lstrip("0")) <= 4 for text in texts)
    learned = [
        line.split("|")[2].strip() for line in description(run.result, run.forecast).splitlines() if "| w" in line
    ]
    assert learned == [value.strip() for _, value, _ in coefficients(run.result)]


def fitted(model, low, high):
    """A fit of a line with noise by the model on an interval of 74 numbers."""
    x = np.linspace(low, high, 74)
    y = 20 + (x - low) / (high - low) + 0.1 * np.random.default_rng(0).standard_normal(x.size)
    return p.fit(x, y, model, loop=p.ClosedForm(), optimizer=p.GradientDescent(learning_rate="auto"))


@pytest.mark.parametrize(
    ("of_series", "instead"), [(True, "use the values of the parameters"), (False, "fit `model=legendre_series`")]
)
def test_powers_of_x_that_cancel_each_other_are_said(of_series, instead):
    low, high = 1950, 2023
    result = fitted(p.LegendreSeries(degree=7), low, high)
    if not of_series:
        result = replace(fitted(p.PowerSeries(degree=7), low, high), params=result.power_series)
    (sentence,) = cancellation(result)
    shown = [power or value for _, value, power in coefficients(result)]
    exact = [Fraction(text.split()[0]) for text in shown]
    x = np.linspace(low, high, 1000)
    values = [float(sum(c * Fraction(one) ** k for k, c in enumerate(exact))) for one in x]
    error = float(re.search(r"errors of up to (\S+),", sentence)[1])
    # At 1000 points instead of 64 the largest error is larger, by less than a half in a polynomial of such a degree.
    assert 0.95 * error < np.abs(values - result(x)).max() < 1.5 * error
    assert instead in sentence


@pytest.mark.parametrize("interval", [(-1, 1), (0, 1), (-100, 50)])
def test_of_powers_of_x_that_have_six_digits_nothing_is_said(interval):
    assert cancellation(fitted(p.LegendreSeries(degree=7), *interval)) == []


@pytest.mark.parametrize(("size", "text"), [(0, "0 steps"), (1, "1 step"), (2, "2 steps")])
def test_counted(size, text):
    assert counted(size, "step") == text


def test_one_thing_has_no_s():
    run = Run(p.Samples.of([1.0], [2.0]), p.PowerSeries(degree=0), p.Manual(steps=1), p.GradientDescent(0.1))
    texts = [*forecast_sentences(run.forecast), judgement(run.result, run.forecast)]
    assert "after 1 step the loss" in texts[0]
    assert "after 1 step." in texts[1]


def test_names_in_markdown_are_cells():
    class Odd(p.PowerSeries):
        param_names = ("a|b", "\x1b[31m" + "x" * 200)

    run = Run(p.Samples.of([0.0, 1], [0.0, 1]), p.PowerSeries(degree=1), p.Manual(steps=1), AUTO)
    rows = description(replace(run.result, model=Odd(degree=1)), run.forecast).splitlines()
    first, second = rows[-2:]
    assert first.startswith(r"| a\|b | ")
    assert second.startswith(r"| \x1b[31mxxx")
    assert len(second.split(" | ")[0]) <= 82
    assert all(line.isprintable() for line in rows)


# Tables that fit


def heads_of(found):
    return [[str(column.header) for column in table.columns] for table in found]


WIDE = ("mode", "eigenvalue", "remaining after 4000 steps", "steps to 1/1000")
ROWS = [("0", "1.239e+06", "1.234e-307", "6.67e+07"), ("1", "0.1", "0.5", "not known")]


def test_a_table_is_as_wide_as_its_words():
    assert heads_of(tables(columns_of(WIDE, ROWS), 100)) == [list(WIDE)]


def test_heads_are_wrapped_at_blanks():
    (table,) = tables(columns_of(WIDE, ROWS), 50)
    assert [str(column.header) for column in table.columns] == [
        "mode",
        "eigenvalue",
        "remaining\nafter 4000\nsteps",
        "steps to\n1/1000",
    ]


def test_columns_that_do_not_fit_come_below_with_their_keys():
    first, second = heads_of(tables(columns_of(WIDE, ROWS), 40))
    assert first[:2] == ["mode", "eigenvalue"]
    assert second[0] == "mode"
    assert len(first) + len(second) == len(WIDE) + 1
    assert [len(block) for block in heads_of(tables(columns_of(WIDE, ROWS), 10, keys=0))] == [1, 1, 1, 1]


def test_heads_are_wrapped_after_dots_too():
    (table,) = tables([Column("run", ["a"]), Column("optimizer.learning_rate", ["0.1"])], 30)
    assert [str(column.header) for column in table.columns] == ["run", "optimizer.\nlearning_rate"]


def shown(found):
    """The cells of tables, column by column."""
    return [[str(cell) for cell in column.cells] for table in found for column in table.columns]


def test_cells_cannot_control_the_terminal_and_long_words_are_cut():
    cells = ["a\x1b[1mb", f"a {'b' * 100}", " 1.5"]
    assert shown(tables([Column("head", cells)], 100)) == [["a\\x1b[1mb", f"a {'b' * 47}...", " 1.5"]]
    assert shown(tables([Column("head", cells)], 100_000))[0][1] == cells[1]  # in a pipe
    (column,) = next(tables([Column("x" * 100, ["1"])], 80)).columns
    assert str(column.header) == f"{'x' * 37}..."


def test_numbers_are_aligned_to_the_right():
    columns = columns_of(("name", "value"), [("a", "1"), ("b", "10")], numeric=True)
    (table,) = tables([*columns, Column("words", ["some", "more"])], 100)
    assert [column.justify for column in table.columns] == ["left", "right", "left"]
