"""Formulas with parameters and their analytic gradients, in NumPy-like operations only."""

from polyexp.models.expansion import (
    ChebyshevSeries,
    HermiteSeries,
    LegendreSeries,
    PowerSeries,
)
from polyexp.models.legendre import Legendre, LegendreSum
from polyexp.models.model import Elementwise, Model

__all__ = [
    "ChebyshevSeries",
    "Elementwise",
    "HermiteSeries",
    "Legendre",
    "LegendreSeries",
    "LegendreSum",
    "Model",
    "PowerSeries",
]
