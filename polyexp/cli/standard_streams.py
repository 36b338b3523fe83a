"""Standard output and standard error: closed, full, or of an encoding without some characters, they end no run.

This module imports the standard library alone, as `starting` does, so that it is done before anything is printed.
"""

import io
import os
import sys
import warnings
from typing import Any

__all__ = ["ignore_foreign_warnings", "restart_in_utf8_mode", "secure", "unwritten"]

NAMES = ("stdin", "stdout", "stderr")  # by the numbers of their file descriptors


def secure() -> None:
    """Replace the standard streams of the process by such that raise no error. Called once, before anything is printed.

    A run is recorded, and its files are written, whether or not somebody reads what it prints. What a stream cannot take is
    discarded from then on: without a word where the reader has closed the pipe, otherwise with one sentence on standard
    error. Characters that the encoding lacks are escaped. A stream that is closed is opened, and discards everything;
    otherwise the next file that is opened would get its number, and what is printed.
    """
    for number in range(len(NAMES)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
    for name in NAMES[1:]:
        setattr(sys, name, _secured(getattr(sys, name), getattr(sys, f"__{name}__")))


def unwritten() -> bool:
    """Whether standard output could not be written; a reader that has closed its pipe has read what it wanted."""
    sys.stdout.flush()
    buffer = getattr(sys.stdout, "buffer", None)
    raw = getattr(buffer, "raw", buffer)  # an unbuffered stream has no buffer
    return isinstance(raw, _Discarding) and raw.failed


def restart_in_utf8_mode() -> None:
    """Start the program anew where Python takes the names of files for ASCII (LC_ALL=C with PYTHONUTF8=0).

    Other characters in the path of a folder would become surrogates, which neither MLflow nor SQLite accepts.
    """
    if sys.getfilesystemencoding() == "ascii":
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])


def ignore_foreign_warnings() -> None:
    """Ignore warnings about the code of other packages, which `PYTHONWARNINGS=error` would make errors of a run."""
    if sys.warnoptions:
        warnings.filterwarnings("ignore", module=r"(?!polyexp\b)")


def _secured(stream: Any, original: Any) -> Any:
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")
    if stream is not original or not isinstance(stream, io.TextIOWrapper):  # which a program has put in its place
        return stream
    raw = _Discarding(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        raw if stream.write_through else io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


class _Discarding(io.FileIO):
    """A standard stream that is discarded from its first error on."""

    failed = False

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data) or 0
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            self.failed = not isinstance(error, BrokenPipeError)
            if self.failed and self.fileno() == 1:
                print(f"polyexp: standard output cannot be written ({error.strerror}).", file=sys.stderr)
            return memoryview(data).nbytes
