"""The result of a fit: its outcome, its history, and its final parameters."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

import numpy as np

from polyexp.exact import Quadratic, quadratic_of
from polyexp.fitting.state import Snapshot
from polyexp.model import LegendreSeries, Model
from polyexp.optimizer import Optimizer
from polyexp.problem import Samples

__all__ = ["History", "Outcome", "Result"]


class Outcome(Enum):
    """Why a run ended: CONVERGED, STALLED, MAX_STEPS or DIVERGED; the value is a sentence of advice.

    Example:
        >>> import polyexp as p
        >>> [outcome.name for outcome in p.Outcome]
        ['CONVERGED', 'STALLED', 'MAX_STEPS', 'DIVERGED']
        >>> p.Outcome.CONVERGED.value
        'The tolerance was reached. Set a smaller loop.tolerance to come closer.'
    """

    CONVERGED = "The tolerance was reached. Set a smaller loop.tolerance to come closer."
    STALLED = "The loss no longer falls. Another optimizer.learning_rate, optimizer or model may reach a lower loss."
    MAX_STEPS = "All steps were taken. Increase loop.steps if the loss is still falling."
    DIVERGED = (
        "The loss grew without bound; the last finite parameters were kept. Try a smaller optimizer.learning_rate."
    )


@dataclass(frozen=True)
class History:
    """All S snapshots of a fit, stacked into arrays.

    If one run of a batch ends before the others, its later snapshots repeat the values of its last one.

    Args:
        step: The number of updates at each snapshot. Shape (S,).
        params: The parameters after these updates. Shape (S, *runs, K).
        loss: The loss before the last of these updates, in the unit of y squared. Shape (S, *runs).
        excess: How far that loss is above the best loss; nan for a model that is not linear. Shape (S, *runs).
        grad_norm: The Euclidean norm of the gradient before the last of these updates. Shape (S, *runs).

    Example:
        >>> import polyexp as p
        >>> samples, model = p.Samples.of([-1, 0, 1], [1, 0, 1]), p.PowerSeries(degree=1)
        >>> loop, optimizer = p.Manual(steps=20, log_every=10), p.GradientDescent(0.25)
        >>> history = p.fit(samples, model, loop=loop, optimizer=optimizer, params=[0, 1], backend=p.NumPy()).history
        >>> history.step.tolist(), history.loss.round(6).tolist(), history.params.shape
        ([10, 20], [0.222675, 0.222222], (2, 2))
    """

    step: np.ndarray  # shape: (S,)
    params: np.ndarray  # shape: (S, *runs, K)
    loss: np.ndarray  # shape: (S, *runs)
    excess: np.ndarray  # shape: (S, *runs)
    grad_norm: np.ndarray  # shape: (S, *runs)

    @classmethod
    def of(cls, snapshots: Sequence[Snapshot]) -> "History":
        """The history that consists of these snapshots, of which there is at least one."""
        return cls(
            **{one.name: np.stack([getattr(snapshot, one.name) for snapshot in snapshots]) for one in fields(cls)}
        )


@dataclass(frozen=True)
class Result:
    """What a fit found, in float64 NumPy, whatever the backend.

    For a single run the shape (*runs,) is (), and its numbers are scalars. A result can be called: `result(x)` gives the values
    of the fitted model at x.

    Args:
        model: The model on the domain of the samples.
        optimizer: The optimizer that was used, with the learning rate that "auto" found.
        samples: The samples that were fitted, reduced or not.
        quadratic: The loss as a quadratic form; None for a model that is not linear.
        initial: The initial values. Shape (*runs, K).
        params: The final parameters, the last finite ones if the run diverged. Shape (*runs, K).
        loss: The loss at the final parameters, in the unit of y squared. Shape (*runs,).
        excess: How far this loss is above the best loss; None for a model that is not linear. Shape (*runs,).
        max_error: The largest |f(x_i) - y_i| over all samples, in the unit of y. Shape (*runs,).
        outcome: The `Outcome` of each run. Shape (*runs,).
        steps: The number of updates of the final parameters. Shape (*runs,).
        history: All snapshots.
        seconds: The time that the steps took, for all runs together, in seconds.
        computed_by: The library, dtype and device that computed the fit, such as "numpy 2.0.0, float64, cpu".

    Example:
        >>> import polyexp as p
        >>> samples, loop = p.Samples.of([-1, 0, 1], [1, 0, 1]), p.Manual(steps=100)
        >>> model, optimizer = p.PowerSeries(degree=2, initial="zeros"), p.GradientDescent("auto")
        >>> result = p.fit(samples, model, loop=loop, optimizer=optimizer, backend=p.NumPy())
        >>> f"{result.parameters['w2']:.6g}", result([0.5, 2.0]).round(6).tolist(), result.outcome.name
        ('1', [0.25, 4.0], 'MAX_STEPS')
    """

    model: Model
    optimizer: Optimizer
    samples: Samples
    quadratic: Quadratic | None
    initial: np.ndarray  # shape: (*runs, K)
    params: np.ndarray  # shape: (*runs, K)
    loss: Any  # shape: (*runs,)
    excess: Any  # shape: (*runs,)
    max_error: Any  # shape: (*runs,)
    outcome: Any  # shape: (*runs,), of Outcome
    steps: Any  # shape: (*runs,)
    history: History
    seconds: float
    computed_by: str

    @property
    def parameters(self) -> dict[str, Any]:
        """The final parameters by name: numbers for a single run, arrays of shape (*runs,) for a batch."""
        columns = np.moveaxis(self.params, -1, 0)
        return {name: float(v) if v.ndim == 0 else v for name, v in zip(self.model.param_names, columns, strict=True)}

    @property
    def power_series(self) -> np.ndarray | None:  # shape: (*runs, degree + 1)
        """The coefficients of the fitted polynomial in x, by ascending power; None for a model that is not a polynomial.

        They are inf or nan where those of a run that diverged overflow.
        """
        if self.model.polynomial_degree is None:
            return None
        with np.errstate(all="ignore"):
            return self.model.power_series(self.params)

    def __call__(self, x: Any) -> np.ndarray:  # shape: (N,) -> (*runs, N)
        """The values of the fitted model at x; inf or nan where those of a run that diverged overflow."""
        with np.errstate(all="ignore"):
            return self.model(self.params, x)


def loss_of(model: Model, samples: Samples, params: np.ndarray) -> np.ndarray:  # shape: (*runs, K) -> (*runs,)
    """The loss of each run at its parameters, in float64."""
    with np.errstate(all="ignore"):
        return samples.loss(model(params, samples.x))


def best_power_series(result: Result) -> np.ndarray | None:  # shape: (degree + 1,)
    """The coefficients in x, by ascending power, of the best polynomial of the model's degree.

    None for a model that is not a polynomial, and where the loss overflows.
    """
    degree = result.model.polynomial_degree
    if degree is None:
        return None
    linear = result.quadratic is not None
    best = result.model if linear else LegendreSeries(degree=degree).on_domain(result.samples.domain)
    quadratic = result.quadratic if linear else quadratic_of(best, result.samples)
    with np.errstate(all="ignore"):
        return None if quadratic is None else best.power_series(quadratic.optimum)
