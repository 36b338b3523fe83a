"""A fit of the command line that is recorded, while it runs; and whether a store holds all of it, once."""

import contextlib
import json
import math
import os
import signal
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.helpers.commands import POLYEXP, Finished, start, wait_until

SOME_SECONDS = (  # about 200 snapshots
    "backend=numpy",
    "problem.num_samples=20",
    "model.degree=3",
    "optimizer.learning_rate=1e-5",
    "loop.steps=120000",
    "loop.log_every=600",
    "report.pictures=none",
)
FILES = {"config.yaml", "history.csv", "result.json"}
CURVES = {"loss": "loss/train", "excess": "loss/excess", "grad_norm": "optimizer/grad_norm"}
PATIENCE_SECONDS = 120  # for what must happen, on a machine that is busy
RETRIED = "polyexp.retried"  # a tag of a run whose creation had to be repeated


@dataclass
class Fit:
    """A fit that runs.

    Args:
        process: Its process.
        folder: Its folder.
    """

    process: subprocess.Popen[str]
    folder: Path
    recorders: list[int] = field(default_factory=list)

    def lines(self) -> list[dict[str, Any]]:
        """The complete lines of its journal."""
        return journal(self.folder)

    def wait_for(self, snapshots: int = 0) -> None:
        """Wait until its journal has a header and some snapshots."""
        self._wait_until(lambda: len(self.lines()) > snapshots)
        self.recorders = self.recorders or recorders_of(self.process.pid)

    def wait_for_delivery(self) -> None:
        """Wait until something has been delivered."""
        self._wait_until((self.folder / "delivery.json").exists)

    def is_alive(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None

    @contextlib.contextmanager
    def halted(self) -> Iterator[None]:
        """While it stands still, as a process does that gets no time; its recorder goes on."""
        assert self.is_alive(), self.process.communicate()
        self.process.send_signal(signal.SIGSTOP)
        try:
            assert not any(line["kind"] == "end" for line in self.lines()), "it has ended too early"
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def finish(self) -> Finished:
        """Wait until it ends."""
        out, err = self.process.communicate(timeout=PATIENCE_SECONDS)
        return Finished(self.process.returncode, out, err)

    def wait_for_recorder(self) -> None:
        """Wait until its recorder has ended."""
        wait_until(lambda: not any(map(is_running, self.recorders)), PATIENCE_SECONDS)

    def _wait_until(self, happened: Callable[[], object]) -> None:
        wait_until(lambda: happened() or not self.is_alive(), PATIENCE_SECONDS)
        assert happened(), "it has ended"


@contextlib.contextmanager
def fitting(folder: Path, *words: str, run: str = "runs/one", env: Mapping[str, str] | None = None) -> Iterator[Fit]:
    """A fit in a folder, whose own folder is below it; its recorder is killed where it outlives the block."""
    with start([*POLYEXP, *SOME_SECONDS, f"hydra.run.dir={run}", *words], folder, env) as process:
        fit = Fit(process, folder / run)
        try:
            yield fit
        finally:
            for one in (*fit.recorders, *recorders_of(process.pid)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one, signal.SIGKILL)


def recorders_of(pid: int) -> list[int]:
    """The recorders that a process has started and that run."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and b"polyexp.tracking.recorder" in (path / "cmdline").read_bytes():
                found.append(int(path.name))
    return found


def is_running(pid: int) -> bool:
    """Whether a process has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def journal(folder: Path) -> list[dict[str, Any]]:
    """The complete lines of the journal in a folder; none where there is none yet."""
    try:
        text = (folder / "journal.jsonl").read_text(errors="replace")
    except FileNotFoundError:
        return []
    lines = (line for line in text.split("\n")[:-1] if line.startswith("{"))  # not what is damaged
    return [json.loads(line) for line in lines]


@dataclass(frozen=True)
class Verdict:
    """What a store holds of a run.

    Args:
        lost: The number of runs that are missing.
        doubled: The number of runs too many.
        wrong: What is not as in the folder of the run.
        status: The status of the run.
    """

    lost: int
    doubled: int
    wrong: list[str]
    status: str = ""

    @property
    def is_right(self) -> bool:
        """Whether it is there once, and all of it."""
        return not (self.lost or self.doubled or self.wrong)


def verdict(store: Path, folder: Path, status: str = "FINISHED") -> Verdict:
    """Compare what a SQLite store holds, beside which the artifacts are, with the folder of a run.

    Args:
        store: The path of the database.
        folder: The folder of the run.
        status: The status that it should have.
    """
    lines = journal(folder)
    with contextlib.closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as database:
        runs = _rows(database, ACTIVE, lines[0]["id"])
        if len(runs) != 1:
            return Verdict(int(not runs), max(0, len(runs) - 1), [])
        return Verdict(0, 0, list(_differences(database, store.parent, folder, lines, runs[0][0], status)), runs[0][1])


ACTIVE = (
    "SELECT run_uuid, status FROM runs JOIN tags USING (run_uuid) WHERE lifecycle_stage = 'active' "
    "AND key = 'polyexp.journal' AND value = ?"
)
ABOUT = (
    "SELECT r.name, status, start_time, e.name FROM runs r JOIN experiments e USING (experiment_id) WHERE run_uuid = ?"
)
DATASETS = "SELECT d.name, digest FROM datasets d JOIN inputs ON source_id = dataset_uuid WHERE destination_id = ?"


def _differences(
    database: sqlite3.Connection, root: Path, folder: Path, lines: list[dict[str, Any]], run: str, status: str
) -> Iterator[str]:
    header, results = lines[0], [line for line in lines if line["kind"] == "result"]
    if _rows(database, ABOUT, run) != [(header["name"], status, header["started"], header["experiment"])]:
        yield f"the run: {_rows(database, ABOUT, run)}"
    params, tags = dict(header["params"]), {**header["tags"], "polyexp.journal": header["id"]}
    tags["mlflow.runName"] = header["name"]
    for result in results:
        params |= result["params"]
        tags |= result["tags"]
    if dict(_rows(database, "SELECT key, value FROM params WHERE run_uuid = ?", run)) != params:
        yield "params"
    if dict(_rows(database, "SELECT key, value FROM tags WHERE run_uuid = ? AND key <> ?", run, RETRIED)) != tags:
        yield "tags"
    points = _rows(database, "SELECT key, value, step, timestamp FROM metrics WHERE run_uuid = ?", run)
    if sorted(points) != sorted(_points(lines)):
        yield f"points: {len(points)} in place of {len(list(_points(lines)))}"
    datasets = [(one["dataset"]["name"], one["dataset"]["digest"]) for one in results]
    if _rows(database, DATASETS, run) != datasets:
        yield "datasets"
    names = {name for line in lines if line["kind"] == "files" for name in line["names"]}
    stored = {path.name: path.read_bytes() for path in root.glob(f"artifacts/**/{run}/artifacts/*")}
    if stored != {name: (folder / name).read_bytes() for name in names}:
        yield f"files: {sorted(stored)}"


def _points(lines: list[dict[str, Any]]) -> Iterator[tuple[str, float, int, int]]:
    """The points of a run that are delivered."""
    for line in (*_delivered_snapshots(lines), *(line for line in lines if line["kind"] == "result")):
        if line["kind"] == "result":
            values = line["metrics"]
        else:
            values = {metric: line[name] for name, metric in CURVES.items()}
            values["loss/excess_at_most"] = float(line["loss"]) - float(lines[0]["lower_bound"])
            names = (f"weight/{name}" for name in lines[0]["param_names"])
            values |= dict(zip(names, line["params"], strict=True))
        for name, value in values.items():
            if math.isfinite(float(value)):
                yield name, float(value), line.get("step", 0), line["time"]


def _delivered_snapshots(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The early snapshots, of n planned ones every ceil(n / 980)-th, and the last."""
    snapshots = [line for line in lines if line["kind"] == "snapshot"]
    regular = [line for line in snapshots if not line.get("early")]
    stride = max(1, math.ceil(lines[0]["planned"] / 980))
    kept = regular[stride - 1 :: stride]
    return [line for line in snapshots if line.get("early") or line in kept or line is snapshots[-1]]


def distinct_runs(store: Path) -> Counter[str]:
    """How many runs a store has of each journal."""
    with contextlib.closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as database:
        found = "SELECT value FROM tags JOIN runs USING (run_uuid) WHERE lifecycle_stage = 'active' AND key = 'polyexp.journal'"
        return Counter(journal for (journal,) in database.execute(found))


def _rows(database: sqlite3.Connection, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    return database.execute(sql, values).fetchall()
