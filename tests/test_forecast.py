"""The forecast of a run: limits, the best rate, the steps needed, and the sentences that are printed."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import polyexp as p
from polyexp.exact import first_step, forecast, require_stable
from polyexp.report import verdict
from polyexp.report.sentences import forecast_sentences, mode_rows
from tests.helpers.cases import assert_close, every_model, named

pytestmark = pytest.mark.numeric

SIN = p.Problem().samples()
NUMPY = p.NumPy()


def forecast_of(model, optimizer, samples=SIN, loop=None, seed=0):
    model = model.on_domain(samples.domain)
    return forecast(model, loop or p.Manual(), optimizer, samples, model.initial_params(seed))


def excess_by_step(prediction, steps):
    """The measured excess of the parameters after 0 ... `steps` updates."""
    result = p.fit(
        prediction.samples,
        prediction.model,
        params=prediction.initial,
        loop=p.Manual(steps, log_every=1),
        optimizer=prediction.optimizer,
        backend=NUMPY,
    )
    return np.append(result.history.excess, result.excess)


# Limits


def radius(rule, eta):
    """The largest factor by which one step can stretch (e, v), for learning_rate times eigenvalue = eta."""
    beta = getattr(rule, "momentum", 0)
    ahead = beta if isinstance(rule, p.Nesterov) else 0  # v <- beta v + e; e <- e - eta (e + beta v) or e - eta v
    velocity = np.array([1.0, beta])
    error = np.array([1.0, 0.0]) - eta * (ahead * velocity + ([1, 0] if ahead else velocity))
    return np.abs(np.linalg.eigvals([error, velocity])).max()


@settings(max_examples=100, deadline=None)
@given(
    rule=st.sampled_from([p.GradientDescent, p.Momentum, p.Nesterov]),
    beta=st.floats(0, 0.99),
    largest=st.floats(1e-12, 1e12),
)
def test_the_limit_is_where_steps_begin_to_stretch(rule, beta, largest):
    rule = rule() if rule is p.GradientDescent else rule(momentum=beta)
    eta = rule.limit(largest) * largest
    assert radius(rule, eta * (1 + 1e-6)) > 1
    for share in (1 - 1e-6, 0.5, 1e-3):
        assert radius(rule, eta * share) < 1


def test_limits_in_numbers():
    assert p.GradientDescent().limit(4.0) == 0.5
    assert p.Momentum(momentum=0.5).limit(4.0) == 0.75
    assert p.Nesterov(momentum=0.5).limit(4.0) == 0.375
    assert p.RMSprop().limit(4.0) is p.Adam().limit(4.0) is None
    np.testing.assert_allclose(p.Momentum(momentum=[0, 0.5, 0.9]).limit(4.0), [0.5, 0.75, 0.95])
    np.testing.assert_allclose(p.Nesterov(momentum=[0, 0.5]).limit(4.0), [0.5, 0.375])


@pytest.mark.parametrize("optimizer", [p.RMSprop(), p.Adam()], ids=named)
def test_some_rules_have_no_limit(optimizer):
    prediction = forecast_of(p.PowerSeries(), optimizer)
    assert prediction.limit is prediction.final_loss is prediction.slowest is prediction.steps_to(1.0) is None
    assert prediction.mode(0) == (None, None)
    require_stable(prediction)


def test_models_that_are_not_linear_have_no_limit():
    prediction = forecast_of(p.Legendre(), p.GradientDescent(1e3))
    assert prediction.limit is prediction.final_loss is prediction.slowest is prediction.steps_to(1.0) is None
    assert not prediction.exact
    assert prediction.lowest == pytest.approx(p.Quadratic.of(p.PowerSeries(degree=3), SIN).lowest, rel=1e-12)
    require_stable(prediction)


SERIES = "model=legendre_series optimizer=gradient_descent optimizer.learning_rate=auto"
REFUSAL = (
    "`optimizer.learning_rate` must be at most {limit}, got {rate}, with which the loss of this model grows: "
    "`{words}` reaches a loss of 2.48e-08 in 79 steps, `optimizer.allow_divergence=true` runs this one anyway."
)


@pytest.mark.parametrize(
    ("optimizer", "limit", "rate", "words"),
    [
        (p.GradientDescent, "1.616e-06", 1.7e-6, "model=legendre_series optimizer.learning_rate=auto"),
        (p.Momentum, "3.07e-06", 3.1e-6, SERIES),
        (p.Nesterov, "1.096e-06", 1.2e-6, SERIES),
    ],
    ids=["gradient_descent", "momentum", "nesterov"],
)
def test_a_rate_above_the_limit_is_refused(optimizer, limit, rate, words):
    with pytest.raises(p.InputError, match=f"^{re.escape(REFUSAL.format(limit=limit, rate=rate, words=words))}$"):
        require_stable(forecast_of(p.PowerSeries(), optimizer(rate)))
    require_stable(forecast_of(p.PowerSeries(), optimizer(rate, allow_divergence=True)))
    require_stable(forecast_of(p.PowerSeries(), optimizer(0.9 * float(limit))))


def test_the_limit_itself_is_allowed():
    limit = forecast_of(p.PowerSeries(), p.GradientDescent()).limit
    require_stable(forecast_of(p.PowerSeries(), p.GradientDescent(limit)))
    with pytest.raises(p.InputError):
        require_stable(forecast_of(p.PowerSeries(), p.GradientDescent(np.nextafter(limit, 1))))


# The best rate


def long_run(rule, high, low):
    """The rule with the numbers that are best in the long run."""
    return rule("asymptotic").tuned(np.array([high, low]), np.ones(2), 1)


@settings(max_examples=50, deadline=None)
@given(low=st.floats(1e-6, 1), ratio=st.floats(1, 1e6), other=st.floats(0.01, 5))
def test_the_best_rate_shrinks_the_slowest_mode_fastest(low, ratio, other):
    high = low * ratio

    def slowest(rule):
        return max(radius(rule, rule.learning_rate * value) for value in (low, high))

    descent = long_run(p.GradientDescent, high, low)
    assert descent.learning_rate == pytest.approx(2 / (low + high))
    assert slowest(descent) <= slowest(p.GradientDescent(descent.learning_rate * other)) + 1e-12
    polyak = long_run(p.Momentum, high, low)
    assert slowest(polyak) == pytest.approx((ratio**0.5 - 1) / (ratio**0.5 + 1), abs=1e-6)  # of double roots
    assert slowest(polyak) <= slowest(p.Momentum(polyak.learning_rate * other, polyak.momentum)) + 1e-6
    assert slowest(polyak) <= slowest(descent) + 1e-6


@settings(max_examples=200, deadline=None)
@given(low=st.floats(1e-6, 1e6), ratio=st.floats(1, 1e28))
def test_the_best_rate_is_never_above_the_limit(low, ratio):
    """Polyak's rate differs from the limit by rounding alone if the condition number is large."""
    for rule in (p.GradientDescent, p.Momentum):
        best = long_run(rule, low * ratio, low)
        assert 0 < best.learning_rate <= best.limit(low * ratio)
        assert 0 <= getattr(best, "momentum", 0) < 1


