"""Pictures of a run: how the curve fits, how the loss fell, how far the coefficients and the Hessian's modes have come.

Each function draws one figure of a single run from its result alone and writes nothing. Whatever is not finite is left
out, so that a diverged run has pictures too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from polyexp.exact.prediction import Forecast
from polyexp.fitting.driver import History, Outcome, Result
from polyexp.problem.sampling import TARGETS, Problem, Source
from polyexp.report.axes import (
    COLOURS,
    HIGHEST,
    LOWEST,
    Figure,
    Palette,
    figure,
    legend,
    log_axis,
    save,
    say,
    shortened,
    thinned,
)
from polyexp.report.sentences import best_power_series, rate

__all__ = [
    "Scene",
    "coefficients_figure",
    "draw",
    "fit_figure",
    "grid",
    "logarithmic",
    "loss_figure",
    "modes_figure",
    "scene",
    "subject",
    "updates",
]

POINTS = 400  # samples shown
CURVE = 600  # points of a curve
LOOKS = 400  # looks shown
FEW = 60  # samples or looks that each get a mark of their own
READ_AGAIN = 2**20  # samples that are worth reading once more for a picture
MANY = len(COLOURS)  # curves that are told apart by name; more of them by a colour scale
MOST = 64  # curves drawn at all
WITHIN = 20.0  # the fitted curve is shown in whole up to this many times the height of what it is fitted to
DONE = 1e-6  # of a mode's excess loss: a thousandth of its distance
GROWN = 1 + 1e-9
NOTHING = 1e-12  # of a mode's excess loss: where its bar ends in a stub
NAME = 24  # letters of a name in a title


@dataclass(frozen=True)
class Scene:
    """What a fitted curve is shown against: the function where it is known, and some of the samples as they were given.

    x and y have shape (M,), with M = 0 where there are too many samples to read them again.
    """

    target: Callable[[np.ndarray], np.ndarray] | None
    x: np.ndarray
    y: np.ndarray


def scene(result: Result, problem: Source | None = None, seed: int = 0) -> Scene:
    """What `result` is shown against; `problem` and `seed` are those it was fitted with, None where there were only samples.

    Samples that have been reduced are drawn or read once more, unless there are more than a million.
    """
    target = problem.target if isinstance(problem, Problem) else None
    function = TARGETS.get(target) if isinstance(target, str) else target
    samples = result.samples
    if samples.size == samples.total or problem is None:
        some = thinned(samples.size, POINTS)
        kept = samples.size == samples.total
        return Scene(function, *((samples.x[some], samples.y[some]) if kept else (np.empty(0), np.empty(0))))
    if samples.total > READ_AGAIN:
        return Scene(function, np.empty(0), np.empty(0))
    x, y = (np.concatenate(one) for one in zip(*(chunk[:2] for chunk in problem.chunks(seed)), strict=True))
    some = thinned(x.size, POINTS)
    return Scene(function, x[some], y[some])


def draw(folder: Path, result: Result, known: Forecast, shown: Scene) -> list[Path]:
    """Write the pictures that apply to a single run into its folder, and return their paths."""
    made = {
        "fit.png": fit_figure(result, shown),
        "loss.png": loss_figure(result, known),
        "coefficients.png": coefficients_figure(result),
        "modes.png": modes_figure(result, known),
    }
    return [save(one, folder / name) for name, one in made.items() if one is not None]


def fit_figure(result: Result, shown: Scene) -> Figure:
    """The target, the samples and the fitted curve; below it the residual on a scale of its own."""
    x = grid(result)
    curve, target = _bounded(result(x)), _values(shown.target, x)
    samples = result.samples
    made, (top, bottom) = figure(subject(result), _ending(result), rows=(2.2, 1), height=4.6)
    if target is not None:
        top.plot(x, target, color=Palette.GREEN, linewidth=4, alpha=0.45, label="target")
    if shown.x.size:
        few = shown.x.size <= FEW
        look = {"markersize": 8, "zorder": 3} if few else {"markersize": 3.5, "alpha": 0.6}
        dots = {"linestyle": "none", "marker": ".", "color": Palette.GREY, **look}
        some = "samples" if shown.x.size == samples.total else f"{shown.x.size} of {samples.total} samples"
        top.plot(shown.x, shown.y, label=some, **dots)
        bottom.plot(shown.x, _bounded(result(shown.x) - shown.y), **dots)
    if samples.size < samples.total:
        ring = {"linestyle": "none", "marker": "o", "markersize": 5, "markerfacecolor": "none"}
        nodes = thinned(samples.size, MOST)
        top.plot(
            samples.x[nodes], samples.y[nodes], color=Palette.ORANGE, label=f"reduced to {samples.size} nodes", **ring
        )
    top.plot(x, curve, color=Palette.BLUE, linewidth=1.6, label="fitted")
    bottom.axhline(0, color=Palette.BLACK, linewidth=0.8)
    if target is not None:
        bottom.plot(x, _bounded(result(x) - target), color=Palette.BLUE, linewidth=1.2)
    _frame(top, [part for part in (target, shown.y, samples.y) if part is not None], curve)
    top.set_ylabel("y")
    bottom.set_ylabel("fitted - target" if target is not None and not shown.x.size else "residual")
    bottom.set_xlabel("x")
    legend(top)
    made.align_ylabels()
    return made


def loss_figure(result: Result, known: Forecast) -> Figure:
    """The loss that was measured, the one that was predicted, and the best possible one, on a logarithmic scale.

    A loss is drawn at the number of updates that its parameters have seen.
    """
    made, (ax,) = figure(subject(result), rate(known))
    taken, loss = updates(result)
    predicted_at, predicted = _predicted(known, int(taken[-1]))
    if predicted.size:
        ax.plot(predicted_at, _positive(predicted), color=Palette.ORANGE, linewidth=3.5, alpha=0.7, label="predicted")
    marker = "o" if taken.size <= FEW else None
    ax.plot(taken, _positive(loss), color=Palette.BLUE, linewidth=1.3, marker=marker, markersize=3.5, label="measured")
    lowest = np.nan if known.lowest is None else known.lowest
    if lowest > 0:
        what = "best possible" if known.exact else "no polynomial of its degree is below"
        ax.axhline(lowest, color=Palette.GREEN, linewidth=1.3, linestyle="--", label=f"{what}: {lowest:.4g}")
    zeros = int((loss == 0).sum())
    some = log_axis(ax, loss, predicted, np.array([lowest]), otherwise="No loss is finite and above zero.")
    if some and zeros:
        say(ax, f"exactly 0 at {zeros} of {loss.size} looks")
    ax.set_xlabel("updates taken")
    ax.set_ylabel("loss")
    _spread_steps(ax, result)
    legend(ax)
    return made


def coefficients_figure(result: Result) -> Figure:
    """How far each coefficient is from its optimum, over the updates, on a logarithmic scale.

    Those of a model that is not linear are taken in powers of x, against the best polynomial of its degree; where the
    model is no polynomial, its parameters are drawn as they are.
    """
    looks = thinned(result.history.step.size, LOOKS)
    at = np.concatenate([[0], result.history.step[looks]])
    params = np.vstack([result.initial, result.history.params[looks]])
    names, values, best = _towards(result, params)
    made, (ax,) = figure(subject(result), _optimum_words(result, best))
    with np.errstate(all="ignore"):
        distances = _bounded(values if best is None else np.abs(values - best))
    curves = distances if best is None else _positive(distances)
    shown = thinned(len(names), MOST)
    for place, k in enumerate(shown):
        style = {"color": COLOURS[place]} if shown.size <= MANY else {"color": _scale()(place / (shown.size - 1))}
        label = names[k] if shown.size <= MANY else None
        dashes = "-" if k % 2 == 0 else (0, (4, 1.5))  # odd ones are dashed, so that colour is not all
        ax.plot(at, curves[:, k], linewidth=1.5, linestyle=dashes, label=label, **style)
    if best is not None:
        log_axis(ax, curves, otherwise="Every coefficient is at its optimum.")
    ax.set_xlabel("updates taken")
    ax.set_ylabel("value" if best is None else "|coefficient - optimum|")
    _spread_steps(ax, result)
    if shown.size > MANY:
        _colour_bar(made, ax, names, shown.size)
    legend(ax, columns=MANY)
    return made


def modes_figure(result: Result, known: Forecast) -> Figure | None:
    """What is left of each Hessian mode's part of the loss; None where the model is not linear."""
    quadratic = result.quadratic
    if quadratic is None:
        return None
    first = _excess_by_mode(quadratic.eigenvalues, quadratic.coordinates(result.initial))
    last = _excess_by_mode(quadratic.eigenvalues, quadratic.coordinates(result.params))
    with np.errstate(all="ignore"):
        left = _visible(np.where(first > 0, last / first, np.nan))
    made, (ax,) = figure(subject(result), _holds_most(result, last))
    shown = thinned(left.size, MOST)
    _bars(ax, shown, left[shown])
    predicted = _predicted_left(result, known)
    if predicted is not None:
        expected = np.where(first > 0, predicted, np.nan)
        ax.plot(shown, expected[shown], color=Palette.BLACK, linestyle="none", marker="_", label="predicted")
    ax.axhline(DONE, color=Palette.BLACK, linewidth=0.8, linestyle=":", label="a thousandth of its distance")
    if not np.isfinite(left).any():
        say(ax, "no mode had an excess at the start")
    ax.set_xlim(-0.6, left.size - 0.4)
    _name_modes(ax, quadratic.eigenvalues)
    ax.set_ylabel("left of its initial excess loss")
    legend(ax)
    return made


