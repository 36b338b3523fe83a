"""The reference problems of NIST: how many digits of the certified values polyexp finds, beside NumPy's own fits."""

import json

import numpy as np
import pytest

import polyexp as p
from tests.helpers.nist import BASES, NAMES, data_set, fitted, numpy_coefficients, paths

pytestmark = pytest.mark.numeric

MARGIN = 1.5  # digits: between two kernels those of NumPy's own fits differ by 0.7
every_set = pytest.mark.parametrize("name", NAMES)


def digits_by_condition(data, result):
    """The number of digits that the condition of the problem leaves, whatever computes them.

    The parameters a of the series have an error of at most u sqrt(N K) kappa (|a| + |y| / sigma), with the condition number
    kappa of the features, their least singular value sigma and the unit of rounding u (Higham 2002, sections 20.1 and 20.3, to
    first order, with the square root of the number of roundings: Higham and Mary 2019). Gradient descent ends where its
    update is lost in the rounding of the parameters, which the condition number kappa^2 of the Hessian multiplies. The change
    of basis C adds these errors up: |dc_j| <= sum_k |C_jk| |da_k|, and its own K roundings of each term.
    """
    model = result.model
    features = model.features(data.x)
    singular = np.linalg.svd(features, compute_uv=False)
    kappa = singular[0] / singular[-1]
    size = features.shape[1]
    unit = np.finfo(float).eps / 2
    params = result.quadratic.optimum
    norms = np.linalg.norm(params) + np.linalg.norm(data.y) / singular[-1]
    error = unit * (np.sqrt(features.size) * kappa + kappa**2) * norms
    change = np.abs(model.power_series(np.eye(size)))
    bound = change.T @ (error + unit * size * np.abs(params))
    return -np.log10((bound / np.abs(data.coefficients)).max())


@every_set
@pytest.mark.parametrize(("basis", "optimizer", "loop"), [*paths()])
def test_as_many_digits_as_numpy(name, basis, optimizer, loop):
    """By compiled steps where there are many: every backend takes the same ones (test_jax.py)."""
    data = data_set(name)
    wanted = min(data.digits(found) for _, found in numpy_coefficients(data)) - MARGIN
    result = fitted(data, basis, optimizer, loop, p.NumPy if "closed form" in loop else p.JAX)
    assert result.outcome is p.Outcome.MAX_STEPS
    assert data.digits(result.power_series) >= min(wanted, digits_by_condition(data, result))


@every_set
def test_the_bound_by_the_condition_says_something(name):
    """It is no excuse: NumPy's fits keep to it too, and it is a few digits below them."""
    data = data_set(name)
    result = fitted(data, "Legendre series", "gradient descent", "closed form, 1e18 steps")
    bound, numpy = digits_by_condition(data, result), [data.digits(found) for _, found in numpy_coefficients(data)]
    assert 1 < bound < max(numpy)


@every_set
def test_ten_wrong_units_of_a_coefficient_are_noticed(name):
    data = data_set(name)
    assert data.digits(data.coefficients) == 15
    wrong = data.coefficients.copy()
    wrong[1] *= 1 + 1e-6
    assert data.digits(wrong) == pytest.approx(6, abs=1e-3)


@every_set
@pytest.mark.parametrize("basis", BASES)
def test_the_best_loss_is_the_certified_one(cli, tmp_path, name, basis):
    data = data_set(name)
    words = ["problem=file", f"problem.path={data.path}", f"model={BASES[basis].name}", f"model.degree={data.degree}"]
    ended = cli(*words, "optimizer.learning_rate=auto", "loop=closed_form", "backend=numpy", "tracking=none")
    assert ended.code == 0, ended.err
    (file,) = tmp_path.rglob("result.json")
    best = json.loads(file.read_text(encoding="utf-8"))["best_loss"]
    assert best == pytest.approx(data.lowest, rel=1e-12, abs=0 if data.lowest else 1e-15 * data.mean_square)
