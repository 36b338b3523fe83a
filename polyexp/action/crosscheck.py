"""Hold every formulation, and the model, against a reference."""

from dataclasses import dataclass

from polyexp.action.action import Action
from polyexp.base import DisagreementError, whole
from polyexp.crosscheck import crosscheck, sets
from polyexp.experiment import Experiment, Job
from polyexp.report import Terminal
from polyexp.report.crosscheck import crosscheck_lines, crosscheck_table, crosscheck_verdict, write_crosscheck

__all__ = ["Crosscheck"]

MAX_STEPS = 200  # enough for a mistake to show


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
        steps = self.steps or min(experiment.loop.steps, MAX_STEPS)
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
