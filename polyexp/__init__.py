"""Polynomial expansions fitted by gradient descent: the same problem in several formulations, side by side.

The names here do everything the command line does, without Hydra and without MLflow. Importing them imports neither
torch nor mlflow.
"""

from importlib.metadata import version

from polyexp.backend import Backend, NumPy, Torch
from polyexp.base import Component, InputError
from polyexp.device import CPU, CUDA, Auto, Device
from polyexp.exact import Quadratic
from polyexp.fitting import History, Look, Outcome, Result, State, fit, place, start, step
from polyexp.loop import Autograd, ClosedForm, CustomFunction, Loop, Manual
from polyexp.model import ChebyshevSeries, HermiteSeries, Legendre, LegendreSeries, LegendreSum, Model, PowerSeries
from polyexp.optimizer import Adam, GradientDescent, Momentum, Nesterov, Optimizer, RMSprop
from polyexp.problem import Chunk, Data, DataFile, Problem, Samples, Source, gauss, merge, reduce_chunks

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
