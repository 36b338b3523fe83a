"""learning_rate=auto and momentum=auto: the best numbers for a run in hindsight."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import polyexp as p
from polyexp.exact import above, at_most, forecast, tuned
from polyexp.experiment import build, compute
from polyexp.optimizer.pair_search import Search, best_pair
from tests.helpers.cases import LINEAR
from tests.helpers.commands import SHORT, run_in_process
from tests.helpers.config import composed

pytestmark = pytest.mark.numeric

EPS = 2.0**-52
MARGIN = 1 + 1e-9
DEFAULT = p.PowerSeries().on_domain((-np.pi, np.pi))
SIN = p.Problem().samples()
NUMPY = p.NumPy()

models = st.builds(lambda cls, degree: cls(degree=degree), st.sampled_from(LINEAR), st.integers(1, 12))
step_numbers = st.floats(0, 6).map(lambda power: int(10**power))
seeds = st.integers(0, 1000)


def start(model, seed=0):
    """The model on the domain, its quadratic form and the coordinates of its initial values."""
    model = model.on_domain(SIN.domain)
    quadratic = p.Quadratic.of(model, p.gauss(SIN, model.degree))
    return quadratic, quadratic.coordinates(model.initial_params(seed))


def excess_of(rule, quadratic, coordinates, steps):
    """The predicted excess at the rule's numbers, an array for arrays."""
    factors = rule.on_device(np.asarray).damping(quadratic.eigenvalues, steps)
    with np.errstate(all="ignore"):
        return (quadratic.eigenvalues / 2 * (factors * coordinates) ** 2).sum(-1)


def rates_of_interval(quadratic, momentum=0.0, number=1000):
    """Rates on a logarithmic scale up to the largest that is allowed."""
    limit = 2 * (1 + momentum) / quadratic.largest
    return np.geomspace(1e-6 * limit, limit * (1 - 8 * quadratic.eigenvalues.size * EPS), number)


def steps_to(rule, quadratic, coordinates, tolerance, steps):
    """The first number of steps with at most this excess, by bisection; of gradient descent, which never grows."""
    low, high = 0, steps
    while high - low > 1:
        middle = (low + high) // 2
        reached = excess_of(rule, quadratic, coordinates, middle) <= tolerance
        low, high = (low, middle) if reached else (middle, high)
    return high


@settings(max_examples=200, deadline=None)
@given(model=models, steps=step_numbers, seed=seeds)
def test_gradient_descent_is_never_above_a_thousand_rates(model, steps, seed):
    quadratic, coordinates = start(model, seed)
    best = p.GradientDescent("auto").tuned(quadratic.eigenvalues, coordinates, steps)
    rates = rates_of_interval(quadratic)
    assert 0 < best.learning_rate <= rates[-1]
    grid = excess_of(p.GradientDescent(rates), quadratic, coordinates, steps)
    assert excess_of(best, quadratic, coordinates, steps) <= grid.min() * MARGIN + 1e-300


@settings(max_examples=50, deadline=None)
@given(model=models, power=st.floats(-12, 0), seed=seeds)
def test_gradient_descent_needs_the_fewest_steps_to_a_tolerance(model, power, seed):
    quadratic, coordinates = start(model, seed)
    tolerance = 10**power * float(quadratic.excess_at(coordinates))
    best = p.GradientDescent("auto").tuned(quadratic.eigenvalues, coordinates, 10**6, tolerance)
    within = excess_of(best, quadratic, coordinates, 10**6) <= tolerance
    rates = rates_of_interval(quadratic)
    if not within:
        assert (excess_of(p.GradientDescent(rates), quadratic, coordinates, 10**6) > tolerance).all()
        assert best == p.GradientDescent("auto").tuned(quadratic.eigenvalues, coordinates, 10**6)
        return
    needed = steps_to(best, quadratic, coordinates, tolerance, 10**6)
    same = p.GradientDescent("auto").tuned(quadratic.eigenvalues, coordinates, needed)
    assert best == same  # of the rates that need as many, the one with the least excess
    if needed > 1:
        others = excess_of(p.GradientDescent(rates), quadratic, coordinates, needed - 1)
        assert (others > tolerance).all()


@settings(max_examples=20, deadline=None)
@given(model=models, steps=st.floats(0, 4).map(lambda power: int(10**power)), seed=seeds)
def test_a_run_reaches_what_is_predicted(model, steps, seed):
    samples = p.gauss(SIN, model.degree)
    check_prediction(model, samples, steps, seed)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(model=models, steps=st.integers(100_000, 300_000), seed=seeds)