def _bars(ax: Any, number: np.ndarray, left: np.ndarray) -> None:
    """A bar for each mode, by its state, on a logarithmic axis."""
    low, high = float(np.nanmin(left, initial=1e-7)) / 5, float(np.nanmax(left, initial=1.0))
    width = 0.7 * (number[1] - number[0] if number.size > 1 else 1)
    for chosen, colour, label, hatch in (
        (left <= DONE, Palette.GREEN, "done", ""),
        ((left > DONE) & (left <= GROWN), Palette.ORANGE, "still going", "//"),
        (left > GROWN, Palette.VERMILLION, "grown", "xx"),
    ):
        if chosen.any():
            look = {"color": colour, "hatch": hatch, "edgecolor": "white"}
            ax.bar(number[chosen], left[chosen] - low, width, low, label=label, **look)
    ax.set_ylim(low, high * (high / low) ** 0.05)
    ax.set_yscale("log")
    ax.minorticks_off()


# What is drawn


def subject(result: Result) -> str:
    """`sin by power_series of degree 7`"""
    degree = result.model.polynomial_degree
    of = "" if degree is None else f" of degree {degree}"
    return f"{shortened(result.samples.name, NAME)} by {shortened(result.model.choice, NAME)}{of}"


def grid(result: Result) -> np.ndarray:  # shape: (CURVE,)
    """Where curves are evaluated: over the domain, or around a single point."""
    low, high = result.samples.domain
    if low == high:
        low, high = low - max(1.0, abs(low) / 2), high + max(1.0, abs(high) / 2)
    return np.linspace(0, 1, CURVE) * high + np.linspace(1, 0, CURVE) * low  # does not overflow where high - low does


