"""A saved view of MLflow's pages: which columns the table of runs has, and which charts stand first.

Left alone, MLflow 3 shows no metric and no setting, and the charts of eight coefficients before those of the loss. It keeps a
view that somebody shares as a tag of the experiment, and a link names the tag. The tag's format is MLflow's own and may change,
so a view is written if that is possible, and nothing depends on it; `tests/test_browser.py` shows it to the real pages.
"""

import base64
import json
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

__all__ = ["ALL_RUNS", "View", "arrange", "decoded", "encoded", "links", "of_sweep"]

TAG = "mlflow.sharedViewState."
ALL_RUNS_KEY, SWEEP_KEY = "polyexp", "polyexp-sweep-"
SWEEPS_KEPT = 20  # every reader of an experiment reads all of its tags
MAX_SETTINGS = 8  # columns that fit beside the losses
RUNS_PER_CHART = 30  # that a chart draws
LOSS_COLUMNS = ("metrics.`loss/final`", "metrics.`loss/final_excess`", "tags.`polyexp.outcome`")
CHOICE_WIDTHS = {"problem": 85, "model": 130, "loop": 125, "optimizer": 130}
NAME_WIDTH, LOSS_WIDTH, EXCESS_WIDTH, OUTCOME_WIDTH, DATE_WIDTH = 210, 90, 120, 115, 140  # pixels
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
    """A view: its key in links, its name in MLflow, the words before its link, the settings it shows, and of which runs.

    by_loss: the best runs first; otherwise the newest.
    """

    key: str
    name: str
    label: str
    settings: tuple[str, ...]
    search: str = ""
    by_loss: bool = False

    def state(self) -> dict[str, Any]:
        """What MLflow's page is to do, in its own words."""
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


ALL_RUNS = View(ALL_RUNS_KEY, "polyexp: all runs", "Beside other runs", USUAL_SETTINGS)


def of_sweep(sweep: str, varying: Sequence[str]) -> View:
    """The view of one sweep's runs with the settings that vary in it, the best runs first."""
    settings = tuple(varying[:MAX_SETTINGS]) or USUAL_SETTINGS
    search = f'tags.`polyexp.sweep` = "{sweep}"'
    name = f"polyexp: sweep {sweep}"
    return View(f"{SWEEP_KEY}{sweep}", name, "The runs of this sweep", settings, search, by_loss=True)


def arrange(client: Any, ui: str, experiment: Any, view: View) -> list[str]:
    """Save a view in an experiment that has not got it yet, and return lines that lead to it, or say why that failed.

    ui: the address of MLflow's pages. experiment: as read from the store a moment ago, with its tags.
    """
    page = f"{view.label}: {_page(ui, experiment)}"
    try:
        _save(client, experiment, view)
    except Exception as error:
        return [page, f"Its columns and charts could not be arranged: {error}".partition("\n")[0]]
    return [f"{page}&viewStateShareKey={quote(view.key)}"]


def links(client: Any, ui: str) -> list[str]:
    """A line for each experiment that has a view of all runs; none where the store has no such experiment yet."""
    found = client.search_experiments()
    return [
        f"{one.name}: {_page(ui, one)}&viewStateShareKey={ALL_RUNS.key}"
        for one in found
        if TAG + ALL_RUNS.key in one.tags
    ]


def _page(ui: str, experiment: Any) -> str:
    return f"{ui}/#/experiments/{experiment.experiment_id}/runs?workflowType=machine_learning"


def _save(client: Any, experiment: Any, view: View) -> None:
    tags = {key: value for key, value in experiment.tags.items() if key.startswith(TAG + ALL_RUNS_KEY)}
    if not _same(tags.get(TAG + view.key), view):
        client.set_experiment_tag(experiment.experiment_id, TAG + view.key, encoded(view))
        for key in _outdated(tags):
            client.delete_experiment_tag(experiment.experiment_id, key)


def encoded(view: View) -> str:
    """The tag's value, as MLflow's page writes it itself."""
    now = int(time.time() * 1000)
    packed = base64.b64encode(zlib.compress(json.dumps(view.state()).encode())).decode()
    return json.dumps({"name": view.name, "createdAt": now, "updatedAt": now, "state": f"deflate;{packed}"})


def decoded(value: str) -> dict[str, Any]:
    """The state in a tag's value; any exception where it is none."""
    packed = json.loads(value)["state"].removeprefix("deflate;")
    state: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(packed)))
    return state


def _same(value: str | None, view: View) -> bool:
    try:
        return value is not None and decoded(value) == view.state()
    except Exception:  # written by something else; it is replaced
        return False


def _outdated(tags: dict[str, str]) -> list[str]:
    """The sweeps' views that have to go when one more is written, the oldest first."""
    sweeps = sorted((json.loads(value)["createdAt"], key) for key, value in tags.items() if SWEEP_KEY in key)
    return [key for _, key in sweeps[: max(0, len(sweeps) + 1 - SWEEPS_KEPT)]]


def _widths(settings: Sequence[str], *, settings_first: bool) -> dict[str, int]:
    """The columns from left to right, with their widths in pixels; of a sweep, what differs comes right after the loss."""
    loss, excess, outcome = LOSS_COLUMNS
    params = {f"params.`{key}`": _width(key) for key in settings}
    ends = {excess: EXCESS_WIDTH, outcome: OUTCOME_WIDTH}
    middle = params | ends if settings_first else ends | params
    return {
        "attributes.`Run Name`": NAME_WIDTH,
        loss: LOSS_WIDTH,
        **middle,
        "runDateAndNestInfo": DATE_WIDTH,
        "duration": 80,
    }


def _width(key: str) -> int:
    """Room for the name and for what stands below it: a number, or the name of a choice."""
    return max(CHOICE_WIDTHS.get(key, 75), min(7 * len(key) + 30, 190))


def _section() -> dict[str, Any]:
    about = {"uuid": "polyexp", "name": "Losses", "display": True, "isReordered": True, "deleted": False}
    return {**about, "isGenerated": False, "columns": 2, "cardHeight": 360}


def _charts(settings: Sequence[str]) -> list[dict[str, Any]]:
    """Two loss curves on log axes, the final losses as bars, settings against losses, and what differs as a table."""
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
        "xAxisScaleType": "linear",
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
