"""Polynomial expansions fitted by gradient descent: the same problem in several formulations, side by side.

The names here do everything the command line does, without Hydra and without MLflow. Importing them imports neither
torch nor mlflow.
"""

from importlib.metadata import version

from polyexp.backends import Backend, NumPy, Torch
from polyexp.checks import InputError
from polyexp.component import Component
from polyexp.datafile import DataFile
from polyexp.devices import CPU, CUDA, Auto, Device
from polyexp.fit import History, Look, Outcome, Result, State, fit, place, start, step
from polyexp.loops import Autograd, ClosedForm, CustomFunction, Loop, Manual
from polyexp.models import (
    ChebyshevSeries,
    HermiteSeries,
    Legendre,
    LegendreSeries,
    LegendreSum,
    Model,
    PowerSeries,
)
from polyexp.optimizers import Adam, GradientDescent, Momentum, Nesterov, Optimizer, RMSprop
from polyexp.problem import Problem, Source
from polyexp.quadratic import Quadratic
from polyexp.reduction import gauss, merge, reduce_chunks
from polyexp.samples import Chunk, Data, Samples

__version__ = version("polyexp")

__all__ = [
    "CPU",
    "CUDA",
    "Adam",
    "Auto",
    "Autograd",
    "Backend",
    "ChebyshevSeries",
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
    "Look",
    "Loop",
    "Manual",
    "Model",
    "Momentum",
    "Nesterov",
    "NumPy",
    "Optimizer",
    "Outcome",
    "PowerSeries",
    "Problem",
    "Quadratic",
    "RMSprop",
    "Result",
    "Samples",
    "Source",
    "State",
    "Torch",
    "__version__",
    "fit",
    "gauss",
    "merge",
    "place",
    "reduce_chunks",
    "start",
    "step",
]
