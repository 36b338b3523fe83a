"""The table of a sweep, which has one row for each job, and its file `sweep.csv`."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from polyexp.base import bounded, finite, one_of, printable, require, whole
from polyexp.experiment import short_word, typed_values
from polyexp.fitting import Outcome, Result
from polyexp.sweep.jobs import PlannedJob
from polyexp.sweep.rows import (
    MAX_JOBS,
    MAX_WHOLE,
    as_cell,
    as_text,
    overrides_cell,
    overrides_of,
    read_rows,
    real_number,
    required_whole_number,
    whole_number,
    write_rows,
)

__all__ = ["FAILED", "FINISHED", "KILLED", "NOT_RUN", "SWEEP_FILE", "JobRow", "SweepTable", "read_table", "write_table"]

SWEEP_FILE = "sweep.csv"
# What became of a job, besides the outcomes of fits: an action that is no fit has finished, or there is no result.
FINISHED, FAILED, KILLED, NOT_RUN = "FINISHED", "FAILED", "KILLED", "NOT_RUN"
WITHOUT_RESULT = (FAILED, KILLED, NOT_RUN, Outcome.INTERRUPTED.name)
OUTCOMES = (*(one.name for one in Outcome), FINISHED, FAILED, KILLED, NOT_RUN)
FIRST_HEADS, LAST_HEADS = ("number", "outcome", "loss", "excess", "steps"), ("run_id", "reused", "reason", "overrides")
HEADS = (*FIRST_HEADS, *LAST_HEADS)
RUN_ID_CHARACTERS = 32
TRUTH = {"true": True, "false": False}
INSTEAD = "`python -m polyexp sweep.resume=<folder of the sweep>` writes it anew."


@dataclass(frozen=True)
class JobRow:
    """What became of a job of a sweep.

    Args:
        number: The number of the job, from 0 on.
        overrides: The overrides that distinguish the job, as they are typed.
        outcome: The name of the outcome of its fit; FINISHED where its action is no fit; FAILED, KILLED or NOT_RUN.
        loss: The final loss; None where there is none, or none that is finite.
        excess: The final excess, likewise.
        steps: The number of updates of the final parameters; None where there are none.
        run_id: The id of its run in the store; empty where it is not recorded.
        reason: Why it has failed, which becomes one line of at most 1000 printable characters.
        reused: Whether the result is that of an earlier run.

    Raises:
        InputError: One of these is not allowed.

    Example:
        >>> row = JobRow(3, ("optimizer.learning_rate=1e-6", "seed=1"), "MAX_STEPS", 0.25, steps=4000)
        >>> row.values["seed"], row.has_result
        ('1', True)
    """

    number: int
    overrides: tuple[str, ...]
    outcome: str
    loss: float | None = None
    excess: float | None = None
    steps: int | None = None
    run_id: str = ""
    reason: str = ""
    reused: bool = False

    def __post_init__(self) -> None:
        whole("number", self.number, 0, MAX_JOBS - 1)
        one_of("outcome", self.outcome, OUTCOMES)
        for key, value in (("loss", self.loss), ("excess", self.excess)):
            if value is not None:
                finite(key, value)
        if self.steps is not None:
            whole("steps", self.steps, 0, MAX_WHOLE)
        is_id = len(self.run_id) == RUN_ID_CHARACTERS and set(self.run_id) <= set("0123456789abcdef")
        require(is_id or not self.run_id, "run_id", f"{RUN_ID_CHARACTERS} hexadecimal digits or empty", self.run_id)
        object.__setattr__(self, "reason", bounded(printable(" ".join(self.reason.split()))))

    @classmethod
    def of(cls, number: int, overrides: Sequence[str], result: Result, run_id: str = "") -> Self:
        """The row of a job with a result.

        Args:
            number: The number of the job.
            overrides: Its overrides.
            result: The result of its single run.
            run_id: The id of its run in the store; empty where it is not recorded.
        """
        loss, excess = _finite(result.loss), _finite(result.excess)
        return cls(number, tuple(overrides), result.outcome.name, loss, excess, int(result.steps), run_id)

    @cached_property
    def values(self) -> Mapping[str, str]:
        """The values of the overrides by their keys, as they are typed."""
        return typed_values(self.overrides)

    def label(self, keys: Collection[str]) -> str:
        """What distinguishes the job from others in short, such as `lr=1e-06 seed=3`; `job 0` where nothing does.

        Args:
            keys: The keys to which the jobs give several values.
        """
        words = [short_word(key, value) for key, value in self.values.items() if key in keys]
        return printable(" ".join(words)) or f"job {self.number}"

    def with_reason(self, reason: str) -> Self:
        """This row with the reason of a failure that its folder does not say: its run had not begun, or was killed.

        Args:
            reason: The reason; empty where the job has not failed.
        """
        if not reason or self.outcome not in (KILLED, NOT_RUN):
            return self
        return replace(self, outcome=FAILED if self.outcome == NOT_RUN else KILLED, reason=reason)

    @property
    def has_result(self) -> bool:
        """Whether the job has ended with a result, which that of a run that diverged is, too."""
        return self.outcome not in WITHOUT_RESULT

    @property
    def diverged(self) -> bool:
        """Whether the run diverged."""
        return self.outcome == Outcome.DIVERGED.name

    @property
    def failed(self) -> bool:
        """Whether the job has ended without a result."""
        return self.outcome in (FAILED, KILLED)


@dataclass(frozen=True)
class SweepTable:
    """The table of a sweep.

    Args:
        rows: The rows of all jobs, by ascending numbers.
    """

    rows: tuple[JobRow, ...]

    @classmethod
    def of(cls, jobs: Iterable[PlannedJob], rows: Iterable[JobRow]) -> Self:
        """The table with a row for each job of a sweep.

        Args:
            jobs: All jobs of the sweep.
            rows: The rows of those about which something is known; of several with one number the last one counts.
        """
        found = {row.number: row for row in rows}
        return cls(tuple(found.get(job.number) or JobRow(job.number, job.overrides, NOT_RUN) for job in jobs))

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The keys to which the jobs give several values, in the order in which they are typed."""
        keys = dict.fromkeys(key for row in self.rows for key in row.values)
        return tuple(key for key in keys if len({row.values.get(key) for row in self.rows}) > 1)

    def label(self, row: JobRow) -> str:
        """What distinguishes a job from the others in short, such as `lr=1e-06 seed=3`; `job 0` where nothing does.

        Args:
            row: The row of the job.
        """
        return row.label(self.keys)

    @cached_property
    def best_first(self) -> list[JobRow]:
        """The rows with a finite loss of runs that have not diverged, by ascending loss, then by number."""
        comparable = [row for row in self.rows if row.has_result and not row.diverged and row.loss is not None]
        return sorted(comparable, key=lambda row: (row.loss, row.number))

    @property
    def failures(self) -> list[JobRow]:
        """The rows of the jobs that have failed."""
        return [row for row in self.rows if row.failed]

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics of the parent run, without `sweep/best` where no job has a loss to compare."""
        metrics: dict[str, float] = {
            "sweep/jobs": len(self.rows),
            "sweep/finished": sum(row.has_result for row in self.rows),
            "sweep/failed": len(self.failures),
            "sweep/diverged": sum(row.diverged for row in self.rows),
        }
        for best in self.best_first[:1]:
            metrics["sweep/best"] = best.loss or 0.0
        return {name: float(value) for name, value in metrics.items()}


def write_table(folder: Path, table: SweepTable) -> Path:
    """Write the table of a sweep as `sweep.csv`, with a column for each key that varies, and return its path.

    An empty cell stands for a number that a job does not have.

    Args:
        folder: The folder of the sweep.
        table: The table.

    Raises:
        InputError: The overrides of a job are too long.
        OSError: The file cannot be written.
    """
    keys = [key for key in table.keys if key not in HEADS]
    heads = (*FIRST_HEADS, *map(as_cell, keys), *LAST_HEADS)
    path = folder / SWEEP_FILE
    write_rows(path, heads, (_written(row, keys) for row in table.rows))
    return path


def read_table(folder: Path) -> SweepTable:
    """The table of a sweep in the `sweep.csv` of its folder.

    Args:
        folder: The folder of the sweep.

    Raises:
        InputError: There is no such file, or it is damaged: sentences with the file, the line and what to type.
    """
    return SweepTable(read_rows(folder / SWEEP_FILE, HEADS, _read, INSTEAD))


def _written(row: JobRow, keys: Sequence[str]) -> list[object]:
    numbers = ["" if one is None else one for one in (row.loss, row.excess, row.steps)]
    values = [as_cell(row.values.get(key, "")) for key in keys]
    reused = "true" if row.reused else "false"
    last = (row.run_id, reused, as_cell(row.reason), overrides_cell(row.overrides))
    return [row.number, row.outcome, *numbers, *values, *last]


def _read(cells: Mapping[str, str]) -> JobRow:
    one_of("reused", cells["reused"], TRUTH)
    return JobRow(
        number=required_whole_number("number", cells["number"]),
        overrides=overrides_of(cells["overrides"]),
        outcome=cells["outcome"],
        loss=real_number("loss", cells["loss"]),
        excess=real_number("excess", cells["excess"]),
        steps=whole_number("steps", cells["steps"]),
        run_id=cells["run_id"],
        reason=as_text(cells["reason"]),
        reused=TRUTH[cells["reused"]],
    )


def _finite(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
