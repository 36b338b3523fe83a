"""Steppers, which take a fit from one state to a later one: step by step, or by the closed form."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, Self

import numpy as np

from polyexp.backend import Backend
from polyexp.base import InputError
from polyexp.exact import Quadratic
from polyexp.fitting.state import Snapshot, State, start
from polyexp.loop import Loop
from polyexp.model import Model
from polyexp.optimizer import Optimizer
from polyexp.problem import Array, Data, Samples

__all__ = ["ClosedFormStepper", "StepByStep", "Stepper", "place", "step"]


def place(samples: Samples, model: Model, backend: Backend) -> Data:
    """Put the features of a model, and y and the weights of its samples, on a backend.

    Args:
        samples: N samples, reduced or not.
        model: The model on the domain of the samples (`model.on_domain`).
        backend: The backend whose arrays are made.

    Example:
        >>> import polyexp as p
        >>> data = p.place(p.Samples.of([-1, 0, 1], [1, 0, 1]), p.PowerSeries(degree=1), p.NumPy(dtype="float32"))
        >>> data.y.tolist(), str(data.y.dtype)
        ([1.0, 0.0, 1.0], 'float32')
    """
    put = backend.put
    with np.errstate(over="ignore", invalid="ignore"):  # x^1000 may overflow: an outcome, not a warning
        features = put(model.features(samples.x))
    return Data(features, put(samples.y), put(samples.weights), float(samples.floor), backend)


def step(model: Model, loop: Loop, optimizer: Optimizer, data: Data, state: State) -> State:
    """Take one step of all runs: w <- w + update(gradient).

    Args:
        model: The model on the domain of the samples (`model.on_domain`).
        loop: The loop, which computes loss and gradient.
        optimizer: The optimizer. One with arrays of numbers must hold them as arrays of the backend
            (`optimizer.on_device(backend.put)`).
        data: Features and samples on the backend, from `place`.
        state: The state before the step.

    Returns:
        The state after the step, with the loss and the gradient norm before it.

    Raises:
        InputError: The optimizer has arrays of numbers that are not on a backend.

    Example:
        >>> import polyexp as p
        >>> samples, model, optimizer = p.Samples.of([-1, 0, 1], [1, 0, 1]), p.PowerSeries(degree=1), p.GradientDescent(0.25)
        >>> data = p.place(samples, model, p.NumPy())
        >>> state = p.step(model, p.Manual(), optimizer, data, p.start([0, 1], optimizer, p.NumPy()))
        >>> int(state.step), state.params.round(6).tolist(), f"{state.loss:.6g}"
        (1, [0.333333, 0.666667], '1.33333')
    """
    if not optimizer.placed and optimizer.runs:
        raise InputError(
            "An optimizer with a value for each run must be put on the backend first: optimizer.on_device(backend.put)."
        )
    (params, opt_state), loss, grad_norm = _measured(model, loop, optimizer, data, (state.params, state.opt_state))
    return State(state.step + 1, params, opt_state, loss, grad_norm)


Arguments = tuple[Array, Array, Array, float]  # features, y, weights and floor of the samples
Carry = tuple[Array, dict[str, Array]]  # parameters and state of the optimizer


def _measured(model: Model, loop: Loop, optimizer: Optimizer, data: Data, carry: Carry) -> tuple[Carry, Array, Array]:
    """The parameters and the state of the optimizer after one update, and the loss and the gradient norm before it."""
    params, opt_state = carry
    loss, grad = loop.value_and_gradient(model, data)(params)
    update, opt_state = optimizer.update(grad, opt_state)
    return (params + update, opt_state), loss, (grad * grad).sum(-1) ** 0.5


@dataclass(frozen=True)
class Compilable:
    """A function of arrays and numbers alone. Its fields are what is static in it, by which backends keep compiled functions.

    Args:
        model: The model, without what its `forward` and `backward` do not depend on.
        loop: The loop, without the rules by which a fit ends.
        optimizer: The optimizer, whose numbers are arguments of the function.
        backend: The backend.
    """

    model: Model
    loop: Loop
    optimizer: Optimizer
    backend: Backend

    @classmethod
    def of(cls, model: Model, loop: Loop, optimizer: Optimizer, backend: Backend) -> Self:
        """The function for these parts of a fit."""
        return cls(model.formulation, loop.formulation, optimizer.formulation, backend)


class Updates(Compilable):
    """Many updates, without their losses."""

    def __call__(self, samples: Arguments, numbers: dict[str, Any], carry: Carry, n: int) -> Carry:
        """The parameters and the state of the optimizer n updates later."""
        gradient = self.loop.gradient(self.model, _data(samples, self.backend))
        update = self.optimizer.with_numbers(numbers).update

        def once(carry: Carry) -> Carry:
            params, opt_state = carry
            change, opt_state = update(gradient(params), opt_state)
            return params + change, opt_state

        return self.backend.repeat(once, carry, n)


class MeasuredUpdate(Compilable):
    """One update, with the loss and the gradient norm before it."""

    def __call__(self, samples: Arguments, numbers: dict[str, Any], carry: Carry) -> tuple[Carry, Array, Array]:
        """The parameters and the state of the optimizer after the update, the loss, and the gradient norm."""
        optimizer = self.optimizer.with_numbers(numbers)
        return _measured(self.model, self.loop, optimizer, _data(samples, self.backend), carry)


def _data(samples: Arguments, backend: Backend) -> Data:
    features, y, weights, floor = samples
    return Data(features, y, weights, floor, backend)


class Stepper(Protocol):
    """What takes a fit from one state to a later one."""

    @property
    def divisible(self) -> bool:
        """Whether fewer steps take less time, so that a long block may be cut."""
        ...

    def start(self, initial: np.ndarray) -> State:
        """The state before the first update. # shape: (*runs, K)"""
        ...

    def put(self, state: State) -> State:
        """The state, with its arrays moved from the host to where they are computed."""
        ...

    def get(self, state: State) -> State:
        """The state, with its arrays in float64 NumPy; the host waits for the device here."""
        ...

    def advance(self, state: State, n: int) -> State:
        """The state n updates later; loss and gradient norm are not computed."""
        ...

    def step(self, state: State) -> State:
        """The state after one update, with the loss and the gradient norm before it."""
        ...

    def read(self, state: State, before: State) -> Snapshot:
        """The snapshot of a state, of which `before` is the state one update earlier; the host waits for the device here."""
        ...

    def last_finite(self, state: State, n: int) -> tuple[np.ndarray, np.ndarray]:
        """The last finite parameters of each run within n updates, and the numbers of updates that gave them.

        # shape: (*runs, K), (*runs,)
        """
        ...


