"""Polynomial expansions fitted by gradient descent: the same problem in several formulations, side by side.

The names here do everything that `action=fit` does on the command line, without Hydra and without MLflow. `import polyexp`
imports no other package, and the first use of one of these names neither torch nor mlflow. The parts of a fit are

    problem     `Problem` and `DataFile` are sources (`Source`) of `Samples`; `gauss`, `merge` and `reduce_chunks` reduce them,
    model       `PowerSeries`, `LegendreSeries`, `ChebyshevSeries`, `HermiteSeries`, `Legendre`: a `Model` each,
    loop        `Manual`, `Autograd`, `CustomFunction`, `ClosedForm`: a `Loop` each,
    optimizer   `GradientDescent`, `Momentum`, `Nesterov`, `RMSprop`, `Adam`: an `Optimizer` each,
    backend     `NumPy`, `Torch` and `JAX`: a `Backend` each, and
    device      `CPU`, `CUDA` and `Auto`: a `Device` each.

`fit` makes a `Result` of them, which `record` has recorded by `MLflow` or `NoTracking`. `load_result` makes it again from a
folder, and `runs` lists recorded runs (`RunList`, `ListedRun`). `place`, `start` and `step` take single steps by hand.

Example:
    >>> import polyexp as p
    >>> result = p.fit(p.Problem("exp", domain=[-1, 1]), p.PowerSeries(degree=1), loop=p.ClosedForm(), backend=p.NumPy(),
    ...                optimizer=p.GradientDescent("auto"))
    >>> result.params.round(3).tolist()  # of infinitely many samples: sinh(1) and 3/e
    [1.175, 1.104]
"""

import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # at run time `__getattr__` imports these names
    from polyexp.backend import JAX, Backend, NumPy, Torch
    from polyexp.base import Component, InputError
    from polyexp.device import CPU, CUDA, Auto, Device
    from polyexp.exact import Quadratic
    from polyexp.fitting import Checkpoint, History, Outcome, Result, Snapshot, State, fit, place, start, step
    from polyexp.loop import Autograd, ClosedForm, CustomFunction, Loop, Manual
    from polyexp.model import ChebyshevSeries, HermiteSeries, Legendre, LegendreSeries, LegendreSum, Model, PowerSeries
    from polyexp.optimizer import Adam, GradientDescent, Momentum, Nesterov, Optimizer, RMSprop
    from polyexp.problem import Chunk, Data, DataFile, Problem, Samples, Source, gauss, merge, reduce_chunks
    from polyexp.tracking import ListedRun, MLflow, NoTracking, RunList, load_result, record, runs

    __version__: str

__all__ = [
    "CPU",
    "CUDA",
    "JAX",
    "Adam",
    "Auto",
    "Autograd",
    "Backend",
    "ChebyshevSeries",
    "Checkpoint",
    "Chunk",
    "ClosedForm",
    "Component",
    "CustomFunction",
    "Data",
    "DataFile",
    "Device",
    "GradientDescent",
    "HermiteSeries",
    "History",
    "InputError",
    "Legendre",
    "LegendreSeries",
    "LegendreSum",
    "ListedRun",
    "Loop",
    "MLflow",
    "Manual",
    "Model",
    "Momentum",
    "Nesterov",
    "NoTracking",
    "NumPy",
    "Optimizer",
    "Outcome",
    "PowerSeries",
    "Problem",
    "Quadratic",
    "RMSprop",
    "Result",
    "RunList",
    "Samples",
    "Snapshot",
    "Source",
    "State",
    "Torch",
    "__version__",
    "fit",
    "gauss",
    "load_result",
    "merge",
    "place",
    "record",
    "reduce_chunks",
    "runs",
    "start",
    "step",
]

# The modules and folders that have these names.
PARTS = ("base", "problem", "model", "device", "backend", "loop", "optimizer", "exact", "fitting")
RECORDING = {
    "ListedRun",
    "MLflow",
    "NoTracking",
    "RunList",
    "load_result",
    "record",
    "runs",
}  # names of `tracking`, which a fit does not need
RENAMED = {"Look": "Snapshot"}  # public names by their former ones, which are still accepted


def __dir__() -> list[str]:
    """All names, also those that have not been imported yet."""
    return sorted({*globals(), *__all__, *PARTS})


if not TYPE_CHECKING:  # a type checker would accept every misspelt name

    def __getattr__(name: str) -> Any:
        """A public name, or a part of polyexp, that has not been imported yet; or a name by its former one, with a warning."""
        if name in RENAMED:
            warnings.warn(
                f"`polyexp.{name}` is now called `polyexp.{RENAMED[name]}`.", DeprecationWarning, stacklevel=2
            )
            name = RENAMED[name]
        if name not in (*__all__, *PARTS):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
        _import_all()
        if name in RECORDING:
            _import("tracking")
        return globals()[name]


def _import_all() -> None:
    """Import all names, not one alone, because a component is registered when its module is imported."""
    from importlib.metadata import version

    for part in PARTS:
        _import(part)
    globals()["__version__"] = version(__name__)


def _import(part: str) -> None:
    """Import a part, and make those of its names public that are."""
    from importlib import import_module

    module = import_module(f"{__name__}.{part}")
    globals().update({name: getattr(module, name) for name in module.__all__ if name in __all__})
