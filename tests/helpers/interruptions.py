"""Fits of the command line that are interrupted at a moment and resumed, and what is compared with a fit that was not."""

import contextlib
import json
import os
import re
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from polyexp.cli.signals import signals
from polyexp.experiment import run as run_module
from polyexp.sweep import batch_checkpoint
from tests.helpers.commands import POLYEXP, Finished, run, run_in_process, start, wait_until
from tests.helpers.recorded_fits import PATIENCE_SECONDS, journal, recorders_of

FOLDER = "outputs/one"
RUN_DIR = f"hydra.run.dir={FOLDER}"
STORE = "outputs/mlflow.db"
FEW = ("problem.num_samples=20", "model.degree=3")
LONG = ("loop.steps=400000", "loop.log_every=2000")  # each about a second, with 200 snapshots
MIDDLE = ("loop.steps=100000", "loop.log_every=500")
SLOW = ("loop.steps=40000", "loop.log_every=200")
COMPILED = ("loop.steps=30000000", "loop.log_every=150000")
MOMENTUM = ("optimizer=momentum", "optimizer.learning_rate=1e-7")
ADAM = ("optimizer=adam", "optimizer.learning_rate=1e-6")
DESCENT = ("optimizer.learning_rate=1e-8",)
# The closed form takes a moment only, whatever the number of steps: the more parameters, the longer.
DIRECT = (
    "model=legendre_series",
    "model.degree=250",
    "problem.num_samples=1000",
    "loop.steps=1000000000",
    "optimizer.learning_rate=0.1",
)
WAYS = {  # every loop on every backend that offers it
    ("numpy", "manual"): (*FEW, *LONG, *MOMENTUM),
    ("numpy", "closed_form"): DIRECT,
    ("torch", "manual"): (*FEW, *MIDDLE, *MOMENTUM),
    ("torch", "autograd"): (*FEW, *SLOW, *ADAM),
    ("torch", "custom_function"): (*FEW, *SLOW, *DESCENT),
    ("torch", "closed_form"): DIRECT,
    ("jax", "manual"): (*FEW, *COMPILED, *MOMENTUM),
    ("jax", "autograd"): (*FEW, *COMPILED, *DESCENT),
    ("jax", "custom_function"): (*FEW, *COMPILED, *ADAM),
    ("jax", "closed_form"): DIRECT,
}
MOMENTS = {
    "start": "at the start",
    "imports": "while libraries are imported",
    "fit": "during the fit",
    "pictures": "while pictures are made",
    "delivery": "while the run is delivered",
}
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGKILL: -9}
RESULTS = ("outcome", "steps", "loss", "excess_loss", "parameters", "max_error")


def words_of(backend: str, loop: str) -> tuple[str, ...]:
    """The words of a run of a loop on a backend, into FOLDER."""
    return (f"backend={backend}", f"loop={loop}", *WAYS[backend, loop], RUN_DIR)


def snapshots(folder: Path) -> list[dict[str, Any]]:
    """The snapshots in a journal without their times."""
    return [{key: one[key] for key in one if key != "time"} for one in journal(folder) if one["kind"] == "snapshot"]


@dataclass(frozen=True)
class Kept:
    """What a run has left in its folder.

    Args:
        folder: The folder.
    """

    folder: Path

    @cached_property
    def values(self) -> dict[str, Any]:
        """What each part of it holds, by names, where it must be that of a run that was not interrupted."""
        result = json.loads((self.folder / "result.json").read_text())
        parts = {"history.csv": (self.folder / "history.csv").read_bytes(), "snapshots": snapshots(self.folder)}
        return parts | {name: json.dumps(result[name]) for name in RESULTS}

    def differences(self, other: "Kept") -> list[str]:
        """The names of what is not the same to the bit."""
        return [name for name in self.values if self.values[name] != other.values[name]]

    @cached_property
    def seconds(self) -> dict[str, float]:
        """How long each phase of the run took, as the times in its journal say; of the imports, all before the journal."""
        lines = journal(self.folder)
        times = {kind: [one["time"] / 1000 for one in lines if one["kind"] == kind] for kind in ("snapshot", "result")}
        began = (self.folder.parents[1] / "began").stat().st_mtime
        return {
            "start": 0.05,
            "imports": lines[0]["time"] / 1000 - began,
            "fit": times["snapshot"][-1] - lines[0]["time"] / 1000,
            "pictures": 0.7 * (times["result"][0] - times["snapshot"][-1]),  # what comes after the summary
            "delivery": 1.0,
        }

    @property
    def printed(self) -> list[str]:
        """The lines that the run has printed."""
        return (self.folder / "polyexp.log").read_text().splitlines()


def uninterrupted(folder: Path, *words: str) -> Kept:
    """A run to its end in a process of its own, recorded nowhere else."""
    folder.mkdir(parents=True)
    (folder / "began").touch()
    ended = run(*words, "tracking=none", cwd=folder)
    assert ended.code == 0, ended.err
    return Kept(folder / FOLDER)


@dataclass
class Ended:
    """How an interrupted run has ended.

    Args:
        code: Its exit code.
        out: What it has printed.
        err: What it has printed to stderr.
        before: What it had printed before the signal, without stderr.
        seconds: How long it went on after the signal.
        late: Whether it had said its last line before the signal came; then Python may end it first.
    """

    code: int
    out: str
    err: str
    before: str
    seconds: float
    late: bool

    @property
    def steps(self) -> set[int]:
        """The steps whose losses it has printed."""
        return {int(one) for one in re.findall(r"^Loss at (\d+) iteration", self.out, re.MULTILINE)}

    def lines_after(self, otherwise: list[str]) -> list[str]:
        """The lines that it has printed after the signal and that a run without a signal does not print."""
        assert self.out.startswith(self.before)
        usual = {one.strip() for one in otherwise}
        printed = (self.out[len(self.before) :] + self.err).splitlines()
        return [one for one in printed if one.strip() and one.strip() not in usual and not one.startswith("Loss at")]


