"""fit: the published runs. Numbers and tolerances are those of tests/data/reference_runs.json."""

import numpy as np
import pytest
import torch

import polyexp as p
from tests.helpers.cases import every_path, named
from tests.helpers.references import LIMIT_CYCLE_RTOL, OPTIMA, REFERENCES, ZERO_BELOW, float32_linspace

pytestmark = pytest.mark.numeric


def require_losses(result, reference):
    """The losses that a program prints: those at the parameters before the last of so many updates."""
    rows = [result.history.step.tolist().index(count) for count in reference.losses]
    np.testing.assert_allclose(result.history.loss[rows], list(reference.losses.values()), rtol=reference.rtol)


@every_path
def test_notebook_a(backend_class, device, loop_class):
    result = p.fit(p.Problem(), p.PowerSeries(), loop=loop_class(), backend=backend_class(), device=device)
    reference = REFERENCES["notebook/numpy"]
    require_losses(result, reference)
    np.testing.assert_allclose(result.params, reference.final, rtol=reference.rtol)


@every_path
def test_notebook_b_and_c_in_float64(backend_class, device, loop_class):
    """From the x of the programs, which is float32: it changes the loss by 2.5e-7."""
    x = float32_linspace(-np.pi, np.pi, 4000)
    samples = p.Samples.of(x, np.sin(x))
    reference = REFERENCES["notebook/torch in float64"]
    model = p.PowerSeries(initial=reference.initial)
    result = p.fit(samples, model, loop=loop_class(), backend=backend_class(), device=device)
    require_losses(result, reference)


@every_path
def test_notebook_b_and_c_in_float32(backend_class, device, loop_class):
    reference = REFERENCES["notebook/torch_manual"]
    model = p.PowerSeries(initial=reference.initial)
    result = p.fit(p.Problem(), model, loop=loop_class(), backend=backend_class("float32"), device=device)
    require_losses(result, reference)
    np.testing.assert_allclose(result.params, reference.final, rtol=reference.rtol)


def notebook_d(backend, device, loop):
    """Also the tutorial's custom Function."""
    return p.fit(
        p.Problem(num_samples=2000, loss="sum"),
        p.Legendre(initial=[0, -1, 0, 0.3]),
        loop=loop,
        optimizer=p.GradientDescent(5e-6),
        backend=backend,
        device=device,
    )


def require_d(result, reference):
    """The losses, b and d of program D, while a and c are rounding errors."""
    require_losses(result, reference)
    found = result.parameters
    expected = reference.parameters
    np.testing.assert_allclose([found[name] for name in expected], list(expected.values()), rtol=reference.rtol)
    assert max(abs(found[name]) for name in reference.zero) < ZERO_BELOW


@every_path
def test_notebook_d_in_float32(backend_class, device, loop_class):
    result = notebook_d(backend_class("float32"), device, loop_class(steps=2000, log_every=100))
    require_d(result, REFERENCES["notebook/custom_function"])


@every_path
def test_notebook_d_in_float64(backend_class, device, loop_class):
    result = notebook_d(backend_class(), device, loop_class(steps=2000, log_every=100))
    require_d(result, REFERENCES["notebook/custom_function in float64"])


def test_notebook_d_reaches_the_cubic_optimum():
    result = notebook_d(p.NumPy(), p.CPU(), p.Manual(steps=20000, log_every=5000))
    np.testing.assert_allclose(result.loss, OPTIMA["cubic"]["lowest"], rtol=1e-9)


def tutorial(initial, backend, loop_class, optimizer=None, steps=2000, problem=None):
    return p.fit(
        problem or p.Problem(num_samples=2000, loss="sum"),
        p.PowerSeries(degree=3, initial=initial),
        loop=loop_class(steps=steps, log_every=100),
        optimizer=optimizer or p.GradientDescent(1e-6),
        backend=backend,
    )


@pytest.mark.parametrize("initial", ["normal", REFERENCES["tutorial/numpy"].initial], ids=["drawn", "listed"])
def test_tutorial_numpy(initial):
    result, reference = tutorial(initial, p.NumPy(), p.Manual), REFERENCES["tutorial/numpy"]
    require_losses(result, reference)
    np.testing.assert_allclose(result.params, reference.final, rtol=reference.rtol, atol=6e-12)  # 11 decimals printed


@pytest.mark.parametrize("loop_class", [p.Manual, p.Autograd, p.CustomFunction], ids=named)
def test_tutorial_tensor_autograd_and_module(loop_class):
    reference = REFERENCES["tutorial/tensor"]
    result = tutorial(reference.initial, p.Torch("float32"), loop_class)
    require_losses(result, reference)
    np.testing.assert_allclose(result.params, reference.final, rtol=reference.rtol, atol=1e-8)


def test_tutorial_autograd_exp():
    problem, reference = p.Problem("exp", [-1, 1], 2000, loss="sum"), REFERENCES["tutorial/autograd_exp"]
    rate = p.GradientDescent(1e-5)
    result = tutorial(reference.initial, p.Torch("float32"), p.Autograd, rate, steps=5000, problem=problem)
    require_losses(result, reference)
    np.testing.assert_allclose(result.params, reference.final, rtol=reference.rtol)


def test_tutorial_nn():
    reference = REFERENCES["tutorial/nn"]
    result = tutorial(reference.initial, p.Torch("float32"), p.Autograd)
    require_losses(result, reference)
    np.testing.assert_allclose(result.params, reference.final, rtol=reference.rtol, atol=1e-8)


def test_tutorial_optim():
    """It ends in a limit cycle: only the first losses are exact."""
    reference = REFERENCES["tutorial/optim"]
    result = tutorial(reference.initial, p.Torch("float32"), p.Autograd, p.RMSprop(1e-3))
    require_losses(result, reference)
    assert result.history.step[-1] == 2000
    np.testing.assert_allclose(result.history.loss[-1], reference.limit_cycle[2000], rtol=LIMIT_CYCLE_RTOL)


def test_the_samples_of_the_float32_programs_are_those_of_torch_but_for_their_last_bit():
    torchs, ours = torch.linspace(-np.pi, np.pi, 4000).double().numpy(), float32_linspace(-np.pi, np.pi, 4000)
    assert np.abs(torchs - ours).max() <= np.spacing(np.float32(np.pi))
