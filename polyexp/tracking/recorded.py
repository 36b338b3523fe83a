"""Recorded runs, which are read back from a store by id, by sweep, by filter or as the latest ones."""

import csv
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from polyexp.base import Component, InputError, nearest
from polyexp.model import Model
from polyexp.tracking.selection import Selection, filter_error, mlflow_filter
from polyexp.tracking.store import Store

__all__ = ["RecordedRun", "RecordedRuns", "fitted"]

ID_CHARACTERS, MIN_ID_CHARACTERS = 32, 6  # of a run's id in MLflow, and of a beginning of it that is accepted
LABEL_CHARACTERS = 8  # of an id where it is shown, if they do not read as a number
ID_READ_AS_NUMBER = re.compile(r"\d+(e\d+)?e?")  # Hydra takes 8e511057 for a number, infinity; also 8e5 of 8e5e
RUNS_PER_PAGE = 1000  # that are requested from MLflow at a time
KIND_COMPARISON = "comparison"  # the tag polyexp.kind of a recorded comparison, which is no fit


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
        client: The MLflow client with which files of the run are read when they are needed.
    """

    id: str
    name: str
    status: str
    experiment_id: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    client: Any = field(repr=False, compare=False)

    @property
    def label(self) -> str:
        """The first 8 characters of the id, or more where Hydra would take them for a number."""
        return next(
            (
                self.id[:n]
                for n in range(LABEL_CHARACTERS, ID_CHARACTERS + 1)
                if not ID_READ_AS_NUMBER.fullmatch(self.id[:n])
            ),
            self.id,
        )

    @property
    def outcome(self) -> str | None:
        """The name of the outcome; None for a run without a result."""
        return self.tags.get("polyexp.outcome")

    def result(self) -> dict[str, Any]:
        """The content of result.json.

        Raises:
            InputError: Where there is no such file.
        """
        return dict(json.loads(self._read("result.json")))

    def history(self) -> dict[str, np.ndarray]:
        """The columns of history.csv by name, arrays of shape (L,) for L snapshots.

        Raises:
            InputError: Where there is no such file.
        """
        heads, *rows = csv.reader(self._read("history.csv").splitlines())
        table = np.array(rows, float).reshape(len(rows), len(heads))
        return dict(zip(heads, table.T, strict=True))

    def require_result(self) -> "RecordedRun":
        """The run itself.

        Raises:
            InputError: Where it has no result: it has not ended, has failed, or is no fit.
        """
        if self.outcome is None:
            raise InputError(f"The run {self.label} has no results{self._reason()}.")
        return self

    def _reason(self) -> str:
        if self.tags.get("polyexp.kind") == KIND_COMPARISON:
            return ": it is a comparison"
        return f" yet: it is {self.status}" if self.status in ("RUNNING", "SCHEDULED") else f": it is {self.status}"

    def _read(self, name: str) -> str:
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        try:
            with TemporaryDirectory() as folder:  # MLflow would leave a temporary folder behind for each file
                return Path(self.client.download_artifacts(self.id, name, folder)).read_text(encoding="utf-8")
        except Exception as error:  # an artifact store may raise any exception
            self.require_result()
            raise InputError(f"The {name} of the run {self.label} cannot be read.") from error


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
            hint = (
                f""" An id that could be read as a number needs its own quotes: "{key}='...'"."""
                if _is_read_as_number(word)
                else ""
            )
            raise InputError(f"`{key}` must be {wanted}, got {word!r}.{hint}")
        found = self._client.search_runs(self._all_experiments(), f"attributes.run_id LIKE '{word}%'", max_results=2)
        if len(found) > 1:
            raise InputError(
                f"`{key}` must be one run's id, got {word!r}, with which several ids begin: type more characters."
            )
        if not found:
            raise InputError(f"`{key}` must be the id of a recorded run, got {word!r}.{self._nearest(word)}")
        return _recorded(found[0], self._client)

    def select(self, selection: Selection) -> list[RecordedRun]:
        """The selected runs that have a result, the latest first.

        Raises:
            InputError: Where MLflow refuses the filter.
        """
        return list(self._matching(selection))

    def record_comparison(self, name: str, tags: Mapping[str, str], files: Sequence[Path]) -> list[str]:
        """Record a comparison with its files, and return lines with its page.

        It is recorded in an MLflow experiment of its own, so that it is in no table, chart or search of runs.

        Args:
            name: The name of the comparison in MLflow.
            tags: Its tags.
            files: The files that are added to it.
        """
        experiment_id = self.store.experiment_id(f"{self.experiment_name} comparisons")
        run = self._client.create_run(experiment_id, tags={"polyexp.kind": KIND_COMPARISON, **tags}, run_name=name)
        self.attach(run.info.run_id, files)
        self._client.set_terminated(run.info.run_id)
        return [f"Recorded as {name} ({run.info.run_id})", *self.store.pages(experiment_id, run.info.run_id)]

    def attach(self, run_id: str, files: Sequence[Path], folder: str | None = None) -> None:
        """Add files to the artifacts of a run, in `folder` of them if it is given."""
        for file in files:
            self._client.log_artifact(run_id, str(file), folder)

    @property
    def _client(self) -> Any:
        return self.store.client

    def _matching(self, selection: Selection) -> Iterator[RecordedRun]:
        found_so_far = 0
        for run in self._search(selection):
            if selection.last is not None and found_so_far == selection.last:
                return
            if _in_folder(run, selection.sweep):
                found_so_far += 1
                yield run

    def _search(self, selection: Selection) -> Iterator[RecordedRun]:
        from mlflow.exceptions import MlflowException

        experiment = self._client.get_experiment_by_name(self.experiment_name)
        token, page = None, min(RUNS_PER_PAGE, selection.last or RUNS_PER_PAGE)
        try:
            while experiment and token != "":
                found = self._client.search_runs(
                    [experiment.experiment_id],
                    mlflow_filter(selection),
                    max_results=page,
                    order_by=["attributes.start_time DESC"],
                    page_token=token,
                )
                yield from (_recorded(run, self._client) for run in found)
                token = found.token or ""
        except MlflowException as error:
            if not selection.filter or error.error_code != "INVALID_PARAMETER_VALUE":
                raise
            raise filter_error(selection.filter, error.message) from error

    def _all_experiments(self) -> list[str]:
        return [one.experiment_id for one in self._client.search_experiments()]

    def _nearest(self, word: str) -> str:
        """The words `Did you mean ...?` with an id that is close to `word`; ids are random, so that it must be very close."""
        return nearest(word, [run.id[: len(word)] for run in self.select(Selection(last=100))], cutoff=0.8)


def fitted(result: Mapping[str, Any]) -> tuple[Model, np.ndarray, tuple[float, float]]:
    """The model on its domain, its final parameters of shape (K,), and the domain.

    Args:
        result: The content of a result.json.

    Raises:
        InputError: Where the parameters are not all finite, the domain is not recorded, or the model belongs to a plugin
            that is not installed.
    """
    config, values = result["config"], list(result["parameters"].values())
    model, domain = _model(config), _domain(result)
    if None in values:
        raise InputError("A run whose parameters are not finite has no formula.")
    return model.on_domain(domain), np.array(values, float), domain


def _model(config: Mapping[str, Any]) -> Model:
    name = config["model"]
    cls: Any = Component.registry.get((Model.group, name))
    if cls is None:
        raise InputError(f"The run's model {name!r} belongs to a package that is not installed here.")
    keys = {one.name: f"{Model.group}.{one.name}" for one in fields(cls)}
    model: Model = cls(**{one: config[key] for one, key in keys.items() if key in config})
    return model


def _domain(result: Mapping[str, Any]) -> tuple[float, float]:
    """The domain of the samples.

    Runs of earlier versions have it in their settings only, and not at all where they were fitted to a data file.
    """
    domain = result["samples"].get("domain") or result["config"].get("problem.domain")
    if domain is None:
        raise InputError("The domain on which the run was fitted is not recorded: fit it again.")
    low, high = domain
    return float(low), float(high)


def _recorded(run: Any, client: Any) -> RecordedRun:
    info, data = run.info, run.data
    return RecordedRun(
        info.run_id, info.run_name, info.status, info.experiment_id, data.params, data.metrics, data.tags, client
    )


def _is_read_as_number(word: str) -> bool:
    """Whether Hydra has made this text of a number."""
    try:
        float(word)
    except ValueError:
        return False
    return True


def _in_folder(run: RecordedRun, sweep: str | None) -> bool:
    """Whether a run is in the folder `sweep`; true where `sweep` is not a path, as the filter has found runs by name."""
    if sweep is None or Path(sweep).name == sweep:
        return True
    return Path(sweep).absolute() in Path(run.tags.get("polyexp.output_folder", "")).parents
