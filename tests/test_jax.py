"""What compiled steps must not change: the trajectory of a fit, on every backend, and derivatives of second order; and what is
compiled again."""

from dataclasses import replace

import numpy as np
import pytest

import polyexp as p
from polyexp.backend import JAX
from polyexp.crosscheck import TOLERANCE
from polyexp.crosscheck.reference import gradient_terms
from polyexp.model import complex_step, jacobian
from tests.helpers.cases import DOMAIN, EPS, LINEAR, assert_close, bound, every_model, every_path, named, normal

pytestmark = pytest.mark.numeric

N = 30
X = np.sort(np.random.RandomState(7).uniform(*DOMAIN, N))
SAMPLES = p.Samples(X, np.sin(X), np.random.RandomState(8).random_sample(N), DOMAIN, floor=0.25)
SEEDS = [3, 4, 5]
STEPS = 200


# One trajectory


def follow(backend, device, loop_class, **parts):
    loop = loop_class(steps=STEPS, log_every=40)
    return p.fit(SAMPLES, loop=loop, backend=backend, device=device, seed=SEEDS, **parts)


def assert_one_trajectory(backend_class, device, loop_class, **parts):
    """Every run keeps to its own trajectory by NumPy, to the tolerance of crosschecks relative to the run's own numbers."""
    here = follow(backend_class(), device, loop_class, **parts)
    reference = follow(p.NumPy(), p.CPU(), p.Manual, **parts)
    np.testing.assert_array_equal(here.history.step, reference.history.step)
    for run in range(len(SEEDS)):
        one, other = here.history, reference.history
        assert_close(one.params[:, run], other.params[:, run], TOLERANCE)
        np.testing.assert_allclose(one.loss[:, run], other.loss[:, run], rtol=TOLERANCE)
        np.testing.assert_allclose(here.loss[run], reference.loss[run], rtol=TOLERANCE)
        assert_close(one.grad_norm[:, run], other.grad_norm[:, run], TOLERANCE)
        assert np.abs(other.params[-1, run] - reference.initial[run]).max() > 1e-3  # the parameters have moved


@every_model
@every_path
def test_one_trajectory_with_a_rate_for_each_run(cls, backend_class, device, loop_class):
    parts = {"model": cls(degree=3, initial_scale=0.5), "optimizer": p.GradientDescent([1e-4, 3e-5, 2e-5])}
    assert_one_trajectory(backend_class, device, loop_class, **parts)


@every_path
@pytest.mark.parametrize(
    "optimizer",
    [
        p.Momentum([1e-3, 1e-4, 2e-4], momentum=[0.5, 0.9, 0.0]),
        p.Nesterov([1e-3, 1e-4, 2e-4], momentum=[0.5, 0.9, 0.0]),
        p.RMSprop([1e-3, 5e-4, 2e-3], alpha=[0.9, 0.99, 0.5], eps=[1e-8, 1e-3, 1e-6]),
        p.Adam([1e-3, 5e-4, 2e-3], beta1=[0.9, 0.5, 0.0], beta2=[0.999, 0.9, 0.99], eps=[1e-8, 1e-3, 1e-6]),
    ],
    ids=lambda optimizer: optimizer.choice,
)
def test_one_trajectory_with_all_numbers_for_each_run(optimizer, backend_class, device, loop_class):
    assert_one_trajectory(backend_class, device, loop_class, model=p.ChebyshevSeries(degree=3), optimizer=optimizer)


def float32_bounds(model, rate, path, steps):
    """The largest error that rounding can give the parameters of gradient descent on a path in float64, by each of the steps.

    An update multiplies the error that is there by I - rate H, whose norm is at most 1 for a stable rate. To it come the
    rounding of the new parameters, u |w|, and `rate` times the error of the gradient. That is a sum over the N samples of
    products with residuals, which are sums of K products and y; features, y, weights, rate and gradient are rounded too. So it
    is at most (N + K + 8) u of the sizes of the terms (Higham 2002, section 3.1).
    """
    u = np.finfo(np.float32).eps / 2
    data = p.place(SAMPLES, model, p.NumPy())
    residual = model.forward(path, data.features) - data.y
    _, sizes = gradient_terms(path, jacobian(model, path, data.features), residual, data)
    norm = lambda array: np.linalg.norm(array, axis=-1).max()  # noqa: E731
    gradient = (N + path.shape[-1] + 8) * u * norm(sizes)
    return u * norm(path) + steps * (u * norm(path) + rate * gradient)


