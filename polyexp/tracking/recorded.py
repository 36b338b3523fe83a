"""Runs read back from a store: found by id, by sweep, by a filter or as the last ones."""

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

from polyexp.base import Component, InputError, nearest, require
from polyexp.model import Model
from polyexp.tracking.store import Store, without_password

__all__ = ["RecordedRun", "RecordedRuns", "Selection", "fitted"]

MIN_CHARACTERS = 6  # of an id
READS_AS_NUMBER = re.compile(r"\d+(e\d+)?e?")  # 8e511057 on a command line is infinity
RUNS_PER_PAGE = 1000  # runs asked for at a time
HAS_RESULT = "tags.`polyexp.outcome` != ''"  # this tag is written with the result, and by nothing else
KIND_COMPARISON = "comparison"  # polyexp.kind of a record that is no fit


@dataclass(frozen=True)
class RecordedRun:
    """One run as its store describes it; `result` and `history` are read when they are asked for."""

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
        """The first letters of the id, enough to type it again: eight, or more where these would be read as a number."""
        return next((self.id[:n] for n in range(8, 33) if not READS_AS_NUMBER.fullmatch(self.id[:n])), self.id)

    @property
    def outcome(self) -> str | None:
        """The outcome's name; None for a run without a result."""
        return self.tags.get("polyexp.outcome")

    def result(self) -> dict[str, Any]:
        """result.json. InputError where there is none."""
        return dict(json.loads(self._read("result.json")))

    def history(self) -> dict[str, np.ndarray]:
        """history.csv, one array of shape (L,) a column. InputError where there is none."""
        heads, *rows = csv.reader(self._read("history.csv").splitlines())
        table = np.array(rows, float).reshape(len(rows), len(heads))
        return dict(zip(heads, table.T, strict=True))

    def require_result(self) -> "RecordedRun":
        """This run. InputError where it has not ended, or is not a fit of polyexp."""
        if self.outcome is None:
            raise InputError(f"The run {self.label} has no results{self._why_not()}.")
        return self

    def _why_not(self) -> str:
        if self.tags.get("polyexp.kind") == KIND_COMPARISON:
            return ": it is a comparison"
        return f" yet: it is {self.status}" if self.status in ("RUNNING", "SCHEDULED") else f": it is {self.status}"

    def _read(self, name: str) -> str:
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        try:
            with TemporaryDirectory() as folder:  # MLflow would leave one behind for each file
                return Path(self.client.download_artifacts(self.id, name, folder)).read_text(encoding="utf-8")
        except Exception as error:  # whatever a store of artifacts raises
            self.require_result()
            raise InputError(f"The run {self.label} has lost its {name}: it cannot be read.") from error


@dataclass(frozen=True)
class Selection:
    """Which runs are meant: all of a sweep (its name or its folder), all that an MLflow filter takes, the last few."""

    sweep: str | None = None
    filter: str | None = None
    last: int | None = None


