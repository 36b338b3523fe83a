"""Why a run ended."""

from enum import Enum

__all__ = ["Outcome"]


class Outcome(Enum):
    """Why a run ended: CONVERGED, STALLED, MAX_STEPS, DIVERGED or INTERRUPTED; the value is a sentence of advice.

    Example:
        >>> import polyexp as p
        >>> [outcome.name for outcome in p.Outcome]
        ['CONVERGED', 'STALLED', 'MAX_STEPS', 'DIVERGED', 'INTERRUPTED']
        >>> p.Outcome.CONVERGED.value
        'The tolerance was reached. Set a smaller loop.tolerance to come closer.'
    """

    CONVERGED = "The tolerance was reached. Set a smaller loop.tolerance to come closer."
    STALLED = "The loss no longer falls. Another optimizer.learning_rate, optimizer or model may reach a lower loss."
    MAX_STEPS = "All steps were taken. Increase loop.steps if the loss is still falling."
    DIVERGED = (
        "The loss grew without bound; the last finite parameters were kept. Try a smaller optimizer.learning_rate."
    )
    INTERRUPTED = "The fit was stopped before its end. A fit that starts with its checkpoint goes on from there."
