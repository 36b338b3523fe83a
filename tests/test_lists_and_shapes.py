"""Lists and tuples are accepted wherever arrays are, and x may have any shape."""

import dataclasses
import enum
from typing import Any

import numpy as np
import pytest

import polyexp as p
from polyexp.crosscheck import crosscheck
from polyexp.exact import forecast
from polyexp.model import complex_step, jacobian
from tests.helpers.cases import MODELS, assert_close, bound, every_model, every_runs, normal

pytestmark = pytest.mark.numeric

X = np.linspace(-2, 3, 12)
SAMPLES = p.Samples.of(X, np.sin(2 * X), domain=[-2, 3])
LINEAR = p.PowerSeries(degree=2)
ON_DOMAIN = p.LegendreSeries(degree=2, domain=[-2, 3])
QUADRATIC = p.Quadratic.of(ON_DOMAIN, SAMPLES)
PARAMS = np.array([[1.0, 2, 3], [0, -1, 2]])


def to_tuple(array: np.ndarray) -> Any:
    """The array as nested tuples."""
    return tuple(map(to_tuple, array)) if array.ndim else array.item()


def fitted(**more: Any) -> p.Result:
    """A short fit by NumPy."""
    options = {"loop": p.Manual(steps=30), "backend": p.NumPy(), "optimizer": p.GradientDescent(1e-3)}
    return p.fit(SAMPLES, LINEAR, **options | more)


BATCH = fitted(params=PARAMS)


def by_closed_form(optimizer: p.Optimizer) -> p.Result:
    """A fit by the closed form, which computes with the numbers of the optimizer in NumPy."""
    return fitted(optimizer=optimizer, loop=p.ClosedForm(steps=50))


def merged(give: Any) -> p.Samples:
    """The reduced samples of two chunks."""
    chunks = [p.Chunk(give(x), give(x**3), give(np.ones(6))) for x in (X[:6], X[6:])]
    return p.reduce_chunks(chunks, degree=3)


class Listed(p.Source):
    """Samples that a class of others gives as what it is set to."""

    give: Any = None

    def chunks(self, seed: int = 0, on_progress: Any = None, on_dropped: Any = None) -> Any:
        yield p.Chunk(*(type(self).give(one) for one in (X, np.sin(X), np.ones(12))))


def of_source(give: Any) -> p.Result:
    """The fit of a source whose chunks are made by `give`."""
    source = type("Source", (Listed,), {"give": staticmethod(give), "name": "listed"})()
    return p.fit(source, LINEAR, loop=p.Manual(steps=5), backend=p.NumPy())


