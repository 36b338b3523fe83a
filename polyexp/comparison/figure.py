"""A comparison as one picture: all loss curves on a log axis, and all fitted curves below them."""

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

LINES = ("-", "--", ":")  # three, against eight colours, so that 24 runs look different
MAX_CHARACTERS = 42  # of a line in the legend
MARGIN_OF_TARGET = 0.25  # above and below the target, in parts of its range


def png(comparison: Comparison) -> bytes:
    """The picture as a PNG file."""
    stream = BytesIO()
    figure(comparison).savefig(stream, format="png", dpi=110)
    return stream.getvalue()


def figure(comparison: Comparison) -> Any:
    """The picture as a matplotlib figure, to be read in a pane of 600 pixels."""
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
        label if len(label) <= MAX_CHARACTERS else f"{label[: MAX_CHARACTERS - 3]}..."
        for label in comparison.legend[: len(comparison.details)]
    )
    labels = [label.replace("$", r"\$") for label in short]  # which would begin a formula
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
        room = MARGIN_OF_TARGET * ((high - low) or 1.0)
        axes.set_ylim(low - room, high + room)
    axes.set(xlabel="x", ylabel="y", title="Fitted curves")


def _draw_target(axes: Any, details: Sequence[Detail]) -> tuple[float, float] | None:
    """Draw the function that all runs were fitted to, in grey, and return its range; None where it is not one function."""
    (name, *others) = {detail.result["config"].get("problem.target") for detail in details}
    curves = [detail.curve[0] for detail in details if detail.curve is not None]
    if others or name not in TARGETS or not curves:
        return None
    x = np.linspace(min(one[0] for one in curves), max(one[-1] for one in curves), 400)
    y = TARGETS[name](x)
    axes.plot(x, y, color=Palette.GREY, linewidth=6, alpha=0.5, zorder=0, label=name)
    axes.legend(loc="upper left", frameon=False)
    return float(y.min()), float(y.max())


def _bounds(details: Sequence[Detail]) -> tuple[float, float] | None:
    """The range of the curves, without those of runs that diverged."""
    curves = [one.curve[1] for one in details if one.curve is not None and one.run.outcome != "DIVERGED"]
    return (float(min(map(np.min, curves))), float(max(map(np.max, curves)))) if curves else None


def _styles() -> list[dict[str, Any]]:
    """Both colour and line change from run to run, so that one shows through another that it coincides with."""
    both = islice(zip(cycle(COLOURS), cycle(LINES), strict=False), MAX_DETAILED)
    return [{"color": colour, "linestyle": line, "linewidth": 2.0} for colour, line in both]
