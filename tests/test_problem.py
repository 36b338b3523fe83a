"""Problems and their samples; and the error of every component about a wrong value."""

import numpy as np
import pytest
from numpy.polynomial import chebyshev

import polyexp as p
from polyexp.problem import TARGETS
from polyexp.problem.sampling import SAMPLING
from tests.helpers.cases import LOOPS, MODELS, OPTIMIZERS, named

pytestmark = pytest.mark.numeric

BY_HAND = {
    "sin": [np.sin(-0.5), np.sin(2.0)],
    "cos": [np.cos(-0.5), np.cos(2.0)],
    "exp": [np.exp(-0.5), np.exp(2.0)],
    "runge": [1 / 7.25, 1 / 101],
    "gaussian": [np.exp(-0.25), np.exp(-4.0)],
    "abs": [0.5, 2.0],
}

every_sampling = pytest.mark.parametrize("sampling", SAMPLING)


# Samples


@pytest.mark.parametrize("target", TARGETS)
def test_targets(target):
    samples = p.Problem(target, domain=[-0.5, 2.0], num_samples=2).samples()
    assert samples.x.tolist() == [-0.5, 2.0]
    np.testing.assert_allclose(samples.y, BY_HAND[target], rtol=1e-15)
    assert samples.name == target
    assert samples.domain == (-0.5, 2.0)


def test_the_default_problem_is_the_notebooks():
    samples = p.Problem().samples()
    x = np.linspace(-np.pi, np.pi, 4000)
    np.testing.assert_array_equal(samples.x, x)
    np.testing.assert_array_equal(samples.y, np.sin(x))
    assert samples.domain == (-np.pi, np.pi)
    assert samples.floor == 0


@pytest.mark.parametrize(
    ("function", "y", "name"),
    [
        (np.tanh, np.tanh([-1.0, 0.0, 1.0]).tolist(), "tanh"),
        (lambda x: x * x, [1, 0, 1], "<lambda>"),
        (lambda x: 7, [7, 7, 7], "<lambda>"),
        (np.polynomial.Polynomial([1, 2]), [-1, 1, 3], "function"),
    ],
    ids=["ufunc", "lambda", "constant", "object"],
)
def test_any_function_of_an_array_is_a_target(function, y, name):
    problem = p.Problem(function, domain=[-1, 1], num_samples=3)
    samples = problem.samples()
    assert samples.y.tolist() == y
    assert samples.y.dtype == np.float64
    assert (problem.choice, samples.name) == (name, name)


@pytest.mark.parametrize("n", [1, 2, 5, 64])
def test_chebyshev_nodes_are_numpys(n):
    samples = p.Problem(domain=[2, 6], num_samples=n, sampling="chebyshev").samples()
    np.testing.assert_allclose(samples.x, 4 + 2 * chebyshev.chebpts1(n), rtol=1e-15, atol=1e-15)


@every_sampling
@pytest.mark.parametrize("n", [1, 2, 100])
def test_x_lies_in_the_domain_in_order(sampling, n):
    samples = p.Problem("exp", domain=[-2, 1], num_samples=n, sampling=sampling).samples(5)
    assert samples.x.shape == samples.y.shape == samples.weights.shape == (n,)
    assert -2 <= samples.x.min() <= samples.x.max() <= 1
    assert (
        sampling == "uniform" or (np.diff(samples.x) > 0).all()
    )  # random samples stay in the order in which they are drawn
    np.testing.assert_array_equal(samples.y, np.exp(samples.x))


@every_sampling
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_samples_are_decided_by_the_seed(sampling, noise):
    problem = p.Problem(num_samples=20, sampling=sampling, noise=noise)
    one, again, other = problem.samples(1), problem.samples(1), problem.samples(2)
    np.testing.assert_array_equal(one.x, again.x)
    np.testing.assert_array_equal(one.y, again.y)
    assert np.array_equal(one.x, other.x) == (sampling != "uniform")
    assert np.array_equal(one.y, other.y) == (sampling != "uniform" and not noise)


