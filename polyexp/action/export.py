"""Write the polynomial of a recorded run as source code or data."""

from dataclasses import dataclass

from polyexp.action.action import Action
from polyexp.base import one_of, require, version
from polyexp.experiment import Experiment, Job
from polyexp.export import BASES, FORMATS, PRECISIONS, Exported, formula_of, is_name, stated
from polyexp.report import Terminal
from polyexp.tracking import RecordedRun, fitted

__all__ = ["Export"]

ARTIFACT_FOLDER = "export"


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
        experiment.tracking.recorded().attach(run.id, [job.folder / file], ARTIFACT_FOLDER)
        with Terminal(job.folder, quiet=experiment.quiet) as terminal:
            for line in made.lines():
                terminal.say(line)
            terminal.end(
                job.folder, [f"{file}, which is also among the artifacts of {run.name} below {ARTIFACT_FOLDER}/"]
            )

    def _named(self, experiment: Experiment) -> RecordedRun:
        return experiment.tracking.recorded().by_id(self.run, self.key("run")).require_result()


def export(run: RecordedRun, basis: str, precision: str, function: str) -> Exported:
    """What a run has found, in a basis and a precision. InputError where that cannot be."""
    result = run.result()
    model, params, domain = fitted(result)
    formula = formula_of(model, params, basis).to(precision)
    measured = stated(formula, model, params, result, domain)
    degree = f"of degree {formula.degree} fitted to {measured.target}"
    source = f"{model.choice} {degree}, exported by polyexp {version.described()}"
    return Exported(function, formula, source, run.id, measured)
