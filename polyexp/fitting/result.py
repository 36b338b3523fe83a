"""The result of a fit: its outcome, its history, and its final parameters."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from polyexp.base import Value
from polyexp.exact import Quadratic, quadratic_of
from polyexp.fitting.checkpoint import Checkpoint
from polyexp.fitting.history import History
from polyexp.model import LegendreSeries, Model
from polyexp.optimizer import Optimizer
from polyexp.problem import Samples

__all__ = ["Result", "best_power_series"]


@dataclass(frozen=True)
class Result(Value):
    """What a fit found, in float64 NumPy, whatever the backend.

    For a single run the shape (*runs,) is (), and its numbers are scalars. A result can be called: `result(x)` gives the values
    of the fitted model at x, of any shape. `result[i]` is the result of one run of a batch, as if it had been fitted alone.

    Args:
        model: The model on the domain of the samples.
        optimizer: The optimizer that was used, with the learning rate that "auto" found.
        samples: The samples that were fitted, reduced or not.
        quadratic: The loss as a quadratic form; None for a model that is not linear.
        initial: The initial values. Shape (*runs, K).
        params: The final parameters, the last finite ones if the run diverged. Shape (*runs, K).
        loss: The loss at the final parameters, in the unit of y squared. Shape (*runs,).
        excess: How far this loss is above the best loss; None for a model that is not linear. Shape (*runs,).
        max_error: The largest |f(x_i) - y_i| over all samples, in the unit of y; nan of a fit that was stopped, as it takes
            another pass over the samples. Shape (*runs,).
        outcome: The `Outcome` of each run. Shape (*runs,).
        steps: The number of updates of the final parameters. Shape (*runs,).
        history: All snapshots.
        seconds: The time that the steps took, for all runs together, in seconds.
        computed_by: The library, dtype and device that computed the fit, such as "numpy 2.0.0, float64, cpu".
        checkpoint: What `fit` needs as `start` to go on, where it was stopped before its end; otherwise None.

    Example:
        >>> import polyexp as p
        >>> samples, loop = p.Samples.of([-1, 0, 1], [1, 0, 1]), p.Manual(steps=100)
        >>> model, optimizer = p.PowerSeries(degree=2, initial="zeros"), p.GradientDescent("auto")
        >>> result = p.fit(samples, model, loop=loop, optimizer=optimizer, backend=p.NumPy())
        >>> f"{result.parameters['w2']:.6g}", result([0.5, 2.0]).round(6).tolist(), result.outcome.name
        ('1', [0.25, 4.0], 'MAX_STEPS')
        >>> batch = p.fit(samples, model, loop=loop, optimizer=p.GradientDescent([0.1, 0.5]), backend=p.NumPy())
        >>> batch.params.shape, [one.optimizer.learning_rate for one in batch], batch[1].loss.shape
        ((2, 3), [0.1, 0.5], ())
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
    checkpoint: Checkpoint | None = field(default=None, repr=False)

    @property
    def runs(self) -> tuple[int, ...]:
        """The shape (*runs,) of the batch; () for a single run."""
        return self.params.shape[:-1]

    def __getitem__(self, run: Any) -> "Result":
        """The result of one run of a batch, or of several, by an index that is applied to the axes (*runs,).

        Raises:
            IndexError: There is no such run.
        """
        if not self.runs:
            raise IndexError("the result of a single run has no others")
        numbers = ("initial", "params", "loss", "max_error", "outcome", "steps", "excess")
        picked: dict[str, Any] = {
            name: None if getattr(self, name) is None else getattr(self, name)[run] for name in numbers
        }
        optimizer, history = self.optimizer.of_run(run, self.runs), self.history.of_run(run)
        return replace(self, **picked, optimizer=optimizer, history=history, checkpoint=None)

    def __iter__(self) -> Iterator["Result"]:
        """The results along the first axis of the batch."""
        return (self[run] for run in range(self.runs[0] if self.runs else 0))

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

    def __call__(self, x: Any) -> np.ndarray:  # shape: any -> (*runs, *shape of x)
        """The values of the fitted model at x; inf or nan where those of a run that diverged overflow."""
        with np.errstate(all="ignore"):
            return self.model(self.params, x)


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
