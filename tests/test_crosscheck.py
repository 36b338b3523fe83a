"""action=crosscheck: correct models agree in every formulation, and an error in any part of a model is found and named."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from array_api_compat import array_namespace

import polyexp as p
from polyexp.base import Component
from polyexp.crosscheck import TOLERANCE, crosscheck
from polyexp.crosscheck.driver import MAX_WHOLE_SAMPLES, model_checks, sample_sets
from polyexp.crosscheck.reference import ComplexStep
from polyexp.report.crosscheck import crosscheck_verdict
from tests.helpers.cases import DOMAIN, MODELS, every_model, named
from tests.helpers.stores import all_runs

pytestmark = pytest.mark.numeric

PROBLEM = p.Problem("exp", domain=list(DOMAIN), num_samples=60)
WHOLE = PROBLEM.samples()
RATE = p.GradientDescent(1e-4)
FORMULATIONS = [
    *("jax autograd cpu", "jax custom_function cpu", "jax manual cpu"),
    "numpy manual cpu",
    *("torch autograd cpu", "torch custom_function cpu", "torch manual cpu"),
]
QUICK = ("action=crosscheck", "problem.num_samples=50", "loop.steps=20", "tracking=none")


def checked(model, optimizer=RATE, *, whole=WHOLE, degree=None, **options):
    few = p.gauss(whole, model.polynomial_degree if degree is None else degree)
    model = model.on_domain(whole.domain)
    options = {"initial": model.initial_params(0), "steps": 30} | options
    return crosscheck(model, whole, few, optimizer=optimizer, **options)


def on_cpu(found):
    return [one for one in found.formulations if "cuda" not in one.name]


def failed(found):
    return [one.part for one in found.failed_checks]


# Correct models


@every_model
def test_a_sound_model_agrees_everywhere(cls):
    model = cls(degree=5)
    found = checked(model, p.GradientDescent(1e-9))
    assert found.agrees, crosscheck_verdict(found)
    names = [*FORMULATIONS, *(["closed_form"] if model.linear else [])]
    assert [(one.name, one.samples) for one in on_cpu(found)] == [(name, n) for n in (6, 60) for name in names]
    assert (found.steps, found.notes) == (30, ())
    assert all(one.passed for one in found.checks)
    assert max(one.gradient for one in found.formulations) <= TOLERANCE
    assert crosscheck_verdict(found).startswith(f"All {len(found.formulations)} formulations agree with the reference")


def asymptotic(optimizer, model):
    """The optimizer with the rate that is best in the long run."""
    form = p.Quadratic.of(model.on_domain(WHOLE.domain), WHOLE)
    return optimizer.tuned(form.eigenvalues, np.ones(form.eigenvalues.shape), 1)


@pytest.mark.parametrize(
    "optimizer",
    [p.Momentum("asymptotic"), p.GradientDescent("asymptotic"), p.Nesterov(1e-3), p.RMSprop(1e-2), p.Adam(1e-2)],
    ids=named,
)
@pytest.mark.parametrize("model", [p.LegendreSeries(degree=4), p.Legendre()], ids=named)
def test_every_optimizer(model, optimizer):
    if optimizer.automatic:
        if not model.linear:
            return
        optimizer = asymptotic(optimizer, model)
    found = checked(model, optimizer)
    assert found.agrees, crosscheck_verdict(found)


@pytest.mark.parametrize("cls", [one for one in MODELS if one is not p.Legendre], ids=named)
@pytest.mark.parametrize("degree", [0, 1, 25])
def test_other_degrees(cls, degree):
    """Rounding decides some coefficients here, which must not be reported as an error."""
    model = cls(degree=degree)
    found = checked(model, asymptotic(p.GradientDescent("asymptotic"), model))
    assert found.agrees, crosscheck_verdict(found)


def test_the_reference_is_gradient_descent():
    """Against the formula for one parameter: y = w on three samples, w <- w - 2 rate (w - mean)."""
    samples = p.Samples.of([0, 1, 2], [1, 2, 6])
    loop = ComplexStep(steps=3, log_every=1)
    found = p.fit(
        samples, p.PowerSeries(degree=0), loop=loop, optimizer=p.GradientDescent(0.25), backend=p.NumPy(), params=[7]
    )
    assert found.history.params[:, 0].tolist() == [5, 4, 3.5]
    assert found.history.loss[0] == pytest.approx((36 + 25 + 1) / 3)


@pytest.mark.parametrize("rate", [0.1, 1e6])
@pytest.mark.parametrize("model", [p.PowerSeries(degree=5), p.Legendre(degree=5)], ids=named)
def test_what_diverges_is_compared_as_far_as_it_is_finite(model, rate):
    found = checked(model, p.GradientDescent(rate, allow_divergence=True))
    assert found.agrees, crosscheck_verdict(found)
    assert 1 <= found.steps < 30
    assert found.notes == (
        f"Compared up to step {found.steps}: after that the run diverges, or rounding dominates it.",
    )


def test_where_rounding_decides_from_the_first_step_on_gradients_are_compared():
    """The gradient of the even coefficients of an odd function is only rounding, but Adam's update is as large as any other."""
    samples = p.Problem("sin", num_samples=200).samples()
    adam = p.Adam(1e-3, eps=1e-12)
    found = checked(p.LegendreSeries(initial="zeros"), adam, whole=samples)
    assert found.agrees
    assert found.steps == 0
    assert all(np.isnan(one.params) and one.gradient <= TOLERANCE for one in found.formulations)
    assert crosscheck_verdict(found).endswith("agree with the reference to 1e-11 in the gradient.")


