"""Reduction: with the reduced samples every polynomial has the loss that it has with all samples, and every fit its path."""

import dataclasses
from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial import chebyshev, legendre
from threadpoolctl import threadpool_limits

import polyexp as p
from polyexp import problem, reduction
from polyexp.models import degree_in_x
from polyexp.quadratic import hessian_eigenvalues
from polyexp.reduction import samples_for
from tests.helpers.cases import LINEAR, OPTIMIZERS, PATHS, NoPolynomial, assert_close, named, normal

pytestmark = pytest.mark.numeric

UNIT = np.finfo(float).eps / 2  # of rounding
ORTHOGONAL = [p.LegendreSeries, p.ChebyshevSeries]  # accurate at any degree; powers and Hermite's polynomials grow
FINE, MEDIUM, LOW = (0, 3, 30, 60), (0, 1, 3, 7, 12, 30), (0, 1, 3, 7, 12)


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    with threadpool_limits(1, user_api="blas"):
        yield


# Samples


def clusters(rng, n):
    """Around four points, at scales from 1e-6 to 0.1."""
    centres, widths = rng.uniform(-1, 1, 4), 10 ** rng.uniform(-6, -1, 4)
    which = rng.integers(0, 4, n)
    return centres[which] + widths[which] * rng.standard_normal(n)


