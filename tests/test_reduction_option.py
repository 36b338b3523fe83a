"""problem.reduction: when samples are reduced, and what is refused."""

import numpy as np
import pytest

import polyexp as p
from polyexp.model import degree_in_x
from tests.helpers.cases import NoPolynomial, assert_close

pytestmark = [pytest.mark.numeric, pytest.mark.usefixtures("one_blas_thread")]


@pytest.mark.parametrize(
    ("how", "num_samples", "model", "used"),
    [
        ("auto", 4000, p.PowerSeries(degree=7), 8),
        ("auto", 4000, p.Legendre(degree=5), 6),
        ("auto", 4000, NoPolynomial(), 4000),
        ("auto", 9, p.PowerSeries(degree=7), 8),
        ("auto", 8, p.PowerSeries(degree=7), 8),
        ("auto", 3, p.PowerSeries(degree=7), 3),
        ("auto", 1, p.PowerSeries(degree=0), 1),
        ("gauss", 4000, p.PowerSeries(degree=7), 8),
        ("gauss", 3, p.PowerSeries(degree=7), 3),
        ("none", 4000, p.PowerSeries(degree=7), 4000),
        ("none", 4000, NoPolynomial(), 4000),
    ],
)
def test_how_many_samples_are_used(how, num_samples, model, used):
    one = p.Problem(reduction=how, num_samples=num_samples)
    result = p.fit(one, model, backend=p.NumPy(), loop=p.Manual(3))
    assert (result.samples.size, result.samples.total) == (used, num_samples)
    assert result.samples.domain == one.interval
    assert result.samples.name == "sin"


@pytest.mark.parametrize("how", ["auto", "none"])
def test_few_samples_are_kept_as_they_are(how):
    one = p.Problem(reduction=how, num_samples=8, sampling="uniform")
    result = p.fit(one, p.PowerSeries(degree=7), backend=p.NumPy(), loop=p.Manual(1), seed=5)
    np.testing.assert_array_equal(result.samples.x, one.samples(5).x)


class Even(p.PowerSeries):
    """A model of twice the degree that its class states."""

    def features(self, x):
        return super().features(x * x)


@pytest.mark.parametrize("degree", [1, 2, 7, 40])
def test_a_model_of_a_larger_degree_than_it_says_is_refused(degree):
    message = f"not the polynomial of degree {degree} in x that its class declares: override `power_series`"
    with pytest.raises(p.InputError, match=message):
        p.fit(p.Problem(), Even(degree=degree), backend=p.NumPy())


@pytest.mark.parametrize("cls", [p.PowerSeries, p.Legendre, p.LegendreSeries, p.ChebyshevSeries, p.HermiteSeries])
@pytest.mark.parametrize("degree", [0, 1, 2, 3, 8, 20, 60, 200, 1000])
def test_models_are_the_polynomials_that_they_say(cls, degree):
    assert degree_in_x(cls(degree=degree)) == degree


def test_what_is_no_polynomial_cannot_be_reduced():
    message = r"^`problem\.reduction=gauss` needs a model that is a polynomial in x: type `problem\.reduction=auto`\.$"
    with pytest.raises(p.InputError, match=message):
        p.fit(p.Problem(reduction="gauss"), NoPolynomial(), backend=p.NumPy())


def test_an_unknown_reduction():
    with pytest.raises(p.InputError, match=r"^`problem\.reduction` must be one of auto, none, gauss, got 'Gauss'\."):
        p.Problem(reduction="Gauss")


def test_the_largest_error_is_over_all_samples():
    """The nodes do not include the ends, where the error is largest."""
    one = p.Problem("exp", domain=[0, 5], num_samples=1000)
    result = p.fit(
        one, p.LegendreSeries(degree=2), backend=p.NumPy(), loop=p.Manual(50), optimizer=p.GradientDescent(0.5)
    )
    x = np.linspace(0, 5, 1000)
    assert result.max_error == pytest.approx(np.abs(result(x) - np.exp(x)).max(), rel=1e-14)
    assert result.max_error > 2 * np.abs(result(result.samples.x) - np.exp(result.samples.x)).max()


@pytest.mark.parametrize("how", ["auto", "none"])
def test_random_samples_follow_the_first_seed(how):
    one = p.Problem(sampling="uniform", noise=0.2, num_samples=500, reduction=how)
    options = {"backend": p.NumPy(), "loop": p.Manual(5), "optimizer": p.GradientDescent(0.1)}
    several = p.fit(one, p.LegendreSeries(degree=3), seed=[3, 4], **options)
    alone = p.fit(one, p.LegendreSeries(degree=3), seed=3, **options)
    np.testing.assert_array_equal(several.samples.x, alone.samples.x)
    assert_close(several.params[0], alone.params, 1e-13)
