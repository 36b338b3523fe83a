"""The quadratic form of a linear model: its optimum, its lowest loss, its modes; the Hessian of any model."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial import polynomial

import polyexp as p
from polyexp.exact import hessian_eigenvalues, lowest_loss, quadratic_of
from tests.helpers.cases import LINEAR, NoPolynomial, assert_close, every_model, named, normal
from tests.helpers.references import OPTIMA

pytestmark = pytest.mark.numeric

every_linear = pytest.mark.parametrize("cls", LINEAR, ids=named)

X = np.sort(np.random.RandomState(7).uniform(-2, 3, 60))
SAMPLES = p.Samples.of(X, np.exp(X / 2) + 0.1 * normal(0, 60), 0.1 + np.random.RandomState(1).random_sample(60))


def form(model, samples=SAMPLES):
    return p.Quadratic.of(model.on_domain(samples.domain), samples)


def loss_of(model, samples, params):
    return samples.loss(model.on_domain(samples.domain)(params, samples.x))


# The optimum


def least_squares_error(features, samples, params):
    """How far apart two backward stable solutions of a least-squares problem may be, parameter by parameter.

    Householder's QR of A (m rows, n columns) gives the exact solution for columns a_j and a right side b that differ by
    some units of rounding of their norms: at most about m n (Higham 2002, theorem 20.3), and sqrt(m n) as rounding errors
    add up like a random walk (Higham and Mary 2019); sqrt(2 m n) for the difference of two solutions. In the features, the
    rounding of x amounts to about n, which is less. The SVD of the triangular factor adds n units of its norm, but leaves
    the residual r as it is. By Wedin's perturbation theory (1973), to first order, with the norms of the rows of A+:

        |dx|  <=  e_QR (|A+| (sum_j |a_j| |x_j| + |b|)  +  |r| sum_j |(A^T A)^-1|_j |a_j|)  +  e_SVD |A+| |A| |x|
    """
    root = np.sqrt(samples.weights)
    matrix, right = root[:, None] * features, root * samples.y
    columns = np.linalg.norm(matrix, axis=0)
    inverse = np.linalg.pinv(matrix / columns) / columns[:, None]
    rows, residual = np.linalg.norm(inverse, axis=1), np.linalg.norm(right - matrix @ params)
    by_columns = rows * (columns @ np.abs(params) + np.linalg.norm(right))
    by_residual = residual * (np.abs(inverse @ inverse.T) @ columns)
    by_norm = rows * np.linalg.norm(matrix, 2) * np.linalg.norm(params)
    unit = np.finfo(float).eps / 2
    return unit * (np.sqrt(2 * matrix.size) * (by_columns + by_residual) + columns.size * by_norm)


@every_linear
@pytest.mark.parametrize("degree", [0, 1, 3, 8])
@pytest.mark.parametrize("samples", [SAMPLES, p.gauss(SAMPLES, 8)], ids=["all", "reduced"])
def test_the_optimum_is_numpys(cls, degree, samples):
    oracle = getattr(np.polynomial, {"power": "Polynomial"}.get(cls.name.split("_")[0], cls.name.split("_")[0].title()))
    domain = list(oracle.window) if cls is p.PowerSeries else list(samples.domain)
    best = oracle.fit(X, SAMPLES.y, degree, w=np.sqrt(SAMPLES.weights), domain=domain, window=oracle.window)
    found = form(cls(degree=degree), samples)
    features = cls(degree=degree).on_domain(SAMPLES.domain).features(X)
    error = np.abs(found.optimum - best.coef)
    np.testing.assert_array_less(error, least_squares_error(features, SAMPLES, best.coef))
    residual = best(X) - SAMPLES.y
    assert found.lowest == pytest.approx((SAMPLES.weights * residual**2).sum(), rel=1e-12)


@every_linear
def test_the_optimum_is_that_of_lstsq(cls):
    model = cls(degree=6).on_domain(SAMPLES.domain)
    root = np.sqrt(SAMPLES.weights)
    best, (residual,), _, singular = np.linalg.lstsq(root[:, None] * model.features(X), root * SAMPLES.y)
    found = p.Quadratic.of(model, SAMPLES)
    assert_close(found.optimum, best, 1e-12)
    assert found.lowest == pytest.approx(residual, rel=1e-12)
    np.testing.assert_allclose(found.eigenvalues, 2 * singular**2, rtol=1e-10)


def test_a_floor_is_part_of_the_lowest_loss():
    lifted = p.Samples(SAMPLES.x, SAMPLES.y, SAMPLES.weights, SAMPLES.domain, floor=2.5)
    assert form(p.PowerSeries(degree=2), lifted).lowest == pytest.approx(2.5 + form(p.PowerSeries(degree=2)).lowest)


@every_linear
def test_the_gradient_vanishes_at_the_optimum(cls):
    model = cls(degree=5).on_domain(SAMPLES.domain)
    features, best = model.features(X), form(model).optimum
    slope = 2 * SAMPLES.weights * (model.forward(best, features) - SAMPLES.y)
    assert_close(model.backward(best, features, slope), np.zeros(6), 1e-13, scale=np.abs(features).max())


@every_linear
@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.floats(1e-6, 1e3))
def test_nothing_is_below_the_lowest_loss(cls, seed, size):
    found = form(cls(degree=4))
    params = found.optimum + size * normal(seed, 5)
    assert loss_of(cls(degree=4), SAMPLES, params) >= found.lowest


# The numbers of tests/data/reference_runs.json, to the digits that are printed there.

BY_DEGREE = OPTIMA["by_degree"]["rows"]


def assert_printed(value, text):
    """Equal to what is printed, to half a unit of its last digit (and a little, as some are cut rather than rounded)."""
    digits, _, power = text.partition("e")
    unit = Fraction(10) ** (int(power or 0) - len(digits.partition(".")[2]))
    assert abs(Fraction(float(value)) - Fraction(text)) <= Fraction(51, 100) * unit + Fraction(1, 10**12) * Fraction(
        text
    )


@pytest.mark.parametrize("reduced", [False, True], ids=["all", "reduced"])
@pytest.mark.parametrize("row", BY_DEGREE, ids=lambda row: f"degree-{row[0]}")
def test_published_optima_and_limits(row, reduced):
    degree, rate, condition, lowest, legendre_rate, legendre_condition = row
    samples = p.Problem(num_samples=2000, loss="sum").samples()
    samples = p.gauss(samples, degree) if reduced else samples
    powers, legendre = form(p.PowerSeries(degree=degree), samples), form(p.LegendreSeries(degree=degree), samples)
    assert_printed(p.GradientDescent().limit(powers.largest), rate)
    assert_printed(powers.condition, condition)
    assert_printed(powers.lowest, lowest)
    assert_printed(p.GradientDescent().limit(legendre.largest), legendre_rate)
    assert_printed(legendre.condition, legendre_condition)
    assert_printed(legendre.lowest, lowest)


def test_the_cubic_optimum_is_reached_by_both_forms():
    samples = p.Problem(num_samples=2000, loss="sum").samples()
    expected = OPTIMA["cubic"]
    found = form(p.PowerSeries(degree=3), samples).optimum
    np.testing.assert_allclose(found, expected["parameters"], rtol=1e-9, atol=1e-13)
    assert lowest_loss(p.Legendre(), samples) == pytest.approx(expected["lowest"], rel=1e-13)


def test_the_optimum_of_notebook_a():
    """Of the mean of 4000 squares."""
    found = form(p.PowerSeries(), p.Problem().samples())
    expected = OPTIMA["notebook/numpy"]
    np.testing.assert_allclose(found.optimum, expected["parameters"], rtol=1e-8, atol=1e-11)
    assert_printed(found.lowest, expected["lowest"])
    assert_printed(found.largest, expected["largest_eigenvalue"])
    assert_printed(found.smallest, expected["smallest_eigenvalue"])
    assert_printed(p.GradientDescent().limit(found.largest), expected["max_stable"])


def test_exp_on_the_unit_interval():
    samples = p.Problem("exp", domain=[-1, 1], num_samples=2000, loss="sum").samples()
    found = form(p.PowerSeries(degree=3), samples)
    expected = OPTIMA["cubic_exp"]
    np.testing.assert_allclose(found.optimum, expected["parameters"], rtol=0, atol=2.5e-8)
    assert_close(found.optimum, polynomial.polyfit(samples.x, samples.y, 3), 1e-13)
    assert found.lowest == pytest.approx(expected["lowest"], rel=1e-5)


# The excess


@every_linear
@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.floats(1e-3, 1e3))
def test_excess_is_loss_less_lowest(cls, seed, size):
    """Compared where the difference of the losses does not cancel."""
    found = form(cls(degree=4))
    params = found.optimum + size * normal(seed, 2, 3, 5)
    loss = loss_of(cls(degree=4), SAMPLES, params)
    excess = found.excess(params)
    assert excess.shape == (2, 3)
    np.testing.assert_allclose(excess + found.lowest, loss, rtol=1e-11)
    clear = loss > 2 * found.lowest
    np.testing.assert_allclose(excess[clear], (loss - found.lowest)[clear], rtol=1e-10)


def exact_excess(x, y, params):
    """The excess of a power series with the mean of squares, in rational numbers, so without rounding."""
    x, y, params = ([Fraction(float(value)) for value in values] for values in (x, y, params))
    rows = [[value**k for k in range(len(params))] for value in x]
    gram = [[sum(row[i] * row[j] for row in rows) for j in range(len(params))] for i in range(len(params))]
    moments = [sum(row[i] * value for row, value in zip(rows, y, strict=True)) for i in range(len(params))]
    distance = [a - b for a, b in zip(params, solved(gram, moments), strict=True)]
    values = [sum(d * r for d, r in zip(distance, row, strict=True)) for row in rows]
    return sum(value**2 for value in values) / len(x)


def solved(matrix, right):
    """Gauss' elimination in rational numbers."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for i, pivot in enumerate(rows):
        for k, row in enumerate(rows):
            if k != i:
                factor = row[i] / pivot[i]
                rows[k] = [a - factor * b for a, b in zip(row, pivot, strict=True)]
    return [row[-1] / row[i] for i, row in enumerate(rows)]


