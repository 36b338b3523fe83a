"""The component that holds the settings of a sweep."""

from dataclasses import dataclass, field
from typing import ClassVar

from polyexp.base import Component

__all__ = ["SweepSettings"]


@dataclass
class SweepSettings(Component, name="standard"):
    """The settings of a sweep, which decide which jobs it has. They are not passed on to the jobs.

    Args:
        zip: The keys whose values go in step: job i takes the i-th value of each. All other keys are combined.
    """

    group: ClassVar[str] = "sweep"

    zip: list[str] = field(default_factory=list)
