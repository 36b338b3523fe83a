"""Finite input of which float64 cannot compute a loss is refused before the run; what it can hold is computed rightly."""

import json

import numpy as np
import pytest

import polyexp as p
from polyexp.exact import require_computable
from tests.helpers.commands import run_in_process
from tests.helpers.refusals import require_refused

QUICK = ("tracking=none", "backend=numpy", "loop.steps=20", "problem.num_samples=50")

REFUSED = {
    "problem.noise=1e300": "`problem.noise`",
    "problem.noise=1e150 problem.reduction=none": "`problem.noise`",
    "problem.domain=[0,1e-320]": "`problem.domain`",
    "problem.domain=[-5e-324,5e-324]": "`problem.domain`",
    "problem.domain=[-1.7e308,1.7e308]": "`problem.domain`",
    "problem.domain=[-1e154,1e154]": "`model=legendre_series`",
    "problem.domain=[1e300,1.7e308]": "`model=legendre_series`",
    "problem=exp problem.domain=[0,700]": "where exp is small enough",
    "problem=exp problem.domain=[0,800]": "where exp is finite",
    "problem=abs problem.domain=[0,1e200] model=legendre_series": "where abs is small enough",
    "model.initial_scale=1e300": "`model.initial_scale`",
    "model.initial_scale=-1e160 model=legendre_series": "`model.initial_scale`",
    "model.initial=[0,0,0,0,0,0,0,1e200]": "`model.initial`",
}


@pytest.mark.parametrize("typed", REFUSED)
def test_overflow_is_refused(typed, tmp_path):
    assert REFUSED[typed] in require_refused(tmp_path, *QUICK, *typed.split())


HELD = [
    "problem.domain=[0,1e-300] model=legendre_series problem.sampling=chebyshev",
    "problem.domain=[-1e154,1e154] model=legendre_series",
    "problem=abs problem.domain=[0,1e130] model=legendre_series",
    "problem=exp problem.domain=[0,300] model=legendre_series",
    "problem.noise=1e130 model=legendre_series",
    "model.initial_scale=1e130 model=legendre_series",
]


@pytest.mark.parametrize("typed", HELD)
def test_what_float64_holds_is_computed(typed, tmp_path):
    require_computed(tmp_path, typed)


def test_powers_that_vanish_are_computed_with_a_warning(tmp_path):
    """Of the powers of x at most 1e-300, only x^0 adds more to the loss than float64 can tell from nothing."""
    warning = "warning: float64 cannot determine 7 of the 8 modes of this model from these samples"
    require_computed(
        tmp_path, "problem.domain=[0,1e-300]", f"{warning}: what they leave open keeps its initial value.\n"
    )


def require_computed(tmp_path, typed, warned=""):
    ended = run_in_process(*QUICK, "optimizer.learning_rate=auto", *typed.split(), cwd=tmp_path)
    assert (ended.code, ended.err) == (0, warned)
    (file,) = tmp_path.rglob("result.json")
    told = json.loads(file.read_text())
    assert told["outcome"] != "DIVERGED"
    assert np.isfinite(told["loss"])


@pytest.mark.numeric
@pytest.mark.parametrize("scale", [2.0**-400, 1.0, 2.0**400])
def test_results_scale_with_y(scale):
    """With a power of two as the unit of y every step is the same, to the bit."""
    x = np.linspace(-1, 1, 30)

    def fitted(unit):
        samples = p.Samples.of(x, unit * np.exp(x))
        model = p.LegendreSeries(degree=3, initial="zeros")
        return p.fit(samples, model, optimizer=p.GradientDescent(0.3), loop=p.Manual(steps=50), backend=p.NumPy())

    np.testing.assert_array_equal(fitted(scale).params, scale * fitted(1.0).params)


@pytest.mark.parametrize("field", ["x", "y", "weights"])
def test_a_source_of_others_is_checked_too(field):
    class Own(p.Source):
        name = "own"

        def chunks(self, seed=0, on_progress=None, on_dropped=None):
            values = {"x": [1.0, 2.0], "y": [1.0, 2.0], "weights": [1.0, 2.0]}
            values[field] = [0.0, 1e-310] if field == "x" else [1e300, 0.0]
            yield p.Chunk(**values)

    said = {"x": "The x of own must be ", "y": "The y of own must be ", "weights": "The weight of own must be "}
    with pytest.raises(p.InputError, match=said[field]):
        p.fit(Own(), p.PowerSeries(degree=1), backend=p.NumPy())


def test_the_model_is_tried_where_x_is_largest():
    x = np.zeros(5000)
    x[1234] = 1e60
    with pytest.raises(p.InputError, match=r"`problem.x` must have x at which float64 holds"):
        require_computable(p.PowerSeries(degree=3), p.Samples.of(x, x * 0), np.zeros(4), "problem.x")
    require_computable(p.PowerSeries(degree=2), p.Samples.of(x, x * 0), np.zeros(3), "problem.x")
