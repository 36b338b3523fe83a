"""The figures of a run as files."""

from pathlib import Path

from polyexp.exact import Forecast
from polyexp.fitting import Result
from polyexp.report.axes import save
from polyexp.report.figures.coefficients import coefficients_figure
from polyexp.report.figures.displayed import DisplayedData
from polyexp.report.figures.fit import fit_figure
from polyexp.report.figures.loss import loss_figure
from polyexp.report.figures.modes import modes_figure

__all__ = ["draw"]


def draw(folder: Path, result: Result, forecast: Forecast, shown: DisplayedData) -> list[Path]:
    """Write the pictures of a single run into its folder, and return their paths; modes.png needs a linear model."""
    made = {
        "fit.png": fit_figure(result, shown),
        "loss.png": loss_figure(result, forecast),
        "coefficients.png": coefficients_figure(result),
        "modes.png": modes_figure(result, forecast),
    }
    return [save(one, folder / name) for name, one in made.items() if one is not None]
