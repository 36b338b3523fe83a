"""A run that goes on in its own folder: the checkpoint and the journal that it has left there."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Self

from polyexp.base import InputError, counted, cut
from polyexp.experiment.experiment import Experiment
from polyexp.fitting import Checkpoint, History, SavedCheckpoint, read_checkpoint
from polyexp.tracking import (
    DATA_TAG,
    Header,
    Journal,
    JournalError,
    end_of,
    final_metrics_of,
    header_of,
    history_of,
    is_gone,
    kept_lines,
    last_step,
    lock,
)

__all__ = ["Resumed"]

SOUGHT = ("auto", "asymptotic")  # settings whose numbers a run that goes on keeps
KEPT = ("snapshot", "warning")  # kinds of lines of a journal
RESUMED_TAG, OVERRIDES_TAG = "polyexp.resumed", "polyexp.overrides"


@dataclass(frozen=True)
class Resumed:
    """What a run has left in its folder.

    Args:
        folder: The folder.
        header: The header of its journal.
        saved: Its checkpoint; None where there is none, so that it begins with the first step.
        history: The snapshots that the checkpoint counts, from the journal; None where there is no checkpoint.
        warning: What is to be said of the checkpoint; empty for nothing.
        last: The step of the last snapshot in its journal; 0 where there is none.
    """

    folder: Path
    header: Header
    saved: SavedCheckpoint | None
    history: History | None
    warning: str
    last: int

    @classmethod
    @contextmanager
    def locked(cls, folder: Path) -> Iterator[Self]:
        """A context with what the run in a folder has left, in which no other process resumes it.

        Args:
            folder: The folder.

        Raises:
            InputError: The run goes on, another process resumes it, or what it has left is damaged.
        """
        descriptor = None
        try:
            with suppress(PermissionError):  # Windows opens no folders
                descriptor = os.open(folder, os.O_RDONLY)
                if not lock(descriptor):
                    raise InputError(
                        f"The run in {folder} is being resumed by another process: wait until it has ended."
                    )
            yield cls.of(folder)  # not before, as the other process may have ended meanwhile
        finally:
            if descriptor is not None:
                os.close(descriptor)

    @classmethod
    def of(cls, folder: Path) -> Self:
        """What the run in a folder has left.

        Args:
            folder: The folder.

        Raises:
            InputError: The run goes on, or what it has left is damaged.
        """
        try:
            header, _ = header_of(folder)
            if end_of(folder) is not None or is_gone(folder, header):
                saved, warning = _checkpoint(folder)
                history = history_of(folder, saved.length)[0] if saved else None
                return cls(folder, header, saved, history, warning, last_step(folder))
        except (OSError, JournalError) as error:
            raise InputError(f"The run in {folder} cannot be resumed: {error}") from error
        raise InputError(f"The run in {folder} is going on: wait until its process has ended, or stop it.")

    def require_same(self, experiment: Experiment) -> None:
        """Require the data of the run that goes on, and no fewer steps than it has taken, before anything is changed.

        Args:
            experiment: The experiment of the run that goes on.

        Raises:
            InputError: It is not so.
        """
        taken, loop = self.saved.step if self.saved else 0, experiment.loop
        if loop.steps < taken:
            raise InputError(
                f"`{loop.key('steps')}` must be at least {taken}, the steps that the run in {self.folder} has taken, got "
                f"{loop.steps}."
            )
        was, now = self.header.tags.get(DATA_TAG), str(experiment.problem.stamp)
        if was not in (None, now):
            raise InputError(
                f"The data {cut(experiment.problem.label)} have changed since the run in {self.folder} began: their size in "
                f"bytes and time in nanoseconds were {cut(str(was))}, and are {cut(now)}. Put them back as they were, or "
                "start a run of its own."
            )

    def tuned(self, experiment: Experiment) -> Experiment:
        """The experiment with the numbers of the optimizer that the run had, in place of automatic ones.

        Args:
            experiment: The experiment of the run that goes on.
        """
        if self.saved is None or not experiment.optimizer.automatic:
            return experiment
        return replace(experiment, optimizer=self.saved.tuned(experiment.optimizer))

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
        now = {key: value for key, value in header.params.items() if was.params.get(key) not in SOUGHT}
        changed = [f"{key}={value}" for key, value in now.items() if was.params.get(key) != value]
        begin = f"after {counted(self.saved.step, 'step')}" if self.saved else "from the first step on"
        tags = {**header.tags, RESUMED_TAG: " ".join([begin, *(["with", *changed] if changed else [])])}
        if OVERRIDES_TAG in was.tags:
            tags[OVERRIDES_TAG] = was.tags[OVERRIDES_TAG]
        again = replace(header.again(was), params=was.params, tags=tags)
        final = final_metrics_of(self.folder)
        return Journal(self.folder, again, anew=True, kept=kept_lines(self.folder, KEPT), final=final)


def _checkpoint(folder: Path) -> tuple[SavedCheckpoint | None, str]:
    try:
        return read_checkpoint(folder)
    except FileNotFoundError:
        return None, ""
