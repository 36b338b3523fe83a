"""A fitted polynomial as source code or data that does not need polyexp."""

from polyexp.export.accuracy import Accuracy, Fit, measured_accuracy, require_agreement, rounded_up
from polyexp.export.fitted import export_result, exported
from polyexp.export.formats import FORMATS, Exported
from polyexp.export.formula import BASES, PRECISIONS, Formula, formula_of
from polyexp.export.names import FUNCTION_NAME, is_name

__all__ = [
    "BASES",
    "FORMATS",
    "FUNCTION_NAME",
    "PRECISIONS",
    "Accuracy",
    "Exported",
    "Fit",
    "Formula",
    "export_result",
    "exported",
    "formula_of",
    "is_name",
    "measured_accuracy",
    "require_agreement",
    "rounded_up",
]
