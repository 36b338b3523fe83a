"""The component that holds the settings of a sweep."""

from dataclasses import dataclass, field
from typing import ClassVar

from polyexp.base import Component

__all__ = ["SweepSettings"]


@dataclass
class SweepSettings(Component, name="standard"):
    """The settings of a sweep, which decide which jobs it has and which of them run. They are not passed on to the jobs.

    Args:
        zip: The keys whose values go in step: job i takes the i-th value of each. All other keys are combined.
        resume: The folder or the name of an earlier sweep, whose command line is taken from there and whose jobs run as far as
            they have no result. None means a new sweep.
        skip_finished: Whether jobs do not run for which the store has a finished run with the same fingerprint.
        dry_run: Whether the jobs that would run are only listed.
    """

    group: ClassVar[str] = "sweep"

    zip: list[str] = field(default_factory=list)
    resume: str | None = None
    skip_finished: bool = False
    dry_run: bool = False