@pytest.mark.parametrize("excess", [1e-2, 1e-10, 1e-16, 1e-20, 1e-25])
def test_excess_does_not_cancel(excess):
    """Far below the rounding of the loss itself, which is 1e-17 here; along the slowest mode, where the parameters move
    by so much that they can be written down.
    """
    x = np.linspace(-1, 1.5, 12) / 128
    samples = p.Samples.of(x, 0.3 + np.cos(300 * x))
    found = form(p.PowerSeries(degree=3), samples)
    params = found.optimum + found.modes[:, 3] * np.sqrt(2 * excess / found.eigenvalues[3])
    truth = float(exact_excess(x, samples.y, params))
    assert found.excess(params) == pytest.approx(truth, rel=1e-6)
    assert truth == pytest.approx(excess, rel=1e-3)


@pytest.mark.parametrize("cls", [p.LegendreSeries, p.ChebyshevSeries], ids=named)
def test_the_excess_of_the_optimum_is_nothing(cls):
    found = form(cls(degree=5))
    assert found.excess(found.optimum) == 0
    assert found.excess(np.nextafter(found.optimum, 9)) < 1e-30


@every_linear
def test_coordinates_and_params_are_inverse(cls):
    found, params = form(cls(degree=4)), normal(1, 2, 3, 5)
    assert_close(found.params(found.coordinates(params)), params, 1e-13)
    assert_close(found.modes.T @ found.modes, np.eye(5), 1e-14)
    assert_close(found.excess_at(found.coordinates(params)), found.excess(params), 1e-15)


