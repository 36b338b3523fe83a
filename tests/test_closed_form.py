"""loop=closed_form: any step directly, equal to the result of single steps; predictions and limits."""

import decimal
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import polyexp as p
from polyexp.exact import forecast
from tests.helpers.cases import LINEAR, MODELS, OPTIMIZERS, assert_close, named, normal
from tests.helpers.references import OPTIMA, REFERENCES

pytestmark = pytest.mark.numeric

SIN = p.Problem().samples()
EXP = p.Problem("exp", domain=[-1, 1], num_samples=300, noise=0.05, sampling="uniform", loss="sum").samples(1)
NUMPY = p.NumPy()
DIRECT = [p.GradientDescent, p.Momentum]


def fitted(samples, model, loop, optimizer, **options):
    return p.fit(samples, model, loop=loop, optimizer=optimizer, backend=NUMPY, **options)


def largest(model, samples):
    return p.Quadratic.of(model.on_domain(samples.domain), samples).largest


# Step by step


@pytest.mark.parametrize(
    ("model", "optimizer"),
    [
        (p.LegendreSeries(), p.GradientDescent("auto")),
        (p.LegendreSeries(), p.GradientDescent(0.05)),
        (p.LegendreSeries(), p.Momentum(0.05, 0.9)),
        (p.LegendreSeries(), p.Momentum("asymptotic")),  # Polyak's parameters
        (p.ChebyshevSeries(degree=12), p.Momentum("asymptotic")),
    ],
    ids=["descent_auto", "descent", "momentum", "polyak", "chebyshev_polyak"],
)
def test_manual_steps_follow_it(model, optimizer):
    taken = fitted(p.gauss(SIN, 12), model, p.Manual(4000, log_every=1), optimizer)
    direct = fitted(p.gauss(SIN, 12), model, p.ClosedForm(4000), optimizer)
    at = direct.history.step - 1
    assert 100 < at.size <= 200
    assert_close(taken.history.params[at], direct.history.params, 1e-10, scale=1)
    assert_close(taken.history.loss[at], direct.history.loss, 1e-10, scale=1)
    np.testing.assert_allclose(taken.history.loss[at], direct.history.loss, rtol=1e-8, atol=1e-20)
    assert_close(taken.history.excess[at], direct.history.excess, 1e-10, scale=1)
    assert_close(taken.history.grad_norm[at], direct.history.grad_norm, 1e-10, scale=1)
    assert_close(taken.params, direct.params, 1e-10, scale=1)
    assert taken.steps == direct.steps == 4000


@pytest.mark.parametrize("optimizer", [p.GradientDescent(1e-6), p.Momentum(1e-7, 0.9)], ids=named)
def test_manual_steps_follow_it_on_the_default_model(optimizer):
    """A condition number of 1e7, and a first loss of 6e5."""
    taken = fitted(SIN, p.PowerSeries(), p.Manual(4000, log_every=1), optimizer)
    direct = fitted(SIN, p.PowerSeries(), p.ClosedForm(4000), optimizer)
    at = direct.history.step - 1
    assert_close(taken.history.params[at], direct.history.params, 1e-10, scale=1)
    np.testing.assert_allclose(taken.history.loss[at], direct.history.loss, rtol=1e-10)
    np.testing.assert_allclose(taken.history.grad_norm[at], direct.history.grad_norm, rtol=1e-8)


def test_the_published_run():
    direct = fitted(p.Problem(), p.PowerSeries(), p.ClosedForm(), p.GradientDescent(1e-6))
    reference = REFERENCES["notebook/numpy"]
    assert direct.history.loss[-1] == pytest.approx(reference.losses[4000], rel=reference.rtol)
    assert direct.params[0] == pytest.approx(reference.parameters["w0"], rel=reference.rtol)


@pytest.mark.parametrize("optimizer", DIRECT, ids=named)
@pytest.mark.parametrize("samples", [p.gauss(SIN, 5), EXP], ids=["sin", "exp"])
@pytest.mark.parametrize("cls", LINEAR, ids=named)
@pytest.mark.parametrize("steps", [1, 2, 700])
def test_the_predicted_loss_is_the_measured_one(cls, samples, optimizer, steps):
    model = cls(degree=5).on_domain(samples.domain)
    rule, loop = optimizer(0.8 / largest(model, samples)), p.Manual(steps)
    prediction = forecast(model, loop, rule, samples, model.initial_params(3))
    result = fitted(samples, model, loop, rule, seed=3)
    assert prediction.final_loss == pytest.approx(result.loss, rel=1e-8)
    assert prediction.final_loss == pytest.approx(
        fitted(samples, model, p.ClosedForm(steps), rule, seed=3).loss, rel=1e-8
    )