def test_uniform_samples_are_uniform():
    x = p.Problem(domain=[-1, 3], num_samples=20_000, sampling="uniform").samples().x
    x = np.sort(x)
    quantiles = np.linspace(-1, 3, x.size)  # Kolmogorov: sup |F_n - F| below 1.95 / sqrt(n) in 999 of 1000
    assert np.abs(x - quantiles).max() / 4 < 1.95 / np.sqrt(x.size)


def test_noise_has_its_standard_deviation():
    n, noise = 20_000, 0.25
    problem = p.Problem("cos", num_samples=n, noise=noise)
    residual = problem.samples(3).y - np.cos(problem.samples(3).x)
    assert abs(residual.mean()) < 4 * noise / np.sqrt(n)
    assert abs(residual.std() / noise - 1) < 4 / np.sqrt(2 * n)
    assert abs(np.corrcoef(residual[1:], residual[:-1])[0, 1]) < 4 / np.sqrt(n)
    assert 0.6 < (np.abs(residual) < noise).mean() < 0.76  # Gaussian: 0.683


@pytest.mark.parametrize(("loss", "weight"), [("mean", 1 / 7), ("sum", 1.0)])
def test_mean_and_sum(loss, weight):
    samples = p.Problem(num_samples=7, loss=loss).samples()
    assert samples.weights.tolist() == [weight] * 7
    assert samples.loss(samples.y + 2) == pytest.approx(28 * weight, rel=1e-15)
    assert samples.loss(samples.y + np.array([[1.0], [2.0]])).shape == (2,)


@every_sampling
def test_random_samples_do_not_move_the_initial_values(sampling):
    problem = p.Problem(num_samples=10, sampling=sampling, noise=0.3)
    seen = []
    loop, rate = p.Manual(steps=1), p.GradientDescent(1e-300)
    p.fit(problem, p.PowerSeries(), seed=4, loop=loop, optimizer=rate, backend=p.NumPy(), observe=seen.append)
    np.testing.assert_array_equal(seen[0].params, np.random.RandomState(4).random_sample(8))
    drawn = (problem.samples(4).x + np.pi) / (2 * np.pi)
    assert not np.isin(np.random.RandomState(4).random_sample(10), drawn).any()


def test_a_single_sample():
    samples = p.Problem(num_samples=1).samples()
    assert samples.x.tolist() == [-np.pi]
    assert samples.domain == (-np.pi, np.pi)
    assert samples.weights.tolist() == [1]


# Wrong values: a key, a component and a value, and the error.

RANGE = "[low, high] with low < high, both finite"
OWN = f"null (the problem's) or {RANGE}"
WORDS = "zeros, uniform, normal, a list of numbers"

