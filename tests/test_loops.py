"""All formulations, backends and devices follow one trajectory; loss and gradient are the finite formula."""

import numpy as np
import pytest
import torch

import polyexp as p
from tests.helpers.cases import (
    DOMAIN,
    assert_close,
    bound,
    every_model,
    every_optimizer,
    every_path,
    every_runs,
    normal,
)

pytestmark = pytest.mark.numeric

X = np.sort(np.random.RandomState(5).uniform(*DOMAIN, 30))
WEIGHTED = p.Samples(X, np.cos(X), np.random.RandomState(6).random_sample(30), DOMAIN, floor=0.125)


def follow(backend, device, loop_class, **parts):
    return p.fit(
        WEIGHTED, loop=loop_class(steps=200, log_every=40), backend=backend, device=device, seed=[0, 1, 2], **parts
    )


def assert_one_trajectory(backend_class, device, loop_class, **parts):
    here = follow(backend_class(), device, loop_class, **parts)
    reference = follow(p.NumPy(), p.CPU(), p.Manual, **parts)
    assert_close(here.history.params, reference.history.params, 1e-11)
    assert_close(here.history.loss, reference.history.loss, 1e-11)
    assert_close(here.history.grad_norm, reference.history.grad_norm, 1e-11)
    assert_close(here.loss, reference.loss, 1e-11)
    assert (reference.loss < reference.history.loss[0]).all()  # the parameters have moved


@every_model
@every_path
def test_one_trajectory_for_every_model(cls, backend_class, device, loop_class):
    parts = {"model": cls(degree=3, initial_scale=0.5), "optimizer": p.GradientDescent(1e-4)}
    assert_one_trajectory(backend_class, device, loop_class, **parts)


@every_optimizer
@every_path
def test_one_trajectory_for_every_optimizer(cls, backend_class, device, loop_class):
    assert_one_trajectory(
        backend_class, device, loop_class, model=p.ChebyshevSeries(degree=5), optimizer=cls(learning_rate=1e-3)
    )


def by_complex_step(model, params):
    """Loss and gradient from the definition: sum_i w_i (f(x_i) - y_i)^2 + floor."""
    features, h = model.features(X), 1e-30

    def loss(params):
        residual = model.forward(params, features) - WEIGHTED.y
        return (WEIGHTED.weights * residual**2).sum(-1) + 0.125

    return loss(params), np.stack([loss(params + 1j * h * e).imag / h for e in np.eye(params.shape[-1])], -1)


@every_model
@every_path
@every_runs
def test_loss_and_gradient_are_the_formula(cls, backend_class, device, loop_class, runs):
    model, backend, loop = bound(cls, 4), backend_class().on_device(device), loop_class()
    params = normal(0, *runs, len(model.param_names))
    loss, gradient = by_complex_step(model, params)
    data, at = p.place(WEIGHTED, model, backend), backend.put(params)
    both = loop.value_and_gradient(model, data)(at)
    assert tuple(both[0].shape) == runs
    assert_close(backend.get(both[0]), loss, 1e-13)
    assert_close(backend.get(both[1]), gradient, 1e-13)
    np.testing.assert_array_equal(backend.get(loop.gradient(model, data)(at)), backend.get(both[1]))
    np.testing.assert_array_equal(backend.get(at), params)  # not mutated


@every_model
@every_runs
def test_the_loss_of_samples_is_the_formula(cls, runs):
    model = bound(cls, 4)
    params = normal(0, *runs, len(model.param_names))
    assert_close(WEIGHTED.loss(model(params, X)), by_complex_step(model, params)[0], 1e-14)


@every_path
def test_a_run_that_is_nan_spoils_only_its_own_row(backend_class, device, loop_class):
    model, backend = p.PowerSeries(degree=3), backend_class().on_device(device)
    params = normal(0, 3, 4)
    both = loop_class().value_and_gradient(model, p.place(WEIGHTED, model, backend))
    expected = [backend.get(array) for array in both(backend.put(params))]
    params[1] = np.nan
    for array, clean in zip(both(backend.put(params)), expected, strict=True):
        np.testing.assert_array_equal(backend.get(array)[[0, 2]], clean[[0, 2]])
        assert np.isnan(backend.get(array)[1]).all()


@every_optimizer
@every_path
@pytest.mark.parametrize("rate", [1e-5, np.float64(1e-5), [1e-5, 1e-6]], ids=["float", "np.float64", "per run"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_array_keeps_the_dtype(cls, backend_class, device, loop_class, rate, dtype):
    model, backend = p.Legendre(), backend_class(dtype).on_device(device)
    optimizer = cls(learning_rate=rate)
    data, state = p.place(WEIGHTED, model, backend), p.start(np.ones((*optimizer.runs, 4)), optimizer, backend)
    for _ in range(2):
        state = p.step(model, loop_class(), optimizer.on_device(backend.put), data, state)
        arrays = [state.params, state.loss, state.grad_norm, *state.opt_state.values(), data.features, data.y]
        assert {str(array.dtype).removeprefix("torch.") for array in arrays} == {dtype}


@every_path
def test_float32_rounds_and_follows(backend_class, device, loop_class):
    parts = {"model": p.ChebyshevSeries(degree=3), "optimizer": p.GradientDescent(0.01)}
    exact = follow(p.NumPy(), p.CPU(), p.Manual, **parts)
    rounded = follow(backend_class("float32"), device, loop_class, **parts)
    assert_close(rounded.history.params, exact.history.params, 2e-5)
    assert not np.array_equal(rounded.params, exact.params)
    assert (rounded.params == rounded.params.astype(np.float32)).all()


def test_the_device_is_used():
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA GPU, and torch sees none here")
    backend = p.Torch().on_device(p.CUDA())
    assert backend.put(np.ones(2)).device.type == "cuda"


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_a_setting(threads):
    before = torch.get_num_threads()
    try:
        p.Torch().on_device(p.CPU(threads))
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