RATES, BETAS = np.array([1e-3, 2e-3]), np.array([0.1, 0.9])
# What is computed by name, as functions of `give`, which makes an array, a list or a tuple of an array.
CASES = {
    "fit params": lambda give: fitted(params=give(PARAMS)),
    "fit params of one run": lambda give: fitted(params=give(PARAMS[0])),
    "fit integers": lambda give: fitted(params=give(np.array([1, 2, 3]))),
    "fit seed": lambda give: fitted(seed=give(np.array([3, 4]))),
    "fit torch": lambda give: fitted(params=give(PARAMS), optimizer=p.Momentum(give(RATES)), backend=p.Torch()),
    "learning rate": lambda give: fitted(optimizer=p.GradientDescent(give(RATES))),
    "grid": lambda give: fitted(optimizer=p.Momentum(give(RATES[:, None]), momentum=give(BETAS))),
    "nesterov": lambda give: fitted(optimizer=p.Nesterov(give(RATES), momentum=give(BETAS))),
    "rmsprop": lambda give: fitted(optimizer=p.RMSprop(1e-3, alpha=give(BETAS), eps=give(RATES))),
    "adam": lambda give: fitted(optimizer=p.Adam(give(RATES), beta1=give(BETAS), beta2=give(BETAS), eps=give(RATES))),
    "closed form, rates": lambda give: by_closed_form(p.GradientDescent(give(RATES))),
    "closed form, momentum": lambda give: by_closed_form(p.Momentum(1e-2, momentum=give(BETAS))),
    "closed form, both": lambda give: by_closed_form(p.Momentum(give(RATES), momentum=give(BETAS))),
    "limit": lambda give: [rule(1e-3, momentum=give(BETAS)).limit(4.0) for rule in (p.Momentum, p.Nesterov)],
    "tuned": lambda give: vars(p.GradientDescent("auto").tuned(give(np.array([3.0, 1, 0])), give(np.ones((2, 3))), 7)),
    "damping": lambda give: p.GradientDescent(0.25).damping(give(np.array([3.0, 1, 0])), 7),
    "damping, momentum": lambda give: [p.Momentum(0.25).damping(give(np.array([3.0, 1, 0])), n) for n in (0, 1, 7)],
    "damping, runs": lambda give: (
        p.Momentum(give(RATES), momentum=give(BETAS)).on_device(np.asarray).damping(give(np.array([3.0, 1, 0])), 7)
    ),
    "init": lambda give: [
        {name: np.shape(array) for name, array in rule().init(give(PARAMS)).items()}
        for rule in (p.GradientDescent, p.Momentum, p.Nesterov, p.RMSprop, p.Adam)
    ],
    "of run": lambda give: vars(p.Momentum(give(RATES), momentum=0.5).of_run(1, (2,))),
    "initial": lambda give: p.PowerSeries(degree=2, initial=give(PARAMS[0])).initial_params(),
    "fit initial": lambda give: p.fit(SAMPLES, p.PowerSeries(degree=2, initial=give(PARAMS[0])), backend=p.NumPy()),
    "seeds": lambda give: LINEAR.initial_params(give(np.array([0, 1]))),
    "domain of a model": lambda give: p.LegendreSeries(degree=2, domain=give(np.array([-1.0, 2])))(PARAMS, X),
    "on_domain": lambda give: p.LegendreSeries(degree=2).on_domain(give(np.array([-1.0, 2])))(PARAMS, X),
    "check_params": lambda give: LINEAR.check_params(give(PARAMS)),
    "complex_step": lambda give: complex_step(lambda w: (w**2).sum(-1), give(PARAMS)),
    "result": lambda give: BATCH(give(X)),
    "samples": lambda give: p.Samples.of(give(X), give(X**2), give(1 + X**2), domain=give(np.array([-3.0, 3]))),
    "loss": lambda give: SAMPLES.loss(give(X)),
    "loss of runs": lambda give: SAMPLES.loss(give(np.stack([X, X**2]))),
    "problem": lambda give: p.Problem("exp", domain=give(np.array([-1.0, 1])), num_samples=9).samples(),
    "fit of a problem": lambda give: p.fit(
        p.Problem("exp", domain=give(np.array([-1.0, 1]))), LINEAR, loop=p.Manual(steps=5), backend=p.NumPy()
    ),
    "target": lambda give: p.Problem(lambda x: give(x**2), domain=[0, 1], num_samples=9).samples(),
    "reduce_chunks": merged,
    "reduce_chunks, integers": lambda give: p.reduce_chunks(
        [p.Chunk(give(np.arange(9)), give(np.arange(9) ** 2), give(np.ones(9, int)))], degree=3
    ),
    "a source": of_source,
    "start": lambda give: p.start(give(PARAMS), p.Adam(), p.NumPy()),
    "start, torch": lambda give: p.start(give(PARAMS), p.Momentum(), p.Torch()).moved(p.Torch().get),
    "put": lambda give: [backend.get(backend.put(give(PARAMS))) for backend in (p.NumPy(), p.Torch())],
    "coordinates": lambda give: QUADRATIC.coordinates(give(PARAMS)),
    "params": lambda give: QUADRATIC.params(give(PARAMS)),
    "excess": lambda give: QUADRATIC.excess(give(PARAMS)),
    "excess_at": lambda give: QUADRATIC.excess_at(give(PARAMS)),
    "excess_at of one run": lambda give: QUADRATIC.excess_at(give(PARAMS[0])),
    "legendre sum": lambda give: p.LegendreSum.basis(4)(give(X)),
    "legendre sum of degree 1": lambda give: p.LegendreSum.basis(1)(give(X)),
    "coefficients of a legendre sum": lambda give: p.LegendreSum(give(np.array([1.0, 2, 3]))).derivative()(X),
    "forecast": lambda give: (
        forecast(ON_DOMAIN, p.Manual(steps=9), p.GradientDescent(1e-2), SAMPLES, initial=give(PARAMS[0])).final_loss
    ),
    "forecast of integers": lambda give: (
        forecast(
            p.Legendre(), p.Manual(), p.GradientDescent(1e-2), SAMPLES, initial=give(np.array([1, 2, 3, 4]))
        ).eigenvalues
    ),
}


