"""The functions with derivatives of their own, in torch and in jax: gradients of first and second order, vmap, and that the
loops really use them."""

import numpy as np
import pytest
import torch

import polyexp as p
from polyexp.backend.torch_function import VJPFunction
from tests.helpers.cases import bound, every_model, normal

pytestmark = pytest.mark.numeric

X = np.linspace(-2, 3, 7)

every_library = pytest.mark.parametrize("cls_backend", [p.Torch, p.JAX], ids=lambda cls: cls.name)


def transforms(backend):
    """The module with `grad`, `jacrev` and `vmap` for the arrays of a backend."""
    if isinstance(backend, p.Torch):
        return torch.func
    import jax

    return jax


def gradients_hold(backend, function, array):
    """Whether the first and second derivatives, by two backward passes, are those that differences give."""
    at = backend.put(array)
    if isinstance(backend, p.Torch):
        at.requires_grad_()
        checks = (torch.autograd.gradcheck, torch.autograd.gradgradcheck)
        return all(check(function, at, raise_exception=False) for check in checks)
    from jax.test_util import check_grads

    try:
        check_grads(function, (at,), order=2, modes=("rev",))
    except AssertionError:
        return False
    return True


def placed(cls_backend):
    """The backend as `fit` uses it."""
    return cls_backend().on_device(p.CPU())


def as_function(backend, cls, degree=3):
    """params -> predictions with the model's own vector-Jacobian product, and K."""
    model = bound(cls, degree)
    data = p.place(p.Samples.of(X, np.sin(X)), model, backend)
    return p.CustomFunction().differentiable_forward(model, data), len(model.param_names)


@every_library
@pytest.mark.parametrize("n", range(7))
@pytest.mark.parametrize("shape", [(4,), (2, 3)], ids=str)
def test_elementwise_gradients(cls_backend, n, shape):
    backend = placed(cls_backend)
    assert gradients_hold(backend, backend.lift(p.LegendreSum.basis(n)), normal(0, *shape))


@every_library
@every_model
@pytest.mark.parametrize("degree", [0, 1, 4])
@pytest.mark.parametrize("runs", [(), (2,)], ids=str)
def test_model_gradients(cls_backend, cls, degree, runs):
    backend = placed(cls_backend)
    function, size = as_function(backend, cls, degree)
    assert gradients_hold(backend, function, normal(0, *runs, size))


class Wrong(p.LegendreSum):
    """A function that states the derivative of another one."""

    def derivative(self):
        return p.LegendreSum((1.0,))


class WrongCurvature(p.LegendreSum):
    """A function whose derivative is right, and states the derivative of another one."""

    def derivative(self):
        return Wrong(super().derivative().coef)


@every_library
@pytest.mark.parametrize("wrong", [Wrong, WrongCurvature])
def test_the_check_of_gradients_would_notice(cls_backend, wrong):
    backend = placed(cls_backend)
    assert not gradients_hold(backend, backend.lift(wrong((0.0, 0.0, 0.0, 1.0))), normal(0, 4))


@every_library
@pytest.mark.parametrize("n", range(7))
def test_elementwise_third_derivative(cls_backend, n):
    """Differentiable any number of times."""
    backend = placed(cls_backend)
    function, grad = backend.lift(p.LegendreSum.basis(n)), transforms(backend).grad
    third = grad(grad(grad(function)))
    expected = np.polynomial.legendre.legval(0.3, np.polynomial.legendre.legder([0] * n + [1], 3))
    assert third(backend.put(np.array(0.3))).item() == pytest.approx(expected, rel=1e-13, abs=1e-13)


def assert_vmap_is_a_python_loop(backend, function, batch, tolerance):
    rows = np.stack([backend.get(function(backend.put(row))) for row in batch])
    mapped = backend.get(transforms(backend).vmap(function)(backend.put(batch)))
    np.testing.assert_allclose(mapped, rows, rtol=tolerance, atol=tolerance)


@every_library
@pytest.mark.parametrize("n", range(7))
def test_elementwise_vmap_is_a_python_loop(cls_backend, n):
    backend = placed(cls_backend)
    function = backend.lift(p.LegendreSum.basis(n))
    slope = transforms(backend).grad(lambda z: function(z).sum())
    for each in (function, slope):
        assert_vmap_is_a_python_loop(backend, each, normal(0, 5, 3), 1e-14)


