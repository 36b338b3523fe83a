"""Sentences and numbers about a run, which are both plain text and Markdown."""

import numpy as np

from polyexp.base import counted
from polyexp.exact import Forecast, alternative, at_most
from polyexp.fitting import Outcome, Result, Snapshot

__all__ = [
    "DIGITS",
    "advice",
    "coefficients",
    "digits_of",
    "ending",
    "forecast_sentences",
    "headline",
    "judgement",
    "loss_line",
    "mode_rows",
    "number",
    "rate",
    "verdict",
]

CLOSE_RELATIVE_EXCESS = 1e-2  # an excess of at most this part of the best loss counts as reaching the best loss
DIGITS, DIGITS_OF_DIVERGED = 10, 4  # of parameters in tables; those of a run that diverged have no meaning
LEAST_ROUNDING = 1e-12  # part of the largest term, up to which another one is rounding that solving has amplified
POINTS = 64  # of the domain, at which the sizes of terms are compared


def headline(result: Result) -> str:
    """The fitted formula with the values of its parameters, without terms that are rounding."""
    return result.model.formula(_without_rounding(result))


def _without_rounding(result: Result) -> np.ndarray:  # shape: (K,)
    """The parameters, with 0 for each that is rounding of the largest, and that changes no value by more than rounding."""
    params, x = result.params, np.linspace(*result.samples.domain, POINTS)
    eps = float(np.finfo(np.float32 if "float32" in result.computed_by else np.float64).eps)
    tolerance = max(LEAST_ROUNDING, params.size * eps)  # a sum of K terms is rounded by up to K eps
    with np.errstate(all="ignore"):
        without_one = np.where(np.eye(params.size, dtype=bool), 0.0, params)
        change = np.abs(result.model(without_one, x) - result.model(params, x)).max(-1)
        rounding = (change <= tolerance * change.max()) & (np.abs(params) <= tolerance * np.abs(params).max())
    return np.where(rounding, 0.0, params)


def number(value: float, digits: int) -> str:
    """A number with so many digits, in which zero has no sign."""
    return f"{value + 0.0:.{digits}g}"


def digits_of(result: Result) -> int:
    """The number of digits with which parameters of this result are shown in tables."""
    return DIGITS_OF_DIVERGED if result.outcome is Outcome.DIVERGED else DIGITS


def loss_line(snapshot: Snapshot) -> str:
    """The loss of a snapshot as the original programs print it; losses below 1 or of a million have four digits."""
    loss = float(snapshot.loss)
    text = f"{loss:>5.3f}" if loss == 0 or 1 <= abs(loss) < 1e6 else f"{loss:#.4g}"
    return f"Loss at {snapshot.step:>5} iteration: {text}"


def coefficients(result: Result) -> list[tuple[str, str, str]]:
    """The rows of a table of the parameters and the power series, each with parameter, value, and coefficient of a power of x.

    The last column is empty for a power series, whose parameters are these coefficients, and for a model that is not a
    polynomial.
    """
    series, digits = result.power_series, digits_of(result)
    params = [(name, _aligned(value, digits)) for name, value in result.parameters.items()]
    powers = [] if series is None or np.array_equal(series, result.params) else [_aligned(v, digits) for v in series]
    size = max(len(params), len(powers))
    params += [("", "")] * (size - len(params))
    powers = [f"{power}  x^{k}" for k, power in enumerate(powers)] + [""] * (size - len(powers))
    return [(name, value, power) for (name, value), power in zip(params, powers, strict=True)]


def _aligned(value: float, digits: int) -> str:
    """The number with a blank in the place of its sign where it has none."""
    text = number(value, digits)
    return text if text.startswith("-") else f" {text}"


def forecast_sentences(forecast: Forecast) -> list[str]:
    """The forecast of a run in sentences."""
    return [f"{rate(forecast)}; {_expected_loss(forecast)}."]


def rate(forecast: Forecast) -> str:
    """The learning rate and its limit, such as `learning_rate=1e-06 is stable (limit 1.616e-06)`."""
    optimizer = forecast.optimizer
    value = getattr(optimizer, "momentum", None)
    momentum = "" if value is None else f" momentum={value:.4g}"
    used = f"learning_rate={optimizer.learning_rate:.4g}{momentum}"
    if forecast.limit is None:
        return f"{used} has no known stability limit"
    stability = "stable" if optimizer.learning_rate <= forecast.limit else "NOT stable"
    return f"{used} is {stability} (limit {at_most(forecast.limit)})"


def _expected_loss(forecast: Forecast) -> str:
    if not forecast.exact:
        bound = (
            "" if forecast.lowest is None else f"no polynomial of this degree has a loss below {forecast.lowest:.4g}; "
        )
        curvature = f"from {forecast.eigenvalues[-1]:.3g} to {forecast.eigenvalues[0]:.4g}"
        return f"{bound}at the start the eigenvalues of the Hessian range {curvature}"
    if forecast.final_loss is None:
        return f"the best possible loss is {forecast.lowest:.4g}"
    after = f"after {counted(forecast.steps, 'step')} the loss will be {forecast.final_loss:.4g}"
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
    for mode, value in enumerate(forecast.eigenvalues):
        left, steps = forecast.mode(mode)
        rows.append((str(mode), number(value, 4), _unknown(left), _unknown(steps)))
    return rows


def _unknown(value: float | None) -> str:
    return "not known" if value is None else number(value, 3)


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
    sentences = [
        f"Loss {result.loss:.4g} after {counted(result.steps, 'step')}.",
        *verdict(result, forecast, rate_alone=True),
    ]
    if forecast.final_loss is not None and float(result.excess) > _close_excess(forecast):
        sentences.insert(2, f"The slowest mode needs {_slowest_mode_steps(forecast)} steps.")
    return " ".join([*sentences, f"{result.outcome.name}: {ending(result, forecast)}"])
