"""What a signal does that asks this process to end: SIGINT (Ctrl-C), SIGTERM, or SIGHUP, as when its terminal is closed.

While libraries are imported, and once the command has ended, where an exception could be lost in the code of others, the
process ends at once. Otherwise `Interrupted` is raised wherever the process is, so that it puts away what it holds; a run that
is recorded is asked to stop instead (`gently`). A further signal ends the process at once. A signal that is ignored when the
process starts, as by nohup, stays so. This module imports the standard library alone.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

__all__ = ["Interrupted", "Signals", "signals"]

ERASE = "\r\x1b[K"  # erases the line of a terminal
SIGNALS = {
    "SIGINT": "interrupted.",
    "SIGTERM": "terminated.",
    "SIGHUP": "ended, since its terminal was closed.",  # Windows has none
}


class Interrupted(KeyboardInterrupt):
    """The end of the process that a signal asks for.

    Args:
        number: The number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = 128 + number  # the exit code, as shells have it
        self.sentence = SIGNALS[signal.Signals(number).name]


class Signals:
    """The signals that ask this process to end."""

    def __init__(self) -> None:
        self._received: int | None = None
        self._raised: Interrupted | None = None
        self._at_once, self._gently = True, False

    def take(self) -> None:
        """Take the signals from here on, but for those that are ignored; Python tells them to the main thread alone."""
        self._received, self._raised, self._at_once, self._gently = None, None, True, False
        if threading.current_thread() is not threading.main_thread():
            return
        for name in SIGNALS:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._handle)
        if not isinstance(sys.unraisablehook, _Silent):
            sys.unraisablehook = _Silent(sys.unraisablehook)

    def imported(self) -> None:
        """Raise `Interrupted` from here on, since the libraries are imported."""
        self._at_once = False

    def ended(self) -> None:
        """End the process at once from here on, since the command has ended."""
        self._at_once = True

    @contextmanager
    def gently(self) -> Iterator[None]:
        """A context in which a signal is noted, where it would be raised otherwise."""
        self._gently = True
        try:
            yield
        finally:
            self._gently = False

    @contextmanager
    def never_lost(self) -> Iterator[None]:
        """A context that raises what a signal raised in it, also where the code of others has raised something else since.

        The end of a `with` of theirs may fail, for example, because its beginning was interrupted.
        """
        try:
            yield
        finally:
            if self._raised:
                raise self._raised

    def asked(self) -> bool:
        """Whether a signal has been noted."""
        return self._received is not None

    def end(self) -> None:
        """End the process if a signal has been noted.

        Raises:
            Interrupted: One has been.
        """
        if self._received is not None:
            raise Interrupted(self._received)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        stop = Interrupted(number)
        if self._at_once or self.asked():
            _exit_at_once(stop)
        self._received = number
        if not self._gently:
            self._raised = stop
            raise stop


class _Silent:
    """What prints the exceptions that Python cannot raise, as those in a `__del__` or in what the garbage collector calls.

    It leaves out `Interrupted`, which is noted: the run that begins next is asked to stop.

    Args:
        rest: What prints the others.
    """

    def __init__(self, rest: Callable[[Any], object]) -> None:
        self._rest = rest

    def __call__(self, unraisable: Any) -> None:
        if not isinstance(unraisable.exc_value, Interrupted):
            self._rest(unraisable)


def _exit_at_once(stop: Interrupted) -> None:
    """End the process without a traceback; what has been written to journals is delivered by the recorder."""
    begin = ERASE if os.isatty(2) else ""  # of a line that is not complete, such as that on the imports
    with suppress(OSError):
        os.write(2, f"{begin}polyexp: {stop.sentence}\n".encode())
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, RuntimeError, ValueError):  # of one that is closed, or in whose writing the signal came
            stream.flush()
    os._exit(stop.code)


signals = Signals()
