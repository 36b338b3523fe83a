"""The best learning rate of a linear model, and what a learning rate and a closed form require of a model."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from functools import lru_cache

import numpy as np

from polyexp.backend import Backend
from polyexp.base import InputError, Value
from polyexp.exact.quadratic import Quadratic
from polyexp.loop import Loop
from polyexp.model import Model
from polyexp.optimizer import Optimizer

__all__ = ["above", "at_most", "require_modes", "tuned"]

MAX_KEPT = 256  # searches of single runs, each of which takes up to some ten milliseconds


def tuned(
    optimizer: Optimizer,
    model: Model,
    quadratic: Quadratic | None,
    initial: np.ndarray,
    loop: Loop,
    backend: Backend | None = None,
) -> Optimizer:
    """The optimizer with numbers in place of "auto" and "asymptotic"; one with numbers is returned as it is.

    Args:
        optimizer: The optimizer.
        model: The model on the domain of the samples.
        quadratic: The loss as a quadratic form, if there is one.
        initial: The initial values. Every run gets numbers of its own. Shape (*runs, K).
        loop: The loop, whose steps and tolerance "auto" is the best for.
        backend: The backend that computes the run; by default float64 is assumed.

    Raises:
        InputError: A setting is "auto" or "asymptotic", but there is no quadratic form to find it from.
    """
    if not optimizer.automatic:
        return optimizer
    if quadratic is None:
        needs = "a loss that float64 can hold" if model.linear else "a model that is linear in its parameters"
        name = optimizer.sought[0]
        raise InputError(f"`{optimizer.key(name)}={getattr(optimizer, name)}` needs {needs}: type a number.")
    tolerance = None if loop.tolerance is None else loop.tolerance - quadratic.out_of_reach
    dtype = "float64" if loop.direct or backend is None else backend.dtype
    # One product for each run, so that the numbers of a run do not depend on those that are computed with it.
    with np.errstate(over="ignore", invalid="ignore"):
        coordinates = ((np.asarray(initial, float) - quadratic.optimum)[..., None, :] @ quadratic.modes)[..., 0, :]
    eps = float(np.finfo(dtype).eps)
    search = _Search(optimizer, quadratic.eigenvalues, coordinates, loop.steps, tolerance, eps)
    return _found_before(search) if coordinates.ndim == 1 else search.find()


@dataclass(frozen=True)
class _Search(Value):
    """The search for the numbers of an optimizer, by the arguments of `Optimizer.tuned`."""

    optimizer: Optimizer
    eigenvalues: np.ndarray  # shape: (K,)
    coordinates: np.ndarray  # shape: (*runs, K)
    steps: int
    tolerance: float | None
    eps: float

    def find(self) -> Optimizer:
        """The optimizer with numbers."""
        return self.optimizer.tuned(self.eigenvalues, self.coordinates, self.steps, self.tolerance, self.eps)


@lru_cache(MAX_KEPT)
def _found_before(search: _Search) -> Optimizer:
    """What a search finds, which is kept: jobs of a sweep that differ in their rates have the same best one."""
    return search.find()


def require_modes(optimizer: Optimizer, quadratic: Quadratic | None) -> Quadratic:
    """The quadratic form, if model and optimizer have a closed form.

    Raises:
        InputError: The model is not linear, or the optimizer has no damping factors.
    """
    if quadratic is None or optimizer.damping(np.ones(1), 1) is None:
        raise InputError(
            "`loop=closed_form` needs a model that is linear in its parameters, and `optimizer=gradient_descent` or "
            "`optimizer=momentum`: type `loop=manual`."
        )
    return quadratic


def at_most(limit: float) -> str:
    """The limit in four significant digits, rounded down, as is each number that is at most the limit."""
    return _in_four_digits(limit, ROUND_FLOOR)


def above(limit: float) -> str:
    """A number above a limit in four significant digits, rounded up, so that it is above the limit in print too."""
    return _in_four_digits(limit, ROUND_CEILING)


def _in_four_digits(value: float, rounding: str) -> str:
    shortest = Decimal(repr(float(value)))  # 1.616e-06 is itself, though its binary value is next to it
    return f"{float(Context(prec=4, rounding=rounding).plus(shortest)):.4g}"
