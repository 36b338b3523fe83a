"""A run in words and numbers, as plain text or Markdown."""

import numpy as np

from polyexp.fit import Look, Outcome, Result
from polyexp.forecast import Forecast, alternative
from polyexp.optimizers import Momentum

__all__ = ["advice", "coefficients", "description", "headline", "loss_line", "mode_rows", "outlook", "verdict"]

CLOSE = 1e-2  # a loss this part above the best possible one is as good as the best

MAX_ROWS, MAX_FORMULA = 50, 3000  # of a description, which MLflow cuts at 8000 letters


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
    return [f"{_rate(known)}; {_prospect(known)}."]


def _rate(known: Forecast) -> str:
    optimizer = known.optimizer
    momentum = f" momentum={optimizer.momentum:.4g}" if isinstance(optimizer, Momentum) else ""
    rate = f"learning_rate={optimizer.learning_rate:.4g}{momentum}"
    if known.limit is None:
        return f"{rate} has no limit that is known beforehand"
    return f"{rate} is {'stable' if optimizer.learning_rate <= known.limit else 'NOT stable'} (limit {known.limit:.4g})"


def _prospect(known: Forecast) -> str:
    if not known.exact:
        bound = "" if known.lowest is None else f"no polynomial of its degree has a loss below {known.lowest:.4g}; "
        curvature = f"from {known.eigenvalues[-1]:.3g} to {known.eigenvalues[0]:.4g}"
        return f"{bound}at the start the Hessian's eigenvalues lie {curvature}"
    best = f"the best possible is {known.lowest:.4g}"
    if known.final_loss is None:
        return best
    slowest = "more than 1e+18" if known.slowest is None else f"{known.slowest:.2g}"
    after = f"after {known.steps} steps the loss will be {known.final_loss:.4g}"
    return f"{after}, {best}; the slowest mode needs {slowest} steps"


def verdict(result: Result, known: Forecast) -> list[str]:
    """How far from the best possible a run has ended, and what to try, in sentences."""
    if known.lowest is None:
        return []
    above = float(result.loss) - known.lowest if result.excess is None else float(result.excess)
    what = "the best possible loss of this model" if known.exact else "what any polynomial of its degree can reach"
    distance = f"That is {above:.4g} above {what}, {known.lowest:.4g}."
    if above > _close(known):
        return [distance, *advice(known)]
    return [
        distance,
        "It is as good as the best: only another model can do better, such as one of a higher model.degree.",
    ]


def mode_rows(known: Forecast) -> list[tuple[str, str, str, str]]:
    """A row for each mode of the Hessian: number, eigenvalue, what is left of it at the last step, steps to a thousandth."""
    rows = []
    for number, value in enumerate(known.eigenvalues):
        left, steps = known.mode(number)
        rows.append((str(number), f"{value:.4g}", _unknown(left), _unknown(steps)))
    return rows


def _unknown(number: float | None) -> str:
    return "not known" if number is None else f"{number:.3g}"


def advice(known: Forecast) -> list[str]:
    """What could be typed instead, in sentences."""
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
    return lines


def _close(known: Forecast) -> float:
    scale = float(known.samples.loss(np.zeros_like(known.samples.y)))
    return max(CLOSE * (known.lowest or 0), float(np.finfo(float).eps) * scale)


def description(result: Result, known: Forecast) -> str:
    """The run's page in MLflow: the formula, how it ended, and the coefficients as a small table, in Markdown."""
    outcome: Outcome = result.outcome
    formula, rows = headline(result), [f"| {' | '.join(row)} |" for row in coefficients(result)]
    if len(rows) > MAX_ROWS:
        rows[MAX_ROWS:] = ["| ... | | |"]
    if len(formula) > MAX_FORMULA:
        formula = f"{formula[:MAX_FORMULA]} ..."
    return (
        f"`{formula}`\n\n"
        f"Loss {result.loss:.4g} after {result.steps} steps. {' '.join(verdict(result, known))}\n\n"
        f"{outcome.name}: {outcome.value}\n\n"
        "| parameter | value | in powers of x |\n|---|---|---|\n" + "\n".join(rows)
    )