def test_a_long_run_reaches_what_is_predicted(model, steps, seed):
    samples = p.gauss(SIN, model.degree)
    check_prediction(model, samples, steps, seed)


def check_prediction(model, samples, steps, seed):
    loop = p.Manual(steps, log_every=steps)
    predicted = forecast(
        model.on_domain(samples.domain), loop, p.GradientDescent("auto"), samples, model.initial_params(seed)
    )
    result = p.fit(samples, model, loop=loop, optimizer=p.GradientDescent("auto"), backend=NUMPY, seed=seed)
    assert result.optimizer == predicted.optimizer
    first = float(predicted.lowest + predicted.quadratic.excess(predicted.initial))
    assert float(result.loss) == pytest.approx(predicted.final_loss, rel=1e-6, abs=1e-13 * first)


def test_the_default_problem():
    result = p.fit(p.Problem(), p.PowerSeries(), optimizer=p.GradientDescent("auto"), backend=NUMPY)
    assert result.loss < 5.51
    both = p.fit(p.Problem(), p.PowerSeries(), optimizer=p.Momentum("auto", "auto"), backend=NUMPY)
    assert both.loss < 0.012
    rate = p.fit(p.Problem(), p.PowerSeries(), optimizer=p.Momentum("auto", 0.9), backend=NUMPY)
    assert rate.loss < 0.2644


def test_one_step_is_that_of_steepest_descent():
    """Of the excess sum_i lambda_i (1 - eta lambda_i)^2 e_i^2 / 2 the derivative is known (Cauchy 1847)."""
    eigenvalues, coordinates = np.array([5.0, 2.0, 1.0]), np.array([1.0, -1.0, 2.0])
    best = p.GradientDescent("auto").tuned(eigenvalues, coordinates, 1)
    squares = coordinates**2 * eigenvalues**2
    assert best.learning_rate == pytest.approx(squares.sum() / (eigenvalues * squares).sum(), rel=1e-14)


def test_a_start_at_the_optimum_gets_the_asymptotic_rate():
    best = p.GradientDescent("auto").tuned(np.array([3.0, 1.0]), np.zeros(2), 100)
    assert best.learning_rate == 0.5


def test_modes_without_curvature_do_not_count():
    best = p.GradientDescent("auto").tuned(np.array([2.0, 0.0]), np.array([1.0, 5.0]), 3)
    assert best.learning_rate == pytest.approx(0.5, rel=1e-15)


def test_the_bound_is_that_of_the_dtype():
    """One mode whose best rate is above the limit: its first step goes through the optimum of another one."""
    eigenvalues, coordinates = np.array([2.0, 0.1]), np.array([1e-9, 1.0])
    for dtype, eps in (("float32", 2.0**-23), ("float64", EPS)):
        best = p.GradientDescent("auto").tuned(eigenvalues, coordinates, 1, eps=eps)
        assert best.learning_rate == pytest.approx(1 - 16 * eps, rel=2 * EPS), dtype


@pytest.mark.parametrize("loop", [p.Manual(300), p.Manual(3000, tolerance=1e-2)], ids=["steps", "tolerance"])
@pytest.mark.parametrize("rule", [p.GradientDescent("auto"), p.Momentum("auto", 0.8)], ids=["descent", "momentum"])
def test_every_run_of_a_batch_has_its_own_rate(rule, loop):
    """To the bit."""
    model, several = p.ChebyshevSeries(degree=6), [3, 1, 4, 15]
    together = p.fit(SIN, model, loop=loop, optimizer=rule, backend=NUMPY, seed=several)
    rates = [
        p.fit(SIN, model, loop=loop, optimizer=rule, backend=NUMPY, seed=seed).optimizer.learning_rate
        for seed in several
    ]
    assert together.optimizer.learning_rate.tolist() == rates
    assert len(set(rates)) == len(several)
    assert [together[run].optimizer.learning_rate for run in range(4)] == rates


