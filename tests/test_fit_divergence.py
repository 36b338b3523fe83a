"""fit: divergence, and what is kept of a diverged run."""

import numpy as np
import pytest

import polyexp as p
from tests.helpers.cases import assert_same, every_model, every_optimizer, every_path, every_place
from tests.helpers.fits import SAMPLES, X, by_hand, without_early

pytestmark = pytest.mark.numeric


@every_model
@every_path
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_last_finite_parameters_are_kept(cls, backend_class, device, loop_class, dtype):
    """Two runs overflow within one block, at different steps."""
    model, optimizer = cls(degree=3), p.GradientDescent([10, 1e9])
    backend, loop = backend_class(dtype).on_device(device), without_early(loop_class)(steps=400, log_every=400)
    result = p.fit(SAMPLES, model, loop=loop, optimizer=optimizer, backend=backend, seed=[0, 1])
    path = by_hand(model, loop, optimizer, backend, model.initial_params([0, 1]), result.steps.max() + 1)
    assert result.steps[1] < result.steps[0] < 400
    for run, steps in enumerate(result.steps):
        assert_same(backend_class, result.params[run], path[steps, run], steps * X.size, np.finfo(dtype).eps)
        assert np.isfinite(path[: steps + 1, run]).all()
        assert not np.isfinite(path[steps + 1, run]).all()
        assert result.outcome[run] is p.Outcome.DIVERGED


@every_path
def test_growth_by_a_million_is_divergence(backend_class, device, loop_class):
    """The rate is a little too large, so that everything stays finite."""
    model, optimizer = p.PowerSeries(degree=1), p.GradientDescent(1.1)
    backend, loop = backend_class().on_device(device), loop_class(steps=400, log_every=5)
    result = p.fit(SAMPLES, model, loop=loop, optimizer=optimizer, backend=backend)
    path = by_hand(model, loop, optimizer, backend, model.initial_params(0), 400)
    loss = SAMPLES.loss(model(path, X))
    assert np.isfinite(path[:100]).all()
    assert result.outcome is p.Outcome.DIVERGED
    assert result.steps == result.history.step[-1] < 100
    assert result.history.loss[-1] > 1e6 * loss[0] >= result.history.loss[-2]
    assert_same(backend_class, result.params, path[result.steps], result.steps * X.size)


@every_place
def test_growth_at_the_very_end_is_noticed(backend_class, device):
    """One step: the only snapshot has the loss before it."""
    loop = p.Manual(steps=1, log_every=1)
    result = p.fit(
        SAMPLES, p.PowerSeries(), loop=loop, optimizer=p.GradientDescent(1e6), backend=backend_class(), device=device
    )
    assert result.outcome is p.Outcome.DIVERGED
    assert result.steps == 1
    assert np.isfinite(result.loss)


@every_place
@pytest.mark.parametrize("huge", [1e160, 1e200])
def test_a_loss_that_overflows_is_divergence(backend_class, device, huge):
    """Even if it overflows from the start, and all parameters are finite."""
    samples = p.Samples.of([0.0, 1.0], [huge, huge])
    loop = p.Manual(steps=3, log_every=1)
    result = p.fit(samples, p.PowerSeries(degree=1), loop=loop, backend=backend_class(), device=device)
    assert result.outcome is p.Outcome.DIVERGED
    assert np.isfinite(result.params).all()


@pytest.mark.parametrize(("degree", "dtype"), [(1000, "float64"), (200, "float32")])
@every_place
def test_features_that_overflow_are_divergence(backend_class, device, degree, dtype):
    """3.14^1000 overflows float64: that is an outcome, neither an error nor a warning."""
    model = p.PowerSeries(degree=degree)
    result = p.fit(p.Problem(num_samples=9), model, loop=p.Manual(steps=3), backend=backend_class(dtype), device=device)
    assert result.outcome is p.Outcome.DIVERGED
    assert result.steps == 0
    np.testing.assert_array_equal(result.params, model.initial_params(0).astype(dtype))


@pytest.mark.parametrize("rate", [10.0, 1e150])
def test_a_diverged_result_can_be_looked_at(rate):
    result = p.fit(p.Problem(num_samples=20), p.Legendre(), optimizer=p.GradientDescent(rate), loop=p.Manual(steps=9))
    assert result.outcome is p.Outcome.DIVERGED
    assert result.power_series.shape == (4,)
    assert result([1.0, 2.0]).shape == (2,)
    assert all(np.isfinite(value) for value in result.parameters.values())


@every_optimizer
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("offset", [0.0, 1e-9])
@every_place
def test_a_perfect_start_does_not_count_as_diverged(cls, dtype, offset, backend_class, device):
    """Its loss is a rounding error, and the first steps of an adaptive rule are a million times larger."""
    model, best = p.LegendreSeries(degree=3).on_domain((-1, 2)), np.array([1, 2, -1, 0.5])
    samples = p.Samples.of(X, model(best, X))
    result = p.fit(
        samples,
        model,
        params=best + offset,
        optimizer=cls(learning_rate=1e-2),
        backend=backend_class(dtype),
        device=device,
        loop=p.Manual(steps=200, log_every=1),
    )
    assert result.outcome is p.Outcome.MAX_STEPS
    assert result.loss < 1e-3


def test_zero_is_fitted_by_zero():
    result = p.fit(p.Samples.of(X, 0 * X), p.PowerSeries(degree=2, initial="zeros"), loop=p.Manual(steps=5))
    assert result.outcome is p.Outcome.MAX_STEPS
    assert result.params.tolist() == [0, 0, 0]
    assert result.loss == 0
    assert result.max_error == 0
