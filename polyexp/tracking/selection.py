"""The choice of recorded runs, and the MLflow filter for it."""

import re
from dataclasses import dataclass
from pathlib import Path

from polyexp.base import InputError, cut, require, shown
from polyexp.tracking.entry import OUTCOME_TAG, SWEEP_TAG

__all__ = ["EXAMPLE", "Selection", "filter_error", "mlflow_filter", "of_sweep_filter", "sweep_name"]

HAS_RESULT_FILTER = f"tags.`{OUTCOME_TAG}` != ''"  # an MLflow filter; only a run with a result has this tag
EXAMPLE = "metrics.`loss/final` < 1 and params.model = 'legendre'"
DATE = re.compile(r"\d{4}-\d\d-\d\d")  # of the folder in which the sweeps of a day are
MAX_REASON_CHARACTERS = 200  # of MLflow's message in an error, as that may list every attribute that a run can have


@dataclass(frozen=True)
class Selection:
    """The runs that fulfil all of these conditions.

    Args:
        sweep: The name or the folder of a sweep; None for any run.
        filter: An MLflow filter; None for any run.
        last: The number of latest runs; None for all.
    """

    sweep: str | None = None
    filter: str | None = None
    last: int | None = None


def mlflow_filter(selection: Selection) -> str:
    """The selection as an MLflow filter for runs with a result."""
    return " and ".join(filter(None, [of_sweep_filter(selection.sweep), selection.filter, HAS_RESULT_FILTER]))


def of_sweep_filter(sweep: str | None, key: str = "action.sweep") -> str:
    """The MLflow filter for the runs of a sweep, which earlier versions of polyexp have named by the time alone.

    Args:
        sweep: The name or the folder of the sweep; None for any run.
        key: The setting that names it.
    """
    if not sweep:
        return ""
    date, _, time = sweep_name(Path(sweep)).rpartition("/")
    return f"tags.`{SWEEP_TAG}` {'LIKE' if date else '='} {_quoted(f'%{time}' if date else time, key)}"


def sweep_name(folder: Path) -> str:
    """The name of a sweep: its date and time, or the name of its folder where that is another one.

    Args:
        folder: The folder of the sweep, or its name.

    Example:
        >>> sweep_name(Path("outputs/sweeps/2026-11-24/17-06-40-146772")), sweep_name(Path("outputs/mine"))
        ('2026-11-24/17-06-40-146772', 'mine')
    """
    return f"{folder.parent.name}/{folder.name}" if DATE.fullmatch(folder.parent.name) else folder.name


def filter_error(words: str, error: Exception, key: str = "action.filter") -> InputError:
    """The error about an MLflow filter, which MLflow refuses, or of which a store can make nothing.

    Args:
        words: The filter.
        error: What MLflow raises.
        key: The setting that has this value.
    """
    text = str(getattr(error, "message", error))
    if getattr(error, "error_code", "") == "INVALID_PARAMETER_VALUE":
        reason = cut(" ".join(text.split()), MAX_REASON_CHARACTERS)
        return InputError(f"`{key}` must be an MLflow filter such as {EXAMPLE}, got {words!r} ({reason}).")
    reason = cut(text.strip().partition("\n")[0], MAX_REASON_CHARACTERS)  # the lines of a database go on with its SQL
    return InputError(f"`{key}` cannot be used, got {shown(words)}: {reason.removesuffix('.')}.")


def _quoted(name: str, key: str) -> str:
    require(not ("'" in name and '"' in name), key, "a name without both kinds of quotes", name)
    return f'"{name}"' if "'" in name else f"'{name}'"
