"""Pictures of a run: how the curve fits, how the loss fell, how far the coefficients and the Hessian's modes have come.

Each function draws one figure of a single run from its result alone and writes nothing. Whatever is not finite is left
out, so that a diverged run has pictures too.
"""

from polyexp.report.figures.coefficients import coefficients_figure
from polyexp.report.figures.displayed import Scene, scene
from polyexp.report.figures.files import draw
from polyexp.report.figures.fit import fit_figure
from polyexp.report.figures.loss import loss_figure
from polyexp.report.figures.modes import modes_figure

__all__ = ["Scene", "coefficients_figure", "draw", "fit_figure", "loss_figure", "modes_figure", "scene"]
