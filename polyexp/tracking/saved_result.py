"""A result in a folder: written, so that it can be made again with the same bits.

`result.json` holds what readers want and the settings of model and optimizer; `result.npz` holds every number as float64,
int64 or text, without pickles. The first has the format number and the SHA-256 of the second, and is written last, so that a
save that was interrupted is noticed. A recorded run has the same `result.json`, but no `result.npz` unless it was recorded from
Python; what makes its result again is in `loaded_result.py`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from polyexp.base import Component, InputError, path_errors, require, require_path, save_bytes, save_text, shown
from polyexp.fitting import Result, forecast_of, store_arrays
from polyexp.problem import TARGETS
from polyexp.tracking.ownership import JOURNAL, RESULT, taken

__all__ = [
    "ARRAYS",
    "FOLDER",
    "FORMAT",
    "SAVED_NUMBERS",
    "archive_of",
    "identity_entries",
    "require_storable",
    "save_result",
    "settings_of",
]

ARRAYS = "result.npz"
FOLDER = "the path of a folder that can be written"
FORMAT = 1  # of the files; it is raised when they change
SAVED_NUMBERS = ("loss", "excess", "max_error", "steps")  # of each run


def save_result(result: Result, folder: Any) -> Path:
    """Save a result, as `Result.save` says, and return the path of its folder.

    Args:
        result: The result of one fit or of a batch.
        folder: The folder.
    """
    place = require_path("folder", folder, FOLDER)
    for one in (result.model, result.optimizer):
        require_storable(one)
    with path_errors("folder", place, FOLDER):
        _write(result, place)
    return place


def _write(result: Result, place: Path) -> None:
    from polyexp.report import write  # which imports rich

    _require_free(place)
    place.mkdir(parents=True, exist_ok=True)
    archive, settings = archive_of(result), settings_of(result)
    save_bytes(place / ARRAYS, archive)
    if result.runs:
        save_text(
            place / RESULT, json.dumps(_batch_as_json(result, settings) | identity_entries(archive), indent=2) + "\n"
        )
    else:
        config = json.dumps(settings, indent=2) + "\n"
        write(place, result, forecast_of(result), settings, config, **identity_entries(archive))


def archive_of(result: Result) -> bytes:
    """The content of result.npz: the numbers of a result, of its samples and of its history.

    Args:
        result: The result of one fit or of a batch.
    """
    samples, history = result.samples, result.history
    arrays: dict[str, Any] = {name: getattr(result, name) for name in ("initial", "params", *SAVED_NUMBERS)}
    numbers = ("x", "y", "weights", "domain", "floor", "floor_scatter")
    arrays |= {f"samples.{name}": np.asarray(getattr(samples, name), float) for name in numbers}
    arrays |= {f"samples.{name}": getattr(samples, name) for name in ("total", "name", "note")}
    arrays |= {f"history.{one.name}": getattr(history, one.name) for one in fields(history)}
    names = [one.name for one in np.ravel(np.array(result.outcome, object))]
    arrays["outcome"] = np.array(names, str).reshape(result.runs) if names else np.empty(result.runs, "<U1")
    plain = {name: _plain(array) for name, array in arrays.items() if array is not None}
    stream = BytesIO()
    store_arrays(stream, plain)
    return stream.getvalue()


def identity_entries(archive: bytes) -> dict[str, Any]:
    """The entries of result.json that say of what format it is, and which result.npz belongs to it.

    Args:
        archive: The content of result.npz.
    """
    return {"format": FORMAT, "arrays": hashlib.sha256(archive).hexdigest()}


def settings_of(result: Result, *others: Component) -> dict[str, Any]:
    """The settings that are known of a result by their keys on the command line, as values of JSON.

    Args:
        result: The result.
        *others: Other components than its model and its optimizer.
    """
    samples = result.samples
    settings: dict[str, Any] = {"problem": samples.name.strip() or "samples"}
    if samples.target is not None and TARGETS.get(samples.target.name) == samples.target:
        settings["problem.target"] = samples.target.name
    for one in (result.model, result.optimizer, *others):
        settings[one.group] = one.choice
        settings |= {one.key(field.name): _as_json(getattr(one, field.name)) for field in fields(one) if field.init}
    return settings


def require_storable(component: Component) -> None:
    """Require a component that is found again by its name and its settings.

    Args:
        component: The component.

    Raises:
        InputError: Its class has no registered name, or a setting is none that JSON holds.
    """
    registered = Component.registry.get((component.group, component.choice))
    base = type(component).__mro__[1].__name__
    wanted = f"of a class that is registered by a name, such as `class Mine({base}, name='mine')`"
    require(registered is type(component), component.group, wanted, type(component).__name__)
    for one in fields(component):
        value = _as_json(getattr(component, one.name))
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            raise InputError(f"`{component.key(one.name)}` cannot be saved, got {shown(value)}.") from None


def _batch_as_json(result: Result, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The content of result.json for a batch: the numbers of each run as lists, for readers."""
    outcomes = np.array([one.name for one in result.outcome.flat], object).reshape(result.runs)
    return {
        "runs": list(result.runs),
        "outcome": outcomes.tolist(),
        "steps": result.steps.tolist(),
        "loss": _or_null(result.loss),
        "excess_loss": None if result.excess is None else _or_null(result.excess),
        "max_error": _or_null(result.max_error),
        "parameters": {name: _or_null(values) for name, values in result.parameters.items()},
        "samples": {"total": result.samples.total, "used": result.samples.size, "domain": list(result.samples.domain)},
        "seconds": result.seconds,
        "computed_by": result.computed_by,
        "config": dict(settings),
    }


def _or_null(values: np.ndarray) -> Any:
    """The numbers as lists, with null for those that are not finite."""
    return np.where(np.isfinite(values), values.astype(object), np.array(None)).tolist()


def _require_free(folder: Path) -> None:
    """Require that a folder belongs to no recorded run, nor to anything else that is called as the files of a result."""
    saved = (folder / ARRAYS).exists()
    if (folder / JOURNAL).exists() or ((folder / RESULT).exists() and not saved):
        raise taken("folder", folder)


def _plain(value: Any) -> np.ndarray:
    """An array of a dtype that archives hold, in the order of C."""
    array = np.asarray(value)
    kind = {"f": "<f8", "i": "<i8", "u": "<i8"}.get(array.dtype.kind, array.dtype.str)
    return np.asarray(array, dtype=kind, order="C")


def _as_json(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [_as_json(one) for one in value]
    return value
