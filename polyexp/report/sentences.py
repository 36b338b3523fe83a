"""Sentences and numbers about a run, which are both plain text and Markdown."""

import numpy as np

from polyexp.exact import Forecast, above, alternative, at_most
from polyexp.fitting import Outcome, Result, Snapshot
from polyexp.optimizer import Momentum

__all__ = [
    "advice",
    "coefficients",
    "ending",
    "forecast_sentences",
    "headline",
    "judgement",
    "loss_line",
    "mode_rows",
    "rate",
    "verdict",
]

CLOSE_RELATIVE_EXCESS = 1e-2  # an excess of at most this part of the best loss counts as reaching the best loss


def headline(result: Result) -> str:
    """The fitted formula with the values of its parameters."""
    return result.model.formula(result.params)


def loss_line(snapshot: Snapshot) -> str:
    """The loss of a snapshot as the original programs print it; very small and very large losses have powers of ten."""
    loss = float(snapshot.loss)
    text = f"{loss:>5.3f}" if loss == 0 or 1e-3 <= abs(loss) < 1e6 else f"{loss:.4g}"
    return f"Loss at {snapshot.step:>5} iteration: {text}"


def coefficients(result: Result) -> list[tuple[str, str, str]]:
    """The rows of a table of the parameters and the power series, each with parameter, value, and coefficient of a power of x.

    The last column is empty for a power series, whose parameters are these coefficients, and for a model that is not a
    polynomial.
    """
    params = [(name, f"{value: .10g}") for name, value in result.parameters.items()]
    series = result.power_series
    powers = [] if series is None or np.array_equal(series, result.params) else [f"{v: .10g}" for v in series]
    size = max(len(params), len(powers))
    params += [("", "")] * (size - len(params))
    powers = [f"{power}  x^{k}" for k, power in enumerate(powers)] + [""] * (size - len(powers))
    return [(name, value, power) for (name, value), power in zip(params, powers, strict=True)]


def forecast_sentences(forecast: Forecast) -> list[str]:
    """The forecast of a run in sentences."""
    return [f"{rate(forecast)}; {_expected_loss(forecast)}."]


def rate(forecast: Forecast) -> str:
    """The learning rate and its limit, such as `learning_rate=1e-06 is stable (limit 1.616e-06)`."""
    optimizer = forecast.optimizer
    momentum = f" momentum={optimizer.momentum:.4g}" if isinstance(optimizer, Momentum) else ""
    learning_rate = optimizer.learning_rate
    if forecast.limit is None:
        return f"learning_rate={learning_rate:.4g}{momentum} has no known stability limit"
    # The two numbers are rounded apart or alike, so that they compare in print as they do exactly.
    stable = learning_rate <= forecast.limit
    used = f"learning_rate={(at_most if stable else above)(learning_rate)}{momentum}"
    return f"{used} is {'stable' if stable else 'NOT stable'} (limit {at_most(forecast.limit)})"


def _expected_loss(forecast: Forecast) -> str:
    if not forecast.exact:
        bound = (
            "" if forecast.lowest is None else f"no polynomial of this degree has a loss below {forecast.lowest:.4g}; "
        )
        curvature = f"from {forecast.eigenvalues[-1]:.3g} to {forecast.eigenvalues[0]:.4g}"
        return f"{bound}at the start the eigenvalues of the Hessian range {curvature}"
    if forecast.final_loss is None:
        return f"the best possible loss is {forecast.lowest:.4g}"
    after = f"after {forecast.steps} steps the loss will be {forecast.final_loss:.4g}"
    slowest = f"the slowest mode needs {_slowest_mode_steps(forecast)} steps"
    return f"{after} (best possible: {forecast.lowest:.4g}); {slowest}"


def _slowest_mode_steps(forecast: Forecast) -> str:
    return "more than 1e+18" if forecast.slowest is None else f"{forecast.slowest:.2g}"


