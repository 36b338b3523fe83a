"""Recorded runs as a list that can be sorted, made a table, and from which results are loaded."""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, overload

from polyexp.base import InputError, counted, import_optional, require_path, require_text, whole
from polyexp.fitting import Result
from polyexp.tracking import sqlite
from polyexp.tracking.destination import Destination
from polyexp.tracking.entry import FOLDER_TAG, KIND_TAG, OUTCOME_TAG, PARENT_TAG
from polyexp.tracking.errors import opening_errors
from polyexp.tracking.loaded_result import loaded
from polyexp.tracking.recorded import LABEL_CHARACTERS, RecordedRun, RecordedRuns, line_of, lines_of_texts
from polyexp.tracking.reference import FolderFiles, RunFiles
from polyexp.tracking.selection import EXAMPLE, of_sweep_filter, sweep_name
from polyexp.tracking.sqlite_runs import SqliteRun, runs_in_sqlite
from polyexp.tracking.sqlite_tables import UnknownSchemaError
from polyexp.tracking.store import open_recorded

__all__ = ["ListedRun", "RunList", "runs"]

LOSS = "loss/final"
MAX_LAST = 2**63 - 1  # that SQLite takes
MAX_KEYS = 3  # settings of problems that a sentence names
MLFLOW_TAGS = "mlflow."  # the beginning of tags that MLflow has for its own pages


@dataclass(frozen=True)
class ListedRun:
    """A recorded run, from which its result can be loaded.

    Args:
        id: The id in the store, 32 hexadecimal digits.
        name: The name.
        status: The status in MLflow: RUNNING, FINISHED, FAILED or KILLED.
        params: The settings as texts, by their keys on the command line, and what follows from them.
        metrics: The last value of each metric, such as `loss/final`, which has four digits.
        tags: The tags, such as `polyexp.outcome`.
        started: The time of the start, in milliseconds since 1970; None where it is unknown.
        ended: The time of the end, likewise.
        files: What reads the files of the run.

    Example:
        >>> import polyexp as p
        >>> tags = {"polyexp.outcome": "STALLED"}
        >>> run = p.ListedRun("5eed" * 8, "a run", "FINISHED", {"seed": "0"}, {"loss/final": 0.25}, tags)
        >>> run, run.loss, run.outcome, run.parent
        (<ListedRun 5eed5eed: STALLED, loss 0.25, a run>, 0.25, 'STALLED', None)
    """

    id: str
    name: str
    status: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    started: int | None = None
    ended: int | None = None
    files: RunFiles | None = field(default=None, repr=False, compare=False)

    @property
    def loss(self) -> float | None:
        """The final loss to four digits; None for a run without one."""
        return self.metrics.get(LOSS)

    @property
    def outcome(self) -> str | None:
        """The name of the outcome; None for a run without a result."""
        return self.tags.get(OUTCOME_TAG)

    @property
    def parent(self) -> str | None:
        """The id of the sweep's own run; None for a run that is no job of a sweep."""
        return self.tags.get(PARENT_TAG)

    @property
    def folder(self) -> Path | None:
        """The folder of the run on the machine that computed it; None where it is not recorded."""
        text = self.tags.get(FOLDER_TAG)
        return Path(text) if text else None

    def result(self) -> Result:
        """The result of the run, as `load_result` gives it from its folder; its files are read from the store.

        Raises:
            InputError: The run has no result, or its files are damaged or cannot be read.
        """
        label = f"the run {self.id[:LABEL_CHARACTERS]}"
        if self.outcome is None or self.files is None:
            raise InputError(f"There is no result of {label}: it is {self.status}.")
        return loaded(self.files, label)

    def __repr__(self) -> str:
        """One line: the beginning of the id, the outcome or the status, the loss, and the name."""
        loss = "" if self.loss is None else f", loss {self.loss:.4g}"
        return f"<ListedRun {self.id[:LABEL_CHARACTERS]}: {self.outcome or self.status}{loss}, {self.name}>"


