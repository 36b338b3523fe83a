"""The forecast of a fit: its optimum, the learning rates that it allows, and what a run will reach."""

from polyexp.exact.advice import Alternative, alternative, close_excess, hopeless, in_words, require_stable
from polyexp.exact.overflow import require_computable
from polyexp.exact.prediction import Forecast, first_step, forecast
from polyexp.exact.quadratic import Quadratic, hessian_eigenvalues, lowest_loss, quadratic_of
from polyexp.exact.rates import above, at_most, require_modes, tuned

__all__ = [
    "Alternative",
    "Forecast",
    "Quadratic",
    "above",
    "alternative",
    "at_most",
    "close_excess",
    "first_step",
    "forecast",
    "hessian_eigenvalues",
    "hopeless",
    "in_words",
    "lowest_loss",
    "quadratic_of",
    "require_computable",
    "require_modes",
    "require_stable",
    "tuned",
]