@dataclass(frozen=True)
class StepByStep:
    """The stepper that takes every step.

    Args:
        model: The model on the domain of the samples.
        loop: The loop, which computes the gradients.
        optimizer: The optimizer, with its arrays on the backend.
        backend: The backend that carries out the steps.
        data: Features and samples on the backend.
        quadratic: The loss as a quadratic form, for a linear model.
    """

    model: Model
    loop: Loop
    optimizer: Optimizer
    backend: Backend
    data: Data
    quadratic: Quadratic | None

    @property
    def divisible(self) -> bool:
        """True."""
        return True

    def start(self, initial: np.ndarray) -> State:
        """The state before the first update."""
        return start(initial, self.optimizer, self.backend)

    def put(self, state: State) -> State:
        """The state with its arrays on the backend."""
        return state.moved(self.backend.put)

    def get(self, state: State) -> State:
        """The state in float64 NumPy."""
        return state.moved(self.backend.get)

    def advance(self, state: State, n: int) -> State:
        """The state n updates later; the host reads nothing, and neither loss nor gradient norm is computed."""
        if not n:
            return state
        carry = (state.params, state.opt_state)
        params, opt_state = self._updates(self.data.arguments, self.optimizer.numbers, carry, int(n))
        return state._replace(step=state.step + n, params=params, opt_state=opt_state)

    def step(self, state: State) -> State:
        """The state after one update, with the loss and the gradient norm before it."""
        carry = (state.params, state.opt_state)
        carry, loss, grad_norm = self._measured_update(self.data.arguments, self.optimizer.numbers, carry)
        return State(state.step + 1, *carry, loss, grad_norm)

    def read(self, state: State, before: State) -> Snapshot:
        """The snapshot of a state."""
        get = self.backend.get
        params, loss, grad_norm = get(state.params), get(state.loss), get(state.grad_norm)
        excess = self.quadratic.excess(get(before.params)) if self.quadratic else np.full_like(loss, np.nan)
        return Snapshot(int(state.step), params, loss, excess, grad_norm, early=self.loop.is_early(int(state.step)))

    def last_finite(self, state: State, n: int) -> tuple[np.ndarray, np.ndarray]:
        """The last finite parameters of each run within n updates, and the numbers of updates that gave them.

        Each run is at a step of its own, and all of them try half of what remains at once: those that stay finite keep it. So
        the updates are taken at most once more, and the host reads the parameters log2(n) times.

        # shape: (*runs, K), (*runs,)
        """
        kept, remaining = self.get(state), n
        taken = np.full(kept.params.shape[:-1], state.step)
        while remaining > 1:
            half = remaining // 2
            tried = self.get(self.advance(self.put(kept), half))
            finite = np.isfinite(tried.params).all(-1)
            taken = np.where(finite, taken + half, taken)
            kept = _chosen(finite, tried, kept)
            remaining -= half
        return kept.params, taken

    @cached_property
    def _updates(self) -> Updates:
        return self.backend.compile(Updates.of(self.model, self.loop, self.optimizer, self.backend))

    @cached_property
    def _measured_update(self) -> MeasuredUpdate:
        return self.backend.compile(MeasuredUpdate.of(self.model, self.loop, self.optimizer, self.backend))