def test_ten_thousand_runs_are_tuned_together():
    quadratic, _ = start(p.PowerSeries())
    coordinates = np.random.RandomState(0).normal(size=(10_000, 8))
    rates = p.GradientDescent("auto").tuned(quadratic.eigenvalues, coordinates, 500).learning_rate
    assert rates.shape == (10_000,)
    for run in (0, 999, 1000, 9999):
        alone = p.GradientDescent("auto").tuned(quadratic.eigenvalues, coordinates[run], 500).learning_rate
        assert rates[run] == alone


def test_experiments_of_a_batch_have_their_own_rates():
    common = ("backend=numpy", "loop.steps=200")
    rates = ("optimizer.learning_rate=auto", "optimizer.learning_rate=1e-7", "optimizer.learning_rate=asymptotic")
    experiments = [build(composed(*common, rate, f"seed={seed}")).check() for rate in rates for seed in (0, 1)]
    together = compute(experiments)
    alone = [compute(one) for one in experiments]
    assert [together[run].optimizer for run in range(6)] == [one.optimizer for one in alone]
    np.testing.assert_allclose(together.params, [one.params for one in alone], rtol=1e-11)
    assert together[0].optimizer.learning_rate != together[1].optimizer.learning_rate


# Momentum

AUTOMATIC = ("optimizer=momentum", "optimizer.learning_rate=auto", "optimizer.momentum=auto", "loop.steps=30")


@pytest.fixture
def searches(monkeypatch):
    """The searches for a rate and a momentum that are carried out."""
    done = []
    search = Search.best
    monkeypatch.setattr(
        Search, "best", lambda self, tolerance: done.append((self, tolerance)) or search(self, tolerance)
    )
    best_pair.cache_clear()
    return done


def test_a_pair_is_searched_once_for_each_run_of_a_batch(searches):
    """The check of an experiment needs it, and so does the computation."""
    common = (*AUTOMATIC, "backend=numpy", "model.degree=3")
    experiments = [build(composed(*common, f"seed={seed}")).check() for seed in (0, 1)]
    together = compute(experiments)
    compute(experiments[0])
    assert len(searches) == len(set(searches)) == 2
    assert [together[run].optimizer for run in range(2)] == [one.forecast.optimizer for one in experiments]


