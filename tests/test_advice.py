"""What is suggested instead of a run: it has been forecast, it is the best of what was tried, and a fit does it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import polyexp as p
from polyexp.exact import alternative, close_excess, forecast, hopeless, prediction, quadratic_of
from polyexp.report.sentences import advice, futile, futile_jobs, undetermined
from tests.helpers.cases import NoPolynomial
from tests.helpers.commands import run_in_process

pytestmark = pytest.mark.numeric

SIN = p.Problem().samples()


def forecast_of(model, optimizer=None, samples=SIN, loop=None, seed=0):
    model = model.on_domain(samples.domain)
    optimizer = optimizer or p.GradientDescent(1e-9)
    return forecast(model, loop or p.Manual(), optimizer, samples, model.initial_params(seed))


def typed(words, run):
    """The forecast of the run with the words typed, and whether they are words of the command line."""
    settings = dict(word.split("=") for word in words.split())
    model, optimizer, loop = run.model, run.optimizer, run.loop
    if "model" in settings:
        degree = int(settings.pop("model.degree", 7))
        initial = settings.pop("model.initial", tuple(run.initial))
        assert settings.pop("model") == "legendre_series"
        model = p.LegendreSeries(degree=degree, initial=initial)
    if "optimizer" in settings:
        optimizer = {"momentum": p.Momentum, "gradient_descent": p.GradientDescent}[settings.pop("optimizer")]()
    numbers = {
        name: settings.pop(f"optimizer.{name}")
        for name in ("learning_rate", "momentum")
        if f"optimizer.{name}" in settings
    }
    optimizer = replace(optimizer, **numbers)
    steps = int(float(settings.pop("loop.steps", loop.steps)))
    loop = p.ClosedForm(steps) if settings.pop("loop", "") == "closed_form" else replace(loop, steps=steps)
    assert not settings
    return forecast_of(
        replace(model, initial=tuple(run.initial)) if model is run.model else model, optimizer, run.samples, loop
    )


MODELS = [
    p.PowerSeries(),
    p.PowerSeries(degree=4),
    p.ChebyshevSeries(degree=9, initial="normal"),
    p.HermiteSeries(degree=5, initial="zeros"),
    p.LegendreSeries(degree=5, initial=[1, 2, 3, 4, 5, 6], domain=[-4, 4]),
    p.Legendre(),
    p.Legendre(degree=5),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: f"{model.name}-{model.degree}")
@pytest.mark.parametrize("optimizer", [p.GradientDescent(1e-12), p.Momentum(1e-12), p.Adam()], ids=lambda one: one.name)
@pytest.mark.parametrize("steps", [4, 100, 4000])
def test_what_is_suggested_holds_when_it_is_run(model, optimizer, steps):
    run = forecast_of(model, optimizer, loop=p.Manual(steps))
    other = alternative(run)
    followed = typed(other.words, run)
    loop = replace(followed.loop, steps=other.steps)
    start = followed.initial
    result = p.fit(SIN, followed.model, loop=loop, optimizer=followed.optimizer, params=start, backend=p.NumPy())
    # As the predictions of `auto`: 1e-6 of the loss, and 1e-13 of the first loss, which is the rounding of many steps.
    assert result.loss == pytest.approx(other.loss, rel=1e-6, abs=1e-13 * float(result.history.loss[0]))
    if other.close:
        assert result.loss - run.lowest <= close_excess(run) * (1 + 1e-6)
    assert not run.final_loss or other.loss < run.final_loss


@settings(max_examples=30, deadline=None)
@given(
    degree=st.integers(1, 9),
    rate=st.floats(1e-14, 1e-8),
    steps=st.integers(1, 10_000),
    cls=st.sampled_from([p.PowerSeries, p.ChebyshevSeries, p.LegendreSeries]),
)
def test_no_other_words_of_a_few_are_better(degree, rate, steps, cls):
    run = forecast_of(cls(degree=degree), p.GradientDescent(rate), loop=p.Manual(steps))
    other = alternative(run)
    tried = [
        forecast_of(model, p.GradientDescent("auto"), loop=p.Manual(steps))
        for model in (cls(degree=degree), p.LegendreSeries(degree=degree))
    ]
    close = close_excess(run)
    needed = [one.steps_to(close) for one in tried]
    reached = [count for count in needed if count is not None and count <= steps]
    if other.close:
        assert all(other.steps <= count for count in reached)
    else:
        assert not reached
        assert all(other.loss <= one.final_loss * (1 + 1e-12) for one in tried)


def test_nothing_better_is_suggested_to_the_best():
    run = forecast_of(p.LegendreSeries(), p.GradientDescent("auto"))
    assert alternative(run) is None
    assert [line for line in advice(run) if "`" in line] == []


def test_a_linear_model_that_is_no_polynomial_is_told_of_its_own_settings():
    assert alternative(forecast_of(NoPolynomial())).words in (
        "optimizer.learning_rate=auto",
        "optimizer=momentum optimizer.learning_rate=auto optimizer.momentum=auto",
    )


def test_samples_in_clusters_are_told_of_the_closed_form():
    x = np.concatenate([np.linspace(10, 10.5, 50), np.linspace(40, 40.5, 50)])
    run = forecast_of(p.PowerSeries(), p.GradientDescent("auto"), p.Samples.of(x, np.sin(x)))
    words = "model=legendre_series optimizer.learning_rate=auto loop=closed_form loop.steps=1e18"
    assert (alternative(run).words, alternative(run).close) == (words, True)


# Runs that get nowhere


@pytest.mark.parametrize(
    ("optimizer", "steps", "expected"),
    [
        (p.GradientDescent(1e-6), 4000, False),
        (p.GradientDescent(1e-12), 4000, True),
        (p.GradientDescent(1e-9), 1, True),
        (p.GradientDescent(1, allow_divergence=True), 4000, False),  # as it was asked for
        (p.Adam(1e-12), 4000, False),  # whose loss cannot be predicted
    ],
)
def test_a_run_that_loses_less_than_a_hundredth_of_its_excess_is_hopeless(optimizer, steps, expected):
    run = forecast_of(p.PowerSeries(), optimizer, loop=p.Manual(steps))
    assert hopeless(run) is expected
    assert len(futile(run)) == expected


def test_a_run_that_begins_at_its_optimum_is_not_hopeless():
    best = forecast_of(p.LegendreSeries()).quadratic.optimum
    assert not hopeless(forecast_of(p.LegendreSeries(initial=tuple(best)), p.GradientDescent(1e-12)))


def test_the_threshold_is_a_hundredth():
    """One mode alone: its excess falls by (1 - rate * eigenvalue)^2 in a step."""
    samples, model = p.Samples.of([-1, 1], [1, 1]), p.PowerSeries(degree=0, initial=[0.0])
    for fall, expected in ((0.0099, True), (0.0101, False)):
        rate = (1 - (1 - fall) ** 0.5) / 2
        assert hopeless(forecast_of(model, p.GradientDescent(rate), samples, p.Manual(1))) is expected


def test_hopeless_jobs_are_counted():
    good, bad = (forecast_of(p.PowerSeries(), p.GradientDescent(rate)) for rate in (1e-6, 1e-12))
    assert futile_jobs([good, good]) == []
    (line,) = futile_jobs([good, bad, bad])
    assert line.startswith(
        "The forecast of 2 of 3 jobs is a fall of less than 1 % of the excess loss. `model=legendre_series "
    )


def test_a_sweep_says_it_once_at_its_end(tmp_path):
    words = ["-m", "optimizer.learning_rate=1e-13,1e-12,1e-6", "backend=numpy", "tracking=none", "report.pictures=none"]
    ended = run_in_process(*words, cwd=tmp_path)
    assert ended.code == 0
    assert ended.err.startswith("warning: The forecast of 2 of 3 jobs is a fall of less than 1 % of the excess loss. ")
    assert len(ended.err.splitlines()) == 1


# What the samples do not determine


@pytest.mark.parametrize(
    ("samples", "model", "expected"),
    [
        (p.Samples.of([0, 0], [100, 101]), p.PowerSeries(degree=1), "1 distinct x cannot determine 2 parameters"),
        (p.Samples.of([0, 1, 1, 2], [1, 2, 3, 4]), p.PowerSeries(), "3 distinct x cannot determine 8 parameters"),
        (p.Samples.of([0, 1, 2], [1, 2, 3]), p.Legendre(), "3 distinct x cannot determine 4 parameters"),
        (SIN, p.PowerSeries(degree=40), "float64 cannot determine "),
    ],
)
def test_what_is_not_determined_is_said(samples, model, expected):
    (line,) = undetermined(forecast_of(model, p.GradientDescent(1e-30), samples))
    assert line.startswith(expected)
    assert line.endswith("what they leave open keeps its initial value.")


def test_nothing_is_said_where_the_samples_determine_all():
    assert undetermined(forecast_of(p.PowerSeries())) == undetermined(forecast_of(p.Legendre())) == []


@pytest.mark.parametrize(
    ("x", "y", "expected", "unexpected"),
    [
        ([0, 0, 1, 1], [100, 101, 5, 7], "the rest is scatter of samples with the same x", "higher model.degree"),
        ([0, 1, 2], [1, 2, 4], "a higher model.degree", "scatter"),
        ([0, 1], [1, 2], "This is as good as the best possible loss.", "higher model.degree"),
    ],
)
def test_a_higher_degree_is_advised_where_it_can_help(tmp_path, x, y, expected, unexpected):
    np.savetxt(tmp_path / "d.csv", np.column_stack([x, y]), "%.17g", ",", header="x,y", comments="")
    words = ["problem=file", "problem.path=d.csv", "model=legendre_series", "model.degree=1", "loop=closed_form"]
    ended = run_in_process(
        *words, "loop.steps=1e18", "optimizer.learning_rate=auto", "tracking=none", "report.pictures=none", cwd=tmp_path
    )
    assert ended.code == 0
    assert expected in ended.out
    assert unexpected not in ended.out


@pytest.mark.parametrize("initial", ["uniform", [0.5, -1, 2]])
def test_the_quadratic_form_of_the_legendre_series_is_computed_once(initial, monkeypatch):
    """It does not depend on the rate and the steps, of which several are tried."""
    computed = []

    def counted(model, samples):
        computed.append(model.choice)
        return quadratic_of(model, samples)

    monkeypatch.setattr(prediction, "quadratic_of", counted)
    run = forecast_of(p.PowerSeries(degree=2, initial=initial))
    assert alternative(run).words.startswith("model=legendre_series")
    assert computed == ["power_series", "legendre_series"]
