"""The fit as an animation: one HTML file with a slider over the snapshots, which needs no network and no other file.

The upper axes show the fitted curve beside its target, the lower axes the loss with a marker at the current step. plotly is
imported only when a page is made, because the import is slow.
"""

import html
from pathlib import Path
from typing import Any

import numpy as np

from polyexp.base import printable, save_text
from polyexp.exact import Forecast
from polyexp.fitting import Outcome, Result
from polyexp.report.axes import MAX_AXIS_NAME_CHARACTERS, Palette, shortened, thinned, thinned_history
from polyexp.report.figures import DisplayedData
from polyexp.report.figures.curves import MAX_ON_AXIS, drawable, grid, logarithmic, subject
from polyexp.report.sentences import rate

__all__ = ["film", "write_page"]

MAX_FRAMES = 60  # of the animation; the file grows with their number
CURVE_POINTS = 240  # points of a curve; fewer than in a picture, because there is one curve for each frame
MAX_HEIGHTS_BEYOND_TARGET = 3.0  # how far the y axis may reach beyond the target, in heights of the target
FRAME_MILLISECONDS = 120  # for which a frame is shown
ZERO_ON_LOG_AXIS = 0.1  # where the tick of 0 is

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>body {{ margin: 0; font-family: sans-serif; }} html, body, .film {{ height: 100%; min-height: 480px; }}</style>
</head>
<body>
<div class="film">{film}</div>
</body>
</html>
"""


def write_page(folder: Path, result: Result, forecast: Forecast, shown: DisplayedData) -> Path:
    """Write page.html into the folder of the run and return its path."""
    path = folder / "page.html"
    made = film(result, forecast, shown)
    inside = made.to_html(
        full_html=False,
        include_plotlyjs=True,
        auto_play=False,
        config={"displaylogo": False, "responsive": True},
        div_id="film",
    )
    save_text(path, PAGE.format(title=html.escape(f"polyexp: {subject(result)}"), film=inside))
    return path


def film(result: Result, forecast: Forecast, shown: DisplayedData) -> Any:
    """A plotly Figure with at most 60 frames, among them the initial and the final parameters."""
    from plotly.graph_objects import Figure, Frame

    steps, params, losses = _frame_values(result)
    x = grid(result)[thinned(grid(result).size, CURVE_POINTS)]
    with np.errstate(all="ignore"):
        curves = drawable(result.model(params, x))
    static = _static_curves(result, shown, x)
    moving = len(static), len(static) + 1
    at = _positions(steps, losses)
    made = Figure(data=[*static, _curve(x, curves[0]), _marker(0, at, losses), _loss(at, losses)])
    made.frames = [
        Frame(
            name=str(step),
            data=[_curve(x, curve), _marker(number, at, losses)],
            traces=list(moving),
        )
        for number, (step, curve) in enumerate(zip(steps.tolist(), curves, strict=True))
    ]
    made.update_layout(_layout(result, forecast, shown, steps, losses))
    return made


def _frame_values(result: Result) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The updates taken, the parameters after them and the loss of these, for each frame.

    Their shapes are (F,), (F, K) and (F,) for F frames, of which there are at most `MAX_FRAMES`.
    """
    history = result.history
    some = thinned_history(history.step.size, MAX_FRAMES - 1)
    steps = np.concatenate([[0], history.step[some]])
    params = np.vstack([result.initial, history.params[some]])
    with np.errstate(all="ignore"):
        losses = result.samples.loss(result.model(params, result.samples.x))
    return steps, params, losses


def _static_curves(result: Result, shown: DisplayedData, x: np.ndarray) -> list[dict[str, Any]]:
    """The plotly traces that are the same in all frames: the samples and the target."""
    curves = []
    if shown.x.size:
        dots = {"mode": "markers", "marker": {"color": Palette.GREY, "size": 4, "opacity": 0.6}}
        curves.append({"type": "scatter", "name": "samples", "x": shown.x, "y": shown.y, **dots})
    else:
        samples = result.samples
        ring = {"mode": "markers", "marker": {"color": Palette.ORANGE, "size": 8, "symbol": "circle-open"}}
        curves.append({"type": "scatter", "name": "reduced samples", "x": samples.x, "y": samples.y, **ring})
    if shown.target is not None:
        with np.errstate(all="ignore"):
            y = drawable(np.asarray(shown.target(x.copy()), float) + np.zeros_like(x))
        line = {"color": "rgba(0, 158, 115, 0.45)", "width": 6}  # GREEN
        curves.append({"type": "scatter", "name": "target", "mode": "lines", "x": x, "y": y, "line": line})
    return curves


