"""The writer of checkpoints beside a fit, which does not wait for the disk."""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType

from polyexp.base import printable
from polyexp.fitting.checkpoint import Checkpoint
from polyexp.fitting.checkpoint_file import CHECKPOINT, write_checkpoint
from polyexp.fitting.checkpoint_settings import CheckpointSettings
from polyexp.fitting.saved_checkpoint import SavedCheckpoint

__all__ = ["CheckpointWriter"]

CLOSING_SECONDS = 10.0  # for which the end of a run waits for a disk


class CheckpointWriter(AbstractContextManager["CheckpointWriter"]):
    """What writes the checkpoints of one fit into a folder, in a thread of its own; a context manager that ends the thread.

    Where a checkpoint is due before the last one is written, the newer one waits, and what waited before it is left out.

    Args:
        folder: The folder, which exists and belongs to this run.
        settings: The settings of the fit, as text by their keys.
        fingerprint: The fingerprint of the experiment.
        every: The least number of seconds between two checkpoints, and before the first one.
        with_history: Whether the values of the history are written, too, as a batch needs them.
        warn: Called once, in the thread of the fit, with a sentence, if a checkpoint could not be written.
        first: Called before each write, in the thread that writes, such as the `sync` of the journal, so that the snapshots
            of a checkpoint are on the disk before it.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> import polyexp as p
        >>> from polyexp.fitting import CheckpointWriter, read_checkpoint
        >>> samples, model = p.Samples.of([-1, 0, 1], [1, 0, 1]), p.PowerSeries(degree=1)
        >>> with TemporaryDirectory() as folder, CheckpointWriter(Path(folder), {"seed": "0"}, "0123456789abcdef") as writer:
        ...     stopped = p.fit(samples, model, backend=p.NumPy(), keep=writer.keep, stop=lambda: True)
        ...     writer.write(stopped.checkpoint)
        ...     read_checkpoint(Path(folder))[0].step
        1
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str],
        fingerprint: str,
        *,
        every: float = CheckpointSettings.every,
        with_history: bool = False,
        warn: Callable[[str], None] = lambda sentence: None,
        first: Callable[[], None] = lambda: None,
    ) -> None:
        self.folder, self.settings, self.fingerprint = folder, dict(settings), fingerprint
        self.every, self.with_history = every, with_history
        self._warn, self._first = warn, first
        self._due = time.monotonic() + every
        self._changed = threading.Condition()
        self._waiting: tuple[int, SavedCheckpoint] | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self._writing = threading.Lock()
        self._made = self._written = 0  # the numbers of the latest checkpoints
        self._failure, self._warned = "", False
        for unfinished in folder.glob(f".*.{CHECKPOINT}"):  # of a process that was killed
            with suppress(OSError):
                unfinished.unlink()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what waits, and end the thread, as `close` does."""
        self.close()

    def keep(self, make: Callable[[], Checkpoint]) -> None:
        """Have a checkpoint written if one is due. This is what `fit` takes as `keep`; it waits for no disk.

        Args:
            make: The function that makes the checkpoint of this moment, which is called only if one is due.
        """
        if self._failure and not self._warned:
            self._tell()
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + self.every
        numbered = self._numbered(make())
        with self._changed:
            self._waiting = numbered
            self._changed.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
            self._thread.start()

    def write(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint now, as at an interruption, and return when it is on the disk, or after a warning.

        Args:
            checkpoint: The checkpoint.
        """
        numbered = self._numbered(checkpoint)
        with self._changed:
            self._waiting = None  # so that the end does not wait for it
        self._attempt(*numbered)
        if self._failure and not self._warned:
            self._tell()

    def close(self, wait: float = CLOSING_SECONDS) -> None:
        """Have what waits written, and end the thread.

        Args:
            wait: The number of seconds for which this waits at most, as for a disk that does not answer.
        """
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(wait)
        if self._failure and not self._warned:
            self._tell()

    def _numbered(self, checkpoint: Checkpoint) -> tuple[int, SavedCheckpoint]:
        """What a file keeps of a checkpoint, with its number; called in the thread of the fit alone."""
        self._made += 1
        history = self.with_history
        return self._made, SavedCheckpoint.of(checkpoint, self.settings, self.fingerprint, with_history=history)

    def _run(self) -> None:
        """Write what waits, again and again."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting is not None or self._closed)
                numbered, self._waiting = self._waiting, None
            if numbered is None:
                return
            self._attempt(*numbered)

    def _attempt(self, number: int, saved: SavedCheckpoint) -> None:
        try:
            self._write(number, saved)
        except Exception as error:  # a fit does not depend on its checkpoints
            self._failure = getattr(error, "strerror", None) or str(error) or type(error).__name__

    def _write(self, number: int, saved: SavedCheckpoint) -> None:
        with self._writing:
            if number > self._written:  # otherwise a newer one was written meanwhile
                self._first()
                write_checkpoint(self.folder, saved)
                self._written = number

    def _tell(self) -> None:
        self._warned = True
        self._warn(
            f"a checkpoint could not be written into {printable(str(self.folder))} ({printable(self._failure)}); the fit "
            "does not depend on it, and the checkpoint before is kept."
        )
