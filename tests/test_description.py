"""The description of a run: the formula, the paragraph that judges it, and the learned parameters beside the best ones."""

import numpy as np
import pytest
import sympy

import polyexp as p
from polyexp.problem import TARGETS
from polyexp.report import description
from polyexp.report.markdown import learned
from polyexp.report.sentences import headline, judgement
from tests.helpers.figures import AUTO, Run, Wave

pytestmark = pytest.mark.numeric


def table(text):
    """A Markdown table as its header and rows."""
    heads, rule, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines())
    assert set(rule) == {"---"}
    assert {len(row) for row in rows} == {len(heads)}
    return heads, rows


def numbers(rows):
    return np.array([[float(cell) for cell in row[1:]] for row in rows]).T


def test_the_description_of_the_default_run():
    run = Run(p.Problem())
    formula, paragraph, rows = description(run.result, run.forecast).split("\n\n")
    assert formula == f"`{headline(run.result)}`"
    assert paragraph == (
        "Loss 10.45 after 4000 steps. That is 10.45 above the best possible loss of this model, 2.461e-08. "
        "The slowest mode needs 6.7e+07 steps. At this learning rate it takes 8.8e+07 steps to come within 2.5e-10 of the best "
        "loss. `model=legendre_series optimizer.learning_rate=auto` would need 79 steps. MAX_STEPS: All steps were taken."
    )
    heads, rows = table(rows)
    assert heads == ["parameter", "learned", "optimum", "Taylor series of sin"]
    learned, optimum, taylor = numbers(rows)
    assert learned == pytest.approx(run.result.params, rel=1e-9)
    assert optimum == pytest.approx(run.result.quadratic.optimum, rel=1e-9)
    assert taylor == pytest.approx([0, 1, 0, -1 / 6, 0, 1 / 120, 0, -1 / 5040])


def test_other_bases_get_a_second_table_in_powers_of_x():
    run = Run(p.Problem("exp", [-1, 1], 100), p.ChebyshevSeries(degree=3), p.Manual(steps=5))
    first, second = map(table, learned(run.result))
    assert first[0] == ["parameter", "learned", "optimum"]
    assert numbers(first[1])[1] == pytest.approx(run.result.quadratic.optimum, rel=1e-9)
    assert second[0] == ["power of x", "learned", "best", "Taylor series of exp"]
    assert [row[0] for row in second[1]] == ["x^0", "x^1", "x^2", "x^3"]
    x = np.linspace(-1, 1, 100)
    got, best, taylor = numbers(second[1])
    assert got == pytest.approx(run.result.power_series, rel=1e-9)
    assert best == pytest.approx(np.polynomial.polynomial.polyfit(x, np.exp(x), 3), rel=1e-6)
    assert taylor == pytest.approx([1, 1, 1 / 2, 1 / 6])


def test_a_model_that_is_not_linear_is_set_beside_the_best_polynomial():
    run = Run(model=p.Legendre(), loop=p.Manual(steps=5))
    first, second = map(table, learned(run.result))
    assert (first[0], [row[0] for row in first[1]]) == (["parameter", "learned"], ["a", "b", "c", "d"])
    assert second[0] == ["power of x", "learned", "best", "Taylor series of sin"]
    assert "above what any polynomial of its degree can reach" in judgement(run.result, run.forecast)
    assert "slowest mode" not in judgement(run.result, run.forecast)


def test_a_model_that_is_no_polynomial_has_its_parameters_alone():
    run = Run(model=Wave(), loop=p.Manual(steps=5))
    (only,) = learned(run.result)
    assert table(only)[0] == ["parameter", "learned"]
    assert judgement(run.result, run.forecast).startswith("Loss ")


def test_data_have_no_taylor_series():
    run = Run(p.Samples.of([0.0, 1, 2], [1.0, 0, 1]), p.PowerSeries(degree=1))
    (only,) = learned(run.result)
    assert table(only)[0] == ["parameter", "learned", "optimum"]
    assert table(learned(Run(p.Problem("abs", num_samples=9)).result)[0])[0] == ["parameter", "learned", "optimum"]


def test_a_data_file_that_is_called_like_a_target_has_no_taylor_series(tmp_path):
    (tmp_path / "sin.csv").write_text("x,y\n0,1\n1,4\n2,7\n")
    run = Run(p.DataFile(path=str(tmp_path / "sin.csv")), p.PowerSeries(degree=1))
    assert run.result.samples.name == "sin"
    assert table(learned(run.result)[0])[0] == ["parameter", "learned", "optimum"]
    assert run.displayed.target is None


def test_a_run_at_its_best_gets_no_advice():
    run = Run(p.Problem(), p.LegendreSeries(), optimizer=AUTO)
    paragraph = judgement(run.result, run.forecast)
    assert "This is as good as the best possible loss" in paragraph
    assert "Try" not in paragraph
    assert "slowest" not in paragraph


@pytest.mark.parametrize("optimizer", [p.Adam(1e-3), p.Nesterov(1e-7), p.GradientDescent(2e-6, allow_divergence=True)])
def test_every_run_has_a_paragraph_without_nan(optimizer):
    run = Run(loop=p.Manual(log_every=100), optimizer=optimizer)
    assert "nan" not in judgement(run.result, run.forecast)


@pytest.mark.parametrize("model", [p.PowerSeries(degree=200), p.HermiteSeries(degree=60)])
def test_long_descriptions_are_cut_to_what_mlflow_holds(model):
    run = Run(p.Problem("cos", [-1, 1]), model, p.Manual(steps=1), p.GradientDescent(1e-30))
    text = description(run.result, run.forecast)
    assert len(text) < 8000
    assert "| ... |" in text


EXPRESSIONS = {"sin": "sin(x)", "cos": "cos(x)", "exp": "exp(x)", "runge": "1/(1+25*x**2)", "gaussian": "exp(-x**2)"}


@pytest.mark.parametrize("name", TARGETS)
def test_taylor_coefficients(name):
    if name not in EXPRESSIONS:
        assert TARGETS[name].taylor_coefficients(5) is None
        return
    x = sympy.Symbol("x")
    series = sympy.Poly(sympy.series(sympy.sympify(EXPRESSIONS[name]), x, 0, 9).removeO(), x)
    expected = [float(series.coeff_monomial(x**k)) for k in range(9)]
    assert TARGETS[name].taylor_coefficients(8) == pytest.approx(expected, rel=1e-14)
    near_zero = np.polynomial.Polynomial(TARGETS[name].taylor_coefficients(20))(0.1)
    assert near_zero == pytest.approx(float(TARGETS[name](np.array(0.1))), rel=1e-6)
    assert TARGETS[name].taylor_coefficients(1000).size == 1001
