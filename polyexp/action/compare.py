"""Put recorded runs side by side."""

from dataclasses import dataclass

from polyexp.action.action import Action
from polyexp.base import require, whole
from polyexp.comparison import Comparison, best_first, compared, tables, write
from polyexp.experiment import Experiment, Job
from polyexp.report import Terminal
from polyexp.tracking import RecordedRun, Selection

__all__ = ["Compare"]

DEFAULT_LAST = 10  # runs that are compared where nothing says which


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
        last = self.last if self.sweep or self.filter or self.last else DEFAULT_LAST
        runs = recorded.select(Selection(self.sweep, self.filter, last))
        key = "sweep" if self.sweep else "filter" if self.filter else "last"
        return compared(best_first(runs), self.key(key), f" in {recorded.where}")
