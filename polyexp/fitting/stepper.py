"""How a fit gets from one state to a later one: step by step, or directly."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from polyexp.backend import Backend
from polyexp.base import InputError
from polyexp.exact import Quadratic
from polyexp.fitting.state import State, start
from polyexp.loop import Loop
from polyexp.model import Model
from polyexp.optimizer import Optimizer
from polyexp.problem import Array, Data, Samples

__all__ = ["Descent", "Jump", "place", "step"]


def place(samples: Samples, model: Model, backend: Backend) -> Data:
    """The model's features, the targets and the weights as arrays of the backend."""
    put = backend.put
    with np.errstate(over="ignore", invalid="ignore"):  # x^1000 may overflow: an outcome, not a warning
        return Data(put(model.features(samples.x)), put(samples.y), put(samples.weights), float(samples.floor))


def step(model: Model, loop: Loop, optimizer: Optimizer, data: Data, state: State) -> State:
    """One update of all runs.

    model is the one on the samples' domain (`model.on`), and an optimizer with per-run numbers the one that holds them
    as arrays of the backend (`optimizer.on(backend.put)`). InputError where it is not.
    """
    if not optimizer.placed and optimizer.runs:
        raise InputError(
            "An optimizer with a number for each run must be put on the backend: optimizer.on(backend.put)."
        )
    loss, grad = loop.value_and_gradient(model, data)(state.params)
    update, opt_state = optimizer.update(grad, state.opt_state)
    return State(state.step + 1, state.params + update, opt_state, loss, (grad * grad).sum(-1) ** 0.5)


@dataclass(frozen=True)
class Descent:
    """Everything of a fit that stays the same while its state moves, step by step."""

    model: Model
    loop: Loop
    optimizer: Optimizer
    backend: Backend
    data: Data

    def start(self, initial: np.ndarray) -> State:
        """The state before the first update."""
        return start(initial, self.optimizer, self.backend)

    def advance(self, state: State, n: int) -> State:
        """n updates of all runs, without looking: neither loss nor gradient norm is computed."""
        gradient, update = self.loop.gradient(self.model, self.data), self.optimizer.update

        def once(carry: tuple[Array, dict[str, Array]]) -> tuple[Array, dict[str, Array]]:
            params, opt_state = carry
            change, opt_state = update(gradient(params), opt_state)
            return params + change, opt_state

        params, opt_state = self.backend.iterate(once, (state.params, state.opt_state), n)
        return replace(state, step=state.step + n, params=params, opt_state=opt_state)

    def step(self, state: State) -> State:
        """One update, with its loss and gradient norm."""
        return self.backend.iterate(partial(step, self.model, self.loop, self.optimizer, self.data), state, 1)

    def get(self, array: Array) -> np.ndarray:
        """An array as float64 NumPy: where the host waits for the device."""
        return self.backend.get(array)

    def last_finite(self, state: State, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Each run's last finite parameters within n updates, and their step: the block once more, looking at each.

        # shape: (*runs, K), (*runs,)
        """
        kept = self.get(state.params)
        at = np.full(kept.shape[:-1], state.step)
        for _ in range(n):
            state = self.advance(state, 1)
            params = self.get(state.params)
            finite = np.isfinite(params).all(-1)
            if not finite.any():
                break
            kept = np.where(finite[..., None], params, kept)
            at = np.where(finite, state.step, at)
        return kept, at


@dataclass(frozen=True)
class Jump:
    """The same of a fit whose steps are known without those before them: every mode by its own factor."""

    quadratic: Quadratic
    optimizer: Optimizer
    initial: np.ndarray  # shape: (*runs, K)

    def start(self, initial: np.ndarray) -> State:
        """The state before the first update."""
        unknown = np.full(initial.shape[:-1], np.nan)
        return State(0, initial, {}, unknown, unknown)

    def advance(self, state: State, n: int) -> State:
        """The state n updates after this one."""
        return replace(state, step=state.step + n, params=self.quadratic.params(self._coordinates(state.step + n)))

    def step(self, state: State) -> State:
        """One update, with its loss and gradient norm."""
        before = self._coordinates(state.step)
        with np.errstate(all="ignore"):
            loss = self.quadratic.lowest + self.quadratic.excess_at(before)
            grad_norm = np.asarray(((self.quadratic.eigenvalues * before) ** 2).sum(-1) ** 0.5)
        return replace(self.advance(state, 1), loss=loss, grad_norm=grad_norm)

    def get(self, array: Array) -> np.ndarray:
        """Already NumPy."""
        return np.asarray(array)

    def last_finite(self, state: State, n: int) -> tuple[np.ndarray, np.ndarray]:
        """The last ones that were computed: those of `state`."""
        return state.params, np.full(state.params.shape[:-1], state.step)

    def _coordinates(self, step: int) -> np.ndarray:
        damping = self.optimizer.damping(self.quadratic.eigenvalues, step)
        with np.errstate(all="ignore"):
            return np.asarray(damping * self.quadratic.coordinates(self.initial))
