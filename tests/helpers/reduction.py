"""Samples of many kinds, and when two sets of samples are equivalent."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.polynomial import chebyshev

import polyexp as p
from tests.helpers.cases import assert_close, normal

UNIT = np.finfo(float).eps / 2  # of rounding
ORTHOGONAL = [p.LegendreSeries, p.ChebyshevSeries]  # accurate at any degree; powers and Hermite's polynomials grow
FINE, MEDIUM, LOW = (0, 3, 30, 60), (0, 1, 3, 7, 12, 30), (0, 1, 3, 7, 12)


def clusters(rng: np.random.Generator, n: int) -> np.ndarray:
    """Around four points, at scales from 1e-6 to 0.1."""
    centres, widths = rng.uniform(-1, 1, 4), 10 ** rng.uniform(-6, -1, 4)
    which = rng.integers(0, 4, n)
    return centres[which] + widths[which] * rng.standard_normal(n)


Draw = Callable[[np.random.Generator, int], np.ndarray]
PLACES: dict[str, Draw] = {
    "uniform": lambda rng, n: rng.uniform(-1, 1, n),
    "clusters": clusters,
    "cluster_and_outlier": lambda rng, n: np.append(1, 1e-4 * rng.standard_normal(n - 1)),
    "duplicates": lambda rng, n: rng.choice(rng.uniform(-1, 1, n // 10 + 1), n),
    "three_points": lambda rng, n: rng.choice(rng.uniform(-1, 1, 3), n),
    "heavy_tail": lambda rng, n: rng.exponential(1, n),
}
WEIGHTS: dict[str, Draw] = {
    "equal": lambda rng, n: np.ones(n),
    "exponential": lambda rng, n: rng.exponential(1, n) + 1e-3,
    "some_zero": lambda rng, n: np.append(1.0, rng.integers(0, 2, n - 1)),
    "sixteen_decades": lambda rng, n: 10 ** rng.uniform(-8, 8, n),
}


def drawn(
    n: int,
    place: str = "uniform",
    weights: str = "equal",
    seed: int = 0,
    loss: str = "mean",
    interval: tuple[float, float] = (-1.0, 1.0),
) -> p.Samples:
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


def mean_square(samples: p.Samples) -> float:
    """The loss of y = 0: the mean (or the sum) of y squared."""
    return float(samples.loss(np.zeros(samples.size)))


def cut(samples: p.Samples, at: Sequence[int]) -> list[p.Samples]:
    """The samples in parts, with their weights unchanged."""
    pieces = [np.split(column, at) for column in (samples.x, samples.y, samples.weights)]
    return [p.Samples(x, y, w, samples.domain) for x, y, w in zip(*pieces, strict=True) if x.size]


def assert_stands_for(few: p.Samples, many: p.Samples, degree: int, rtol: float = 1e-12) -> None:
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


def at_the_ends(degree: int) -> float:
    """The tolerance if nearly all weight lies at an end of the interval.

    A node is an eigenvalue of a symmetric matrix of norm 1 and size n = degree + 1: known to sqrt(n) units of rounding (the
    random walk of a backward error of at most n units: Higham and Mary 2019), and to three more after scaling it to x and
    back. T_k, k up to 2 degree + 1, changes by at most k^2 times as much (Markov).
    """
    node = (np.sqrt(degree + 1) + 3) * UNIT
    return float(1e-12 + node * (2 * degree + 1) ** 2)


def along_the_path(degree: int, steps: int = 200) -> float:
    """The tolerance of the parameters after so many steps at half of the largest stable rate.

    A node is known to two roundings; T_k changes by about k times as much (k^2 only at the ends), and so does the gradient,
    by the same amount at every step. As rate * largest eigenvalue is 1, each step adds this part of the path.
    """
    return max(1e-12, 4 * UNIT * degree * steps)


def start_of(model: p.Model, samples: p.Samples, seed: int) -> np.ndarray:
    """Random parameters whose values at all samples are of y's size, in `mean` and `sum` alike."""
    largest = np.abs(model.on_domain(samples.domain).features(samples.x)).max(0)
    size = np.sqrt(mean_square(samples) / samples.weights.sum() / largest.size)
    return np.asarray(size * normal(seed, largest.size) / np.where(largest > 0, largest, 1))


def both_ways(
    samples: p.Samples, model: p.Model, rate: float, steps: int = 200, log_every: int = 20, **options: Any
) -> tuple[p.Result, p.Result]:
    """The fit to all samples, and to the reduced ones."""
    options = {"backend": p.NumPy(), "loop": p.Manual(steps, log_every), "optimizer": p.GradientDescent(rate)} | options
    degree = model.polynomial_degree
    assert degree is not None
    return p.fit(samples, model, **options), p.fit(p.gauss(samples, degree), model, **options)


def assert_alike(all_samples: p.Result, reduced: p.Result, rtol: float = 1e-12, scale: float | None = None) -> None:
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


def stable_rate(model: p.Model, samples: p.Samples) -> float:
    """Half of the largest stable rate."""
    return 1 / p.Quadratic.of(model.on_domain(samples.domain), samples).largest