def test_an_excess_that_overflows_is_inf():
    assert form(p.PowerSeries(degree=2)).excess(np.full(3, 1e200)) == np.inf


# What the samples do not determine


@every_linear
@pytest.mark.parametrize(("points", "determined"), [([0.5], 1), ([-1.0, 2.0], 2), ([-1.0, 2.0, 2.0, -1.0, 0.0], 3)])
def test_fewer_points_than_parameters(cls, points, determined):
    samples = p.Samples.of(points, np.cos(points), domain=(-2, 3))
    model = cls(degree=4).on_domain(samples.domain)
    found = p.Quadratic.of(model, samples)
    root = np.sqrt(samples.weights)
    best, _, rank, _ = np.linalg.lstsq(root[:, None] * model.features(samples.x), root * samples.y)
    assert rank == determined == (found.eigenvalues > 0).sum()
    assert_close(found.optimum, best, 1e-12)  # of least norm
    assert found.lowest < 1e-30 * np.abs(model.features(samples.x)).max() ** 2
    assert found.smallest == found.eigenvalues[determined - 1] > 0
    assert found.condition == found.largest / found.smallest
    params = normal(3, 5)
    assert found.excess(params) == pytest.approx(samples.loss(model(params, samples.x)), rel=1e-12)


def test_equal_x_with_different_y():
    samples = p.Samples.of([1.0, 1.0], [0.0, 2.0])
    found = form(p.PowerSeries(degree=1), samples)
    np.testing.assert_allclose(found.optimum, [0.5, 0.5], rtol=1e-15)
    assert found.lowest == pytest.approx(1, rel=1e-15)
    np.testing.assert_allclose(found.eigenvalues, [4, 0], rtol=1e-15)


