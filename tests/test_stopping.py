"""When a run ends: tolerance, patience, all steps taken, divergence; each run of a batch by itself."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import polyexp as p
from polyexp.exact import forecast
from tests.helpers.cases import PATHS, assert_close, named

pytestmark = pytest.mark.numeric

SIN = p.gauss(p.Problem().samples(), 7)
NUMPY = p.NumPy()
CONVERGED, STALLED, MAX_STEPS, DIVERGED = (
    p.Outcome.CONVERGED,
    p.Outcome.STALLED,
    p.Outcome.MAX_STEPS,
    p.Outcome.DIVERGED,
)
NEVER_FALLS, SLOW, BEST, TOO_LARGE = 1e-30, 0.01, 0.9372969440275077, 1.5  # rates on the Legendre series of degree 7


def fitted(loop, optimizer, model=None, **options):
    return p.fit(SIN, model or p.LegendreSeries(), loop=loop, optimizer=optimizer, **{"backend": NUMPY} | options)


# The tolerance


@pytest.mark.parametrize("tolerance", [1e-2, 1e-8, 1e-20])
def test_the_excess_decides_where_it_is_known(tolerance):
    """The run stops at the first snapshot whose parameters are within the tolerance."""
    optimizer = p.GradientDescent("asymptotic")
    every = fitted(p.Manual(300, 1), optimizer)
    excess = np.append(every.history.excess[1:], every.excess)  # after 1 ... 300 updates
    first = 1 + int(np.argmax(excess <= tolerance))
    model = p.LegendreSeries().on_domain(SIN.domain)
    assert first == forecast(model, p.Manual(), optimizer, SIN, model.initial_params(0)).steps_to(tolerance)
    for log_every in (1, 7, 50):
        loop = p.Manual(1000, log_every, tolerance=tolerance)
        result = fitted(loop, optimizer)
        assert result.outcome is CONVERGED
        assert result.steps == result.history.step[-1] == next(at for at in loop.snapshot_steps() if at >= first)
        assert result.excess <= tolerance
        np.testing.assert_array_equal(result.params, every.history.params[result.steps - 1])


def test_the_excess_decides_far_below_the_loss():
    """A difference of losses would hide an excess of 1e-20 beside an L* of 2.5e-8."""
    result = fitted(p.Manual(1000, 10, tolerance=1e-20), p.GradientDescent("auto"))
    assert result.outcome is CONVERGED
    assert result.loss > 2e-8
    assert result.excess < 1e-20


@pytest.mark.parametrize("tolerance", [1.0, 1e-2])
@pytest.mark.parametrize("log_every", [1, 7])
def test_the_gradient_decides_where_the_excess_is_not_known(tolerance, log_every):
    model, optimizer = p.Legendre(initial=[0, -1, 0, 0.3]), p.GradientDescent(1e-2)
    every = fitted(p.Manual(3000, 1), optimizer, model)
    first = 1 + int(np.argmax(every.history.grad_norm <= tolerance))  # of the parameters before the update
    result = fitted(p.Manual(3000, log_every, tolerance=tolerance), optimizer, model)
    assert result.outcome is CONVERGED
    assert result.excess is None
    assert np.isnan(result.history.excess).all()
    assert result.history.grad_norm[-1] <= tolerance
    assert (result.history.grad_norm[:-1] > tolerance).all()
    assert first <= result.steps < first + 30 * log_every
    assert log_every > 1 or result.steps == first


@pytest.mark.parametrize(("backend", "device", "loop"), PATHS)
@pytest.mark.parametrize("model", [p.LegendreSeries(), p.Legendre(initial=[0, -1, 0, 0.3])], ids=named)
def test_every_formulation_stops_at_the_same_step(model, backend, device, loop):
    options = {"optimizer": p.GradientDescent(0.01), "model": model}
    result = fitted(loop(2000, 20, tolerance=3e-2), **options, backend=backend(), device=device)
    expected = fitted(p.Manual(2000, 20, tolerance=3e-2), **options)
    assert result.outcome is expected.outcome is CONVERGED
    assert 20 < result.steps == expected.steps < 2000
    assert_close(result.params, expected.params, 1e-12)


@pytest.mark.parametrize("optimizer", [p.Nesterov(0.1), p.RMSprop(1e-3), p.Adam(1e-2)], ids=named)
def test_every_optimizer_can_converge(optimizer):
    result = fitted(p.Manual(20_000, 10, tolerance=1e-3), optimizer)
    assert result.outcome is CONVERGED
    assert result.steps < 20_000
    assert result.excess <= 1e-3 < result.history.excess[-3]


def test_a_perfect_start_has_converged_at_the_first_look():
    best = fitted(p.ClosedForm(10**9), p.GradientDescent("auto")).params
    result = fitted(p.Manual(1000, 13, tolerance=1e-20), p.GradientDescent(0.1), params=best)
    assert (result.outcome, result.steps) == (CONVERGED, 1)


# Patience


@pytest.mark.parametrize("loop", [p.Manual, p.Autograd, p.CustomFunction], ids=named)
@pytest.mark.parametrize("patience", [1, 4])
def test_a_loss_that_does_not_fall_stalls(loop, patience):
    """Patience counts from the first snapshot."""
    result = fitted(loop(1000, 10, patience=patience), p.GradientDescent(NEVER_FALLS), backend=p.Torch())
    assert result.outcome is STALLED
    assert result.steps == 10 * (patience + 1)
    np.testing.assert_array_equal(result.params, result.initial)


def test_a_model_that_is_not_linear_stalls():
    model = p.Legendre(initial=[0, -1, 0, 0.3])
    result = fitted(p.Manual(10**6, 100, patience=3), p.GradientDescent(1e-2), model)
    assert result.outcome is STALLED
    assert result.steps < 10**5
    falls = result.history.loss[1:] < np.minimum.accumulate(result.history.loss)[:-1] * (1 - 1e-9)
    assert falls[-4:].tolist() == [True, False, False, False]


def test_it_is_patient_while_the_loss_falls():
    result = fitted(p.Manual(2000, 1, patience=1), p.GradientDescent(SLOW))
    assert (result.outcome, result.steps) == (MAX_STEPS, 2000)
    assert (np.diff(result.history.loss) < 0).all()


def test_the_rounding_of_the_loss_is_not_progress():
    """It stalls at the optimum; the excess can still fall where the loss does not."""
    result = fitted(p.Manual(10**5, 10, patience=5), p.GradientDescent("auto"))
    assert result.outcome is STALLED
    assert result.steps < 1000
    assert result.excess < 1e-28


def test_momentum_that_swings_is_given_time():
    """The loss oscillates; with patience for half a period the run reaches the optimum."""
    optimizer = p.Momentum(0.1, 0.99)
    hasty = fitted(p.Manual(10**4, 1, patience=2, tolerance=1e-10), optimizer)
    patient = fitted(p.Manual(10**4, 1, patience=200, tolerance=1e-10), optimizer)
    assert hasty.outcome is STALLED
    assert patient.outcome is CONVERGED
    assert hasty.steps < 100 < patient.steps


# Different outcomes in one batch

RATES = np.array([NEVER_FALLS, SLOW, BEST, TOO_LARGE])


@pytest.mark.parametrize(
    ("loop", "backend"),
    [
        (p.Manual, p.NumPy),
        *((loop, cls) for cls in (p.Torch, p.JAX) for loop in (p.Manual, p.Autograd, p.CustomFunction)),
    ],
    ids=named,
)
def test_four_outcomes_in_one_batch(loop, backend):
    loop = loop(400, 20, tolerance=1e-10, patience=4)
    result = fitted(loop, p.GradientDescent(RATES), backend=backend())
    assert list(result.outcome) == [STALLED, MAX_STEPS, CONVERGED, DIVERGED]
    assert result.steps[0] == 100
    assert result.steps[1] == 400
    assert result.steps[2] == 100
    assert result.steps[3] < 400
    assert np.isfinite(result.params).all()
    assert result.history.step[-1] == 400
    for run, rate in enumerate(RATES):
        alone = fitted(loop, p.GradientDescent(rate), backend=backend())
        count = alone.history.step.size
        assert (result.outcome[run], result.steps[run]) == (alone.outcome, alone.steps)
        assert_close(result.params[run], alone.params, 1e-12)
        assert result.loss[run] == pytest.approx(alone.loss, rel=1e-11)
        assert_close(result.history.params[:count, run], alone.history.params, 1e-12)
        assert_close(result.history.loss[:count, run], alone.history.loss, 1e-12)
        history = result.history  # the parameters stay those of its end
        later = history.step.size - count
        np.testing.assert_array_equal(history.params[count:, run], np.tile(result.params[run], (later, 1)))
        for series in (history.loss, history.excess, history.grad_norm):
            np.testing.assert_array_equal(series[count:, run], np.full(later, series[count - 1, run]))


def test_a_batch_ends_with_its_last_run():
    loop = p.Manual(10**6, 20, tolerance=1e-10)
    seen = []
    result = fitted(loop, p.GradientDescent([0.1, BEST]), observe=seen.append)
    assert list(result.outcome) == [CONVERGED, CONVERGED]
    assert result.steps[1] < result.steps[0] == result.history.step[-1] == seen[-1].step < 2000
    assert len(seen) == result.history.step.size


@settings(max_examples=40, deadline=None)
@given(
    rates=st.lists(st.sampled_from([*RATES, 0.3, 0.99, 1.02, 1e4]), min_size=1, max_size=5),
    loop=st.builds(
        p.Manual,
        st.integers(1, 300),
        st.integers(1, 60),
        tolerance=st.sampled_from([None, 1e-2, 1e-6]),
        patience=st.sampled_from([None, 1, 3]),
    ),
    linear=st.booleans(),
    seed=st.integers(0, 5),
)
def test_each_run_of_a_batch_ends_as_it_would_alone(rates, loop, linear, seed):
    """With rates at which no run comes to the optimum, where the excess would be rounding alone."""
    model = p.LegendreSeries() if linear else p.Legendre(initial=[0, -1, 0, 0.3])
    scale = 1 if linear else 0.02
    if linear and loop.patience and not loop.tolerance:
        loop = p.Manual(min(loop.steps, 40), loop.log_every, patience=loop.patience)
    seeds = [seed, *range(10, 9 + len(rates))]
    together = fitted(loop, p.GradientDescent(scale * np.array(rates)), model, seed=seeds)
    for run, rate in enumerate(rates):
        alone = fitted(loop, p.GradientDescent(scale * rate), model, seed=seeds[run])
        assert (together.outcome[run], together.steps[run]) == (alone.outcome, alone.steps)
        assert_close(together.params[run], alone.params, 1e-9)


# Divergence, and what resembles it


@pytest.mark.parametrize("loop", [p.Manual(4000), p.ClosedForm(4000)], ids=named)
def test_a_transient_is_no_divergence(loop):
    """Polyak's parameters with the power series: the loss grows to a million times the first one before it falls."""
    result = fitted(loop, p.Momentum("asymptotic"), p.PowerSeries())
    assert result.outcome is MAX_STEPS
    assert result.steps == 4000
    first = SIN.loss(p.PowerSeries()(result.initial, SIN.x))
    assert result.history.loss.max() > 1e6 * first
    assert result.loss > 1e4 * first


