"""What the entrypoint does with an experiment."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from polyexp.component import Component
from polyexp.config import Experiment
from polyexp.fit import computed_by
from polyexp.report import Terminal
from polyexp.run import Job, run

__all__ = ["Action", "Fit", "Predict"]


@dataclass
class Action(Component):
    """Something to do with an experiment that has been checked.

    records: whether it needs the tracker.
    """

    group: ClassVar[str] = "action"
    records: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, experiment: Experiment, job: Job) -> float | None:
        """Do it; return the loss, if there is one, for sweepers that minimise it."""


@dataclass
class Fit(Action, name="fit"):
    """Fit the model, report and record the run."""

    records: ClassVar[bool] = True

    def __call__(self, experiment: Experiment, job: Job) -> float:
        """The final loss."""
        return float(run(experiment, job).loss)


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