def updates(result: Result) -> tuple[np.ndarray, np.ndarray]:  # shape: (L + 1,) each
    """The updates behind each loss that was measured, and that loss; the last one is the final loss.

    At step t the loss before update t was seen, so that its parameters had seen t - 1 updates.
    """
    history: History = result.history
    some = thinned(history.step.size, LOOKS)
    return np.append(history.step[some] - 1, result.steps), np.append(history.loss[some], result.loss)


def _ending(result: Result) -> str:
    ended = " (DIVERGED: its last finite parameters)" if result.outcome is Outcome.DIVERGED else ""
    return f"loss {result.loss:.4g} after {result.steps} steps, largest error {result.max_error:.4g}{ended}"


def _values(function: Callable[[np.ndarray], np.ndarray] | None, x: np.ndarray) -> np.ndarray | None:
    if function is None:
        return None
    with np.errstate(all="ignore"):
        return _bounded(np.asarray(function(x.copy()), float) + np.zeros_like(x))


def _bounded(values: np.ndarray) -> np.ndarray:
    """nan for what no axis can show."""
    with np.errstate(all="ignore"):
        return np.where(np.abs(values) < 1e300, values, np.nan)


def _positive(values: np.ndarray) -> np.ndarray:
    """nan for what no logarithmic axis can show."""
    with np.errstate(all="ignore"):
        return np.where((values > LOWEST) & (values < HIGHEST), values, np.nan)


