"""A run that goes on in its own folder: the checkpoint and the journal that it has left there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Self

from polyexp.base import InputError, counted, cut
from polyexp.experiment.experiment import Experiment
from polyexp.fitting import Checkpoint, History, SavedCheckpoint, read_checkpoint
from polyexp.tracking import (
    DATA_TAG,
    OVERRIDES_TAG,
    RESUMED_TAG,
    Header,
    Journal,
    JournalError,
    address_of,
    end_of,
    final_metrics_of,
    header_of,
    history_of,
    is_gone,
    kept_lines,
    locked_folder,
    recorded_steps,
    require_same_store,
)

__all__ = ["Resumed", "can_go_on"]

KEPT = ("snapshot",)  # kinds of lines of a journal


@dataclass(frozen=True)
class Resumed:
    """What a run has left in its folder.

    Args:
        folder: The folder.
        header: The header of its journal.
        saved: Its checkpoint; None where there is none, so that it begins with the first step.
        history: The snapshots that the checkpoint counts, from the journal; None where there is no checkpoint.
        warning: What is to be said of the checkpoint; empty for nothing.
        steps: The steps of all snapshots in its journal, which are not recorded again.
    """

    folder: Path
    header: Header
    saved: SavedCheckpoint | None
    history: History | None
    warning: str
    steps: frozenset[int]

    @classmethod
    @contextmanager
    def taken(cls, folder: Path) -> Iterator[Self]:
        """A context that gives what the run in a folder has left, and in which no other process resumes it.

        Args:
            folder: The folder.

        Raises:
            InputError: The run goes on, another process resumes it, or what it has left is damaged.
        """
        going_on = f"The run in {folder} is going on: wait until its process has ended, or stop it."
        with locked_folder(folder, InputError(going_on)):
            try:
                header, _ = header_of(folder)
                if end_of(folder) is None and not is_gone(folder, header):
                    raise InputError(going_on)
                resumed = cls(folder, header, *_checkpoint(folder), recorded_steps(folder))
            except JournalError as error:
                raise InputError(f"The run in {folder} cannot be resumed: {error} Start a run of its own.") from error
            except OSError as error:
                raise InputError(f"The run in {folder} cannot be resumed: {error}.") from error
            yield resumed

    @property
    def step(self) -> int:
        """The number of steps after which the run goes on."""
        return self.saved.step if self.saved else 0

    def continued(self, experiment: Experiment) -> Experiment:
        """The experiment with the numbers that the run has found for its optimizer, in place of automatic ones.

        Args:
            experiment: The experiment of the run that goes on.

        Raises:
            InputError: It has fewer steps than the run has taken, its data or its initial values have changed, or it would be
                recorded in another store.
        """
        taken = max(self.step, *self.steps, 0)
        if experiment.loop.steps < taken:
            raise InputError(
                f"`{experiment.loop.key('steps')}` must be at least {taken}, the steps that the run in {self.folder} has "
                f"taken, got {experiment.loop.steps}."
            )
        if (now := address_of(experiment.tracking)) and self.header.store:  # somebody may have typed another tracker
            require_same_store(self.folder, self.header, now, "run")
        was, now = self.header.tags.get(DATA_TAG), str(experiment.problem.stamp)
        if was not in (None, now):
            raise InputError(
                f"The data {cut(experiment.problem.label)} have changed since the run in {self.folder} began: their size in "
                f"bytes and time in nanoseconds were {cut(str(was))}, and are {cut(now)}. Put them back as they were, or "
                "start a run of its own."
            )
        if self.saved and self.saved.arrays["initial"].tobytes() != experiment.initial.tobytes():
            raise InputError(
                f"The run in {self.folder} cannot be resumed: its initial values were others, as those of another version of "
                "polyexp may be. Start a run of its own."
            )
        sought, found = experiment.optimizer.sought, self.header.found
        if not sought or not set(sought) <= set(found):
            return experiment
        return replace(experiment, found=experiment.optimizer.with_numbers({name: found[name] for name in sought}))

    @staticmethod
    def kept(experiment: Experiment) -> list[str]:
        """The automatic settings of an experiment with the numbers that the run has found, as `key=value`."""
        optimizer, found = experiment.optimizer, experiment.found
        return [f"{optimizer.key(name)}={getattr(found, name):.6g}" for name in optimizer.sought] if found else []

    @property
    def start(self) -> Callable[[Checkpoint], Checkpoint] | None:
        """What makes the checkpoint from which `fit` goes on; None for the first step."""
        return partial(self.saved.joined, history=self.history) if self.saved else None

    def journal(self, header: Header) -> Journal:
        """The journal of the run that goes on, with the id, the params and the snapshots of the earlier one.

        What of its settings is not as it was, is in the tag `polyexp.resumed`.

        Args:
            header: The header of a new run of the same experiment.
        """
        was = self.header
        changed = [f"{key}={value}" for key, value in header.params.items() if was.params.get(key) != value]
        settings = header.params if changed else {}
        begin = f"after {counted(self.step, 'step')}" if self.saved else "from the first step on"
        tags = {**header.tags, RESUMED_TAG: " ".join([begin, *(["with", *changed] if changed else [])])}
        if OVERRIDES_TAG in was.tags:
            tags[OVERRIDES_TAG] = was.tags[OVERRIDES_TAG]
        again = replace(header.again(was), params=was.params, settings=settings, tags=tags)
        final = final_metrics_of(self.folder)
        return Journal(self.folder, again, anew=True, kept=kept_lines(self.folder, KEPT), final=final)


def can_go_on(folder: Path, fingerprint: str) -> bool:
    """Whether the run in a folder has left a checkpoint of these settings from which it can go on.

    Args:
        folder: The folder, which need not exist.
        fingerprint: The fingerprint of its experiment.
    """
    try:
        with Resumed.taken(folder) as resumed:
            return resumed.saved is not None and resumed.saved.fingerprint == fingerprint
    except (InputError, OSError):
        return False


def _checkpoint(folder: Path) -> tuple[SavedCheckpoint | None, History | None, str]:
    """The checkpoint of a run, its history and what is to be said of it; None where there is none that can be used."""
    histories: list[History] = []

    def read_history(saved: SavedCheckpoint) -> None:
        try:
            histories.append(history_of(folder, saved.steps))
        except (JournalError, OSError) as error:
            raise InputError("needs more snapshots than the journal of the run has") from error

    try:
        saved, warning = read_checkpoint(folder, read_history)
    except FileNotFoundError:
        return None, None, ""
    except InputError as error:
        return None, None, f"{str(error).removesuffix('.')}, so the run begins again with its first step."
    return saved, histories[-1], warning
