"""The forecast of a fit: its optimum, the learning rates that it allows, and what a run will reach."""

from polyexp.exact.overflow import require_computable
from polyexp.exact.prediction import Alternative, Forecast, alternative, first_step, forecast, require_stable
from polyexp.exact.quadratic import Quadratic, hessian_eigenvalues, lowest_loss, quadratic_of
from polyexp.exact.rates import at_most, require_modes, tuned

__all__ = [
    "Alternative",
    "Forecast",
    "Quadratic",
    "alternative",
    "at_most",
    "first_step",
    "forecast",
    "hessian_eigenvalues",
    "lowest_loss",
    "quadratic_of",
    "require_computable",
    "require_modes",
    "require_stable",
    "tuned",
]