def _frame(ax: Any, wanted: list[np.ndarray], curve: np.ndarray) -> None:
    """The y axis around what is to be fitted, and around the curve unless that would hide everything else."""
    fixed = np.concatenate(wanted)
    fixed = fixed[np.isfinite(fixed)]
    low, high = float(fixed.min(initial=np.inf)), float(fixed.max(initial=-np.inf))
    if not low <= high:
        return
    height = (high - low) or max(1.0, abs(high))
    inside = curve[np.isfinite(curve)]
    near = inside[(inside >= low - WITHIN * height) & (inside <= high + WITHIN * height)]
    if near.size == curve.size:
        low, high = min(low, float(near.min())), max(high, float(near.max()))
    elif not near.size:
        say(ax, "the fitted curve is beyond this range")
        high += 0.2 * height
    else:
        say(ax, "the fitted curve leaves this range")
        low, high = low - 0.5 * height, high + 0.5 * height
    margin = 0.05 * ((high - low) or 2.0)
    ax.set_ylim(low - margin, high + margin)


def _predicted(known: Forecast, last: int) -> tuple[np.ndarray, np.ndarray]:
    """The loss at some numbers of updates up to the last one, as the forecast knows it; empty where it does not."""
    quadratic, optimizer = known.quadratic, known.optimizer
    if quadratic is None or optimizer.damping(known.eigenvalues, 1) is None:
        return np.empty(0), np.empty(0)
    half = CURVE // 4
    spread = [np.linspace(0, last, half), np.geomspace(1, max(last, 1), half)]
    at = np.unique(np.concatenate(spread).astype(np.int64))
    coordinates = quadratic.coordinates(known.initial)
    with np.errstate(all="ignore"):
        left = [np.asarray(optimizer.damping(known.eigenvalues, int(step))) for step in at]
        return at, quadratic.lowest + quadratic.excess_at(np.stack(left) * coordinates)


def logarithmic(steps: np.ndarray) -> bool:
    """Whether looks are spread logarithmically, as those of loop=closed_form are."""
    return bool(steps.size > 2 and steps[-1] > 1000 and steps[-1] - steps[-2] > 2 * (steps[1] - steps[0]))


def _spread_steps(ax: Any, result: Result) -> None:
    """Updates along the x axis: whole numbers, spread as the looks are."""
    step = result.history.step
    if logarithmic(step):
        ax.set_xscale("symlog", linthresh=1)
        ax.set_xlim(0, step[-1] * 1.2)
    else:
        ax.locator_params(axis="x", integer=True)


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


def _excess_by_mode(eigenvalues: np.ndarray, coordinates: np.ndarray) -> np.ndarray:  # shape: (K,)
    with np.errstate(all="ignore"):
        return np.asarray(eigenvalues / 2 * coordinates**2)


def _visible(left: np.ndarray) -> np.ndarray:
    """What is left of a mode, between the least and the most that a bar can show."""
    with np.errstate(all="ignore"):
        return np.where(np.isfinite(left), np.clip(left, NOTHING, 1 / NOTHING), np.nan)


def _predicted_left(result: Result, known: Forecast) -> np.ndarray | None:
    """The part of each mode's excess that should be left after as many steps as were taken; None where that is not known."""
    with np.errstate(all="ignore"):
        damping = known.optimizer.damping(known.eigenvalues, int(result.steps))
        return None if damping is None else _visible(damping**2)


def _holds_most(result: Result, last: np.ndarray) -> str:
    """Which mode the remaining loss is in."""
    with np.errstate(over="ignore"):
        total = float(np.nansum(last))
        rounding = np.finfo(float).eps * float(result.samples.loss(np.zeros_like(result.samples.y)))
    if not rounding < total < np.inf:
        return "what is left is no more than rounding" if total <= rounding else ""
    worst = int(np.nanargmax(last))
    return f"mode {worst} holds {100 * last[worst] / total:.3g} % of the {total:.4g} above the best possible loss"


def _name_modes(ax: Any, eigenvalues: np.ndarray) -> None:
    """The modes' numbers below the bars, with their eigenvalues where there is room."""
    few = eigenvalues.size <= 10
    if few:
        ax.set_xticks(range(eigenvalues.size), labels=[f"{k}\n{value:.3g}" for k, value in enumerate(eigenvalues)])
        ax.tick_params(axis="x", labelsize=8)
    else:
        ax.locator_params(axis="x", integer=True)
    ax.grid(visible=False, axis="x")
    ax.set_xlabel("mode, and its eigenvalue" if few else "mode, by falling eigenvalue")