STEPS = "a whole number from 1 to 1000000000000000000"
WRONG = [
    # whole numbers
    *[(p.Problem, "num_samples", v, "a whole number of at least 1") for v in (0, -3, 1.5, "10", True, None, np.inf)],
    *[(p.CPU, "threads", v, "a whole number from 1 to 1024") for v in (0, 1025, 1.0, "1", True)],
    *[(p.Auto, "threads", v, "a whole number from 1 to 1024") for v in (0, 1025)],
    *[(cls, "index", v, "a whole number from 0 to 127") for cls in (p.CUDA, p.Auto) for v in (-1, 0.0, "0", False)],
    *[(cls, "steps", v, STEPS) for cls in LOOPS for v in (0, -1, 1e3, "9", True, np.nan, 10**18 + 1)],
    *[(cls, "log_every", v, "a whole number of at least 1") for cls in LOOPS for v in (0, -1, 2.5, None)],
    *[(cls, "degree", v, "a whole number from 0 to 1000") for cls in MODELS for v in (-1, 1001, 10**9, 3.0, "3", True)],
    # numbers
    *[(p.Problem, "noise", v, "a finite number of at least 0") for v in (-0.1, np.nan, np.inf, "1", None, True, [1.0])],
    *[
        (cls, "initial_scale", v, "a finite number")
        for cls in MODELS
        for v in (np.nan, -np.inf, "abc", True, [1.0], None)
    ],
    *[
        (cls, "learning_rate", v, "a finite number above 0" + (", auto or asymptotic" if cls.tunable else ""))
        for cls in OPTIMIZERS
        for v in (
            0,
            0.0,
            -1e-6,
            np.nan,
            np.inf,
            "abc",
            True,
            None,
            [],
            [1e-3, 0.0],
            [1e-3, np.nan],
            ["a"],
            [[1], [1, 2]],
        )
    ],
    *[(cls, "eps", v, "a finite number above 0") for cls in (p.RMSprop, p.Adam) for v in (0, -1e-8, np.nan, "x")],
    *[
        (cls, name, v, "a number from 0 to below 1" + (", auto or asymptotic" if name in cls.tunable else ""))
        for cls, name in (
            (p.Momentum, "momentum"),
            (p.Nesterov, "momentum"),
            (p.RMSprop, "alpha"),
            (p.Adam, "beta1"),
            (p.Adam, "beta2"),
        )
        for v in (1, 1.0, -0.1, np.nan, np.inf, "0.9", True, [0.5, 1.0])
    ],
    # intervals
    *[
        (p.Problem, "domain", v, RANGE)
        for v in ([1, -1], [1, 1], [0, np.nan], [-np.inf, 0], [], [1], [1, 2, 3], "ab", None, 3.0, [None, 1], [[1, 2]])
    ],
    *[
        (cls, "domain", v, OWN)
        for cls in (p.LegendreSeries, p.ChebyshevSeries, p.HermiteSeries)
        for v in ([1, -1], [1, 1], [0, np.nan], [], [1, 2, 3], "ab", 1.0)
    ],
    # lists
    *[
        (cls, "initial", v, "zeros, uniform, normal or a list of 8 finite numbers (w0 ... w7)")
        for cls in MODELS
        if cls is not p.Legendre
        for v in ([], [1.0], [0.0] * 9, [np.nan] * 8, ["a"] * 8, 1.0, None, [[0.0] * 8])
    ],
    *[
        (p.Legendre, "initial", v, "zeros, uniform, normal or a list of 4 finite numbers (a, b, c, d)")
        for v in ([0, 0, 0], [0, 0, 0, 0, 0], [0, 0, np.inf, 0])
    ],
    # choices
    (p.Problem, "target", 3, "one of sin, cos, exp, runge, gaussian, abs"),
    (p.Problem, "sampling", None, "one of linspace, uniform, chebyshev"),
    (p.Problem, "loss", 1, "one of mean, sum"),
    *[(cls, "dtype", v, "one of float64, float32") for cls in (p.NumPy, p.Torch, p.JAX) for v in ("", "int", None)],
    *[(cls, "initial", v, f"one of {WORDS}") for cls in MODELS for v in ("a list of numbers", "", "???")],
]


@pytest.mark.parametrize(
    ("cls", "field", "value", "wanted"), WRONG, ids=lambda v: named(v) if hasattr(v, "name") else repr(v)[:20]
)
def test_a_wrong_value(cls, field, value, wanted):
    with pytest.raises(p.InputError) as caught:
        cls(**{field: value})
    group = "device" if cls is p.Auto else cls.group
    assert str(caught.value) == f"`{group}.{field}` must be {wanted}, got {value!r}."


