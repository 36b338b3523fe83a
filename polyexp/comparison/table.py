"""The content of a comparison as columns of text.

Settings and numbers are taken from what a search of runs returns (params and metrics), so that ten thousand runs take little
longer than the search. Coefficients and curves need the files of a run, which are read for the first runs only.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from polyexp.base import SETTINGS, InputError, Value, counted, version
from polyexp.comparison.losses import divisors
from polyexp.report.tables import Column
from polyexp.tracking import FOLDER_TAG, LossCurve, NoFormulaError, RecordedRun, ResultFile

__all__ = ["MAX_DETAILED", "Comparison", "Detail", "compared"]

MAX_DETAILED = 20  # runs whose files are read; a server needs a request for each file
CURVE_POINTS = 400  # of a fitted curve
MISSING = "-"  # the cell of a value that a run does not have
MAX_IDS_IN_TAG = 200  # so that the tag is shorter than the 8000 characters at which MLflow cuts it


@dataclass(frozen=True)
class Detail(Value):
    """A run with the content of its files.

    Args:
        run: The run.
        result: The content of result.json.
        losses: The loss curve in history.csv.
        curve: The points x on the domain and the fitted values there; None where these are not finite, or the model is not
            installed.
    """

    run: RecordedRun
    result: ResultFile
    losses: LossCurve
    curve: tuple[np.ndarray, np.ndarray] | None = None  # shape: (CURVE_POINTS,), (CURVE_POINTS,)

    @classmethod
    def of(cls, run: RecordedRun) -> "Detail":
        """The files of a run.

        Raises:
            InputError: Where a file cannot be read, or is damaged.
        """
        result = run.result()
        return cls(run, result, run.losses(), _curve(run, result))


@dataclass(frozen=True)
class Comparison:
    """A comparison of runs.

    Args:
        runs: The runs in the order in which they are shown.
        details: The first runs with the content of their files.
        left_out: A sentence on each run that was left out because a file of it is damaged.
    """

    runs: Sequence[RecordedRun]
    details: Sequence[Detail]
    left_out: Sequence[str] = ()

    @classmethod
    def of(cls, runs: Sequence[RecordedRun]) -> "Comparison":
        """The comparison of these runs; the files of the first 20 are read, and runs with damaged files are left out.

        Raises:
            InputError: Where no run is left.
        """
        details, damaged = list[Detail](), dict[str, str]()
        for run in runs[:MAX_DETAILED]:
            try:
                details.append(Detail.of(run))
            except InputError as error:
                damaged[run.id] = str(error)
        left = [run for run in runs if run.id not in damaged]
        if not left:
            raise InputError(f"No run is left to compare: {next(iter(damaged.values()))}")
        return cls(left, details, [f"Left out: {sentence}" for sentence in damaged.values()])

    @property
    def title(self) -> str:
        """A title such as `comparison of 3 runs`."""
        return f"comparison of {counted(len(self.runs), 'run')}"

    @property
    def notes(self) -> list[str]:
        """Sentences on how the losses are compared, on what is not shown, and on the runs that were left out."""
        return [*filter(None, [self.unit, self.limited]), *self.left_out]

    @cached_property
    def divisors(self) -> Mapping[str, float]:
        """The number by which the losses of each run are divided, by the id of the run."""
        return divisors(self.runs)

    @property
    def per_sample(self) -> bool:
        """Whether losses are shown per sample, because not all of them have one unit."""
        return set(self.divisors.values()) != {1.0}

    @property
    def unit(self) -> str:
        """A sentence on the unit of the losses where it is not that of the runs; empty where it is."""
        words = "Losses are compared per sample: a sum of squares is divided by its number of samples."
        unknown = sum(map(math.isnan, self.divisors.values()))
        more = f" For {counted(unknown, 'run')} that is not recorded, so that no loss is shown." if unknown else ""
        return words + more if self.per_sample else ""

    @property
    def ids(self) -> Column:
        """The column of the ids, as many characters of them as have to be typed."""
        return Column("run", [run.label for run in self.runs])

    @property
    def columns(self) -> list[Column]:
        """The columns of the numbers, of the settings that differ, and of the names, which contain these settings."""
        return [*self.numbers, *self.settings, Column("name", [run.name for run in self.runs])]

    @cached_property
    def settings(self) -> list[Column]:
        """The columns of the settings in which the runs differ, with a dash where a run does not have the setting.

        Settings that follow from the choice of a group are left out, as `problem.domain` where each problem has one domain.
        """
        every = dict(_settings(self.runs))
        shown = {key: cells for key, cells in every.items() if _differ(cells)}
        return [Column(key, cells) for key, cells in shown.items() if not _follows(cells, shown.get(_group(key)))]

    @cached_property
    def numbers(self) -> list[Column]:
        """The columns of the outcome and of the final numbers."""
        per = " per sample" if self.per_sample else ""
        losses = [self._losses(f"{name}{per}", key) for name, key in LOSSES.items()]
        others = [Column(head, [show(run) for run in self.runs], True) for head, show in NUMBERS.items()]
        return [Column("outcome", [run.outcome or MISSING for run in self.runs]), *losses, *others]

    def _losses(self, head: str, key: str) -> Column:
        values = [run.metrics.get(key, math.nan) / self.divisors[run.id] for run in self.runs]
        return Column(head, [MISSING if math.isnan(value) else f"{value:.6g}" for value in values], True)

    @cached_property
    def polynomials(self) -> Column:
        """The ids of those of the first runs, whose files were read, whose models are polynomials."""
        return Column("run", [detail.run.label for detail in self.details if detail.result.power_series is not None])

    @cached_property
    def coefficients(self) -> list[Column]:
        """The columns of the power series of `polynomials`; none where no run has a polynomial."""
        series = (detail.result.power_series for detail in self.details)
        rows = [row for row in series if row is not None]
        powers = max(map(len, rows), default=0)
        return [Column(f"x^{k}", [_coefficient(row, k) for row in rows], True) for k in range(powers)]

    @property
    def limited(self) -> str:
        """A sentence on the runs whose files were not read; empty where all were."""
        if len(self.details) == len(self.runs):
            return ""
        shown = "Coefficients and curves" if self.coefficients else "Curves"
        return f"{shown} are shown for the first {len(self.details)} of {len(self.runs)} runs."

    def tags(self, folder: Path) -> dict[str, str]:
        """The tags with which the comparison is recorded; `folder` is that of its job."""
        ids = [run.id for run in self.runs]
        return {
            **version.tags(),
            "polyexp.compared": " ".join(ids[:MAX_IDS_IN_TAG]) + (" ..." if len(ids) > MAX_IDS_IN_TAG else ""),
            FOLDER_TAG: str(folder),
        }


def compared(runs: list[RecordedRun], key: str, where: str = "") -> list[RecordedRun]:
    """The given runs, which are at least two.

    Args:
        runs: The runs.
        key: The setting that selected them.
        where: A phrase that says where they were sought.

    Raises:
        InputError: About `key`, where there are fewer than two.
    """
    if len(runs) < 2:
        raise InputError(f"`{key}` must select at least two runs with results to compare, got {len(runs)}{where}.")
    return runs


def _curve(run: RecordedRun, result: ResultFile) -> tuple[np.ndarray, np.ndarray] | None:
    try:
        model, params, domain = run.fitted(result)
    except NoFormulaError:
        return None
    with np.errstate(all="ignore"):
        x = np.linspace(*domain, CURVE_POINTS)
        y = model(params, x)
    return (x, y) if np.isfinite([x, y]).all() else None


def _settings(runs: Sequence[RecordedRun]) -> Iterator[tuple[str, list[str]]]:
    """Each setting that a run has, with the cells of all runs, in the order of the groups."""
    keys = dict.fromkeys(key for run in runs for key in run.params)
    own = [key for key in keys if key.partition(".")[0] in (*SETTINGS, "seed")]
    rank = {group: number for number, group in enumerate((*SETTINGS, "seed"))}
    for key in sorted(own, key=lambda key: (rank[key.partition(".")[0]], "." in key)):
        yield key, [run.params.get(key, MISSING) for run in runs]


def _differ(cells: Sequence[str]) -> bool:
    """Whether the cells differ; null counts as equal to a setting that a run does not have."""
    return len({MISSING if cell == "null" else cell for cell in cells}) > 1


def _group(key: str) -> str:
    """The group of a key, such as `problem` of `problem.domain`; empty for a group itself."""
    group, dot, _ = key.partition(".")
    return group if dot else ""


def _follows(cells: Sequence[str], choices: Sequence[str] | None) -> bool:
    """Whether a setting has only one value for each choice of its group, so that the choice determines it."""
    return choices is not None and len(set(zip(choices, cells, strict=True))) == len(set(choices))


def _metric(name: str, form: str = ".6g") -> Callable[[RecordedRun], str]:
    """The function that gives the cell of a metric."""

    def show(run: RecordedRun) -> str:
        value = run.metrics.get(name)
        return MISSING if value is None else f"{value:{form}}"

    return show


def _seconds(run: RecordedRun) -> str:
    """The time of the loop of a run, in seconds.

    It cannot be computed where the run diverged, as such a run has taken more steps than are recorded.
    """
    steps, pace = run.metrics.get("optimizer/steps"), run.metrics.get("optimizer/steps_per_second")
    return f"{steps / pace:.3g}" if steps and pace and run.outcome != "DIVERGED" else MISSING


def _coefficient(row: Sequence[float | None], k: int) -> str:
    value = row[k] if k < len(row) else None
    return MISSING if value is None else f"{value:.6g}"


LOSSES = {"final loss": "loss/final", "excess loss": "loss/final_excess"}  # the heads of columns, and the metrics
# The heads of the columns of numbers, and the functions that give their cells.
NUMBERS: Mapping[str, Callable[[RecordedRun], str]] = {
    "max error": _metric("loss/max_error"),
    "steps": _metric("optimizer/steps", ".0f"),
    "seconds": _seconds,
}
