"""The fit as a film: one HTML file with a slider over the looks, that needs no network and no other file.

Above, the curve approaches its target; below, a marker follows the loss. plotly is imported when a page is made.
"""

import html
from pathlib import Path
from typing import Any

import numpy as np

from polyexp.exact import Forecast
from polyexp.fitting import Outcome, Result
from polyexp.report.axes import Palette, thinned
from polyexp.report.figures import Scene
from polyexp.report.figures.curves import grid, logarithmic, subject
from polyexp.report.sentences import rate

__all__ = ["film", "write_page"]

MAX_FRAMES = 60
CURVE_POINTS = 240  # points of a curve; fewer than in a picture, as there is one for each frame
MAX_HEIGHTS = 3.0  # the axis reaches so many heights of the target beyond it
FRAME_MILLISECONDS = 120  # a frame

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


def write_page(folder: Path, result: Result, known: Forecast, shown: Scene) -> Path:
    """Write page.html into the run's folder and return its path."""
    path = folder / "page.html"
    made = film(result, known, shown)
    inside = made.to_html(
        full_html=False,
        include_plotlyjs=True,
        auto_play=False,
        config={"displaylogo": False, "responsive": True},
        div_id="film",
    )
    path.write_text(PAGE.format(title=html.escape(f"polyexp: {subject(result)}"), film=inside), encoding="utf-8")
    return path


def film(result: Result, known: Forecast, shown: Scene) -> Any:
    """A plotly Figure with a frame for each of at most 60 looks, the first parameters and the last ones among them."""
    from plotly.graph_objects import Figure, Frame

    steps, params, losses = _moments(result)
    x = grid(result)[thinned(grid(result).size, CURVE_POINTS)]
    with np.errstate(all="ignore"):
        curves = _shown(result.model(params, x))
    still = _still(result, shown, x)
    moving = len(still), len(still) + 1
    made = Figure(data=[*still, _curve(x, curves[0]), _marker(steps[0], losses[0], steps), _loss(steps, losses)])
    made.frames = [
        Frame(
            name=str(step),
            data=[_curve(x, curve), _marker(step, loss, steps)],
            traces=list(moving),
        )
        for step, curve, loss in zip(steps.tolist(), curves, losses, strict=True)
    ]
    made.update_layout(_layout(result, known, shown, steps, losses))
    return made