def test_the_transient_ends_at_the_optimum():
    result = fitted(p.Manual(60_000, 1000, tolerance=1e-10), p.Momentum("asymptotic"), p.PowerSeries())
    assert result.outcome is CONVERGED
    assert result.steps < 60_000


def test_divergence_counts_more_than_any_tolerance():
    result = fitted(p.Manual(4000, 100, tolerance=1e300, patience=1), p.GradientDescent(1e250))
    assert result.outcome is DIVERGED


@pytest.mark.parametrize("log_every", [1, 1000])
def test_a_diverged_run_keeps_finite_parameters_and_its_step(log_every):
    result = fitted(p.Manual(4000, log_every), p.GradientDescent(TOO_LARGE))
    assert result.outcome is DIVERGED
    assert np.isfinite(result.params).all()
    assert 0 < result.steps <= result.history.step[-1] <= 1000
    np.testing.assert_array_equal(result.history.params[-1], result.params)


# Sentences and errors


def test_every_outcome_is_a_sentence_of_advice():
    for outcome in p.Outcome:
        assert re.fullmatch(r"[A-Z][^.]+( |\.)(.+\.)?", outcome.value)
        assert re.search(r"loop\.(tolerance|steps)|optimizer|checkpoint", outcome.value)


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("tolerance", 0, "a finite number above 0"),
        ("tolerance", -1e-9, "a finite number above 0"),
        ("tolerance", float("nan"), "a finite number above 0"),
        ("patience", 0, "a whole number of at least 1"),
        ("patience", 1.5, "a whole number of at least 1"),
    ],
)
def test_what_cannot_be_waited_for(field, value, wanted):
    with pytest.raises(p.InputError, match=f"^`loop.{field}` must be {wanted}, got {re.escape(repr(value))}"):
        p.Manual(**{field: value})
