"""Sentences and numbers about a run, which are both plain text and Markdown."""

from collections.abc import Sequence

import numpy as np

from polyexp.base import counted
from polyexp.exact import Forecast, above, alternative, at_most, close_excess, hopeless, in_words
from polyexp.fitting import Outcome, Result, Snapshot

__all__ = [
    "DIGITS",
    "advice",
    "cancellation",
    "coefficients",
    "digits_of",
    "ending",
    "forecast_sentences",
    "futile",
    "futile_jobs",
    "headline",
    "judgement",
    "loss_line",
    "mode_rows",
    "number",
    "rate",
    "undetermined",
    "verdict",
]

DIGITS, DIGITS_OF_DIVERGED = 10, 4  # of parameters in tables; those of a run that diverged have no meaning
LEAST_ROUNDING = 1e-12  # part of the largest term, up to which another one is rounding that solving has amplified
MAX_CANCELLATION = 1e-6  # of the largest value, which coefficients as they are shown may be wrong
POINTS = 64  # of the domain, at which the sizes of terms are compared
MAX_ROUNDING_OF_SCATTER = 1e-9  # by which sums of squares of many samples may differ, relative to the sum


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


def cancellation(result: Result) -> list[str]:
    """A sentence where the coefficients in powers of x, as `coefficients` shows them, do not give six digits of the values.

    Powers of x cancel each other where the domain lies far from 0, or the degree is high: the sum of terms of size S is known
    to the rounding of S only (Higham, 2002, section 5.1).
    """
    series = result.power_series
    if series is None or result.outcome is Outcome.DIVERGED or not result.samples.size:
        return []
    shown = np.array([float(number(value, DIGITS)) for value in series])
    x = np.linspace(*result.samples.domain, POINTS)
    with np.errstate(all="ignore"):
        exact = result(x)
        error = np.abs(np.polynomial.polynomial.polyval(x, shown) - exact).max()
    if not error > MAX_CANCELLATION * np.abs(exact).max():
        return []
    own = np.array_equal(series, result.params)
    instead = (
        "fit `model=legendre_series`" if own else "use the values of the parameters, or the file of `action=export`"
    )
    return [
        f"As they are shown, the coefficients in powers of x give values with errors of up to {error:.2g}, since the powers "
        f"cancel each other on this domain: {instead}."
    ]


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
    after = f"after {counted(forecast.steps, 'step')} the loss will be {forecast.final_loss:.4g}"
    slowest = f"the slowest mode needs {_slowest_mode_steps(forecast)}"
    return f"{after} (best possible: {forecast.lowest:.4g}); {slowest}"


def _slowest_mode_steps(forecast: Forecast) -> str:
    return "more than 1e+18 steps" if forecast.slowest is None else in_words(forecast.slowest)


def verdict(result: Result, forecast: Forecast, *, suggests: bool = True) -> list[str]:
    """Sentences on how far above the best loss a run has ended, and on what to try; none where no best loss is known.

    What to try is left out without `suggests`: it takes ten times as long as all other sentences.
    """
    if forecast.lowest is None:
        return []
    excess = _excess(result, forecast)
    what = "the best possible loss of this model" if forecast.exact else "what any polynomial of its degree can reach"
    distance = f"That is {excess:.4g} above {what}, {forecast.lowest:.4g}."
    if excess > close_excess(forecast):
        return [distance, *(advice(forecast) if suggests else ()), *undetermined(forecast)]
    return [distance, f"This is as good as the best possible loss{_what_is_better(forecast)}.", *undetermined(forecast)]


def _what_is_better(forecast: Forecast) -> str:
    """What has a lower loss than the best one of this model, as the rest of a sentence."""
    samples, lowest = forecast.samples, forecast.lowest or 0.0
    rounding = float(np.finfo(float).eps) * float(samples.loss(np.zeros_like(samples.y)))
    if lowest - samples.scatter > max(rounding, MAX_ROUNDING_OF_SCATTER * lowest):
        degree = ", such as one of a higher model.degree," if hasattr(forecast.model, "degree") else ""
        return f": only another model{degree} can do better on these samples"
    return ": the rest is scatter of samples with the same x" if samples.scatter > rounding else ""


def ending(result: Result, forecast: Forecast) -> str:
    """Why a run ended, with the advice of its outcome where its loss is not yet as good as the best."""
    outcome: Outcome = result.outcome
    close = forecast.lowest is not None and _excess(result, forecast) <= close_excess(forecast)
    # How many more steps would help is known where there is a forecast, and said in `advice`.
    no_advice = {Outcome.MAX_STEPS: close or forecast.final_loss is not None, Outcome.CONVERGED: close}
    reason = str(outcome.value)
    return f"{reason.partition('. ')[0]}." if no_advice.get(outcome) else reason


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


def futile(forecast: Forecast) -> list[str]:
    """A sentence on a run that will get nowhere, and on what to type instead; none for other runs."""
    if not hopeless(forecast):
        return []
    falls = f"In {counted(forecast.steps, 'step')} the run will lose less than 1 % of its excess loss."
    return [" ".join([falls, *_suggestion(forecast)])]


def futile_jobs(forecasts: Sequence[Forecast]) -> list[str]:
    """A sentence on the jobs of a sweep that get nowhere, and on what to type instead of the first one; none without any.

    It is printed at the end of a sweep, also of one that was interrupted before some of these jobs.
    """
    found = [one for one in forecasts if hopeless(one)]
    if not found:
        return []
    jobs = f"{len(found)} of {counted(len(forecasts), 'job')}"
    falls = f"The forecast of {jobs} is a fall of less than 1 % of the excess loss."
    return [" ".join([falls, *_suggestion(found[0])])]


def undetermined(forecast: Forecast) -> list[str]:
    """A sentence on the parameters that the samples do not determine; none if they determine all of them."""
    size, distinct = len(forecast.model.param_names), forecast.samples.distinct
    hidden = int((forecast.eigenvalues == 0).sum()) if forecast.quadratic else 0
    degree = forecast.model.polynomial_degree
    # Samples that stand for others have no more x than a polynomial of this degree has coefficients.
    if distinct < (size if degree is None else min(size, degree + 1)):
        what = f"{distinct} distinct x cannot determine {counted(size, 'parameter')}"
    elif hidden:
        what = f"float64 cannot determine {hidden} of the {counted(size, 'mode')} of this model from these samples"
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
        else [f"At this learning rate it takes {in_words(needed)} to come within {close:.2g} of the best loss."]
    )
    return lines + _suggestion(forecast)


def _suggestion(forecast: Forecast) -> list[str]:
    """The best alternative with its forecast, as a sentence; none if nothing better is known."""
    other = alternative(forecast)
    if other is None:
        return []
    if other.close:
        return [f"`{other.words}` would need {in_words(other.steps)}."]
    return [f"`{other.words}` would reach a loss of {other.loss:.4g} in {in_words(other.steps)}."]


def judgement(result: Result, forecast: Forecast, *, suggests: bool = True) -> str:
    """A paragraph on the loss of a run, its distance from the best loss, what to try if asked, and why the run ended."""
    loss = f"Loss {result.loss:.4g} after {counted(result.steps, 'step')}."
    sentences = [loss, *verdict(result, forecast, suggests=suggests)]
    if forecast.final_loss is not None and float(result.excess) > close_excess(forecast):
        sentences.insert(2, f"The slowest mode needs {_slowest_mode_steps(forecast)}.")
    return " ".join([*sentences, f"{result.outcome.name}: {ending(result, forecast)}"])
