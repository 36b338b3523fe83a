"""Formulas with parameters and their analytic gradients, in NumPy-like operations only."""

from polyexp.models.expansion import (
    ChebyshevSeries,
    HermiteSeries,
    LegendreSeries,
    PowerSeries,
)
from polyexp.models.legendre import Legendre, LegendreSum
from polyexp.models.model import Elementwise, Model, degree_in_x

__all__ = [
    "ChebyshevSeries",
    "Elementwise",
    "HermiteSeries",
    "Legendre",
    "LegendreSeries",
    "LegendreSum",
    "Model",
    "PowerSeries",
    "degree_in_x",
]
