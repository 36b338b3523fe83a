"""The MLflow model of a run: what its journal says of it, and the files and rows that follow.

A run has at most one. A result that comes later, of a run that was resumed, renews it.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from polyexp.base import InputError
from polyexp.export import About, data_of, export_of, exported_in_any_basis, model_files, told_of
from polyexp.fitting import Outcome, Result
from polyexp.problem import TARGETS
from polyexp.tracking.entry import File, LoggedModel, Point

__all__ = ["logged_model", "model_data", "why_none", "written_files"]

UNKNOWN_VERSION = "3.0.0"  # of MLflow where it is not installed as a package


def model_data(result: Result, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the journal of a run says of its model: the polynomial, or why there is none; None before the run has ended.

    Args:
        result: The result of a single run.
        settings: The settings by their keys, of which those of the problem name what was fitted.
    """
    if result.outcome is Outcome.INTERRUPTED:
        return None
    if result.outcome is Outcome.DIVERGED:
        return {"none": "The run diverged."}
    if not np.isfinite(result.params).all():
        return {"none": "The parameters of the run are not finite."}
    samples, function = result.samples, TARGETS.get(str(settings.get("problem.target")))
    target = str(settings.get("problem.path") or settings.get("problem") or samples.name)
    fit = told_of(result, target, function)
    try:
        export = exported_in_any_basis(result.model, result.params, samples.domain, fit, "")
    except InputError as refusal:
        return {"none": str(refusal)}
    return {"polynomial": data_of(export)}


def why_none(data: Mapping[str, Any] | None) -> str:
    """Why a run that has ended has no model; empty where it has one, or none is recorded.

    Args:
        data: What its journal says of it.
    """
    return str(data["none"]) if data and "none" in data else ""


def logged_model(data: Any, time: int, params: Mapping[str, str], metrics: Sequence[Point]) -> LoggedModel:
    """The model that a journal describes.

    Args:
        data: What the journal says of it, which may be of any kind.
        time: When the result was there, in milliseconds since 1970.
        params: The settings of the run.
        metrics: The final metrics of the run.

    Raises:
        ValueError, TypeError, KeyError, OverflowError: It does not describe one.
    """
    if "none" in data:
        return LoggedModel(None, time, {})
    return LoggedModel(export_of(data["polynomial"]), time, params, metrics)


@contextlib.contextmanager
def written_files(model: LoggedModel, model_id: str, run_id: str, location: str) -> Iterator[list[File]]:
    """A context with the files of a model in a temporary folder, whose times are that of the result.

    Args:
        model: The model, which has a polynomial.
        model_id: Its id in the store.
        run_id: The id of the run in the store.
        location: The location of its files, as MLflow spells it.
    """
    assert model.export
    about = About(model_id, run_id, location, model.time, _mlflow_version())
    with TemporaryDirectory() as folder:
        files = []
        for name, content in model_files(replace(model.export, run_id=run_id), about).items():
            path = Path(folder, name)
            path.write_bytes(content)
            os.utime(path, (model.time / 1000, model.time / 1000))
            files.append(File(path))
        yield files


@cache
def _mlflow_version() -> str:
    try:
        return version("mlflow")
    except PackageNotFoundError:
        return UNKNOWN_VERSION
