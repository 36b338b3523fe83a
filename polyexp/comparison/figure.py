"""A comparison as one picture: all loss curves on a logarithmic axis, and all fitted curves below them."""

from collections.abc import Sequence
from itertools import cycle, islice
from typing import Any

import numpy as np

from polyexp.comparison.table import MAX_DETAILED, Comparison, Detail
from polyexp.problem import TARGETS
from polyexp.report.axes import COLOURS, Palette, figure, log_axis, log_steps, plain, shortened

__all__ = ["draw", "labels"]

LINE_STYLES = ("-", "--", ":")  # three and eight have no common divisor, so that with eight colours 24 curves differ
MAX_LABEL_CHARACTERS = 78  # of a run in the legend, as many as fit into the width of the picture
HEIGHT_INCHES, LABEL_INCHES = 7.0, 0.16  # of the picture without its legend, and of a line of the legend
TARGET_MARGIN = 0.25  # above and below the target, as a part of its range
TARGET_POINTS = 400  # of the curve of the target
DECADES = 100.0  # the steps are on a logarithmic axis where one curve ends so many times later than another one
HIGHEST_DRAWN = 1e100  # of a value on a linear axis; matplotlib computes with squares


def draw(comparison: Comparison) -> Any:
    """The picture as a matplotlib figure, which can be read where it is 600 pixels wide."""
    details, names = comparison.details, labels(comparison)
    below = LABEL_INCHES * len(names) + 0.1
    height = HEIGHT_INCHES + below
    shown = f"the first {len(details)} of {len(comparison.runs)} runs" if comparison.limited else "all runs"
    note = f"the loss of {shown} by step, and the fitted curves"
    title = comparison.title.capitalize()
    made, (losses, fits) = figure(title, note, rows=(1, 1), height=height, below=below, one_x=False)
    _draw_losses(losses, comparison)
    _draw_fits(fits, details)
    made.legend(
        losses.get_lines()[: len(names)],
        [label.replace("$", r"\$") for label in names],  # matplotlib takes what is between two $ for a formula
        loc="lower left",
        bbox_to_anchor=(0.01, 0.05 / height),
        fontsize=8.5,
        frameon=False,
        borderaxespad=0,
        handlelength=2.5,
        labelspacing=0.3,
    )
    return made


def labels(comparison: Comparison) -> list[str]:
    """The id and the name of each run whose curves are drawn.

    Where names are too long, what all of them begin and end with is left out first, so that what differs remains.
    """
    runs = [detail.run for detail in comparison.details]
    names = [plain(run.name) for run in runs]
    room = MAX_LABEL_CHARACTERS - max((len(run.label) + 2 for run in runs), default=0)
    if max(map(len, names), default=0) > room:
        names = _without_common(names)
    return [f"{run.label}  {shortened(name, room)}" for run, name in zip(runs, names, strict=True)]


def _without_common(names: Sequence[str]) -> list[str]:
    """The names without the characters with which all of them begin and end, in whose place are three dots."""
    if len(set(names)) < 2:
        return list(names)
    first = _shared(names)
    rest = [name[first:] for name in names]
    last = _shared([name[::-1] for name in rest])
    ends = ("..." if first else "", "..." if last else "")
    return [f"{ends[0]}{name[: len(name) - last]}{ends[1]}" for name in rest]


def _shared(names: Sequence[str]) -> int:
    """The number of characters with which all names begin."""
    differ = (n for n, characters in enumerate(zip(*names, strict=False)) if len(set(characters)) > 1)
    return next(differ, min(map(len, names)))


def _draw_losses(axes: Any, comparison: Comparison) -> None:
    details = comparison.details
    drawn = [detail.losses.loss / comparison.divisors[detail.run.id] for detail in details]
    for detail, loss, style in zip(details, drawn, _styles(), strict=False):
        shown = np.isfinite(loss) & (loss > 0)  # what a log axis can show
        axes.plot(detail.losses.step[shown], loss[shown], marker="o" if shown.sum() == 1 else None, **style)
    log_axis(axes, *drawn, otherwise="No loss is finite and above zero.")
    if _spans_decades(details):
        log_steps(axes, from_zero=any(detail.losses.step.min() == 0 for detail in details))
    axes.set(xlabel="step", ylabel="loss per sample" if comparison.per_sample else "loss")


def _spans_decades(details: Sequence[Detail]) -> bool:
    """Whether the curve of one run would be squeezed into a line by that of another one."""
    last = [float(detail.losses.step.max()) for detail in details]
    return max(last, default=0) >= DECADES * max(min(last, default=0), 1)


def _draw_fits(axes: Any, details: Sequence[Detail]) -> None:
    for detail, style in zip(details, _styles(), strict=False):
        if detail.curve is not None and _can_be_drawn(detail):
            axes.plot(*detail.curve, **style)
    bounds = _draw_target(axes, details) or _bounds(details)
    if bounds:
        low, high = bounds
        room = TARGET_MARGIN * ((high - low) or 1.0)
        axes.set_ylim(low - room, high + room)
    axes.set(xlabel="x", ylabel="y")


def _can_be_drawn(detail: Detail) -> bool:
    return detail.curve is not None and float(np.abs(detail.curve).max()) < HIGHEST_DRAWN


def _draw_target(axes: Any, details: Sequence[Detail]) -> tuple[float, float] | None:
    """Draw the target of all runs in grey, and return its range; None where they do not have one target in common."""
    (name, *others) = {detail.result.word("problem.target") for detail in details}
    curves = [detail.curve[0] for detail in details if detail.curve is not None and _can_be_drawn(detail)]
    if others or name not in TARGETS or not curves:
        return None
    x = np.linspace(min(one[0] for one in curves), max(one[-1] for one in curves), TARGET_POINTS)
    with np.errstate(all="ignore"):
        y = TARGETS[name](x)
    if not (np.isfinite(y) & (np.abs(y) < HIGHEST_DRAWN)).all():
        return None
    axes.plot(x, y, color=Palette.GREY, linewidth=5, alpha=0.5, zorder=0, label=name)
    axes.legend(loc="upper left", frameon=False, fontsize=8.5)
    return float(y.min()), float(y.max())


def _bounds(details: Sequence[Detail]) -> tuple[float, float] | None:
    """The range of the fitted curves of the runs that did not diverge; None where there are none."""
    curves = [
        one.curve[1]
        for one in details
        if one.curve is not None and _can_be_drawn(one) and one.run.outcome != "DIVERGED"
    ]
    return (float(min(map(np.min, curves))), float(max(map(np.max, curves)))) if curves else None


def _styles() -> list[dict[str, Any]]:
    """A colour and a line style for each run, which both change, so that curves that coincide remain visible."""
    both = islice(zip(cycle(COLOURS), cycle(LINE_STYLES), strict=False), MAX_DETAILED)
    return [{"color": colour, "linestyle": line, "linewidth": 1.5} for colour, line in both]