def _moments(result: Result) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Updates taken, parameters after them and their loss, at no more than `MAX_FRAMES` moments from the start to the end.

    # shape: (F,), (F, K), (F,)
    """
    history = result.history
    some = thinned(history.step.size, MAX_FRAMES - 1)
    steps = np.concatenate([[0], history.step[some]])
    params = np.vstack([result.initial, history.params[some]])
    with np.errstate(all="ignore"):
        losses = result.samples.loss(result.model(params, result.samples.x))
    begin = 1 if logarithmic(history.step) else 0  # a logarithmic axis has no zero
    return steps[begin:], params[begin:], losses[begin:]


def _still(result: Result, shown: Scene, x: np.ndarray) -> list[dict[str, Any]]:
    """The curves that do not move: the samples and the target."""
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
            y = _shown(np.asarray(shown.target(x.copy()), float) + np.zeros_like(x))
        line = {"color": "rgba(0, 158, 115, 0.45)", "width": 6}  # GREEN
        curves.append({"type": "scatter", "name": "target", "mode": "lines", "x": x, "y": y, "line": line})
    return curves


def _curve(x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    return {"type": "scatter", "name": "fitted", "mode": "lines", "x": x, "y": y, "line": {"color": Palette.BLUE}}


def _marker(step: Any, loss: Any, steps: np.ndarray) -> dict[str, Any]:
    """The moment on the curve of the loss, with its number on the side where there is room."""
    place = "top right" if step < steps[steps.size // 2] else "top left"
    number = {"text": [f"{loss:.4g}"], "textposition": place, "textfont": {"size": 13}, "cliponaxis": False}
    marker = {"color": Palette.VERMILLION, "size": 11}
    own = {"xaxis": "x2", "yaxis": "y2", "mode": "markers+text", "marker": marker, **number, "showlegend": False}
    return {"type": "scatter", "name": "this moment", "x": [int(step)], "y": _positive(np.array([loss])), **own}


def _loss(steps: np.ndarray, losses: np.ndarray) -> dict[str, Any]:
    own = {"xaxis": "x2", "yaxis": "y2", "mode": "lines", "line": {"color": Palette.BLUE}, "showlegend": False}
    return {"type": "scatter", "name": "loss", "x": steps, "y": _positive(losses), **own}


def _shown(values: np.ndarray) -> np.ndarray:
    """nan, which leaves a gap, for what no axis can show."""
    with np.errstate(all="ignore"):
        return np.where(np.abs(values) < 1e300, values, np.nan)


def _positive(values: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.where((values > 0) & (values < 1e300), values, np.nan)


def _layout(result: Result, known: Forecast, shown: Scene, steps: np.ndarray, losses: np.ndarray) -> dict[str, Any]:
    diverged = ", DIVERGED" if result.outcome is Outcome.DIVERGED else ""
    title = html.escape(f"{subject(result)}{diverged}")
    lines = []
    if known.lowest is not None and known.lowest > 0:
        green = {"color": Palette.GREEN, "dash": "dash", "width": 1.5}
        ends = {"x0": 0, "x1": 1, "y0": known.lowest, "y1": known.lowest}
        label = {
            "text": "best possible" if known.exact else "lower bound",
            "textposition": "start",
            "yanchor": "bottom",
        }
        lines = [{"type": "line", "xref": "x2 domain", "yref": "y2", "line": green, "label": label, **ends}]
    return {
        "template": "plotly_white",
        "title": {"text": f"<b>{title}</b><br><sup>{html.escape(rate(known))}</sup>", "x": 0.01, "font": {"size": 16}},
        "margin": {"l": 60, "r": 15, "t": 90, "b": 10},
        "legend": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1.0, "yanchor": "bottom"},
        "xaxis": {"title": {"text": "x"}, "anchor": "y"},
        "yaxis": {"title": {"text": "y"}, "domain": [0.5, 1], "range": _range(result, shown)},
        "xaxis2": {"title": {"text": "updates taken", "standoff": 4}, "anchor": "y2", **_scale(result.history.step)},
        "yaxis2": {"title": {"text": "loss"}, "domain": [0, 0.33], "type": "log", **_decades(losses, known)},
        "shapes": lines,
        "sliders": [_slider(steps)],
        "updatemenus": [_buttons()],
    }


def _scale(steps: np.ndarray) -> dict[str, Any]:
    return {"type": "log", "exponentformat": "power", "dtick": 2} if logarithmic(steps) else {}


def _decades(losses: np.ndarray, known: Forecast) -> dict[str, Any]:
    """Powers of ten alone along the axis of a loss that spans more than one; else the library's own choice."""
    shown = _positive(np.append(losses, known.lowest or np.nan))
    shown = shown[np.isfinite(shown)]
    span = np.log10(shown.max() / shown.min()) if shown.size else 0.0
    return {"dtick": int(np.ceil(span / 4)), "exponentformat": "power"} if span > 1 else {"exponentformat": "power"}


def _range(result: Result, shown: Scene) -> list[float]:
    """Of the y axis, the same in every frame: the target and some way beyond it."""
    y = shown.y if shown.y.size else result.samples.y
    low, high = float(y.min()), float(y.max())
    height = (high - low) or max(1.0, abs(high))
    curve = _shown(result(grid(result)))
    near = curve[np.isfinite(curve) & (curve > low - MAX_HEIGHTS * height) & (curve < high + MAX_HEIGHTS * height)]
    low, high = min(low, near.min(initial=low)), max(high, near.max(initial=high))
    margin = 0.25 * ((high - low) or 1.0)
    return [float(low - margin), float(high + margin)]


def _slider(steps: np.ndarray) -> dict[str, Any]:
    now = {"mode": "immediate", "frame": {"duration": 0, "redraw": False}, "transition": {"duration": 0}}
    stops = [{"label": str(step), "method": "animate", "args": [[str(step)], now]} for step in steps.tolist()]
    return {"steps": stops, "currentvalue": {"prefix": "updates taken: "}, "x": 0.27, "len": 0.73, "pad": {"t": 40}}


def _buttons() -> dict[str, Any]:
    on = {
        "frame": {"duration": FRAME_MILLISECONDS, "redraw": False},
        "transition": {"duration": 0},
        "fromcurrent": True,
    }
    off = {"frame": {"duration": 0, "redraw": False}, "mode": "immediate"}
    buttons = [
        {"label": "Play", "method": "animate", "args": [None, on]},
        {"label": "Pause", "method": "animate", "args": [[None], off]},
    ]
    place = {"x": 0.0, "y": 0, "xanchor": "left", "yanchor": "top", "pad": {"t": 62}}
    return {"type": "buttons", "direction": "left", "showactive": False, "buttons": buttons, **place}
