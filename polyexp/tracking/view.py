"""Saved views of MLflow's pages: the columns of the table of runs, and the order of the charts.

Without a saved view MLflow 3 shows no metric and no setting, and the charts of eight parameters before those of the loss. It
stores a view that a user shares as a tag of the MLflow experiment, and a link names the tag. The format of the tag is not
documented and may change; therefore nothing depends on a view that cannot be saved. `tests/test_browser.py` opens views in the
pages of MLflow.
"""

import base64
import json
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

from polyexp.tracking.entry import MLflowExperiment

__all__ = ["ALL_RUNS", "View", "decoded", "encoded", "link", "links", "of_sweep", "save"]

TAG = "mlflow.sharedViewState."  # MLflow's prefix of the tag of a view; the key of the view follows
ALL_RUNS_KEY, SWEEP_KEY = "polyexp", "polyexp-sweep-"
SWEEPS_KEPT = 20  # views of sweeps in an MLflow experiment, all of whose tags are read with it
MAX_SETTING_COLUMNS = 8  # as many as fit beside the losses
RUNS_PER_CHART = 30  # that a chart draws at most
LOSS_COLUMNS = ("metrics.`loss/final`", "metrics.`loss/final_excess`", "tags.`polyexp.outcome`")
# The widths of columns, in pixels.
CHOICE_WIDTHS = {"problem": 85, "model": 130, "loop": 125, "optimizer": 130}
NAME_WIDTH, LOSS_WIDTH, EXCESS_WIDTH, OUTCOME_WIDTH, DATE_WIDTH, DURATION_WIDTH = 210, 90, 120, 115, 140, 80
MIN_SETTING_WIDTH, MAX_SETTING_WIDTH = 75, 190
CHARACTER_WIDTH, PADDING_WIDTH = 7, 30  # of a column's head
USUAL_SETTINGS = (
    "problem",
    "model",
    "model.degree",
    "loop",
    "optimizer",
    "optimizer.learning_rate",
    "loop.steps",
    "backend",
    "problem.noise",
    "seed",
)


@dataclass(frozen=True)
class View:
    """A saved view.

    Args:
        key: The key of the view in links.
        name: The name of the view in MLflow.
        label: The words before its link.
        settings: The keys of the settings that have a column.
        search: The MLflow filter of the runs that are shown; empty for all.
        by_loss: Whether the runs are in the order of their loss; otherwise the newest come first.
    """

    key: str
    name: str
    label: str
    settings: tuple[str, ...]
    search: str = ""
    by_loss: bool = False

    def state(self) -> dict[str, Any]:
        """The state of the page that shows the view, in the form that MLflow stores."""
        widths = _widths(self.settings, settings_first=self.by_loss)
        return {
            "searchFilter": self.search,
            "orderByKey": LOSS_COLUMNS[0] if self.by_loss else "attributes.start_time",
            "orderByAsc": self.by_loss,
            "startTime": "ALL",
            "lifecycleFilter": "Active",
            "datasetsFilter": [],
            "modelVersionFilter": "All Runs",
            "selectedColumns": [column for column in widths if column.endswith("`") and "Run Name" not in column],
            "columnOrder": list(widths),
            "columnWidths": widths,
            "runsHiddenMode": "SHOW_ALL" if self.by_loss else "FIRST_20_RUNS",
            "viewMaximized": False,
            "runListHidden": False,
            "isAccordionReordered": True,
            "useGroupedValuesInCharts": True,
            "hideEmptyCharts": True,
            "groupBy": None,
            "groupsExpanded": {},
            "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
            "compareRunSections": [_section()],
            "compareRunCharts": _charts(self.settings),
        }


ALL_RUNS = View(ALL_RUNS_KEY, "polyexp: all runs", "All runs side by side", USUAL_SETTINGS)


def of_sweep(sweep: str, varying: Sequence[str]) -> View:
    """The view of the runs of one sweep, the best runs first.

    Args:
        sweep: The name of the sweep.
        varying: The keys of the settings that are not the same in all runs.
    """
    settings = tuple(varying[:MAX_SETTING_COLUMNS]) or USUAL_SETTINGS
    search = f'tags.`polyexp.sweep` = "{sweep}"'
    name = f"polyexp: sweep {sweep}"
    return View(f"{SWEEP_KEY}{sweep}", name, "The runs of this sweep", settings, search, by_loss=True)


def view_of(arguments: Mapping[str, Any]) -> View:
    """The view that the header of a journal names.

    Args:
        arguments: Those of `of_sweep`, or none for the view of all runs.
    """
    if not arguments:
        return ALL_RUNS
    return of_sweep(str(arguments.get("sweep", "")), [str(key) for key in arguments.get("varying", ())])


class TagWriter(Protocol):
    """What sets the tags of an MLflow experiment, as every Writer does."""

    def set_experiment_tag(self, experiment_id: str, name: str, value: str | None) -> None:
        """Set a tag, or delete it where the value is None."""


def save(writer: TagWriter, experiment: MLflowExperiment, view: View) -> None:
    """Save a view in an MLflow experiment that does not have it yet.

    Args:
        writer: What writes to the store. Any exception that it raises is raised here.
        experiment: The MLflow experiment with its tags, as it has just been read from the store.
        view: The view.
    """
    tags = {key: value for key, value in experiment.tags.items() if key.startswith(TAG + ALL_RUNS_KEY)}
    if not _same(tags.get(TAG + view.key), view):
        writer.set_experiment_tag(experiment.id, TAG + view.key, encoded(view))
        for key in _outdated(tags):
            writer.set_experiment_tag(experiment.id, key, None)


