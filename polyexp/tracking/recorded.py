"""Recorded runs, which are read back from a store by id, by sweep, by filter or as the latest ones.

Whatever a store says of a run is data: texts become one line of bounded length, numbers are numbers, and files are validated
when they are read.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from polyexp.base import InputError, nearest, printable, shown
from polyexp.model import Model
from polyexp.tracking.artifacts import Artifacts, Limit, LimitError
from polyexp.tracking.entry import FOLDER_TAG, KIND_COMPARISON, KIND_SWEEP, KIND_TAG, OUTCOME_TAG, SWEEP_TAG
from polyexp.tracking.history_file import LossCurve, curve_of, loss_curve
from polyexp.tracking.ownership import HISTORY
from polyexp.tracking.result_file import NoFormulaError, ResultFile, fitted
from polyexp.tracking.selection import Selection, filter_error, mlflow_filter, sweep_name
from polyexp.tracking.store import Store, unlogged

__all__ = ["RecordedRun", "RecordedRuns", "line_of", "lines_of_texts"]

ID_CHARACTERS, MIN_ID_CHARACTERS = 32, 6  # of a run's id in MLflow, and of a beginning of it that is accepted
LABEL_CHARACTERS = 8  # of an id where it is shown
RUNS_PER_PAGE = 1000  # that are requested from MLflow at a time
RESULT_LIMIT, HISTORY_LIMIT = Limit(megabytes=10), Limit(megabytes=1000)
LOSS_METRIC = "loss/train"  # the loss curve in MLflow, which stands in for a history.csv that is too large
MAX_TEXT_CHARACTERS = 8000  # of a name, param or tag, as in MLflow itself


@dataclass(frozen=True)
class RecordedRun:
    """One run as its store describes it.

    Args:
        id: The id, 32 hexadecimal digits.
        name: The name in MLflow.
        status: The status in MLflow, such as FINISHED.
        experiment_id: The id of the MLflow experiment.
        params: The settings, and what follows from them.
        metrics: The latest value of each metric.
        tags: The tags of the run.
        artifacts: The files of the run, which are read when they are needed.
        started: The time of its start, in milliseconds since 1970; None where it is unknown.
        ended: The time of its end, likewise.
    """

    id: str
    name: str
    status: str
    experiment_id: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    artifacts: Artifacts = field(repr=False, compare=False)
    started: int | None = None
    ended: int | None = None

    @property
    def label(self) -> str:
        """The first 8 characters of the id, which may be typed in its place."""
        return self.id[:LABEL_CHARACTERS]

    @property
    def outcome(self) -> str | None:
        """The name of the outcome; None for a run without a result."""
        return self.tags.get(OUTCOME_TAG)

    def result(self) -> ResultFile:
        """The content of result.json, of which at most 10 MB are read.

        Raises:
            InputError: Where there is no such file, or it is damaged.
        """
        with self._about("result.json") as name:
            return ResultFile.of(b"".join(self.artifacts.read(name, RESULT_LIMIT)))

    def losses(self) -> LossCurve:
        """The loss curve, thinned to some thousand points.

        It is that of history.csv, or that of the store where this file is larger than 1 GB or takes longer than 60 seconds.

        Raises:
            InputError: Where there is no such file, or it is damaged.
        """
        with self._about(HISTORY) as name:
            try:
                return loss_curve(self.artifacts.read(name, HISTORY_LIMIT))
            except LimitError:
                return curve_of(list(self.artifacts.metric(LOSS_METRIC)))

    def fitted(self, result: ResultFile) -> tuple[Model, np.ndarray, tuple[float, float]]:
        """The model on its domain, its final parameters of shape (K,), and the domain.

        Args:
            result: The content of result.json.

        Raises:
            NoFormulaError: Where a sound record has no formula that can be made here.
            InputError: Where the settings or the parameters are not those of the model.
        """
        with self._about("result.json"):
            return fitted(result)

    def require_result(self) -> "RecordedRun":
        """The run itself.

        Raises:
            InputError: Where it has no result: it has not ended, has failed, or is no fit.
        """
        if self.outcome is None:
            raise InputError(f"The run {self.label} has no results{self._reason()}.")
        return self

    @contextlib.contextmanager
    def _about(self, name: str) -> Iterator[str]:
        """A context in which every exception becomes an InputError about a file of the run."""
        try:
            yield name
        except NoFormulaError:
            raise
        except InputError as error:
            self.require_result()
            reason = str(error).removesuffix(".")
            raise InputError(f"The {name} of the run {self.label} cannot be used: {reason}.") from error
        except Exception as error:  # a store may raise any exception
            self.require_result()
            raise InputError(f"The {name} of the run {self.label} cannot be read.") from error

    def _reason(self) -> str:
        if (kind := self.tags.get(KIND_TAG)) in (KIND_COMPARISON, KIND_SWEEP):
            return f": it is a {kind}"
        return f" yet: it is {self.status}" if self.status in ("RUNNING", "SCHEDULED") else f": it is {self.status}"


@dataclass(frozen=True)
class RecordedRuns:
    """The recorded runs of one MLflow experiment, and by id those of the whole store.

    Args:
        store: The open store.
        experiment_name: The name of the MLflow experiment.
    """

    store: Store
    experiment_name: str

    @property
    def where(self) -> str:
        """A phrase that names the MLflow experiment and the store."""
        return f"the experiment {self.experiment_name!r} of {self.store.shown}"

    def by_id(self, word: str, key: str) -> RecordedRun:
        """The run whose id begins with `word`.

        Args:
            word: The id, or its first 6 or more characters.
            key: The setting that has this value.

        Raises:
            InputError: About `key`, where no run has such an id, or more than one run has.
        """
        wanted = f"a run's id, or its first {MIN_ID_CHARACTERS} or more characters"
        if not re.fullmatch(f"[0-9a-f]{{{MIN_ID_CHARACTERS},{ID_CHARACTERS}}}", word):
            raise InputError(f"`{key}` must be {wanted}, got {shown(word)}.")
        found = self._client.search_runs(self._all_experiments(), f"attributes.run_id LIKE '{word}%'", max_results=2)
        if len(found) > 1:
            raise InputError(
                f"`{key}` must be one run's id, got {word!r}, with which several ids begin: type more characters."
            )
        if not found:
            raise InputError(f"`{key}` must be the id of a recorded run, got {word!r}.{self._nearest(word)}")
        return _recorded(found[0], self.store)

    def select(self, selection: Selection) -> list[RecordedRun]:
        """The selected runs that have a result, the latest first.

        Raises:
            InputError: Where MLflow refuses the filter.
        """
        return list(self._matching(selection))

    @property
    def _client(self) -> Any:
        return self.store.client

    def search(
        self, words: str, typed: str | None, page: int = RUNS_PER_PAGE, key: str = "action.filter"
    ) -> Iterator[RecordedRun]:
        """The runs that an MLflow filter selects, the latest first, whether they have a result or not.

        Args:
            words: The filter; empty for all runs.
            typed: The part of it that a user has typed, if any.
            page: The number of runs that are requested at a time.
            key: The setting that has that part.

        Raises:
            InputError: MLflow refuses the filter.
        """
        experiment, token = self._client.get_experiment_by_name(self.experiment_name), None
        while experiment and token != "":
            try:
                with unlogged():
                    found = self._page(experiment.experiment_id, words, page, token)
            except Exception as error:  # MLflow passes on those of databases and of servers
                if not typed or not self._cannot_filter(experiment.experiment_id, words):
                    raise
                raise filter_error(typed, error, key) from error
            yield from (_recorded(run, self.store) for run in found)
            token = found.token or ""

    def _page(self, experiment_id: str, words: str, page: int, token: str | None = None) -> Any:
        order = ["attributes.start_time DESC"]
        return self._client.search_runs([experiment_id], words, max_results=page, order_by=order, page_token=token)

    def _cannot_filter(self, experiment_id: str, words: str) -> bool:
        """Whether the store answers without a filter, and again not with this one, so that it is the filter that is wrong."""
        return self._answers(experiment_id, "") and not self._answers(experiment_id, words)

    def _answers(self, experiment_id: str, words: str) -> bool:
        try:
            with unlogged():
                self._page(experiment_id, words, 1)
        except Exception:
            return False
        return True

    def _matching(self, selection: Selection) -> Iterator[RecordedRun]:
        found_so_far = 0
        for run in self._search(selection):
            if selection.last is not None and found_so_far == selection.last:
                return
            if _in_folder(run, selection.sweep):
                found_so_far += 1
                yield run

    def _search(self, selection: Selection) -> Iterator[RecordedRun]:
        page = min(RUNS_PER_PAGE, selection.last or RUNS_PER_PAGE)
        return self.search(mlflow_filter(selection), selection.filter, page)

    def _all_experiments(self) -> list[str]:
        return [one.experiment_id for one in self._client.search_experiments()]

    def _nearest(self, word: str) -> str:
        """The words `Did you mean ...?` with an id that is close to `word`; ids are random, so that it must be very close."""
        return nearest(word, [run.id[: len(word)] for run in self.select(Selection(last=100))], cutoff=0.8)


def _recorded(run: Any, store: Store) -> RecordedRun:
    info, data = run.info, run.data
    run_id = str(info.run_id)
    if not re.fullmatch(f"[0-9a-f]{{{ID_CHARACTERS}}}", run_id):
        raise InputError(f"The store {store.shown} lists a run whose id is not one of MLflow: {line_of(run_id)!r}.")
    times = getattr(info, "start_time", None), getattr(info, "end_time", None)
    return RecordedRun(
        run_id,
        line_of(info.run_name),
        line_of(info.status),
        line_of(info.experiment_id),
        lines_of_texts(data.params),
        {line_of(key): value for key, value in data.metrics.items() if isinstance(value, float)},
        lines_of_texts(data.tags),
        Artifacts(store, run_id, str(info.artifact_uri)),
        *(one if isinstance(one, int) else None for one in times),
    )


def lines_of_texts(texts: Mapping[str, Any]) -> dict[str, str]:
    """Names and texts, each as one line.

    Args:
        texts: The texts by their names.
    """
    return {line_of(key): line_of(value) for key, value in texts.items()}


def line_of(value: Any) -> str:
    """A text of a store as one line of bounded length that can be printed.

    Args:
        value: The text.
    """
    return printable(str(value or "")[:MAX_TEXT_CHARACTERS])


def _in_folder(run: RecordedRun, sweep: str | None) -> bool:
    """Whether a run is of the sweep that is named, or in the folder `sweep`; the filter finds some that are not."""
    if sweep is None:
        return True
    folder = Path(run.tags.get(FOLDER_TAG, ""))
    if sweep_name(Path(sweep)) != sweep:
        return Path(sweep).absolute() in folder.parents
    return run.tags.get(SWEEP_TAG) == sweep or f"/{sweep}/" in folder.as_posix()
