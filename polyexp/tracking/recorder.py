"""The recorder: a process of its own that delivers the journals of the runs of one process, while they grow and afterwards.

It is told the folders of the runs through its standard input, one in a line, and holds no other stream of the process that
starts it (`recording.py`); what it has to say goes to `recorder.log` in the folder of the first run. The end of its input is
only a hint, since a process that was forked may hold it open: a run lives as long as its process does.
"""

import os
import queue
import random
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from polyexp.tracking.delivery import Delivery, deliver
from polyexp.tracking.destination import Destination, open_writer
from polyexp.tracking.failures import describe
from polyexp.tracking.journal import JOURNAL, JournalError, header_of, is_gone

__all__ = ["main"]

POLL_SECONDS = 0.1  # between two looks at the journals
DELIVERY_SECONDS = 2.0  # between two deliveries of runs that go on
RETRY_SECONDS, MAX_RETRY_SECONDS = 0.5, 10.0  # after a delivery that failed; the time doubles, give or take a half
GIVING_UP_SECONDS = 30.0  # after the last run has ended or gone


def main() -> None:
    """Deliver the journals of the folders that the standard input names, until the process that names them is done."""
    for one in (signal.SIGINT, signal.SIGHUP):  # what the terminal sends is meant for the run
        signal.signal(one, signal.SIG_IGN)
    told, parent = _Told(), os.getppid()
    stores: dict[str, _Deliveries] = {}
    last_needed = time.monotonic()
    while True:
        told.wait(POLL_SECONDS)
        needed = os.getppid() == parent and not told.ended
        for folder in [one for one in told.folders if (one / JOURNAL).exists()]:
            told.folders.remove(folder)
            _add(stores, folder)
        for store in stores.values():
            store.deliver_if_due()
        if needed:
            last_needed = time.monotonic()
        elif not any(store.folders for store in stores.values()) or time.monotonic() - last_needed > GIVING_UP_SECONDS:
            return


def _add(stores: dict[str, "_Deliveries"], folder: Path) -> None:
    """Add the journal in a folder to the deliveries to its store, which are then due."""
    try:
        header, _ = header_of(folder)
    except Exception as error:
        print(error, flush=True)
        return
    if header.store is not None:
        stores.setdefault(header.store, _Deliveries(header.store)).add(folder)


class _Told:
    """The folders that the standard input names, each of which has a journal at some time."""

    def __init__(self) -> None:
        self.folders: set[Path] = set()
        self.ended = False
        self._queue: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def wait(self, seconds: float) -> None:
        """Wait for at most some seconds for another folder, or for the end of the input."""
        with suppress(queue.Empty):
            line = self._queue.get(timeout=seconds)
            while True:
                self._take(line)
                line = self._queue.get_nowait()

    def _take(self, line: str) -> None:
        self.ended = self.ended or not line
        if line:
            self.folders.add(Path(line.rstrip("\n")))

    def _read(self) -> None:
        while line := sys.stdin.readline():
            self._queue.put(line)
        self._queue.put("")


class _Deliveries:
    """The deliveries to one store.

    Args:
        address: Its address without credentials.
    """

    def __init__(self, address: str) -> None:
        self.folders: dict[Path, Delivery | None] = {}  # the last delivery of what is not complete yet
        self._destination, self._opened = Destination.of(address), False
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
        with open_writer(self._destination, make=not self._opened) as writer:
            done = deliver(self.folders, writer, self._destination.artifact_root)
            if not self._opened:
                self._opened = True
                self._take_over(writer.running())
        self.folders |= {folder: one for folder, one in done.items() if isinstance(one, Delivery)}
        self.folders = {folder: one for folder, one in self.folders.items() if not (one and one.is_complete)}
        for one in done.values():
            if isinstance(one, Exception):
                raise one

    def _take_over(self, folders: Sequence[str]) -> None:
        """Deliver also the rest of runs whose process has ended together with its recorder, as where a container is stopped."""
        for folder in map(Path, folders):
            with suppress(OSError, JournalError):
                header, _ = header_of(folder)
                if header.store == self._destination.shown and is_gone(folder, header):
                    self.folders.setdefault(folder, None)
                    self._due = 0.0

    def _say(self, error: Exception) -> None:
        """Write a failure into the log, once."""
        sentence = describe(error, self._destination.uri)
        if sentence != self._said:
            print(sentence, flush=True)
            self._said = sentence
