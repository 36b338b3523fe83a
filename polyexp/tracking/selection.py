"""The choice of recorded runs, and the MLflow filter for it."""

from dataclasses import dataclass
from pathlib import Path

from polyexp.base import InputError, cut, require

__all__ = ["Selection", "filter_error", "mlflow_filter"]

HAS_RESULT_FILTER = "tags.`polyexp.outcome` != ''"  # an MLflow filter; only a run with a result has this tag
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
    sweep = f"tags.`polyexp.sweep` = {_quoted(Path(selection.sweep).name)}" if selection.sweep else ""
    return " and ".join(filter(None, [sweep, selection.filter, HAS_RESULT_FILTER]))


def filter_error(words: str, why: str) -> InputError:
    """The error about an MLflow filter, the text `words`, that MLflow refuses for the reason `why`."""
    reason = cut(" ".join(why.split()), MAX_REASON_CHARACTERS)
    example = "metrics.`loss/final` < 1 and params.model = 'legendre'"
    return InputError(f"`action.filter` must be an MLflow filter such as {example}, got {words!r} ({reason}).")


def _quoted(name: str) -> str:
    require(not ("'" in name and '"' in name), "action.sweep", "a name without both kinds of quotes", name)
    return f'"{name}"' if "'" in name else f"'{name}'"