PLACES = {
    "uniform": lambda rng, n: rng.uniform(-1, 1, n),
    "clusters": clusters,
    "cluster_and_outlier": lambda rng, n: np.append(1, 1e-4 * rng.standard_normal(n - 1)),
    "duplicates": lambda rng, n: rng.choice(rng.uniform(-1, 1, n // 10 + 1), n),
    "three_points": lambda rng, n: rng.choice(rng.uniform(-1, 1, 3), n),
    "heavy_tail": lambda rng, n: rng.exponential(1, n),
}
WEIGHTS = {
    "equal": lambda rng, n: np.ones(n),
    "exponential": lambda rng, n: rng.exponential(1, n) + 1e-3,
    "some_zero": lambda rng, n: np.append(1.0, rng.integers(0, 2, n - 1)),
    "sixteen_decades": lambda rng, n: 10 ** rng.uniform(-8, 8, n),
}


def drawn(n, place="uniform", weights="equal", seed=0, loss="mean", interval=(-1.0, 1.0)):
    """Samples that span the interval, if they are at least two points."""
    rng = np.random.default_rng(seed)
    x = PLACES[place](rng, n)
    if np.ptp(x):
        x = np.interp(x, [x.min(), x.max()], interval)
    y = np.sin(3 * x) + rng.normal(0, 0.3, n)
    return p.Samples.of(x, y, WEIGHTS[weights](rng, n), loss=loss)


any_samples = st.builds(
    drawn,
    st.one_of(st.integers(1, 30), st.integers(1, 10_000)),
    st.sampled_from(sorted(PLACES)),
    st.sampled_from(sorted(WEIGHTS)),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["mean", "sum"]),
    st.sampled_from([(-1.0, 1.0), (-2.0, 3.0), (0.0, 1e-3)]),
)


def mean_square(samples):
    """The loss of y = 0: the mean (or the sum) of y squared."""
    return float(samples.loss(np.zeros(samples.size)))


def cut(samples, at):
    """The samples in parts, with their weights unchanged."""
    pieces = [np.split(column, at) for column in (samples.x, samples.y, samples.weights)]
    return [p.Samples(x, y, w, samples.domain) for x, y, w in zip(*pieces, strict=True) if x.size]


# When samples are equivalent


def assert_stands_for(few, many, degree, rtol=1e-12):
    """The same loss for polynomials of the size of y, and the same moments; the nodes may differ."""
    low, high = many.x.min(), many.x.max()
    middle, half = (low + high) / 2, (high - low) / 2 or 1.0
    one, other = (chebyshev.chebvander((samples.x - middle) / half, 2 * degree + 1) for samples in (few, many))
    mass, square = many.weights.sum(), mean_square(many)
    assert_close(few.weights @ one, (many.weights[:, None] * other).sum(0), rtol, scale=mass)
    one, other = one[:, : degree + 1], other[:, : degree + 1]
    assert_close((few.weights * few.y) @ one, (many.weights * many.y) @ other, rtol, scale=(mass * square) ** 0.5)
    coefficients = normal(degree, 20, degree + 1)
    coefficients *= np.sqrt(square / mass / (coefficients**2).sum(-1, keepdims=True))
    assert_close(few.loss(coefficients @ one.T), many.loss(coefficients @ other.T), rtol, scale=square)
    np.testing.assert_allclose(few.weights.sum(), mass, rtol=1e-13)
    assert few.size <= degree + 1
    assert (few.weights > 0).all()
    assert (np.diff(few.x) >= 0).all()
    assert low - 1e-15 * abs(low) <= few.x[0] <= few.x[-1] <= high + 1e-15 * abs(high)
    assert 0 <= few.floor <= square * (1 + 1e-12)
    assert few.total == many.total


def at_the_ends(degree):
    """The tolerance if nearly all weight lies at an end of the interval.

    A node is an eigenvalue of a symmetric matrix of norm 1 and size n = degree + 1: known to sqrt(n) units of rounding (the
    random walk of a backward error of at most n units: Higham and Mary 2019), and to three more after scaling it to x and
    back. T_k, k up to 2 degree + 1, changes by at most k^2 times as much (Markov).
    """
    node = (np.sqrt(degree + 1) + 3) * UNIT
    return 1e-12 + node * (2 * degree + 1) ** 2


def along_the_path(degree, steps=200):
    """The tolerance of the parameters after so many steps at half of the largest stable rate.

    A node is known to two roundings; T_k changes by about k times as much (k^2 only at the ends), and so does the gradient,
    by the same amount at every step. As rate * largest eigenvalue is 1, each step adds this part of the path.
    """
    return max(1e-12, 4 * UNIT * degree * steps)


def start_of(model, samples, seed):
    """Random parameters whose values at all samples are of y's size, in `mean` and `sum` alike."""
    largest = np.abs(model.on(samples.domain).features(samples.x)).max(0)
    size = np.sqrt(mean_square(samples) / samples.weights.sum() / largest.size)
    return size * normal(seed, largest.size) / np.where(largest > 0, largest, 1)


def both_ways(samples, model, rate, steps=200, log_every=20, **options):
    """The fit to all samples, and to the reduced ones."""
    options = {"backend": p.NumPy(), "loop": p.Manual(steps, log_every), "optimizer": p.GradientDescent(rate)} | options
    return p.fit(samples, model, **options), p.fit(p.gauss(samples, model.polynomial_degree), model, **options)


def assert_alike(all_samples, reduced, rtol=1e-12, scale=None):
    """Parameters to rtol of the largest one, or of what moves the model by the size of y; losses to rtol of the mean of
    y squared, and to the rounding of a sum of n squares, sqrt(n) units of it (Higham and Mary 2019); at every snapshot and at
    the end.
    """
    whole, few = all_samples, reduced
    scale = mean_square(whole.samples) if scale is None else scale
    size = np.sqrt(mean_square(whole.samples) / whole.samples.weights.sum())
    path = max(np.abs(whole.history.params).max(), size / np.abs(whole.model.features(whole.samples.x)).max())
    assert_close(few.history.params, whole.history.params, rtol, scale=path)
    assert_close(few.params, whole.params, rtol, scale=path)
    rounding = np.sqrt(whole.samples.size) * UNIT
    assert_close(few.history.loss, whole.history.loss, 1, scale=rtol * scale + rounding * whole.history.loss)
    assert_close(few.loss, whole.loss, 1, scale=rtol * scale + rounding * whole.loss)
    np.testing.assert_array_equal(few.history.step, whole.history.step)
    assert few.outcome is whole.outcome is p.Outcome.MAX_STEPS


def stable_rate(model, samples):
    """Half of the largest stable rate."""
    return 1 / p.Quadratic.of(model.on(samples.domain), samples).largest


# The same path


@pytest.mark.parametrize("cls", LINEAR, ids=named)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_linear_models_take_the_same_path(cls, data):
    degrees = st.integers(0, 60 if cls in ORTHOGONAL else 12)
    model, samples, seed = cls(degree=data.draw(degrees)), data.draw(any_samples), data.draw(st.integers(0, 99))
    params = data.draw(st.sampled_from([np.zeros(model.degree + 1), start_of(model, samples, seed)]))
    both = both_ways(samples, model, stable_rate(model, samples), params=params)
    assert_alike(*both, along_the_path(model.degree))


@settings(max_examples=20, deadline=None)
@given(samples=any_samples, degree=st.integers(0, 12), seed=st.integers(0, 99))
def test_the_legendre_model_takes_the_same_path(samples, degree, seed):
    """From c + d x within [-1, 1], at a rate so small that the path does not multiply rounding."""
    scale = mean_square(samples) ** 0.5 / samples.weights.sum() ** 0.5
    a, b, c = 0.3 * normal(seed, 3).clip(-2, 2)
    params = np.array([scale * a, scale * (b - 1), c, (1 - abs(c)) / np.abs(samples.x).max()])
    model = p.Legendre(degree=degree)
    rate = 0.02 / np.abs(hessian_eigenvalues(model, samples, params)).max()
    assert_alike(*both_ways(samples, model, rate, params=params))


@pytest.mark.parametrize("place", ["uniform", "clusters", "duplicates"])
@pytest.mark.parametrize(("cls", "degree"), [(cls, 60 if cls in ORTHOGONAL else 12) for cls in LINEAR])
def test_the_default_start_takes_the_same_path(cls, degree, place):
    """Uniform on [0, 1), where the first loss is up to 1e9 times the mean of y squared, and rounding grows with it."""
    samples, model = drawn(2000, place, "exponential"), cls(degree=degree)
    first = samples.loss(model.on(samples.domain)(model.initial_params(0), samples.x))
    both = both_ways(samples, model, stable_rate(model, samples))
    assert_alike(*both, along_the_path(degree), scale=max(first, mean_square(samples)))


@pytest.mark.parametrize(
    ("model", "rate"),
    [
        (p.PowerSeries(), 1e-6),
        (p.LegendreSeries(), 0.9),
        (p.ChebyshevSeries(), 0.5),
        (p.HermiteSeries(degree=5), 1e-7),
        (p.Legendre(initial=[0, -1, 0, 0.3]), 1e-2),
    ],
    ids=lambda value: value.name if isinstance(value, p.Model) else "",
)
def test_four_thousand_steps(model, rate):
    """The notebooks' samples and number of steps, from the default start."""
    options = {"backend": p.NumPy(), "optimizer": p.GradientDescent(rate), "loop": p.Manual(4000, 200)}
    whole, few = (p.fit(p.Problem(reduction=how), model, **options) for how in ("none", "auto"))
    assert (whole.samples.size, few.samples.size) == (4000, model.degree + 1)
    assert_alike(whole, few)
    assert few.max_error == pytest.approx(whole.max_error, rel=1e-12)


@pytest.mark.slow
def test_a_million_samples():
    samples = drawn(1_000_000, "uniform", "exponential", interval=(-3, 3))
    for model in (p.LegendreSeries(degree=3), p.PowerSeries(degree=2)):
        params = start_of(model, samples, 1)
        assert_alike(*both_ways(samples, model, stable_rate(model, samples), log_every=100, params=params))


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=named)
@pytest.mark.parametrize(("backend", "device", "loop"), PATHS)
@pytest.mark.parametrize("cls", [p.ChebyshevSeries, p.Legendre], ids=named)
def test_every_loop_backend_and_optimizer_takes_the_same_path(cls, backend, device, loop, optimizer):
    samples = drawn(60, "uniform", "exponential")
    options = {
        "loop": loop(200, 10),
        "backend": backend().on(device),
        "optimizer": optimizer(2e-3),
        "params": [[0.3, -0.8, 0.1, 0.7], [0.5, 0.9, -0.2, 0.6]],
    }
    model = cls(degree=3)
    whole, few = p.fit(samples, model, **options), p.fit(p.gauss(samples, 3), model, **options)
    assert_close(few.history.params, whole.history.params, 1e-11)
    assert_close(few.history.loss, whole.history.loss, 1e-11, scale=mean_square(samples))
    assert np.abs(whole.params - whole.initial).max() > 1e-3


