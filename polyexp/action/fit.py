"""The action that fits the model."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from polyexp.action.action import Action
from polyexp.experiment import Experiment, Job
from polyexp.experiment.resumed import Resumed
from polyexp.experiment.run import run

__all__ = ["Fit"]


@dataclass
class Fit(Action, name="fit"):
    """Fit the model, print and write the result, and record the run."""

    records: ClassVar[bool] = True

    def check(self, experiment: Experiment) -> None:
        """Check that a run that goes on can, before anything is written into its folder.

        Raises:
            InputError: Where it cannot.
        """
        if experiment.resume:
            with Resumed.taken(Path(experiment.resume)) as resumed:
                resumed.continued(experiment)

    def __call__(self, experiment: Experiment, job: Job) -> float:
        """Fit the model, and return the final loss."""
        return float(run(experiment, job).loss)