def test_a_loss_that_is_not_finite_is_no_agreement():
    samples = p.Samples.of([1e200, 2e200, 3e200], [1, 2, 3])
    found = checked(p.PowerSeries(degree=1), whole=samples)
    assert not found.agrees
    assert found.notes == ("The loss is not finite at the initial parameters.",)
    assert crosscheck_verdict(found) == "nothing could be compared."


def test_a_perfect_start_agrees():
    """The loss is 0, and so is every difference."""
    samples = p.Samples.of([0, 1, 2], [0, 0, 0])
    found = checked(p.PowerSeries(degree=1, initial="zeros"), whole=samples)
    assert found.agrees, crosscheck_verdict(found)
    assert {one.params for one in found.formulations} == {0}


def test_many_samples_are_only_taken_reduced():
    problem = p.Problem(num_samples=MAX_WHOLE_SAMPLES + 1)
    few = p.gauss(problem.samples(), 7)
    whole, same = sample_sets(problem, few, 7, 0)
    assert whole is same is few
    with pytest.raises(
        p.InputError, match="takes at most 65536 samples of a model that is not a polynomial, got 65537"
    ):
        sample_sets(problem, problem.samples(), None, 0)


# Models that are wrong


@dataclass
class Wrong(p.PowerSeries):
    """A correct model with a name, from which the wrong ones derive."""

    name = "wrong"


class WrongBackward(Wrong):
    def backward(self, params, features, grad_y):
        return super().backward(params, features, grad_y) * np.float64(1 + 1e-9)


class WrongPowers(Wrong):
    def power_series(self, params):
        return super().power_series(params)[..., ::-1]


class WrongDegree(Wrong):
    def features(self, x):
        return np.column_stack([super().features(x)[:, :-1], x ** (self.degree + 2)])

    def power_series(self, params):
        return super().power_series(params)


class WrongRuns(Wrong):
    def forward(self, params, features):
        return super().forward(params, features) + (0 if params.ndim == 1 else 1e-3)


class WrongLinear(Wrong):
    def forward(self, params, features):
        return super().forward(params, features) + 1


class Failing(Wrong):
    def backward(self, params, features, grad_y):
        raise KeyError("no such basis")


class NoPolynomial(Wrong):
    """e^(w0 + w1 x), a correct model."""

    linear = False
    polynomial_degree = None

    def forward(self, params, features):
        values = super().forward(params, features)
        return array_namespace(values).exp(values)

    def backward(self, params, features, grad_y):
        return super().backward(params, features, grad_y * self.forward(params, features))


def test_a_wrong_backward():
    found = checked(WrongBackward(degree=3))
    assert failed(found) == ["backward"]
    assert not found.agrees
    by_hand = [one.agrees for one in on_cpu(found) if "manual" in one.name or "custom" in one.name]
    assert by_hand == [False] * 10
    assert all(one.agrees for one in found.formulations if "autograd" in one.name or one.name == "closed_form")
    verdict = crosscheck_verdict(found)
    assert verdict.startswith("model=wrong fails the check that `backward` is the derivative of `forward`; 10 of ")


def test_a_grossly_wrong_backward_fails_gradcheck_too():
    class Gross(Wrong):
        def backward(self, params, features, grad_y):
            return 2 * super().backward(params, features, grad_y)

    assert failed(checked(Gross(degree=3))) == ["backward", "custom Function"]


def test_a_wrong_power_series():
    found = checked(WrongPowers(degree=3))
    assert failed(found) == ["power_series"]
    assert found.differing == ()
    assert crosscheck_verdict(found) == (
        "model=wrong fails the check that `power_series` has the same values as the model."
    )


def test_a_wrong_degree():
    found = checked(WrongDegree(degree=3))
    assert failed(found) == ["power_series", "polynomial_degree"]
    assert {one.samples for one in found.differing} == {4}


def test_a_wrong_treatment_of_several_runs():
    assert "forward" in failed(checked(WrongRuns(degree=3)))


def test_what_is_not_linear_but_says_so():
    found = checked(WrongLinear(degree=3))
    assert failed(found) == ["power_series", "linear"]
    assert {one.name for one in found.differing} == {"closed_form"}


