"""Reduction: every fit takes the same path with the reduced samples as with all samples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import polyexp as p
from polyexp.exact import hessian_eigenvalues
from tests.helpers.cases import LINEAR, OPTIMIZERS, PATHS, assert_close, named, normal
from tests.helpers.fits import without_early
from tests.helpers.reduction import (
    ORTHOGONAL,
    along_the_path,
    any_samples,
    assert_alike,
    both_ways,
    drawn,
    mean_square,
    stable_rate,
    start_of,
)

pytestmark = [pytest.mark.numeric, pytest.mark.usefixtures("one_blas_thread")]


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
    first = samples.loss(model.on_domain(samples.domain)(model.initial_params(0), samples.x))
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
    """The notebooks' samples, snapshots and number of steps, from the default start.

    Earlier losses are up to 1e6 times larger, and their rounding with them: the test above has a scale for them.
    """
    options = {"backend": p.NumPy(), "optimizer": p.GradientDescent(rate), "loop": without_early(p.Manual)(4000, 200)}
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
        "backend": backend().on_device(device),
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
