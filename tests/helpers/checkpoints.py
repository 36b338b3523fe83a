"""Checkpoints of small fits, and the writing of them while the call of a given number fails: a write, fsync or rename."""

import contextlib
import errno
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np

import polyexp as p
from polyexp.fitting import CHECKPOINT, CheckpointWriter, SavedCheckpoint, read_checkpoint, write_checkpoint
from polyexp.tracking import Journal
from tests.helpers.commands import run_python
from tests.helpers.disks import damage
from tests.helpers.fits import SAMPLES
from tests.helpers.journals import header

MODEL = p.LegendreSeries(degree=3, initial="normal", initial_scale=2.0)
SETTINGS, FINGERPRINT = {"seed": "0", "model": "legendre_series"}, "0123456789abcdef"
CALLS = ("write", "fsync", "replace")
BEFORE = ("nothing", "one", "two", "damaged")  # what is in the folder when a checkpoint is written


def fit_arguments(**changes: Any) -> dict[str, Any]:
    """The arguments of a fit of one run in NumPy. changes: other ones."""
    loop = p.Manual(steps=60, log_every=10, tolerance=1e-30, patience=1000)
    arguments = {"problem": SAMPLES, "model": MODEL, "loop": loop, "optimizer": p.Adam(0.1), "backend": p.NumPy()}
    return arguments | changes


def kept(arguments: dict[str, Any]) -> tuple[p.Result, list[p.Checkpoint]]:
    """The result of a fit, and its checkpoints of all moments between two blocks."""
    checkpoints: list[p.Checkpoint] = []
    return p.fit(**arguments, keep=lambda make: checkpoints.append(make())), checkpoints


def saved(checkpoint: p.Checkpoint, **options: Any) -> SavedCheckpoint:
    """What a file keeps of a checkpoint."""
    return SavedCheckpoint.of(checkpoint, SETTINGS, FINGERPRINT, **options)


@cache
def three() -> list[SavedCheckpoint]:
    """Three checkpoints of one fit."""
    return [saved(one) for one in kept(fit_arguments())[1][:3]]


class Failing:
    """Calls that are counted; `fail` is called in place of the one of number `at`, from 1 on."""

    def __init__(self, at: int, fail: Callable[[], Any]) -> None:
        self.calls, self._at, self._fail = 0, at, fail

    def before(self) -> bool:
        """Whether the call that comes fails."""
        self.calls += 1
        return self.calls == self._at

    def wrap(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **named: Any) -> Any:
            return self._fail() if self.before() else call(*args, **named)

        return counted

    def open(self, *args: Any) -> Any:
        """A file whose writes are counted; the one that fails writes a half."""
        return File(open(*args), self)

    def fail(self) -> None:
        """Fail."""
        self._fail()


