"""Sentences and numbers about a run, which are both plain text and Markdown."""

import numpy as np

from polyexp.exact import Forecast, above, alternative, at_most, close_excess, hopeless
from polyexp.fitting import Outcome, Result, Snapshot
from polyexp.optimizer import Momentum

__all__ = [
    "advice",
    "coefficients",
    "count",
    "ending",
    "forecast_sentences",
    "headline",
    "judgement",
    "loss_line",
    "mode_rows",
    "rate",
    "verdict",
    "warnings",
]

MAX_ROUNDING_OF_SCATTER = 1e-9  # by which sums of squares of many samples may differ, relative to the sum


def count(number: int, noun: str) -> str:
    """A number of things, such as `1 step` or `2 steps`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


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


def verdict(result: Result, forecast: Forecast) -> list[str]:
    """Sentences on how far above the best loss a run has ended, and on what to try; none where no best loss is known."""
    if forecast.lowest is None:
        return []
    excess = _excess(result, forecast)
    what = "the best possible loss of this model" if forecast.exact else "what any polynomial of its degree can reach"
    distance = f"That is {excess:.4g} above {what}, {forecast.lowest:.4g}."
    if excess > close_excess(forecast):
        return [distance, *advice(forecast), *undetermined(forecast)]
    return [distance, f"This is as good as the best possible loss{_what_is_better(forecast)}.", *undetermined(forecast)]


def _what_is_better(forecast: Forecast) -> str:
    """What has a lower loss than the best one of this model, as the rest of a sentence."""
    samples, lowest = forecast.samples, forecast.lowest or 0.0
    rounding = float(np.finfo(float).eps) * float(samples.loss(np.zeros_like(samples.y)))
    if lowest - samples.scatter > max(rounding, MAX_ROUNDING_OF_SCATTER * lowest):
        degree = ", such as one of a higher model.degree," if hasattr(forecast.model, "degree") else ""
        return f": only another model{degree} can do better"
    return ": the rest is scatter of samples with the same x" if samples.scatter > rounding else ""


def ending(result: Result, forecast: Forecast) -> str:
    """Why a run ended, with the advice of its outcome where its loss is not yet as good as the best."""
    outcome: Outcome = result.outcome
    # How many more steps would help is known where there is a forecast, and said in `advice`.
    known = forecast.final_loss is not None or (
        forecast.lowest is not None and _excess(result, forecast) <= close_excess(forecast)
    )
    return "All steps were taken." if outcome is Outcome.MAX_STEPS and known else str(outcome.value)


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


def warnings(forecast: Forecast) -> list[str]:
    """Sentences on what a run cannot do, before it starts."""
    lines = undetermined(forecast)
    if hopeless(forecast):
        falls = f"In {count(forecast.steps, 'step')} the run will lose less than 1 % of its excess loss."
        lines.append(" ".join([falls, *_suggestion(forecast)]))
    return lines


def undetermined(forecast: Forecast) -> list[str]:
    """A sentence on the parameters that the samples do not determine; none if they determine all of them."""
    size, distinct = len(forecast.model.param_names), forecast.samples.distinct
    hidden = int((forecast.eigenvalues == 0).sum()) if forecast.quadratic else 0
    if distinct < size:
        what = f"{distinct} distinct x cannot determine {count(size, 'parameter')}"
    elif hidden:
        what = f"float64 cannot determine {hidden} of the {count(size, 'mode')} of this model from these samples"
    else:
        return []
    return [f"{what}: what they leave open keeps its initial value."]


def advice(forecast: Forecast) -> list[str]:
    """Sentences on the steps that are needed to come close to the best loss, and on settings that need fewer."""
    if forecast.lowest is None:
        return []
    close = close_excess(forecast)
    needed = forecast.steps_to(close)
    lines = (
        []
        if needed is None
        else [f"At this learning rate it takes {needed:.2g} steps to come within {close:.2g} of the best loss."]
    )
    return lines + _suggestion(forecast)


def _suggestion(forecast: Forecast) -> list[str]:
    """The best alternative with its forecast, as a sentence; none if nothing better is known."""
    other = alternative(forecast)
    if other is None:
        return []
    if other.close:
        return [f"`{other.words}` would need {count(other.steps, 'step')}."]
    return [f"`{other.words}` would reach a loss of {other.loss:.4g} in {count(other.steps, 'step')}."]


def judgement(result: Result, forecast: Forecast) -> str:
    """A paragraph on the loss of a run, its distance from the best loss, what to try, and why the run ended."""
    sentences = [f"Loss {result.loss:.4g} after {result.steps} steps.", *verdict(result, forecast)]
    if forecast.final_loss is not None and float(result.excess) > close_excess(forecast):
        sentences.insert(2, f"The slowest mode needs {_slowest_mode_steps(forecast)} steps.")
    return " ".join([*sentences, f"{result.outcome.name}: {ending(result, forecast)}"])
