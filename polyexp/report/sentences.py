"""A run in words and numbers, as plain text or Markdown."""

import numpy as np

from polyexp.exact import Forecast, alternative, at_most
from polyexp.fitting import Look, Outcome, Result
from polyexp.optimizer import Momentum

__all__ = [
    "advice",
    "coefficients",
    "ending",
    "headline",
    "judgement",
    "loss_line",
    "mode_rows",
    "outlook",
    "rate",
    "verdict",
]

CLOSE_TO_BEST = 1e-2  # a loss this part above the best possible one is as good as the best


def headline(result: Result) -> str:
    """The fitted formula with its numbers."""
    return result.model.formula(result.params)


def loss_line(look: Look) -> str:
    """`Loss at   200 iteration: 98.422`, as the original programs print it; tiny and huge losses in powers of ten."""
    loss = float(look.loss)
    text = f"{loss:>5.3f}" if loss == 0 or 1e-3 <= abs(loss) < 1e6 else f"{loss:.4g}"
    return f"Loss at {look.step:>5} iteration: {text}"


def coefficients(result: Result) -> list[tuple[str, str, str]]:
    """Rows for a table: parameter, value, and the coefficient of the power of x that belongs in this row, if any.

    A power series' parameters are those coefficients, so its last column is empty.
    """
    params = [(name, f"{value: .10g}") for name, value in result.parameters.items()]
    powers = [] if np.array_equal(result.power_series, result.params) else [f"{v: .10g}" for v in result.power_series]
    size = max(len(params), len(powers))
    params += [("", "")] * (size - len(params))
    powers = [f"{power}  x^{k}" for k, power in enumerate(powers)] + [""] * (size - len(powers))
    return [(name, value, power) for (name, value), power in zip(params, powers, strict=True)]


def outlook(known: Forecast) -> list[str]:
    """What is known of a run before it starts, in sentences."""
    return [f"{rate(known)}; {_prospect(known)}."]


def rate(known: Forecast) -> str:
    """The learning rate and its limit: `learning_rate=1e-06 is stable (limit 1.616e-06)`"""
    optimizer = known.optimizer
    momentum = f" momentum={optimizer.momentum:.4g}" if isinstance(optimizer, Momentum) else ""
    used = f"learning_rate={optimizer.learning_rate:.4g}{momentum}"
    if known.limit is None:
        return f"{used} has no limit that is known beforehand"
    return f"{used} is {'stable' if optimizer.learning_rate <= known.limit else 'NOT stable'} (limit {at_most(known.limit)})"


def _prospect(known: Forecast) -> str:
    if not known.exact:
        bound = "" if known.lowest is None else f"no polynomial of its degree has a loss below {known.lowest:.4g}; "
        curvature = f"from {known.eigenvalues[-1]:.3g} to {known.eigenvalues[0]:.4g}"
        return f"{bound}at the start the Hessian's eigenvalues lie {curvature}"
    best = f"the best possible is {known.lowest:.4g}"
    if known.final_loss is None:
        return best
    after = f"after {known.steps} steps the loss will be {known.final_loss:.4g}"
    return f"{after}, {best}; the slowest mode needs {_slowest(known)} steps"


def _slowest(known: Forecast) -> str:
    return "more than 1e+18" if known.slowest is None else f"{known.slowest:.2g}"


def verdict(result: Result, known: Forecast, *, rate_alone: bool = False) -> list[str]:
    """How far from the best possible a run has ended, and what to try, in sentences; `rate_alone` as in `advice`."""
    if known.lowest is None:
        return []
    above = _above(result, known)
    what = "the best possible loss of this model" if known.exact else "what any polynomial of its degree can reach"
    distance = f"That is {above:.4g} above {what}, {known.lowest:.4g}."
    if above > _close(known):
        return [distance, *advice(known, rate_alone=rate_alone)]
    return [
        distance,
        "It is as good as the best: only another model can do better, such as one of a higher model.degree.",
    ]


def ending(result: Result, known: Forecast) -> str:
    """Why a run ended, with its advice; a run that is as good as the best needs none."""
    outcome: Outcome = result.outcome
    best = outcome is Outcome.MAX_STEPS and known.lowest is not None and _above(result, known) <= _close(known)
    return "All steps were taken." if best else str(outcome.value)


def _above(result: Result, known: Forecast) -> float:
    """How far the result is above the lowest loss that is known."""
    return float(result.loss) - (known.lowest or 0.0) if result.excess is None else float(result.excess)


def mode_rows(known: Forecast) -> list[tuple[str, str, str, str]]:
    """A row for each mode of the Hessian: number, eigenvalue, what is left of it at the last step, steps to a thousandth."""
    rows = []
    for number, value in enumerate(known.eigenvalues):
        left, steps = known.mode(number)
        rows.append((str(number), f"{value:.4g}", _unknown(left), _unknown(steps)))
    return rows


def _unknown(number: float | None) -> str:
    return "not known" if number is None else f"{number:.3g}"


def advice(known: Forecast, *, rate_alone: bool = False) -> list[str]:
    """What could be typed instead, in sentences; with `rate_alone` also what the best learning rate would do by itself."""
    if known.lowest is None:
        return []
    close = _close(known)
    needed = known.steps_to(close)
    lines = (
        [] if needed is None else [f"At this rate it takes {needed:.2g} steps to come within {close:.2g} of the best."]
    )
    other = alternative(known, close)
    if other is not None and (needed is None or other.steps < needed):
        lines.append(f"Try `{other.words}`: {other.steps} steps.")
    best = known.steps_to_at_best_rate(close) if rate_alone else None
    if best is not None and (needed is None or best < 0.99 * needed) and (other is None or best != other.steps):
        lines.append(f"`{known.optimizer.key('learning_rate')}=auto` alone: {best:.2g} steps.")
    return lines


def _close(known: Forecast) -> float:
    scale = float(known.samples.loss(np.zeros_like(known.samples.y)))
    return max(CLOSE_TO_BEST * (known.lowest or 0), float(np.finfo(float).eps) * scale)


def judgement(result: Result, known: Forecast) -> str:
    """How a run ended, how far that is from the best possible, how long that takes and what to try, as one paragraph."""
    sentences = [f"Loss {result.loss:.4g} after {result.steps} steps.", *verdict(result, known, rate_alone=True)]
    if known.final_loss is not None and float(result.excess) > _close(known):
        sentences.insert(2, f"The slowest mode needs {_slowest(known)} steps.")
    return " ".join([*sentences, f"{result.outcome.name}: {ending(result, known)}"])
