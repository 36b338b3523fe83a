"""A fitted polynomial as source code or data that does not need polyexp."""

from polyexp.export.accuracy import Accuracy, Fit, measured_accuracy, require_agreement, rounded_up
from polyexp.export.fitted import Form, export_result, exported_fit, exported_in_any_basis, told_of
from polyexp.export.formats import FORMATS, Exported
from polyexp.export.formula import BASES, PRECISIONS, Formula, formula_of
from polyexp.export.mlflow_model import MODEL_NAME, About, model_files
from polyexp.export.names import FUNCTION_NAME, is_name
from polyexp.export.saved import data_of, export_of

__all__ = [
    "BASES",
    "FORMATS",
    "FUNCTION_NAME",
    "MODEL_NAME",
    "PRECISIONS",
    "About",
    "Accuracy",
    "Exported",
    "Fit",
    "Form",
    "Formula",
    "data_of",
    "export_of",
    "export_result",
    "exported_fit",
    "exported_in_any_basis",
    "formula_of",
    "is_name",
    "measured_accuracy",
    "model_files",
    "require_agreement",
    "rounded_up",
    "told_of",
]
