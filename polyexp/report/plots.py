"""The pictures of a result for Python users: the figures of a run, drawn on axes of the user's or in a figure of pyplot.

Nothing is drawn here that the figures do not draw; they are imported when a picture is asked for.
"""

from collections.abc import Callable
from typing import Any

from polyexp.base import InputError, import_optional, require
from polyexp.fitting import Result, forecast_of
from polyexp.report.figures import fit_figure, loss_figure, modes_figure
from polyexp.report.figures.batch import batch_figure, batch_legend, draw_fits, draw_losses
from polyexp.report.figures.displayed import DisplayedData, displayed_data
from polyexp.report.figures.fit import draw_fit
from polyexp.report.figures.loss import draw_loss
from polyexp.report.figures.modes import draw_modes

__all__ = ["plot", "plot_loss", "plot_modes"]


def plot(result: Result, ax: Any = None) -> Any:
    """Draw data and fitted curves, as `Result.plot` says, and return the axes.

    Args:
        result: The result of one fit or of a batch.
        ax: The matplotlib axes; None makes a figure of pyplot.
    """
    _require_axes(ax)
    shown = _displayed(result)
    if ax is None and not result.runs:
        return fit_figure(result, shown, interactive=True).axes[0]
    return _drawn(ax, result, lambda axes: (draw_fits if result.runs else draw_fit)(axes, result, shown))


def plot_loss(result: Result, ax: Any = None) -> Any:
    """Draw the loss over the updates, as `Result.plot_loss` says, and return the axes.

    Args:
        result: The result of one fit or of a batch.
        ax: The matplotlib axes; None makes a figure of pyplot.
    """
    _require_axes(ax)
    one = result
    while one.runs:  # the best loss is that of every run
        one = one[0]
    forecast = forecast_of(one)
    if ax is None and not result.runs:
        return loss_figure(result, forecast, interactive=True).axes[0]
    return _drawn(ax, result, lambda axes: (draw_losses if result.runs else draw_loss)(axes, result, forecast))


def plot_modes(result: Result, ax: Any = None) -> Any:
    """Draw what each mode has left, as `Result.plot_modes` says, and return the axes.

    Args:
        result: The result of a single fit of a linear model.
        ax: The matplotlib axes; None makes a figure of pyplot.
    """
    _require_axes(ax)
    if result.runs:
        raise InputError("`plot_modes` shows a single run, such as `result[0].plot_modes()`.")
    forecast = forecast_of(result)
    if forecast is None:
        raise InputError("`plot_modes` needs the samples of the fit, which this result does not have.")
    if result.quadratic is None:
        raise InputError(
            f"`plot_modes` needs a model that is linear in its parameters, and a loss that float64 holds, got the model "
            f"{result.model.choice}."
        )
    if ax is None:
        figure = modes_figure(result, forecast, interactive=True)
        return None if figure is None else figure.axes[0]
    quadratic = result.quadratic
    return _drawn(ax, result, lambda axes: draw_modes(axes, result, quadratic, forecast))


def _drawn(ax: Any, result: Result, draw: Callable[[Any], None]) -> Any:
    """The axes, drawn on, with a legend; where there are none, those of a new figure of a batch."""
    if ax is None:
        made, ax = batch_figure(result)
        draw(ax)
        batch_legend(made, ax)
    else:
        draw(ax)
        if ax.get_legend_handles_labels()[0]:
            ax.legend(fontsize="small")  # not above the axes, where a title of the user's may be
    return ax


def _require_axes(ax: Any) -> None:
    import_optional("matplotlib", "A picture")
    is_axes = ax is None or hasattr(ax, "get_legend_handles_labels")
    require(is_axes, "ax", "axes of matplotlib, such as those of `pyplot.subplots()`", ax)


def _displayed(result: Result) -> DisplayedData:
    shown = displayed_data(result)
    target = result.samples.target
    names = ("x", "y") if target is None else ("x", f"{target.name}(x)")
    return DisplayedData(target, shown.x, shown.y, names)