def test_the_direct_loop_takes_the_same_path():
    assert_alike(*both_ways(drawn(500), p.LegendreSeries(degree=9), 0.5, loop=p.ClosedForm(steps=10**6)))


# The same loss


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


# Rules from the literature


@pytest.mark.parametrize("n", [13, 100, 70_000])
@pytest.mark.parametrize("degree", LOW)
def test_chebyshev_points_give_gauss_chebyshev(n, degree):
    """The zeros of T_n, equally weighted, make T_0 ... T_{n-1} orthogonal (Gauss-Chebyshev's rule is exact to 2n - 1)."""
    x = np.cos((2 * np.arange(n) + 1) * np.pi / (2 * n))
    few = p.gauss(p.Samples.of(x, np.exp(x)), degree)
    nodes, _ = chebyshev.chebgauss(degree + 1)
    # As far as the entries of the Jacobi matrix, which are sums of n products: sqrt(n) units (Higham and Mary 2019).
    np.testing.assert_allclose(few.x, nodes[::-1], rtol=0, atol=1e-14 + np.sqrt(n) * UNIT)
    np.testing.assert_allclose(few.weights, 1 / (degree + 1), rtol=1e-12)


def rule(diagonal, beta):
    """Nodes and weights (of mass 1) of the monic recurrence p_{k+1} = (x - a_k) p_k - b_k p_{k-1}: Golub and Welsch."""
    off = np.sqrt(beta)
    nodes, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(off, 1) + np.diag(off, -1))
    return nodes, vectors[0] ** 2


