"""Reduction: rules from the literature, and two ways to compute a rule."""

import numpy as np
import pytest
from numpy.polynomial import chebyshev, legendre

import polyexp as p
from polyexp.problem import projection, reduction
from tests.helpers.cases import assert_close
from tests.helpers.reduction import LOW, MEDIUM, PLACES, UNIT, WEIGHTS, assert_stands_for, at_the_ends, drawn

pytestmark = [pytest.mark.numeric, pytest.mark.usefixtures("one_blas_thread")]


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
    return projection.by_blocks(samples, (middle, half), degree)


@pytest.mark.parametrize("degree", MEDIUM)
@pytest.mark.parametrize("place", ["uniform", "heavy_tail"])
@pytest.mark.parametrize("weights", ["equal", "exponential"])
def test_both_ways_agree(place, weights, degree, monkeypatch):
    samples = drawn(70_000, place, weights)
    assert place == "heavy_tail" or blocks(samples, degree)
    by_blocks = p.gauss(samples, degree)
    monkeypatch.setattr(reduction, "MIN_SAMPLES_FOR_BLOCKS", np.inf)
    by_lanczos = p.gauss(samples, degree)
    assert_stands_for(by_blocks, samples, degree)
    assert_stands_for(by_lanczos, samples, degree)
    assert_close(by_blocks.x, by_lanczos.x, 1e-11)
    assert by_blocks.floor == pytest.approx(by_lanczos.floor, rel=1e-11)


def test_blocks_and_lanczos_find_the_same_recurrence():
    samples = drawn(70_000, weights="exponential")
    half = np.abs(samples.x).max()
    ours = [
        projection.by_blocks(samples, (0.0, half), 12),
        projection.by_lanczos(samples.x / half, samples.y, samples.weights, 12),
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
    n = 9 * projection.SAMPLES_PER_BLOCK
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