def _curve(x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    return {"type": "scatter", "name": "fitted", "mode": "lines", "x": x, "y": y, "line": {"color": Palette.BLUE}}


def _marker(frame: int, at: np.ndarray, losses: np.ndarray) -> dict[str, Any]:
    """The marker on the loss curve, with the loss written on the side where there is room."""
    place = "top right" if frame < at.size // 2 else "top left"
    number = {"text": [f"{losses[frame]:.4g}"], "textposition": place, "textfont": {"size": 13}, "cliponaxis": False}
    marker = {"color": Palette.VERMILLION, "size": 11}
    own = {"xaxis": "x2", "yaxis": "y2", "mode": "markers+text", "marker": marker, **number, "showlegend": False}
    here = {"x": at[frame : frame + 1], "y": _drawable_on_log(losses[frame : frame + 1])}
    return {"type": "scatter", "name": "current step", **here, **own}


def _loss(at: np.ndarray, losses: np.ndarray) -> dict[str, Any]:
    own = {
        "xaxis": "x2",
        "yaxis": "y2",
        "mode": "lines+markers",
        "marker": {"size": 4},
        "line": {"color": Palette.BLUE},
        "showlegend": False,
    }
    hover = {"customdata": np.where(at < 1, 0, at), "hovertemplate": "%{customdata} updates: %{y:.4g}"}
    return {"type": "scatter", "name": "loss", "x": at, "y": _drawable_on_log(losses), **hover, **own}


def _drawable_on_log(values: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.where((values > 0) & (values < MAX_ON_AXIS), values, np.nan)


def _layout(
    result: Result, forecast: Forecast, shown: DisplayedData, steps: np.ndarray, losses: np.ndarray
) -> dict[str, Any]:
    diverged = ", DIVERGED" if result.outcome is Outcome.DIVERGED else ""
    title = html.escape(f"{subject(result)}{diverged}")
    x_name, y_name = (html.escape(shortened(printable(one), MAX_AXIS_NAME_CHARACTERS)) for one in shown.axis_names)
    lines = []
    if forecast.lowest is not None and forecast.lowest > 0:
        green = {"color": Palette.GREEN, "dash": "dash", "width": 1.5}
        ends = {"x0": 0, "x1": 1, "y0": forecast.lowest, "y1": forecast.lowest}
        label = {
            "text": "best possible" if forecast.exact else "lower bound",
            "textposition": "start",
            "yanchor": "bottom",
        }
        lines = [{"type": "line", "xref": "x2 domain", "yref": "y2", "line": green, "label": label, **ends}]
    return {
        "template": "plotly_white",
        "title": {
            "text": f"<b>{title}</b><br><sup>{html.escape(rate(forecast))}</sup>",
            "x": 0.01,
            "font": {"size": 16},
        },
        "margin": {"l": 60, "r": 15, "t": 90, "b": 10},
        "legend": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1.0, "yanchor": "bottom"},
        "xaxis": {"title": {"text": x_name}, "anchor": "y"},
        "yaxis": {"title": {"text": y_name}, "domain": [0.5, 1], "range": _range(result, shown)},
        "xaxis2": {"title": {"text": "updates taken", "standoff": 4}, "anchor": "y2", **_scale(steps, losses)},
        "yaxis2": {"title": {"text": "loss"}, "domain": [0, 0.33], "type": "log", **_decades(losses, forecast)},
        "shapes": lines,
        "sliders": [_slider(steps)],
        "updatemenus": [_buttons()],
    }


def _positions(steps: np.ndarray, losses: np.ndarray) -> np.ndarray:  # shape: (F,)
    """Where these steps are on their axis: on a logarithmic one, 0 is a decade before 1, as in the pictures."""
    return np.where(steps == 0, ZERO_ON_LOG_AXIS, steps) if logarithmic(steps, losses) else steps


def _scale(steps: np.ndarray, losses: np.ndarray) -> dict[str, Any]:
    if not logarithmic(steps, losses):
        return {}
    decades = int(np.log10(steps[-1]))
    powers = range(0, decades + 1, 1 + decades // 8)
    return {
        "type": "log",
        "tickvals": [ZERO_ON_LOG_AXIS, *(10.0**power for power in powers)],
        "ticktext": ["0", *(f"10<sup>{power}</sup>" for power in powers)],
    }


def _decades(losses: np.ndarray, forecast: Forecast) -> dict[str, Any]:
    """Ticks at powers of ten only where the loss spans more than one of them; otherwise those that plotly chooses."""
    shown = _drawable_on_log(np.append(losses, forecast.lowest or np.nan))
    shown = shown[np.isfinite(shown)]
    span = np.log10(shown.max()) - np.log10(shown.min()) if shown.size else 0.0
    return {"dtick": int(np.ceil(span / 4)), "exponentformat": "power"} if span > 1 else {"exponentformat": "power"}


def _range(result: Result, shown: DisplayedData) -> list[float]:
    """The range of the y axis, the same in every frame: the target, and the final curve as far as it is near that."""
    y = shown.y if shown.y.size else result.samples.y
    low, high = float(y.min()), float(y.max())
    height = (high - low) or max(1.0, abs(high))
    curve = drawable(result(grid(result)))
    near = curve[
        np.isfinite(curve)
        & (curve > low - MAX_HEIGHTS_BEYOND_TARGET * height)
        & (curve < high + MAX_HEIGHTS_BEYOND_TARGET * height)
    ]
    low, high = min(low, near.min(initial=low)), max(high, near.max(initial=high))
    margin = 0.25 * ((high - low) or 1.0)
    return [float(low - margin), float(high + margin)]


def _slider(steps: np.ndarray) -> dict[str, Any]:
    at_once = {"mode": "immediate", "frame": {"duration": 0, "redraw": False}, "transition": {"duration": 0}}
    stops = [{"label": str(step), "method": "animate", "args": [[str(step)], at_once]} for step in steps.tolist()]
    return {"steps": stops, "currentvalue": {"prefix": "updates taken: "}, "x": 0.27, "len": 0.73, "pad": {"t": 40}}


def _buttons() -> dict[str, Any]:
    play = {
        "frame": {"duration": FRAME_MILLISECONDS, "redraw": False},
        "transition": {"duration": 0},
        "fromcurrent": True,
    }
    pause = {"frame": {"duration": 0, "redraw": False}, "mode": "immediate"}
    buttons = [
        {"label": "Play", "method": "animate", "args": [None, play]},
        {"label": "Pause", "method": "animate", "args": [[None], pause]},
    ]
    place = {"x": 0.0, "y": 0, "xanchor": "left", "yanchor": "top", "pad": {"t": 62}}
    return {"type": "buttons", "direction": "left", "showactive": False, "buttons": buttons, **place}
