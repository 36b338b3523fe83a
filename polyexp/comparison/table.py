"""What a comparison shows, as columns of text.

Settings and numbers come from what a search returns (params and metrics), so that ten thousand runs cost little more than
finding them. Files of runs are read for the first few only; these have their coefficients shown and their curves drawn.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from polyexp.base import SETTINGS, InputError, version
from polyexp.tracking import RecordedRun, fitted

__all__ = ["MAX_DETAILED", "Column", "Comparison", "Detail", "best_first", "compared"]

MAX_DETAILED = 20  # runs whose files are read
CURVE_POINTS = 400  # of a curve
MISSING = "-"
MAX_IDS = 200  # in a tag, which MLflow cuts at 8000 letters


@dataclass(frozen=True)
class Column:
    """A head and one cell a run."""

    head: str
    cells: Sequence[str]
    numeric: bool = False


@dataclass(frozen=True)
class Detail:
    """What the files of a run say."""

    run: RecordedRun
    result: Mapping[str, Any]
    history: Mapping[str, np.ndarray]

    @cached_property
    def curve(self) -> tuple[np.ndarray, np.ndarray] | None:  # shape: (CURVE_POINTS,), (CURVE_POINTS,)
        """x and the fitted values on the domain; None for a run that has no finite curve."""
        try:
            model, params, domain = fitted(self.result)
        except InputError:
            return None
        x = np.linspace(*domain, CURVE_POINTS)
        with np.errstate(all="ignore"):
            y = model(params, x)
        return (x, y) if np.isfinite(y).all() else None


@dataclass(frozen=True)
class Comparison:
    """At least two runs, in the order in which they are shown, and what the files of the first ones say."""

    runs: Sequence[RecordedRun]
    details: Sequence[Detail]

    @classmethod
    def of(cls, runs: Sequence[RecordedRun]) -> "Comparison":
        """Read the files of the first runs."""
        return cls(runs, [Detail(run, run.result(), run.history()) for run in runs[:MAX_DETAILED]])

    @property
    def title(self) -> str:
        """`comparison of 3 runs`"""
        return f"comparison of {len(self.runs)} runs"

    @property
    def ids(self) -> Column:
        """The runs' ids, as far as they have to be typed."""
        return Column("run", [run.label for run in self.runs])

    @property
    def columns(self) -> list[Column]:
        """How the runs ended, in what they differ, and last their names, which repeat that in words."""
        return [*self.numbers, *self.settings, Column("name", [run.name for run in self.runs])]

    @property
    def legend(self) -> list[str]:
        """What tells a run from the others, in few letters: its id and the values of the settings that differ."""
        rows = zip(*(column.cells for column in self.settings), strict=True)
        values = [", ".join(cell for cell in row if cell != MISSING) for row in rows] or [run.name for run in self.runs]
        return [f"{run.label} {words}" for run, words in zip(self.runs, values, strict=True)]

    @cached_property
    def settings(self) -> list[Column]:
        """The settings in which the runs differ, without those that follow from a group's choice, as its domain does from
        `problem`; a dash stands for one that a run does not have.
        """
        every = dict(_settings(self.runs))
        shown = {key: cells for key, cells in every.items() if _differ(cells)}
        return [Column(key, cells) for key, cells in shown.items() if not _follows(cells, shown.get(_group(key)))]

    @cached_property
    def numbers(self) -> list[Column]:
        """How the runs ended."""
        outcome = Column("outcome", [run.outcome or MISSING for run in self.runs])
        return [outcome, *(Column(head, [show(run) for run in self.runs], True) for head, show in NUMBERS.items())]

    @cached_property
    def coefficients(self) -> list[Column]:
        """The power series of the first runs, whose files were read."""
        rows = [detail.result["power_series"] for detail in self.details]
        powers = max(map(len, rows), default=0)
        return [Column(f"x^{k}", [_coefficient(row, k) for row in rows], True) for k in range(powers)]

    @property
    def limited(self) -> str:
        """What is said where not all runs are shown in full; empty where they are."""
        if len(self.details) == len(self.runs):
            return ""
        return f"Coefficients and curves are those of the first {len(self.details)} of {len(self.runs)} runs."

    def tags(self, folder: Path) -> dict[str, str]:
        """The tags of the comparison's own record."""
        ids = [run.id for run in self.runs]
        return {
            **version.tags(),
            "polyexp.compared": " ".join(ids[:MAX_IDS]) + (" ..." if len(ids) > MAX_IDS else ""),
            "polyexp.output_folder": str(folder),
        }


def compared(runs: list[RecordedRun], key: str, where: str = "") -> list[RecordedRun]:
    """These runs. InputError, about `key`, where there are not two."""
    if len(runs) < 2:
        raise InputError(f"`{key}` must give at least two runs with results to compare, got {len(runs)}{where}.")
    return runs


def best_first(runs: Sequence[RecordedRun]) -> list[RecordedRun]:
    """The runs by their final loss; those that diverged, or have none, come last."""
    return sorted(runs, key=lambda run: (run.outcome == "DIVERGED", run.metrics.get("loss/final", math.inf)))


def _settings(runs: Sequence[RecordedRun]) -> Iterator[tuple[str, list[str]]]:
    """Each setting that some run has, in the order of the command line, with a cell a run."""
    keys = dict.fromkeys(key for run in runs for key in run.params)
    own = [key for key in keys if key.partition(".")[0] in (*SETTINGS, "seed")]
    rank = {group: number for number, group in enumerate((*SETTINGS, "seed"))}
    for key in sorted(own, key=lambda key: (rank[key.partition(".")[0]], "." in key)):
        yield key, [run.params.get(key, MISSING) for run in runs]


def _differ(cells: Sequence[str]) -> bool:
    """Whether there are two of them; what is left open (null) is the same as what a run does not have."""
    return len({MISSING if cell == "null" else cell for cell in cells}) > 1


def _group(key: str) -> str:
    """`problem` of `problem.domain`; nothing for a group itself."""
    group, dot, _ = key.partition(".")
    return group if dot else ""


def _follows(cells: Sequence[str], choices: Sequence[str] | None) -> bool:
    """Whether a setting has one value for each choice of its group."""
    return choices is not None and len(set(zip(choices, cells, strict=True))) == len(set(choices))


def _metric(name: str, form: str = ".6g") -> Callable[[RecordedRun], str]:
    def show(run: RecordedRun) -> str:
        value = run.metrics.get(name)
        return MISSING if value is None else f"{value:{form}}"

    return show


def _seconds(run: RecordedRun) -> str:
    """Of the loop. A run that diverged has taken steps that it does not count, so it does not say."""
    steps, pace = run.metrics.get("optimizer/steps"), run.metrics.get("optimizer/steps_per_second")
    return f"{steps / pace:.3g}" if steps and pace and run.outcome != "DIVERGED" else MISSING


def _coefficient(row: Sequence[float | None], k: int) -> str:
    value = row[k] if k < len(row) else None
    return MISSING if value is None else f"{value:.6g}"


NUMBERS: Mapping[str, Callable[[RecordedRun], str]] = {
    "final loss": _metric("loss/final"),
    "excess loss": _metric("loss/final_excess"),
    "max error": _metric("loss/max_error"),
    "steps": _metric("optimizer/steps", ".0f"),
    "seconds": _seconds,
}
