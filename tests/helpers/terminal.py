"""The command line on a terminal, and what is left on the screen afterwards."""

import contextlib
import fcntl
import math
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

from tests.helpers.commands import POLYEXP, Finished, call_main

# The terminal becomes that of the new session, so that it turns Ctrl-C into a signal. `pty.fork` would do this, but a process
# in which jax runs must not be forked.
ON_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def run_on_terminal(
    *words: str, cwd: Path, until: str = "", after: float = 0, env: dict[str, str] | None = None, columns: int = 100
) -> Finished:
    """`python -m polyexp *words` on a pseudo terminal, where stdout and stderr are one (`out`).

    until: Ctrl-C is typed once this has been written, and `after` seconds have passed.
    env: added to the environment variables of the tests.
    """
    terminal, other_side = opened(columns)
    child = subprocess.Popen(
        [sys.executable, "-c", ON_TERMINAL, *POLYEXP, *words],
        stdin=other_side,
        stdout=other_side,
        stderr=other_side,
        start_new_session=True,
        cwd=cwd,
        env=environment() | (env or {}),
    )
    os.close(other_side)
    out, ends = "", time.monotonic() + 60
    typed_at = math.inf
    while (now := time.monotonic()) < ends:
        if now >= typed_at:
            os.write(terminal, b"\x03")
            typed_at = math.inf
        if not select.select([terminal], [], [], min(ends, typed_at) - now)[0]:
            continue
        try:
            out += os.read(terminal, 65536).decode(errors="replace")
        except OSError:  # the other side has closed
            break
        if until and until in out:
            typed_at, until = time.monotonic() + after, ""
    os.close(terminal)
    return Finished(child.wait(), out, "")


def run_in_process_on_terminal(*words: str, cwd: Path, columns: int) -> Finished:
    """`polyexp *words` on a pseudo terminal as by `run_on_terminal`, but inside the process of the test, without pictures."""
    terminal, other_side = opened(columns)
    parts: list[bytes] = []
    reader = threading.Thread(target=read_all, args=(terminal, parts))
    reader.start()
    try:
        with (
            patch.dict(os.environ, environment(), clear=True),
            standard_streams(other_side),
            open(other_side, "w", encoding="utf-8", buffering=1) as stream,  # closes that side, which ends the reader
        ):
            code = call_main(*words, cwd=cwd, out=stream, err=stream)
    finally:
        reader.join()
        os.close(terminal)
    return Finished(code, b"".join(parts).decode(), "")


def opened(columns: int) -> tuple[int, int]:
    """Both sides of a pseudo terminal that is so wide; the first is where its user reads and types."""
    terminal, other_side = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    return terminal, other_side


def environment() -> dict[str, str]:
    """The environment variables on a terminal: its width is its own, and it has colours."""
    inherited = {name: os.environ[name] for name in os.environ if name not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")}
    return inherited | {"TERM": "xterm-256color"}


@contextlib.contextmanager
def standard_streams(file: int) -> Iterator[None]:
    """The file descriptors 0, 1 and 2 of this process are `file`, as rich asks them for the width."""
    kept = [os.dup(stream) for stream in range(3)]
    try:
        for stream in range(3):
            os.dup2(file, stream)
        yield
    finally:
        for stream, former in enumerate(kept):
            os.dup2(former, stream)
            os.close(former)


def read_all(terminal: int, parts: list[bytes]) -> None:
    """Append what is written to a terminal until its other side is closed everywhere."""
    with contextlib.suppress(OSError):
        while part := os.read(terminal, 65536):
            parts.append(part)


def screen(text: str) -> list[str]:
    """What is left on a terminal that these characters and control sequences were sent to."""
    lines: list[list[str]] = [[]]
    row, column = 0, 0
    for token in re.findall(r"\x1b\[[?\d;]*[A-Za-z]|\r|\n|[^\x1b\r\n]", text):
        if token == "\r":
            column = 0
        elif token == "\n":
            row += 1
            lines += [[]] * 0 if row < len(lines) else [[]]
        elif token == "\x1b[1A":
            row -= 1
        elif token == "\x1b[2K":
            lines[row] = []
        elif not token.startswith("\x1b"):
            lines[row] = [*lines[row], *" " * (column - len(lines[row]))]
            lines[row][column : column + 1] = token
            column += 1
    return ["".join(line).rstrip() for line in lines]
