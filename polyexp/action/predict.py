"""The action that prints the forecast."""

from dataclasses import dataclass

from polyexp.action.action import Action
from polyexp.experiment import Experiment, Job
from polyexp.report import Terminal

__all__ = ["Predict"]


@dataclass
class Predict(Action, name="predict"):
    """Print the forecast and a table of the modes of the Hessian, without fitting or recording anything."""

    def __call__(self, experiment: Experiment, job: Job) -> float | None:
        """Print the forecast, and return the predicted loss, None where there is none."""
        with Terminal(job.folder, quiet=experiment.quiet) as terminal:
            terminal.begin(experiment.forecast, experiment.computed_by)
            terminal.prediction(experiment.forecast)
        return experiment.forecast.final_loss
