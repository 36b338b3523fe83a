"""What is printed of a sweep: a line for each job that has ended, and at its end the best jobs and those that have failed."""

from collections.abc import Collection, Iterator, Sequence

from polyexp.base import counted, cut, printable
from polyexp.experiment import short_number
from polyexp.fitting import Outcome
from polyexp.report.tables import Column
from polyexp.sweep.table import FAILED, KILLED, NOT_RUN, JobRow, SweepTable

__all__ = ["MAX_LINE_BYTES", "interrupted", "job_line", "listing", "summary", "to_run"]

MAX_LISTED = 50  # jobs that would run
MAX_BEST, MAX_FAILURES = 10, 20  # rows of the tables; sweep.csv has all jobs
MAX_LINE_BYTES = 80  # of the line of a job, so that a thousand jobs print 80 kB
MAX_TAIL_BYTES = 45  # of the part of this line that says what became of the job
MAX_KEYS = 12  # that the table of the best jobs shows; each has a column in sweep.csv
MAX_VALUE_CHARACTERS = 40  # of a value in this table
MAX_LABEL_CHARACTERS = 60  # of what distinguishes a job, in the table of the failures
MAX_REASON_CHARACTERS = 200  # of the reason of a failure there
UNFINISHED = {FAILED: "failed", KILLED: "killed", NOT_RUN: "not run", Outcome.INTERRUPTED.name: "interrupted"}
MISSING = "-"  # the cell of a value that a job does not have


def job_line(done: int, total: int, label: str, row: JobRow) -> str:
    """The line of a job that has ended, such as `[  17/1000] lr=1e-06 seed=3 loss 0.001234 MAX_STEPS`, at most 80 bytes long.

    Args:
        done: The number of jobs that have ended, with this one.
        total: The number of all jobs.
        label: What distinguishes the job from the others (`SweepTable.label`); it is cut where the line would be too long.
        row: The row of the job.

    Example:
        >>> row = JobRow(16, ("seed=3",), "MAX_STEPS", 0.0012345, steps=4000)
        >>> print(job_line(17, 1000, "seed=3", row))
        [  17/1000] seed=3 loss 0.001234 MAX_STEPS
    """
    head = f"[{done:>{len(str(total))}}/{total}] "
    loss = "" if row.loss is None else f" loss {row.loss:#.4g}"
    remark = f": {row.reason}" if row.reason else " (reused)" if row.reused else ""
    tail = _cut_to_bytes(f"{loss} {row.outcome}{remark}", MAX_TAIL_BYTES)
    return head + _cut_to_bytes(label, MAX_LINE_BYTES - len(head) - len(tail.encode())) + tail


def listing(table: SweepTable, left: Collection[int], *, reused: int = 0) -> Iterator[str]:
    r"""The lines that say which jobs of a sweep would run.

    Args:
        table: The table of all jobs.
        left: The numbers of those that would run.
        reused: How many of the others have a result in the store.

    Example:
        >>> rows = [JobRow(number, (f"seed={number}",), "NOT_RUN") for number in range(3)]
        >>> print(*listing(SweepTable(tuple(rows)), {1, 2}), sep="\n")
        2 of 3 jobs would run; 1 has a result.
        job 1: seed=1
        job 2: seed=2
    """
    yield f"{len(left)} of {counted(len(table.rows), 'job')} would run{_with_result(len(table.rows) - len(left), reused)}."
    shown = [row for row in table.rows if row.number in left]
    for row in shown[:MAX_LISTED]:
        label = cut(table.label(row), MAX_LABEL_CHARACTERS)
        yield f"job {row.number}: {label}" if table.keys else label
    if len(shown) > MAX_LISTED:
        yield f"... and {len(shown) - MAX_LISTED} more"


def to_run(total: int, left: int, reused: int = 0) -> str | None:
    """The sentence that says at the start of a sweep how many of its jobs run; None where all of them do.

    Args:
        total: The number of jobs.
        left: The number of those that run.
        reused: How many of the others have a result in the store.

    Example:
        >>> print(to_run(36, 32))
        32 of 36 jobs run; 4 have a result.
        >>> print(to_run(36, 0))
        No job is left to run; 36 have a result.
    """
    if left == total:
        return None
    begin = f"{left} of {counted(total, 'job')} {'runs' if left == 1 else 'run'}" if left else "No job is left to run"
    return f"{begin}{_with_result(total - left, reused)}."