@pytest.mark.parametrize("cls", LINEAR, ids=named)
@pytest.mark.parametrize("loop_class", [p.Manual, p.Autograd, p.CustomFunction], ids=named)
def test_float32_keeps_to_the_trajectory_within_its_rounding(cls, loop_class):
    model = bound(cls, 3)
    rate = 1 / p.Quadratic.of(model, SAMPLES).largest  # half of the largest stable one
    parts = {"model": cls(degree=3), "optimizer": p.GradientDescent(rate)}
    exact = follow(p.NumPy(), p.CPU(), p.Manual, **parts)
    rounded = follow(JAX("float32"), p.CPU(), loop_class, **parts)
    limits = float32_bounds(
        model, rate, np.concatenate([exact.initial[None], exact.history.params]), exact.history.step
    )
    assert exact.history.step[0] == 1
    assert limits[0] < 1e-4 * np.abs(exact.history.params[0]).max()  # so that they can be missed
    errors = np.abs(rounded.history.params - exact.history.params).max((1, 2))
    assert (errors < limits).all()
    assert errors.max() > 1e-9  # these are float32 numbers


# Derivatives of second order, each by two backward passes


def second(function):
    """The function params -> Hessian, reverse over reverse."""
    import jax

    return jax.jit(jax.jacrev(jax.grad(function)))


@pytest.fixture
def backend():
    """The backend as `fit` uses it."""
    return JAX().on_device(p.CPU())


@pytest.mark.parametrize("n", range(7))
def test_second_derivative_of_a_lifted_function(backend, n):
    """It is that of numpy, term by term. Clenshaw's recurrence takes n steps of five operations, in which no term exceeds
    the value at the end of the interval [-2, 3] on which it is taken."""
    import jax

    f = p.LegendreSum.basis(n)
    lifted = backend.lift(f)
    at = np.linspace(-2, 3, 9)
    for order, exact in enumerate((f, f.derivative(), f.derivative().derivative())):
        function = lifted
        for _ in range(order):
            function = jax.grad(function)
        found = backend.get(jax.vmap(function)(backend.put(at)))
        expected = np.broadcast_to(exact(at), at.shape)
        assert_close(found, expected, (5 * n + 1) * EPS)
        series = np.polynomial.legendre.legder([0.0] * n + [1.0], order)
        assert_close(found, np.polynomial.legendre.legval(at, series), (10 * n + 2) * EPS)


def loss_of(loop, model, data):
    """The function params -> loss, by the function that the loop differentiates."""
    forward = loop.differentiable_forward(model, data)
    return lambda params: (data.weights * (forward(params) - data.y) ** 2).sum(-1)


def exact_hessian(model, params):
    """The Hessian of the loss, by complex steps of the gradient that uses the model's own `backward`."""
    features = model.features(X)

    def gradient(moved):
        residual = model.forward(moved, features) - SAMPLES.y
        return model.backward(moved, features, 2 * SAMPLES.weights * residual)

    return complex_step(gradient, params)


@every_model
@pytest.mark.parametrize("loop_class", [p.Autograd, p.CustomFunction], ids=named)
def test_the_hessian_is_that_of_numpy(backend, cls, loop_class):
    model = bound(cls, 4)
    params = normal(1, len(model.param_names))
    data = p.place(SAMPLES, model, backend)
    found = backend.get(second(loss_of(loop_class(), model, data))(backend.put(params)))
    # Sums of N products of a weight and of two values, each of which takes at most 5 * degree operations.
    assert_close(found, exact_hessian(model, params), (N + 4 * 5 * 4) * EPS)
    assert_close(found, found.T, (N + 4 * 5 * 4) * EPS)


@every_model
def test_gradients_through_lifted_models_by_differences(backend, cls):
    """The function of `loop=autograd`, compiled, for two runs, of first and second order."""
    import jax
    from jax.test_util import check_grads

    model = bound(cls, 4)
    function = p.Autograd().differentiable_forward(model, p.place(SAMPLES, model, backend))
    check_grads(jax.jit(function), (backend.put(normal(1, 2, len(model.param_names))),), order=2, modes=["rev"])


def test_a_custom_function_is_a_custom_vjp_of_jax(backend):
    import jax

    model = bound(p.PowerSeries, 4)
    assert isinstance(
        p.CustomFunction().differentiable_forward(model, p.place(SAMPLES, model, backend)), jax.custom_vjp
    )


