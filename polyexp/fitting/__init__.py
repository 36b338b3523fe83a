"""Gradient descent from a first to a last state, as a sequence of frozen values.

    start -> State -> step -> State -> ... -> Result

`step` is one update, pure and usable by hand; `fit` takes many of them and looks every `loop.log_every` steps.
"""

from polyexp.fitting.driver import computed_by, fit, require_offers
from polyexp.fitting.progress import GROWTH_LIMIT
from polyexp.fitting.result import History, Outcome, Result, best_power_series
from polyexp.fitting.state import Look, State, start
from polyexp.fitting.stepper import place, step

__all__ = [
    "GROWTH_LIMIT",
    "History",
    "Look",
    "Outcome",
    "Result",
    "State",
    "best_power_series",
    "computed_by",
    "fit",
    "place",
    "require_offers",
    "start",
    "step",
]
