"""fit: published numbers, exact optima, many runs at once, divergence, snapshots, and what is refused."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial import polynomial

import polyexp as p
from tests.helpers.cases import assert_close, every_model, every_optimizer, every_path, every_place, named, normal
from tests.helpers.references import LIMIT_CYCLE_RTOL, OPTIMA, REFERENCES, ZERO_BELOW

pytestmark = pytest.mark.numeric


X = np.linspace(-1, 2, 40)
SAMPLES = p.Samples.of(X, np.sin(2 * X))
SHAPES = "x, y and weights must be equally long sequences of numbers, got shapes"


# Published runs: tests/data/reference_runs.json. The tolerances are part of the reference.


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
    x = torch.linspace(-np.pi, np.pi, 4000).numpy()
    samples = p.Samples.of(x, np.sin(x.astype(float)))
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


# Exact optima


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


# Many runs at once


@every_model
@every_place
def test_sixty_four_runs_equal_sixty_four_fits(cls, backend_class, device):
    model, loop = cls(degree=3, initial="normal", initial_scale=0.3), p.Manual(steps=60, log_every=25)
    rates = np.geomspace(1e-5, 2e-3, 64)
    place = {"loop": loop, "backend": backend_class(), "device": device}
    together = p.fit(SAMPLES, model, optimizer=p.GradientDescent(rates), seed=range(64), **place)
    for run in range(64):
        alone = p.fit(SAMPLES, model, optimizer=p.GradientDescent(rates[run]), seed=run, **place)
        assert_close(together.params[run], alone.params, 1e-12)
        assert_close(together.history.loss[:, run], alone.history.loss, 1e-12)
        assert_close(together.history.params[:, run], alone.history.params, 1e-12)
        assert together.loss[run] == pytest.approx(alone.loss, rel=1e-12)
        assert together.max_error[run] == pytest.approx(alone.max_error, rel=1e-12)
        assert together.outcome[run] is alone.outcome
        assert together.steps[run] == alone.steps


def test_shapes_of_runs_are_broadcast():
    rates = np.array([[1e-2], [1e-3]])
    result = p.fit(SAMPLES, p.PowerSeries(degree=2), optimizer=p.GradientDescent(rates), seed=[4, 5, 6])
    assert result.params.shape == (2, 3, 3)
    for row, column in np.ndindex(2, 3):
        alone = p.fit(
            SAMPLES, p.PowerSeries(degree=2), optimizer=p.GradientDescent(rates[row, 0]), seed=[4, 5, 6][column]
        )
        assert_close(result.params[row, column], alone.params, 1e-12)


@every_path
@pytest.mark.parametrize("log_every", [7, 100, 1000])
def test_a_diverging_run_spoils_only_its_own(backend_class, device, loop_class, log_every):
    """Of 64 rates one is far too large: the other runs are bit for bit what they are beside a moderate rate."""

    def fitted(rate):
        rates = np.geomspace(1e-4, 1e-2, 64)
        rates[17] = rate
        return p.fit(
            SAMPLES,
            p.PowerSeries(degree=3),
            loop=loop_class(steps=700, log_every=log_every),
            optimizer=p.GradientDescent(rates),
            backend=backend_class(),
            device=device,
            seed=range(64),
        )

    moderate, diverging = fitted(1e-3), fitted(1e3)
    others = np.arange(64) != 17
    np.testing.assert_array_equal(diverging.params[others], moderate.params[others])
    np.testing.assert_array_equal(diverging.history.loss[:, others], moderate.history.loss[:, others])
    np.testing.assert_array_equal(diverging.history.params[:, others], moderate.history.params[:, others])
    assert diverging.outcome[17] is p.Outcome.DIVERGED
    assert set(diverging.outcome[others]) == {p.Outcome.MAX_STEPS}
    assert set(diverging.steps[others]) == {700}
    assert 0 < diverging.steps[17] < 700
    assert np.isfinite(diverging.params).all()
    assert np.isfinite(diverging.history.params).all()
    np.testing.assert_array_equal(diverging.history.params[-1, 17], diverging.params[17])  # repeated


# Divergence


def by_hand(model, loop, optimizer, backend, params, n):
    """The parameters after 0 ... n updates, one `step` at a time."""
    model, optimizer = model.on(SAMPLES.domain), optimizer.on(backend.put)
    data, state = p.place(SAMPLES, model, backend), p.start(params, optimizer, backend)
    path = [backend.get(state.params)]
    with np.errstate(all="ignore"):
        for _ in range(n):
            state = p.step(model, loop, optimizer, data, state)
            path.append(backend.get(state.params))
    return np.stack(path)


@every_model
@every_path
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_last_finite_parameters_are_kept(cls, backend_class, device, loop_class, dtype):
    """Two runs overflow within one block, at different steps."""
    model, optimizer = cls(degree=3), p.GradientDescent([10, 1e9])
    backend, loop = backend_class(dtype).on(device), loop_class(steps=400, log_every=400)
    result = p.fit(SAMPLES, model, loop=loop, optimizer=optimizer, backend=backend, seed=[0, 1])
    path = by_hand(model, loop, optimizer, backend, model.initial_params([0, 1]), result.steps.max() + 1)
    assert result.steps[1] < result.steps[0] < 400
    for run, steps in enumerate(result.steps):
        np.testing.assert_array_equal(result.params[run], path[steps, run])
        assert np.isfinite(path[: steps + 1, run]).all()
        assert not np.isfinite(path[steps + 1, run]).all()
        assert result.outcome[run] is p.Outcome.DIVERGED


@every_path
def test_growth_by_a_million_is_divergence(backend_class, device, loop_class):
    """The rate is a little too large, so that everything stays finite."""
    model, optimizer = p.PowerSeries(degree=1), p.GradientDescent(1.1)
    backend, loop = backend_class().on(device), loop_class(steps=400, log_every=5)
    result = p.fit(SAMPLES, model, loop=loop, optimizer=optimizer, backend=backend)
    path = by_hand(model, loop, optimizer, backend, model.initial_params(0), 400)
    loss = SAMPLES.loss(model(path, X))
    assert np.isfinite(path[:100]).all()
    assert result.outcome is p.Outcome.DIVERGED
    assert result.steps == result.history.step[-1] < 100
    assert result.history.loss[-1] > 1e6 * loss[0] >= result.history.loss[-2]
    np.testing.assert_array_equal(result.params, path[result.steps])


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
    model, best = p.LegendreSeries(degree=3).on((-1, 2)), np.array([1, 2, -1, 0.5])
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


# Snapshots and history


@every_path
@pytest.mark.parametrize(
    ("steps", "log_every", "at"),
    [(6, 3, [3, 6]), (7, 3, [3, 6, 7]), (5, 100, [5]), (1, 1, [1]), (3, 1, [1, 2, 3])],
)
def test_looks_are_at_the_multiples_and_at_the_end(backend_class, device, loop_class, steps, log_every, at):
    seen = []
    result = p.fit(
        SAMPLES,
        p.PowerSeries(degree=2),
        loop=loop_class(steps=steps, log_every=log_every),
        optimizer=p.Adam(0.1),
        backend=backend_class("float32"),
        device=device,
        seed=[1, 2],
        look=seen.append,
    )
    assert [state.step for state in seen] == at
    assert result.history.step.tolist() == at
    for row, state in enumerate(seen):
        for array in (state.params, state.loss, state.excess, state.grad_norm):
            assert isinstance(array, np.ndarray)
            assert array.dtype == np.float64
        np.testing.assert_array_equal(state.params, result.history.params[row])
        np.testing.assert_array_equal(state.loss, result.history.loss[row])
        np.testing.assert_array_equal(state.grad_norm, result.history.grad_norm[row])
    np.testing.assert_array_equal(seen[-1].params, result.params)
    assert result.steps.tolist() == [steps, steps]


@every_path
def test_history_is_the_loss_before_and_the_parameters_after_an_update(backend_class, device, loop_class):
    """Against gradient descent in five lines."""
    result = p.fit(
        SAMPLES,
        p.PowerSeries(degree=3),
        loop=loop_class(steps=6, log_every=1),
        optimizer=p.GradientDescent(0.01),
        backend=backend_class(),
        device=device,
        seed=3,
    )
    w, vander = np.random.RandomState(3).random_sample(4), polynomial.polyvander(X, 3)
    for row in range(6):
        residual = vander @ w - SAMPLES.y
        gradient = 2 * (residual[:, None] * vander).mean(0)
        assert result.history.loss[row] == pytest.approx((residual**2).mean(), rel=1e-13)
        assert result.history.grad_norm[row] == pytest.approx(np.linalg.norm(gradient), rel=1e-13)
        w = w - 0.01 * gradient
        assert_close(result.history.params[row], w, 1e-13)
    residual = vander @ w - SAMPLES.y
    assert result.loss == pytest.approx((residual**2).mean(), rel=1e-13)
    assert result.max_error == pytest.approx(np.abs(residual).max(), rel=1e-13)


def test_a_look_that_raises_ends_the_fit():
    def interrupt(state):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        p.fit(SAMPLES, p.PowerSeries(), look=interrupt)


@every_place
def test_how_often_somebody_looks_changes_nothing(backend_class, device):
    def fitted(log_every):
        return p.fit(
            SAMPLES,
            p.PowerSeries(degree=2),
            optimizer=p.Adam(0.1),
            loop=p.Manual(steps=20, log_every=log_every),
            backend=backend_class(),
            device=device,
        )

    plain = fitted(20)
    for log_every in (1, 3, 5, 1000):
        np.testing.assert_array_equal(fitted(log_every).params, plain.params)


# By hand


@every_optimizer
@every_path
def test_a_loop_by_hand_equals_fit(cls, backend_class, device, loop_class):
    model, optimizer, loop = p.ChebyshevSeries(degree=4), cls(learning_rate=0.01), loop_class(steps=30, log_every=7)
    result = p.fit(SAMPLES, model, loop=loop, optimizer=optimizer, backend=backend_class(), device=device, seed=5)
    path = by_hand(model, loop, optimizer, backend_class().on(device), model.initial_params(5), 30)
    np.testing.assert_array_equal(result.params, path[-1])


@every_place
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_start_is_before_the_first_update(backend_class, device, dtype):
    backend, params = backend_class(dtype).on(device), np.ones((2, 3))
    state = p.start(params, p.Adam(), backend)
    params[:] = 7  # a state is frozen
    assert state.step == 0
    assert backend.get(state.params).tolist() == np.ones((2, 3)).tolist()
    assert set(state.opt_state) == {"mean", "square", "count"}
    assert np.isnan(backend.get(state.loss)).tolist() == [True, True]
    assert np.isnan(backend.get(state.grad_norm)).tolist() == [True, True]


@every_path
def test_step_is_pure(backend_class, device, loop_class):
    model, backend, optimizer = p.Legendre(), backend_class().on(device), p.Adam(0.1)
    data, state = p.place(SAMPLES, model, backend), p.start(normal(0, 2, 4), optimizer, backend)
    state = p.step(model, loop_class(), optimizer, data, state)

    def copied(state):
        return [backend.get(a) for a in (state.params, state.loss, state.grad_norm, *state.opt_state.values())]

    before = copied(state)
    once, twice = (p.step(model, loop_class(), optimizer, data, state) for _ in range(2))
    np.testing.assert_equal(copied(state), before)
    np.testing.assert_equal(copied(once), copied(twice))
    assert (state.step, once.step) == (1, 2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        state.step = 5


@given(st.integers(1, 30), st.integers(1, 30), st.floats(1e-5, 0.05), st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_gradient_descent_may_be_continued(n, m, rate, seed):
    model, parts = p.PowerSeries(degree=3), {"optimizer": p.GradientDescent(rate), "backend": p.NumPy()}
    first = p.fit(SAMPLES, model, loop=p.Manual(steps=n), seed=seed, **parts)
    second = p.fit(SAMPLES, model, loop=p.Manual(steps=m), params=first.params, **parts)
    whole = p.fit(SAMPLES, model, loop=p.Manual(steps=n + m), seed=seed, **parts)
    np.testing.assert_array_equal(second.params, whole.params)
    assert second.loss == whole.loss
    assert second.history.loss[-1] == whole.history.loss[-1]


# Results


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
    assert result.history.params.shape == (2, *params.shape)
    assert result.history.loss.shape == result.history.grad_norm.shape == (2, 2, 3)
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
    assert result.history.step.tolist() == list(range(200, 4001, 200))
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


# Samples


def test_samples_of_sequences():
    samples = p.Samples.of([1, 3, 2], (4, 5, 6))
    assert samples.x.dtype == samples.y.dtype == np.float64
    assert samples.x.tolist() == [1, 3, 2]
    assert samples.weights.tolist() == [1 / 3] * 3
    assert samples.domain == (1.0, 3.0)
    assert (samples.size, samples.floor, samples.name) == (3, 0.0, "samples")
    assert samples.loss(np.array([4.0, 5.0, 9.0])) == pytest.approx(3, rel=1e-15)
    summed = p.Samples.of([1, 3, 2], [4, 5, 6], loss="sum", domain=[0, 9], name="mine")
    assert summed.weights.tolist() == [1, 1, 1]
    assert (summed.domain, summed.name) == ((0.0, 9.0), "mine")


def test_samples_are_a_copy():
    x = np.arange(3.0)
    samples = p.Samples.of(x, x)
    x[:] = 9
    assert samples.x.tolist() == samples.y.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        ([1, 2], [1], {}, f"{SHAPES} (2,), (1,) and (2,)."),
        ([[1, 2]], [[1, 2]], {}, f"{SHAPES} (1, 2), (1, 2) and (1, 2)."),
        (1, 1, {}, f"{SHAPES} (), () and ()."),
        ([], [], {}, "`x` must be finite numbers, got []."),
        ([1, np.nan], [1, 2], {}, "`x` must be finite numbers, got [1, nan]."),
        ([1, 2], [1, -np.inf], {}, "`y` must be finite numbers, got [1, -inf]."),
        ([1, 2], ["a", "b"], {}, "`y` must be finite numbers, got ['a', 'b']."),
        ([1, [2]], [1, 2], {}, "`x` must be finite numbers, got [1, [2]]."),
        ([1], [1], {"loss": "men"}, "`loss` must be one of mean, sum, got 'men'. Did you mean 'mean'?"),
        ([1], [1], {"domain": (3, 1)}, "`domain` must be [low, high] with low <= high, both finite, got (3, 1)."),
        (
            [1],
            [1],
            {"domain": (0, np.inf)},
            "`domain` must be [low, high] with low <= high, both finite, got (0, inf).",
        ),
    ],
)
def test_samples_that_are_none(x, y, options, message):
    with pytest.raises(p.InputError) as caught:
        p.Samples.of(x, y, **options)
    assert str(caught.value) == message


# What does not go together

NO_AUTOGRAD = (
    "needs autograd, which `backend=numpy` does not offer: type `backend=torch`, or `loop=manual`."  # after the loop
)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"backend": p.NumPy(), "loop": p.Autograd()}, f"`loop=autograd` {NO_AUTOGRAD}"),
        ({"backend": p.NumPy(), "loop": p.CustomFunction()}, f"`loop=custom_function` {NO_AUTOGRAD}"),
        (
            {"backend": p.NumPy(), "device": p.CUDA()},
            "`device=cuda` is not for `backend=numpy`, which offers cpu: type `backend=torch`, or `device=cpu`.",
        ),
        ({"params": [1, 2]}, "params must have shape (*runs, 8), got (2,)."),
        ({"params": [[1] * 7]}, "params must have shape (*runs, 8), got (1, 7)."),
        ({"params": [np.nan] * 8}, f"`params` must be finite numbers, got {[np.nan] * 8}."),
        ({"seed": -1}, "`seed` must be a whole number from 0 to 4294967295 or a sequence of them, got -1."),
        ({"seed": []}, "`seed` must be a whole number from 0 to 4294967295 or a sequence of them, got []."),
    ],
)
def test_parts_that_do_not_go_together(parts, message):
    with pytest.raises(p.InputError) as caught:
        p.fit(p.Problem(), p.PowerSeries(), **parts)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "parts",
    [
        {"seed": [1, 2, 3], "optimizer": p.GradientDescent([0.1, 0.2])},
        {"params": np.ones((3, 8)), "optimizer": p.GradientDescent([0.1, 0.2])},
        {"optimizer": p.Momentum([0.1, 0.2], [0.1, 0.2, 0.3])},
    ],
)
def test_runs_that_do_not_go_together(parts):
    wanted = "Seeds, params and the optimizer's numbers must be for the same runs: "
    with pytest.raises(p.InputError, match=wanted):
        p.fit(p.Problem(), p.PowerSeries(), **parts)


def test_cuda_where_there_is_none(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(p.InputError) as caught:
        p.fit(p.Problem(), p.PowerSeries(), device=p.CUDA())
    assert str(caught.value) == (
        f"`device=cuda` needs a CUDA GPU, and torch {torch.__version__} sees none here: "
        "type `device=cpu`, or `device=auto` for a GPU wherever there is one."
    )


@pytest.mark.parametrize(("count", "there"), [(1, "only GPU 0"), (4, "GPUs 0 to 3")])
def test_a_cuda_index_that_there_is_not(monkeypatch, count, there):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    with pytest.raises(p.InputError) as caught:
        p.Torch().on(p.CUDA(index=7))
    assert str(caught.value) == f"`device.index` must name a GPU that exists ({there} here), got 7."
    assert str(p.Torch().on(p.CUDA(index=0)).device) == "cuda:0"


@pytest.mark.parametrize(
    ("backend_class", "count", "resolved"),
    [(p.Torch, 0, "cpu"), (p.Torch, 1, "cpu"), (p.Torch, 2, "cuda:1"), (p.NumPy, 2, "cpu")],
)
def test_auto_is_a_gpu_where_there_is_one(monkeypatch, backend_class, count, resolved):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    assert str(backend_class().on(p.Auto(index=1)).device) == resolved


@every_place
def test_one_step_by_hand_with_a_rate_for_each_run(backend_class, device):
    backend, model, rates = backend_class().on(device), p.PowerSeries(degree=2), np.array([1e-3, 1e-2, 1e-1])
    data, optimizer = p.place(SAMPLES, model, backend), p.GradientDescent(rates)
    state = p.start(np.ones((3, 3)), optimizer, backend)
    with pytest.raises(p.InputError, match=r"optimizer\.on\(backend\.put\)"):
        p.step(model, p.Manual(), optimizer, data, state)
    stepped = p.step(model, p.Manual(), optimizer.on(backend.put), data, state)
    for row, rate in enumerate(rates):
        alone = p.step(model, p.Manual(), p.GradientDescent(rate), data, p.start(np.ones(3), optimizer, backend))
        assert_close(backend.get(stepped.params)[row], backend.get(alone.params), 1e-14)


def test_a_target_that_works_in_place_leaves_x_alone():
    samples = p.Problem(lambda x: np.multiply(x, 0, out=x), domain=[1, 2], num_samples=3).samples()
    assert samples.x.tolist() == [1, 1.5, 2]
