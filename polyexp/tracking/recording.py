"""The delivery of the runs of this process, from its side: it starts the recorder, and waits for it at the end."""

import atexit
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from polyexp.base import InputError
from polyexp.tracking.delivery import store_of
from polyexp.tracking.destination import Destination
from polyexp.tracking.failures import describe
from polyexp.tracking.journal import JOURNAL
from polyexp.tracking.journal_lines import JournalError, header_of
from polyexp.tracking.ownership import RECORDER_LOG
from polyexp.tracking.syncing import synchronized

__all__ = ["InProcess", "Recorder", "Separate", "recorder"]

POLL_SECONDS = 0.02
HAS_SESSIONS = hasattr(os, "setsid")  # Linux and macOS: a process of its own outlives the terminal


class Recorder(Protocol):
    """What delivers the journals of this process."""

    @property
    def is_running(self) -> bool:
        """Whether it delivers what it is told of."""

    def add(self, folder: Path) -> None:
        """Deliver the journal that is or will be in a folder, soon and again when it grows."""

    def wait(self, folders: Sequence[Path], seconds: float) -> str | None:
        """Wait until journals are delivered, and return why they are not; None where they are.

        Args:
            folders: The folders of the runs, which have ended.
            seconds: The longest time to wait.
        """

    def leave(self) -> None:
        """Deliver what is not delivered without this process, or at once. Called when the process ends."""


def recorder(folder: Path) -> Recorder:
    """The recorder of this process, which is started by the first run and again where it has ended.

    Args:
        folder: The folder of the run that needs it, which gets the log of a recorder that is started.
    """
    running = _recorders.get(os.getpid())  # a process that was forked has none of its own yet
    if running is None or not running.is_running:
        running = _recorders[os.getpid()] = _started(folder)
        atexit.register(running.leave)
    return running


def _started(folder: Path) -> Recorder:
    if HAS_SESSIONS:
        with suppress(OSError):  # no further process, or no memory for one
            return Separate(folder)
    return InProcess()


class InProcess:
    """A recorder that delivers in this process, when it is waited for or when the process ends."""

    def __init__(self) -> None:
        self._folders: dict[Path, None] = {}
        self.is_running = True

    def add(self, folder: Path) -> None:
        """Remember a folder."""
        self._folders[folder] = None

    def wait(self, folders: Sequence[Path], seconds: float) -> str | None:
        """Deliver journals, however long it takes, and return why the first one that is not delivered is not."""
        reasons: list[str] = []
        stores: dict[Destination, list[Path]] = {}
        for folder in folders:
            try:
                stores.setdefault(Destination.of(header_of(folder)[0].store), []).append(folder)
            except (InputError, OSError) as error:
                reasons.append(describe(error, ""))
        for destination, some in stores.items():
            for folder, done in synchronized(some, destination):
                if isinstance(done, Exception):
                    reasons.append(describe(done, destination.uri))
                else:
                    self._folders.pop(folder, None)
        return next(iter(reasons), None)

    def leave(self) -> None:
        """Deliver the journals of the runs that have not been waited for."""
        self.wait([one for one in self._folders if (one / JOURNAL).exists()], 0)
        self._folders.clear()


class Separate:
    """A recorder that is a process of its own.

    Args:
        folder: The folder that gets its log.
    """

    def __init__(self, folder: Path) -> None:
        self._log = folder.absolute() / RECORDER_LOG
        path = [os.path.abspath(one) for one in sys.path]
        main = f"main({os.getpid()}, {str(self._log)!r})"
        code = f"import sys; sys.path[:] = {path!r}; from polyexp.tracking.recorder import main; {main}"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-X", "utf8", "-W", "ignore", "-c", code],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
            )

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def add(self, folder: Path) -> None:
        """Tell the process about a folder."""
        self._tell(folder, at_once=False)

    def wait(self, folders: Sequence[Path], seconds: float) -> str | None:
        """Let the process deliver the journals at once that are not delivered yet, and wait until it has."""
        end, left = time.monotonic() + seconds, [one for one in reversed(folders) if not _is_delivered(one)]
        for folder in reversed(left):
            self._tell(folder, at_once=True)
        while left:
            if _is_delivered(left[-1]):
                left.pop()
                continue
            if not self.is_running or time.monotonic() > end:
                return self._reason()
            time.sleep(POLL_SECONDS)
        return None

    def leave(self) -> None:
        """Leave the process to itself; it ends when everything is delivered."""
        with suppress(OSError):
            assert self._process.stdin
            self._process.stdin.close()
        self._process.returncode = self._process.poll() or 0  # it is not waited for, of which subprocess would warn

    def _tell(self, folder: Path, *, at_once: bool) -> None:
        with suppress(OSError):  # of a process that has ended, which is noticed when it is waited for
            assert self._process.stdin
            self._process.stdin.write(f"{json.dumps([str(folder.absolute()), at_once])}\n".encode())
            self._process.stdin.flush()

    def _reason(self) -> str:
        """What the log says last."""
        with suppress(OSError):
            if lines := self._log.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]:
                return lines[-1]
        return "it takes longer" if self.is_running else "the recorder has ended"


def _is_delivered(folder: Path) -> bool:
    try:
        return store_of(folder) is not None
    except (JournalError, OSError):  # the folder has been lost, or the journal is damaged
        return False


_recorders: dict[int, Recorder] = {}