def test_a_pair_is_searched_once_for_each_job_of_a_sweep(searches, tmp_path):
    """With the files of the runs, which hold the best rate at the momentum that was found, as one more search."""
    words = (*AUTOMATIC, *SHORT[:3], "tracking=none", "report.pictures=none", "seed=0,1")
    done = run_in_process("-m", *words, cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert len(searches) == len(set(searches)) == 4


@settings(max_examples=15, deadline=None)
@given(model=models, steps=step_numbers, seed=seeds)
def test_both_are_never_above_simpler_choices(model, steps, seed):
    quadratic, coordinates = start(model, seed)
    given = quadratic.eigenvalues, coordinates, steps

    def excess(rule):
        return float(excess_of(rule.tuned(*given), quadratic, coordinates, steps))

    best = p.Momentum("auto", "auto").tuned(*given)
    found = float(excess_of(best, quadratic, coordinates, steps))
    assert 0 < best.learning_rate <= best.limit(quadratic.largest) * (1 - 8 * coordinates.size * EPS) * (1 + EPS)
    assert 0 <= best.momentum < 1
    rates = rates_of_interval(quadratic, 0.9)
    at_09 = float(excess_of(p.Momentum(rates, 0.9), quadratic, coordinates, steps).min())
    assert excess(p.Momentum("auto", 0.9)) <= at_09 * MARGIN
    for other in (excess(p.GradientDescent("auto")), excess(p.Momentum("asymptotic")), at_09):
        assert found <= other * MARGIN


@settings(max_examples=20, deadline=None)
@given(model=models, steps=step_numbers, seed=seeds, momentum=st.floats(0, 0.999))
def test_the_rate_at_a_momentum_is_never_above_a_thousand_rates(model, steps, seed, momentum):
    quadratic, coordinates = start(model, seed)
    best = p.Momentum("auto", momentum).tuned(quadratic.eigenvalues, coordinates, steps)
    assert best.momentum == momentum
    grid = excess_of(p.Momentum(rates_of_interval(quadratic, momentum), momentum), quadratic, coordinates, steps)
    assert excess_of(best, quadratic, coordinates, steps) <= grid.min() * MARGIN


@settings(max_examples=20, deadline=None)
@given(model=models, steps=step_numbers, seed=seeds, share=st.floats(0.01, 0.99))
def test_the_momentum_at_a_rate_is_never_above_a_thousand_momenta(model, steps, seed, share):
    quadratic, coordinates = start(model, seed)
    rate = 2 * share / quadratic.largest
    best = p.Momentum(rate, "auto").tuned(quadratic.eigenvalues, coordinates, steps)
    assert best.learning_rate == rate
    momenta = np.append(0, 1 - np.geomspace(1, max(1e-3 / steps, EPS), 999))
    grid = excess_of(p.Momentum(np.full(1000, rate), momenta), quadratic, coordinates, steps)
    assert excess_of(best, quadratic, coordinates, steps) <= np.nanmin(grid) * MARGIN


@pytest.mark.parametrize("model", [p.PowerSeries(), p.LegendreSeries()], ids=["power", "legendre"])
def test_both_need_no_more_steps_to_a_tolerance_than_simpler_choices(model):
    quadratic, coordinates = start(model)
    tolerance = 1e-3 if isinstance(model, p.LegendreSeries) else 1.0
    rules = [
        p.Momentum("auto", "auto"),
        p.Momentum("auto", 0.9),
        p.Momentum("asymptotic"),
        p.GradientDescent("auto"),
    ]
    found = [rule.tuned(quadratic.eigenvalues, coordinates, 4000, tolerance) for rule in rules]
    at = np.arange(700)
    excess = [[float(excess_of(rule, quadratic, coordinates, int(step))) for step in at] for rule in found]
    needed = [int(np.argmax(np.append(np.array(one) <= tolerance, True))) for one in excess]
    assert needed[0] == min(needed) < at.size


@pytest.mark.slow
def test_both_are_within_twice_the_best_of_a_fine_grid():
    """Of 400 momenta and 400 rates, on 95 % of 50 problems."""
    random = np.random.RandomState(7)
    within = []
    for _ in range(50):
        model = LINEAR[random.randint(len(LINEAR))](degree=random.randint(1, 13))
        quadratic, coordinates = start(model, random.randint(1000))
        steps = int(10 ** random.uniform(0, 6))
        best = p.Momentum("auto", "auto").tuned(quadratic.eigenvalues, coordinates, steps)
        momenta = np.append(0, 1 - np.geomspace(1, max(1e-2 / steps, EPS), 399))
        lowest = min(
            np.nanmin(excess_of(p.Momentum(rates_of_interval(quadratic, m, 400), m), quadratic, coordinates, steps))
            for m in momenta
        )
        within.append(float(excess_of(best, quadratic, coordinates, steps)) <= 2 * lowest + 1e-30)
    assert np.mean(within) >= 0.95


def test_asymptotic_in_either_setting_is_polyaks_pair():
    given = np.array([9.0, 1.0]), np.ones(2), 10
    for rule in (p.Momentum("asymptotic"), p.Momentum(0.1, "asymptotic"), p.Momentum("asymptotic", "auto")):
        assert rule.tuned(*given) == p.Momentum(0.25, 0.25)


@pytest.mark.parametrize("word", ["auto", "asymptotic"])
@pytest.mark.parametrize("cls", [p.Nesterov, p.RMSprop, p.Adam])
def test_rules_without_a_closed_form_take_no_words(cls, word):
    with pytest.raises(
        p.InputError, match=rf"^`optimizer\.learning_rate` must be a finite number above 0, got '{word}'\.$"
    ):
        cls(word)


@pytest.mark.parametrize("rule", [p.Momentum(0.1, "auto"), p.GradientDescent("asymptotic")])
def test_the_word_that_needs_a_linear_model_is_named(rule):
    (name,) = rule.sought
    with pytest.raises(
        p.InputError, match=rf"^`optimizer\.{name}={getattr(rule, name)}` needs a model that is linear in"
    ):
        tuned(rule, p.Legendre(), None, np.ones(8), p.Manual())


# Numbers that are compared in print


@settings(max_examples=300, deadline=None)
@given(limit=st.floats(1e-12, 1e12), ulps=st.integers(-3, 3), share=st.floats(0.999, 1.001))
def test_numbers_compare_in_print_as_they_do_exactly(limit, ulps, share):
    rate = limit * share * (1 + ulps * EPS)
    if rate <= limit:
        assert float(at_most(rate)) <= float(at_most(limit)) <= limit
    else:
        assert float(above(rate)) > float(at_most(limit))
    assert float(at_most(limit)) == pytest.approx(limit, rel=1e-3)
