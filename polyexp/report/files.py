"""The files of a run's own folder.

The numbers in them are exact: each is the shortest text that gives the same float64 when it is read.
"""

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from polyexp.base import replaced, save_text
from polyexp.exact import Forecast, hessian_eigenvalues
from polyexp.fitting import History, Result
from polyexp.report.sentences import headline

__all__ = ["write"]

ROWS_AT_ONCE = 10_000  # of history.csv, since numbers need more memory as Python objects than in the arrays


def write(
    folder: Path,
    result: Result,
    forecast: Forecast | None,
    settings: Mapping[str, Any],
    config_yaml: str,
    **more: Any,
) -> list[Path]:
    """Write result.json, history.csv and config.yaml, and return their paths.

    Args:
        folder: The folder of the run, which is made if need be.
        result: The result of a single fit.
        forecast: The forecast of the same fit; None where there is none.
        settings: The settings of the run by their keys, as `Experiment.settings` gives them.
        config_yaml: The text of config.yaml.
        **more: Further entries of result.json.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / name for name in ("result.json", "history.csv", "config.yaml")]
    content = as_json(result, forecast, settings) | more
    save_text(files[0], json.dumps(content, indent=2, allow_nan=False) + "\n")
    _write_history(files[1], result.history, result.model.param_names)
    save_text(files[2], config_yaml)
    return files


def as_json(result: Result, forecast: Forecast | None, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The content of result.json for a single fit.

    None (null) stands for a number that is not finite, and for the power series of a model that is not a polynomial.
    """
    series = result.power_series
    return {
        "outcome": result.outcome.name,
        "steps": int(result.steps),
        "loss": _number(result.loss),
        "excess_loss": _number(np.nan if result.excess is None else result.excess),
        ("best_loss" if forecast and forecast.exact else "lower_bound"): _number_or_none(
            forecast.lowest if forecast else None
        ),
        "predicted_loss": _number_or_none(forecast.final_loss if forecast else None),
        "max_error": _number(result.max_error),
        "parameters": {name: _number(value) for name, value in result.parameters.items()},
        "power_series": None if series is None else [_number(value) for value in series],
        "formula": headline(result),
        "samples": {
            "total": result.samples.total,
            "used": result.samples.size,
            "floor": result.samples.floor,
            "domain": list(result.samples.domain),
        },
        "learning_rate": {
            "used": _number(result.optimizer.learning_rate),
            "max_stable": forecast and forecast.limit,
            "best": forecast and forecast.best_rate,
        },
        "momentum": getattr(result.optimizer, "momentum", None),
        "steps_of_slowest_mode": forecast and forecast.slowest,
        "hessian_eigenvalues": {
            "initial": [_number(value) for value in forecast.eigenvalues] if forecast else None,
            "final": [_number(value) for value in final_eigenvalues(result)] if forecast else None,
        },
        "seconds": result.seconds,
        "computed_by": result.computed_by,
        "config": dict(settings),
    }


def final_eigenvalues(result: Result) -> np.ndarray:  # shape: (K,)
    """The eigenvalues of the Hessian at the final parameters, in descending order."""
    if result.quadratic:
        return result.quadratic.eigenvalues
    with np.errstate(all="ignore"):
        return hessian_eigenvalues(result.model, result.samples, result.params)


def _number(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def _number_or_none(value: float | None) -> float | None:
    return None if value is None else _number(value)


def _write_history(path: Path, history: History, names: tuple[str, ...]) -> None:
    with replaced(path) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["step", "loss", "excess", "grad_norm", *names])
        for start in range(0, history.step.size, ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            numbers = (history.loss, history.excess, history.grad_norm, history.params)
            rows = np.column_stack([one[part] for one in numbers]).tolist()
            writer.writerows([step, *row] for step, row in zip(history.step[part].tolist(), rows, strict=True))