class File:
    """A file whose writes are counted."""

    def __init__(self, file: Any, failing: Failing) -> None:
        self._file, self._failing = file, failing

    def write(self, content: bytes) -> int:
        """Write all, or a half and then fail."""
        if self._failing.before():
            self._file.write(memoryview(content)[: len(content) // 2])
            self._file.flush()
            self._failing.fail()
        return int(self._file.write(content))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "File":
        return self

    def __exit__(self, *args: object) -> None:
        self._file.close()


@contextlib.contextmanager
def failing(call: str, at: int, fail: Callable[[], Any]) -> Iterator[Failing]:
    """A context in which the call of a number fails: a write of a checkpoint, an fsync or a rename."""
    counted = Failing(at, fail)
    if call == "write":
        with patch("polyexp.fitting.checkpoint_file.open", counted.open, create=True):
            yield counted
    else:
        with patch(f"os.{call}", counted.wrap(getattr(os, call))):
            yield counted


def prepare(folder: Path, before: str, checkpoints: Sequence[SavedCheckpoint]) -> None:
    """Write the first checkpoints; where the newest is damaged, the one before it is the second."""
    folder.mkdir(parents=True)
    first, second, third = checkpoints
    for one in {"nothing": [], "one": [second], "two": [first, second], "damaged": [second, third]}[before]:
        write_checkpoint(folder, one)
    if before == "damaged":
        damage(folder / "checkpoint.npz", 300, 8)


def found(folder: Path, checkpoints: Sequence[SavedCheckpoint]) -> str:
    """Which of the checkpoints is read: old (the second), new (the third), none; or another one."""
    try:
        one, _ = read_checkpoint(folder)
    except FileNotFoundError:
        return "none"
    return {1: "old", 2: "new"}[list(checkpoints).index(one)]


def number_of_calls(folder: Path, call: str, before: str, checkpoints: Sequence[SavedCheckpoint]) -> int:
    """How many such calls the writing of the third checkpoint makes."""
    prepare(folder, before, checkpoints)
    with failing(call, 0, lambda: None) as counted:
        write_checkpoint(folder, checkpoints[2])
    return counted.calls


def fail_at_each(root: Path, call: str, before: str, every: int = 1) -> dict[str, int]:
    """Let the call of each number fail, require the old or the new checkpoint and no other file, and count what is read."""
    checkpoints, counts = three(), {"old": 0, "new": 0, "none": 0}
    number = number_of_calls(root / "count", call, before, checkpoints)
    assert number >= {"write": 40, "fsync": 2, "replace": 1}[call]
    for at in range(1, number + 1, every):
        folder = root / str(at)
        prepare(folder, before, checkpoints)
        try:
            with failing(call, at, _no_space):
                write_checkpoint(folder, checkpoints[2])
        except OSError as error:
            assert (error.errno, error.filename) == (errno.ENOSPC, str(folder / CHECKPOINT))  # noqa: PT017
        else:
            raise AssertionError("it has not failed")
        is_written = call == "fsync" and at == number  # of the folder, after the renames
        one = found(folder, checkpoints)
        assert one == ("new" if is_written else "none" if before == "nothing" else "old")
        assert not list(folder.glob(".*"))
        counts[one] += 1
        write_checkpoint(folder, checkpoints[2])
        assert read_checkpoint(folder) == (checkpoints[2], "")
    return counts


def _no_space() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def kills() -> list[tuple[str, str, int, str, str]]:
    """What `kill_at_each` finds, in a process of its own, which has no threads that a fork would lose."""
    with TemporaryDirectory() as folder:
        code = (
            "import sys\nfrom pathlib import Path\nfrom tests.helpers.checkpoints import kill_at_each\n"
            "kill_at_each(Path(sys.argv[1]))"
        )
        done = run_python(code, folder, cwd=Path(__file__).parents[2])
    assert (done.code, done.err) == (0, "")
    lines = [tuple(line) for line in json.loads(done.out)]
    assert {(before, call) for before, call, *_ in lines} == {(before, call) for before in BEFORE for call in CALLS}
    assert len(lines) > 4 * 40
    for before, call, at, first, later in lines:
        assert first in (("none" if before == "nothing" else "old"), "new"), (before, call, at)
        assert later == "new", (before, call, at)
    return lines


def flip_a_bit(folder: Path, seed: int) -> str:
    """Flip a random bit of the newest of two checkpoints, and give what is read: the old one, which is said, or the new one."""
    checkpoints = three()
    prepare(folder, "two", checkpoints)
    content = bytearray((folder / CHECKPOINT).read_bytes())
    random = np.random.RandomState(seed)
    content[random.randint(len(content))] ^= 1 << random.randint(8)
    (folder / CHECKPOINT).write_bytes(content)
    again, warning = read_checkpoint(folder)
    assert bits(again) == bits(checkpoints[0 if warning else 1])
    return "old" if warning else "new"


def kill_at_each(root: Path) -> None:
    """Write what is found after a process was killed at each call, as JSON: [before, call, number, found, found later]."""
    checkpoints, lines = three(), []
    for before in BEFORE:
        for call in CALLS:
            for at in range(1, number_of_calls(root / before / call, call, before, checkpoints) + 1):
                folder = root / before / f"{call}{at}"
                prepare(folder, before, checkpoints)
                _write_in_child(folder, call, at, checkpoints[2])
                first = found(folder, checkpoints)
                write_checkpoint(folder, checkpoints[2])
                lines.append([before, call, at, first, found(folder, checkpoints)])
    json.dump(lines, sys.stdout)


def _write_in_child(folder: Path, call: str, at: int, checkpoint: SavedCheckpoint) -> None:
    """Write in a process that kills itself."""
    child = os.fork()
    if child == 0:
        with failing(call, at, lambda: os.kill(os.getpid(), signal.SIGKILL)):
            write_checkpoint(folder, checkpoint)
        os._exit(1)  # which does not happen
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), status


LONG = {"loop": p.Manual(steps=100_000, log_every=100), "optimizer": p.Adam(1e-3)}


def run_for_long(folder: Path) -> None:
    """A run with a journal, and with checkpoints as often as they can be written."""
    params = MODEL.on_domain(SAMPLES.domain).param_names
    with (
        Journal(folder, header(param_names=list(params))) as journal,
        CheckpointWriter(folder, SETTINGS, FINGERPRINT, every=0, first=journal.sync) as writer,
    ):
        p.fit(**fit_arguments(**LONG), observe=journal.snapshot, keep=writer.keep)


def bits(checkpoint: SavedCheckpoint) -> dict[str, tuple[Any, ...]]:
    """Its arrays to the bit."""
    return {name: (one.dtype.str, one.shape, one.tobytes()) for name, one in checkpoint.arrays.items()}


def plain(value: Any, dtype: str = "<f8") -> np.ndarray:
    """An array of a file."""
    return np.asarray(value, dtype)
