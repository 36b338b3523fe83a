"""The forecast of a run whose result is there."""

from polyexp.exact import Forecast, forecast
from polyexp.fitting.result import Result
from polyexp.loop import Loop, Manual

__all__ = ["forecast_of"]


def forecast_of(result: Result, loop: Loop | None = None) -> Forecast | None:
    """The forecast of the run that gave a single result; None where its samples are not there.

    Args:
        result: The result.
        loop: The loop of the fit; by default only its steps are used, as far as the history has them.
    """
    if not result.samples.size:
        return None
    steps = int(result.history.step[-1]) if result.history.step.size else 1
    return forecast(result.model, loop or Manual(steps=max(1, steps)), result.optimizer, result.samples, result.initial)