def cases_of(model: p.Model) -> dict[str, Any]:
    """What a model computes by name, as functions of `give`."""
    params = normal(1, 2, 4)
    return {
        f"{model.choice} values": lambda give: model(give(params), give(X)),
        f"{model.choice} values of one run": lambda give: model(give(params[0]), give(X)),
        f"{model.choice} features": lambda give: model.features(give(X)),
        f"{model.choice} power_series": lambda give: model.power_series(give(params)),
        f"{model.choice} formula": lambda give: model.formula(give(params[0])),
        f"{model.choice} jacobian": lambda give: jacobian(model, give(params), give(model.features(X))),
    }


for one in MODELS:
    CASES |= cases_of(bound(one, 3))


def numbers(value: Any) -> Any:
    """What is compared: the numbers of a value, without the time that a fit took and without functions."""
    if dataclasses.is_dataclass(value) and not isinstance(value, (p.Component, p.Samples)):
        return {
            one.name: numbers(getattr(value, one.name)) for one in dataclasses.fields(value) if one.name != "seconds"
        }
    if isinstance(value, p.Samples):
        return [value.x, value.y, value.weights, value.domain, value.floor, value.total]
    if isinstance(value, p.Component):
        return None  # compared by what it computes
    if isinstance(value, dict):
        return {name: numbers(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [numbers(one) for one in value]
    return value


def assert_equal(actual: Any, expected: Any) -> None:
    """Equal to the bit, and of the same types."""
    assert type(actual) is type(expected)
    if isinstance(expected, dict):
        assert actual.keys() == expected.keys()
        for name, one in expected.items():
            assert_equal(actual[name], one)
    elif isinstance(expected, list):
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected, strict=True):
            assert_equal(one, other)
    elif isinstance(expected, (str, enum.Enum)) or expected is None:
        assert actual == expected
    else:
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("make", [np.ndarray.tolist, to_tuple], ids=["list", "tuple"])
@pytest.mark.parametrize("case", CASES)
def test_a_list_gives_what_an_array_gives(case, make):
    compute = CASES[case]
    assert_equal(numbers(compute(make)), numbers(compute(np.asarray)))


def test_a_list_chooses_runs_as_an_array_does():
    assert_equal(numbers(BATCH[[1, 0]]), numbers(BATCH[np.array([1, 0])]))
    assert_equal(numbers(BATCH.history.of_run([1, 0])), numbers(BATCH.history.of_run(np.array([1, 0]))))
    assert BATCH[[1, 0]].params.tolist() == BATCH.params[::-1].tolist()


@pytest.mark.parametrize("steps", [0, 1, 7])
@pytest.mark.parametrize(
    "rule",
    [p.GradientDescent([0.1, 0.2]), p.Momentum([0.1, 0.2]), p.Momentum(0.1, momentum=[0.1, 0.9])],
    ids=["gradient descent", "momentum, rates", "momentum, momentums"],
)
def test_the_damping_has_one_row_for_each_run(rule, steps):
    assert rule.on_device(np.asarray).damping(np.array([3.0, 1, 0]), steps).shape == (2, 3)


def test_a_crosscheck_from_a_list_is_that_from_an_array():
    few = p.gauss(SAMPLES, 2)
    found = [
        crosscheck(ON_DOMAIN, few, optimizer=p.GradientDescent(1e-2), initial=initial, steps=5)
        for initial in ([1, 2, 3], np.array([1.0, 2, 3]))
    ]
    assert found[0].agrees
    assert_equal(numbers(found[0].checks), numbers(found[1].checks))
    assert [one.agrees for one in found[0].formulations] == [one.agrees for one in found[1].formulations]
    assert (found[0].steps, found[0].tolerance, found[0].notes) == (found[1].steps, found[1].tolerance, found[1].notes)


def test_momentums_as_a_list_are_runs_of_the_closed_form():
    result = by_closed_form(p.Momentum(1e-2, momentum=[0.1, 0.9]))
    assert result.runs == (2,)
    for run, momentum in enumerate([0.1, 0.9]):
        alone = by_closed_form(p.Momentum(1e-2, momentum=momentum))
        assert_close(result.params[run], alone.params, 1e-12)
        assert result.loss[run] == pytest.approx(alone.loss, rel=1e-12)
        assert result[run].optimizer == alone.optimizer


# Shapes of x

SHAPES = [(), (1,), (7,), (0,), (2, 3), (2, 0), (1, 2, 2)]


def values_of(model: p.Model, params: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The values by the power series in x, one number at a time."""
    values = np.empty((*params.shape[:-1], *x.shape))
    series = np.asarray(model.power_series(params))
    for run in np.ndindex(params.shape[:-1]):
        for place in np.ndindex(x.shape):
            values[(*run, *place)] = np.polynomial.polynomial.polyval(float(x[place]), series[run])
    return values


@every_model
@every_runs
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_model_takes_x_of_any_shape(cls, runs, shape):
    model, params = bound(cls, 4), normal(2, *runs, len(bound(cls, 4).param_names))
    x = np.clip(normal(3, *shape), -2, 3)
    values = model(params, x)
    assert isinstance(values, np.ndarray)
    assert (values.shape, values.dtype) == ((*runs, *shape), float)
    expected = values_of(model, params, np.asarray(x))
    np.testing.assert_allclose(values, expected, rtol=1e-11, atol=1e-11 * np.abs(expected).max(initial=1))
    np.testing.assert_array_equal(model(params.tolist(), np.asarray(x).tolist()), values)


@every_model
@every_runs
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_result_takes_x_of_any_shape(cls, runs, shape):
    result = SHAPED[cls.name, runs]
    x = np.clip(normal(4, *shape), -2, 3)
    values = result(x)
    assert (result.runs, values.shape, values.dtype) == (runs, (*runs, *shape), float)
    np.testing.assert_array_equal(values, result.model(result.params, x))
    expected = values_of(result.model, result.params, np.asarray(x))
    np.testing.assert_allclose(values, expected, rtol=1e-11, atol=1e-11 * np.abs(expected).max(initial=1))
    for run in np.ndindex(runs):
        np.testing.assert_allclose(result[run](x) if runs else values, values[run], rtol=1e-13, atol=1e-13)


def shaped(cls: type[Any], runs: tuple[int, ...]) -> p.Result:
    """A fit with runs of this shape."""
    model = cls(degree=3, initial_scale=0.3)
    params = 0.3 * normal(5, *runs, len(model.param_names))
    return p.fit(SAMPLES, model, loop=p.Manual(steps=3), backend=p.NumPy(), params=params)


SHAPED = {(cls.name, runs): shaped(cls, runs) for cls in MODELS for runs in [(), (3,), (2, 3)]}


def test_one_number_gives_an_array_without_axes():
    result = p.fit(p.Problem("sin"), p.LegendreSeries(degree=3), optimizer=p.GradientDescent("auto"), backend=p.NumPy())
    value = result(0.5)
    assert (type(value), value.shape) == (np.ndarray, ())
    assert float(value) == result([0.5])[0]
    assert result([[0.5, 1.0]]).tolist() == [result([0.5, 1.0]).tolist()]
    assert result([]).shape == (0,)
    assert float(value) == pytest.approx(np.sin(0.5), abs=0.1)
