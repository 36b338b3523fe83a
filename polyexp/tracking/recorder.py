"""The recorder: a process of its own that delivers the journals of the runs of one process, while they grow and afterwards.

It is told the folders of the runs through its standard input, each in a line of JSON that also says whether somebody waits for
it, and holds no other stream of the process
that starts it (`recording.py`); what it has to say goes to `recorder.log` in the folder of the first run. The end of its input
is only a hint, since a process that was forked may hold it open: a run lives as long as its process does.
"""

import json
import os
import queue
import random
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from polyexp.base import InputError
from polyexp.tracking.delivery import Delivery, deliver
from polyexp.tracking.destination import Destination, open_writer
from polyexp.tracking.entry import Writer
from polyexp.tracking.failures import describe
from polyexp.tracking.journal_lines import header_of, is_gone

__all__ = ["main"]

POLL_SECONDS = 0.1  # between two looks at the journals
GATHERING_SECONDS = (
    0.5  # between a delivery and the first one of runs that have begun since, unless somebody waits for it
)
DELIVERY_SECONDS = 2.0  # between two deliveries of runs that go on
RETRY_SECONDS, MAX_RETRY_SECONDS = 0.5, 10.0  # after a delivery that failed; the time doubles, give or take a half
READING_SECONDS = 2.0  # after the process has ended, for what it has told last
GIVING_UP_SECONDS = 30.0  # after the process has ended


def main(parent: int, log: str, giving_up: float = GIVING_UP_SECONDS) -> None:
    """Deliver the journals of the folders that the standard input names, until the process that names them is done.

    Args:
        parent: The number of this process, which has started this one.
        log: The file to which the standard output leads, which is removed at the end if it is empty.
        giving_up: How long to go on after the process has ended, in seconds.
    """
    for one in (signal.SIGINT, signal.SIGHUP):  # what the terminal sends is meant for the run
        signal.signal(one, signal.SIG_IGN)
    told, stores = _Told(), _Stores()
    needed = time.monotonic()  # the last time, which is after whatever was delivered meanwhile
    while True:
        told.wait(POLL_SECONDS)
        is_needed = os.getppid() == parent and not told.ended
        for folder, at_once in list(told.folders.items()):
            if stores.has_taken(folder, at_once):
                del told.folders[folder]
        stores.deliver()
        if is_needed:
            needed = time.monotonic()
        idle = time.monotonic() - needed
        is_told = told.ended or idle > READING_SECONDS
        if idle > giving_up or (is_told and not stores.has_work):
            break
    _remove_if_empty(Path(log))


class _Told:
    """The folders that the standard input names, which get journals at some time, and whether somebody waits for them."""

    def __init__(self) -> None:
        self.folders: dict[Path, bool] = {}
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
            name, at_once = json.loads(line)
            self.folders[Path(name)] = at_once or self.folders.get(Path(name), False)

    def _read(self) -> None:
        while (line := sys.stdin.readline()).endswith("\n"):
            self._queue.put(line)
        self._queue.put("")


class _Stores:
    """The deliveries to the stores that the journals name."""

    def __init__(self) -> None:
        self._deliveries: dict[str, _Deliveries] = {}

    @property
    def has_work(self) -> bool:
        """Whether something is not delivered yet."""
        return any(one.runs for one in self._deliveries.values())

    def has_taken(self, folder: Path, at_once: bool) -> bool:
        """Take the journal in a folder, and return whether it was there, with a header."""
        try:
            header, _ = header_of(folder)
            if header.store is not None:
                new = _Deliveries(Destination.of(header.store))
                self._deliveries.setdefault(header.store, new).add(folder, at_once)
        except InputError as error:
            _print(str(error))
        except OSError:
            return False
        return True

    def deliver(self) -> None:
        """Deliver what is due."""
        for one in self._deliveries.values():
            one.deliver()


@dataclass
class _Run:
    """A run that is not complete in its store.

    Args:
        last: The last delivery of it.
        due: When to deliver the next time.
        pause: The last pause after a failure, in seconds.
    """

    last: Delivery | None = None
    due: float = 0.0
    pause: float = RETRY_SECONDS / 2


class _Deliveries:
    """The deliveries to one store.

    Args:
        destination: The store.
    """

    def __init__(self, destination: Destination) -> None:
        self.runs: dict[Path, _Run] = {}
        self._destination, self._was_there = destination, False
        self._next = 0.0  # when runs that have begun since the last delivery are due
        self._said: set[str] = set()

    def add(self, folder: Path, at_once: bool) -> None:
        """Deliver the journal in a folder, at once or together with those of runs that begin in the next moment."""
        run = self.runs.setdefault(folder, _Run(due=self._next))
        run.due = 0.0 if at_once else run.due

    def deliver(self) -> None:
        """Deliver what is due; after a failure the pauses become longer."""
        began = time.monotonic()
        due = {folder: run.last for folder, run in self.runs.items() if run.due <= began}
        if not due:
            return
        try:
            # A store that was there once and is not any more is not made anew: it may be put back.
            with open_writer(self._destination, make=not self._was_there) as writer:
                done = deliver(due, writer, self._destination.artifact_root)
                if not self._was_there:
                    self._was_there = True
                    self._take_over(writer)
        except Exception as error:
            done = dict.fromkeys(due, error)
        ended, jitter = time.monotonic(), random.uniform(0.5, 1.5)
        self._next = ended + GATHERING_SECONDS
        for folder, one in done.items():
            self._take(folder, one, ended, jitter)

    def _take(self, folder: Path, done: Delivery | Exception, now: float, jitter: float) -> None:
        run = self.runs[folder]
        if isinstance(done, Exception):
            self._report(done)
            run.pause = min(2 * run.pause, MAX_RETRY_SECONDS)
            run.due = now + run.pause * jitter
        elif done.is_complete:
            del self.runs[folder]
        else:
            self.runs[folder] = _Run(done, now + DELIVERY_SECONDS)

    def _take_over(self, writer: Writer) -> None:
        """Deliver also the rest of runs whose process has ended together with its recorder, as where a container is stopped."""
        with suppress(Exception):  # the runs of this process do not depend on it
            for folder in map(Path, writer.running()):
                if self._is_left(folder):
                    self.runs.setdefault(folder, _Run())

    def _is_left(self, folder: Path) -> bool:
        """Whether a folder has the journal of a run of this store whose process has ended."""
        try:
            header, _ = header_of(folder)
            return header.store == self._destination.shown and is_gone(folder, header)
        except (OSError, InputError):
            return False

    def _report(self, error: Exception) -> None:
        """Write a failure into the log, once."""
        sentence = describe(error, self._destination.uri)
        if sentence not in self._said:
            _print(sentence)
            self._said.add(sentence)


def _print(sentence: str) -> None:
    with suppress(OSError):  # the disk may be full
        print(sentence, flush=True)


def _remove_if_empty(log: Path) -> None:
    with suppress(OSError):
        if not log.stat().st_size:
            log.unlink()
