"""Models against numpy.polynomial, the complex-step derivative and rational numbers."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial import Polynomial, legendre

import polyexp as p
from tests.helpers.cases import DOMAIN, assert_close, bound, every_model, every_runs, named, normal
from tests.helpers.references import REFERENCES

pytestmark = pytest.mark.numeric

DEGREES = [0, 1, 2, 3, 7, 12]
X = np.linspace(*DOMAIN, 41)

SERIES = {
    p.PowerSeries: lambda w: Polynomial(w),
    p.LegendreSeries: lambda w: np.polynomial.Legendre(w, domain=DOMAIN),
    p.ChebyshevSeries: lambda w: np.polynomial.Chebyshev(w, domain=DOMAIN),
    p.HermiteSeries: lambda w: np.polynomial.Hermite(w, domain=DOMAIN),
}

every_degree = pytest.mark.parametrize("degree", DEGREES)


def random_params(model, runs, seed=0):
    return normal(seed, *runs, len(model.param_names))


def one_run(cls, degree, row):
    """numpy.polynomial's values of one run at X."""
    if cls in SERIES:
        return SERIES[cls](row)(X)
    a, b, c, d = row
    return a + b * legendre.legval(c + d * X, [0] * degree + [1])


@every_model
@every_degree
@every_runs
def test_values_are_those_of_numpy_polynomial(cls, degree, runs):
    model = bound(cls, degree)
    params = random_params(model, runs)
    expected = np.apply_along_axis(lambda row: one_run(cls, degree, row), -1, params)
    assert model(params, X).shape == (*runs, X.size)
    assert_close(model(params, X), expected, 1e-13)


@every_model
@every_degree
@every_runs
def test_backward_is_the_complex_step_derivative_of_forward(cls, degree, runs):
    model = bound(cls, degree)
    params, features, grad_y = random_params(model, runs), model.features(X), normal(1, *runs, X.size)
    actual = model.backward(params, features, grad_y)
    assert actual.shape == params.shape
    h = 1e-30
    for k, direction in enumerate(np.eye(params.shape[-1])):
        jacobian = model.forward(params + 1j * h * direction, features).imag / h
        terms = grad_y * jacobian
        np.testing.assert_allclose(actual[..., k], terms.sum(-1), rtol=1e-13, atol=1e-14 * np.abs(terms).sum(-1).max())


@every_model
@every_degree
@every_runs
def test_the_power_series_has_the_same_values(cls, degree, runs):
    model = bound(cls, degree)
    params = random_params(model, runs)
    in_x = model.power_series(params)
    assert in_x.shape == (*runs, degree + 1)
    values = np.polynomial.polynomial.polyval(X, np.moveaxis(in_x, -1, 0))
    assert_close(values, model(params, X), 1e-11)


@pytest.mark.parametrize("cls", [cls for cls in SERIES if cls is not p.PowerSeries], ids=named)
@pytest.mark.parametrize("degree", [0, 1, 5, 30])
def test_the_power_series_is_numpys_conversion(cls, degree):
    params = normal(2, degree + 1)
    expected = SERIES[cls](params).convert(kind=Polynomial).coef
    assert_close(bound(cls, degree).power_series(params), np.pad(expected, (0, degree + 1 - expected.size)), 1e-13)


@every_model
def test_the_power_series_of_a_high_degree(cls):
    model = cls(degree=200).on_domain((-1, 1))
    params = np.zeros(len(model.param_names))
    params[0] = 2.0
    assert_close(model.power_series(params), np.eye(201)[0] * 2, 1e-15)


@every_model
@every_degree
def test_what_a_model_says_of_itself(cls, degree):
    model = bound(cls, degree)
    left, right = random_params(model, (), 3), random_params(model, (), 4)
    together, apart = model(left + 2 * right, X), model(left, X) + 2 * model(right, X)
    assert model.polynomial_degree == degree
    assert len(set(model.param_names)) == left.size
    assert np.allclose(together, apart, rtol=1e-10) == (model.linear or degree == 0)
    assert not np.allclose(model.power_series(left)[-1], 0)  # the degree is reached


def test_parameter_names():
    assert p.PowerSeries(degree=2).param_names == ("w0", "w1", "w2")
    assert p.Legendre(degree=9).param_names == ("a", "b", "c", "d")


@every_model
def test_a_model_is_called_with_plain_numbers(cls):
    model = bound(cls, 2)
    params = np.arange(1, 1 + len(model.param_names))
    np.testing.assert_array_equal(model(params.tolist(), [-1, 0, 2]), model(params.astype(float), [-1.0, 0.0, 2.0]))