@pytest.mark.parametrize("optimizer", [p.GradientDescent("auto"), p.Momentum("asymptotic")], ids=named)
def test_the_predicted_loss_at_the_optimum_is_the_measured_one(optimizer):
    """Where the loss is L* alone, 1e-16 of the mean of y squared."""
    model = p.LegendreSeries(degree=11).on_domain(SIN.domain)
    prediction = forecast(model, p.Manual(2000), optimizer, SIN, model.initial_params(0))
    assert prediction.final_loss == pytest.approx(fitted(SIN, model, p.Manual(2000), optimizer).loss, rel=1e-8)


@pytest.mark.parametrize("optimizer", [p.GradientDescent(0.2), p.Momentum(0.1, 0.8)], ids=named)
def test_directions_that_the_samples_do_not_know_are_not_moved_in(optimizer):
    samples = p.Samples.of([-1.0, 0.5], [2.0, 3.0], domain=(-2, 2))
    taken = fitted(samples, p.LegendreSeries(degree=4), p.Manual(4000), optimizer)
    direct = fitted(samples, p.LegendreSeries(degree=4), p.ClosedForm(4000), optimizer)
    assert_close(direct.params, taken.params, 1e-12)
    unknown = taken.quadratic.modes[:, 2:]
    assert_close(direct.params @ unknown, direct.initial @ unknown, 1e-14, scale=1)
    assert direct.loss < 1e-25


@pytest.mark.parametrize("optimizer", [p.GradientDescent, p.Momentum], ids=named)
def test_many_runs_at_once(optimizer):
    rates = np.array([[1e-3], [0.1], [0.3]])
    together = fitted(EXP.scaled(1 / 300), p.LegendreSeries(degree=3), p.ClosedForm(50), optimizer(rates), seed=[4, 5])
    assert together.params.shape == (3, 2, 4)
    for row, column in np.ndindex(3, 2):
        alone = fitted(
            EXP.scaled(1 / 300),
            p.LegendreSeries(degree=3),
            p.ClosedForm(50),
            optimizer(rates[row, 0]),
            seed=[4, 5][column],
        )
        assert_close(together.params[row, column], alone.params, 1e-14)
        assert_close(together.history.loss[:, row, column], alone.history.loss, 1e-13)
        assert together.excess[row, column] == pytest.approx(alone.excess, rel=1e-12)


def test_many_momenta_at_once():
    momenta = np.array([0.0, 0.5, 0.9, 0.99])
    together = fitted(SIN, p.LegendreSeries(degree=3), p.ClosedForm(300), p.Momentum(0.05, momenta))
    for run, momentum in enumerate(momenta):
        alone = fitted(SIN, p.LegendreSeries(degree=3), p.Manual(300), p.Momentum(0.05, momentum))
        assert_close(together.params[run], alone.params, 1e-12)


# The limit


RULES = [p.GradientDescent(), *(rule(momentum=m) for rule in (p.Momentum, p.Nesterov) for m in (0.0, 0.3, 0.9))]


@pytest.mark.parametrize(
    ("loop", "rule"),
    [
        pytest.param(loop, rule, id=f"{loop.name}-{rule.name}-{getattr(rule, 'momentum', '')}")
        for loop in (p.Manual(2000, 100), p.ClosedForm(2000))
        for rule in RULES
        if type(rule) in DIRECT or not loop.direct
    ],
)
def test_of_200_rates_exactly_those_above_the_limit_diverge(rule, loop):
    """No rate is within 2 % of the limit. The start has a component in the fastest mode, as any random start has."""
    limit = rule.limit(largest(p.LegendreSeries(), SIN))
    shares = np.append(np.geomspace(1e-3, 0.98, 100), np.geomspace(1.02, 50, 100))
    rates = np.random.RandomState(0).permutation(limit * shares)
    numbers = {"learning_rate": rates, "allow_divergence": True}
    numbers |= {"momentum": rule.momentum} if hasattr(rule, "momentum") else {}
    result = fitted(p.gauss(SIN, 7), p.LegendreSeries(), loop, type(rule)(**numbers))
    np.testing.assert_array_equal(result.outcome == p.Outcome.DIVERGED, rates > limit)
    assert set(result.outcome[rates < limit]) == {p.Outcome.MAX_STEPS}
    assert np.isfinite(result.params).all()


# Very many steps


