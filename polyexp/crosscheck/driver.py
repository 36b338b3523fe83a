"""One problem by every formulation that can run here, and what a model says of itself, each against an independent answer.

The reference is plain NumPy: it knows of a model nothing but `forward`, which it differentiates by complex steps, so that it
shares neither `backward` nor autograd with the formulations that are held against it.

How far rounding alone may carry a run is measured, not guessed: beside the reference run, runs whose every gradient is off by a
few units of rounding. A formulation may differ by ten times as much, and by 1e-11 in any case.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.polynomial.polynomial import polyval

from polyexp.backend import Backend, NumPy
from polyexp.base.component import Component
from polyexp.base.validation import InputError
from polyexp.device import CPU, CUDA, Device
from polyexp.exact.quadratic import quadratic_of
from polyexp.fitting.driver import GROWTH_LIMIT, History, Result, fit, place
from polyexp.loop import ClosedForm, Loop
from polyexp.loop.loop import ValueAndGradient
from polyexp.model import Model, degree_in_x
from polyexp.optimizer import Optimizer
from polyexp.problem.reduction import gauss
from polyexp.problem.samples import Array, Data, Samples
from polyexp.problem.sampling import Source

__all__ = [
    "TOLERANCE",
    "ComplexStep",
    "Crosscheck",
    "Formulation",
    "Promise",
    "crosscheck",
    "derivative",
    "promises",
    "sets",
]

TOLERANCE = 1e-11  # relative; the sums of the samples and of the steps round to some 1e-13
ROUNDING = 16 * float(np.finfo(float).eps)  # by which gradients are disturbed, relative to the sizes of their terms
MARGIN = 10  # times the distance that the disturbed runs move is allowed
LOST = 1e-6  # a tolerance above this would hide mistakes; such steps are not compared
DISTURBED = 2  # runs
MOST = 2**16  # samples that are fitted without reduction
TRUTH = 2**21  # K^2 N of the reference: some seconds
SEEN = 1e-12  # of the largest singular value
TRIED = 64  # points at which a model's own promises are tried
H = 1e-30  # of the complex step
TAME = 1e3  # values of a model at which the finite differences of gradcheck see something


@dataclass(frozen=True)
class Formulation:
    """One way to solve the problem, and how far it is from the reference.

    params, loss: largest differences over the steps looked at. gradient: at the first and at the last of the parameters.
    All are relative: to the largest parameter (of the closed form: or the optimum's), to the loss (or the loss of y = 0, if
    that is more), and to the gradient's largest terms. inf where it failed, and `note` says how; nan where rounding decides.
    """

    name: str
    samples: int
    params: float
    loss: float
    gradient: float
    agrees: bool
    note: str = ""


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


@dataclass(frozen=True)
class Crosscheck:
    """What was found. tolerance: of parameters and losses; gradients have `TOLERANCE`. steps: up to which was compared."""

    model: str
    reference: str
    steps: int
    tolerance: float
    formulations: tuple[Formulation, ...]
    promises: tuple[Promise, ...]
    notes: tuple[str, ...]

    @property
    def broken(self) -> tuple[Promise, ...]:
        """The promises that the model does not keep."""
        return tuple(one for one in self.promises if one.kept is False)

    @property
    def differing(self) -> tuple[Formulation, ...]:
        """The formulations that do not agree with the reference."""
        return tuple(one for one in self.formulations if not one.agrees)

    @property
    def agrees(self) -> bool:
        """Whether everything that was compared agrees, and something was."""
        return bool(self.formulations) and not self.broken and not self.differing


@dataclass
class ComplexStep(Loop):
    """Gradients from `forward` alone: J^T (2 weights r), with column k of J being Im f(params + i h e_k) / h.

    noise: added to every gradient, relative to the sizes of its terms (`gradient_terms`); shape (*runs, K).
    """

    noise: Any = 0.0

    def value_and_gradient(self, model: Model, data: Data) -> ValueAndGradient:
        """In NumPy."""

        def both(params: Array) -> tuple[Array, Array]:
            residual = model.forward(params, data.features) - data.y
            slopes = derivative(model, params, data.features)
            grad, size = gradient_terms(params, slopes, residual, data)
            return (data.weights * residual * residual).sum(-1) + data.floor, grad + self.noise * size

        return both


def derivative(model: Model, params: np.ndarray, features: Any) -> np.ndarray:  # shape: (*runs, K) -> (*runs, K, N)
    """df(x_i)/dparams_k of `forward`, by complex steps, which have no cancellation (Squire and Trapp 1998)."""
    moved = params[..., None, :] + 1j * H * np.eye(params.shape[-1])
    return np.asarray(model.forward(moved, features)).imag / H


def gradient_terms(
    params: np.ndarray, slopes: np.ndarray, residual: np.ndarray, data: Data
) -> tuple[np.ndarray, np.ndarray]:
    """The gradient J^T (2 weights r), and the sizes of what it is summed from: |J|^T 2 weights (|J| |params| + |y|).

    # shape: (*runs, K), (*runs, K, N), (*runs, N) -> (*runs, K), (*runs, K)
    """
    values = np.einsum("...kn,...k->...n", np.abs(slopes), np.abs(params))
    sizes = 2 * data.weights * (values + np.abs(data.y))
    grad = np.einsum("...kn,...n->...k", slopes, 2 * data.weights * residual)
    return grad, np.einsum("...kn,...n->...k", np.abs(slopes), sizes)


def sets(source: Source, used: Samples, degree: int | None, seed: int) -> tuple[Samples, Samples | None]:
    """The samples of a problem without reduction and with it; None where they cannot be reduced.

    used: those that a fit takes. More than `MOST` samples are only taken reduced: twice the same then. InputError where
    there are so many and they cannot be.
    """
    reducible = degree is not None and used.total > degree + 1
    if used.total > MOST:
        if not reducible:
            raise InputError(
                f"`action=crosscheck` takes at most {MOST} samples of a model that is no polynomial, got {used.total}."
            )
        few = used if used.size < used.total else gauss(used, degree or 0)
        return few, few
    whole = used if used.size == used.total else source.samples(seed)
    if not reducible:
        return whole, None
    return whole, used if used.size < used.total else gauss(used, degree or 0)


def crosscheck(
    model: Model,
    whole: Samples,
    few: Samples | None = None,
    *,
    optimizer: Optimizer,
    initial: np.ndarray,  # shape: (K,)
    steps: int = 200,
) -> Crosscheck:
    """Every formulation on all samples and on their reduction `few`, if there is one, against the reference.

    The reference is computed on `whole`, or on `few` where that would take long. model: on the samples' domain. Nothing
    here raises for what is wrong with a model; it is in what is returned.
    """
    kept = tuple(promises(model, few or whole))
    truth = few if few is not None and _cost(model, whole) > TRUTH else whole
    notes = (f"{whole.total} samples are too many to be fitted without reduction.",) if whole.size < whole.total else ()

    def found(course: _Course | None, formulations: Sequence[Formulation], *more: str) -> Crosscheck:
        step, tolerance = (int(course.step.max(initial=0)), course.tolerance) if course else (0, TOLERANCE)
        reference = f"NumPy with `forward` differentiated by complex steps, on {_points(truth)}"
        return Crosscheck(model.choice, reference, step, tolerance, tuple(formulations), kept, (*notes, *more))

    try:
        with np.errstate(all="ignore"):
            course = _course(model, truth, optimizer, initial, steps)
    except Exception as error:  # of a model that is not ours; what is wrong with it is the result
        return found(None, (), f"The reference failed: {_told(error)}")
    if not np.isfinite(course.size).all():
        return found(course, (), "The loss is not finite at the first parameters.")
    reached = course.step.max(initial=0)
    beyond = f"Compared up to step {reached}: beyond it the run diverges, or rounding decides it."
    on = [whole] if few is None or few is whole else [few, whole]
    rows = [one for samples in on for one in _formulations(model, samples, optimizer, initial, steps, course)]
    return found(course, rows, *([beyond] if reached < steps else []))


def _cost(model: Model, samples: Samples) -> int:
    """Of a step of the reference."""
    return len(model.param_names) ** 2 * samples.size


# The reference


@dataclass(frozen=True)
class _Course:
    """The reference's looks, as many as can be compared, and its gradients at the first and last parameters."""

    step: np.ndarray  # shape: (L,)
    params: np.ndarray  # shape: (L, K)
    loss: np.ndarray  # shape: (L,)
    zero: float  # the loss of y = 0
    tolerance: float
    at: np.ndarray  # shape: (2, K)
    gradient: np.ndarray  # shape: (2, K)
    size: np.ndarray  # shape: (2,); of the gradients' terms
    every: int  # steps between two looks

    def params_difference(self, params: np.ndarray, known_to: float) -> float:
        """Of parameters at the same steps, relative to the largest that the run has seen, or to `known_to`."""
        return _largest(params - self.params, max(known_to, float(np.abs([*self.params, *self.at]).max())))

    def loss_difference(self, loss: np.ndarray) -> float:
        """Of losses at the same steps."""
        return _largest(loss - self.loss, np.maximum(self.loss, self.zero))


