"""Processes that can be recognised later: a number of a process alone is given again to another one."""

import os
import platform
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

__all__ = ["Process"]

ASKING_SECONDS = 5  # for `ps`, where there is no /proc


@dataclass(frozen=True)
class Process:
    """A process of this or another machine.

    Args:
        pid: Its number.
        started: The time of its start, as the operating system says it; empty where that is not known.
        host: The machine, with what distinguishes its process numbers from others: since when it runs, and the container.

    Example:
        >>> me = Process.current()
        >>> me.is_here, me.is_alive
        (True, True)
        >>> Process(me.pid, "another time", me.host).is_alive
        False
    """

    pid: int
    started: str
    host: str

    @classmethod
    def current(cls) -> Self:
        """This process."""
        return cls(os.getpid(), _started(os.getpid()) or "", _host())

    @property
    def is_here(self) -> bool:
        """Whether it is a process of this machine, since this was started, and of this container, and its start is known."""
        return self.host == _host() and bool(self.started)

    @property
    def is_alive(self) -> bool:
        """Whether it runs; of a process of another machine nothing can be said, and it is False."""
        return self.is_here and _started(self.pid) == self.started


@cache
def _host() -> str:
    return "/".join([platform.node(), _text("/proc/sys/kernel/random/boot_id"), _link("/proc/self/ns/pid")]).rstrip("/")


def _started(pid: int) -> str | None:
    """The start of a process; None where it has ended, also while its parent has not asked for its exit code."""
    if Path("/proc/self/stat").exists():
        # The name of the program, in parentheses, may hold blanks and parentheses itself.
        state = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
        return state[19] if state and state[0] not in "ZX" else None
    asked = ("ps", "-o", "stat=,lstart=", "-p", str(pid))
    try:
        found = subprocess.run(
            asked, capture_output=True, text=True, timeout=ASKING_SECONDS, check=False
        ).stdout.split()
    except (OSError, subprocess.SubprocessError):
        return None
    return " ".join(found[1:]) if found and not found[0].startswith("Z") else None


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
