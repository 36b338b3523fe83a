"""fit: snapshots and history."""

import numpy as np
import pytest
from numpy.polynomial import polynomial

import polyexp as p
from tests.helpers.cases import assert_close, assert_same, every_path, every_place
from tests.helpers.fits import SAMPLES, X

pytestmark = pytest.mark.numeric


@every_path
@pytest.mark.parametrize(
    ("steps", "log_every", "at"),
    [(6, 3, [1, 2, 3, 6]), (7, 3, [1, 2, 3, 6, 7]), (5, 100, [1, 2, 5]), (1, 1, [1]), (3, 1, [1, 2, 3])],
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
        observe=seen.append,
    )
    assert [state.step for state in seen] == at
    assert [state.early for state in seen] == [step < min(steps, log_every) for step in at]
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
        p.fit(SAMPLES, p.PowerSeries(), observe=interrupt)


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
        assert_same(backend_class, fitted(log_every).params, plain.params, 20 * X.size)
