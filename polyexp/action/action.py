"""What an action is: something that the entrypoint does with an experiment."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from polyexp.base import Component
from polyexp.experiment import Experiment, Job

__all__ = ["Action"]


@dataclass
class Action(Component):
    """Something to do with an experiment that has been checked.

    records: whether it needs the tracker.
    """

    group: ClassVar[str] = "action"
    records: ClassVar[bool] = False

    def check(self, experiment: Experiment) -> None:
        """InputError for what can be known to fail before anything is done, in a sweep before its first job."""
        if self.records:
            experiment.tracking.check()

    @abstractmethod
    def __call__(self, experiment: Experiment, job: Job) -> float | None:
        """Do it; return the loss, if there is one, for sweepers that minimise it.

        InputError where what was asked for cannot be done (exit code 2), DisagreementError where it was done and something was
        found to be wrong (exit code 1); of either the user sees one sentence.
        """
