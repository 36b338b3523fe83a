"""Polynomial expansions fitted by gradient descent: the same problem in several formulations, side by side.

The names here do everything the command line does, without Hydra and without MLflow. Importing them imports neither
torch nor mlflow.
"""

from importlib.metadata import version

from polyexp.backend import Backend, NumPy, Torch
from polyexp.base.component import Component
from polyexp.base.validation import InputError
from polyexp.device import CPU, CUDA, Auto, Device
from polyexp.exact.quadratic import Quadratic
from polyexp.fitting.driver import History, Look, Outcome, Result, State, fit, place, start, step
from polyexp.loop import Autograd, ClosedForm, CustomFunction, Loop, Manual
from polyexp.model import ChebyshevSeries, HermiteSeries, Legendre, LegendreSeries, LegendreSum, Model, PowerSeries
from polyexp.optimizer import Adam, GradientDescent, Momentum, Nesterov, Optimizer, RMSprop
from polyexp.problem.files.data_file import DataFile
from polyexp.problem.reduction import gauss, merge, reduce_chunks
from polyexp.problem.samples import Chunk, Data, Samples
from polyexp.problem.sampling import Problem, Source

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
