"""What a run can reach, how long that takes, and which learning rates it allows: known before it starts.

Plain gradient descent and momentum act on each mode of a linear model by itself (`quadratic.py`), so that the loss after any
number of steps follows from the initial parameters. For other models the best polynomial of the same degree is a lower bound,
and the Hessian at the current parameters tells how the loss curves there.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from polyexp.base import InputError
from polyexp.exact.quadratic import Quadratic, hessian_eigenvalues, lowest_loss, quadratic_of
from polyexp.exact.rates import at_most, tuned
from polyexp.loop import Loop
from polyexp.model import LegendreSeries, Model
from polyexp.optimizer import GradientDescent, Limited, Optimizer
from polyexp.problem import Samples

__all__ = ["Alternative", "Forecast", "first_step", "forecast", "require_stable"]

SHRUNK_TO = 1e-3  # a mode counts as done when it has shrunk to this part
MAX_STEPS = 10**18


@dataclass(frozen=True)
class Alternative:
    """What one could type instead, and the steps in which that comes within `excess` of the best possible loss."""

    words: str
    excess: float
    steps: int


@dataclass(frozen=True)
class Forecast:
    """What is known of a single run before it starts; None stands for what is not known.

    optimizer: with the rate that will be used. eigenvalues: of the Hessian at the initial parameters, descending.
    lowest: the best possible loss of a linear model, a lower bound of another one (`exact` says which).
    limit: the largest learning rate at which a linear model does not diverge. final_loss: after the last step.
    slowest: steps until every mode has shrunk to a thousandth.
    """

    samples: Samples
    model: Model
    optimizer: Optimizer
    steps: int
    quadratic: Quadratic | None
    initial: np.ndarray  # shape: (K,)
    eigenvalues: np.ndarray  # shape: (K,)
    lowest: float | None
    limit: float | None
    final_loss: float | None
    slowest: int | None

    @property
    def exact(self) -> bool:
        """Whether `lowest` is reached by some parameters of the model."""
        return self.quadratic is not None

    @property
    def condition(self) -> float | None:
        """The Hessian's condition number; None where the loss does not curve upwards in every direction."""
        if self.quadratic:
            return self.quadratic.condition
        smallest = float(self.eigenvalues[-1])
        return float(self.eigenvalues[0]) / smallest if smallest > 0 else None

    def mode(self, number: int) -> tuple[float | None, int | None]:
        """What is left of a mode after the last step, and the steps until a thousandth of it is left."""
        value = self.eigenvalues[number : number + 1]
        left = self.optimizer.damping(value, self.steps) if self.quadratic else None
        if left is None:
            return None, None
        if not value[0]:
            return float(left[0]), None
        return float(left[0]), first_step(
            lambda step: bool(np.abs(_damping(self.optimizer, value, step))[0] <= SHRUNK_TO)
        )

    def steps_to(self, excess: float) -> int | None:
        """The first step at which the loss is predicted to be within `excess` of the best possible one."""
        if self.quadratic is None or self.optimizer.damping(self.eigenvalues, 1) is None:
            return None
        return _steps_to(self.quadratic, self.optimizer, self.initial, excess)

    def steps_to_at_best_rate(self, excess: float) -> int | None:
        """The same with `learning_rate=auto`; None too where the optimizer knows no best rate."""
        best = self._at_best_rate
        return _steps_to(self.quadratic, best, self.initial, excess) if self.quadratic and best else None

    @property
    def best_rate(self) -> float | None:
        """The rate that `learning_rate=auto` takes; None where the optimizer or the model knows none."""
        return float(self._at_best_rate.learning_rate) if self._at_best_rate else None

    @property
    def _at_best_rate(self) -> Optimizer | None:
        if self.quadratic is None or not self.optimizer.tunable:
            return None
        return tuned(replace(self.optimizer, learning_rate="auto"), self.model, self.quadratic)