@pytest.mark.parametrize("n", [20, 3000, 200_000])
@pytest.mark.parametrize("degree", LOW)
def test_equidistant_points_give_the_rule_of_grams_polynomials(n, degree):
    """x = 0 ... n - 1: a_k = (n - 1) / 2, b_k = k^2 (n^2 - k^2) / (4 (4 k^2 - 1)) (Szego 1939, 2.8)."""
    k = np.arange(1.0, degree + 1)
    nodes, weights = rule(np.zeros(degree + 1), k**2 * (n**2 - k**2) / (4 * (4 * k**2 - 1)))
    x = np.arange(float(n))
    few = p.gauss(p.Samples.of(x, np.cos(x / n)), degree)
    np.testing.assert_allclose(few.x, nodes + (n - 1) / 2, rtol=0, atol=2e-14 * n)
    np.testing.assert_allclose(few.weights, weights, rtol=1e-12)


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_binomial_weights_give_the_rule_of_krawtchouks_polynomials(share):
    """a_k = q (n - k) + k (1 - q), b_k = k (n - k + 1) q (1 - q), weights C(n, x) q^x (1 - q)^(n - x)."""
    n, degree = 30, 6
    x = np.arange(n + 1.0)
    logarithm = np.cumsum(np.append(0, np.log((n - x[:-1]) / (x[:-1] + 1))))
    weights = np.exp(logarithm + x * np.log(share) + (n - x) * np.log(1 - share))
    k = np.arange(degree + 1.0)
    nodes, expected = rule(share * (n - k) + k * (1 - share), (k * (n - k + 1) * share * (1 - share))[1:])
    few = p.gauss(p.Samples.of(x, np.sqrt(x), weights), degree)
    np.testing.assert_allclose(few.x, nodes, rtol=0, atol=1e-12)
    np.testing.assert_allclose(few.weights, expected, rtol=1e-10)


def test_many_equidistant_points_come_near_gauss_legendre():
    """The midpoint rule's error: (d^2 / n)^2 or so."""
    nodes, weights = legendre.leggauss(8)
    for n, atol in ((2000, 1e-5), (200_000, 1e-9)):
        x = (2 * np.arange(n) + 1) / n - 1
        few = p.gauss(p.Samples.of(x, x), 7)
        np.testing.assert_allclose(few.x, nodes, rtol=0, atol=atol)
        np.testing.assert_allclose(few.weights, weights / 2, rtol=0, atol=atol)


# Two ways to the rule


def blocks(samples, degree):
    middle, half = (samples.x.min() + samples.x.max()) / 2, np.ptp(samples.x) / 2 or 1.0
    return reduction._by_blocks(samples, (middle, half), degree)


