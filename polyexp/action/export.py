"""The polynomial of a recorded run, ready to be written."""

from polyexp.base import version
from polyexp.export.accuracy import stated
from polyexp.export.formats import Exported
from polyexp.export.formula import formula_of
from polyexp.tracking import RecordedRun, fitted

__all__ = ["export"]


def export(run: RecordedRun, basis: str, precision: str, function: str) -> Exported:
    """What a run has found, in a basis and a precision. InputError where that cannot be."""
    result = run.result()
    model, params, domain = fitted(result)
    formula = formula_of(model, params, basis).to(precision)
    measured = stated(formula, model, params, result, domain)
    degree = f"of degree {formula.degree} fitted to {measured.target}"
    source = f"{model.choice} {degree}, exported by polyexp {version.described()}"
    return Exported(function, formula, source, run.id, measured)