def test_a_million_million_steps():
    snapshots = []
    direct = fitted(
        p.Problem(), p.PowerSeries(), p.ClosedForm(10**12, 200), p.GradientDescent(1e-6), observe=snapshots.append
    )
    steps = direct.history.step
    assert len(snapshots) == steps.size <= 200
    assert (steps[0], steps[-1], direct.steps) == (1, 10**12, 10**12)
    assert steps.size > 150
    assert (np.diff(steps) > 0).all()
    ratios = steps[100:-1] / steps[99:-2]
    np.testing.assert_allclose(ratios, ratios.mean(), rtol=1e-2)
    assert_close(direct.params, direct.quadratic.optimum, 1e-14)
    assert direct.excess < 1e-25
    best = OPTIMA["notebook/numpy"]["parameters"]
    np.testing.assert_allclose(direct.params, best, rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 199, 200, 201, 1000, 10**6, 10**15, 10**18])
@pytest.mark.parametrize("log_every", [1, 200, 10**9])
def test_looks_are_few_and_end_at_the_last_step(steps, log_every):
    snapshots = p.ClosedForm(steps, log_every).snapshot_steps()
    assert all(isinstance(step, int) for step in snapshots)
    assert len(snapshots) <= min(steps, 200)
    assert (snapshots[0], snapshots[-1]) == (1, steps)
    assert snapshots == sorted(set(snapshots))
    assert steps > 3 or len(snapshots) == steps


def test_it_stops_at_the_tolerance():
    direct = fitted(SIN, p.LegendreSeries(), p.ClosedForm(10**12, tolerance=1e-10), p.GradientDescent("auto"))
    assert direct.outcome is p.Outcome.CONVERGED
    assert direct.steps == direct.history.step[-1] < 1000
    assert direct.excess <= 1e-10


def test_it_stalls():
    direct = fitted(SIN, p.LegendreSeries(), p.ClosedForm(10**12, patience=3), p.GradientDescent("auto"))
    assert direct.outcome is p.Outcome.STALLED
    assert direct.steps < 10**12
    assert_close(direct.params, direct.quadratic.optimum, 1e-12)


@pytest.mark.parametrize("optimizer", [p.GradientDescent(1.5), p.Momentum(3.0)], ids=named)
def test_divergence_over_very_many_steps(optimizer):
    direct = fitted(SIN, p.LegendreSeries(), p.ClosedForm(10**12), optimizer)
    assert direct.outcome is p.Outcome.DIVERGED
    assert np.isfinite(direct.params).all()
    assert np.isfinite(direct.loss)
    assert direct.steps < 10**5
    assert direct.history.step[-1] >= direct.steps


# Damping


def brute_force(eta, beta, steps):
    """What v <- beta v + e, e <- e - eta v makes of e = 1: the power of a 2 x 2 matrix, in 80 digits."""
    with decimal.localcontext() as context:
        context.prec, context.Emax, context.Emin = 80, decimal.MAX_EMAX, decimal.MIN_EMIN
        eta, beta = Decimal(float(eta)), Decimal(float(beta))
        power, square = ((1, 0), (0, 1)), ((1 - eta, -eta * beta), (Decimal(1), beta))
        while steps:
            if steps % 2:
                power = product(power, square)
            square, steps = product(square, square), steps // 2
        return float(power[0][0])


def product(one, other):
    return tuple(tuple(sum(row[k] * other[k][j] for k in (0, 1)) for j in (0, 1)) for row in one)


def assert_damping(rule, eta, steps, beta=0.0):
    """To the accuracy that is possible: where two roots are nearly equal, the rounding of eta is amplified by steps^2."""
    expected = brute_force(eta, beta, steps)
    actual = rule.damping(np.array([eta]), steps)
    assert actual.shape == (1,)
    assert actual[0] == pytest.approx(expected, rel=1e-12 + 1e-15 * steps ** (2 if beta else 1), abs=1e-11)


COUNTS = st.one_of(st.integers(0, 50), st.integers(0, 10**4))
ETAS = st.one_of(st.floats(0, 2.2), st.sampled_from([0.0, 1e-300, 1e-12, 1.0, 2.0, 1 - 2**-53, 1 + 2**-52]))


def representable(eta, beta, steps):
    """Whether the power stays below 1e280."""
    radius = max(abs(np.roots([1, -(1 + beta - eta), beta])))
    return steps * np.log10(max(radius, 1)) < 280


@settings(max_examples=300, deadline=None)
@given(eta=ETAS, steps=COUNTS)
def test_the_damping_of_gradient_descent(eta, steps):
    if representable(eta, 0, steps):
        assert_damping(p.GradientDescent(1.0), eta, steps)


@settings(max_examples=300, deadline=None)
@given(eta=st.one_of(st.floats(0, 4.2), ETAS), beta=st.floats(0, 0.999), steps=COUNTS)
def test_the_damping_of_momentum(eta, beta, steps):
    if representable(eta, beta, steps):
        assert_damping(p.Momentum(1.0, beta), eta, steps, beta)


