"""The figure of the distances between the coefficients and their optimum."""

from typing import Any

import numpy as np

from polyexp.base import counted
from polyexp.fitting import Result, best_power_series
from polyexp.report.axes import (
    COLOURS,
    Figure,
    annotate,
    axis_name,
    colour_scale,
    figure,
    legend,
    log_axis,
    thinned,
    thinned_history,
)
from polyexp.report.figures.curves import (
    MAX_CURVES,
    MAX_MARKS,
    MAX_SNAPSHOTS,
    drawable,
    drawable_on_log,
    spread_steps,
    subject,
)

__all__ = ["coefficients_figure"]

MAX_NAMED_CURVES = len(COLOURS)  # curves that the legend names; a larger number of them has a colour scale


def coefficients_figure(result: Result) -> Figure:
    """The distance of each coefficient from its optimum, over the updates, on a logarithmic scale.

    Of a linear model the coefficients are its parameters; of any other polynomial they are those of its power series, and the
    optimum is the best polynomial of the degree. Of a model that is no polynomial the values of the parameters are drawn.
    """
    snapshots = thinned_history(result.history.step.size, MAX_SNAPSHOTS)
    at = np.concatenate([[0], result.history.step[snapshots]])
    params = np.vstack([result.initial, result.history.params[snapshots]])
    names, values, best = _values_and_optimum(result, params)
    made, (ax,) = figure(subject(result), _optimum_words(result, best))
    with np.errstate(all="ignore"):
        distances = drawable(values if best is None else np.abs(values - best))
    curves = distances if best is None else drawable_on_log(distances)
    shown = thinned(len(names), MAX_CURVES)
    marks: dict[str, Any] = {"marker": "o", "markersize": 2.5} if at.size <= MAX_MARKS else {}
    for place, k in enumerate(shown):
        style = (
            {"color": COLOURS[place]}
            if shown.size <= MAX_NAMED_CURVES
            else {"color": colour_scale()(place / (shown.size - 1))}
        )
        label = axis_name(names[k]) if shown.size <= MAX_NAMED_CURVES else None
        dashes = "-" if k % 2 == 0 else (0, (4, 1.5))  # odd ones are dashed, so that not only colour distinguishes them
        ax.plot(at, curves[:, k], linewidth=1.5, linestyle=dashes, label=label, **style, **marks)
    if best is not None:
        some = log_axis(ax, curves, otherwise="Every coefficient is at its optimum.")
        if some and (distances == 0).any():
            annotate(ax, "exactly 0 where a curve ends or has a gap")
    ax.set_xlabel("updates taken")
    ax.set_ylabel("value" if best is None else "|coefficient - optimum|")
    spread_steps(ax, at, np.abs(values) if best is None else curves)
    if shown.size > MAX_NAMED_CURVES:
        _colour_bar(made, ax, names, shown.size)
    legend(ax, columns=MAX_NAMED_CURVES)
    return made


def _values_and_optimum(result: Result, params: np.ndarray) -> tuple[list[str], np.ndarray, np.ndarray | None]:
    """The names of the coefficients, their values at these parameters, and their optimum, None where it is not known.

    The values have shape (L, C) for parameters of shape (L, K), and the optimum (C,).
    """
    model = result.model
    if result.quadratic is not None:
        return list(model.param_names), params, result.quadratic.optimum
    best = best_power_series(result)
    with np.errstate(all="ignore"):
        series = None if best is None else model.power_series(params)
    if best is None or series is None:
        return list(model.param_names), params, None
    return [f"x^{k}" for k in range(best.size)], series, best


def _optimum_words(result: Result, best: np.ndarray | None) -> str:
    if best is None:
        return "the parameters"
    if result.quadratic is None:
        return "distance of each coefficient in powers of x from the best polynomial of the same degree"
    undetermined = int((result.quadratic.eigenvalues == 0).sum())
    which = (
        f"the optimum of least norm: the samples do not determine {counted(undetermined, 'mode')}"
        if undetermined
        else "its optimum"
    )
    return f"distance of each coefficient from {which}"


def _colour_bar(made: Figure, ax: Any, names: list[str], size: int) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    bar = made.colorbar(ScalarMappable(Normalize(0, len(names) - 1), colour_scale()), ax=ax, pad=0.02)
    bar.set_ticks([0, len(names) - 1], labels=[axis_name(names[0]), axis_name(names[-1])])
    bar.ax.tick_params(labelsize=9)
    if size < len(names):
        annotate(ax, f"{size} of {len(names)} coefficients")
