"""The picture of a sweep: the final loss over the one or two numeric settings that vary, or as bars where none does."""

from pathlib import Path

from polyexp.report.axes import Figure, save
from polyexp.sweep.bars import bars_figure
from polyexp.sweep.cells import cells_figure
from polyexp.sweep.curves import curves_figure
from polyexp.sweep.layout import layout_of
from polyexp.sweep.table import SweepTable

__all__ = ["SWEEP_PICTURE", "draw_sweep", "sweep_figure"]

SWEEP_PICTURE = "sweep.png"


def draw_sweep(folder: Path, table: SweepTable, lowest: float | None = None) -> Path:
    """Write the picture of a sweep as `sweep.png`, and return its path; the arguments are those of `sweep_figure`.

    Args:
        folder: The folder of the sweep.
        table: The table of the sweep.
        lowest: The best loss, where all jobs have one.
    """
    return save(sweep_figure(table, lowest), folder / SWEEP_PICTURE)


def sweep_figure(table: SweepTable, lowest: float | None = None) -> Figure:
    """The final losses of the jobs of a sweep, with the best job marked.

    Over one numeric setting they are curves, one for each combination of the settings that are not numbers, through the medians
    over seeds. Over two of them they are coloured cells, the least loss over all other settings each. Without any they are
    bars. Jobs that diverged or failed are marked.

    Args:
        table: The table of the sweep.
        lowest: The best loss, where all jobs have one.
    """
    layout = layout_of(table)
    if layout.y is not None:
        return cells_figure(table, layout, lowest)
    return bars_figure(table, lowest) if layout.x is None else curves_figure(table, layout, lowest)
