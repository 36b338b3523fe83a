"""The folder of a run, which belongs to this run alone."""

import os
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from polyexp.base import InputError, open_regular, printable, shown
from polyexp.fitting import CHECKPOINT, PREVIOUS

__all__ = [
    "DESCRIPTIONS",
    "HISTORY",
    "JOURNAL",
    "NOTE",
    "RECORDER_LOG",
    "RESULT",
    "RUN_LOG",
    "lock",
    "locked_folder",
    "require_no_run",
    "require_plain",
    "taken",
    "without_delivery",
]

JOURNAL = "journal.jsonl"
RESULT = "result.json"  # all that a run without a journal has
HISTORY = "history.csv"
NOTE = "delivery.json"
RUN_LOG, RECORDER_LOG = "polyexp.log", "recorder.log"
DESCRIPTIONS = ".hydra"  # the folder with Hydra's descriptions of a run
OPENED = (  # the files of a run or a sweep that are written where they are; others take the place of earlier ones
    RUN_LOG,
    RECORDER_LOG,
    "multirun.yaml",
    *(f"{DESCRIPTIONS}/{name}.yaml" for name in ("config", "hydra", "overrides")),
)
WRITTEN = (  # what one that goes on writes or reads under fixed names
    *OPENED,
    JOURNAL,
    RESULT,
    HISTORY,
    "config.yaml",
    NOTE,
    CHECKPOINT,
    PREVIOUS,
    "jobs.csv",
    "sweep.csv",
)
MAX_WAIT_SECONDS, POLL_SECONDS = 10.0, 0.05  # for a delivery that goes on


def require_no_run(key: str, folder: Path) -> None:
    """Require that a folder, which need not exist, belongs to no run.

    Args:
        key: The setting that names it.
        folder: The folder.

    Raises:
        InputError: It has the journal or the result of a run, or something else than a file where one is written.
    """
    if (folder / JOURNAL).exists() or (folder / RESULT).exists():
        raise taken(key, folder)
    require_plain(folder, OPENED)


def require_plain(folder: Path, names: Iterable[str] = WRITTEN) -> None:
    """Require that what a run writes in its folder are files of this folder: nothing is written through a link.

    Args:
        folder: The folder of a run or a sweep, in which anybody may have written; it need not exist.
        names: The files that are asked about.

    Raises:
        InputError: A link, a folder or anything else is where a file would be written, or a link in place of a folder.
    """
    for name in (DESCRIPTIONS, *names):
        with suppress(FileNotFoundError, NotADirectoryError):
            is_plain = (stat.S_ISDIR if name == DESCRIPTIONS else stat.S_ISREG)((folder / name).lstat().st_mode)
            if not is_plain:
                kind = "folder" if name == DESCRIPTIONS else "regular file"
                raise InputError(
                    f"{printable(str(folder / name))} must be a {kind}, since it is written here, and is a link or something "
                    "else: remove it."
                )


def taken(key: str, folder: Path) -> InputError:
    """The error of a folder that belongs to another run.

    Args:
        key: The setting, or the argument of a function, that names it.
        folder: The folder.
    """
    return InputError(
        f"`{key}` must name a folder without a run in it, got {shown(str(folder))}: "
        f"{'leave it out, so that each run has its own' if '.' in key else 'name another one'}."
    )


@contextmanager
def locked_folder(folder: Path, otherwise: InputError) -> Iterator[None]:
    """A context in which no other process but those that this one forks works on what is in a folder.

    Args:
        folder: The folder, which exists.
        otherwise: What is raised where another one does.

    Raises:
        InputError: Another process works on it.
        OSError: The folder cannot be read.
    """
    descriptor = None
    try:
        with suppress(PermissionError):  # Windows opens no folders
            descriptor = os.open(folder, os.O_RDONLY)
            if not lock(descriptor):
                raise otherwise
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def lock(descriptor: int) -> bool:
    """Lock a file or a folder for this process and those that it forks, and return False where another one has locked it.

    Where the system has no such locks, nothing is locked, and nothing is in the way. The lock ends with the last process that
    has the file open.

    Args:
        descriptor: The file, which is open.
    """
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):  # Windows, and network file systems that know no locks
        return True
    return True


@contextmanager
def without_delivery(folder: Path) -> Iterator[None]:
    """A context in which no process delivers the journal in a folder, such as the recorder of a run that has just been killed.

    Its note would otherwise be taken for one on the journal that takes the place of this one. Nobody waits for a delivery that
    takes too long.

    Args:
        folder: The folder of the run.
    """
    until = time.monotonic() + MAX_WAIT_SECONDS
    with open_regular(folder / JOURNAL) as file:
        while not lock(file.fileno()) and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
        yield
