"""A fitted polynomial as source code or data that does not need polyexp."""

from polyexp.export.accuracy import Accuracy, Fit, measured_accuracy, require_agreement, rounded_up
from polyexp.export.formats import FORMATS, Exported
from polyexp.export.formula import BASES, PRECISIONS, Formula, formula_of
from polyexp.export.names import is_name

__all__ = [
    "BASES",
    "FORMATS",
    "PRECISIONS",
    "Accuracy",
    "Exported",
    "Fit",
    "Formula",
    "formula_of",
    "is_name",
    "measured_accuracy",
    "require_agreement",
    "rounded_up",
]