# Legendre polynomials: coefficients by ascending power, from any table (Abramowitz and Stegun, 22.3.8).

GOLDEN = [
    [(1, 1)],
    [(0, 1), (1, 1)],
    [(-1, 2), (0, 1), (3, 2)],
    [(0, 1), (-3, 2), (0, 1), (5, 2)],
    [(3, 8), (0, 1), (-30, 8), (0, 1), (35, 8)],
    [(0, 1), (15, 8), (0, 1), (-70, 8), (0, 1), (63, 8)],
    [(-5, 16), (0, 1), (105, 16), (0, 1), (-315, 16), (0, 1), (231, 16)],
]


@pytest.mark.parametrize("n", range(7))
def test_legendre_polynomials_are_the_rational_ones(n):
    in_z = p.LegendreSum.basis(n)(Polynomial([0, 1]))
    expected = [float(Fraction(*pair)) for pair in GOLDEN[n]]
    np.testing.assert_allclose(in_z.coef, expected, rtol=1e-15)


coefficients = st.lists(st.floats(-10, 10, allow_subnormal=False), min_size=1, max_size=9)
points = st.lists(st.floats(-3, 3), min_size=1, max_size=5)


@given(coefficients, points)
@settings(deadline=None)
def test_a_legendre_sum_and_its_derivatives(coef, z):
    z = np.array(z)
    function = p.LegendreSum(tuple(coef))
    for order in range(3):
        expected = legendre.legder(coef, order)
        scale = legendre.legval(np.abs(z).max() + 1, np.abs(expected))
        assert_close(function(z), legendre.legval(z, expected), 1e-13, scale + 1e-200)
        function = function.derivative()


def test_a_legendre_sum_is_a_value():
    assert p.LegendreSum.basis(2) == p.LegendreSum((0.0, 0.0, 1.0))
    assert len({p.LegendreSum.basis(2), p.LegendreSum.basis(2)}) == 1
    assert p.LegendreSum.basis(3)(np.zeros((2, 3))).shape == (2, 3)
    assert p.LegendreSum((2.0,))(np.zeros((2, 3))).shape == (2, 3)


# Initial values


def test_initial_values_are_numpys_published_stream():
    np.random.seed(0)
    expected = np.random.random(8)
    np.testing.assert_array_equal(p.PowerSeries().initial_params(0), expected)
    assert tuple(expected) == REFERENCES["notebook/numpy"].initial


@every_model
@pytest.mark.parametrize(("initial", "draw"), [("uniform", "random_sample"), ("normal", "standard_normal")])
def test_initial_values_are_drawn_and_scaled(cls, initial, draw):
    model = cls(degree=3, initial=initial, initial_scale=0.5)
    expected = getattr(np.random.RandomState(7), draw)(len(model.param_names)) * 0.5
    np.testing.assert_array_equal(model.initial_params(7), expected)


@every_model
def test_initial_values_that_are_not_drawn(cls):
    size = len(cls(degree=2).param_names)
    np.testing.assert_array_equal(cls(degree=2, initial="zeros").initial_params(5), np.zeros(size))
    listed = cls(degree=2, initial=list(range(size)), initial_scale=9.0).initial_params(5)
    np.testing.assert_array_equal(listed, np.arange(size))
    assert listed.dtype == np.float64


@every_model
@pytest.mark.parametrize("seeds", [[3, 0, 3], (3, 0, 3), np.array([3, 0, 3])], ids=["list", "tuple", "array"])
def test_a_sequence_of_seeds_gives_a_run_each(cls, seeds):
    model = cls(degree=1)
    expected = np.stack([model.initial_params(seed) for seed in (3, 0, 3)])
    np.testing.assert_array_equal(model.initial_params(seeds), expected)
    assert model.initial_params(range(1)).shape == (1, len(model.param_names))


# Formulas