@dataclass
class Interruptible:
    """A run that will get a signal.

    Args:
        root: The folder in which it is started, with the default store.
        words: What is typed.
        seconds: How long each of its phases takes.
    """

    root: Path
    words: tuple[str, ...]
    seconds: dict[str, float]
    recorders: list[int] = field(default_factory=list)
    journal_before: bytes = b""

    @property
    def folder(self) -> Path:
        """Its folder."""
        return self.root / FOLDER

    def interrupt(self, number: int, moment: str, random: Random) -> Ended:
        """Start it, and send it a signal at a random time of a phase."""
        with start([*POLYEXP, *self.words], self.root, into=self.root) as process, contextlib.ExitStack() as stack:
            alive = lambda: process.poll() is None  # noqa: E731
            self._wait(lambda: has_handlers(process.pid), alive)
            if moment == "delivery" and random.random() < 0.75:  # otherwise the store takes it at once
                self._wait(lambda: b'"snapshot"' in self._journal(), alive)
                stack.enter_context(locked(self.root / STORE))
            self._wait(lambda: self._has_begun(moment), alive)
            time.sleep(random.uniform(0, self.seconds[moment]))
            self.recorders = recorders_of(process.pid)
            self.journal_before, before = self._journal(), (self.root / "stdout").read_text()
            late = not alive() or "Files in" in before  # nothing is left to do but to end
            began = time.monotonic()
            process.send_signal(number)
            code = process.wait(PATIENCE_SECONDS)
            seconds = time.monotonic() - began
        out, err = ((self.root / name).read_text() for name in ("stdout", "stderr"))
        return Ended(code, out, err, before, seconds, late)

    def end_recorders(self) -> None:
        """Kill its recorder where that goes on."""
        for one in self.recorders:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)

    def _has_begun(self, moment: str) -> bool:
        if moment == "fit":
            return bool(self._journal())
        if moment == "pictures":
            return "MAX_STEPS after" in (self.root / "stdout").read_text()
        return moment != "delivery" or b'{"kind": "end"' in self._journal()

    def _journal(self) -> bytes:
        """The complete lines of its journal; nothing where there is none."""
        try:
            content = (self.folder / "journal.jsonl").read_bytes()
        except FileNotFoundError:
            return b""
        return content[: content.rfind(b"\n") + 1]

    @staticmethod
    def _wait(happened: Callable[[], bool], alive: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not happened() and alive():
            assert time.monotonic() < deadline, "it has not happened"
            time.sleep(0.003)


def has_handlers(pid: int) -> bool:
    """Whether a process handles SIGTERM, as polyexp does from its first line on; before it, Python decides."""
    with contextlib.suppress(OSError, StopIteration, ValueError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        caught = next(int(line.split()[1], 16) for line in lines if line.startswith("SigCgt"))
        return bool(caught >> (signal.SIGTERM - 1) & 1)
    return False


@contextlib.contextmanager
def locked(store: Path) -> Iterator[None]:
    """A context in which nobody else can write to a SQLite store."""
    with closing(sqlite3.connect(store, isolation_level=None, timeout=60)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield


def recorded(store: Path) -> list[tuple[str, str]]:
    """The id and the status of every run in a SQLite store."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as database:
        return database.execute("SELECT run_uuid, status FROM runs").fetchall()


def steps_twice(store: Path) -> int:
    """How many steps a SQLite store has more than once of a curve."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as database:
        twice = "SELECT count(*) FROM (SELECT 1 FROM metrics GROUP BY run_uuid, key, step HAVING count(*) > 1)"
        return int(database.execute(twice).fetchone()[0])


def tag(store: Path, key: str) -> str:
    """A tag of the only run of a SQLite store; empty where it has none."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as database:
        return str((database.execute("SELECT value FROM tags WHERE key = ?", (key,)).fetchone() or [""])[0])


def once_interrupting() -> Callable[[], None]:
    """What sends this process SIGINT when it is called for the first time, in any thread: a second one would end it at once."""
    left = [signal.SIGINT]

    def interrupt() -> None:
        with contextlib.suppress(IndexError):
            os.kill(os.getpid(), left.pop())

    return interrupt


def interrupted_in_process(root: Path, *words: str, at: int) -> Finished:
    """A command that gets SIGINT, in this process, at the first snapshot of a run or batch with at least so many steps."""
    interrupt = once_interrupting()

    def interrupting(compute: Callable[..., Any]) -> Callable[..., Any]:
        def computing(*args: Any, observe: Callable[[Any], None] = lambda snapshot: None, **options: Any) -> Any:
            def seen(snapshot: Any) -> None:
                observe(snapshot)
                if snapshot.step >= at:
                    interrupt()
                    # Python tells the main thread, which may be late on a busy machine, when a batch has ended already.
                    wait_until(signals.asked)

            return compute(*args, observe=seen, **options)

        return computing

    with contextlib.ExitStack() as patches:
        for module in (run_module, batch_checkpoint):
            patches.enter_context(patch.object(module, "compute", interrupting(module.compute)))
        return run_in_process(*words, cwd=root)
