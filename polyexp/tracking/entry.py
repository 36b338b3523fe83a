"""What a store is told of a run, in the form that every writer takes, and what a writer is.

A writer writes entries so that writing them twice changes nothing: a run is known by the id of its journal, a point by its
name, step, time and value.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Protocol

from polyexp.export import MODEL_NAME, Exported

__all__ = [
    "COMPARISONS",
    "COMPUTED_BY_TAG",
    "DATA_TAG",
    "ENVIRONMENT_TAG",
    "FOLDER_TAG",
    "JOURNAL_TAG",
    "KIND_COMPARISON",
    "KIND_SWEEP",
    "KIND_TAG",
    "MAX_NAME_CHARACTERS",
    "NO_MODEL_TAG",
    "OUTCOME_TAG",
    "OVERRIDES_TAG",
    "PARENT_TAG",
    "REPLAY_TAG",
    "RESUMED_TAG",
    "SWEEP_TAG",
    "Dataset",
    "Entry",
    "File",
    "LoggedModel",
    "LostRunError",
    "MLflowExperiment",
    "Point",
    "Status",
    "Writer",
    "Written",
    "is_key",
    "is_whole",
    "latest",
]

JOURNAL_TAG = "polyexp.journal"  # of a run: the id of its journal
KIND_TAG = "polyexp.kind"  # of a run that is no fit
KIND_COMPARISON, KIND_SWEEP = "comparison", "sweep"
PARENT_TAG = "mlflow.parentRunId"  # of a run: the run below which MLflow shows it
DATA_TAG = "polyexp.data_stamp"  # of a run of a data file: its size in bytes and its time
OUTCOME_TAG = "polyexp.outcome"  # of a run with a result
OVERRIDES_TAG = "polyexp.overrides"  # of a run or a sweep: what was typed
SWEEP_TAG = "polyexp.sweep"  # of a job: the name of its sweep
RESUMED_TAG = "polyexp.resumed"  # of a run that went on: after how many steps, and with which other settings
FOLDER_TAG = "polyexp.output_folder"  # of a run: its folder
NO_MODEL_TAG = "polyexp.no_model"  # of a run: why it has no MLflow model, where it might have had one
COMPUTED_BY_TAG = "polyexp.computed_by"  # of a run: the library, dtype and device that compute it
ENVIRONMENT_TAG = "polyexp.environment"  # of a run: versions, threads, kernels, processor and system, as JSON
REPLAY_TAG = "polyexp.replay_of"  # of a replay: the id of the run that it replays
COMPARISONS = " comparisons"  # what is appended to the name of an MLflow experiment for that of its comparisons
MAX_NAME_CHARACTERS = 250  # of a name that a user gives: each database of MLflow can hold as many
MAX_KEY_CHARACTERS = MAX_NAME_CHARACTERS + len(COMPARISONS)
MAX_WHOLE = 2**63  # of a number in a database, and of a position in a file


class Status(StrEnum):
    """The status of a run in MLflow."""

    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


class Point(NamedTuple):
    """A point of a metric.

    Args:
        name: The name of the metric, such as `loss/train`.
        value: The value, a finite number.
        step: The step number.
        time: The time at which it was seen, in milliseconds since 1970.
    """

    name: str
    value: float
    step: int
    time: int


def latest(points: Iterable[Point]) -> list[Point]:
    """Of each metric the point that MLflow shows as its value: the last one by step, time and value.

    Args:
        points: The points of any metrics.

    Example:
        >>> latest([Point("loss/train", 0.5, 2, 7), Point("loss/train", 0.9, 1, 8)])
        [Point(name='loss/train', value=0.5, step=2, time=7)]
    """
    last: dict[str, Point] = {}
    for point in points:
        other = last.get(point.name)
        if other is None or (point.step, point.time, point.value) > (other.step, other.time, other.value):
            last[point.name] = point
    return list(last.values())


def is_whole(value: object) -> bool:
    """Whether a value that was read is a whole number from 0 on that a database can hold.

    Args:
        value: The value.

    Example:
        >>> is_whole(7), is_whole(True), is_whole(-1), is_whole(10**30)
        (True, False, False, False)
    """
    return type(value) is int and 0 <= value < MAX_WHOLE


def is_key(value: object) -> bool:
    """Whether a value that was read is a text that MLflow takes as a name, of a metric, a run and others.

    Args:
        value: The value.

    Example:
        >>> is_key("loss/train"), is_key(""), is_key("a" * 300), is_key(7)
        (True, False, False, False)
    """
    return isinstance(value, str) and bool(value.strip()) and len(value) <= MAX_KEY_CHARACTERS and "\0" not in value


class File(NamedTuple):
    """A file of a run, which is copied to its artifacts.

    Args:
        path: The path of the file.
        folder: The folder among the artifacts of the run; empty for the top one.
    """

    path: Path
    folder: str = ""


@dataclass(frozen=True)
class Dataset:
    """The samples as an input of a run, in the words of MLflow.

    Args:
        name: The name, such as `sin_2000`.
        digest: The digest of the values, at most 36 characters.
        source_type: The kind of the source.
        source: The source, as JSON.
        schema: The shapes and dtypes, as JSON.
        profile: The numbers of samples, as JSON.
    """

    name: str
    digest: str
    source_type: str
    source: str
    schema: str
    profile: str


@dataclass(frozen=True)
class LoggedModel:
    """What a store is told of the MLflow model of a run.

    Args:
        export: The polynomial; None for a run whose last result has none, so that an earlier model of it is deleted.
        time: When the result was there, in milliseconds since 1970.
        params: The settings of the run.
        metrics: The final metrics of the run.
    """

    export: Exported | None
    time: int
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Sequence[Point] = ()

    name = MODEL_NAME  # its address is runs:/<id of the run>/<name>


@dataclass(frozen=True)
class Entry:
    """What is to be written of one run: its header, which does not change, and what has come since the last entry.

    Args:
        id: The id of the journal, 32 hexadecimal digits: the id of the run in a SQLite store, and its tag `polyexp.journal`.
        experiment: The name of the MLflow experiment.
        artifact_root: The folder for the artifacts of a new MLflow experiment; None leaves it to the server.
        name: The name of the run.
        started: The time of its start, in milliseconds since 1970.
        params: The params by name.
        tags: The tags by name, `polyexp.journal` among them.
        run_id: The id of the run in the store, if its header has been written before; `params` and `tags` are then new ones.
        points: The points that are new.
        dataset: The samples, if they are new.
        files: The files that are new.
        status: The status of the run.
        ended: The time of its end, in milliseconds since 1970; None while it is running.
        parent: The id of the journal of its parent; empty where it has none.
        is_parent: Whether other runs may name it as their parent.
        resumed: Whether it goes on after it was interrupted, with the header; then it has no end any more.
        model: The model of its result, if that is new; None where nothing is to be done about one.
    """

    id: str
    experiment: str
    artifact_root: str | None
    name: str
    started: int
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    run_id: str | None = None
    points: Sequence[Point] = ()
    dataset: Dataset | None = None
    files: Sequence[File] = ()
    status: Status = Status.RUNNING
    ended: int | None = None
    parent: str = ""
    is_parent: bool = False
    resumed: bool = False
    model: LoggedModel | None = None


class Written(NamedTuple):
    """Where an entry has been written.

    Args:
        run_id: The id of the run in the store.
        experiment_id: The id of its MLflow experiment.
    """

    run_id: str
    experiment_id: str


class MLflowExperiment(NamedTuple):
    """An MLflow experiment.

    Args:
        id: Its id in the store.
        tags: Its tags, among which are saved views.
    """

    id: str
    tags: Mapping[str, str]


class LostRunError(Exception):
    """A run that was written before is not in the store any more, which has been made anew: it must be written as a whole."""


class Writer(Protocol):
    """What writes to one open store. Where the store fails, the same is written later.

    The other methods than `write` raise any exception where the store fails.
    """

    @property
    def identity(self) -> str:
        """A text that names the store, another one where the store has been made anew at the same address."""

    def write(self, entries: Sequence[Entry]) -> list[Written | Exception]:
        """Write entries, each of another run, and return for each where it is, or why it could not be written.

        A param or a tag of an entry whose `run_id` is given is new, too, and is written. Among the exceptions are
        `LostRunError`, where a run whose `run_id` is given is not in the store, and `InputError`, where a person has deleted
        the run or its MLflow experiment; that entry fails again until it is restored. Any other may pass.

        Args:
            entries: The entries.
        """

    def experiment(self, name: str, artifact_root: str | None) -> MLflowExperiment:
        """The MLflow experiment of this name, which is created if need be."""

    def set_experiment_tag(self, experiment_id: str, name: str, value: str | None) -> None:
        """Set a tag of an MLflow experiment, or delete it where the value is None."""

    def running(self) -> list[str]:
        """The folders of the runs with a journal that have not ended as far as the store knows, from their tags."""

    def close(self) -> None:
        """Close what was opened."""