def test_a_rate_that_is_typed_is_kept():
    assert forecast_of(p.PowerSeries(), p.GradientDescent(1e-9)).optimizer == p.GradientDescent(1e-9)
    assert forecast_of(p.PowerSeries(), p.Momentum(1e-9, 0.3)).optimizer == p.Momentum(1e-9, 0.3)


def test_asymptotic_sets_the_momentum_too():
    prediction = forecast_of(p.LegendreSeries(), p.Momentum("asymptotic", 0.123))
    high, low = prediction.eigenvalues[0] ** 0.5, prediction.eigenvalues[-1] ** 0.5
    assert prediction.optimizer.learning_rate == pytest.approx(4 / (high + low) ** 2)
    assert prediction.optimizer.momentum == pytest.approx(((high - low) / (high + low)) ** 2)


@pytest.mark.parametrize("optimizer", [p.GradientDescent("auto"), p.Momentum("asymptotic")], ids=named)
def test_auto_reaches_1e_12_in_fewer_than_1000_steps(optimizer):
    prediction = forecast_of(p.LegendreSeries(), optimizer)
    excess = excess_by_step(prediction, 1000)
    assert excess[-1] < 1e-12
    assert prediction.steps_to(1e-12) == np.argmax(excess <= 1e-12) <= 100


