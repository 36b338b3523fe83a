"""Reduction: every polynomial has the same loss with the reduced samples as with all samples."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import polyexp as p
from tests.helpers.cases import assert_close, normal
from tests.helpers.reduction import (
    FINE,
    LOW,
    MEDIUM,
    PLACES,
    WEIGHTS,
    any_samples,
    assert_stands_for,
    at_the_ends,
    drawn,
)

pytestmark = [pytest.mark.numeric, pytest.mark.usefixtures("one_blas_thread")]


@settings(max_examples=150, deadline=None)
@given(samples=any_samples, degree=st.sampled_from(LOW))
def test_every_polynomial_has_the_same_loss(samples, degree):
    assert_stands_for(p.gauss(samples, degree), samples, degree)


@pytest.mark.parametrize("degree", [30, 60])
@pytest.mark.parametrize("place", sorted(PLACES))
def test_every_polynomial_of_high_degree_has_the_same_loss(place, degree):
    samples = drawn(3000, place, "exponential")
    rtol = 1e-12 if place in ("uniform", "duplicates", "heavy_tail") else at_the_ends(degree)
    assert_stands_for(p.gauss(samples, degree), samples, degree, rtol)


@pytest.mark.parametrize("degree", FINE)
def test_few_samples_stay_exact(degree):
    for n in (1, 2, 3, degree, degree + 1, degree + 2):
        if n:
            samples = drawn(n, seed=n)
            few = p.gauss(samples, degree)
            assert_stands_for(few, samples, degree)
            assert few.size == min(n, degree + 1)


def test_degree_200():
    samples = p.Problem(noise=0.1).samples()
    assert_stands_for(p.gauss(samples, 200), samples, 200)


def test_fewer_samples_than_nodes_are_the_nodes():
    samples = drawn(5)
    few, order = p.gauss(samples, 12), np.argsort(samples.x)
    np.testing.assert_allclose(few.x, samples.x[order], rtol=0, atol=1e-14)
    np.testing.assert_allclose(few.y, samples.y[order], rtol=0, atol=1e-13)
    np.testing.assert_allclose(few.weights, samples.weights[order], rtol=1e-12)
    assert few.floor < 1e-28


def test_duplicates_become_their_mean():
    samples = p.Samples.of([2.0, 1.0, 2.0, 1.0, 2.0], [1.0, 5.0, 2.0, 7.0, 9.0], [1, 1, 1, 3, 2], loss="sum")
    few = p.gauss(samples, 7)
    np.testing.assert_allclose(few.x, [1, 2], rtol=1e-15)
    np.testing.assert_allclose(few.y, [6.5, 21 / 4], rtol=1e-15)
    np.testing.assert_allclose(few.weights, [4, 4], rtol=1e-15)
    floor = (5 - 6.5) ** 2 + 3 * (7 - 6.5) ** 2 + (1 - 5.25) ** 2 + (2 - 5.25) ** 2 + 2 * (9 - 5.25) ** 2
    assert few.floor == pytest.approx(floor, rel=1e-14)
    assert few.total == 5


@pytest.mark.parametrize("n", [1, 1000])
@pytest.mark.parametrize("x", [0.0, 0.3, -1e6, 1e-300, 1e300])
def test_a_single_point(x, n):
    y = np.linspace(1, 2, n)
    few = p.gauss(p.Samples.of(np.full(n, x), y), 7)
    np.testing.assert_array_equal(few.x, [x])
    np.testing.assert_allclose(few.y, [y.mean()], rtol=1e-14)
    np.testing.assert_allclose(few.weights, [1], rtol=1e-14)
    assert few.floor == pytest.approx(y.var(), rel=1e-12, abs=1e-30)


def test_samples_of_no_weight_count_for_nothing():
    weights = np.zeros(50)
    weights[[3, 17, 40]] = 1, 2, 3
    x, y = normal(0, 2, 50)
    few = p.gauss(p.Samples.of(x, y, weights, loss="sum"), 7)
    only = weights > 0
    order = np.argsort(x[only])
    np.testing.assert_allclose(few.x, x[only][order], rtol=0, atol=1e-14)
    np.testing.assert_allclose(few.y, y[only][order], rtol=0, atol=1e-13)
    np.testing.assert_allclose(few.weights, weights[only][order], rtol=1e-13)


@pytest.mark.parametrize("degree", MEDIUM)
@pytest.mark.parametrize(("stretch", "shift"), [(1e-300, 0), (1e-12, 1e-12), (1e12, -1e12), (1e300, 0)])
def test_scales_of_x(stretch, shift, degree):
    """Without squares of x there is no overflow."""
    x, y = drawn(3000).x, normal(0, 3000)
    samples = p.Samples.of(stretch * x + shift, y)
    assert_stands_for(p.gauss(samples, degree), samples, degree)


@pytest.mark.parametrize("size", [1e-140, 1e-20, 0.0, 1e20, 1e140])
def test_scales_of_y(size):
    samples = drawn(3000)
    scaled = dataclasses.replace(samples, y=size * samples.y)
    few, expected = p.gauss(scaled, 7), p.gauss(samples, 7)
    np.testing.assert_array_equal(few.x, expected.x)
    assert_close(few.y, size * expected.y, 1e-13)
    assert few.floor == pytest.approx(size**2 * expected.floor, rel=1e-12)


@pytest.mark.parametrize("size", [1e-200, 1e-12, 1e12, 1e200])
def test_scales_of_the_weights(size):
    samples = drawn(3000, weights="exponential")
    few, expected = p.gauss(samples.scaled(size), 7), p.gauss(samples, 7)
    assert_close(few.x, expected.x, 1e-13)
    assert_close(few.y, expected.y, 1e-12)
    np.testing.assert_allclose(few.weights, size * expected.weights, rtol=1e-12)
    assert few.floor == pytest.approx(size * expected.floor, rel=1e-12)


@pytest.mark.parametrize("degree", LOW)
@pytest.mark.parametrize("offset", [1e3, 1e6, 1e9])
def test_far_from_zero_the_spacing_of_floats_is_the_limit(offset, degree):
    """A node in [1e6, 1e6 + 1] can be written to 1e-10 only: rounding moves it by up to half of the spacing, and T_k, k up
    to 2 degree + 1, changes by at most k^2 times as much (Markov).
    """
    rng = np.random.default_rng(0)
    x = offset + rng.random(3000)
    samples = p.Samples.of(x, np.sin(6 * (x - offset)) + rng.normal(0, 0.1, 3000))
    spacing = np.spacing(offset) / 0.5  # of the numbers near the offset, in units of half the interval
    assert_stands_for(p.gauss(samples, degree), samples, degree, rtol=1e-12 + spacing / 2 * (2 * degree + 1) ** 2)


@pytest.mark.parametrize("degree", LOW)
@pytest.mark.parametrize("weights", sorted(WEIGHTS))
@pytest.mark.parametrize("n", [300, 100_000])
def test_the_floor_is_the_least_squares_residual(n, weights, degree):
    samples = drawn(n, "uniform", weights, interval=(-3, 3))
    weighted = samples.weights > 0
    x, y, w = samples.x[weighted], samples.y[weighted], samples.weights[weighted]
    best = np.polynomial.Chebyshev.fit(x, y, degree, w=np.sqrt(w))
    residual = (w * (best(x) - y) ** 2).sum()
    few = p.gauss(samples, degree)
    assert few.floor == pytest.approx(residual, rel=1e-11)
    assert_close(few.y, best(few.x), 1e-11)


@pytest.mark.parametrize("n", [300, 100_000])
def test_the_floor_of_a_polynomial_is_rounding(n):
    x = drawn(n).x
    few = p.gauss(p.Samples.of(x, 3 - x + 2 * x**3), 3)
    assert few.floor < 1e-28
    np.testing.assert_allclose(few.y, 3 - few.x + 2 * few.x**3, rtol=1e-13)


def test_a_floor_is_kept():
    samples = dataclasses.replace(drawn(100), floor=2.5)
    assert p.gauss(samples, 3).floor == pytest.approx(2.5 + p.gauss(drawn(100), 3).floor, rel=1e-14)
    many = dataclasses.replace(drawn(20_000), floor=2.5)  # in parts
    assert p.gauss(many, 3).floor == pytest.approx(2.5 + p.gauss(drawn(20_000), 3).floor, rel=1e-13)


@pytest.mark.parametrize("degree", LOW)
def test_what_is_reduced_can_be_reduced_again(degree):
    samples = drawn(3000, "clusters", "exponential")
    assert_stands_for(p.gauss(p.gauss(samples, degree), degree), samples, degree)
    assert_stands_for(p.gauss(p.gauss(samples, 30), degree), samples, degree)


def test_the_rest_of_the_samples_is_kept():
    samples = dataclasses.replace(drawn(100), domain=(-7.0, 9.0), name="mine")
    few = p.gauss(samples, 3)
    assert (few.domain, few.name, few.total) == ((-7.0, 9.0), "mine", 100)


def test_mean_and_sum_differ_by_the_weight():
    mean, total = (p.gauss(drawn(500, weights="exponential", loss=loss), 5) for loss in ("mean", "sum"))
    factor = drawn(500, weights="exponential", loss="sum").weights.sum()
    assert_close(mean.x, total.x, 1e-13)
    np.testing.assert_allclose(mean.weights.sum(), 1, rtol=1e-14)
    np.testing.assert_allclose(mean.weights * factor, total.weights, rtol=1e-12)
    assert mean.floor * factor == pytest.approx(total.floor, rel=1e-12)
