"""The action that prints the forecast."""

from dataclasses import dataclass

from polyexp.action.action import Action
from polyexp.experiment import Experiment, Job
from polyexp.fitting import computed_by
from polyexp.report import Terminal

__all__ = ["Predict"]


@dataclass
class Predict(Action, name="predict"):
    """Print the forecast and a table of the modes of the Hessian, without fitting or recording anything."""

    def __call__(self, experiment: Experiment, job: Job) -> float | None:
        """Print the forecast, and return the predicted loss, None where there is none."""
        with Terminal(job.folder, quiet=experiment.quiet) as terminal:
            backend = experiment.backend.on_device(experiment.device)
            terminal.begin(experiment.forecast, computed_by(experiment.loop, backend))
            terminal.prediction(experiment.forecast)
        return experiment.forecast.final_loss
