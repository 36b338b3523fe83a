"""The unit in which the losses of several runs can be compared."""

import math
from collections.abc import Mapping, Sequence

from polyexp.tracking import RecordedRun

__all__ = ["best_first", "divisors"]

MAX_DIGITS = 19  # of a number of samples


def divisors(runs: Sequence[RecordedRun]) -> Mapping[str, float]:
    """The number by which the losses of each run are divided, by the id of the run.

    It is 1 for each run where all losses have one unit: means, or sums over equally many samples. Otherwise losses are compared
    per sample, so that a sum is divided by its number of samples. It is nan where this number, or the sum of the weights, is
    not recorded.

    Args:
        runs: The runs.
    """
    found = {run.id: _samples_of_sum(run) for run in runs}
    return dict.fromkeys(found, 1.0) if len(set(found.values())) == 1 else found


def best_first(runs: Sequence[RecordedRun]) -> list[RecordedRun]:
    """The runs in ascending order of their final loss; those that have none, or have diverged, come last.

    Args:
        runs: The runs.
    """
    divisor = divisors(runs)

    def rank(run: RecordedRun) -> tuple[bool, float]:
        loss = run.metrics.get("loss/final", math.inf) / divisor[run.id]
        return run.outcome == "DIVERGED", math.inf if math.isnan(loss) else loss

    return sorted(runs, key=rank)


def _samples_of_sum(run: RecordedRun) -> float:
    """The number of samples over which the loss is a sum; 1 for a mean."""
    if run.params.get("problem.loss") != "sum":
        return 1.0
    total = run.params.get("samples.total", "")
    weighted = run.params.get("problem.weight", "null") != "null"
    is_number = total.isascii() and total.isdigit() and len(total) <= MAX_DIGITS and int(total) > 0
    return float(total) if is_number and not weighted else math.nan
