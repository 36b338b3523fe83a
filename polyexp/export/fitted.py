"""The export of a fit, recorded or in memory: its polynomial with what is said beside it."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from polyexp.base import InputError, one_of, path_errors, require, require_path, save_bytes, version
from polyexp.export.accuracy import Fit, Function, measured_accuracy, require_agreement
from polyexp.export.formats import FORMATS, Exported
from polyexp.export.formula import BASES, PRECISIONS, formula_of
from polyexp.export.names import FUNCTION_NAME, is_name
from polyexp.fitting import Result
from polyexp.model import Model

__all__ = ["Form", "export_result", "exported_fit", "exported_in_any_basis", "told_of"]

FILE = "the path of a file that can be written, in a folder that exists"
BYTES_FORMAT = "numpy"  # the format that is no text


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


def told_of(result: Result, target: str, function: Function | None) -> Fit:
    """What an export tells of the fit of a single result.

    Args:
        result: The result.
        target: What was fitted, in a word.
        function: The target as a function; None where it is not known.
    """
    error = float(result.max_error) if np.isfinite(result.max_error) else None
    return Fit(result.samples.total, error, target, function, result.outcome.name)


def exported_fit(
    model: Model, params: np.ndarray, domain: tuple[float, float], fit: Fit, run_id: str = "", form: Form = OWN_BASIS
) -> Exported:
    """The polynomial of a fitted model, with its accuracy.

    Args:
        model: The model on the domain.
        params: The final parameters of the model, of shape (K,).
        domain: The interval [low, high] of x on which the model was fitted.
        fit: What is recorded of the fit.
        run_id: The id of the run; empty where it is not recorded.
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


def export_result(
    result: Result,
    kind: str = "c",
    path: str | os.PathLike[str] | None = None,
    *,
    precision: str = "float64",
    basis: str = "own",
    function: str = "polynomial",
) -> str | bytes | Path:
    """The polynomial of a result as source code or data, as `Result.export` gives it.

    Args:
        result: The result of a single fit.
        kind: The format, a key of `FORMATS`.
        path: The file to write; None returns its content.
        precision: "float64" or "float32".
        basis: "own" or "power".
        function: The name of the function in source code.
    """
    one_of("format", kind, FORMATS)
    one_of("precision", precision, PRECISIONS)
    one_of("basis", basis, BASES)
    require(isinstance(function, str) and is_name(function), "function", FUNCTION_NAME, function)
    place = None if path is None else require_path("path", path, FILE)
    if result.runs:
        raise InputError("`export` takes the result of a single run, such as `result[0].export()`.")
    samples = result.samples
    fit = told_of(result, samples.name, samples.target)
    try:
        form = Form(basis, precision, function)
        made = exported_fit(result.model, result.params, samples.domain, fit, form=form)
    except InputError as error_:  # which names the settings of the command line
        raise InputError(str(error_).replace("action.basis=", "basis=").replace("action.basis", "basis")) from error_
    content = FORMATS[kind][1](made)
    if place is None:
        return content if kind == BYTES_FORMAT else content.decode()
    with path_errors("path", place, FILE):
        save_bytes(place, content)
    return place