@pytest.mark.parametrize(
    ("cls", "field", "value", "sentence"),
    [
        (
            p.Problem,
            "target",
            "sine",
            "`problem.target` must be one of sin, cos, exp, runge, gaussian, abs, got 'sine'. Did you mean 'sin'?",
        ),
        (
            p.Problem,
            "sampling",
            "chebychev",
            "`problem.sampling` must be one of linspace, uniform, chebyshev, got 'chebychev'. "
            "Did you mean 'chebyshev'?",
        ),
        (p.Problem, "loss", "maen", "`problem.loss` must be one of mean, sum, got 'maen'. Did you mean 'mean'?"),
        (
            p.NumPy,
            "dtype",
            "float",
            "`backend.dtype` must be one of float64, float32, got 'float'. Did you mean 'float64'?",
        ),
        (p.Legendre, "initial", "zero", f"`model.initial` must be one of {WORDS}, got 'zero'. Did you mean 'zeros'?"),
    ],
)
def test_did_you_mean(cls, field, value, sentence):
    with pytest.raises(p.InputError) as caught:
        cls(**{field: value})
    assert str(caught.value) == sentence


@pytest.mark.parametrize(("length", "shown"), [(78, f"'{'x' * 78}'"), (79, f"'{'x' * 76}...")])
def test_a_long_value_is_cut(length, shown):
    """To 80 characters."""
    with pytest.raises(p.InputError) as caught:
        p.Problem(num_samples="x" * length)
    assert len(shown) == 80
    assert str(caught.value) == f"`problem.num_samples` must be a whole number of at least 1, got {shown}."


@pytest.mark.parametrize(
    ("target", "domain", "name"),
    [("exp", [-1000, 1000], "exp"), (lambda x: 1 / x, [-1, 1], "<lambda>"), (np.log, [0, 1], "log")],
    ids=["overflow", "pole", "logarithm"],
)
def test_a_target_that_is_not_finite(target, domain, name):
    """An error, and no warning beside it."""
    with pytest.raises(p.InputError) as caught:
        p.Problem(target, domain=domain, num_samples=3).samples()
    assert str(caught.value) == f"`problem.domain` must be an interval where {name} is finite, got {domain}."


def test_more_samples_than_memory():
    with pytest.raises(p.InputError) as caught:
        p.Problem(num_samples=10**12).samples()
    assert str(caught.value) == "sin has more samples than memory holds: type `problem.reduction=auto`."


def test_noise_that_is_not_finite():
    with pytest.raises(p.InputError) as caught:
        p.Problem(noise=1e308).samples()
    assert str(caught.value) == "`problem.noise` must be small enough to keep y finite, got 1e+308."


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "1", True, None])
def test_a_wrong_seed(seed):
    with pytest.raises(p.InputError) as caught:
        p.Problem().samples(seed)
    assert str(caught.value) == f"`seed` must be a whole number from 0 to 4294967295, got {seed!r}."


# Values at the edge of what is allowed


@pytest.mark.parametrize(
    ("cls", "values"),
    [
        (p.Problem, {"num_samples": 1, "noise": 0, "domain": (0, 1e-300)}),
        (p.Problem, {"domain": np.array([0, 1]), "num_samples": np.int64(3), "noise": np.float32(0.5)}),
        (p.CPU, {"threads": 1024}),
        (p.CUDA, {"index": 0}),
        (p.Manual, {"steps": 1, "log_every": 10**12}),
        (p.PowerSeries, {"degree": 1000}),
        (p.PowerSeries, {"degree": 0, "initial": [3], "initial_scale": -1}),
        (p.LegendreSeries, {"domain": [0, 1], "initial": np.zeros(8)}),
        (p.GradientDescent, {"learning_rate": 5e-324}),
        (p.GradientDescent, {"learning_rate": [[1, 2], [3, 4]]}),
        (p.Momentum, {"momentum": 0}),
        (p.Adam, {"beta1": 0, "beta2": [0, np.nextafter(1, 0)], "eps": 1e-300}),
    ],
)
def test_an_extreme_value_is_allowed(cls, values):
    component = cls(**values)
    for field, value in values.items():
        kept = getattr(component, field)
        assert not isinstance(kept, list)  # which could be changed
        np.testing.assert_array_equal(kept, value)