def link(ui: str, experiment_id: str, view: View) -> str:
    """A line with the link to a saved view.

    Args:
        ui: The address of the pages of MLflow.
        experiment_id: The id of the MLflow experiment.
        view: The view.
    """
    return f"{view.label}: {_page(ui, experiment_id)}&viewStateShareKey={quote(view.key)}"


def links(client: Any, ui: str) -> list[str]:
    """A line with a link for each MLflow experiment that has a view of all runs; `ui` is the address of the pages."""
    found = client.search_experiments()
    return [
        f"{one.name}: {_page(ui, one.experiment_id)}&viewStateShareKey={ALL_RUNS.key}"
        for one in found
        if TAG + ALL_RUNS.key in one.tags
    ]


def _page(ui: str, experiment_id: str) -> str:
    return f"{ui}/#/experiments/{experiment_id}/runs?workflowType=machine_learning"


def encoded(view: View) -> str:
    """The value of the tag of a view, as MLflow itself writes it."""
    now = int(time.time() * 1000)
    packed = base64.b64encode(zlib.compress(json.dumps(view.state()).encode())).decode()
    return json.dumps({"name": view.name, "createdAt": now, "updatedAt": now, "state": f"deflate;{packed}"})


def decoded(value: str) -> dict[str, Any]:
    """The state in the value of a tag; any exception may be raised where the value is of another form."""
    packed = json.loads(value)["state"].removeprefix("deflate;")
    state: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(packed)))
    return state


def _same(value: str | None, view: View) -> bool:
    try:
        return value is not None and decoded(value) == view.state()
    except Exception:  # the tag has another form, and is replaced
        return False


def _outdated(tags: dict[str, str]) -> list[str]:
    """The tags of the oldest views of sweeps, which are deleted when one more is saved."""
    sweeps = sorted((json.loads(value)["createdAt"], key) for key, value in tags.items() if SWEEP_KEY in key)
    return [key for _, key in sweeps[: max(0, len(sweeps) + 1 - SWEEPS_KEPT)]]


def _widths(settings: Sequence[str], *, settings_first: bool) -> dict[str, int]:
    """The columns from left to right, with their widths in pixels; `settings_first` puts settings next to the loss."""
    loss, excess, outcome = LOSS_COLUMNS
    params = {f"params.`{key}`": _width(key) for key in settings}
    ends = {excess: EXCESS_WIDTH, outcome: OUTCOME_WIDTH}
    middle = params | ends if settings_first else ends | params
    return {
        "attributes.`Run Name`": NAME_WIDTH,
        loss: LOSS_WIDTH,
        **middle,
        "runDateAndNestInfo": DATE_WIDTH,
        "duration": DURATION_WIDTH,
    }


def _width(key: str) -> int:
    """The width for the key of a setting and for its values, numbers or names of choices."""
    return max(
        CHOICE_WIDTHS.get(key, MIN_SETTING_WIDTH), min(CHARACTER_WIDTH * len(key) + PADDING_WIDTH, MAX_SETTING_WIDTH)
    )


def _section() -> dict[str, Any]:
    about = {"uuid": "polyexp", "name": "Losses", "display": True, "isReordered": True, "deleted": False}
    return {**about, "isGenerated": False, "columns": 2, "cardHeight": 360}


def _charts(settings: Sequence[str]) -> list[dict[str, Any]]:
    """The charts: two loss curves, bars of the final losses, parallel coordinates and a table of the differences."""
    final = "loss/log10_final"
    choices = {"selectedParams": list(settings), "selectedMetrics": [final], "showAllRuns": True}
    table = {"compareGroups": ["Parameters", "Model metrics"], "chartName": "What differs", "showDifferencesOnly": True}
    return [
        _chart("LINE", "loss/train", **_line("loss/train")),
        _chart("LINE", "loss/excess", **_line("loss/excess")),
        _chart("BAR", final),
        _chart("PARALLEL", None, **choices),
        _chart("DIFFERENCE", None, **table, showChangeFromBaseline=False, baselineColumnUuid=""),
    ]


def _chart(kind: str, metric: str | None, **more: Any) -> dict[str, Any]:
    name = f"polyexp-{kind}-{metric}"
    common = {"uuid": name, "type": kind, "metricSectionId": "polyexp", "deleted": False, "isGenerated": False}
    return {**common, "runsCountToCompare": RUNS_PER_CHART, **({"metricKey": metric} if metric else {}), **more}


def _line(metric: str) -> dict[str, Any]:
    return {
        "selectedMetricKeys": [metric],
        "scaleType": "log",
        "xAxisScaleType": "log",  # from 1, the step of the first snapshot, which shows what falls early and runs of any length
        "xAxisKey": "step",
        "selectedXAxisMetricKey": "",
        "yAxisKey": "metric",
        "yAxisExpressions": [],
        "range": {},
        "lineSmoothness": 0,
        "ignoreOutliers": False,
        "useGlobalXaxisKey": True,
        "useGlobalLineSmoothing": True,
    }