def automatic(rule):
    """The rule with the best value of every setting that has one."""
    return rule(**dict.fromkeys(rule.tunable, "auto"))


@pytest.mark.parametrize("rule", [p.GradientDescent, p.Momentum], ids=named)
@pytest.mark.parametrize("degree", [0, 1, 5])
def test_auto_is_stable_and_reaches_the_optimum(rule, degree):
    result = p.fit(SIN, p.LegendreSeries(degree=degree), optimizer=automatic(rule), backend=NUMPY, loop=p.Manual(500))
    require_stable(forecast_of(p.LegendreSeries(degree=degree), automatic(rule)))
    assert_close(result.params, result.quadratic.optimum, 1e-13, scale=1)
    assert result.optimizer.learning_rate > 0
    assert not result.optimizer.automatic


def test_asymptotic_where_the_samples_determine_less():
    """The best rate for the modes that the samples determine; any rate if they determine none."""
    samples = p.Samples.of([-1.0, 0.5], [2.0, 3.0], domain=(-2, 2))
    result = p.fit(samples, p.PowerSeries(degree=4), optimizer=p.GradientDescent("asymptotic"), backend=NUMPY)
    high, low = result.quadratic.eigenvalues[:2]
    assert result.optimizer.learning_rate == pytest.approx(2 / (high + low))
    assert result.loss < 1e-25


@pytest.mark.parametrize("rule", [p.GradientDescent, p.Momentum], ids=named)
def test_auto_needs_a_linear_model(rule):
    message = r"^`optimizer\.learning_rate=auto` needs a model that is linear in its parameters: type a number\.$"
    with pytest.raises(p.InputError, match=message):
        forecast_of(p.Legendre(), rule("auto"))
    with pytest.raises(p.InputError, match=message):
        p.fit(SIN, p.Legendre(), optimizer=rule("auto"), backend=NUMPY)


@pytest.mark.parametrize("rule", [p.Nesterov, p.RMSprop, p.Adam], ids=named)
def test_rules_without_a_best_rate_do_not_take_auto(rule):
    message = r"^`optimizer\.learning_rate` must be a finite number above 0, got 'auto'\.$"
    with pytest.raises(p.InputError, match=message):
        rule("auto")


# Steps


@settings(max_examples=200, deadline=None)
@given(answer=st.integers(1, 10**18))
def test_first_step(answer):
    calls = []

    def reached(step):
        calls.append(step)
        return step >= answer

    assert first_step(reached) == answer
    assert len(calls) <= 122


def test_first_step_gives_up():
    assert first_step(lambda step: False) is None
    assert first_step(lambda step: step > 10**19) is None


SLOW = {p.LegendreSeries: 0.01, p.ChebyshevSeries: 0.01, p.PowerSeries: 1e-3}


@pytest.mark.parametrize("tolerance", [1e-1, 1e-3, 1e-9])
@pytest.mark.parametrize("automatic", [False, True], ids=["slow", "auto"])
@pytest.mark.parametrize("cls", SLOW, ids=named)
def test_the_predicted_step_is_the_first_that_is_measured(cls, automatic, tolerance):
    prediction = forecast_of(cls(degree=3), p.GradientDescent("auto" if automatic else SLOW[cls]), p.gauss(SIN, 3))
    predicted = prediction.steps_to(tolerance)
    excess = excess_by_step(prediction, predicted)
    assert predicted > 1
    assert excess[predicted] <= tolerance < excess[predicted - 1]
    assert (excess[:predicted] > tolerance).all()


