"""The recorder: a process of its own that delivers the journals of the runs of one process, while they grow and afterwards.

It is told the folders of the runs through its standard input, one in a line, and holds no other stream of the process that
starts it; what it has to say goes to `recorder.log` in the folder of the first run. The end of its input is only a hint, since a
process that was forked may hold it open: a run lives as long as its process does.
"""

import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from polyexp.tracking.delivery import Delivery, deliver, is_delivered
from polyexp.tracking.destination import Destination
from polyexp.tracking.journal import header_of

__all__ = ["LOG", "Recorder", "main"]

LOG = "recorder.log"
POLL_SECONDS = 0.1  # between two looks at the journals
DELIVERY_SECONDS = 2.0  # between two deliveries of runs that go on
RETRY_SECONDS, MAX_RETRY_SECONDS = 0.5, 10.0  # after a delivery that failed; the time doubles, give or take a half
GIVING_UP_SECONDS = 30.0  # after the last run has ended or gone


class Recorder:
    """The recorder of this process, which is started when it is made.

    Args:
        folder: The folder of the first run, which gets its log.
    """

    def __init__(self, folder: Path) -> None:
        self._log = folder / LOG
        path = [one or os.getcwd() for one in sys.path]
        code = f"import sys; sys.path[:] = {path!r}; from polyexp.tracking.recorder import main; main()"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )

    def add(self, folder: Path) -> None:
        """Let the journal in a folder be delivered.

        Args:
            folder: The folder of a run.
        """
        with suppress(OSError):  # of a recorder that is gone; what it has not delivered is noticed at the end
            assert self._process.stdin
            self._process.stdin.write(f"{folder}\n".encode())
            self._process.stdin.flush()

    def wait(self, folders: list[Path], seconds: float) -> str | None:
        """Wait until everything is delivered, and return why it is not; None where it is.

        Args:
            folders: The folders of the runs.
            seconds: The longest time to wait.
        """
        end = time.monotonic() + seconds
        while not all(map(is_delivered, folders)):
            if self._process.poll() is not None or time.monotonic() > end:
                return self._reason()
            time.sleep(POLL_SECONDS / 4)
        return None

    def leave(self) -> None:
        """Leave the recorder to itself, which ends when everything is delivered."""
        with suppress(OSError):
            assert self._process.stdin
            self._process.stdin.close()
        # Nobody waits for it, which subprocess would otherwise warn of.
        self._process.returncode = self._process.poll() or 0

    def _reason(self) -> str:
        """The last line of the log."""
        with suppress(OSError):
            if lines := self._log.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]:
                return lines[-1]
        return "it takes longer"


def main() -> None:
    """Deliver the journals of the folders that the standard input names, until the process that names them is done."""
    for one in (signal.SIGINT, signal.SIGHUP):  # what the terminal sends is meant for the run
        signal.signal(one, signal.SIG_IGN)
    told, parent = _Told(), os.getppid()
    stores: dict[str, _Deliveries] = {}
    last_needed = time.monotonic()
    while True:
        for folder in told.new(POLL_SECONDS):
            _of_folder(stores, folder)
        for store in stores.values():
            store.deliver_if_due()
        if os.getppid() == parent and not told.ended:
            last_needed = time.monotonic()
        elif not any(store.folders for store in stores.values()) or time.monotonic() - last_needed > GIVING_UP_SECONDS:
            return


def _of_folder(stores: dict[str, "_Deliveries"], folder: Path) -> None:
    """Add the journal in a folder to the deliveries to its store, which are then due."""
    try:
        header, _ = header_of(folder)
    except Exception as error:
        print(error, flush=True)
        return
    if header.store is not None:
        stores.setdefault(header.store, _Deliveries(header.store)).add(folder)


class _Told:
    """The folders that the standard input names."""

    def __init__(self) -> None:
        self.ended = False
        self._queue: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def new(self, seconds: float) -> set[Path]:
        """The folders that were named since, after waiting for at most some seconds for one."""
        found = set()
        with suppress(queue.Empty):
            found.add(self._queue.get(timeout=seconds))
            while True:
                found.add(self._queue.get_nowait())
        return {Path(one) for one in found if one}

    def _read(self) -> None:
        for line in sys.stdin:
            self._queue.put(line.rstrip("\n"))
        self.ended = True
        self._queue.put("")  # which ends the waiting


class _Deliveries:
    """The deliveries to one store.

    Args:
        address: Its address without credentials.
    """

    def __init__(self, address: str) -> None:
        self.folders: dict[Path, Delivery | None] = {}  # the last delivery of what is not complete yet
        self._destination, self._opened = Destination.without_credentials(address), False
        self._due, self._pause, self._said = 0.0, RETRY_SECONDS, ""

    def add(self, folder: Path) -> None:
        """Deliver the journal in a folder, at once."""
        self.folders.setdefault(folder, None)
        self._due = 0.0

    def deliver_if_due(self) -> None:
        """Deliver what is new, if it is time to; after a failure the pauses become longer."""
        if time.monotonic() < self._due or not self.folders:
            return
        try:
            self._deliver()
        except Exception as error:
            self._say(error)
            self._pause = min(2 * self._pause, MAX_RETRY_SECONDS)
            self._due = time.monotonic() + self._pause * random.uniform(0.5, 1.5)
        else:
            self._pause, self._due, self._said = RETRY_SECONDS, time.monotonic() + DELIVERY_SECONDS, ""

    def _deliver(self) -> None:
        """Deliver what is new of every run.

        Raises:
            Exception: What prevented it for one of the runs.
        """
        # A store that was there once and is not any more is not made anew: it may be put back.
        with self._destination.writer(make=not self._opened) as writer:
            self._opened = True
            done = deliver(self.folders, writer, self._destination.artifact_root)
        self.folders |= {folder: one for folder, one in done.items() if isinstance(one, Delivery)}
        self.folders = {folder: one for folder, one in self.folders.items() if not (one and one.is_complete)}
        for one in done.values():
            if isinstance(one, Exception):
                raise one

    def _say(self, error: Exception) -> None:
        """Write a failure into the log, once."""
        sentence = self._destination.described(error)
        if sentence != self._said:
            print(sentence, flush=True)
            self._said = sentence
