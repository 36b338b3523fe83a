"""The action that compares every formulation, and the model, with a reference."""

from dataclasses import dataclass

from polyexp.action.action import Action
from polyexp.base import DisagreementError, counted, whole
from polyexp.crosscheck import crosscheck, sample_sets
from polyexp.experiment import Experiment, Job
from polyexp.report import Terminal
from polyexp.report.crosscheck import HEADS, crosscheck_lines, crosscheck_rows, crosscheck_verdict, write_crosscheck
from polyexp.report.tables import columns_of

__all__ = ["Crosscheck"]

MAX_DEFAULT_STEPS = 200  # enough for a mistake to be larger than rounding


@dataclass
class Crosscheck(Action, name="crosscheck"):
    """Solve the problem by every formulation that can run here, and compare these and the model with a reference.

    Nothing is recorded; crosscheck.json in the folder of the run has all numbers.

    Args:
        steps: The number of steps that each formulation takes; None means that of the loop, but at most 200.
    """

    steps: int | None = None

    def __post_init__(self) -> None:
        if self.steps is not None:
            whole(self.key("steps"), self.steps, 1)

    def __call__(self, experiment: Experiment, job: Job) -> None:
        """Print the findings and write crosscheck.json.

        Raises:
            DisagreementError: With the verdict, where a formulation or the model disagrees with the reference.
        """
        forecast = experiment.forecast
        every, few = sample_sets(experiment.problem, forecast.samples, experiment.degree, experiment.seed)
        steps = self.steps or min(experiment.loop.steps, MAX_DEFAULT_STEPS)
        with Terminal(job.folder, quiet=experiment.quiet) as terminal:
            terminal.print(
                f"Crosscheck of {counted(steps, 'step')} of {forecast.optimizer.choice} on model={forecast.model.choice}"
            )
            found = crosscheck(
                forecast.model, every, few, optimizer=forecast.optimizer, initial=forecast.initial, steps=steps
            )
            write_crosscheck(job.folder / "crosscheck.json", found)
            terminal.print(f"Reference: {found.reference}. Largest differences from it:")
            terminal.print_table(columns_of(HEADS, crosscheck_rows(found), numeric=True), keys=2)
            for line in (*crosscheck_lines(found), "", crosscheck_verdict(found)):
                terminal.print(line)
            terminal.end(job.folder, ())
        if not found.agrees:
            raise DisagreementError(crosscheck_verdict(found))
