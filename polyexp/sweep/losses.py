"""What the pictures of a sweep have in common: their words, their marks, and an axis of losses."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from polyexp.base import counted, cut
from polyexp.report.axes import LOWEST_ON_LOG_AXIS, Palette, annotate, log_axis
from polyexp.report.figures.curves import drawable
from polyexp.sweep.table import JobRow, SweepTable

__all__ = [
    "BEST_MARK",
    "MARKS",
    "NO_LOSS",
    "best_words",
    "joined",
    "losses_axis",
    "losses_of",
    "numbers_of",
    "spans_decades",
    "without_loss",
]

MIN_RATIO_OF_LOG_AXIS = 10.0  # of the largest to the smallest loss
MAX_LABEL_CHARACTERS = 50  # of the best job in the line below the title
NO_LOSS = "No job has a loss to compare."
MAX_RATIO_TO_LOWEST = 1e3  # of the least loss to the best possible one, beyond which the line of that is left out
BEST_MARK: dict[str, Any] = {
    "linestyle": "none",
    "marker": "*",
    "markersize": 13,
    "markerfacecolor": "white",
    "markeredgecolor": Palette.BLACK,
    "zorder": 5,
    "label": "best",
}
# The marks of the jobs without a loss to compare, by what became of them.
MARKS: dict[str, dict[str, Any]] = {
    "diverged": {
        "linestyle": "none",
        "marker": "^",
        "color": Palette.VERMILLION,
        "label": "diverged",
        "clip_on": False,
    },
    "failed": {"linestyle": "none", "marker": "x", "color": Palette.BLACK, "label": "failed", "clip_on": False},
}


def best_words(table: SweepTable, lowest: float | None = None) -> str:
    """The best job, and the best loss where it is given, in words that are shown below the title.

    Args:
        table: The table of the sweep.
        lowest: The best loss.
    """
    possible = [] if lowest is None else [f"best possible: {lowest:.4g}"]
    best = [f"best: {row.loss:.4g}, job {row.number}{_in_brackets(table, row)}" for row in table.best_first[:1]]
    return "; ".join([*possible, *best])


def _in_brackets(table: SweepTable, row: JobRow) -> str:
    return f" ({cut(table.label(row), MAX_LABEL_CHARACTERS)})" if table.keys else ""


def numbers_of(rows: Iterable[JobRow], key: str) -> np.ndarray:  # shape: (N,)
    """The values of a numeric key, with nan for those that no axis can show."""
    return drawable(np.array([float(row.values[key]) for row in rows], float))


def losses_of(rows: Iterable[JobRow]) -> np.ndarray:  # shape: (N,)
    """The final losses, with nan for those that no axis can show."""
    return drawable(np.array([np.nan if row.loss is None else row.loss for row in rows], float))


def without_loss(table: SweepTable) -> dict[str, list[JobRow]]:
    """The rows of the jobs that diverged or failed, by the names of their marks."""
    return {"diverged": [row for row in table.rows if row.diverged], "failed": table.failures}


def spans_decades(losses: np.ndarray) -> bool:
    """Whether losses are shown on a logarithmic axis.

    Args:
        losses: The losses; nan are left out. Shape (N,).
    """
    above = losses[losses > LOWEST_ON_LOG_AXIS]
    return bool(above.size and above.max() >= MIN_RATIO_OF_LOG_AXIS * above.min())


def losses_axis(ax: Any, losses: np.ndarray, lowest: float | None, along: str = "y") -> None:
    """Make an axis one of losses, logarithmic where they span decades, with the best loss as a dashed line.

    Far below the losses that line would leave them little room; then the best loss is in the legend alone.

    Args:
        ax: The matplotlib axes, on which the losses are drawn.
        losses: The losses; nan are left out. Shape (N,).
        lowest: The best loss; None where it is not given.
        along: The axis, "x" or "y".
    """
    shown = losses[np.isfinite(losses)]
    every = shown
    if lowest is not None and shown.size:
        label = f"best possible: {lowest:.4g}"
        if lowest > 0 and shown.min() <= MAX_RATIO_TO_LOWEST * lowest:
            line = ax.axhline if along == "y" else ax.axvline
            line(lowest, color=Palette.GREEN, linewidth=1.3, linestyle="--", label=label)
            every = np.append(shown, lowest)
        else:
            ax.plot([], [], linestyle="none", label=f"({label})")
    if not shown.size or spans_decades(every):
        some = log_axis(ax, every, otherwise=NO_LOSS, along=along)
        if some and (zeros := int((shown == 0).sum())):
            annotate(ax, f"the loss of {counted(zeros, 'job')} is exactly 0")
    else:
        ax.ticklabel_format(axis=along, scilimits=(-2, 4), useMathText=True)
    ax.set(**{f"{along}label": "final loss"})


def joined(words: Sequence[str]) -> str:
    """Words as in a sentence: `a, b and c`."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