@pytest.mark.parametrize("optimizer", [p.Momentum("asymptotic"), p.Momentum(0.01, 0.9), p.Momentum(0.1, 0.99)])
@pytest.mark.parametrize("tolerance", [1e-2, 1e-12])
def test_momentum_comes_within_the_tolerance_at_the_predicted_step(optimizer, tolerance):
    """An oscillating run may reach the tolerance earlier, and leave it again."""
    prediction = forecast_of(p.LegendreSeries(degree=3), optimizer, p.gauss(SIN, 3))
    predicted = prediction.steps_to(tolerance)
    excess = excess_by_step(prediction, 4 * predicted)
    assert excess[predicted] <= tolerance < excess[predicted - 1]
    assert np.argmax(excess <= tolerance) <= predicted <= np.flatnonzero(excess > tolerance)[-1] + 1


def test_no_steps_are_needed_where_the_start_is_near_enough():
    prediction = forecast_of(p.LegendreSeries(), p.GradientDescent(0.1))
    start = float(prediction.quadratic.excess(prediction.initial))
    assert prediction.steps_to(start) == 0
    assert prediction.steps_to(start * (1 - 1e-12)) == 1


def test_some_rates_never_arrive():
    prediction = forecast_of(p.LegendreSeries(), p.GradientDescent(1.5, allow_divergence=True))
    assert prediction.steps_to(1e-3) is prediction.slowest is None
    assert prediction.final_loss == np.inf
    assert forecast_of(p.LegendreSeries(), p.GradientDescent(1e-30)).slowest is None


def test_a_rate_above_the_limit_does_not_move_what_does_not_deviate():
    """Infinity times zero: neither a warning nor an error."""
    samples = p.Samples.of(np.linspace(-1, 1, 9), np.zeros(9))
    prediction = forecast_of(
        p.LegendreSeries(degree=1, initial="zeros"), p.GradientDescent(1e9, allow_divergence=True), samples
    )
    assert prediction.steps_to(1e-3) == 0
    assert prediction.final_loss != 10.0


def test_the_slowest_mode():
    prediction = forecast_of(p.PowerSeries(), p.GradientDescent(1e-6))
    left = 1 - 1e-6 * prediction.eigenvalues
    steps = np.ceil(np.log(1e-3) / np.log(np.abs(left)))
    assert prediction.slowest == pytest.approx(steps.max(), rel=1e-9)
    for number in range(8):
        shrunk, needed = prediction.mode(number)
        assert shrunk == pytest.approx(left[number] ** 4000, rel=1e-9, abs=1e-300)
        assert needed == pytest.approx(steps[number], rel=1e-9)


def test_a_mode_without_curvature_is_never_done():
    samples = p.Samples.of([-1.0, 0.5], [2.0, 3.0], domain=(-2, 2))
    prediction = forecast_of(p.PowerSeries(degree=2), p.GradientDescent(0.1), samples)
    assert prediction.mode(2) == (1, None)
    assert prediction.slowest is not None
    assert mode_rows(prediction)[2] == ("2", "0", "1", "not known")


@every_model
def test_eigenvalues_and_condition(cls):
    prediction = forecast_of(cls(degree=3), p.GradientDescent(1e-9))
    assert prediction.eigenvalues.shape == prediction.initial.shape
    if cls.linear:
        assert prediction.condition == pytest.approx(prediction.eigenvalues[0] / prediction.eigenvalues[-1])
        assert prediction.exact
    else:
        assert prediction.eigenvalues[-1] < 0
        assert prediction.condition is None


# Sentences


DEFAULT = (
    "learning_rate=1e-06 is stable (limit 1.616e-06); after 4000 steps the loss will be 10.45 (best possible: "
    "2.461e-08); the slowest mode needs 6.7e+07 steps."
)


@pytest.mark.parametrize(
    ("model", "optimizer", "line"),
    [
        (p.PowerSeries(), p.GradientDescent(1e-6), DEFAULT),
        (
            p.PowerSeries(),
            p.GradientDescent(2e-6, allow_divergence=True),
            "learning_rate=2e-06 is NOT stable (limit 1.616e-06); after 4000 steps the loss will be inf (best possible: "
            "2.461e-08); the slowest mode needs more than 1e+18 steps.",
        ),
        (
            p.LegendreSeries(),
            p.Momentum("asymptotic"),
            "learning_rate=1.262 momentum=0.3469 is stable (limit 1.346); after 4000 steps the loss will be 2.461e-08 "
            "(best possible: 2.461e-08); the slowest mode needs 20 steps.",
        ),
        (
            p.PowerSeries(),
            p.Adam(1e-3),
            "learning_rate=0.001 has no known stability limit; the best possible loss is 2.461e-08.",
        ),
        (
            p.Legendre(),
            p.GradientDescent(1e-6),
            "learning_rate=1e-06 has no known stability limit; no polynomial of this degree has a loss below "
            "0.004399; at the start the eigenvalues of the Hessian range from -171 to 2685.",
        ),
    ],
    ids=["default", "unstable", "polyak", "adam", "legendre"],
)
def test_the_outlook_in_words(model, optimizer, line):
    assert forecast_sentences(forecast_of(model, optimizer)) == [line]


