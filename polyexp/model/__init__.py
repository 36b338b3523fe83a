"""Models: formulas with parameters and their analytic gradients, written in operations that NumPy and torch share."""

from polyexp.model.derivatives import complex_step, jacobian
from polyexp.model.expansion import ChebyshevSeries, HermiteSeries, LegendreSeries, PowerSeries
from polyexp.model.legendre import Legendre, LegendreSum
from polyexp.model.model import Elementwise, Model, degree_in_x

__all__ = [
    "ChebyshevSeries",
    "Elementwise",
    "HermiteSeries",
    "Legendre",
    "LegendreSeries",
    "LegendreSum",
    "Model",
    "PowerSeries",
    "complex_step",
    "degree_in_x",
    "jacobian",
]
