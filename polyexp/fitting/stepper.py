"""Steppers, which take a fit from one state to a later one: step by step, or by the closed form."""

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

__all__ = ["ClosedFormStepper", "StepByStep", "place", "step"]


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
        return Data(put(model.features(samples.x)), put(samples.y), put(samples.weights), float(samples.floor))


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
        >>> state.step, state.params.round(6).tolist(), f"{state.loss:.6g}"
        (1, [0.333333, 0.666667], '1.33333')
    """
    if not optimizer.placed and optimizer.runs:
        raise InputError(
            "An optimizer with a value for each run must be put on the backend first: optimizer.on_device(backend.put)."
        )
    loss, grad = loop.value_and_gradient(model, data)(state.params)
    update, opt_state = optimizer.update(grad, state.opt_state)
    return State(state.step + 1, state.params + update, opt_state, loss, (grad * grad).sum(-1) ** 0.5)


@dataclass(frozen=True)
class StepByStep:
    """The stepper that takes every step.

    Args:
        model: The model on the domain of the samples.
        loop: The loop, which computes the gradients.
        optimizer: The optimizer, with its arrays on the backend.
        backend: The backend that carries out the steps.
        data: Features and samples on the backend.
    """

    model: Model
    loop: Loop
    optimizer: Optimizer
    backend: Backend
    data: Data

    def start(self, initial: np.ndarray) -> State:
        """The state before the first update."""
        return start(initial, self.optimizer, self.backend)

    def advance(self, state: State, n: int) -> State:
        """The state n updates later; the host reads nothing, and neither loss nor gradient norm is computed."""
        gradient, update = self.loop.gradient(self.model, self.data), self.optimizer.update

        def once(carry: tuple[Array, dict[str, Array]]) -> tuple[Array, dict[str, Array]]:
            params, opt_state = carry
            change, opt_state = update(gradient(params), opt_state)
            return params + change, opt_state

        params, opt_state = self.backend.iterate(once, (state.params, state.opt_state), n)
        return replace(state, step=state.step + n, params=params, opt_state=opt_state)

    def step(self, state: State) -> State:
        """The state after one update, with the loss and the gradient norm before it."""
        return self.backend.iterate(partial(step, self.model, self.loop, self.optimizer, self.data), state, 1)

    def get(self, array: Array) -> np.ndarray:
        """An array as float64 NumPy; the host waits for the device here."""
        return self.backend.get(array)

    def last_finite(self, state: State, n: int) -> tuple[np.ndarray, np.ndarray]:
        """The last finite parameters of each run within n updates, and their steps.

        The updates are taken once more, and the host reads the parameters after each. That is slow, and is done only after a
        run has become infinite or nan.

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

    def start(self, initial: np.ndarray) -> State:
        """The state before the first update."""
        unknown = np.full(initial.shape[:-1], np.nan)
        return State(0, initial, {}, unknown, unknown)

    def advance(self, state: State, n: int) -> State:
        """The state n updates later."""
        return replace(state, step=state.step + n, params=self.quadratic.params(self._coordinates(state.step + n)))

    def step(self, state: State) -> State:
        """The state after one update, with the loss and the gradient norm before it."""
        before = self._coordinates(state.step)
        with np.errstate(all="ignore"):
            loss = self.quadratic.lowest + self.quadratic.excess_at(before)
            grad_norm = np.asarray(((self.quadratic.eigenvalues * before) ** 2).sum(-1) ** 0.5)
        return replace(self.advance(state, 1), loss=loss, grad_norm=grad_norm)

    def get(self, array: Array) -> np.ndarray:
        """The array itself, which is NumPy's already."""
        return np.asarray(array)

    def last_finite(self, state: State, n: int) -> tuple[np.ndarray, np.ndarray]:
        """The parameters of `state`, which are the last ones that were computed, and their steps.

        # shape: (*runs, K), (*runs,)
        """
        return state.params, np.full(state.params.shape[:-1], state.step)

    def _coordinates(self, step: int) -> np.ndarray:
        damping = self.optimizer.damping(self.quadratic.eigenvalues, step)
        with np.errstate(all="ignore"):
            return np.asarray(damping * self.quadratic.coordinates(self.initial))