def _with_result(done: int, reused: int) -> str:
    """The jobs that have a result, as the end of a sentence."""
    rest = f"; {done} {'has' if done == 1 else 'have'} a result" if done else ""
    return rest + (f", {reused} of them from earlier runs in the store" if reused else "")


def summary(table: SweepTable, resumed_by: str) -> Iterator[str | Sequence[Column]]:
    """The sentences and tables to print at the end of a sweep, each table as its columns.

    Args:
        table: The table of the sweep.
        resumed_by: The override that resumes the sweep.
    """
    yield _counts(table)
    best, failures = table.best_first, table.failures
    if best:
        yield f"The best {counted(len(best[:MAX_BEST]), 'job')}:" if len(best) > 1 else "The only job with a loss:"
        yield _best_columns(table, best[:MAX_BEST])
    if failures:
        yield f"The {counted(len(failures), 'job')} that failed:"
        yield _failure_columns(table, failures[:MAX_FAILURES])
    if len(failures) > MAX_FAILURES:
        yield f"... and {len(failures) - MAX_FAILURES} more, listed in sweep.csv."
    if not all(row.has_result for row in table.rows):
        yield f"`python -m polyexp {resumed_by}` runs the jobs without a result."


def interrupted(table: SweepTable, resumed_by: str) -> str:
    """The line to print at the end of a sweep that was interrupted.

    Args:
        table: The table of the sweep.
        resumed_by: The override that resumes the sweep.

    Example:
        >>> rows = [JobRow(number, (f"seed={number}",), "NOT_RUN") for number in range(3)]
        >>> print(interrupted(SweepTable(tuple(rows)), "sweep.resume=outputs/s"))
        3 jobs: 0 finished, 3 not run. To go on, type `python -m polyexp sweep.resume=outputs/s`.
    """
    return f"{_counts(table)} To go on, type `python -m polyexp {resumed_by}`."


def _counts(table: SweepTable) -> str:
    """A sentence such as `1000 jobs: 990 finished (10 reused, 3 diverged), 1 failed, 1 killed, 8 not run.`"""
    finished = [row for row in table.rows if row.has_result]
    kinds = {"reused": sum(row.reused for row in finished), "diverged": sum(row.diverged for row in finished)}
    details = ", ".join(f"{number} {kind}" for kind, number in kinds.items() if number)
    numbers = {word: sum(row.outcome == outcome for row in table.rows) for outcome, word in UNFINISHED.items()}
    parts = [f"{len(finished)} finished" + (f" ({details})" if details else "")]
    parts += [f"{number} {word}" for word, number in numbers.items() if number]
    return f"{counted(len(table.rows), 'job')}: {', '.join(parts)}."


def _best_columns(table: SweepTable, rows: Sequence[JobRow]) -> list[Column]:
    shown = table.keys[:MAX_KEYS]
    values = [Column(key, [_value(row, key) for row in rows], True) for key in shown]
    has_excess = any(row.excess is not None for row in rows)
    excess = [Column("excess", [_number(row.excess) for row in rows], True)] if has_excess else []
    steps = Column("steps", [MISSING if row.steps is None else str(row.steps) for row in rows], True)
    losses = Column("loss", [_number(row.loss) for row in rows], True)
    return [Column("job", [str(row.number) for row in rows], True), *values, losses, *excess, steps]


def _failure_columns(table: SweepTable, rows: Sequence[JobRow]) -> list[Column]:
    return [
        Column("job", [str(row.number) for row in rows], True),
        Column("what varies", [cut(table.label(row), MAX_LABEL_CHARACTERS) for row in rows]),
        Column("outcome", [row.outcome for row in rows]),
        Column("reason", [cut(row.reason, MAX_REASON_CHARACTERS) or MISSING for row in rows]),
    ]


def _value(row: JobRow, key: str) -> str:
    return cut(short_number(row.values.get(key, "")), MAX_VALUE_CHARACTERS)


def _number(value: float | None) -> str:
    return MISSING if value is None else f"{value:.6g}"


def _cut_to_bytes(text: str, most: int) -> str:
    """A text in printable characters that has at most so many bytes in UTF-8, the last of which are dots where it is cut."""
    encoded = printable(text[:most]).encode()  # each character has at least one byte
    whole = len(encoded) <= most and len(text) <= most
    return encoded.decode() if whole else encoded[: most - 3].decode(errors="ignore") + "..."
