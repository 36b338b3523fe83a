"""start and step: a loop that is written by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import polyexp as p
from tests.helpers.cases import assert_close, assert_same, every_optimizer, every_path, every_place, normal
from tests.helpers.fits import SAMPLES, X, by_hand

pytestmark = pytest.mark.numeric


@every_optimizer
@every_path
def test_a_loop_by_hand_equals_fit(cls, backend_class, device, loop_class):
    model, optimizer, loop = p.ChebyshevSeries(degree=4), cls(learning_rate=0.01), loop_class(steps=30, log_every=7)
    result = p.fit(SAMPLES, model, loop=loop, optimizer=optimizer, backend=backend_class(), device=device, seed=5)
    path = by_hand(model, loop, optimizer, backend_class().on_device(device), model.initial_params(5), 30)
    assert_same(backend_class, result.params, path[-1], 30 * X.size)


@every_place
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_start_is_before_the_first_update(backend_class, device, dtype):
    backend, params = backend_class(dtype).on_device(device), np.ones((2, 3))
    state = p.start(params, p.Adam(), backend)
    params[:] = 7  # a state is frozen
    assert state.step == 0
    assert backend.get(state.params).tolist() == np.ones((2, 3)).tolist()
    assert set(state.opt_state) == {"mean", "square", "count"}
    assert np.isnan(backend.get(state.loss)).tolist() == [True, True]
    assert np.isnan(backend.get(state.grad_norm)).tolist() == [True, True]


@every_path
def test_step_is_pure(backend_class, device, loop_class):
    model, backend, optimizer = p.Legendre(), backend_class().on_device(device), p.Adam(0.1)
    data, state = p.place(SAMPLES, model, backend), p.start(normal(0, 2, 4), optimizer, backend)
    state = p.step(model, loop_class(), optimizer, data, state)

    def copied(state):
        return [backend.get(a) for a in (state.params, state.loss, state.grad_norm, *state.opt_state.values())]

    before = copied(state)
    once, twice = (p.step(model, loop_class(), optimizer, data, state) for _ in range(2))
    np.testing.assert_equal(copied(state), before)
    np.testing.assert_equal(copied(once), copied(twice))
    assert (state.step, once.step) == (1, 2)
    with pytest.raises(AttributeError):
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


@every_place
def test_one_step_by_hand_with_a_rate_for_each_run(backend_class, device):
    backend, model, rates = backend_class().on_device(device), p.PowerSeries(degree=2), np.array([1e-3, 1e-2, 1e-1])
    data, optimizer = p.place(SAMPLES, model, backend), p.GradientDescent(rates)
    state = p.start(np.ones((3, 3)), optimizer, backend)
    with pytest.raises(p.InputError, match=r"optimizer\.on_device\(backend\.put\)"):
        p.step(model, p.Manual(), optimizer, data, state)
    stepped = p.step(model, p.Manual(), optimizer.on_device(backend.put), data, state)
    for row, rate in enumerate(rates):
        alone = p.step(model, p.Manual(), p.GradientDescent(rate), data, p.start(np.ones(3), optimizer, backend))
        assert_close(backend.get(stepped.params)[row], backend.get(alone.params), 1e-14)