def forecast(model: Model, loop: Loop, optimizer: Optimizer, samples: Samples, initial: np.ndarray) -> Forecast:
    """The forecast of one run; `model` is the one that is on the samples' domain."""
    quadratic = quadratic_of(model, samples)
    optimizer = tuned(optimizer, model, quadratic)
    eigenvalues = quadratic.eigenvalues if quadratic else hessian_eigenvalues(model, samples, initial)
    final_loss = slowest = None
    damping = optimizer.damping(eigenvalues, loop.steps)
    if quadratic and damping is not None:
        with np.errstate(over="ignore", invalid="ignore"):  # of a rate above the limit
            final_loss = quadratic.lowest + float(quadratic.excess_at(damping * quadratic.coordinates(initial)))
        moving = eigenvalues[eigenvalues > 0]
        slowest = first_step(lambda step: bool((np.abs(_damping(optimizer, moving, step)) <= SHRUNK_TO).all()))
    return Forecast(
        samples=samples,
        model=model,
        optimizer=optimizer,
        steps=loop.steps,
        quadratic=quadratic,
        initial=initial,
        eigenvalues=eigenvalues,
        lowest=quadratic.lowest if quadratic else lowest_loss(model, samples),
        limit=optimizer.limit(quadratic.largest) if quadratic and quadratic.largest else None,
        final_loss=final_loss,
        slowest=slowest,
    )


def require_stable(known: Forecast) -> None:
    """InputError for a learning rate above the limit, unless the optimizer allows divergence."""
    optimizer, limit = known.optimizer, known.limit
    if not isinstance(optimizer, Limited) or limit is None:
        return
    if optimizer.allow_divergence or not optimizer.learning_rate > limit:
        return
    instead = f"`{optimizer.key('learning_rate')}=auto` finds one, " if optimizer.tunable else ""
    raise InputError(
        f"`{optimizer.key('learning_rate')}` must be at most {at_most(limit)}, above which the loss of this model grows, "
        f"got {optimizer.learning_rate!r}: {instead}`{optimizer.key('allow_divergence')}=true` runs it all the same."
    )


def alternative(known: Forecast, excess: float) -> Alternative | None:
    """A basis and a rate that reach `excess` in few steps: a Legendre series of the same degree with the best rate.

    It starts where the run does if it has as many parameters, as typed initial values and the seed stay what they are.
    """
    degree = known.model.polynomial_degree
    if degree is None:
        return None
    same = isinstance(known.model, LegendreSeries)
    model = known.model if same else LegendreSeries(degree=degree).on(known.samples.domain)
    initial = known.initial if known.initial.size == degree + 1 else model.initial_params(0)
    quadratic = Quadratic.of(model, known.samples)
    needed = _steps_to(quadratic, tuned(GradientDescent("auto"), model, quadratic), initial, excess)
    words = [] if same else ["model=legendre_series"]
    words += [] if same or degree == LegendreSeries().degree else [f"model.degree={degree}"]
    words += ["optimizer=gradient_descent", "optimizer.learning_rate=auto"]
    return Alternative(" ".join(words), excess, needed) if needed else None


def first_step(reached: Callable[[int], bool]) -> int | None:
    """A step for which `reached` holds and before which it does not, by doubling and halving; None beyond 1e18.

    It is the first one, unless `reached` holds and fails again, as it may for a mode that oscillates.
    """
    low, high = 0, 1
    while not reached(high):
        if high == MAX_STEPS:
            return None
        low, high = high, min(2 * high, MAX_STEPS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def _steps_to(quadratic: Quadratic, optimizer: Optimizer, initial: np.ndarray, excess: float) -> int | None:
    coordinates = quadratic.coordinates(initial)

    def reached(step: int) -> bool:
        with np.errstate(over="ignore", invalid="ignore"):
            return bool(quadratic.excess_at(_damping(optimizer, quadratic.eigenvalues, step) * coordinates) <= excess)

    return 0 if quadratic.excess_at(coordinates) <= excess else first_step(reached)


def _damping(optimizer: Optimizer, eigenvalues: np.ndarray, step: int) -> Any:
    damping = optimizer.damping(eigenvalues, step)
    return np.full_like(eigenvalues, np.nan) if damping is None else damping
