"""What a model says of itself, each part against an answer of its own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.polynomial.polynomial import polyval

from polyexp.base import InputError
from polyexp.crosscheck.differences import TOLERANCE, largest_difference, one_line
from polyexp.exact import quadratic_of
from polyexp.model import Model, degree_in_x, jacobian
from polyexp.problem import Samples

__all__ = ["Promise", "promises"]

LEAST_SINGULAR_VALUE = 1e-12  # of the largest singular value
MAX_POINTS = 64  # points at which a model's own promises are tried
MAX_VALUE_FOR_GRADCHECK = 1e3  # values of a model at which the finite differences of gradcheck see something


@dataclass(frozen=True)
class Promise:
    """Something that a part of a model must be. difference: relative; None where the answer is yes or no.

    kept: None where it could not be tried; `note` says why.
    """

    part: str
    says: str
    difference: float | None
    kept: bool | None
    note: str = ""


def promises(model: Model, samples: Samples) -> Iterator[Promise]:
    """Every part of a model against an answer of its own, with random parameters at some of the samples."""
    x = samples.x[:: -(-samples.size // MAX_POINTS)]
    params = np.random.RandomState(0).standard_normal((2, len(model.param_names)))
    yield _promise("backward", "is the derivative of `forward`", lambda: _backward(model, params, x))
    yield _promise("forward", "treats each of several runs as it does one", lambda: _runs(model, params, x))
    yield from _of_polynomial(model, params, x)
    if model.linear:
        yield _promise("linear", "holds: `forward` is `features` times parameters", lambda: _linear(model, params, x))
        yield _promise("optimum", "is numpy.linalg.lstsq's", lambda: _least_squares(model, samples))
    yield _yes_or_no("custom Function", "passes torch's gradcheck", lambda: _gradcheck(model, params[0], True))
    if model.differentiable(lambda function: function) is not model:
        yield _yes_or_no(
            "differentiable", "passes torch's gradcheck under autograd", lambda: _gradcheck(model, params[0], False)
        )


def _of_polynomial(model: Model, params: np.ndarray, x: np.ndarray) -> Iterator[Promise]:
    try:
        polynomial = model.polynomial_degree is not None
    except Exception as error:
        yield Promise("polynomial_degree", "can be computed", None, False, one_line(error))
        return
    if not polynomial:
        yield Promise("power_series", "has the model's values", None, None, "The model says that it is no polynomial.")
        return
    yield _promise("power_series", "has the model's values", lambda: _power_series(model, params, x))
    yield _yes_or_no("polynomial_degree", "is not below the model's degree in x", lambda: _degree(model))


def _promise(part: str, says: str, difference: Callable[[], float]) -> Promise:
    try:
        with np.errstate(all="ignore"):
            found = difference()
    except Exception as error:  # as above: a fault of the model is the result
        return Promise(part, says, None, False, one_line(error))
    if np.isnan(found):
        return Promise(part, says, None, None, "The values are not finite on these samples.")
    return Promise(part, says, found, found <= TOLERANCE)


def _yes_or_no(part: str, says: str, kept: Callable[[], bool]) -> Promise:
    try:
        return Promise(part, says, None, kept())
    except Exception as error:
        return Promise(part, says, None, False, one_line(error))


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
    """Relative to the sizes of the terms, which is as far as a power series can be trusted."""
    coefficients = np.moveaxis(model.power_series(params), -1, 0)
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
    """The distance of the fitted values, mode by mode: the parameters are known only to the condition number times
    rounding, and modes that rounding hides may be left out by the one and not by the other.
    """
    quadratic = quadratic_of(model, samples)
    if quadratic is None:
        return np.nan
    root = np.sqrt(samples.weights)
    matrix = root[:, None] * model.features(samples.x)
    _, singular, modes = np.linalg.svd(matrix, full_matrices=False)
    optimum = np.linalg.lstsq(matrix, root * samples.y, rcond=matrix.shape[1] * float(np.finfo(float).eps))[0]
    seen = singular > LEAST_SINGULAR_VALUE * singular[0]
    size = singular[0] * np.linalg.norm(optimum) + np.linalg.norm(root * samples.y)
    return largest_difference((singular * (modes @ (optimum - quadratic.optimum)))[seen], size)


def _gradcheck(model: Model, params: np.ndarray, custom: bool) -> bool:
    """torch's finite differences against the Function that is made of `forward` and `backward`, or against autograd.

    On [-1, 1], and at parameters so small that the differences see something.
    """
    import torch

    from polyexp.loop.functions import ModelFunction, lift

    tame = model.on((-1.0, 1.0))
    features = tame.features(np.linspace(-1, 1, 5))
    with np.errstate(all="ignore"):
        while (
            not np.abs(tame.forward(params, features)).max() < MAX_VALUE_FOR_GRADCHECK
            and np.abs(params).max() > np.finfo(float).tiny
        ):
            params = params / 2
    lifted = tame.differentiable(lift)

    def values(at: torch.Tensor) -> torch.Tensor:
        fixed = torch.from_numpy(np.array(features, float))
        if custom:
            return ModelFunction.apply(at, fixed, tame)  # type: ignore[no-any-return, no-untyped-call]
        return lifted.forward(at, fixed)  # type: ignore[no-any-return]

    return bool(torch.autograd.gradcheck(values, torch.from_numpy(params).requires_grad_(True), raise_exception=False))
