"""A run with a million snapshots: what it costs in memory, open files and threads, and what the store gets of it."""

import contextlib
import csv
import sqlite3
from pathlib import Path

import pytest

from tests.helpers.recorded_fits import fitting, is_running

SNAPSHOTS = 1_000_000
WARM = 20_000  # snapshots after which everything is loaded
MAX_GROWTH = 150  # MB
MAX_POINTS = 1000  # of a curve


def memory(pid):
    """The resident memory of a process, in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def open_files(pid):
    """The number of files that a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def threads(pid):
    """The number of threads of a process."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def watch(fit, every):
    """What the run and its recorder use, time and again until the run ends: by process the values of `every`."""
    used = {pid: {one: [] for one in every} for pid in (fit.process.pid, *fit.recorders)}
    while fit.is_alive():
        for pid, values in used.items():
            with contextlib.suppress(OSError, IndexError):
                for one in every if is_running(pid) else ():
                    values[one].append(one(pid))
        with contextlib.suppress(Exception):
            fit.process.wait(0.25)
    return used


@pytest.mark.sample(0)
def test_a_million_snapshots(tmp_path, new_store, facts):
    store = tmp_path / "store" / "mlflow.db"
    words = ("loop.log_every=1", f"loop.steps={SNAPSHOTS}", "quiet=true", f"tracking.uri={new_store(store)}")
    with fitting(tmp_path, *words) as fit:
        with contextlib.suppress(AssertionError):
            fit.wait_for(WARM)
        used = watch(fit, (memory, open_files, threads))
        done = fit.finish()
        fit.wait_for_recorder()
    run, recorder = used.values()
    growth = {name: max(one[memory]) - min(one[memory][:1]) for name, one in (("run", run), ("recorder", recorder))}
    with (fit.folder / "history.csv").open(newline="") as file:
        rows = sum(1 for _ in csv.reader(file)) - 1
    with contextlib.closing(sqlite3.connect(store)) as database:
        curves = dict(database.execute("SELECT key, count(*) FROM metrics GROUP BY key").fetchall())
        (state,) = database.execute("SELECT status FROM runs").fetchone()
    sizes = {name: (fit.folder / name).stat().st_size / 1e6 for name in ("journal.jsonl", "history.csv", "polyexp.log")}
    facts(fault="10^6 snapshots", when="`loop.log_every=1`", exit=done.code, lines=len(done.err.splitlines()))
    facts(lost=int(state != "FINISHED"), doubled=0, wrong=int(rows < SNAPSHOTS))
    facts(
        fact=f"A run of 10^6 snapshots of 4 parameters: the memory of the run grows by {growth['run']:.0f} MB, that of its "
        f"recorder by {growth['recorder']:.0f} MB; at most {max(run[open_files])} open files and {max(run[threads])} "
        f"threads, {max(recorder[open_files])} and {max(recorder[threads])} of the recorder. "
        f"{', '.join(f'{name} {size:.3g} MB' for name, size in sizes.items())}; the store has {store.stat().st_size / 1e6:.2g} "
        f"MB with at most {max(curves.values())} points a curve."
    )
    assert (done.code, done.err) == (0, "")
    assert state == "FINISHED"
    assert rows >= SNAPSHOTS
    assert max(curves.values()) <= MAX_POINTS
    assert max(growth.values()) < MAX_GROWTH
    for one in (run, recorder):
        assert max(one[open_files]) <= min(one[open_files]) + 20
        assert max(one[threads]) <= min(one[threads]) + 8
