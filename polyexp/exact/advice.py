"""Settings that would bring a run closer to its best loss. Whatever is suggested has been forecast."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from polyexp.base import InputError, counted
from polyexp.exact.prediction import MAX_STEPS_SEARCHED, Forecast, forecast
from polyexp.exact.rates import at_most
from polyexp.loop import ClosedForm
from polyexp.model import LegendreSeries
from polyexp.optimizer import GradientDescent, Limited, Momentum, Optimizer

__all__ = ["Alternative", "alternative", "close_excess", "hopeless", "in_words", "require_stable"]

CLOSE_RELATIVE_EXCESS = 1e-2  # an excess of at most this part of the best loss counts as reaching the best loss
HOPELESS_FALL = 1e-2  # a run that loses a smaller part of its excess is hopeless
NEGLIGIBLE_EXCESS = 1e-12  # of the loss of y = 0: an excess that need not fall any further
MAX_STEPS_SUGGESTED = 10**7  # steps that a loop takes in about a minute
EXACT_STEPS = 10**6  # numbers of steps from here on are printed with two digits
MAX_KEPT = 8  # forecasts of which the alternative is kept


@dataclass(frozen=True)
class Alternative:
    """Settings with a lower loss than those of the run, and what was forecast of them.

    Args:
        words: The settings, as they are typed on the command line.
        loss: The predicted loss after `steps` steps, in the unit of y squared.
        steps: The number of steps until the loss is as good as the best; where it never is, those that are taken.
        close: Whether the loss is as good as the best one.
    """

    words: str
    loss: float
    steps: int
    close: bool

    @property
    def order(self) -> tuple[bool, float]:
        """What a better alternative has less of: steps where the loss is as good as the best one, otherwise loss."""
        return not self.close, float(self.steps) if self.close else self.loss


def in_words(steps: int) -> str:
    """A number of steps, exact where somebody may type it, and with two digits beyond."""
    return counted(steps, "step") if steps < EXACT_STEPS else f"{steps:.2g} steps"


def close_excess(forecast: Forecast) -> float:
    """The excess at which a loss counts as good as the best: a hundredth of it, but no less than the rounding of the loss."""
    smallest, rounding = np.finfo(float).tiny, np.finfo(float).eps * _loss_of_zero(forecast)
    return max(CLOSE_RELATIVE_EXCESS * (forecast.lowest or 0), float(rounding), float(smallest))


def hopeless(forecast: Forecast) -> bool:
    """Whether a run is predicted to lose less than a hundredth of its excess, although its loss is far from the best one.

    It is False where no loss can be predicted, and for a learning rate above its limit, which grows as it was asked to.
    """
    before, after = forecast.excess_after(0), forecast.excess_after(forecast.steps)
    if before is None or after is None or not _is_stable(forecast):
        return False
    return after > (1 - HOPELESS_FALL) * before and after > NEGLIGIBLE_EXCESS * _loss_of_zero(forecast)


def require_stable(forecast: Forecast) -> None:
    """Require a learning rate that is not above its limit, unless the optimizer allows divergence.

    Raises:
        InputError: The learning rate is above the limit; the sentence has settings that work.
    """
    optimizer, limit = forecast.optimizer, forecast.limit
    if limit is None or _is_stable(forecast) or not isinstance(optimizer, Limited) or optimizer.allow_divergence:
        return
    other = alternative(forecast)
    instead = f"`{other.words}` reaches a loss of {other.loss:.3g} in {in_words(other.steps)}, " if other else ""
    raise InputError(
        f"`{optimizer.key('learning_rate')}` must be at most {at_most(limit)}, got {optimizer.learning_rate!r}, with which the "
        f"loss of this model grows: {instead}`{optimizer.key('allow_divergence')}=true` runs this one anyway."
    )


@lru_cache(MAX_KEPT)
def alternative(forecast: Forecast) -> Alternative | None:
    """The settings that reach the best loss in the fewest steps or, where none does, those with the lowest loss.

    They are chosen from the best settings of the same optimizer, more steps, gradient descent on the Legendre series of the
    same degree, by steps or in closed form, and momentum for a model that is not a polynomial. None if none is better than
    the run itself.
    """
    itself = _judged("", forecast, forecast)
    judged = [_judged(words, other, forecast) for words, other in _candidates(forecast)]
    better = [one for one in judged if one and (itself is None or one.order < itself.order)]
    return min(better, key=lambda one: one.order, default=None)


def _candidates(run: Forecast) -> Iterator[tuple[str, Forecast]]:
    """The words and the forecast of each alternative."""
    automatic = _automatic(run.optimizer)
    if run.quadratic and automatic != run.optimizer:
        yield " ".join(_optimizer_words(run, automatic)), run.by(automatic, run.loop)
    needed = run.steps_to(close_excess(run))
    if needed and run.steps < needed and (run.loop.direct or needed <= MAX_STEPS_SUGGESTED):
        longer = replace(run.loop, steps=needed)
        yield f"{run.loop.key('steps')}={needed}", run.by(run.optimizer, longer)
    if run.model.polynomial_degree is not None:
        yield from _legendre_candidates(run, run.model.polynomial_degree)
    elif run.quadratic:
        rule = Momentum("auto", momentum="auto")
        yield " ".join(_optimizer_words(run, rule)), run.by(rule, run.loop)


def _legendre_candidates(run: Forecast, degree: int) -> Iterator[tuple[str, Forecast]]:
    """The Legendre series of a degree by the steps of the run, by as few more as it takes, and in closed form."""
    rule = GradientDescent("auto")
    series, model_words = _legendre_series(run, degree, rule)
    words = " ".join([*model_words, *_optimizer_words(run, rule)])
    yield words, series
    direct = ClosedForm(MAX_STEPS_SEARCHED, tolerance=run.loop.tolerance, patience=run.loop.patience)
    fastest = series.by(rule, replace(direct, tolerance=close_excess(run)))
    needed = fastest.steps_to(_needed_excess(fastest, run))
    if needed and run.steps < needed <= MAX_STEPS_SUGGESTED:
        longer = replace(run.loop, steps=needed)
        yield f"{words} {longer.key('steps')}={needed}", series.by(rule, longer)
    # Samples in clusters need more steps than any loop can take; in closed form they cost nothing.
    typed = f"{direct.group}={direct.choice} {direct.key('steps')}={MAX_STEPS_SEARCHED:.0e}".replace("e+", "e")
    yield f"{words} {typed}", series.by(rule, direct)


def _automatic(optimizer: Optimizer) -> Optimizer:
    """The optimizer with the best value of every setting that has one."""
    return replace(optimizer, **dict.fromkeys(optimizer.tunable, "auto"))


def _optimizer_words(run: Forecast, optimizer: Optimizer) -> list[str]:
    """The words that make this optimizer, all of whose tunable settings are "auto", of that of the run."""
    chosen = [] if optimizer.choice == run.optimizer.choice else [f"{optimizer.group}={optimizer.choice}"]
    return chosen + [f"{optimizer.key(name)}=auto" for name in optimizer.tunable]


def _legendre_series(run: Forecast, degree: int, rule: Optimizer) -> tuple[Forecast, list[str]]:
    """The forecast of the Legendre series of a degree, and the words that make this model of that of the run."""
    if run.model.choice == LegendreSeries.name:
        return run.by(rule, run.loop), []
    words = [f"model={LegendreSeries.name}"]
    if degree != LegendreSeries().degree:
        words.append(f"model.degree={degree}")
    # With as many parameters the initial values are the same numbers: a list or a seed that the user typed stays in force.
    initial: Any = tuple(run.initial)
    if run.initial.size != degree + 1:
        initial = "zeros"
        words.append("model.initial=zeros")
    model = LegendreSeries(degree=degree, initial=initial).on_domain(run.samples.domain)
    return forecast(model, run.loop, rule, run.samples, model.initial_params(), run.backend), words


def _judged(words: str, settings: Forecast, run: Forecast) -> Alternative | None:
    """An alternative by its forecast, in comparison with the best loss of the run; None where no loss is predicted."""
    if settings.quadratic is None or settings.final_loss is None or run.lowest is None:
        return None
    needed = settings.steps_to(_needed_excess(settings, run))
    close = needed is not None and needed <= settings.steps
    steps = needed if needed is not None and close else settings.steps
    return Alternative(words, settings.quadratic.lowest + (settings.excess_after(steps) or 0.0), steps, close)


def _needed_excess(settings: Forecast, run: Forecast) -> float:
    """The excess at which the loss of these settings is as good as the best one of the run."""
    return (run.lowest or 0.0) + close_excess(run) - (settings.lowest or 0.0)


def _is_stable(forecast: Forecast) -> bool:
    return forecast.limit is None or not forecast.optimizer.learning_rate > forecast.limit


def _loss_of_zero(forecast: Forecast) -> float:
    return float(forecast.samples.loss(np.zeros_like(forecast.samples.y)))
