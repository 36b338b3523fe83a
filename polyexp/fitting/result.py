"""The result of a fit: its outcome, its history, and its final parameters."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from polyexp.base import Value
from polyexp.exact import Quadratic, quadratic_of
from polyexp.fitting.checkpoint import Checkpoint
from polyexp.fitting.frame import frame_of
from polyexp.fitting.history import History
from polyexp.fitting.later import later
from polyexp.fitting.summary import summary_of
from polyexp.model import LegendreSeries, Model
from polyexp.optimizer import Optimizer
from polyexp.problem import Samples

__all__ = ["Result", "best_power_series"]


@dataclass(frozen=True, repr=False)
class Result(Value):
    """What a fit found, in float64 NumPy, whatever the backend.

    For a single run the shape (*runs,) is (), and its numbers are scalars. A result can be called: `result(x)` gives the values
    of the fitted model at x, of any shape. `result[i]` is the result of one run of a batch, as if it had been fitted alone.
    It can be drawn (`plot`), made a table (`to_frame`), exported as code (`export`), and saved (`save`, `load_result`).

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
        >>> batch[0]
        <Result: MAX_STEPS after 100 steps, loss 0.000240636, excess 0.000240636>
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

        They are inf or nan where those of a run that diverged overflow. On a domain that lies far from 0, or of a high degree,
        their terms cancel each other, so that a sum of them has fewer digits than the values of the fitted model, which
        calling the result gives.
        """
        if self.model.polynomial_degree is None:
            return None
        with np.errstate(all="ignore"):
            return self.model.power_series(self.params)

    def __call__(self, x: Any) -> np.ndarray:  # shape: any -> (*runs, *shape of x)
        """The values of the fitted model at x; inf or nan where those of a run that diverged overflow.

        Raises:
            InputError: x holds something that is no real number, or masked values.
        """
        with np.errstate(all="ignore"):
            return self.model(self.params, x)

    def __repr__(self) -> str:
        """One line: outcome, steps, loss and excess; of a batch the outcomes, and the run with the least loss."""
        return f"<Result: {summary_of(self.outcome, self.steps, self.loss, self.excess)}>"

    def _repr_html_(self) -> str:
        """A small table for notebooks: formula, coefficients beside the best ones, loss, best loss and excess."""
        return str(later("_repr_html_")(self))

    def to_frame(self) -> Any:
        """The history as a pandas DataFrame with one row for each snapshot, in the columns of history.csv.

        The columns are `step`, `loss` (before update number `step`, in the unit of y squared), `excess` (nan for a model that
        is not linear), `grad_norm`, and the parameters after that update by their names. Of a batch there is one row for each
        snapshot of each run up to its end, with the index of the run before them: `run`, or `run_0`, `run_1` and so on where
        the batch has several axes.

        Raises:
            InputError: pandas is not installed.

        Example:
            >>> import polyexp as p
            >>> samples, loop = p.Samples.of([-1, 0, 1], [1, 0, 1]), p.Manual(steps=10)
            >>> optimizer = p.GradientDescent([0.1, 0.2])
            >>> batch = p.fit(samples, p.PowerSeries(degree=1), loop=loop, optimizer=optimizer, backend=p.NumPy())
            >>> frame = batch.to_frame()
            >>> list(frame.columns)
            ['run', 'step', 'loss', 'excess', 'grad_norm', 'w0', 'w1']
            >>> frame.groupby("run")["loss"].last().round(6).tolist()
            [0.24842, 0.223506]
        """
        return frame_of(self.history, self.model.param_names, self.runs)

    def plot(self, ax: Any = None) -> Any:
        """Draw the samples, the target where it is known, and the fitted curve; of a batch the curves of its runs.

        Samples that were reduced are shown as the nodes that replace them.

        Args:
            ax: The matplotlib axes to draw on. None makes a figure of pyplot, in which the residual is drawn below, unless the
                result is that of a batch.

        Returns:
            The axes with the curve.

        Raises:
            InputError: matplotlib is not installed.

        Example:
            >>> import matplotlib; matplotlib.use("agg")
            >>> import polyexp as p
            >>> result = p.fit([0, 1, 2], [1, 3, 5], p.PowerSeries(degree=1), backend=p.NumPy())
            >>> ax = result.plot()
            >>> ax.get_legend_handles_labels()[1]
            ['samples', 'fitted']
        """
        return later("plot")(self, ax)

    def plot_loss(self, ax: Any = None) -> Any:
        """Draw the loss over the updates, with the predicted and the best loss; of a batch a curve for each run.

        Args:
            ax: The matplotlib axes to draw on; None makes a figure of pyplot.

        Returns:
            The axes.

        Raises:
            InputError: matplotlib is not installed.
        """
        return later("plot_loss")(self, ax)

    def plot_modes(self, ax: Any = None) -> Any:
        """Draw how much of its initial distance from the optimum each mode of the Hessian has left, as bars.

        Args:
            ax: The matplotlib axes to draw on; None makes a figure of pyplot.

        Returns:
            The axes.

        Raises:
            InputError: The model is not linear, the samples are not there, the result is that of a batch, or matplotlib is not
                installed.
        """
        return later("plot_modes")(self, ax)

    def export(
        self,
        format: str = "c",  # noqa: A002 - the word of action.format
        path: Any = None,
        *,
        precision: str = "float64",
        basis: str = "own",
        function: str = "polynomial",
    ) -> Any:
        """The fitted polynomial as source code or data that does not need polyexp, with its accuracy, as `action=export`.

        Args:
            format: "c", "python", "latex", "json" or "numpy".
            path: The file to write it to; None returns it.
            precision: The precision of the numbers and of the arithmetic: "float64" or "float32".
            basis: "own", that of the model, evaluated by Clenshaw's recurrence, or "power", powers of x, by Horner's scheme.
            function: The name of the function in source code.

        Returns:
            The text, or for "numpy" the bytes of an .npz file; the path of the file where one is given.

        Raises:
            InputError: An argument is none of these, the model is no polynomial, a number is not finite in this basis or
                precision, the result is that of a batch, or the file cannot be written.

        Example:
            >>> import polyexp as p
            >>> result = p.fit([0, 1, 2], [1, 3, 5], p.PowerSeries(degree=1), backend=p.NumPy())
            >>> code = {}
            >>> exec(result.export("python", function="line"), code)
            >>> code["line"](0.5) == float(result(0.5))
            True
        """
        return later("export")(self, format, path, precision=precision, basis=basis, function=function)

    def save(self, folder: Any) -> Any:
        """Save the result in a folder, from which `load_result` makes it again, with the same bits.

        There are `result.json`, for readers, `result.npz` with every number, and for a single run `history.csv`. None of them
        holds code. The checkpoint of a fit that was stopped is not saved.

        Args:
            folder: The path of the folder, which is made if need be. A result that was saved there before is replaced.

        Returns:
            The path of the folder.

        Raises:
            InputError: The folder belongs to a recorded run, or it cannot be written.

        Example:
            >>> from tempfile import TemporaryDirectory
            >>> import polyexp as p
            >>> result = p.fit([0, 1, 2], [1, 3, 5], p.PowerSeries(degree=1), backend=p.NumPy())
            >>> with TemporaryDirectory() as folder:
            ...     p.load_result(result.save(folder)) == result
            True
        """
        return later("save")(self, folder)


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