def _course(model: Model, samples: Samples, optimizer: Optimizer, initial: np.ndarray, steps: int) -> _Course:
    signs = np.random.RandomState(0).choice([-1.0, 1.0], (DISTURBED, initial.size))
    noise = ROUNDING * np.vstack([np.zeros(initial.size), signs])
    every = max(1, steps // 10)
    first = float(samples.loss(model(initial, samples.x)))
    zero = float(samples.loss(np.zeros_like(samples.y)))
    for cadence in (every, 1):  # every step, where there is nothing to compare at the first look
        loop = ComplexStep(steps, cadence, noise=noise)
        start = np.broadcast_to(initial, noise.shape)
        found = fit(samples, model, loop=loop, optimizer=optimizer, backend=NumPy(), params=start)
        seen, moved = _comparable(found, first, zero)
        if seen.any():
            break
    history = found.history
    data = place(samples, model, NumPy())
    at = np.stack([initial, history.params[seen][-1, 0] if seen.any() else initial])
    residual = model.forward(at, data.features) - data.y
    grad, size = gradient_terms(at, derivative(model, at, data.features), residual, data)
    return _Course(
        step=history.step[seen],
        params=history.params[seen, 0],
        loss=history.loss[seen, 0],
        zero=zero,
        tolerance=max(TOLERANCE, MARGIN * float(moved[seen].max(initial=0))),
        at=at,
        gradient=grad,
        size=size.max(-1),
        every=loop.log_every,
    )


def _comparable(found: Result, first: float, zero: float) -> tuple[np.ndarray, np.ndarray]:  # shape: (L,), (L,)
    """The looks before the run diverges or rounding decides it, and how far rounding has carried it at each."""
    history = found.history
    params, loss = history.params, history.loss
    largest = np.maximum.accumulate(np.maximum(np.abs(params[:, 0]), np.abs(found.initial[0])).max(-1))
    scale = np.maximum(loss[:, 0], zero)
    apart = np.abs(params - params[:, :1]).max((1, 2)) / np.where(largest > 0, largest, 1)
    losses = np.abs(loss - loss[:, :1]).max(1) / np.where(scale > 0, scale, 1)
    moved = np.maximum(apart, losses)
    bounded = loss[:, 0] <= GROWTH_LIMIT * max(first, zero)
    sound = bounded & (history.step <= found.steps.min()) & (MARGIN * moved <= LOST)
    return np.logical_and.accumulate(sound), moved


# The formulations


def _formulations(
    model: Model, samples: Samples, optimizer: Optimizer, initial: np.ndarray, steps: int, course: _Course
) -> Iterator[Formulation]:
    quadratic = quadratic_of(model, samples)
    for backend, device, loop in paths(steps, course.every):

        def run(backend: Backend = backend, device: Device = device, loop: Loop = loop) -> tuple[History, float]:
            found = fit(samples, model, loop=loop, optimizer=optimizer, backend=backend, device=device, params=initial)
            return found.history, _gradient_difference(model, samples, backend.on(device), loop, course)

        yield _formulation(f"{backend.choice} {loop.choice} {device}", samples, course, run)
    if quadratic and optimizer.damping(quadratic.eigenvalues, 1) is not None:

        def jump() -> tuple[History, float]:
            found = fit(samples, model, loop=ClosedForm(steps), optimizer=optimizer, backend=NumPy(), params=initial)
            grad = (quadratic.eigenvalues * quadratic.coordinates(course.at)) @ quadratic.modes.T
            return found.history, _largest(grad - course.gradient, course.size[:, None])

        optimum = float(np.abs(quadratic.optimum).max())  # what this one adds and subtracts
        yield _formulation("closed_form", samples, course, jump, optimum)


def paths(steps: int, every: int) -> Iterator[tuple[Backend, CPU | CUDA, Loop]]:
    """Every registered loop on every backend and device that offer what it needs and are here, in float64."""
    backends = [cls(dtype="float64") for cls in _registered(Backend)]
    loops = [cls(steps, every) for cls in _registered(Loop) if not cls.direct]
    for backend in backends:
        for device in (CPU(), CUDA()):
            for loop in loops:
                if {device.kind, *loop.needs} <= backend.offers and _is_here(device):
                    yield backend, device, loop


def _registered(base: Any) -> list[Any]:
    return [cls for (group, _), cls in sorted(Component.registry.items()) if group == base.group]


def _is_here(device: CPU | CUDA) -> bool:
    if isinstance(device, CPU):
        return True
    import torch

    return torch.cuda.is_available()


def _formulation(
    name: str, samples: Samples, course: _Course, run: Callable[[], tuple[History, float]], known_to: float = 0.0
) -> Formulation:
    try:
        with np.errstate(all="ignore"):
            history, gradient = run()
    except Exception as error:  # of a model or a plugin that is not ours; what is wrong with it is the result
        return Formulation(name, samples.size, np.inf, np.inf, np.inf, False, _told(error))
    if not course.step.size:
        return Formulation(name, samples.size, np.nan, np.nan, gradient, gradient <= TOLERANCE)
    _, here, there = np.intersect1d(course.step, history.step, return_indices=True)
    if not here.size or here[-1] != course.step.size - 1:
        return Formulation(name, samples.size, np.inf, np.inf, gradient, False, "It ended before the reference did.")
    seen = replace(course, step=course.step[here], params=course.params[here], loss=course.loss[here])
    params, loss = seen.params_difference(history.params[there], known_to), seen.loss_difference(history.loss[there])
    agrees = max(params, loss) <= course.tolerance and gradient <= TOLERANCE
    return Formulation(name, samples.size, params, loss, gradient, agrees)


def _gradient_difference(model: Model, samples: Samples, backend: Backend, loop: Loop, course: _Course) -> float:
    """Of both functions that a loop offers, at each of the two parameters and at both together."""
    data = place(samples, model, backend)
    functions = [lambda params: loop.value_and_gradient(model, data)(params)[1], loop.gradient(model, data)]
    size = course.size[:, None]
    return max(
        _largest(backend.get(function(backend.put(course.at[which]))) - course.gradient[which], size[which])
        for function in functions
        for which in (0, 1, slice(None))
    )


# What a model says of itself


def promises(model: Model, samples: Samples) -> Iterator[Promise]:
    """Every part of a model against an answer of its own, with random parameters at some of the samples."""
    x = samples.x[:: -(-samples.size // TRIED)]
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
        yield Promise("polynomial_degree", "can be computed", None, False, _told(error))
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
        return Promise(part, says, None, False, _told(error))
    if np.isnan(found):
        return Promise(part, says, None, None, "The values are not finite on these samples.")
    return Promise(part, says, found, found <= TOLERANCE)


def _yes_or_no(part: str, says: str, kept: Callable[[], bool]) -> Promise:
    try:
        return Promise(part, says, None, kept())
    except Exception as error:
        return Promise(part, says, None, False, _told(error))


def _backward(model: Model, params: np.ndarray, x: np.ndarray) -> float:
    features = model.features(x)
    grad_y = np.random.RandomState(1).standard_normal((len(params), x.size))
    terms = grad_y[:, None, :] * derivative(model, params, features)
    found = [model.backward(row, features, weights) for row, weights in zip(params, grad_y, strict=True)]
    return _largest(np.stack(found) - terms.sum(-1), np.abs(terms).sum(-1))


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
    return max(_largest(one - other, np.abs(other).max()) for one, other in pairs)


def _power_series(model: Model, params: np.ndarray, x: np.ndarray) -> float:
    """Relative to the sizes of the terms, which is as far as a power series can be trusted."""
    coefficients = np.moveaxis(model.power_series(params), -1, 0)
    size = np.maximum(polyval(np.abs(x), np.abs(coefficients)), np.abs(model(params, x)))
    return _largest(polyval(x, coefficients) - model(params, x), size)


def _degree(model: Model) -> bool:
    try:
        degree_in_x(model)
    except InputError:
        return False
    return True


def _linear(model: Model, params: np.ndarray, x: np.ndarray) -> float:
    features = model.features(x)
    return _largest(model.forward(params, features) - params @ features.T, np.abs(params) @ np.abs(features.T))


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
    seen = singular > SEEN * singular[0]
    size = singular[0] * np.linalg.norm(optimum) + np.linalg.norm(root * samples.y)
    return _largest((singular * (modes @ (optimum - quadratic.optimum)))[seen], size)


def _gradcheck(model: Model, params: np.ndarray, custom: bool) -> bool:
    """torch's finite differences against the Function that is made of `forward` and `backward`, or against autograd.

    On [-1, 1], and at parameters so small that the differences see something.
    """
    import torch

    from polyexp.loop.functions import ModelFunction, lift

    tame = model.on((-1.0, 1.0))
    features = tame.features(np.linspace(-1, 1, 5))
    with np.errstate(all="ignore"):
        while not np.abs(tame.forward(params, features)).max() < TAME and np.abs(params).max() > np.finfo(float).tiny:
            params = params / 2
    lifted = tame.differentiable(lift)

    def values(at: torch.Tensor) -> torch.Tensor:
        fixed = torch.from_numpy(np.array(features, float))
        if custom:
            return ModelFunction.apply(at, fixed, tame)  # type: ignore[no-any-return, no-untyped-call]
        return lifted.forward(at, fixed)  # type: ignore[no-any-return]

    return bool(torch.autograd.gradcheck(values, torch.from_numpy(params).requires_grad_(True), raise_exception=False))


# Differences


def _largest(difference: Any, scale: Any) -> float:
    """The largest |difference| / scale; 0 of nothing is 0, something of 0 and what is not finite is inf."""
    difference, scale = np.broadcast_arrays(np.abs(np.asarray(difference)), scale)
    ratio = np.divide(difference, scale, out=np.where(difference > 0, np.inf, 0.0), where=scale > 0)
    return float(np.where(np.isnan(ratio), np.inf, ratio).max(initial=0))


def _points(samples: Samples) -> str:
    if samples.size < samples.total:
        return f"{samples.size} weighted samples that stand for {samples.total}"
    return f"all {samples.total} samples"


def _told(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