@settings(max_examples=200, deadline=None)
@given(
    beta=st.one_of(st.floats(0, 0.999), st.sampled_from([0.0, 0.25, 0.81])),
    sign=st.sampled_from([-1, 1]),
    off=st.sampled_from([0, 2**-52, -(2**-52), 1e-12, -1e-12, 1e-8, -1e-8, 1e-5, -1e-5]),
    steps=COUNTS,
)
def test_the_damping_near_double_roots(beta, sign, off, steps):
    """eta = (1 - sqrt(beta))^2 and (1 + sqrt(beta))^2: Polyak's parameters have one at each end of the spectrum."""
    assert_damping(p.Momentum(1.0, beta), (1 + sign * np.sqrt(beta)) ** 2 * (1 + off), steps, beta)


@pytest.mark.parametrize("rule", [p.GradientDescent(1.0), p.Momentum(1.0, 0.0), p.Momentum(1.0, 0.9)], ids=named)
@pytest.mark.parametrize("steps", [1, 2, 10**6, 10**12, 10**15, 10**18])
def test_the_damping_of_slow_modes(rule, steps):
    """Modes that shrink to a part between 0.1 and 1 keep nearly all digits over any number of steps."""
    beta = getattr(rule, "momentum", 0.0)
    for share in (1e-9, 0.1, 1.0, 2.0):
        eta = share * (1 - beta) / steps if steps > 2 else share / 10
        expected = brute_force(eta, beta, steps)
        assert rule.damping(np.array([eta]), steps)[0] == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("steps", [0, 1, 2, 10**12])
def test_a_mode_without_curvature_stays(beta, steps):
    """Exactly with gradient descent. With momentum the factor is S_t - beta S_{t-1}, S_t = (1 - beta^t) / (1 - beta), where
    each S is known to four roundings: those of beta^t, two differences and a quotient.
    """
    np.testing.assert_array_equal(p.GradientDescent(0.1).damping(np.array([0.0, 0.0]), steps), [1, 1])
    one, other = ((1 - beta**t) / (1 - beta) for t in (steps, max(steps - 1, 0)))
    atol = 4 * (one + beta * other) * np.finfo(float).eps / 2
    np.testing.assert_allclose(p.Momentum(0.1, beta).damping(np.array([0.0, 0.0]), steps), [1, 1], rtol=0, atol=atol)


@pytest.mark.parametrize("steps", [0, 1, 2, 7])
def test_momentum_of_zero_is_gradient_descent(steps):
    eigenvalues = np.array([0.0, 0.3, 1.0, 1.7, 2.0, 2.5])
    expected = (1 - eigenvalues) ** steps
    np.testing.assert_allclose(p.Momentum(1.0, 0.0).damping(eigenvalues, steps), expected, rtol=1e-14, atol=1e-300)
    np.testing.assert_allclose(p.GradientDescent(1.0).damping(eigenvalues, steps), expected, rtol=1e-14, atol=1e-300)


@pytest.mark.parametrize("rule", DIRECT, ids=named)
def test_damping_of_several_runs(rule):
    rates, eigenvalues = np.array([0.1, 0.5, 2.0]), np.array([2.0, 0.7, 0.0])
    together = rule(rates[:, None]).damping(eigenvalues, 9)
    assert together.shape == (3, 3)
    for run, rate in enumerate(rates):
        assert_close(together[run], rule(rate).damping(eigenvalues, 9), 1e-14)


# What has no closed form


MESSAGE = (
    r"^`loop=closed_form` needs a model that is linear in its parameters, and "
    r"`optimizer=gradient_descent` or `optimizer=momentum`: "
    r"type `loop=manual`\.$"
)


@pytest.mark.parametrize("optimizer", [one for one in OPTIMIZERS if one not in DIRECT], ids=named)
def test_optimizers_without_a_closed_form_are_refused(optimizer):
    with pytest.raises(p.InputError, match=MESSAGE):
        fitted(SIN, p.PowerSeries(), p.ClosedForm(), optimizer())


@pytest.mark.parametrize("optimizer", DIRECT, ids=named)
@pytest.mark.parametrize("cls", [one for one in MODELS if not one.linear], ids=named)
def test_models_without_a_closed_form_are_refused(cls, optimizer):
    with pytest.raises(p.InputError, match=MESSAGE):
        fitted(SIN, cls(), p.ClosedForm(), optimizer())


def test_it_takes_no_single_steps():
    with pytest.raises(NotImplementedError, match="Manual"):
        p.ClosedForm().value_and_gradient(p.PowerSeries(), None)


def test_it_says_what_computed():
    result = fitted(SIN, p.LegendreSeries(), p.ClosedForm(), p.GradientDescent(0.1), params=normal(0, 8))
    assert result.computed_by.startswith("closed form, numpy ")