@every_model
def test_the_backward_pass_of_the_model_is_used(monkeypatch, backend, cls):
    """By `CustomFunction` alone: one that is wrong by a factor gives a gradient wrong by that, and `Autograd` the right one.

    In the Hessian of a linear model, 2 J^T a J, the second backward pass goes through the residual once more: the factor is
    squared.
    """
    model = bound(cls, 4)
    data = p.place(SAMPLES, model, backend)
    at = backend.put(normal(1, len(model.param_names)))
    loops = (p.CustomFunction(), p.Autograd())

    def derivatives(loop):
        return backend.get(loop.gradient(model, data)(at)), backend.get(second(loss_of(loop, model, data))(at))

    right = [derivatives(loop) for loop in loops]
    original = cls.backward
    # A power of two, so that nothing is rounded otherwise.
    monkeypatch.setattr(cls, "backward", lambda *args: 2 * original(*args))
    (gradient, hessian), untouched = map(derivatives, loops)
    np.testing.assert_array_equal(gradient, 2 * right[0][0])
    if model.linear:
        np.testing.assert_array_equal(hessian, 4 * right[0][1])
    for array, before in zip(untouched, right[1], strict=True):
        np.testing.assert_array_equal(array, before)


# What is compiled


@pytest.fixture
def compiled(backend):
    """The functions that jax has compiled, or read from its cache folder, since the list was cleared."""
    import jax

    found = []

    def listen(event, duration, **about):
        if event == "/jax/core/compile/backend_compile_duration":
            found.append(about.get("fun_name", event))

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield found
    jax.monitoring.unregister_event_duration_listener(listen)


# Shapes that no other test has, so that nothing of this has been compiled before.
FIRST = {
    "problem": p.Problem("sin", num_samples=47, reduction="none"),
    "model": p.LegendreSeries(degree=11),
    "loop": p.Manual(steps=25, log_every=10),
    "optimizer": p.GradientDescent(1e-3),
    "backend": JAX(),
    "seed": 0,
}


def fitted(compiled, parts):
    """The names of the functions that a fit compiles."""
    parts = dict(parts)
    compiled.clear()
    with np.errstate(all="ignore"):  # one of them diverges
        p.fit(parts.pop("problem"), parts.pop("model"), **parts)
    return list(compiled)


@pytest.mark.parametrize("loop_class", [p.Manual, p.Autograd, p.CustomFunction], ids=named)
def test_a_second_fit_of_equal_shapes_compiles_nothing(compiled, loop_class):
    first = FIRST | {"loop": loop_class(steps=25, log_every=10)}
    assert fitted(compiled, first)
    model, loop, problem = (first[name] for name in ("model", "loop", "problem"))
    others = [
        {"seed": 1},
        {"optimizer": p.GradientDescent(2e-3)},
        {"optimizer": p.GradientDescent("auto")},
        {"optimizer": p.GradientDescent(1e3, allow_divergence=True)},  # which diverges, and so is replayed
        {"loop": replace(loop, steps=90)},
        {"loop": replace(loop, log_every=7)},
        {"loop": replace(loop, tolerance=1e-3)},
        {"loop": replace(loop, patience=1)},
        {"problem": replace(problem, target="exp")},
        {"problem": replace(problem, domain=[-1.0, 2.0])},
        {"model": replace(model, domain=(-5.0, 5.0))},
        {"model": replace(model, initial="normal", initial_scale=0.1)},
        {"params": np.ones(12)},
        {"device": p.CPU()},
    ]
    assert [(other, names) for other in others if (names := fitted(compiled, first | other))] == []
    together = {name: value for other in others for name, value in other.items()}
    assert fitted(compiled, first | together) == []


def test_other_shapes_and_parts_are_compiled(compiled):
    """So the count above would notice."""
    first = FIRST | {"model": p.LegendreSeries(degree=14)}
    assert fitted(compiled, first)
    others = [
        {"seed": [0, 1]},
        {"seed": [0, 1, 2]},
        {"model": p.LegendreSeries(degree=13)},
        {"problem": replace(FIRST["problem"], num_samples=53)},
        {"optimizer": p.Momentum(1e-3)},
        {"loop": p.CustomFunction(steps=25, log_every=10), "problem": replace(FIRST["problem"], num_samples=59)},
        {"backend": JAX("float32")},
    ]
    assert [other for other in others if not fitted(compiled, first | other)] == []
    assert [other for other in others if fitted(compiled, first | other)] == []
