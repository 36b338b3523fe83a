"""What a fit found."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

import numpy as np

from polyexp.exact import Quadratic, quadratic_of
from polyexp.fitting.state import Look
from polyexp.model import LegendreSeries, Model
from polyexp.optimizer import Optimizer
from polyexp.problem import Samples

__all__ = ["History", "Outcome", "Result"]


class Outcome(Enum):
    """Why a run ended; the value is a sentence of advice."""

    CONVERGED = "The tolerance was reached. Ask for a smaller loop.tolerance to come closer."
    STALLED = "The loss no longer falls. Another optimizer.learning_rate, optimizer or model may bring it further."
    MAX_STEPS = "All steps were taken. Add loop.steps if the loss is still falling."
    DIVERGED = (
        "The loss left every bound, and the last finite parameters were kept. Try a smaller optimizer.learning_rate."
    )


@dataclass(frozen=True)
class History:
    """All L looks of a fit. A run of several that has ended stands still until the last one has."""

    step: np.ndarray  # shape: (L,)
    params: np.ndarray  # shape: (L, *runs, K)
    loss: np.ndarray  # shape: (L, *runs)
    excess: np.ndarray  # shape: (L, *runs)
    grad_norm: np.ndarray  # shape: (L, *runs)

    @classmethod
    def of(cls, looks: Sequence[Look]) -> "History":
        """The looks, stacked."""
        return cls(**{one.name: np.stack([getattr(look, one.name) for look in looks]) for one in fields(cls)})


@dataclass(frozen=True)
class Result:
    """What a fit found, in float64 NumPy; `runs` is () for a single fit, whose numbers are then plain scalars.

    loss and max_error (the largest |model - y| over the samples) are evaluated at the final parameters in float64,
    whatever the backend. steps: the updates behind `params`. seconds: time in the loop, for all runs together.
    optimizer: as it was used, with the rate that "auto" found. quadratic: the loss as a quadratic form, and excess: how far
    above the best possible loss the result is, for a model linear in its parameters (None for others).
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
        """The final parameters by name: floats of a single fit, arrays of shape (*runs,) of several."""
        columns = np.moveaxis(self.params, -1, 0)
        return {name: float(v) if v.ndim == 0 else v for name, v in zip(self.model.param_names, columns, strict=True)}

    @property
    def power_series(self) -> np.ndarray:  # shape: (*runs, degree + 1)
        """The fitted polynomial as coefficients in x, by ascending power; inf or nan where a diverged fit overflows."""
        with np.errstate(all="ignore"):
            return self.model.power_series(self.params)

    def __call__(self, x: Any) -> np.ndarray:  # shape: (N,) -> (*runs, N)
        """The fitted model's values at x; inf or nan where a diverged fit overflows."""
        with np.errstate(all="ignore"):
            return self.model(self.params, x)


def loss_of(model: Model, samples: Samples, params: np.ndarray) -> np.ndarray:  # shape: (*runs, K) -> (*runs,)
    """The loss of each run, in float64."""
    with np.errstate(all="ignore"):
        return samples.loss(model(params, samples.x))


def best_power_series(result: Result) -> np.ndarray | None:  # shape: (degree + 1,)
    """The coefficients in x of the best polynomial of the model's degree; None where there is none, or none is known."""
    degree = result.model.polynomial_degree
    if degree is None:
        return None
    linear = result.quadratic is not None
    best = result.model if linear else LegendreSeries(degree=degree).on(result.samples.domain)
    quadratic = result.quadratic if linear else quadratic_of(best, result.samples)
    with np.errstate(all="ignore"):
        return None if quadratic is None else best.power_series(quadratic.optimum)