@dataclass(frozen=True, repr=False)
class RunList(Sequence[ListedRun]):
    """Recorded runs, in an order: a sequence of `ListedRun`.

    Args:
        listed: The runs.
        where: A phrase that names the MLflow experiment and the store.

    Example:
        >>> import polyexp as p
        >>> made = [p.ListedRun(f"{n:032x}", f"run {n}", "FINISHED", {}, {"loss/final": 1 / n}, {}) for n in (1, 2)]
        >>> runs = p.RunList(tuple(made), "an experiment")
        >>> len(runs), runs.best().name, runs.to_frame()["metrics.loss/final"].tolist()
        (2, 'run 2', [1.0, 0.5])
    """

    listed: tuple[ListedRun, ...]
    where: str

    def __len__(self) -> int:
        """The number of runs."""
        return len(self.listed)

    @overload
    def __getitem__(self, index: int) -> ListedRun: ...
    @overload
    def __getitem__(self, index: slice) -> "RunList": ...
    def __getitem__(self, index: int | slice) -> "ListedRun | RunList":
        """A run by its index, or several by a slice."""
        return RunList(self.listed[index], self.where) if isinstance(index, slice) else self.listed[index]

    def best(self) -> ListedRun:
        """The run with the least final loss; the first of those that have it.

        Raises:
            InputError: No run has a final loss; or those that have one are of several problems, whose losses do not compare.
        """
        finished = [one for one in self.listed if one.loss is not None and math.isfinite(one.loss)]
        if not finished:
            raise InputError(f"There is no run with a final loss among {counted(len(self), 'run')} of {self.where}.")
        different = _differing(finished)
        if different:
            raise InputError(
                f"The losses of {counted(len(finished), 'run')} of {self.where} do not compare, as their problems differ in "
                f"{', '.join(f'`{key}`' for key in different[:MAX_KEYS])}: take those of one problem by `runs(last=...)`, "
                "`runs(sweep=...)` or `runs(filter=...)`."
            )
        return min(finished, key=_loss_of)

    def to_frame(self) -> Any:
        """The runs as a pandas DataFrame, one row each, in the same order.

        The columns are `run_id`, `name`, `status`, `started` and `ended` (times in UTC), `parent` (the id of the run of the
        sweep) and `folder`, and then `params.<key>` (texts), `metrics.<name>` (the last value, nan where there is none) and
        `tags.<name>`, without the tags that MLflow has for its own pages.

        Raises:
            InputError: pandas is not installed.
        """
        pandas = import_optional("pandas", "`to_frame`")
        columns: dict[str, Any] = {
            "run_id": [one.id for one in self.listed],
            "name": [one.name for one in self.listed],
            "status": [one.status for one in self.listed],
        }
        for name in ("started", "ended"):
            times = pandas.array([getattr(one, name) for one in self.listed], dtype="Int64")
            columns[name] = pandas.to_datetime(times, unit="ms", utc=True)
        columns["parent"] = [one.parent for one in self.listed]
        columns["folder"] = [None if one.folder is None else str(one.folder) for one in self.listed]
        for kind, default in (("params", None), ("metrics", math.nan), ("tags", None)):
            values = [getattr(one, kind) for one in self.listed]
            for key in sorted({key for one in values for key in one if not key.startswith(MLFLOW_TAGS)}):
                columns[f"{kind}.{key}"] = [one.get(key, default) for one in values]
        return pandas.DataFrame(columns)

    def __repr__(self) -> str:
        """One line: how many runs of which store there are."""
        return f"<RunList: {counted(len(self), 'run')} of {self.where}>"

    def _repr_html_(self) -> str:
        """The table that notebooks show."""
        return str(self.to_frame()._repr_html_())


