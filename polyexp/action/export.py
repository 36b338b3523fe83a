"""The action that writes the polynomial of a recorded run as source code or data."""

from dataclasses import dataclass

from polyexp.action.action import Action
from polyexp.base import one_of, require, save_bytes
from polyexp.experiment import Experiment, Job
from polyexp.export import BASES, FORMATS, FUNCTION_NAME, PRECISIONS, Exported, Fit, Form, exported_fit, is_name
from polyexp.problem import TARGETS
from polyexp.report import Terminal
from polyexp.tracking import RecordedRun

__all__ = ["Export"]

ARTIFACT_FOLDER = "export"  # in the artifacts of the run


@dataclass
class Export(Action, name="export"):
    """Write the polynomial of a recorded run as source code or data.

    Args:
        run: The id of the run, or its first 6 or more characters.
        format: The format of the file: "c", "python", "latex", "json" or "numpy".
        precision: The precision of the numbers and of the arithmetic: "float64" or "float32".
        basis: The basis of the formula: "own" is that of the model, evaluated by Clenshaw's recurrence; "power" is the
            powers of x, evaluated by Horner's scheme.
        function: The name of the function in the source code.
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
        require(is_name(self.function), self.key("function"), FUNCTION_NAME, self.function)

    def check(self, experiment: Experiment) -> None:
        """Check that the run exists and has a result with a formula that can be exported.

        Raises:
            InputError: Where it does not, its record is damaged, or its model is not a polynomial.
        """
        self._exported(self._named(experiment))

    def __call__(self, experiment: Experiment, job: Job) -> None:
        """Write the file into the folder of the job and the artifacts of the run, and print its accuracy."""
        run = self._named(experiment)
        made = self._exported(run)
        file, write_as = FORMATS[self.format]
        save_bytes(job.folder / file, write_as(made))
        run.artifacts.add(job.folder / file, ARTIFACT_FOLDER)
        with Terminal(job.folder, quiet=experiment.quiet) as terminal:
            for line in made.lines():
                terminal.print(line)
            terminal.end(
                job.folder,
                [f"{file}, which is also among the artifacts of the run {run.name!r}, in {ARTIFACT_FOLDER}/"],
            )

    def _exported(self, run: RecordedRun) -> Exported:
        return export(run, self.basis, self.precision, self.function)

    def _named(self, experiment: Experiment) -> RecordedRun:
        return experiment.tracking.recorded().by_id(self.run, self.key("run")).require_result()


def export(run: RecordedRun, basis: str, precision: str, function: str) -> Exported:
    """The polynomial of a recorded run, with its accuracy.

    Args:
        run: The run.
        basis: "own" or "power", as in `Export`.
        precision: "float64" or "float32".
        function: The name of the function in the source code.

    Raises:
        InputError: Where the run has no polynomial, or its numbers overflow in this basis or precision.
    """
    result = run.result()
    model, params, domain = run.fitted(result)
    target = result.word("problem.path") or result.word("problem")
    fit = Fit(result.total, result.max_error, target, TARGETS.get(result.word("problem.target")), result.outcome)
    return exported_fit(model, params, domain, fit, run.id, Form(basis, precision, function))
