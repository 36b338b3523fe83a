"""Pictures of a run: the fitted curve, the loss, and the distances of coefficients and modes from the optimum.

Each function makes one figure of a single run and writes nothing; `draw` writes all of them. Values that are not finite are
left out, so that a diverged run has pictures as well.
"""

from polyexp.report.figures.coefficients import coefficients_figure
from polyexp.report.figures.displayed import DisplayedData, displayed_data
from polyexp.report.figures.fit import fit_figure
from polyexp.report.figures.loss import loss_figure
from polyexp.report.figures.modes import modes_figure
from polyexp.report.figures.registry import draw

__all__ = [
    "DisplayedData",
    "coefficients_figure",
    "displayed_data",
    "draw",
    "fit_figure",
    "loss_figure",
    "modes_figure",
]
