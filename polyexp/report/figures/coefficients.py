"""The figure of the coefficients' distances from their optimum."""

from typing import Any

import numpy as np

from polyexp.fitting import Result, best_power_series
from polyexp.report.axes import COLOURS, Figure, figure, legend, log_axis, say, thinned
from polyexp.report.figures.curves import MAX_CURVES, MAX_SNAPSHOTS, drawable, drawable_on_log, spread_steps, subject

__all__ = ["coefficients_figure"]

MAX_NAMED_CURVES = len(COLOURS)  # curves that are told apart by name; more of them by a colour scale


def coefficients_figure(result: Result) -> Figure:
    """How far each coefficient is from its optimum, over the updates, on a logarithmic scale.

    Those of a model that is not linear are taken in powers of x, against the best polynomial of its degree; where the
    model is no polynomial, its parameters are drawn as they are.
    """
    looks = thinned(result.history.step.size, MAX_SNAPSHOTS)
    at = np.concatenate([[0], result.history.step[looks]])
    params = np.vstack([result.initial, result.history.params[looks]])
    names, values, best = _towards(result, params)
    made, (ax,) = figure(subject(result), _optimum_words(result, best))
    with np.errstate(all="ignore"):
        distances = drawable(values if best is None else np.abs(values - best))
    curves = distances if best is None else drawable_on_log(distances)
    shown = thinned(len(names), MAX_CURVES)
    for place, k in enumerate(shown):
        style = (
            {"color": COLOURS[place]}
            if shown.size <= MAX_NAMED_CURVES
            else {"color": _scale()(place / (shown.size - 1))}
        )
        label = names[k] if shown.size <= MAX_NAMED_CURVES else None
        dashes = "-" if k % 2 == 0 else (0, (4, 1.5))  # odd ones are dashed, so that colour is not all
        ax.plot(at, curves[:, k], linewidth=1.5, linestyle=dashes, label=label, **style)
    if best is not None:
        log_axis(ax, curves, otherwise="Every coefficient is at its optimum.")
    ax.set_xlabel("updates taken")
    ax.set_ylabel("value" if best is None else "|coefficient - optimum|")
    spread_steps(ax, result)
    if shown.size > MAX_NAMED_CURVES:
        _colour_bar(made, ax, names, shown.size)
    legend(ax, columns=MAX_NAMED_CURVES)
    return made


def _towards(result: Result, params: np.ndarray) -> tuple[list[str], np.ndarray, np.ndarray | None]:
    """The coefficients' names, their values at these parameters, and what they tend to."""
    model = result.model
    if result.quadratic is not None:
        return list(model.param_names), params, result.quadratic.optimum
    best = best_power_series(result)
    if best is None:
        return list(model.param_names), params, None
    with np.errstate(all="ignore"):
        return [f"x^{k}" for k in range(best.size)], model.power_series(params), best


def _optimum_words(result: Result, best: np.ndarray | None) -> str:
    if best is None:
        return "the parameters"
    if result.quadratic is None:
        return "distance of each coefficient in powers of x to the best polynomial of the same degree"
    unseen = int((result.quadratic.eigenvalues == 0).sum())
    which = f"the least of many optima: {unseen} modes are beyond the samples" if unseen else "its optimum"
    return f"distance of each coefficient to {which}"


def _scale() -> Any:
    from matplotlib import colormaps

    return colormaps["cividis"]  # even in lightness, and made for the colour-blind


def _colour_bar(made: Figure, ax: Any, names: list[str], size: int) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    bar = made.colorbar(ScalarMappable(Normalize(0, len(names) - 1), _scale()), ax=ax, pad=0.02)
    bar.set_ticks([0, len(names) - 1], labels=[names[0], names[-1]])
    bar.ax.tick_params(labelsize=9)
    if size < len(names):
        say(ax, f"{size} of {len(names)} coefficients")
