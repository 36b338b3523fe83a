"""fit: many runs at once."""

import numpy as np
import pytest

import polyexp as p
from tests.helpers.cases import assert_close, every_model, every_path, every_place
from tests.helpers.fits import SAMPLES

pytestmark = pytest.mark.numeric


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
