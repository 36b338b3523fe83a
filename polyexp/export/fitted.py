"""The export of a fit, recorded or in memory."""

import os
from pathlib import Path

import numpy as np

from polyexp.base import InputError, one_of, require, save_bytes, version
from polyexp.export.accuracy import Fit, measured_accuracy, require_agreement
from polyexp.export.formats import FORMATS, Exported
from polyexp.export.formula import BASES, PRECISIONS, formula_of
from polyexp.export.names import FUNCTION_NAME, is_name
from polyexp.fitting import Result
from polyexp.model import Model

__all__ = ["export_result", "exported"]

BYTES_FORMAT = "numpy"  # the format that is no text


def exported(
    model: Model,
    params: np.ndarray,
    domain: tuple[float, float],
    fit: Fit,
    *,
    basis: str,
    precision: str,
    function: str,
    run_id: str = "",
) -> Exported:
    """A fitted polynomial with its accuracy.

    Args:
        model: The model on its domain.
        params: The final parameters. Shape (K,).
        domain: The interval of x on which it was fitted.
        fit: What there is to tell of the fit.
        basis: "own" or "power".
        precision: "float64" or "float32".
        function: The name of the function in source code.
        run_id: The id of the run; empty where it is not recorded.

    Raises:
        InputError: The model is no polynomial, or its numbers overflow in this basis or precision.
    """
    formula = formula_of(model, params, basis)
    require_agreement(formula, model, params, domain)
    formula = formula.to(precision)
    measured = measured_accuracy(formula, model, params, fit, domain)
    degree = f"of degree {formula.degree} fitted to {measured.target}"
    source = f"{model.choice} {degree}, exported by polyexp {version.described()}"
    return Exported(function, formula, source, run_id, measured)


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
    require(is_name(function), "function", FUNCTION_NAME, function)
    if result.runs:
        raise InputError("`export` takes the result of a single run, such as `result[0].export()`.")
    samples, error = result.samples, float(result.max_error)
    fit = Fit(samples.total, error if np.isfinite(error) else None, samples.name, samples.target, result.outcome.name)
    try:
        made = exported(
            result.model, result.params, samples.domain, fit, basis=basis, precision=precision, function=function
        )
    except InputError as error_:  # which names the settings of the command line
        raise InputError(str(error_).replace("action.basis=", "basis=").replace("action.basis", "basis")) from error_
    content = FORMATS[kind][1](made)
    if path is None:
        return content if kind == BYTES_FORMAT else content.decode()
    save_bytes(Path(path), content)
    return Path(path)
