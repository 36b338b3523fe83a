"""One step and many steps, as pure functions of arrays: what a backend compiles."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from polyexp.backend import Backend
from polyexp.base import InputError
from polyexp.fitting.arrays import require_parts
from polyexp.fitting.state import State
from polyexp.loop import Loop
from polyexp.model import Model
from polyexp.optimizer import Optimizer
from polyexp.problem import Array, Data, Samples, require_samples

__all__ = ["Arguments", "Carry", "Compilable", "MeasuredUpdate", "Updates", "place", "step"]

Arguments = tuple[Array, Array, Array, float]  # features, y, weights and floor of the samples
Carry = tuple[Array, dict[str, Array]]  # parameters and state of the optimizer


def place(samples: Samples, model: Model, backend: Backend) -> Data:
    """Put the features of a model, and y and the weights of its samples, on a backend.

    Args:
        samples: N samples, reduced or not.
        model: The model on the domain of the samples (`model.on_domain`).
        backend: The backend whose arrays are made.

    Raises:
        InputError: One of them is something else.

    Example:
        >>> import polyexp as p
        >>> data = p.place(p.Samples.of([-1, 0, 1], [1, 0, 1]), p.PowerSeries(degree=1), p.NumPy(dtype="float32"))
        >>> data.y.tolist(), str(data.y.dtype)
        ([1.0, 0.0, 1.0], 'float32')
    """
    require_samples("samples", samples)
    require_parts(required=True, model=model, backend=backend)
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

    def data(self, samples: Arguments) -> Data:
        """The samples in the form that loops take."""
        features, y, weights, floor = samples
        return Data(features, y, weights, floor, self.backend)


class Updates(Compilable):
    """Many updates, without their losses."""

    def __call__(self, samples: Arguments, numbers: dict[str, Any], carry: Carry, n: int) -> Carry:
        """The parameters and the state of the optimizer n updates later."""
        gradient = self.loop.gradient(self.model, self.data(samples))
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
        return _measured(self.model, self.loop, optimizer, self.data(samples), carry)