def test_the_verdict_on_the_default_run_in_words():
    prediction = forecast_of(p.PowerSeries(), p.GradientDescent(1e-6))
    result = p.fit(SIN, p.PowerSeries(), optimizer=prediction.optimizer, backend=NUMPY)
    assert verdict(result, prediction) == [
        "That is 10.45 above the best possible loss of this model, 2.461e-08.",
        "At this learning rate it takes 8.8e+07 steps to come within 2.5e-10 of the best loss.",
        "`model=legendre_series optimizer.learning_rate=auto` would need 79 steps.",
    ]


def test_the_verdict_on_the_best_run_in_words():
    prediction = forecast_of(p.LegendreSeries(), p.GradientDescent("auto"))
    result = p.fit(SIN, p.LegendreSeries(), optimizer=prediction.optimizer, backend=NUMPY)
    distance, praise = verdict(result, prediction)
    assert re.fullmatch(r"That is \S+e-\d\d above the best possible loss of this model, 2\.461e-08\.", distance)
    only = "only another model, such as one of a higher model.degree, can do better on these samples."
    assert praise == f"This is as good as the best possible loss: {only}"


def test_the_verdict_on_the_legendre_model_in_words():
    prediction = forecast_of(p.Legendre(degree=5), p.GradientDescent(1e-6))
    result = p.fit(SIN, prediction.model, optimizer=prediction.optimizer, backend=NUMPY, loop=p.Manual(10))
    distance, suggestion = verdict(result, prediction)
    assert re.fullmatch(r"That is \S+ above what any polynomial of its degree can reach, 1\.8\d*e-05\.", distance)
    words = "model=legendre_series model.degree=5 model.initial=zeros optimizer.learning_rate=auto"
    assert re.fullmatch(rf"`{words}` would need \d+ steps\.", suggestion)


def test_the_table_of_modes():
    rows = mode_rows(forecast_of(p.PowerSeries(), p.GradientDescent(1e-6)))
    assert rows == [
        ("0", "1.237e+06", "0", "5"),
        ("1", "1.447e+05", "3e-272", "45"),
        ("2", "434.9", "0.176", "1.59e+04"),
        ("3", "76.47", "0.736", "9.03e+04"),
        ("4", "2.457", "0.99", "2.81e+06"),
        ("5", "1.292", "0.995", "5.35e+06"),
        ("6", "0.1832", "0.999", "3.77e+07"),
        ("7", "0.1024", "1", "6.75e+07"),
    ]
    assert mode_rows(forecast_of(p.Legendre(), p.GradientDescent(1e-6)))[0] == ("0", "2685", "not known", "not known")


def test_the_closing_summary_of_the_default_run_is_short(cli):
    """Apart from the losses and the table of coefficients."""
    ended = cli()
    lines = [line for line in ended.out.splitlines() if not line.startswith("Loss at")]
    assert (ended.code, ended.err) == (0, "")
    assert lines[1] == DEFAULT
    closing = [line for line in lines[2:] if not re.match(r"^\s+(parameter|w\d)\s|^\s*─+\s*$|^ +$", line)]
    text = "\n".join(closing)
    assert len(closing) <= 12
    assert "MAX_STEPS after 4000 steps, loss 10.4495." in text  # what happened
    assert "That is 10.45 above the best possible loss of this model, 2.461e-08." in text  # how far from the best it is
    assert "`model=legendre_series optimizer.learning_rate=auto` would need 79 steps." in text