@pytest.mark.parametrize("degree", MEDIUM)
@pytest.mark.parametrize("place", ["uniform", "heavy_tail"])
@pytest.mark.parametrize("weights", ["equal", "exponential"])
def test_both_ways_agree(place, weights, degree, monkeypatch):
    samples = drawn(70_000, place, weights)
    assert place == "heavy_tail" or blocks(samples, degree)
    by_blocks = p.gauss(samples, degree)
    monkeypatch.setattr(reduction, "MANY", np.inf)
    by_lanczos = p.gauss(samples, degree)
    assert_stands_for(by_blocks, samples, degree)
    assert_stands_for(by_lanczos, samples, degree)
    assert_close(by_blocks.x, by_lanczos.x, 1e-11)
    assert by_blocks.floor == pytest.approx(by_lanczos.floor, rel=1e-11)


def test_blocks_and_lanczos_find_the_same_recurrence():
    samples = drawn(70_000, weights="exponential")
    half = np.abs(samples.x).max()
    ours = [
        reduction._by_blocks(samples, (0.0, half), 12),
        reduction._by_lanczos(samples.x / half, samples.y, samples.weights, 12),
    ]
    one, other = (np.abs(way.jacobi) * np.where(np.eye(13), np.sign(way.jacobi), 1) for way in ours)
    assert_close(one, other, 1e-13)
    one, other = (np.abs(way.coefficients) for way in ours)
    assert_close(one, other, 1e-12)
    assert abs(ours[0].pi0) == pytest.approx(abs(ours[1].pi0), rel=1e-13)


@pytest.mark.parametrize("width", [1e-4, 1e-6, 1e-9, 0])
@pytest.mark.parametrize("degree", [7, 12, 30, 60])
def test_blocks_decline_what_is_badly_conditioned(degree, width):
    """Five narrow clusters, or five points: there the Chebyshev basis is ill-conditioned."""
    rng = np.random.default_rng(0)
    x = np.array([-1, -0.3, 0.2, 0.7, 1])[rng.integers(0, 5, 70_000)] + width * rng.standard_normal(70_000)
    samples = p.Samples.of(x, np.sin(3 * x) + rng.normal(0, 0.1, x.size))
    assert blocks(samples, degree) is None
    assert_stands_for(p.gauss(samples, degree), samples, degree, at_the_ends(degree))


def test_blocks_notice_what_the_first_guess_does_not_see():
    """Every ninth sample is spread out, and the first guess takes only these; all the others lie in one place."""
    n = 9 * reduction.BLOCK
    x = np.where(np.arange(n) % 9 == 0, np.linspace(-1, 1, n), 1e-7 * np.linspace(-1, 1, n))
    weights = np.where(np.arange(n) % 9 == 0, 1e-9, 1.0)
    samples = p.Samples.of(x, np.cos(x), weights)
    assert_stands_for(p.gauss(samples, 12), samples, 12)


@pytest.mark.parametrize("weights", sorted(WEIGHTS))
@pytest.mark.parametrize("place", sorted(PLACES))
def test_many_samples_of_every_kind(place, weights):
    samples = drawn(70_000, place, weights)
    for degree in LOW:
        assert_stands_for(p.gauss(samples, degree), samples, degree)


SMOOTH = {
    "sin": np.sin,
    "cube": lambda x: x**3,
    "one": np.ones_like,
    "zero": np.zeros_like,
    "nearly_sin": lambda x: np.sin(x) + 1e-10 * np.cos(1e4 * x),
}


@pytest.mark.parametrize("degree", [*MEDIUM, 60])
@pytest.mark.parametrize("target", sorted(SMOOTH))
def test_the_rule_does_not_depend_on_y(target, degree):
    """If y is a polynomial up to rounding, its remainder is noise, which must not affect the nodes."""
    x = np.linspace(-3, 3, 70_000)
    samples = p.Samples.of(x, SMOOTH[target](x))
    few, rough = p.gauss(samples, degree), p.gauss(p.Samples.of(x, np.abs(x)), degree)
    assert_stands_for(few, samples, degree)
    assert_close(few.x, rough.x, 1e-13, scale=1)


@pytest.mark.parametrize("points", [8, 9, 10])
def test_many_samples_of_few_points(points):
    """As many points as nodes, and one or two more."""
    rng = np.random.default_rng(0)
    x = rng.choice(np.cos(np.arange(points)), 70_000)
    samples = p.Samples.of(x, np.sin(3 * x) + rng.normal(0, 0.3, x.size))
    assert (blocks(samples, 7) is None) == (points == 8)
    assert_stands_for(p.gauss(samples, 7), samples, 7)


