"""The closed forms of momentum and gradient descent for any number of steps, against mpmath."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import polyexp as p

pytestmark = pytest.mark.numeric

ULP = 2.0**-52
UNITS = 4  # by how many units in the last place an argument and the result may be wrong
WELL_POSED = 0.01  # of steps * ULP, for roots whose modulus is 1 up to rounding
SMALLEST = 5e-324


def exact(c, beta, steps):
    """The solution of the recurrence from its roots."""
    if steps == 0:
        return mpmath.mpf(1)
    root = mpmath.sqrt((1 + beta - c) ** 2 - 4 * beta)
    z1, z2 = (1 + beta - c + root) / 2, (1 + beta - c - root) / 2
    if root == 0:
        return mpmath.re(z1**steps + (1 - c - z1) * steps * z1 ** (steps - 1))
    return mpmath.re((z1**steps + z2**steps) / 2 + (1 - beta - c) / 2 * (z1**steps - z2**steps) / root)


def error_and_bound(found, rate, eigenvalue, beta, steps):
    """The error, and what a change of each argument by some units makes, to first order or for its largest change."""
    with mpmath.workdps(150):
        c, beta = mpmath.mpf(rate) * mpmath.mpf(eigenvalue), mpmath.mpf(beta)
        right, change, little = exact(c, beta, steps), UNITS * mpmath.mpf(ULP), mpmath.mpf(10) ** -40
        first_order = 2 * change * abs(exact(c * (1 + little), beta, steps) - right) / little
        first_order += change * abs(exact(c, beta * (1 + little), steps) - right) / little
        corners = [
            abs(exact(c * (1 + x * change) ** 2, beta * (1 + y * change), steps) - right)
            for x in (-1, 0, 1)
            for y in (-1, 0, 1)
        ]
        bound = max(first_order, *corners) + change * abs(right) + UNITS * SMALLEST
        return (abs(mpmath.mpf(float(found)) - right) if np.isfinite(found) else mpmath.inf), bound, right


def tens(low, high):
    return st.floats(low, high).map(lambda power: 10.0**power)


steps = st.one_of(st.integers(0, 30), tens(0, 18).map(int))
momenta = st.one_of(
    st.just(0.0), st.floats(0, 0.999), tens(-18, 0).map(lambda x: min(x, 0.5)), tens(-15.5, 0).map(lambda x: 1 - x)
)
PLACES = ["tiny", "equal positive", "equal negative", "complex", "positive", "negative", "limit"]


def product_at(place, beta, share):
    """The c = eta lambda of a place, with a share from 0 to 1 that says where in it."""
    low, high, limit = ((1 - beta) / (1 + beta**0.5)) ** 2, (1 + beta**0.5) ** 2, 2 * (1 + beta)
    return {
        "tiny": 10 ** (-25 + 22 * share),
        "equal positive": low * (1 - 10 ** (-17 + 16 * share)),
        "equal negative": high * (1 - 10 ** (-17 + 16 * share)),
        "complex": np.exp(np.log(low) + share * (np.log(high) - np.log(low))),
        "positive": low * share,
        "negative": high + (limit - high) * share,
        "limit": limit * (1 - 10 ** (-16 + 15 * share)),
    }[place]


@settings(max_examples=600, deadline=None)
@given(place=st.sampled_from(PLACES), beta=momenta, share=st.floats(0.001, 1), eigenvalue=tens(-8, 8), steps=steps)
def test_momentum_at_any_step(place, beta, share, eigenvalue, steps):
    rate = product_at(place, beta, share) / eigenvalue
    if place in ("limit", "negative", "equal negative") and steps * ULP > WELL_POSED:
        return
    found = p.Momentum(float(rate), float(beta)).damping(np.array([eigenvalue]), steps)[0]
    error, bound, right = error_and_bound(found, rate, eigenvalue, beta, steps)
    assert error <= bound or abs(right) > 1e300


@settings(max_examples=300, deadline=None)
@given(
    c=st.one_of(tens(-25, 0), st.floats(0.001, 2), st.just(1.0), tens(-16, -1).map(lambda x: 2 - x)),
    eigenvalue=tens(-8, 8),
    steps=steps,
)
def test_gradient_descent_at_any_step(c, eigenvalue, steps):
    if c > 1.9 and steps * ULP > WELL_POSED:
        return
    rate = c / eigenvalue
    found = p.GradientDescent(rate).damping(np.array([eigenvalue]), steps)[0]
    error, bound, right = error_and_bound(found, rate, eigenvalue, 0.0, steps)
    assert error <= bound or abs(right) > 1e300


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("beta", [0.0, 0.25, 0.9, 0.99999])
def test_it_follows_the_recurrence(place, beta):
    """Forty steps of it, whose rounding grows with their number squared."""
    c = np.array([product_at(place, beta, share) for share in (0.1, 0.5, 0.9)])
    rule = p.Momentum(0.5, beta)
    last, factors = np.ones_like(c), 1 - c
    for step in range(1, 41):
        np.testing.assert_allclose(rule.damping(2 * c, step), factors, rtol=1e-11, atol=1e-11)
        last, factors = factors, (1 + beta - c) * factors - beta * last


def test_phases_beyond_float64():
    """At 10^15 steps the phase has 14 digits before the point, and momentum so near 1 that something is left."""
    beta = 1 - 2.0**-50
    found = p.Momentum(1.0, beta).damping(np.array([0.3, 1.1, 2.9]), 10**15)
    for value, eigenvalue in zip(found, (0.3, 1.1, 2.9), strict=True):
        with mpmath.workdps(80):
            right = exact(mpmath.mpf(eigenvalue), mpmath.mpf(beta), 10**15)
        assert abs(right) > 1e-3
        assert value == pytest.approx(float(right), rel=1e-13)


def test_a_run_of_a_million_million_steps_ends_at_the_optimum():
    """It ended far above it: with equal roots the digits of 1 - sqrt(momentum) were lost, and t multiplied what was left."""
    for power in (12, 15, 18):
        loop, optimizer = p.ClosedForm(10**power), p.Momentum("asymptotic")
        result = p.fit(p.Problem(), p.LegendreSeries(), loop=loop, optimizer=optimizer, backend=p.NumPy())
        assert result.excess < 1e-25
        assert result.loss == pytest.approx(result.quadratic.lowest, rel=1e-6)