@dataclass(frozen=True)
class RecordedRuns:
    """The runs of one MLflow experiment, and by their ids those of the whole store."""

    store: Store
    experiment_name: str

    @property
    def where(self) -> str:
        """The store and the experiment, for a sentence."""
        return f"the experiment {self.experiment_name!r} of {without_password(self.store.uri)}"

    def by_id(self, word: str, key: str) -> RecordedRun:
        """The run whose id begins with `word`; InputError, about `key`, where there is none, or more than one."""
        wanted = f"a run's id, or its first {MIN_CHARACTERS} or more letters"
        if not re.fullmatch(f"[0-9a-f]{{{MIN_CHARACTERS},32}}", word):
            hint = f""" An id that reads as a number needs quotes of its own: "{key}='...'".""" if _reads(word) else ""
            raise InputError(f"`{key}` must be {wanted}, got {word!r}.{hint}")
        found = self._client.search_runs(self._all_experiments(), f"attributes.run_id LIKE '{word}%'", max_results=2)
        if len(found) > 1:
            raise InputError(
                f"`{key}` must be one run's id, got {word!r}, with which several begin: type more letters."
            )
        if not found:
            raise InputError(f"`{key}` must be the id of a recorded run, got {word!r}.{self._nearest(word)}")
        return _recorded(found[0], self._client)

    def select(self, selection: Selection) -> list[RecordedRun]:
        """The runs with results that a selection means, the latest first. InputError for a filter that MLflow refuses."""
        return list(self._take(selection))

    def keep(self, name: str, tags: Mapping[str, str], files: Sequence[Path]) -> list[str]:
        """Record a comparison with its files, and return lines that say where.

        It has an experiment of its own, beside that of the runs, so that no table, chart or search of runs ever
        shows it.
        """
        experiment_id = self.store.experiment_id(f"{self.experiment_name} comparisons")
        run = self._client.create_run(experiment_id, tags={"polyexp.kind": KIND_COMPARISON, **tags}, run_name=name)
        self.attach(run.info.run_id, files)
        self._client.set_terminated(run.info.run_id)
        return [f"Recorded as {name} ({run.info.run_id})", *self.store.pages(experiment_id, run.info.run_id)]

    def attach(self, run_id: str, files: Sequence[Path], folder: str | None = None) -> None:
        """Add artifacts to a run."""
        for file in files:
            self._client.log_artifact(run_id, str(file), folder)

    @property
    def _client(self) -> Any:
        return self.store.client

    def _take(self, selection: Selection) -> Iterator[RecordedRun]:
        taken = 0
        for run in self._search(selection):
            if selection.last is not None and taken == selection.last:
                return
            if _in_folder(run, selection.sweep):
                taken += 1
                yield run

    def _search(self, selection: Selection) -> Iterator[RecordedRun]:
        from mlflow.exceptions import MlflowException

        experiment = self._client.get_experiment_by_name(self.experiment_name)
        token, page = None, min(RUNS_PER_PAGE, selection.last or RUNS_PER_PAGE)
        try:
            while experiment and token != "":
                found = self._client.search_runs(
                    [experiment.experiment_id],
                    _words(selection),
                    max_results=page,
                    order_by=["attributes.start_time DESC"],
                    page_token=token,
                )
                yield from (_recorded(run, self._client) for run in found)
                token = found.token or ""
        except MlflowException as error:
            if not selection.filter or error.error_code != "INVALID_PARAMETER_VALUE":
                raise
            raise _refused(selection.filter, error.message) from error

    def _all_experiments(self) -> list[str]:
        return [one.experiment_id for one in self._client.search_experiments()]

    def _nearest(self, word: str) -> str:
        """Of letters that say nothing only nearly the same ones are near."""
        return nearest(word, [run.id[: len(word)] for run in self.select(Selection(last=100))], cutoff=0.8)


def fitted(result: Mapping[str, Any]) -> tuple[Model, np.ndarray, tuple[float, float]]:
    """The model of a result.json on its domain, its final parameters (shape (K,)), and the domain.

    InputError where the parameters are not all finite, or the model is of a package that is not installed here.
    """
    config, values = result["config"], list(result["parameters"].values())
    model, domain = _model(config), _domain(result)
    if None in values:
        raise InputError("A run whose parameters are not finite has no formula.")
    return model.on(domain), np.array(values, float), domain


def _model(config: Mapping[str, Any]) -> Model:
    name = config["model"]
    cls: Any = Component.registry.get((Model.group, name))
    if cls is None:
        raise InputError(f"The run's model {name!r} belongs to a package that is not installed here.")
    keys = {one.name: f"{Model.group}.{one.name}" for one in fields(cls)}
    model: Model = cls(**{one: config[key] for one, key in keys.items() if key in config})
    return model


def _domain(result: Mapping[str, Any]) -> tuple[float, float]:
    """Of the samples; runs of earlier versions say it in their settings only, and those of a data file not at all."""
    known = result["samples"].get("domain") or result["config"].get("problem.domain")
    if known is None:
        raise InputError("The run does not say on which domain it was fitted: fit it once more.")
    low, high = known
    return float(low), float(high)


def _recorded(run: Any, client: Any) -> RecordedRun:
    info, data = run.info, run.data
    return RecordedRun(
        info.run_id, info.run_name, info.status, info.experiment_id, data.params, data.metrics, data.tags, client
    )


def _reads(word: str) -> bool:
    """Whether it is what Hydra makes of a number."""
    try:
        float(word)
    except ValueError:
        return False
    return True


def _words(selection: Selection) -> str:
    """The selection as an MLflow filter."""
    sweep = f"tags.`polyexp.sweep` = {_quoted(Path(selection.sweep).name)}" if selection.sweep else ""
    return " and ".join(filter(None, [sweep, selection.filter, HAS_RESULT]))


def _quoted(name: str) -> str:
    require(not ("'" in name and '"' in name), "action.sweep", "a name without both kinds of quotes", name)
    return f'"{name}"' if "'" in name else f"'{name}'"


def _in_folder(run: RecordedRun, sweep: str | None) -> bool:
    """Whether a run of a sweep of this name is one of this folder's, where a whole path was given."""
    if sweep is None or Path(sweep).name == sweep:
        return True
    return Path(sweep).absolute() in Path(run.tags.get("polyexp.output_folder", "")).parents


def _refused(words: str, why: str) -> InputError:
    reason = " ".join(why.split())
    reason = reason if len(reason) <= 200 else f"{reason[:197]}..."
    example = "metrics.`loss/final` < 1 and params.model = 'legendre'"
    return InputError(f"`action.filter` must be an MLflow filter such as {example}, got {words!r} ({reason}).")
