"""The circumstances of a run, and what is recorded of it before it starts."""

import math
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from polyexp.backend import threads_of
from polyexp.base import spell, version
from polyexp.experiment.experiment import Experiment
from polyexp.experiment.schema import GROUPS
from polyexp.tracking import (
    DATA_TAG,
    FINGERPRINT_TAG,
    FOLDER_TAG,
    OVERRIDES_TAG,
    REPLAY_TAG,
    SWEEP_TAG,
    RunInfo,
    environment_tags,
)

__all__ = ["InSweep", "Interruption", "Job", "Uninterrupted", "run_info", "short_number", "short_word", "typed_values"]

MAX_NAME_CHARACTERS = 100  # of the name of a run
MAX_NUMBER_CHARACTERS = 8  # of a number in it
LABEL_CHARACTERS = 8  # of the id of a run in it
SHORT_NAMES = {"learning_rate": "lr", "num_samples": "samples"}  # the words for these settings in the names of runs


@dataclass(frozen=True)
class InSweep:
    """The sweep to which a run belongs.

    Args:
        name: Its name.
        varying: The keys to which it gives several values.
        journal: The id of its journal, whose run is the parent of this one; empty where it is not recorded.
    """

    name: str
    varying: frozenset[str] = frozenset()
    journal: str = ""


class Interruption(Protocol):
    """What may ask a run to end early, such as a signal."""

    def gently(self) -> AbstractContextManager[None]:
        """A context in which the run is asked to end; elsewhere an exception is raised where the process is."""
        ...

    def asked(self) -> bool:
        """Whether the run is asked to end."""
        ...

    def end(self) -> None:
        """Raise the exception that ends the process, if the run was asked to end."""
        ...


class Uninterrupted:
    """The interruption of a run that nothing asks to end."""

    def gently(self) -> AbstractContextManager[None]:
        """A context that changes nothing."""
        return nullcontext()

    def asked(self) -> bool:
        """False."""
        return False

    def end(self) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Job:
    """The circumstances of a run.

    Args:
        folder: The folder of the run, which exists.
        overrides: The overrides that the user typed.
        sweep: The sweep to which the run belongs; None for a single run.
        config_yaml: The composed configuration as YAML.
        log_only: Whether what the run prints goes to its polyexp.log alone.
        interruption: What may ask the run to end early.
        goes_on: Whether it is the run that is in the folder already.
        runs: The number of runs that are computed together with it, itself included.
        replay_of: The id of the recorded run that it replays, or its folder where it has none; empty where it is no replay.
    """

    folder: Path
    overrides: tuple[str, ...]
    sweep: InSweep | None
    config_yaml: str
    log_only: bool = False
    interruption: Interruption = field(default_factory=Uninterrupted)
    goes_on: bool = False
    runs: int = 1
    replay_of: str = ""


def run_info(experiment: Experiment, job: Job) -> RunInfo:
    """What is recorded of a run before it starts: its name, its params and its tags.

    Args:
        experiment: The experiment.
        job: The circumstances of the run.
    """
    tags = {
        **version.tags(),
        FINGERPRINT_TAG: experiment.fingerprint(),
        **environment_tags(experiment.computed_by, threads_of(experiment.placed_backend.device), job.runs),
        FOLDER_TAG: str(job.folder),
    }
    if experiment.problem.stamp is not None:
        tags[DATA_TAG] = str(experiment.problem.stamp)
    if job.overrides:
        tags[OVERRIDES_TAG] = " ".join(job.overrides)
    if job.sweep:
        tags[SWEEP_TAG] = job.sweep.name
    if job.replay_of:
        tags[REPLAY_TAG] = job.replay_of
    params = {key: spell(value) for key, value in experiment.settings().items()}
    forecast, tuned = experiment.forecast, experiment.tuned_optimizer
    return RunInfo(
        parent=job.sweep.journal if job.sweep else "",
        found={name: float(getattr(tuned, name)) for name in experiment.optimizer.sought},
        name=_name(experiment, job),
        params=params,
        param_names=experiment.model.param_names,
        tags=tags,
        snapshots=experiment.loop.regular_snapshots,
        lower_bound=math.nan if forecast.exact else forecast.lowest or 0.0,  # no loss is below 0, whatever the model
    )


def typed_values(overrides: Iterable[str]) -> dict[str, str]:
    """The values of overrides by their keys, as they are typed; that of a key that is removed (`~seed`) is empty.

    Args:
        overrides: The overrides, of which the last one of a key counts.

    Example:
        >>> typed_values(["model=legendre", "+model.degree=3", "~seed"])
        {'model': 'legendre', 'model.degree': '3', 'seed': ''}
    """
    parts = (one.lstrip("+~").partition("=") for one in overrides)
    return {key: value for key, _, value in parts}


def short_word(key: str, value: str) -> str:
    """An override in the short form that names of runs and tables have; of a number with six digits.

    Args:
        key: The key.
        value: Its value, as it is typed.

    Example:
        >>> short_word("optimizer.learning_rate", "1e-6"), short_word("model", "legendre")
        ('lr=1e-6', 'legendre')
        >>> short_word("optimizer.learning_rate", "1.0525002045729186e-08")
        'lr=1.0525e-08'
    """
    if key in (*GROUPS, "experiment"):  # the name of a choice is clear without its group
        return value
    last = key.rpartition(".")[2]
    return f"{SHORT_NAMES.get(last, last)}={short_number(value)}"


def short_number(value: str) -> str:
    """A value with six digits where it is a number with a fraction and more of them; any other one as it is.

    Args:
        value: The value, as it is typed.

    Example:
        >>> short_number("9.999999999999999e-06"), short_number("auto")
        ('1e-05', 'auto')
    """
    if "." not in value or len(value) <= MAX_NUMBER_CHARACTERS:
        return value
    with suppress(ValueError):
        return f"{float(value):.6g}"
    return value


def _name(experiment: Experiment, job: Job) -> str:
    """The name of a run: the overrides that the user typed, in a short form, or `power_series sin` where there are none.

    A job of a sweep is named by what varies only, because the table of MLflow shows about 22 characters; a replay is named by
    the run that it replays.
    """
    if job.replay_of:
        return f"replay of {Path(job.replay_of).name[:LABEL_CHARACTERS]}"
    typed = typed_values(job.overrides).items()
    silent = ("tracking", "report", "sweep", "action", "quiet", "hydra")
    decisive = [(key, value) for key, value in typed if key.partition(".")[0] not in silent]
    varying = [(key, value) for key, value in decisive if job.sweep and key in job.sweep.varying]
    words = [short_word(key, value) for key, value in varying or decisive]
    return " ".join(words)[:MAX_NAME_CHARACTERS] or f"{experiment.model.choice} {experiment.problem.choice}"