# Parts


@settings(max_examples=60, deadline=None)
@given(samples=any_samples, degree=st.sampled_from(LOW), data=st.data())
def test_merging_is_associative_and_free_of_order(samples, degree, data):
    places = st.lists(st.integers(0, samples.size), max_size=6).map(sorted)
    parts = [p.gauss(part, degree) for part in cut(samples, data.draw(places)) if part.weights.any()]

    def merged(parts):
        return reduce(lambda one, other: p.merge(one, other, degree), parts)

    def halved(parts):
        half = len(parts) // 2
        return p.merge(halved(parts[:half]), halved(parts[half:]), degree) if half else parts[0]

    whole = dataclasses.replace(samples, total=sum(part.total for part in parts))
    ways = [parts, parts[::-1], data.draw(st.permutations(parts))]
    for one in [*(merged(way) for way in ways), halved(parts)]:
        assert_stands_for(p.gauss(one, degree), whole, degree)


def test_samples_can_be_merged_unreduced():
    one, other = cut(drawn(100, loss="sum"), [37])
    assert_stands_for(p.merge(one, p.gauss(other, 5), 5), drawn(100, loss="sum"), 5)
    assert_stands_for(p.merge(one, other, 5), drawn(100, loss="sum"), 5)


def test_merging_spans_both_domains():
    one, other = p.Samples.of([0, 1], [1, 2]), p.Samples.of([5, 6], [1, 2])
    assert p.merge(one, other, 1).domain == (0, 6)