def test_samples_that_determine_nothing():
    """A model that is zero wherever there is a sample."""
    samples = p.Samples.of([0.0], [3.0], domain=(-1, 1))

    class Slope(p.PowerSeries):
        def features(self, x):
            return super().features(x) * [0, 1]

    found = form(Slope(degree=1), samples)
    np.testing.assert_array_equal(found.optimum, [0, 0])
    np.testing.assert_array_equal(found.eigenvalues, [0, 0])
    assert (found.lowest, found.largest, found.smallest, found.condition) == (9, 0, 0, 1)


# The Hessian


def hessian_by_torch(model, samples, params):
    features, y, weights = (torch.from_numpy(a) for a in (model.features(samples.x), samples.y, samples.weights))

    def loss(at):
        return (weights * (model.forward(at, features) - y) ** 2).sum()

    twice = torch.func.jacrev(torch.func.jacrev(loss))  # torch.func.hessian itself uses something deprecated
    return twice(torch.from_numpy(params)).numpy()


@every_model
@pytest.mark.parametrize("degree", [0, 1, 3, 6])
def test_the_hessian_is_that_of_torch(cls, degree):
    """At parameters where a model that is not linear has another Hessian than a quadratic form."""
    model = cls(degree=degree).on_domain(SAMPLES.domain)
    params = 0.4 * normal(degree, len(model.param_names))
    ours = hessian_eigenvalues(model, SAMPLES, params)
    theirs = np.linalg.eigvalsh(hessian_by_torch(model, SAMPLES, params))[::-1]
    assert_close(ours, theirs, 1e-13)
    assert (np.diff(ours) <= 0).all()


@every_linear
def test_a_linear_models_hessian_is_the_same_everywhere(cls):
    model = cls(degree=4).on_domain(SAMPLES.domain)
    for params in (np.zeros(5), normal(0, 5)):
        assert_close(hessian_eigenvalues(model, SAMPLES, params), form(model).eigenvalues, 1e-13)


@every_linear
def test_modes_are_the_hessians_eigenvectors(cls):
    model = cls(degree=4).on_domain(SAMPLES.domain)
    found, hessian = form(model), hessian_by_torch(model, SAMPLES, np.zeros(5))
    assert_close(hessian @ found.modes, found.modes * found.eigenvalues, 1e-13, scale=found.largest)
    assert (np.diff(found.eigenvalues) <= 0).all()


