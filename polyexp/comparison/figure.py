"""A comparison as one picture: all loss curves on a logarithmic axis, and all fitted curves below them."""

import math
from collections.abc import Sequence
from io import BytesIO
from itertools import cycle, islice
from typing import Any

import numpy as np

from polyexp.comparison.table import MAX_DETAILED, Comparison, Detail
from polyexp.problem import TARGETS
from polyexp.report.axes import COLOURS, Palette

__all__ = ["figure", "png"]

LINE_STYLES = ("-", "--", ":")  # three and eight have no common divisor, so that with eight colours 24 curves differ
MAX_LEGEND_CHARACTERS = 42  # of a run in the legend, which has two columns
TARGET_MARGIN = 0.25  # above and below the target, as a part of its range
TARGET_POINTS = 400  # of the curve of the target


def png(comparison: Comparison) -> bytes:
    """The picture as a PNG file."""
    stream = BytesIO()
    figure(comparison).savefig(stream, format="png", dpi=110)
    return stream.getvalue()


def figure(comparison: Comparison) -> Any:
    """The picture as a matplotlib figure, which can be read where it is 600 pixels wide."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    details = comparison.details
    rows = math.ceil(len(details) / 2)
    with rc_context({"font.size": 13, "axes.grid": True, "grid.alpha": 0.3}):
        drawn = Figure(figsize=(8, 9 + 0.28 * rows), layout="constrained")
        losses, fits = drawn.subplots(2, 1)
        _draw_losses(losses, details)
        _draw_fits(fits, details)
        _legend(drawn, losses, comparison)
        if comparison.limited:
            drawn.suptitle(f"The first {len(details)} of {len(comparison.runs)} runs", fontsize=14)
    return drawn


def _legend(drawn: Any, losses: Any, comparison: Comparison) -> None:
    short = (
        label if len(label) <= MAX_LEGEND_CHARACTERS else f"{label[: MAX_LEGEND_CHARACTERS - 3]}..."
        for label in comparison.legend[: len(comparison.details)]
    )
    labels = [label.replace("$", r"\$") for label in short]  # matplotlib takes what is between two $ for a formula
    drawn.legend(losses.get_lines(), labels, loc="outside lower left", ncols=2, fontsize=10.5, frameon=False)


def _draw_losses(axes: Any, details: Sequence[Detail]) -> None:
    for detail, style in zip(details, _styles(), strict=False):
        step, loss = detail.history["step"], detail.history["loss"]
        shown = np.isfinite(loss) & (loss > 0)  # what a log axis can show
        axes.plot(step[shown], loss[shown], marker="o" if shown.sum() == 1 else None, **style)
    axes.set(yscale="log", xlabel="step", ylabel="loss", title="Loss")


def _draw_fits(axes: Any, details: Sequence[Detail]) -> None:
    for detail, style in zip(details, _styles(), strict=False):
        if detail.curve is not None:
            axes.plot(*detail.curve, **style)
    bounds = _draw_target(axes, details) or _bounds(details)
    if bounds:
        low, high = bounds
        room = TARGET_MARGIN * ((high - low) or 1.0)
        axes.set_ylim(low - room, high + room)
    axes.set(xlabel="x", ylabel="y", title="Fitted curves")


def _draw_target(axes: Any, details: Sequence[Detail]) -> tuple[float, float] | None:
    """Draw the target of all runs in grey, and return its range; None where they do not have one target in common."""
    (name, *others) = {str(detail.result["config"].get("problem.target")) for detail in details}
    curves = [detail.curve[0] for detail in details if detail.curve is not None]
    if others or name not in TARGETS or not curves:
        return None
    x = np.linspace(min(one[0] for one in curves), max(one[-1] for one in curves), TARGET_POINTS)
    y = TARGETS[name](x)
    axes.plot(x, y, color=Palette.GREY, linewidth=6, alpha=0.5, zorder=0, label=name)
    axes.legend(loc="upper left", frameon=False)
    return float(y.min()), float(y.max())


def _bounds(details: Sequence[Detail]) -> tuple[float, float] | None:
    """The range of the fitted curves of the runs that did not diverge; None where there are none."""
    curves = [one.curve[1] for one in details if one.curve is not None and one.run.outcome != "DIVERGED"]
    return (float(min(map(np.min, curves))), float(max(map(np.max, curves)))) if curves else None


def _styles() -> list[dict[str, Any]]:
    """A colour and a line style for each run, which both change, so that curves that coincide remain visible."""
    both = islice(zip(cycle(COLOURS), cycle(LINE_STYLES), strict=False), MAX_DETAILED)
    return [{"color": colour, "linestyle": line, "linewidth": 2.0} for colour, line in both]
