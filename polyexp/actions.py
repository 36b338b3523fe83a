"""What the entrypoint does with an experiment."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from polyexp.checks import DisagreementError, whole
from polyexp.component import Component
from polyexp.config import Experiment
from polyexp.crosscheck import crosscheck, sets
from polyexp.fit import computed_by
from polyexp.report import Terminal
from polyexp.report.crosscheck import crosscheck_lines, crosscheck_table, crosscheck_verdict, write_crosscheck
from polyexp.run import Job, run

__all__ = ["Action", "Crosscheck", "Fit", "Predict"]

CROSSCHECK_STEPS = 200  # enough for a mistake to show


@dataclass
class Action(Component):
    """Something to do with an experiment that has been checked.

    records: whether it needs the tracker.
    """

    group: ClassVar[str] = "action"
    records: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, experiment: Experiment, job: Job) -> float | None:
        """Do it; return the loss, if there is one, for sweepers that minimise it.

        InputError where what was asked for cannot be done (exit code 2), DisagreementError where it was done and something was
        found to be wrong (exit code 1); of either the user sees one sentence.
        """


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


@dataclass
class Crosscheck(Action, name="crosscheck"):
    """Solve the problem by every formulation that can run here, and hold them and the model against a reference.

    Nothing is recorded; crosscheck.json in the run's folder holds every number. steps: None means those of the loop, but no
    more than 200.
    """

    steps: int | None = None

    def __post_init__(self) -> None:
        if self.steps is not None:
            whole(self.key("steps"), self.steps, 1)

    def __call__(self, experiment: Experiment, job: Job) -> None:
        """DisagreementError, with the verdict, where anything disagrees."""
        known = experiment.forecast
        every, few = sets(experiment.problem, known.samples, experiment.degree, experiment.seed)
        steps = self.steps or min(experiment.loop.steps, CROSSCHECK_STEPS)
        with Terminal(job.folder, quiet=experiment.quiet) as terminal:
            terminal.say(f"Crosscheck of {steps} steps of {known.optimizer.choice} on model={known.model.choice}")
            found = crosscheck(known.model, every, few, optimizer=known.optimizer, initial=known.initial, steps=steps)
            write_crosscheck(job.folder / "crosscheck.json", found)
            terminal.say(f"Reference: {found.reference}. Largest differences from it:")
            terminal.say(crosscheck_table(found))
            for line in (*crosscheck_lines(found), "", crosscheck_verdict(found)):
                terminal.say(line)
            terminal.end(job.folder, ())
        if not found.agrees:
            raise DisagreementError(crosscheck_verdict(found))
