"""Steppers, which take a fit from one state to a later one: step by step, or by the closed form."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from polyexp.backend import Backend, NumPy
from polyexp.exact import Quadratic
from polyexp.fitting.state import Snapshot, State, start
from polyexp.fitting.updates import Arguments, MeasuredUpdate, Updates
from polyexp.loop import Loop
from polyexp.model import Model
from polyexp.optimizer import Optimizer
from polyexp.problem import Data

__all__ = ["ClosedFormStepper", "StepByStep", "Stepper"]


class Stepper(Protocol):
    """What takes a fit from one state to a later one."""

    @property
    def divisible(self) -> bool:
        """Whether fewer steps take less time, so that a long block may be cut."""
        ...

    def start(self, initial: np.ndarray) -> State:
        """The state before the first update, in float64 NumPy. # shape: (*runs, K)"""
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
        optimizer: The optimizer.
        numbers: Its numbers on the backend, from `Optimizer.on_device`.
        backend: The backend that carries out the steps.
        data: Features and samples on the backend.
        quadratic: The loss as a quadratic form, for a linear model.
    """

    model: Model
    loop: Loop
    optimizer: Optimizer
    numbers: dict[str, Any]
    backend: Backend
    data: Data
    quadratic: Quadratic | None

    @property
    def divisible(self) -> bool:
        """True."""
        return True

    def start(self, initial: np.ndarray) -> State:
        """The state before the first update, in float64 NumPy."""
        return start(initial, self.optimizer, NumPy())

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
        params, opt_state = self._updates(*self._fixed, carry, int(n))
        return state._replace(step=state.step + n, params=params, opt_state=opt_state)

    def step(self, state: State) -> State:
        """The state after one update, with the loss and the gradient norm before it."""
        carry = (state.params, state.opt_state)
        carry, loss, grad_norm = self._measured_update(*self._fixed, carry)
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
    def _fixed(self) -> tuple[Arguments, dict[str, Any]]:
        """What the steps do not change: the samples, and the numbers of the optimizer."""
        return self.data.arguments, self.numbers

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
