"""The reference: plain NumPy that knows of a model nothing but `forward`.

How far rounding alone may carry a run is measured, not guessed: beside the reference run, runs whose every gradient is off by a
few units of rounding. A formulation may differ by ten times as much, and by 1e-11 in any case.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from polyexp.backend import NumPy
from polyexp.crosscheck.differences import TOLERANCE, largest_difference
from polyexp.fitting import GROWTH_LIMIT, Result, fit, place
from polyexp.loop import Loop
from polyexp.loop.loop import ValueAndGradient
from polyexp.model import Model, jacobian
from polyexp.optimizer import Optimizer
from polyexp.problem import Array, Data, Samples

__all__ = ["ComplexStep", "Reference", "gradient_terms", "reference_run"]

DISTURBANCE = 16 * float(np.finfo(float).eps)  # by which gradients are disturbed, relative to the sizes of their terms
MARGIN_OVER_ROUNDING = 10  # times the distance that the disturbed runs move is allowed
MAX_TOLERANCE = 1e-6  # a tolerance above this would hide mistakes; such steps are not compared
DISTURBED_RUNS = 2


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
            slopes = jacobian(model, params, data.features)
            grad, size = gradient_terms(params, slopes, residual, data)
            return (data.weights * residual * residual).sum(-1) + data.floor, grad + self.noise * size

        return both


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


@dataclass(frozen=True)
class Reference:
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
        return largest_difference(params - self.params, max(known_to, float(np.abs([*self.params, *self.at]).max())))

    def loss_difference(self, loss: np.ndarray) -> float:
        """Of losses at the same steps."""
        return largest_difference(loss - self.loss, np.maximum(self.loss, self.zero))


def reference_run(model: Model, samples: Samples, optimizer: Optimizer, initial: np.ndarray, steps: int) -> Reference:
    """The reference on these samples, up to the step from which on the run diverges or rounding decides it."""
    signs = np.random.RandomState(0).choice([-1.0, 1.0], (DISTURBED_RUNS, initial.size))
    noise = DISTURBANCE * np.vstack([np.zeros(initial.size), signs])
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
    grad, size = gradient_terms(at, jacobian(model, at, data.features), residual, data)
    return Reference(
        step=history.step[seen],
        params=history.params[seen, 0],
        loss=history.loss[seen, 0],
        zero=zero,
        tolerance=max(TOLERANCE, MARGIN_OVER_ROUNDING * float(moved[seen].max(initial=0))),
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
    sound = bounded & (history.step <= found.steps.min()) & (MARGIN_OVER_ROUNDING * moved <= MAX_TOLERANCE)
    return np.logical_and.accumulate(sound), moved
