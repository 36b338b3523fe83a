"""The checks of a model: each of its methods compared with an independent computation."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.polynomial.polynomial import polyval

from polyexp.backend import Torch
from polyexp.base import InputError
from polyexp.crosscheck.differences import TOLERANCE, largest_difference, one_line
from polyexp.exact import quadratic_of
from polyexp.loop import Autograd, CustomFunction
from polyexp.model import Model, degree_in_x, jacobian
from polyexp.problem import Data, Samples

__all__ = ["ModelCheck", "model_checks"]

MIN_RELATIVE_SINGULAR_VALUE = 1e-12  # modes below this part of the largest one are hidden by rounding, and not compared
MAX_SAMPLES_CHECKED = 64  # samples at which a model is checked
MAX_VALUE_FOR_GRADCHECK = 1e3  # finite differences of larger values lose too many digits for the tolerance of gradcheck


@dataclass(frozen=True)
class ModelCheck:
    """One check of a model.

    Args:
        part: The method or property that is checked.
        says: What must be true of it, as the rest of a sentence.
        difference: The relative difference that was found; None for a check that has only yes or no as its answer.
        passed: Whether the check passed; None if it could not be made.
        note: Why it failed or could not be made.
    """

    part: str
    says: str
    difference: float | None
    passed: bool | None
    note: str = ""


def model_checks(model: Model, samples: Samples) -> Iterator[ModelCheck]:
    """Every check of a model, with random parameters at some of the samples.

    Args:
        model: The model on the domain of the samples.
        samples: The samples, reduced or not.
    """
    x = samples.x[:: -(-samples.size // MAX_SAMPLES_CHECKED)]
    params = np.random.RandomState(0).standard_normal((2, len(model.param_names)))
    yield _measured_check("backward", "is the derivative of `forward`", lambda: _backward(model, params, x))
    yield _measured_check(
        "forward", "treats each run of a batch as it treats a single run", lambda: _runs(model, params, x)
    )
    yield from _of_polynomial(model, params, x)
    if model.linear:
        yield _measured_check(
            "linear", "means that `forward` equals `features` times the parameters", lambda: _linear(model, params, x)
        )
        yield _measured_check("optimum", "agrees with numpy.linalg.lstsq", lambda: _least_squares(model, samples))
    yield _yes_or_no_check("custom Function", "passes torch's gradcheck", lambda: _gradcheck(model, params[0], True))
    if model.differentiable(lambda function: function) is not model:
        yield _yes_or_no_check(
            "differentiable", "passes torch's gradcheck under autograd", lambda: _gradcheck(model, params[0], False)
        )


def _of_polynomial(model: Model, params: np.ndarray, x: np.ndarray) -> Iterator[ModelCheck]:
    try:
        polynomial = model.polynomial_degree is not None
    except Exception as error:
        yield ModelCheck("polynomial_degree", "can be computed", None, False, one_line(error))
        return
    if not polynomial:
        yield ModelCheck(
            "power_series",
            "has the same values as the model",
            None,
            None,
            "The model is declared not to be a polynomial.",
        )
        return
    yield _measured_check("power_series", "has the same values as the model", lambda: _power_series(model, params, x))
    yield _yes_or_no_check("polynomial_degree", "is at least the model's degree in x", lambda: _degree(model))


def _measured_check(part: str, says: str, difference: Callable[[], float]) -> ModelCheck:
    try:
        with np.errstate(all="ignore"):
            found = difference()
    except Exception as error:  # models of others may raise anything; their faults are findings
        return ModelCheck(part, says, None, False, one_line(error))
    if np.isnan(found):
        return ModelCheck(part, says, None, None, "The values are not finite on these samples.")
    return ModelCheck(part, says, found, found <= TOLERANCE)


def _yes_or_no_check(part: str, says: str, passed: Callable[[], bool]) -> ModelCheck:
    try:
        return ModelCheck(part, says, None, passed())
    except Exception as error:
        return ModelCheck(part, says, None, False, one_line(error))


def _backward(model: Model, params: np.ndarray, x: np.ndarray) -> float:
    features = model.features(x)
    grad_y = np.random.RandomState(1).standard_normal((len(params), x.size))
    terms = grad_y[:, None, :] * jacobian(model, params, features)
    found = [model.backward(row, features, weights) for row, weights in zip(params, grad_y, strict=True)]
    return largest_difference(np.stack(found) - terms.sum(-1), np.abs(terms).sum(-1))


def _runs(model: Model, params: np.ndarray, x: np.ndarray) -> float:
    features = model.features(x)
    alone = np.stack([model.forward(row, features) for row in params])
    together = np.asarray(model.forward(params, features))
    back_alone = np.stack([model.backward(row, features, alone[0]) for row in params])
    back = np.asarray(model.backward(params, features, np.stack([alone[0]] * len(params))))
    if not (np.isfinite(alone).all() and np.isfinite(back_alone).all()):
        return np.nan
    if together.shape != alone.shape or back.shape != back_alone.shape:
        return np.inf
    pairs = ((together, alone), (back, back_alone))
    return max(largest_difference(one - other, np.abs(other).max()) for one, other in pairs)


def _power_series(model: Model, params: np.ndarray, x: np.ndarray) -> float:
    """The difference relative to the sizes of the terms, whose rounding limits the accuracy of a power series."""
    coefficients = np.moveaxis(np.asarray(model.power_series(params)), -1, 0)
    size = np.maximum(polyval(np.abs(x), np.abs(coefficients)), np.abs(model(params, x)))
    return largest_difference(polyval(x, coefficients) - model(params, x), size)


def _degree(model: Model) -> bool:
    try:
        degree_in_x(model)
    except InputError:
        return False
    return True


def _linear(model: Model, params: np.ndarray, x: np.ndarray) -> float:
    features = model.features(x)
    return largest_difference(
        model.forward(params, features) - params @ features.T, np.abs(params) @ np.abs(features.T)
    )


def _least_squares(model: Model, samples: Samples) -> float:
    """The difference of the fitted values, mode by mode.

    Parameters would differ by the condition number times rounding. Modes that rounding hides are left out, because one of the
    two solutions may have them and the other not.
    """
    quadratic = quadratic_of(model, samples)
    if quadratic is None:
        return np.nan
    root = np.sqrt(samples.weights)
    matrix = root[:, None] * model.features(samples.x)
    _, singular, modes = np.linalg.svd(matrix, full_matrices=False)
    optimum = np.linalg.lstsq(matrix, root * samples.y, rcond=matrix.shape[1] * float(np.finfo(float).eps))[0]
    determined = singular > MIN_RELATIVE_SINGULAR_VALUE * singular[0]
    size = singular[0] * np.linalg.norm(optimum) + np.linalg.norm(root * samples.y)
    return largest_difference((singular * (modes @ (optimum - quadratic.optimum)))[determined], size)


def _gradcheck(model: Model, params: np.ndarray, custom: bool) -> bool:
    """Whether torch's gradcheck, by finite differences, agrees with the model's own derivative or with autograd.

    The model is on [-1, 1], with parameters so small that finite differences are accurate enough.

    Args:
        model: The model.
        params: Parameters, which are halved until they are small enough. Shape (K,).
        custom: Whether the custom Function from `forward` and `backward` is checked, rather than autograd.
    """
    import torch

    tame = model.on_domain((-1.0, 1.0))
    features = tame.features(np.linspace(-1, 1, 5))
    with np.errstate(all="ignore"):
        while (
            not np.abs(tame.forward(params, features)).max() < MAX_VALUE_FOR_GRADCHECK
            and np.abs(params).max() > np.finfo(float).tiny
        ):
            params = params / 2
    loop = CustomFunction() if custom else Autograd()
    data = Data(torch.from_numpy(np.array(features, float)), None, None, 0.0, Torch())
    values = loop.differentiable_forward(tame, data)
    return bool(torch.autograd.gradcheck(values, torch.from_numpy(params).requires_grad_(True), raise_exception=False))