def test_the_legendre_models_hessian_can_have_negative_eigenvalues():
    eigenvalues = hessian_eigenvalues(p.Legendre(), SAMPLES, np.array([0.0, -1.0, 0.0, 0.3]))
    assert eigenvalues[-1] < 0 < eigenvalues[0]


# The bound


@settings(max_examples=100, deadline=None)
@given(degree=st.integers(0, 8), seed=st.integers(0, 10**6), size=st.floats(1e-3, 10))
def test_the_lowest_loss_bounds_the_legendre_model(degree, seed, size):
    model = p.Legendre(degree=degree)
    params = np.append(size * normal(seed, 2), 0.3 * normal(seed + 1, 2))
    assert loss_of(model, SAMPLES, params) >= lowest_loss(model, SAMPLES) * (1 - 1e-14)


@pytest.mark.parametrize("degree", [1, 3])
def test_the_bound_is_reached_where_the_form_has_enough_freedom(degree):
    """a + b P_n(c + d x) is every line; and every cubic that sin has, as both are odd."""
    samples = p.Problem(num_samples=300).samples()
    bound = lowest_loss(p.Legendre(degree=degree), samples)
    best = form(p.PowerSeries(degree=degree), samples).optimum
    if degree == 1:
        params = np.array([best[0], best[1], 0, 1])
    else:  # b P_3(d x) = b (5 d^3 x^3 - 3 d x) / 2
        d = np.sqrt(-3 * best[3] / (5 * best[1]))
        params = np.array([0, -2 * best[1] / (3 * d), 0, d])
    assert loss_of(p.Legendre(degree=degree), samples, params) == pytest.approx(bound, rel=1e-13)


@every_linear
def test_a_linear_model_reaches_its_bound(cls):
    assert lowest_loss(cls(degree=5), SAMPLES) == pytest.approx(form(cls(degree=5)).lowest, rel=1e-12)


def test_what_is_no_polynomial_has_no_bound():
    assert lowest_loss(NoPolynomial(), SAMPLES) is None


def test_the_power_series_of_the_optimum_is_the_same_for_all_bases():
    ours = [form(cls(degree=5)) for cls in LINEAR]
    in_x = [
        cls(degree=5).on_domain(SAMPLES.domain).power_series(one.optimum) for cls, one in zip(LINEAR, ours, strict=True)
    ]
    expected = polynomial.polyfit(X, SAMPLES.y, 5, w=np.sqrt(SAMPLES.weights))
    for coefficients in in_x:
        assert_close(coefficients, expected, 1e-11)


@pytest.mark.parametrize("degree", [30, 60])
def test_the_best_loss_is_known_where_rounding_hides_directions(degree):
    """Of a power series of degree 60, float64 resolves 14 directions; its lowest loss is that of any other basis."""
    problem, auto = p.Problem(), p.GradientDescent("auto")
    result = p.fit(problem, p.PowerSeries(degree=degree), optimizer=auto, backend=p.NumPy(), loop=p.Manual(10))
    quadratic, samples = result.quadratic, result.samples
    assert (quadratic.eigenvalues == 0).any()
    assert quadratic.lowest < 1e-25
    assert 0.01 < quadratic.out_of_reach < 1
    np.testing.assert_allclose(quadratic.excess(quadratic.optimum), quadratic.out_of_reach, rtol=1e-12)
    np.testing.assert_allclose(samples.loss(result(samples.x)), result.excess + quadratic.lowest, rtol=1e-9)


def test_what_the_samples_do_not_determine_is_not_out_of_reach():
    samples = p.Samples.of([-1.0, 0.5, 2.0], [1.0, -2.0, 3.0])
    for cls in (p.PowerSeries, p.LegendreSeries, p.ChebyshevSeries, p.HermiteSeries):
        quadratic = quadratic_of(cls(degree=9).on_domain(samples.domain), samples)
        assert (quadratic.eigenvalues > 0).sum() == 3
        assert quadratic.out_of_reach == 0
        assert quadratic.lowest < 1e-25
