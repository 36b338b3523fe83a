"""The reference: a fit in NumPy that uses only `forward` of a model.

The effect of rounding on a run is measured: beside the reference run there are disturbed runs, in which every gradient is wrong
by a few units of rounding. A formulation may differ from the reference by ten times as much as they do, and by 1e-11 in any
case.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from polyexp.backend import NumPy
from polyexp.base import Value
from polyexp.crosscheck.differences import TOLERANCE, largest_difference
from polyexp.fitting import GROWTH_LIMIT, Result, fit, place
from polyexp.loop import Loop
from polyexp.loop.loop import ValueAndGradient
from polyexp.model import Model, jacobian
from polyexp.optimizer import Optimizer
from polyexp.problem import Array, Data, Samples

__all__ = ["ComplexStep", "Reference", "gradient_terms", "reference_run"]

GRADIENT_DISTURBANCE = 16 * float(np.finfo(float).eps)  # relative to the sizes of the terms of a gradient
MARGIN_OVER_ROUNDING = 10  # the tolerance, as a multiple of the differences between disturbed runs and reference
MAX_TOLERANCE = 1e-6  # a tolerance above this would hide mistakes; such steps are not compared
NUM_DISTURBED_RUNS = 2


@dataclass
class ComplexStep(Loop):
    """The loop whose gradients J^T (2 a r) use only `forward`: column k of J is Im f(params + i h e_k) / h.

    Args:
        steps: The number of steps.
        log_every: The number of steps between two snapshots.
        tolerance: The excess at which a run has converged; None for never.
        patience: The number of snapshots without a lower loss after which a run has stalled; None for never.
        noise: What is added to every gradient, relative to the sizes of its terms (`gradient_terms`). Shape (*runs, K).
    """

    noise: Any = 0.0

    def value_and_gradient(self, model: Model, data: Data) -> ValueAndGradient:
        """The function params -> (loss, gradient), in NumPy.

        # shape: (*runs, K) -> (*runs,), (*runs, K)
        """

        def both(params: Array) -> tuple[Array, Array]:
            residual = model.forward(params, data.features) - data.y
            slopes = jacobian(model, params, data.features)
            grad, size = gradient_terms(params, slopes, residual, data)
            return (data.weights * residual * residual).sum(-1) + data.floor, grad + self.noise * size

        return both


def gradient_terms(
    params: np.ndarray, slopes: np.ndarray, residual: np.ndarray, data: Data
) -> tuple[np.ndarray, np.ndarray]:
    """The gradient J^T (2 a r), and the sizes of its terms, |J|^T (2 a (|J| |params| + |y|)), which bound its rounding.

    # shape: (*runs, K), (*runs, K, N), (*runs, N) -> (*runs, K), (*runs, K)
    """
    values = np.einsum("...kn,...k->...n", np.abs(slopes), np.abs(params))
    sizes = 2 * data.weights * (values + np.abs(data.y))
    grad = np.einsum("...kn,...n->...k", slopes, 2 * data.weights * residual)
    return grad, np.einsum("...kn,...n->...k", np.abs(slopes), sizes)


@dataclass(frozen=True)
class Reference(Value):
    """The S snapshots of the reference that can be compared, and its gradients at the first and last parameters.

    Args:
        step: The step of each snapshot. Shape (S,).
        params: The parameters at each snapshot. Shape (S, K).
        loss: The loss at each snapshot. Shape (S,).
        zero: The loss of y = 0, the least scale of loss differences.
        tolerance: The largest relative difference of parameters and losses that rounding explains.
        at: The first and the last parameters that are compared. Shape (2, K).
        gradient: The gradients there. Shape (2, K).
        size: The largest term of each of these gradients. Shape (2,).
        every: The number of steps between two snapshots.
    """

    step: np.ndarray  # shape: (S,)
    params: np.ndarray  # shape: (S, K)
    loss: np.ndarray  # shape: (S,)
    zero: float
    tolerance: float
    at: np.ndarray  # shape: (2, K)
    gradient: np.ndarray  # shape: (2, K)
    size: np.ndarray  # shape: (2,)
    every: int

    def params_difference(self, params: np.ndarray, least_scale: float) -> float:
        """The difference of parameters at the same steps, relative to the largest of the run or to `least_scale`."""
        return largest_difference(params - self.params, max(least_scale, float(np.abs([*self.params, *self.at]).max())))

    def loss_difference(self, loss: np.ndarray) -> float:
        """The difference of losses at the same steps, relative to the loss or to that of y = 0, whichever is larger."""
        return largest_difference(loss - self.loss, np.maximum(self.loss, self.zero))


def reference_run(model: Model, samples: Samples, optimizer: Optimizer, initial: np.ndarray, steps: int) -> Reference:
    """The reference on these samples, up to the step after which the run diverges or rounding determines it.

    Args:
        model: The model on the domain of the samples.
        samples: The samples, reduced or not.
        optimizer: The optimizer; its learning rate is a number.
        initial: The initial values. Shape (K,).
        steps: The number of steps.
    """
    signs = np.random.RandomState(0).choice([-1.0, 1.0], (NUM_DISTURBED_RUNS, initial.size))
    noise = GRADIENT_DISTURBANCE * np.vstack([np.zeros(initial.size), signs])
    every = max(1, steps // 10)
    first = float(samples.loss(model(initial, samples.x)))
    zero = float(samples.loss(np.zeros_like(samples.y)))
    for log_every in (every, 1):  # a run that diverges before the first snapshot is compared step by step
        loop = ComplexStep(steps, log_every, noise=noise)
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


def _comparable(found: Result, first: float, zero: float) -> tuple[np.ndarray, np.ndarray]:  # shape: (S,), (S,)
    """Which snapshots precede divergence and can be compared, and the relative effect of rounding at each."""
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
