"""The polynomial of a fitted model, with what its export says beside it."""

from typing import NamedTuple

import numpy as np

from polyexp.base import InputError, version
from polyexp.export.accuracy import Fit, measured_accuracy, require_agreement
from polyexp.export.formats import Exported
from polyexp.export.formula import formula_of
from polyexp.model import Model

__all__ = ["Form", "exported_fit", "exported_in_any_basis"]


class Form(NamedTuple):
    """How a polynomial is exported.

    Args:
        basis: "own" for the basis of the model, "power" for powers of x.
        precision: "float64" or "float32".
        function: The name of the function in source code.
    """

    basis: str = "own"
    precision: str = "float64"
    function: str = "polynomial"


OWN_BASIS, POWERS_OF_X = Form(), Form(basis="power")


def exported_fit(
    model: Model, params: np.ndarray, domain: tuple[float, float], fit: Fit, run_id: str, form: Form = OWN_BASIS
) -> Exported:
    """The polynomial of a fitted model, with its accuracy.

    Args:
        model: The model on the domain.
        params: The final parameters of the model, of shape (K,).
        domain: The interval [low, high] of x on which the model was fitted.
        fit: What is recorded of the fit.
        run_id: The id of the run.
        form: How it is exported.

    Raises:
        InputError: Where the model is not a polynomial, or its numbers overflow in this basis or precision.
    """
    formula = formula_of(model, params, form.basis)
    require_agreement(formula, model, params, domain)
    formula = formula.to(form.precision)
    measured = measured_accuracy(formula, model, params, fit, domain)
    degree = f"of degree {formula.degree} fitted to {measured.target}"
    source = f"{model.choice} {degree}, exported by polyexp {version.described()}"
    return Exported(form.function, formula, source, run_id, measured)


def exported_in_any_basis(
    model: Model, params: np.ndarray, domain: tuple[float, float], fit: Fit, run_id: str
) -> Exported:
    """The polynomial of a fitted model in the basis of the model, or where that has none in powers of x.

    Args:
        model: The model on the domain.
        params: The final parameters of the model, of shape (K,).
        domain: The interval [low, high] of x on which the model was fitted.
        fit: What is recorded of the fit.
        run_id: The id of the run.

    Raises:
        InputError: Where the model is not a polynomial, or its numbers overflow in float64.
    """
    try:
        return exported_fit(model, params, domain, fit, run_id)
    except InputError:
        if model.polynomial_degree is None:
            raise
        return exported_fit(model, params, domain, fit, run_id, POWERS_OF_X)
