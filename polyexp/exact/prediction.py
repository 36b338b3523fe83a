"""The forecast of a run: what it can reach, in how many steps, and which learning rates it allows.

Plain gradient descent and momentum act on each mode of a linear model by itself (`quadratic.py`), so that the loss after any
number of steps follows from the initial values. For other models the loss of the best polynomial of the same degree is a lower
bound, and the eigenvalues of the Hessian are those at the initial values.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Self

import numpy as np

from polyexp.backend import Backend
from polyexp.base import Value
from polyexp.exact.quadratic import Quadratic, hessian_eigenvalues, lowest_loss, quadratic_of
from polyexp.exact.rates import tuned
from polyexp.loop import Loop
from polyexp.model import Model
from polyexp.optimizer import Optimizer
from polyexp.problem import Samples

__all__ = ["Forecast", "first_step", "forecast"]

NEGLIGIBLE_DAMPING = 1e-3  # the steps of a mode are counted until its damping is at most this
MAX_STEPS_SEARCHED = 10**18  # the limit of `loop.steps` too
Numbers = tuple[float, ...]
MAX_KEPT = 256  # numbers of steps to an excess


@dataclass(frozen=True)
class Forecast(Value):
    """What is computed about a single run before it starts; None stands for what cannot be computed.

    Args:
        samples: The samples that the run fits.
        model: The model on the domain of the samples.
        optimizer: The optimizer with the learning rate that the run uses.
        loop: The loop, with the number of steps that the run may take.
        backend: The backend that computes the run, if it is known.
        quadratic: The loss as a quadratic form, for a linear model.
        initial: The initial values. Shape (K,).
        eigenvalues: The eigenvalues of the Hessian at the initial values, in descending order. Shape (K,).
        lowest: The best loss of a linear model, a lower bound of it for others (`exact` says which of the two).
    """

    samples: Samples
    model: Model
    optimizer: Optimizer
    loop: Loop
    backend: Backend | None
    quadratic: Quadratic | None
    initial: np.ndarray  # shape: (K,)
    eigenvalues: np.ndarray  # shape: (K,)
    lowest: float | None

    def by(self, optimizer: Optimizer, loop: Loop) -> Self:
        """The forecast of the same model, samples and initial values by another optimizer or loop.

        Args:
            optimizer: The optimizer; its settings may be "auto" or "asymptotic".
            loop: The loop, of which the number of steps and the tolerance are used.

        Raises:
            InputError: A setting is "auto" or "asymptotic", and the model has no best one.
        """
        rule = tuned(optimizer, self.model, self.quadratic, self.initial, loop, self.backend)
        return replace(self, optimizer=rule, loop=loop)

    @property
    def steps(self) -> int:
        """The number of steps that the run may take."""
        return self.loop.steps

    @property
    def exact(self) -> bool:
        """Whether `lowest` is the best loss, rather than a lower bound of it."""
        return self.quadratic is not None

    @cached_property
    def limit(self) -> float | None:
        """The learning-rate limit."""
        return self.optimizer.limit(self.quadratic.largest) if self.quadratic and self.quadratic.largest else None

    @cached_property
    def final_loss(self) -> float | None:
        """The predicted loss after the last step."""
        excess = self.excess_after(self.steps)
        return None if self.quadratic is None or excess is None else self.quadratic.lowest + excess

    @cached_property
    def slowest(self) -> int | None:
        """The number of steps until the coordinate of every mode is at most a thousandth of its initial one."""
        if self.quadratic is None or self.optimizer.damping(self.eigenvalues, 1) is None:
            return None
        return _steps_to_a_thousandth(self.optimizer, tuple(self.eigenvalues[self.eigenvalues > 0].tolist()))

    @property
    def condition(self) -> float | None:
        """The condition number of the Hessian; None for a nonlinear model with an eigenvalue that is not above 0."""
        if self.quadratic:
            return self.quadratic.condition
        smallest = float(self.eigenvalues[-1])
        return float(self.eigenvalues[0]) / smallest if smallest > 0 else None

    def mode(self, number: int) -> tuple[float | None, int | None]:
        """The damping of a mode after the last step, and the steps until it is a thousandth.

        Args:
            number: The index of the mode, from 0, in the order of `eigenvalues`.
        """
        value = self.eigenvalues[number : number + 1]
        left = self.optimizer.damping(value, self.steps) if self.quadratic else None
        if left is None:
            return None, None
        if not value[0]:
            return float(left[0]), None
        return float(left[0]), _steps_to_a_thousandth(self.optimizer, tuple(value.tolist()))

    def excess_after(self, steps: int) -> float | None:
        """How far the predicted loss after some steps is above the best loss; None if it cannot be predicted."""
        damping = self.optimizer.damping(self.eigenvalues, steps)
        if self.quadratic is None or damping is None:
            return None
        with np.errstate(over="ignore", invalid="ignore"):  # the loss may overflow if the rate is above the limit
            return float(self.quadratic.excess_at(damping * self.quadratic.coordinates(self.initial)))

    def steps_to(self, excess: float) -> int | None:
        """The first step at which the predicted loss is at most `excess` above the best loss; None if there is none."""
        if self.quadratic is None or self.optimizer.damping(self.eigenvalues, 1) is None:
            return None
        coordinates = tuple(self.quadratic.coordinates(self.initial).tolist())
        eigenvalues = tuple(self.quadratic.eigenvalues.tolist())
        return _steps_to(self.optimizer, eigenvalues, coordinates, self.quadratic.out_of_reach, excess)

    @cached_property
    def best_rate(self) -> float | None:
        """The learning rate that `learning_rate=auto` takes; None for an optimizer or a model that has none."""
        if self.quadratic is None or not self.optimizer.tunable:
            return None
        best = self.by(replace(self.optimizer, learning_rate="auto"), self.loop).optimizer
        return float(best.learning_rate)


def forecast(
    model: Model,
    loop: Loop,
    optimizer: Optimizer,
    samples: Samples,
    initial: np.ndarray,
    backend: Backend | None = None,
) -> Forecast:
    """The forecast of a single run.

    Args:
        model: The model on the domain of the samples (`model.on_domain`).
        loop: The loop, of which the number of steps and the tolerance are used.
        optimizer: The optimizer; its settings may be "auto" or "asymptotic".
        samples: The samples that the run fits.
        initial: The initial values. Shape (K,).
        backend: The backend that computes the run; by default float64 is assumed.

    Raises:
        InputError: A setting is "auto" or "asymptotic", and the model has no best one.
    """
    initial = np.asarray(initial, float)
    quadratic = quadratic_of(model, samples)
    untuned = Forecast(
        samples=samples,
        model=model,
        optimizer=optimizer,
        loop=loop,
        backend=backend,
        quadratic=quadratic,
        initial=initial,
        eigenvalues=quadratic.eigenvalues if quadratic else hessian_eigenvalues(model, samples, initial),
        lowest=quadratic.lowest if quadratic else lowest_loss(model, samples),
    )
    return untuned.by(optimizer, loop)


def first_step(reached: Callable[[int], bool]) -> int | None:
    """A step from 1 at which `reached` is true and before which it is false, by bisection; None if it is beyond 1e18.

    It is the first such step, unless `reached` becomes false again later, as it may for a mode that oscillates.
    """
    low, high = 0, 1
    while not reached(high):
        if high == MAX_STEPS_SEARCHED:
            return None
        low, high = high, min(2 * high, MAX_STEPS_SEARCHED)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


@lru_cache(MAX_KEPT)
def _steps_to(
    optimizer: Optimizer, eigenvalues: Numbers, coordinates: Numbers, out_of_reach: float, excess: float
) -> int | None:
    """The first step of a run; it is kept, since jobs of a sweep that differ in their rates have the same alternatives."""
    # Without the modes, which would take K^2 numbers for each run that is kept.
    quadratic = Quadratic(np.empty(0), 0.0, np.array(eigenvalues), np.empty((0, 0)), out_of_reach)
    begin = np.array(coordinates)

    def reached(step: int) -> bool:
        with np.errstate(over="ignore", invalid="ignore"):
            return bool(quadratic.excess_at(_damping(optimizer, quadratic.eigenvalues, step) * begin) <= excess)

    return 0 if quadratic.excess_at(begin) <= excess else first_step(reached)


@lru_cache(MAX_KEPT)
def _steps_to_a_thousandth(optimizer: Optimizer, eigenvalues: Numbers) -> int | None:
    """The number of steps until the damping of each mode is negligible; it is kept, since jobs differ in their seeds."""
    modes = np.array(eigenvalues)
    return first_step(lambda step: bool((np.abs(_damping(optimizer, modes, step)) <= NEGLIGIBLE_DAMPING).all()))


def _damping(optimizer: Optimizer, eigenvalues: np.ndarray, step: int) -> Any:
    damping = optimizer.damping(eigenvalues, step)
    return np.full_like(eigenvalues, np.nan) if damping is None else damping