@pytest.mark.parametrize("loss", ["mean", "sum"])
@pytest.mark.parametrize("size", [1, 7, 1000, 20_000])
def test_chunked_equals_whole(size, loss):
    """Also where a whole chunk has no weight."""
    samples = drawn(5000 if size > 1 else 200, "clusters", "exponential", loss="sum")
    weights = np.where(np.arange(samples.size) // size == 1, 0, samples.weights) if size < 20_000 else samples.weights
    chunks = [
        p.Chunk(*(column[k : k + size] for column in (samples.x, samples.y, weights)))
        for k in range(0, samples.size, size)
    ]
    whole = p.Samples.of(samples.x, samples.y, weights, loss=loss)
    few = p.reduce_chunks(iter(chunks), 7, loss=loss, name="parts")
    assert_stands_for(few, whole, 7)
    assert (few.name, few.total, few.domain) == ("parts", whole.total, whole.domain)


@pytest.mark.parametrize("positive", [slice(None, 10_000), slice(5000), slice(-1, None), slice(9_000, 9_100)], ids=str)
@pytest.mark.parametrize("n", [20_000, 100_000])
def test_long_stretches_without_weight(n, positive):
    x = np.linspace(-1, 1, n)
    weights = np.zeros(n)
    weights[positive] = 1
    samples = p.Samples.of(x, np.sin(x), weights)
    few = p.gauss(samples, 3)
    assert_stands_for(few, samples, 3)
    assert (few.total, few.domain) == (n, (-1, 1))


@pytest.mark.parametrize("chunks", [[], [p.Chunk(np.ones(3), np.ones(3), np.zeros(3))]], ids=["none", "no_weight"])
def test_nothing_to_reduce(chunks):
    with pytest.raises(p.InputError, match=r"^data.csv must have at least one sample of positive weight\.$"):
        p.reduce_chunks(chunks, 3, name="data.csv")


@pytest.mark.parametrize("sampling", ["linspace", "uniform", "chebyshev"])
def test_a_problem_is_the_same_in_chunks_of_any_size(sampling, monkeypatch):
    one = p.Problem(sampling=sampling, noise=0.1, num_samples=5000)
    whole, few = one.samples(3), samples_for(one, 7, 3)
    assert_stands_for(few, whole, 7)
    monkeypatch.setattr(problem, "CHUNK", 999)
    assert len(list(one.chunks(3))) == 6
    np.testing.assert_array_equal(one.samples(3).x, whole.x)
    np.testing.assert_array_equal(one.samples(3).y, whole.y)
    assert_stands_for(samples_for(one, 7, 3), whole, 7)


# problem.reduction


@pytest.mark.parametrize(
    ("how", "num_samples", "model", "used"),
    [
        ("auto", 4000, p.PowerSeries(degree=7), 8),
        ("auto", 4000, p.Legendre(degree=5), 6),
        ("auto", 4000, NoPolynomial(), 4000),
        ("auto", 9, p.PowerSeries(degree=7), 8),
        ("auto", 8, p.PowerSeries(degree=7), 8),
        ("auto", 3, p.PowerSeries(degree=7), 3),
        ("auto", 1, p.PowerSeries(degree=0), 1),
        ("gauss", 4000, p.PowerSeries(degree=7), 8),
        ("gauss", 3, p.PowerSeries(degree=7), 3),
        ("none", 4000, p.PowerSeries(degree=7), 4000),
        ("none", 4000, NoPolynomial(), 4000),
    ],
)
def test_how_many_samples_are_used(how, num_samples, model, used):
    one = p.Problem(reduction=how, num_samples=num_samples)
    result = p.fit(one, model, backend=p.NumPy(), loop=p.Manual(3))
    assert (result.samples.size, result.samples.total) == (used, num_samples)
    assert result.samples.domain == one.interval
    assert result.samples.name == "sin"


@pytest.mark.parametrize("how", ["auto", "none"])
def test_few_samples_are_kept_as_they_are(how):
    one = p.Problem(reduction=how, num_samples=8, sampling="uniform")
    result = p.fit(one, p.PowerSeries(degree=7), backend=p.NumPy(), loop=p.Manual(1), seed=5)
    np.testing.assert_array_equal(result.samples.x, one.samples(5).x)


class Even(p.PowerSeries):
    """A model of twice the degree that its class states."""

    def features(self, x):
        return super().features(x * x)


@pytest.mark.parametrize("degree", [1, 2, 7, 40])
def test_a_model_of_a_larger_degree_than_it_says_is_refused(degree):
    message = f"not the polynomial of degree {degree} in x that its class says: give the class a `power_series`"
    with pytest.raises(p.InputError, match=message):
        p.fit(p.Problem(), Even(degree=degree), backend=p.NumPy())


@pytest.mark.parametrize("cls", [p.PowerSeries, p.Legendre, p.LegendreSeries, p.ChebyshevSeries, p.HermiteSeries])
@pytest.mark.parametrize("degree", [0, 1, 2, 3, 8, 20, 60, 200, 1000])
def test_models_are_the_polynomials_that_they_say(cls, degree):
    assert degree_in_x(cls(degree=degree)) == degree


def test_what_is_no_polynomial_cannot_be_reduced():
    message = r"^`problem\.reduction=gauss` needs a model that is a polynomial in x: type `problem\.reduction=auto`\.$"
    with pytest.raises(p.InputError, match=message):
        p.fit(p.Problem(reduction="gauss"), NoPolynomial(), backend=p.NumPy())


def test_an_unknown_reduction():
    with pytest.raises(p.InputError, match=r"^`problem\.reduction` must be one of auto, none, gauss, got 'Gauss'\."):
        p.Problem(reduction="Gauss")


def test_the_largest_error_is_over_all_samples():
    """The nodes do not include the ends, where the error is largest."""
    one = p.Problem("exp", domain=[0, 5], num_samples=1000)
    result = p.fit(
        one, p.LegendreSeries(degree=2), backend=p.NumPy(), loop=p.Manual(50), optimizer=p.GradientDescent(0.5)
    )
    x = np.linspace(0, 5, 1000)
    assert result.max_error == pytest.approx(np.abs(result(x) - np.exp(x)).max(), rel=1e-14)
    assert result.max_error > 2 * np.abs(result(result.samples.x) - np.exp(result.samples.x)).max()


@pytest.mark.parametrize("how", ["auto", "none"])
def test_random_samples_follow_the_first_seed(how):
    one = p.Problem(sampling="uniform", noise=0.2, num_samples=500, reduction=how)
    options = {"backend": p.NumPy(), "loop": p.Manual(5), "optimizer": p.GradientDescent(0.1)}
    several = p.fit(one, p.LegendreSeries(degree=3), seed=[3, 4], **options)
    alone = p.fit(one, p.LegendreSeries(degree=3), seed=3, **options)
    np.testing.assert_array_equal(several.samples.x, alone.samples.x)
    assert_close(several.params[0], alone.params, 1e-13)