@pytest.mark.parametrize(
    ("model", "params", "text"),
    [
        (p.PowerSeries(degree=0), [-2.0], "y = -2"),
        (p.PowerSeries(degree=1), [0.0, -1.0], "y = -x"),
        (p.PowerSeries(degree=3), [0.5, -0.25, -0.0, 1e-5], "y = 0.5 - 0.25 x + 1e-05 x^3"),
        (p.PowerSeries(degree=2), [-123456.0, 1 / 3, 2], "y = -1.235e+05 + 0.3333 x + 2 x^2"),
        (p.LegendreSeries(degree=0, domain=[0, 4]), [1.5], "y = 1.5 P0(z), z = -1 + 0.5 x"),
        (p.LegendreSeries(degree=1, domain=[0, 4]), [1, -2], "y = P0(z) - 2 P1(z), z = -1 + 0.5 x"),
        (p.ChebyshevSeries(degree=1, domain=[-2, 2]), [-1, 2], "y = -T0(z) + 2 T1(z), z = 0.5 x"),
        (p.HermiteSeries(degree=1), [0, 2], "y = 2 H1(z), z = x"),
        (p.Legendre(), [0, -2.20852685, 0, 0.25548611], "y = -2.209 P3(z), z = 0.2555 x"),
        (p.Legendre(degree=0), [1, 2, -3, -4], "y = 1 + 2 P0(z), z = -3 - 4 x"),
        (p.PowerSeries(degree=2), [0.0, -0.0, 0.0], "y = 0"),
        (p.LegendreSeries(degree=1, domain=[-0.3, 0.1 + 0.2]), [0, 1.00001], "y = P1(z), z = 3.333 x"),
    ],
)
def test_formula(model, params, text):
    assert model.formula(np.array(params, float)) == text


# Domains

MAPPED = [cls for cls in SERIES if cls is not p.PowerSeries]


@pytest.mark.parametrize("cls", MAPPED, ids=named)
def test_the_problems_domain_is_mapped_to_the_window(cls):
    model = cls(degree=4)
    here = model.on_domain((10, 30))
    assert model.domain is None  # the original is unchanged
    np.testing.assert_allclose(here.features(np.array([10, 20, 30])), model.features(np.array([-1, 0, 1])), atol=1e-15)


@pytest.mark.parametrize("cls", MAPPED, ids=named)
def test_a_domain_of_its_own_wins(cls):
    model = cls(degree=4, domain=[0, 1]).on_domain((10, 30))
    np.testing.assert_array_equal(model.features(X), cls(degree=4).on_domain((0, 1)).features(X))


@pytest.mark.parametrize("cls", MAPPED, ids=named)
@pytest.mark.parametrize("at", [0.0, 3.0, -1e17, 1e200])
def test_a_domain_that_is_a_point_is_the_middle_of_the_window(cls, at):
    model = cls(degree=4).on_domain((at, at))
    np.testing.assert_allclose(model.features(np.array([at])), cls(degree=4).features(np.array([0.0])), atol=1e-14)


@pytest.mark.parametrize("cls", [p.PowerSeries, p.Legendre], ids=named)
def test_raw_x_is_not_mapped(cls):
    model = cls()
    assert model.on_domain((10, 30)) is model


# Errors


@every_model
@pytest.mark.parametrize("shape", [(), (1,), (4, 3)])
def test_params_of_a_wrong_shape(cls, shape):
    model = cls(degree=6)
    size = len(model.param_names)
    with pytest.raises(p.InputError) as caught:
        model.check_params(np.ones(shape))
    assert str(caught.value) == f"params must have shape (*runs, {size}), got {shape}."


@pytest.mark.parametrize(
    ("params", "shown"),
    [
        ([1, np.nan], "[1, nan]"),
        ([np.inf, 1], "[inf, 1]"),
        ([], "[]"),
        ("ab", "'ab'"),
        ([True, False], "[True, False]"),
        ([[1], [1, 2]], "[[1], [1, 2]]"),
        (np.full((9, 2), np.nan), "[[nan, nan], [nan, nan], [nan, nan], [nan, nan], [nan, nan], [nan, nan], [nan..."),
    ],
)
def test_params_that_are_not_numbers(params, shown):
    with pytest.raises(p.InputError) as caught:
        p.PowerSeries(degree=1).check_params(params)
    assert str(caught.value) == f"`params` must be finite numbers, got {shown}."


def test_checked_params_are_a_copy_in_float64():
    params = np.array([[1, 2], [3, 4]], np.float32)
    checked = p.PowerSeries(degree=1).check_params(params)
    params[:] = 0
    assert checked.dtype == np.float64
    assert checked.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "0", [], [0, -1], [[0, 1]], None], ids=repr)
def test_seeds_that_are_none(seed):
    with pytest.raises(p.InputError) as caught:
        p.PowerSeries().initial_params(seed)
    assert str(caught.value) == (
        f"`seed` must be a whole number from 0 to 4294967295 or a sequence of them, got {seed!r}."
    )


@pytest.mark.parametrize("x", [0.5, [0.1, 0.2], [[1, 2], [3, 4], [5, 6]]], ids=["number", "list", "table"])
def test_values_have_the_shape_of_x(x):
    model, params = p.PowerSeries(degree=2), np.array([[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]])
    x = np.array(x)
    np.testing.assert_allclose(model(params, x), [1 + 2 * x + 3 * x * x, x], rtol=1e-15)
