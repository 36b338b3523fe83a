"""What the entrypoint does with an experiment."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from polyexp.action.export import export
from polyexp.base.component import Component
from polyexp.base.validation import DisagreementError, one_of, require, whole
from polyexp.comparison import Comparison, best_first, compared, tables, write
from polyexp.crosscheck.driver import crosscheck, sets
from polyexp.experiment.experiment import Experiment
from polyexp.experiment.run import Job, run
from polyexp.export import BASES, FORMATS, PRECISIONS, is_name
from polyexp.fitting.driver import computed_by
from polyexp.report import Terminal
from polyexp.report.crosscheck import crosscheck_lines, crosscheck_table, crosscheck_verdict, write_crosscheck
from polyexp.tracking import RecordedRun, Selection

__all__ = ["Action", "Compare", "Crosscheck", "Export", "Fit", "Predict"]

CROSSCHECK_STEPS = 200  # enough for a mistake to show
LAST = 10  # runs that are compared where nothing says which
ARTIFACTS = "export"


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


@dataclass
class Compare(Action, name="compare"):
    """Put recorded runs side by side: what differs in their settings, their numbers, their curves.

    runs: their ids, or the first letters of these. Or else sweep (its folder, or its name), filter (an MLflow filter) and
    last (the latest so many), of which several may be given together; the last 10 where none is.
    """

    runs: list[str] | None = None
    sweep: str | None = None
    filter: str | None = None
    last: int | None = None

    def __post_init__(self) -> None:
        chosen = self.sweep or self.filter or self.last
        require(not (self.runs and chosen), self.key("runs"), "alone, without sweep, filter and last", self.runs)
        if self.last is not None:
            whole(self.key("last"), self.last, 2)

    def check(self, experiment: Experiment) -> None:
        """InputError where a run that is named is not there, or there are not two."""
        if self.runs is not None:
            self._named(experiment)

    def __call__(self, experiment: Experiment, job: Job) -> None:
        """Print the tables, write page and picture into the job's folder, and record them."""
        recorded = experiment.tracking.recorded()
        comparison = Comparison.of(self._named(experiment) if self.runs is not None else self._selected(experiment))
        with Terminal(job.folder, quiet=experiment.quiet) as terminal:
            for part in tables(comparison, terminal.width):
                terminal.say(part)
            files = write(job.folder, comparison)
            lines = recorded.keep(comparison.title, comparison.tags(job.folder), files)
            terminal.end(job.folder, lines)

    def _named(self, experiment: Experiment) -> list[RecordedRun]:
        recorded = experiment.tracking.recorded()
        found = {run.id: run for run in (recorded.by_id(word, self.key("runs")) for word in self.runs or ())}
        return compared([run.require_result() for run in found.values()], self.key("runs"))

    def _selected(self, experiment: Experiment) -> list[RecordedRun]:
        recorded = experiment.tracking.recorded()
        last = self.last if self.sweep or self.filter or self.last else LAST
        runs = recorded.select(Selection(self.sweep, self.filter, last))
        key = "sweep" if self.sweep else "filter" if self.filter else "last"
        return compared(best_first(runs), self.key(key), f" in {recorded.where}")


@dataclass
class Export(Action, name="export"):
    """Write the polynomial that a run has found as source code or data.

    run: its id, or the first letters of it. format: c, python, latex, json or numpy.
    precision: float64 or float32, of the numbers and of the arithmetic. basis: "own" (the model's, by Clenshaw's
    recurrence) or "power" (powers of x, by Horner's scheme). function: its name in the source.
    """

    run: str = ""
    format: str = "c"
    precision: str = "float64"
    basis: str = "own"
    function: str = "polynomial"

    def __post_init__(self) -> None:
        one_of(self.key("format"), self.format, FORMATS)
        one_of(self.key("precision"), self.precision, PRECISIONS)
        one_of(self.key("basis"), self.basis, BASES)
        require(is_name(self.function), self.key("function"), "a name that C and Python allow", self.function)

    def check(self, experiment: Experiment) -> None:
        """InputError where there is no such run, or it has no results."""
        self._named(experiment)

    def __call__(self, experiment: Experiment, job: Job) -> None:
        """Write the file into the job's folder and to the run's artifacts, and say what may be expected of it."""
        run = self._named(experiment)
        made = export(run, self.basis, self.precision, self.function)
        file, write_as = FORMATS[self.format]
        (job.folder / file).write_bytes(write_as(made))
        experiment.tracking.recorded().attach(run.id, [job.folder / file], ARTIFACTS)
        with Terminal(job.folder, quiet=experiment.quiet) as terminal:
            for line in made.lines():
                terminal.say(line)
            terminal.end(job.folder, [f"{file}, which is also among the artifacts of {run.name} below {ARTIFACTS}/"])

    def _named(self, experiment: Experiment) -> RecordedRun:
        return experiment.tracking.recorded().by_id(self.run, self.key("run")).require_result()
