"""fit: results, and the defaults."""

import pickle

import numpy as np
import pytest
import torch
from numpy.polynomial import polynomial

import polyexp as p
from polyexp.problem import TARGETS
from tests.helpers.cases import assert_close, every_model, every_path, every_place, normal
from tests.helpers.fits import SAMPLES, X

pytestmark = pytest.mark.numeric


@every_model
def test_a_single_result_is_plain_numbers(cls):
    model = cls(degree=2)
    result = p.fit(SAMPLES, model, loop=p.Manual(steps=3))
    assert list(result.parameters) == list(model.param_names)
    assert list(result.parameters.values()) == result.params.tolist()
    assert all(type(value) is float for value in result.parameters.values())
    assert isinstance(result.outcome, p.Outcome)
    assert [np.ndim(value) for value in (result.loss, result.max_error, result.steps)] == [0, 0, 0]
    assert result.power_series.shape == (3,)
    assert_close(result(X), polynomial.polyval(X, result.power_series), 1e-13)
    assert result.max_error == np.abs(result(X) - SAMPLES.y).max()
    assert result.loss == SAMPLES.loss(result(X))
    assert result.seconds > 0


@every_model
def test_a_result_of_many_runs(cls):
    model = cls(degree=2)
    params = normal(0, 2, 3, len(model.param_names)) / 10
    result = p.fit(SAMPLES, model, loop=p.Manual(steps=4, log_every=3), params=params)
    shapes = [np.shape(value) for value in (result.loss, result.max_error, result.steps, result.outcome)]
    assert shapes == [(2, 3)] * 4
    assert all(value.shape == (2, 3) for value in result.parameters.values())
    np.testing.assert_array_equal(np.stack(list(result.parameters.values()), -1), result.params)
    assert result.power_series.shape == (2, 3, 3)
    assert result(X).shape == (2, 3, X.size)
    assert result.history.params.shape == (4, *params.shape)
    assert result.history.loss.shape == result.history.grad_norm.shape == (4, 2, 3)
    assert_close(result.loss, ((result(X) - SAMPLES.y) ** 2).mean(-1), 1e-13)


@pytest.mark.parametrize("y", [[5, 1], [-5, 1]])
def test_the_largest_error_has_no_sign(y):
    rate = p.GradientDescent(1e-300)
    result = p.fit(p.Samples.of([0, 1], y), p.PowerSeries(initial="zeros"), optimizer=rate, loop=p.Manual(steps=1))
    assert result.max_error == 5


@every_place
def test_loss_is_judged_in_float64(backend_class, device):
    parts = {"backend": backend_class("float32"), "device": device, "loop": p.Manual(steps=3)}
    result = p.fit(SAMPLES, p.PowerSeries(degree=2), **parts)
    assert result.params.dtype == np.float64
    assert result.loss == SAMPLES.loss(result(X))
    assert np.float32(result.loss) != result.loss


def test_the_defaults_are_those_of_the_command_line():
    result = p.fit(p.Problem(), p.PowerSeries())
    spelt = p.fit(
        p.Problem(),
        p.PowerSeries(),
        loop=p.Manual(4000, 200),
        optimizer=p.GradientDescent(1e-6),
        backend=p.Torch("float64"),
        device=p.CPU(1),
        seed=0,
    )
    np.testing.assert_array_equal(result.history.params, spelt.history.params)
    assert result.history.step.tolist() == [1, 2, 5, 10, 20, 50, 100, *range(200, 4001, 200)]
    assert result.computed_by == f"torch {torch.__version__}, float64, cpu"


def test_random_samples_follow_the_first_seed():
    problem = p.Problem(num_samples=9, sampling="uniform", noise=0.1)
    result = p.fit(problem, p.PowerSeries(degree=1), loop=p.Manual(steps=1), seed=[3, 4])
    expected = p.gauss(problem.samples(3), 1)
    np.testing.assert_allclose(result.samples.x, expected.x, rtol=1e-14)
    np.testing.assert_allclose(result.samples.y, expected.y, rtol=1e-13)


@every_model
@pytest.mark.parametrize("degree", [0, 1, 3])
@every_path
def test_a_single_sample_is_fitted(cls, degree, backend_class, device, loop_class):
    """One point is no interval, and a constant fits it."""
    result = p.fit(
        p.Samples.of([3], [2]),
        cls(degree=degree, initial="zeros" if cls is not p.Legendre else [0, 0, 0, 0]),
        loop=loop_class(steps=100),
        optimizer=p.GradientDescent(1e-4),
        backend=backend_class(),
        device=device,
    )
    assert result.outcome is p.Outcome.MAX_STEPS
    assert np.isfinite(result.params).all()
    assert result.loss < 4
    assert result.power_series.shape == (degree + 1,)


@pytest.mark.parametrize("target", [*TARGETS, np.tanh])
def test_a_result_can_be_pickled(target):
    """Processes of a pool return their results so."""
    result = p.fit(p.Problem(target, [-1, 1], 20), p.PowerSeries(degree=2), loop=p.Manual(steps=3), backend=p.NumPy())
    read = pickle.loads(pickle.dumps(result))
    np.testing.assert_array_equal(read.params, result.params)
    assert read.samples.target == result.samples.target
