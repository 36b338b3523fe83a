"""A result in one line."""

from collections import Counter
from typing import Any

import numpy as np

from polyexp.base import counted

__all__ = ["ending_of", "least_loss", "outcomes_of", "summary_of"]


def summary_of(outcome: Any, steps: Any, loss: Any, excess: Any) -> str:
    """The outcomes, the steps, the loss and the excess of a result, in one line.

    Args:
        outcome: The `Outcome` of each run. Shape (*runs,).
        steps: The number of updates of each run. Shape (*runs,).
        loss: The final loss of each run. Shape (*runs,).
        excess: The final excess of each run, or None where it is unknown. Shape (*runs,).
    """
    if not np.ndim(outcome):
        return ending_of(outcome, steps, loss, excess)
    run = least_loss(loss)
    if run is None:
        return f"{counted(np.size(outcome), 'run')}: {outcomes_of(outcome)}; no loss is finite"
    above = "" if excess is None else f", excess {excess[run]:.6g}"
    where = ", ".join(map(str, run))
    return f"{counted(np.size(outcome), 'run')}: {outcomes_of(outcome)}; least loss {loss[run]:.6g}{above}, of run [{where}]"


def ending_of(outcome: Any, steps: Any, loss: Any, excess: Any) -> str:
    """How a single run ended, such as `CONVERGED after 20 steps, loss 0.25, excess 1e-10`; the arguments are its own."""
    above = "" if excess is None else f", excess {excess:.6g}"
    return f"{outcome.name} after {counted(int(steps), 'step')}, loss {loss:.6g}{above}"


def outcomes_of(outcome: np.ndarray) -> str:
    """The outcomes of several runs with their numbers, the most frequent first, such as `2 MAX_STEPS, 1 DIVERGED`."""
    counts = Counter(one.name for one in outcome.flat)
    return ", ".join(f"{number} {name}" for name, number in counts.most_common()) or "none"


def least_loss(loss: np.ndarray) -> tuple[int, ...] | None:
    """The index of the run with the least finite loss; None where there is none."""
    finite = np.where(np.isfinite(loss), loss, np.inf)
    if not np.isfinite(finite).any():
        return None
    return tuple(int(one) for one in np.unravel_index(int(finite.argmin()), finite.shape))
