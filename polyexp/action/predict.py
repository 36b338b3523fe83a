"""Print the forecast."""

from dataclasses import dataclass

from polyexp.action.action import Action
from polyexp.experiment import Experiment, Job
from polyexp.fitting import computed_by
from polyexp.report import Terminal

__all__ = ["Predict"]


@dataclass
class Predict(Action, name="predict"):
    """Print the forecast, and how each mode of the Hessian fares, without running or recording anything."""

    def __call__(self, experiment: Experiment, job: Job) -> float | None:
        """The predicted loss, where it is known."""
        with Terminal(job.folder, quiet=experiment.quiet) as terminal:
            backend = experiment.backend.on(experiment.device)
            terminal.begin(experiment.forecast, computed_by(experiment.loop, backend))
            terminal.prediction(experiment.forecast)
        return experiment.forecast.final_loss
