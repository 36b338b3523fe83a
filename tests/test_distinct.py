"""What samples determine: the number of distinct x, and the scatter of y among samples of one x."""

import numpy as np
import pytest

import polyexp as p
from polyexp.problem import samples_for

pytestmark = pytest.mark.numeric

PLACES = np.array([0.0, 1.0, 1.0, 3.0])
HEIGHTS = np.array([5.0, 100.0, 102.0, 7.0])


def test_equal_x_count_once():
    samples = p.Samples.of(PLACES, HEIGHTS)
    assert (samples.size, samples.distinct) == (4, 3)
    assert samples.scatter == 0.5  # two residuals of 1, each with weight 1/4
    assert p.Samples.of(PLACES, HEIGHTS, loss="sum").scatter == 2


def test_samples_without_weight_determine_nothing():
    samples = p.Samples.of(PLACES, HEIGHTS, weights=[0, 1, 3, 0])
    assert samples.distinct == 1
    assert samples.scatter == pytest.approx(0.75, rel=1e-15)  # mean 101.5: (1.5^2 + 3 * 0.5^2) / 4


@pytest.mark.parametrize("degree", [0, 1, 2, 7])
def test_reduced_samples_tell_the_same(degree):
    reduced = p.gauss(p.Samples.of(PLACES, HEIGHTS), degree)
    assert reduced.distinct == min(3, degree + 1)
    assert reduced.scatter == pytest.approx(0.5, rel=1e-15)
    assert reduced.scaled(4).scatter == pytest.approx(2, rel=1e-15)


@pytest.mark.parametrize("n", [10, 10_000, 100_000])
@pytest.mark.parametrize("degree", [1, 3, 4, 9])
def test_many_samples_at_five_places(n, degree):
    random = np.random.RandomState(n)
    x, y = random.randint(0, 5, n), random.rand(n)
    means = np.array([y[x == place].mean() if (x == place).any() else 0 for place in range(5)])
    exact = ((y - means[x]) ** 2).mean()
    reduced = p.gauss(p.Samples.of(x, y), degree)
    assert reduced.distinct == min(np.unique(x).size, degree + 1)
    assert reduced.scatter == pytest.approx(exact, rel=n * np.finfo(float).eps)


def test_scatter_of_chunks_is_a_lower_bound():
    n = 1000
    random = np.random.RandomState(1)
    x, y = random.randint(0, 5, n).astype(float), random.rand(n)
    whole = p.gauss(p.Samples.of(x, y), 3).scatter
    chunks = [p.Chunk(x[part], y[part], np.ones(100)) for part in (slice(k, k + 100) for k in range(0, n, 100))]
    reduced = p.reduce_chunks(chunks, 3)
    assert reduced.distinct == 4
    assert 0.9 * whole < reduced.scatter < whole


def test_nodes_of_one_x_are_no_scatter():
    left, right = (p.gauss(p.Samples.of([-1, 0, 1], y, loss="sum"), 0) for y in ([1, 2, 3], [3, 3, 6]))
    assert left.x.tolist() == right.x.tolist() == [0]
    assert p.merge(left, right, 0).scatter == 0


def test_distinct_samples_have_no_scatter():
    assert p.Problem(num_samples=100_000).samples().scatter == 0
    assert samples_for(p.Problem(num_samples=100_000, noise=1.0), 7).scatter == 0
