"""A fitted polynomial as source code or data that does not need polyexp."""

from polyexp.export.accuracy import Accuracy, measured_accuracy, rounded_up
from polyexp.export.formats import FORMATS, Exported, is_name
from polyexp.export.formula import BASES, PRECISIONS, Formula, formula_of

__all__ = [
    "BASES",
    "FORMATS",
    "PRECISIONS",
    "Accuracy",
    "Exported",
    "Formula",
    "formula_of",
    "is_name",
    "measured_accuracy",
    "rounded_up",
]
