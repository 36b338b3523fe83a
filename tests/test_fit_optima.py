"""fit: it reaches the exact optima."""

import numpy as np
import pytest

import polyexp as p
from tests.helpers.cases import every_place
from tests.helpers.fits import X
from tests.helpers.references import OPTIMA

pytestmark = pytest.mark.numeric


@pytest.mark.parametrize(
    ("cls", "oracle", "rate"),
    [
        (p.LegendreSeries, np.polynomial.Legendre, 0.9),
        (p.ChebyshevSeries, np.polynomial.Chebyshev, 0.6),
        (p.PowerSeries, np.polynomial.Polynomial, 0.7),
    ],
    ids=["legendre_series", "chebyshev_series", "power_series"],
)
@every_place
def test_least_squares_is_reached(cls, oracle, rate, backend_class, device):
    samples = p.Problem("sin", domain=[-1, 1] if cls is p.PowerSeries else [-np.pi, np.pi], num_samples=300).samples()
    degree = 2 if cls is p.PowerSeries else 5
    result = p.fit(
        samples,
        cls(degree=degree),
        loop=p.Manual(steps=1000),
        optimizer=p.GradientDescent(rate),
        backend=backend_class(),
        device=device,
    )
    window = samples.domain if cls is not p.PowerSeries else (-1, 1)
    best = oracle.fit(samples.x, samples.y, degree, domain=window)
    np.testing.assert_allclose(result.params, best.coef, rtol=0, atol=1e-13)
    np.testing.assert_allclose(result.loss, ((best(samples.x) - samples.y) ** 2).mean(), rtol=1e-12)


def test_weighted_least_squares_is_reached():
    weights = np.random.RandomState(0).random_sample(40) / 40
    samples = p.Samples(X, np.exp(X), weights, (-1.0, 2.0), floor=0.5)
    result = p.fit(
        samples, p.ChebyshevSeries(degree=3), optimizer=p.GradientDescent(0.9), loop=p.Manual(steps=1000, log_every=500)
    )
    best = np.polynomial.Chebyshev.fit(X, np.exp(X), 3, w=np.sqrt(weights), domain=[-1, 2])
    np.testing.assert_allclose(result.params, best.coef, rtol=0, atol=1e-12)
    assert result.loss == pytest.approx(0.5 + (weights * (best(X) - np.exp(X)) ** 2).sum(), rel=1e-13)


def test_the_published_optimum_of_the_cubic():
    result = p.fit(
        p.Problem(num_samples=2000, loss="sum"),
        p.LegendreSeries(degree=3),
        optimizer=p.GradientDescent(4e-4),
        loop=p.Manual(steps=400),
    )
    expected = OPTIMA["cubic"]
    np.testing.assert_allclose(result.loss, expected["lowest"], rtol=1e-13)
    np.testing.assert_allclose(result.power_series, expected["parameters"], rtol=1e-8, atol=1e-13)