@every_library
@every_model
def test_model_vmap_is_a_python_loop(cls_backend, cls):
    backend = placed(cls_backend)
    function, size = as_function(backend, cls)
    slope = transforms(backend).grad(lambda params: (function(params) ** 2).sum())
    for each in (function, slope, transforms(backend).jacrev(function)):
        assert_vmap_is_a_python_loop(backend, each, normal(0, 5, size), 1e-12)


def test_without_gradients_the_function_itself_is_called(monkeypatch):
    """torch records nothing then, and a Function would only cost time."""
    monkeypatch.setattr(VJPFunction, "apply", None)
    with torch.no_grad():
        assert p.Torch().lift(p.LegendreSum.basis(1))(torch.tensor([0.25])).tolist() == [0.25]


def test_numpy_does_not_differentiate():
    for made in (lambda: p.NumPy().lift(p.LegendreSum.basis(1)), lambda: p.NumPy().value_and_grad(np.sum)):
        with pytest.raises(p.InputError, match="`backend=numpy` does not differentiate functions"):
            made()


# Which functions a loop goes through: one of z, of the length of X, or one of the K parameters

USES = pytest.mark.parametrize(
    ("loop", "model", "shapes"),
    [
        (p.Autograd(), p.Legendre(), [X.shape]),
        (p.Autograd(), p.PowerSeries(), []),
        (p.CustomFunction(), p.Legendre(), [(4,)]),
        (p.CustomFunction(), p.PowerSeries(), [(8,)]),
        (p.Manual(), p.Legendre(), []),
    ],
    ids=lambda value: getattr(value, "name", None),
)


@USES
def test_torch_goes_backward_through_the_functions(monkeypatch, loop, model, shapes):
    """In one evaluation of the loop's gradient."""
    calls, original = [], VJPFunction.backward

    def spy(ctx, grad_output):
        calls.append(tuple(ctx.saved_tensors[0].shape))
        return original(ctx, grad_output)

    monkeypatch.setattr(VJPFunction, "backward", staticmethod(spy))
    data = p.place(p.Samples.of(X, np.sin(X)), model, p.Torch())
    loop.value_and_gradient(model, data)(torch.from_numpy(normal(0, len(model.param_names))))
    assert calls == shapes


@USES
def test_jax_goes_backward_through_the_functions(monkeypatch, loop, model, shapes):
    """In one evaluation of the loop's gradient."""
    calls, original = [], p.JAX.custom_vjp

    def spied(self, forward, backward):
        return original(self, forward, lambda x, grad: (calls.append(tuple(x.shape)), backward(x, grad))[1])

    monkeypatch.setattr(p.JAX, "custom_vjp", spied)
    backend = placed(p.JAX)
    data = p.place(p.Samples.of(X, np.sin(X)), model, backend)
    loop.value_and_gradient(model, data)(backend.put(normal(0, len(model.param_names))))
    assert calls == shapes


@every_library
def test_autograd_differentiates_p_n_by_its_analytic_derivative(monkeypatch, cls_backend):
    """A wrong derivative affects c and d alone, because autograd computes those of a and b itself."""
    model, samples, params = p.Legendre(), p.Samples.of(X, np.sin(X)), np.array([0.1, -1, 0.2, 0.3])
    backend = placed(cls_backend)

    def gradient():
        data = p.place(samples, model, backend)
        return backend.get(p.Autograd().gradient(model, data)(backend.put(params)))

    right = gradient()
    derivative = p.LegendreSum.derivative
    monkeypatch.setattr(p.LegendreSum, "derivative", lambda f: p.LegendreSum(tuple(3 * c for c in derivative(f).coef)))
    np.testing.assert_allclose(gradient(), right * [1, 1, 3, 3], rtol=1e-13)


def test_the_lifted_model_leaves_the_original_alone():
    model = p.Legendre(degree=5)
    lifted = model.differentiable(p.Torch().lift)
    params, x = torch.from_numpy(normal(0, 4)).requires_grad_(), torch.from_numpy(X)
    names = {type(node).__name__ for node in graph(lifted.forward(params, x).grad_fn)}
    assert "VJPFunctionBackward" in names
    assert model == lifted
    assert "VJPFunctionBackward" not in {type(n).__name__ for n in graph(model.forward(params, x).grad_fn)}


def graph(node):
    """The nodes of a backward graph."""
    yield node
    for following, _ in node.next_functions:
        if following is not None:
            yield from graph(following)
