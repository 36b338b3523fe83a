"""The checkpoint of a batch in the folder of its sweep, from which a resumed sweep computes its jobs further."""

import hashlib
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from polyexp.base import InputError
from polyexp.experiment import Experiment, compute
from polyexp.fitting import CheckpointWriter, Result, SavedCheckpoint, read_checkpoint

__all__ = ["CHECKPOINTS", "BatchCheckpoint"]

CHECKPOINTS = "checkpoints"  # the folder of them in that of the sweep


class BatchCheckpoint:
    """The checkpoint of one batch, in a folder that is named by the jobs of the batch, so that it belongs to no other one.

    Args:
        sweep: The folder of the sweep.
        jobs: The experiments of the batch by the numbers of their jobs.
    """

    def __init__(self, sweep: Path, jobs: Mapping[int, Experiment]) -> None:
        self._sweep, self._jobs = sweep, MappingProxyType(dict(jobs))

    def computed(self, stop: Callable[[], bool], warn: Callable[[str], None]) -> Result:
        """The result of the batch, computed from the checkpoint on where there is one; it is the same to the bit.

        Args:
            stop: Called between blocks of steps; if it returns True, the result is INTERRUPTED, and its checkpoint is written.
            warn: Called with a sentence if a checkpoint cannot be used or written; the last one, too.
        """
        try:
            if saved := self._saved(warn):
                return self._computed(saved, stop, warn)
        except InputError as error:
            *_, last = self._jobs
            jobs = f"the jobs {next(iter(self._jobs))} to {last} are computed from the first step on"
            warn(f"{jobs}, since their checkpoint cannot be used: {error}")
        return self._computed(None, stop, warn)

    def remove(self) -> None:
        """Remove it, since the jobs of the batch have their results."""
        if self._all.is_dir():
            shutil.rmtree(self._folder, ignore_errors=True)
            with suppress(OSError):  # of one that has others
                self._all.rmdir()

    def _computed(self, saved: SavedCheckpoint | None, stop: Callable[[], bool], warn: Callable[[str], None]) -> Result:
        with self._writer(warn) as writer:
            result = compute(self._jobs.values(), start=saved.joined if saved else None, stop=stop, keep=writer.keep)
            if result.checkpoint:
                writer.write(result.checkpoint)
        return result

    def _writer(self, warn: Callable[[str], None]) -> CheckpointWriter:
        first = next(iter(self._jobs.values()))
        return CheckpointWriter(
            self._folder,
            {"jobs": ",".join(map(str, self._jobs))},
            self._fingerprint,
            every=first.checkpoint.every,
            with_history=True,
            warn=warn,
            first=lambda: self._folder.mkdir(parents=True, exist_ok=True),
        )

    def _saved(self, warn: Callable[[str], None]) -> SavedCheckpoint | None:
        """The checkpoint of an earlier process; None where there is none."""
        if not self._all.is_dir():  # of a sweep that has not been interrupted
            return None
        with suppress(FileNotFoundError):
            saved, warning = read_checkpoint(self._folder)
            if warning:
                warn(warning)
            if saved.fingerprint != self._fingerprint:
                raise InputError("it is of other jobs.")
            return saved
        return None

    @property
    def _all(self) -> Path:
        return self._sweep / CHECKPOINTS

    @property
    def _folder(self) -> Path:
        return self._all / self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        prints = [f"{number} {one.fingerprint()}" for number, one in self._jobs.items()]
        return hashlib.sha256("\n".join(prints).encode()).hexdigest()[:16]