def verdict(result: Result, forecast: Forecast, *, rate_alone: bool = False) -> list[str]:
    """Sentences on how far above the best loss a run has ended, and on what to try; none where no best loss is known.

    Args:
        result: The result of the run.
        forecast: The forecast of the run.
        rate_alone: Whether the best learning rate by itself is mentioned, as in `advice`.
    """
    if forecast.lowest is None:
        return []
    above = _excess(result, forecast)
    what = "the best possible loss of this model" if forecast.exact else "what any polynomial of its degree can reach"
    distance = f"That is {above:.4g} above {what}, {forecast.lowest:.4g}."
    if above > _close_excess(forecast):
        return [distance, *advice(forecast, rate_alone=rate_alone)]
    higher = ", such as one of a higher model.degree," if hasattr(forecast.model, "degree") else ""
    return [distance, f"This is as good as the best possible loss: only another model{higher} can do better."]


def ending(result: Result, forecast: Forecast) -> str:
    """Why a run ended, with the advice of its outcome where its loss is not yet as good as the best."""
    outcome: Outcome = result.outcome
    best = (
        outcome is Outcome.MAX_STEPS
        and forecast.lowest is not None
        and _excess(result, forecast) <= _close_excess(forecast)
    )
    return "All steps were taken." if best else str(outcome.value)


def _excess(result: Result, forecast: Forecast) -> float:
    """The excess of the result, or where it is not known the difference from the lower bound of the loss."""
    return float(result.loss) - (forecast.lowest or 0.0) if result.excess is None else float(result.excess)


def mode_rows(forecast: Forecast) -> list[tuple[str, str, str, str]]:
    """The rows of a table of the modes of the Hessian.

    Each has the number of the mode, its eigenvalue, the part of its coordinate that is left at the last step, and the steps
    after which a thousandth is left.
    """
    rows = []
    for number, value in enumerate(forecast.eigenvalues):
        left, steps = forecast.mode(number)
        rows.append((str(number), f"{value:.4g}", _unknown(left), _unknown(steps)))
    return rows


def _unknown(number: float | None) -> str:
    return "not known" if number is None else f"{number:.3g}"


def advice(forecast: Forecast, *, rate_alone: bool = False) -> list[str]:
    """Sentences on the steps that are needed to come close to the best loss, and on settings that need fewer.

    Args:
        forecast: The forecast of the run.
        rate_alone: Whether the steps at the best learning rate, with the same optimizer, are given as well.
    """
    if forecast.lowest is None:
        return []
    close = _close_excess(forecast)
    needed = forecast.steps_to(close)
    lines = (
        []
        if needed is None
        else [f"At this learning rate it takes {needed:.2g} steps to come within {close:.2g} of the best loss."]
    )
    other = alternative(forecast, close)
    if other is not None and (needed is None or other.steps < needed):
        lines.append(f"`{other.words}` would need {other.steps} steps.")
    best = forecast.steps_to_at_best_rate(close) if rate_alone else None
    if best is not None and (needed is None or best < 0.99 * needed) and (other is None or best != other.steps):
        lines.append(f"With `{forecast.optimizer.key('learning_rate')}=auto` alone it would take {best:.2g} steps.")
    return lines


def _close_excess(forecast: Forecast) -> float:
    """The excess at which a loss is as good as the best, but no less than the rounding of the loss itself."""
    scale = float(forecast.samples.loss(np.zeros_like(forecast.samples.y)))
    return max(CLOSE_RELATIVE_EXCESS * (forecast.lowest or 0), float(np.finfo(float).eps) * scale)


def judgement(result: Result, forecast: Forecast) -> str:
    """A paragraph on the loss of a run, its distance from the best loss, what to try, and why the run ended."""
    sentences = [f"Loss {result.loss:.4g} after {result.steps} steps.", *verdict(result, forecast, rate_alone=True)]
    if forecast.final_loss is not None and float(result.excess) > _close_excess(forecast):
        sentences.insert(2, f"The slowest mode needs {_slowest_mode_steps(forecast)} steps.")
    return " ".join([*sentences, f"{result.outcome.name}: {ending(result, forecast)}"])
