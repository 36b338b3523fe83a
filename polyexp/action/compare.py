"""The action that compares recorded runs."""

from dataclasses import dataclass

from polyexp.action.action import Action
from polyexp.base import require, whole
from polyexp.comparison import Comparison, best_first, compared, parts, write
from polyexp.experiment import Experiment, Job
from polyexp.report import Terminal
from polyexp.tracking import KIND_COMPARISON, KIND_TAG, Journal, RecordedRun, RunInfo, Selection

__all__ = ["Compare"]

DEFAULT_LAST_RUNS = 10  # the number of latest runs that are compared where no runs are selected


@dataclass
class Compare(Action, name="compare"):
    """Compare recorded runs: the settings in which they differ, their numbers and their curves.

    Either `runs` is given, or any of `sweep`, `filter` and `last`; without any of them the 10 latest runs are compared.

    Args:
        runs: The ids of the runs, or their first 6 or more characters.
        sweep: The folder or the name of a sweep, whose runs are compared.
        filter: An MLflow filter, which the runs must match.
        last: The number of runs, of which the latest are taken; at least 2.
    """

    runs: list[str] | None = None
    sweep: str | None = None
    filter: str | None = None
    last: int | None = None

    def __post_init__(self) -> None:
        chosen = self.sweep or self.filter or self.last
        alone = self.runs is None or not chosen
        require(alone, self.key("runs"), "used alone, without sweep, filter or last", self.runs)
        texts = all(isinstance(one, str) for one in self.runs or ())
        require(texts, self.key("runs"), "a list of the ids of runs: [a,b]", self.runs)
        if self.last is not None:
            whole(self.key("last"), self.last, 2)

    def check(self, experiment: Experiment) -> None:
        """Check the runs that are compared.

        Raises:
            InputError: Where a run does not exist or has no result, or there are fewer than two runs.
        """
        self._chosen(experiment)

    def __call__(self, experiment: Experiment, job: Job) -> None:
        """Print the tables, write the page and the picture into the folder of the job, and record these."""
        comparison = Comparison.of(self._chosen(experiment))
        with Terminal(job.folder, quiet=experiment.quiet) as terminal:
            terminal.print_parts(parts(comparison))
            about = RunInfo(comparison.title, {}, (), {KIND_TAG: KIND_COMPARISON, **comparison.tags(job.folder)})
            with Journal(job.folder, experiment.tracking.header(about).of_comparison()) as journal:
                journal.files([file.name for file in write(job.folder, comparison)])
            delivered = experiment.tracking.delivered([job.folder])
            terminal.end(job.folder, delivered.lines, delivered.warning)

    def _chosen(self, experiment: Experiment) -> list[RecordedRun]:
        return self._selected(experiment) if self.runs is None else self._named(experiment)

    def _named(self, experiment: Experiment) -> list[RecordedRun]:
        recorded = experiment.tracking.recorded()
        found = {run.id: run for run in (recorded.by_id(word, self.key("runs")) for word in self.runs or ())}
        return compared([run.require_result() for run in found.values()], self.key("runs"))

    def _selected(self, experiment: Experiment) -> list[RecordedRun]:
        recorded = experiment.tracking.recorded()
        last = self.last if self.sweep or self.filter or self.last else DEFAULT_LAST_RUNS
        runs = recorded.select(Selection(self.sweep, self.filter, last))
        key = "sweep" if self.sweep else "filter" if self.filter else "last"
        return compared(best_first(runs), self.key(key), f" in {recorded.where}")