def runs(
    uri: str | None = None,
    *,
    experiment_name: str = "polyexp",
    sweep: str | os.PathLike[str] | None = None,
    filter: str | None = None,  # noqa: A002 - the word of action.filter
    last: int | None = None,
) -> RunList:
    """The recorded fits of an MLflow experiment, in the order of its saved view: the latest first, those of a sweep by loss.

    A SQLite store is read without MLflow, unless there is a filter.

    Args:
        uri: The address of the store; None means MLFLOW_TRACKING_URI, or where that is not set the SQLite file
            outputs/mlflow.db below the current folder, as on the command line.
        experiment_name: The name of the MLflow experiment.
        sweep: The name or the folder of a sweep, whose jobs are then listed; None for all runs.
        filter: An MLflow filter such as "metrics.`loss/final` < 1 and params.model = 'legendre'"; None for all runs.
        last: The number of latest runs; None for all.

    Raises:
        InputError: There is no store, it cannot be read, it cannot carry out the filter, or an argument is of the wrong kind.

    Example:
        >>> import polyexp as p
        >>> try:
        ...     p.runs("sqlite:////tmp/no-folder/mlflow.db").best().result()
        ... except p.InputError as error:
        ...     print(error)
        `uri` must name a store with recorded runs, got 'sqlite:////tmp/no-folder/mlflow.db', where nothing is recorded yet.
    """
    if last is not None:
        whole("last", last, 1, MAX_LAST)
    if filter is not None:
        require_text("filter", filter, f"an MLflow filter, such as {EXAMPLE}")
    require_text("experiment_name", experiment_name, "the name of an MLflow experiment")
    folder = None if sweep is None else require_path("sweep", sweep, "the name or the folder of a sweep")
    destination, name = Destination.of(uri, "uri"), None if folder is None else sweep_name(folder)
    found = list(_listed(destination, experiment_name, name, filter, None if last is None else int(last)))
    where = f"the experiment {experiment_name!r} of {destination.shown}"
    return RunList(tuple(sorted(found, key=_loss_of) if sweep else found), where)


def _listed(
    destination: Destination, experiment: str, sweep: str | None, words: str | None, last: int | None
) -> Iterator[ListedRun]:
    path = destination.path
    if path is not None and words is None:
        with opening_errors(destination.uri, destination.key):
            there = sqlite.exists(path)
            try:
                read = runs_in_sqlite(path, destination.local_artifacts, experiment, sweep, last) if there else None
                yield from map(_of_tables, read or ())
            except UnknownSchemaError:
                there = False
        if there:
            return
    of_sweep = of_sweep_filter(sweep, "sweep")
    with opening_errors(destination.uri, destination.key):
        recorded = RecordedRuns(open_recorded(destination), experiment)
        several = recorded.search(" and ".join(one for one in (of_sweep, words) if one), words, key="filter")
        yield from islice((_of_client(run) for run in several if KIND_TAG not in run.tags), last)


def _of_tables(run: SqliteRun) -> ListedRun:
    texts = lines_of_texts(run.params), run.metrics, lines_of_texts(run.tags)
    return ListedRun(
        run.id, line_of(run.name), line_of(run.status), *texts, run.started, run.ended, FolderFiles(run.folder)
    )


def _of_client(run: RecordedRun) -> ListedRun:
    return ListedRun(
        run.id, run.name, run.status, run.params, run.metrics, run.tags, run.started, run.ended, run.artifacts
    )


def _differing(runs: Sequence[ListedRun]) -> list[str]:
    """The settings of the problem that are not the same in all runs, but for the reduction, which leaves each loss as it is."""
    problems = [{key: run.params[key] for key in run.params if _is_of_problem(key)} for run in runs]
    keys = dict.fromkeys(key for problem in problems for key in problem)
    return [key for key in keys if len({problem.get(key) for problem in problems}) > 1]


def _is_of_problem(key: str) -> bool:
    return key.partition(".")[0] == "problem" and key != "problem.reduction"


def _loss_of(run: ListedRun) -> float:
    return math.inf if run.loss is None or math.isnan(run.loss) else run.loss