def _chosen(chosen: np.ndarray, one: State, other: State) -> State:
    """The parameters and the states of the optimizer of `one` for the runs that are chosen, those of `other` for the rest."""

    def pick(array: np.ndarray, rest: np.ndarray) -> np.ndarray:
        return np.where(chosen.reshape(chosen.shape + (1,) * (array.ndim - chosen.ndim)), array, rest)

    opt_state = {name: pick(array, other.opt_state[name]) for name, array in one.opt_state.items()}
    return other._replace(params=pick(one.params, other.params), opt_state=opt_state)


@dataclass(frozen=True)
class ClosedFormStepper:
    """The stepper of the closed form: w(t) = w* + sum_i d_i(t) e_i(0) v_i, without the steps before t.

    Args:
        quadratic: The loss as a quadratic form.
        optimizer: The optimizer, with its arrays in NumPy.
        initial: The initial values. Shape (*runs, K).
    """

    quadratic: Quadratic
    optimizer: Optimizer
    initial: np.ndarray  # shape: (*runs, K)

    @property
    def divisible(self) -> bool:
        """False: any number of steps takes the same time."""
        return False

    def start(self, initial: np.ndarray) -> State:
        """The state before the first update."""
        unknown = np.full(initial.shape[:-1], np.nan)
        return State(np.int64(0), initial, {}, unknown, unknown)

    def put(self, state: State) -> State:
        """The state itself, as its arrays are NumPy's."""
        return state

    def get(self, state: State) -> State:
        """The state itself, as its arrays are NumPy's."""
        return state

    def advance(self, state: State, n: int) -> State:
        """The state n updates later."""
        params = self.quadratic.params(self._coordinates(int(state.step) + n))
        return state._replace(step=state.step + n, params=params)

    def step(self, state: State) -> State:
        """The state after one update, with the loss and the gradient norm before it."""
        before = self._coordinates(int(state.step))
        with np.errstate(all="ignore"):
            loss = self.quadratic.lowest + self.quadratic.excess_at(before)
            grad_norm = np.asarray(((self.quadratic.eigenvalues * before) ** 2).sum(-1) ** 0.5)
        return self.advance(state, 1)._replace(loss=loss, grad_norm=grad_norm)

    def read(self, state: State, before: State) -> Snapshot:
        """The snapshot of a state."""
        excess = self.quadratic.excess(before.params)
        return Snapshot(int(state.step), state.params, state.loss, excess, state.grad_norm)

    def last_finite(self, state: State, n: int) -> tuple[np.ndarray, np.ndarray]:
        """The parameters of `state`, which are the last ones that were computed, and their steps.

        # shape: (*runs, K), (*runs,)
        """
        return state.params, np.full(state.params.shape[:-1], state.step)

    def _coordinates(self, step: int) -> np.ndarray:
        damping = self.optimizer.damping(self.quadratic.eigenvalues, step)
        with np.errstate(all="ignore"):
            return np.asarray(damping * self.quadratic.coordinates(self.initial))