def test_a_model_that_raises():
    found = checked(Failing(degree=3))
    assert "backward" in failed(found)
    (row,) = [one for one in found.formulations if one.name == "numpy manual cpu" and one.samples == 60]
    assert (row.agrees, row.note) == (False, "KeyError: 'no such basis'")


def test_a_model_that_is_no_polynomial():
    model = NoPolynomial(degree=1)
    found = crosscheck(model, WHOLE, optimizer=RATE, initial=np.array([0.1, 0.2]), steps=40)
    assert found.agrees, crosscheck_verdict(found)
    assert [(one.part, one.passed) for one in found.checks if one.passed is not True] == [("power_series", None)]


@pytest.mark.parametrize("degree", [0, 3, 20, 120])
@every_model
def test_promises_are_kept_at_any_degree(cls, degree):
    if cls is p.Legendre and degree == 120:
        return  # whose power series in x is all rounding there, as crosscheck says
    model = cls(degree=degree).on_domain(DOMAIN)
    assert [one for one in model_checks(model, p.gauss(WHOLE, 3)) if one.passed is False] == []


# The action


def test_it_prints_a_table_and_a_verdict_and_records_nothing(cli, store, tmp_path):
    ended = cli(*QUICK[:-1], "model=legendre_series", "model.degree=3")
    assert (ended.code, ended.err) == (0, "")
    lines = [line.split() for line in ended.out.splitlines()]
    assert ["formulation", "samples", "parameters", "loss", "gradient"] in lines
    assert [line[:4] for line in lines if line[:1] == ["torch"] and "cpu" in line][:3] == [
        ["torch", loop, "cpu", "4"] for loop in ("autograd", "custom_function", "manual")
    ]
    assert "Reference: NumPy with `forward` differentiated by complex steps, on all 50 samples." in ended.out
    assert "`backward` is the derivative of `forward`: passed (largest difference " in ended.out
    assert "formulations agree with the reference to 1e-11 in parameters and loss" in ended.out
    assert all_runs(store) == []
    (folder,) = tmp_path.glob("outputs/runs/*/*")
    assert sorted(path.name for path in folder.iterdir()) == [".hydra", "crosscheck.json", "polyexp.log"]
    found = json.loads((folder / "crosscheck.json").read_text())
    assert found["agrees"] is True
    assert found["steps"] == 20
    assert found["tolerances"] == {"params": 1e-11, "loss": 1e-11, "gradient": 1e-11, "checks": 1e-11}
    assert {"name", "samples", "params", "loss", "gradient", "agrees", "note"} == set(found["formulations"][0])


def test_a_disagreement_is_one_line_and_exit_code_1(bare_cli, tmp_path, monkeypatch):
    monkeypatch.setattr(p.Legendre, "power_series", lambda self, params: np.zeros((*params.shape[:-1], 4)))
    ended = bare_cli(*QUICK, "model=legendre", "quiet=true")
    message = "polyexp: model=legendre fails the check that `power_series` has the same values as the model.\n"
    assert ended == (1, "", message)
    (file,) = tmp_path.rglob("crosscheck.json")
    found = json.loads(file.read_text())
    assert (found["agrees"], found["verdict"]) == (False, message.removeprefix("polyexp: ").strip())


def test_a_degree_that_is_too_small_is_refused_by_name(bare_cli, monkeypatch):
    monkeypatch.setattr(p.Legendre, "polynomial_degree", 2)
    ended = bare_cli(*QUICK, "model=legendre")
    assert ended.code == 2
    assert ended.err.startswith(
        "polyexp: `model=legendre` is not the polynomial of degree 2 in x that its class declares"
    )


def test_in_a_sweep_every_job_is_done_and_the_exit_code_is_1(bare_cli, tmp_path, monkeypatch):
    monkeypatch.setattr(p.Legendre, "backward", lambda self, params, features, grad_y: 0 * params)
    ended = bare_cli("-m", *QUICK, "model=legendre,power_series")
    assert ended.code == 1
    assert "model=legendre fails the check that `backward`" in ended.err
    assert "Traceback" not in ended.err
    files = sorted(tmp_path.glob("outputs/sweeps/*/*/*/crosscheck.json"))
    assert [json.loads(file.read_text())["agrees"] for file in files] == [False, True]


def test_it_takes_the_rate_that_auto_finds_and_steps_of_its_own(bare_cli):
    ended = bare_cli(*QUICK, "model=chebyshev_series", "optimizer.learning_rate=auto", "action.steps=7")
    assert ended.code == 0
    assert ended.out.startswith("Crosscheck of 7 steps of gradient_descent on model=chebyshev_series\n")


def test_steps_are_a_whole_number(bare_cli):
    message = "polyexp: `action.steps` must be a whole number of at least 1, got 0.\n"
    assert bare_cli("action=crosscheck", "action.steps=0") == (2, "", message)


def test_the_reference_is_no_choice():
    """It is a loop, but the command line does not offer it."""
    assert ComplexStep not in Component.registry.values()
