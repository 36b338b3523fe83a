"""The custom autograd Functions: gradcheck, gradgradcheck, vmap, and that the loops really use them."""

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.func import grad, jacrev, vmap

import polyexp as p
from polyexp.loop import functions
from polyexp.loop.functions import ElementwiseFunction, ModelFunction, lift
from tests.helpers.cases import bound, every_model, normal

pytestmark = pytest.mark.numeric

X = np.linspace(-2, 3, 7)


def tensor(*shape, seed=0):
    return torch.from_numpy(normal(seed, *shape)).requires_grad_()


def as_function(cls, degree=3):
    """params -> predictions through ModelFunction, and K."""
    model = bound(cls, degree)
    features = torch.from_numpy(model.features(X))
    return lambda params: ModelFunction.apply(params, features, model), len(model.param_names)


@pytest.mark.parametrize("n", range(7))
@pytest.mark.parametrize("shape", [(4,), (2, 3)], ids=str)
def test_elementwise_gradients(n, shape):
    function = lift(p.LegendreSum.basis(n))
    assert gradcheck(function, tensor(*shape))
    assert gradgradcheck(function, tensor(*shape))


@every_model
@pytest.mark.parametrize("degree", [0, 1, 4])
@pytest.mark.parametrize("runs", [(), (2,)], ids=str)
def test_model_gradients(cls, degree, runs):
    function, size = as_function(cls, degree)
    assert gradcheck(function, tensor(*runs, size))
    assert gradgradcheck(function, tensor(*runs, size))


def test_gradcheck_would_notice():
    class Wrong(p.LegendreSum):
        def derivative(self):
            return p.LegendreSum((1.0,))

    assert not gradcheck(lift(Wrong((0.0, 0.0, 0.0, 1.0))), tensor(4), raise_exception=False)


@pytest.mark.parametrize("n", range(7))
def test_elementwise_third_derivative(n):
    """Differentiable any number of times."""
    function = lift(p.LegendreSum.basis(n))
    third = grad(grad(grad(function)))
    expected = np.polynomial.legendre.legval(0.3, np.polynomial.legendre.legder([0] * n + [1], 3))
    assert third(torch.tensor(0.3, dtype=torch.float64)).item() == pytest.approx(expected, rel=1e-13, abs=1e-13)


@pytest.mark.parametrize("n", range(7))
def test_elementwise_vmap_is_a_python_loop(n):
    function, batch = lift(p.LegendreSum.basis(n)), tensor(5, 3).detach()
    slope = grad(lambda z: function(z).sum())
    for each in (function, slope):
        torch.testing.assert_close(vmap(each)(batch), torch.stack([each(z) for z in batch]), rtol=1e-14, atol=1e-14)


@every_model
def test_model_vmap_is_a_python_loop(cls):
    function, size = as_function(cls)
    batch = tensor(5, size).detach()
    slope = grad(lambda params: (function(params) ** 2).sum())
    for each in (function, slope, jacrev(function)):
        torch.testing.assert_close(vmap(each)(batch), torch.stack([each(row) for row in batch]), rtol=1e-12, atol=1e-12)


# Which Function a loop goes through


def backward_calls(monkeypatch, function, loop, model):
    """How often `function`'s backward runs in one evaluation of the loop's gradient."""
    calls = []
    original = function.backward

    def spy(ctx, grad_output):
        calls.append(grad_output)
        return original(ctx, grad_output)

    monkeypatch.setattr(function, "backward", staticmethod(spy))
    samples = p.Samples.of(X, np.sin(X))
    data = p.place(samples, model, p.Torch())
    loop.value_and_gradient(model, data)(tensor(len(model.param_names)))
    return len(calls)


@pytest.mark.parametrize(
    ("loop", "model", "elementwise", "whole"),
    [
        (p.Autograd(), p.Legendre(), 1, 0),
        (p.Autograd(), p.PowerSeries(), 0, 0),
        (p.CustomFunction(), p.Legendre(), 0, 1),
        (p.CustomFunction(), p.PowerSeries(), 0, 1),
        (p.Manual(), p.Legendre(), 0, 0),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_the_custom_functions_are_really_used(monkeypatch, loop, model, elementwise, whole):
    assert backward_calls(monkeypatch, ElementwiseFunction, loop, model) == elementwise
    assert backward_calls(monkeypatch, ModelFunction, loop, model) == whole


def test_autograd_differentiates_p_n_by_its_analytic_derivative(monkeypatch):
    """A wrong derivative affects c and d alone, because autograd computes those of a and b itself."""
    model, samples, params = p.Legendre(), p.Samples.of(X, np.sin(X)), np.array([0.1, -1, 0.2, 0.3])

    def gradient():
        data = p.place(samples, model, p.Torch())
        return p.Autograd().gradient(model, data)(torch.from_numpy(params)).numpy()

    right = gradient()
    derivative = p.LegendreSum.derivative
    monkeypatch.setattr(p.LegendreSum, "derivative", lambda f: p.LegendreSum(tuple(3 * c for c in derivative(f).coef)))
    np.testing.assert_allclose(gradient(), right * [1, 1, 3, 3], rtol=1e-13)


def test_the_lifted_model_leaves_the_original_alone():
    model = p.Legendre(degree=5)
    lifted = model.differentiable(functions.lift)
    params, x = tensor(4), torch.from_numpy(X)
    names = {type(node).__name__ for node in graph(lifted.forward(params, x).grad_fn)}
    assert "ElementwiseFunctionBackward" in names
    assert model == lifted
    assert "ElementwiseFunctionBackward" not in {type(n).__name__ for n in graph(model.forward(params, x).grad_fn)}


def graph(node):
    """The nodes of a backward graph."""
    yield node
    for following, _ in node.next_functions:
        if following is not None:
            yield from graph(following)
