"""The interface of an action, which the entrypoint carries out with an experiment."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from polyexp.base import Component
from polyexp.experiment import Experiment, Job

__all__ = ["Action"]


@dataclass
class Action(Component):
    """The base class of actions, which are carried out with an experiment that has been checked.

    The class attribute `records` is true for an action that records runs, and so needs a tracker that can.
    """

    group: ClassVar[str] = "action"
    records: ClassVar[bool] = False

    def check(self, experiment: Experiment) -> None:
        """Check what can be checked before the action, in a sweep before the first job.

        The tracker of an action that records has been checked already.

        Args:
            experiment: The experiment.

        Raises:
            InputError: Where the action is certain to fail.
        """

    @abstractmethod
    def __call__(self, experiment: Experiment, job: Job) -> float | None:
        """Carry out the action, and return the loss, if there is one, for sweepers that minimise it.

        Args:
            experiment: The experiment.
            job: The folder of the run, the overrides and the sweep.

        Raises:
            InputError: Where the action cannot be carried out; the exit code is 2.
            DisagreementError: Where it was carried out and has found a disagreement; the exit code is 1.
        """
