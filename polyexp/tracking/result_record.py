"""Recording the result of a fit that was made in Python, as the command line records its runs."""

import json
import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polyexp.base import InputError, path_errors, require, require_path, require_text, save_bytes, spell, version
from polyexp.exact import Forecast, forecast
from polyexp.fitting import Outcome, Result
from polyexp.loop import Loop, Manual
from polyexp.tracking.dataset import dataset_of
from polyexp.tracking.entry import FOLDER_TAG, MAX_NAME_CHARACTERS, NO_MODEL_TAG, OUTCOME_TAG
from polyexp.tracking.environment import environment_tags
from polyexp.tracking.journal import Journal
from polyexp.tracking.logged_model import model_data, why_none
from polyexp.tracking.mlflow import MLflow
from polyexp.tracking.ownership import require_no_run
from polyexp.tracking.saved_result import ARRAYS, FOLDER, archive_of, identity_entries, require_storable, settings_of
from polyexp.tracking.tracker import RunInfo, Tracker, derived_params, final_metrics

__all__ = ["record", "write_result"]


def record(
    result: Result, folder: str | Path, *, name: str = "", loop: Loop | None = None, tracking: Tracker | None = None
) -> list[str]:
    """Write the files and the journal of a result into a folder, have it recorded, and return lines on where it is.

    `load_result` makes the result again from the folder. What could not be delivered is told by a warning, and
    `python -m polyexp action=sync` delivers it later.

    Args:
        result: The result of a single fit.
        folder: The folder, which is made if need be, and belongs to no other run.
        name: The name of the run; by default that of the model and of the samples.
        loop: The loop of the fit, whose settings are recorded, too; by default only its steps are known.
        tracking: Where it is recorded; by default as `tracking=mlflow` does, `NoTracking()` leaves it in the folder.

    Raises:
        InputError: The result is that of a batch, the name is too long, the folder belongs to a run or cannot be
            made, the store cannot be used, or an argument is of the wrong kind.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> import polyexp as p
        >>> samples = p.Samples.of([-1, 0, 1], [1, 0, 1])
        >>> result = p.fit(samples, p.PowerSeries(degree=2), backend=p.NumPy())
        >>> with TemporaryDirectory() as folder:
        ...     p.record(result, folder, tracking=p.NoTracking())
        ...     sorted(file.name for file in Path(folder).iterdir())
        []
        ['config.yaml', 'history.csv', 'journal.jsonl', 'result.json', 'result.npz']
    """
    from polyexp.report import write  # which imports rich

    _require_kinds(result, name, loop, tracking)
    given, tracker = require_path("folder", folder, FOLDER), tracking or MLflow()
    place = given.absolute()
    with path_errors("folder", given, FOLDER):
        require_no_run("folder", place)
    tracker.check()
    with path_errors("folder", given, FOLDER):
        place.mkdir(parents=True, exist_ok=True)
    one = loop or Manual(steps=max(1, int(result.history.step[-1])))
    predicted = forecast(result.model, one, result.optimizer, result.samples, result.initial)
    settings = settings_of(result, *([one] if loop else []))
    archive = _archive(result)
    about = RunInfo(
        name=name.strip() or f"{result.model.choice} {result.samples.name}",
        params={key: spell(value) for key, value in settings.items()},
        param_names=result.model.param_names,
        tags={**version.tags(), **environment_tags(result.computed_by), FOLDER_TAG: str(place)},
        snapshots=result.history.step.size,
        lower_bound=math.nan if predicted.exact else predicted.lowest or 0.0,
    )
    with path_errors("folder", given, FOLDER), Journal(place, tracker.header(about)) as journal:
        for snapshot in result.history.snapshots(one.is_early):
            journal.snapshot(snapshot)
        config = json.dumps(settings, indent=2, default=str) + "\n"
        if archive:
            save_bytes(place / ARRAYS, archive)
        files = write(place, result, predicted, settings, config, **(identity_entries(archive) if archive else {}))
        model = model_data(result, settings) if tracker.records_model(in_sweep=False) else None
        write_result(journal, result, predicted, [*files, *([place / ARRAYS] if archive else [])], model)
    tracker.begin(place)
    delivered = tracker.delivered([place])
    if delivered.warning:
        warnings.warn(delivered.warning, stacklevel=2)
    return list(delivered.lines)


def _require_kinds(result: Any, name: Any, loop: Any, tracking: Any) -> None:
    require(isinstance(result, Result), "result", "the result of a fit", result)
    require(not result.runs, "result", "that of a single fit, such as result[0]", f"one of shape {result.runs}")
    if not isinstance(name, str) or name.strip():
        wanted = f"a text of at most {MAX_NAME_CHARACTERS} characters"
        require(len(require_text("name", name, wanted)) <= MAX_NAME_CHARACTERS, "name", wanted, name)
    require(loop is None or isinstance(loop, Loop), "loop", "the loop of the fit, such as `Manual()`", loop)
    wanted = "a tracker, such as `MLflow()` or `NoTracking()`"
    require(tracking is None or isinstance(tracking, Tracker), "tracking", wanted, tracking)


def write_result(
    journal: Journal,
    result: Result,
    predicted: Forecast,
    files: list[Path],
    model: Mapping[str, Any] | None = None,
) -> None:
    """Append to a journal what is recorded of a result, for a job of a sweep without suggestions.

    Args:
        journal: The journal of the run.
        result: The result of a single run.
        predicted: The forecast of the run.
        files: The files of its folder that become its artifacts, which are complete.
        model: Its MLflow model, or why it has none, as `model_data` gives it; None where none is recorded.
    """
    from polyexp.report import description

    samples = result.samples
    text = description(result, predicted, suggests=not journal.header.parent)
    journal.result(
        # A metric has one value at each step, and a run that goes on has its final ones at its end.
        {} if result.outcome is Outcome.INTERRUPTED else final_metrics(result, predicted),
        derived_params(result, predicted),
        {OUTCOME_TAG: result.outcome.name, "mlflow.note.content": text, **_no_model(model)},
        dataset_of(f"{samples.name}_{samples.total}", samples.x, samples.y),
        model,
    )
    journal.files([file.name for file in files])


def _archive(result: Result) -> bytes | None:
    """The content of result.npz; None where the model or the optimizer is not one that is found again by its name."""
    try:
        require_storable(result.model)
        require_storable(result.optimizer)
    except InputError:
        return None
    return archive_of(result)


def _no_model(model: Mapping[str, Any] | None) -> dict[str, str]:
    """The tag that says why a run has no model, if it has none."""
    reason = why_none(model)
    return {NO_MODEL_TAG: reason} if reason else {}
