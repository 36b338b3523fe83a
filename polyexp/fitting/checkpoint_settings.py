"""The component that holds the settings of checkpoints."""

from dataclasses import dataclass
from typing import ClassVar

from polyexp.base import Component, positive

__all__ = ["CheckpointSettings"]


@dataclass
class CheckpointSettings(Component, name="standard"):
    """When a run writes checkpoints, from which `resume` goes on; at an interruption it always does.

    Args:
        every: The least number of seconds between two checkpoints.

    Raises:
        InputError: It is not above 0.
    """

    group: ClassVar[str] = "checkpoint"

    every: float = 30.0

    def __post_init__(self) -> None:
        positive(self.key("every"), self.every)
