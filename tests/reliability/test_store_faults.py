"""A SQLite store, its artifacts or the folder of a run that fails after the checks."""

import contextlib
import shutil
import sqlite3
import threading
from contextlib import closing

import pytest

from tests.helpers.commands import run, wait_until
from tests.helpers.disks import can_mount, damage, disk, read_only_view
from tests.helpers.recorded_fits import fitting, verdict
from tests.reliability.test_server_faults import judge

WAIT = "tracking.wait=1"
WHEN = {"header": "when the run begins", "points": "after some points were delivered"}
SUFFIXES = ("", "-wal", "-shm")

whenever = pytest.mark.parametrize("when", WHEN)


@pytest.fixture(scope="session")
def mounts(tmp_path_factory):
    """Disks can be mounted."""
    if not can_mount(tmp_path_factory.mktemp("mounts")):
        pytest.skip("only an administrator can mount disks")


def recorded_fit(folder):
    """A fit that is recorded in a SQLite store."""
    return fitting(folder, f"tracking.uri=sqlite:///{folder / 'store' / 'mlflow.db'}", WAIT)


@contextlib.contextmanager
def halted(fit, when):
    """While a fit stands still, after the first line of its journal or after its first delivery."""
    fit.wait_for(20 if when == "points" else 0)
    with fit.halted():
        if when == "points":
            fit.wait_for_delivery()
        yield


@contextlib.contextmanager
def locked(path):
    """While nobody else can write to a database, as during a long transaction."""
    with closing(sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("ROLLBACK")


def finish(facts, fit, folder, fault, when, mend=lambda: None):
    """End the fit while the fault lasts, mend it, and judge."""
    done = fit.finish()
    mend()
    store = folder / "store" / "mlflow.db"
    judge(facts, folder, done, store, fault, WHEN[when])
    fit.wait_for_recorder()
    assert verdict(store, folder / "runs" / "one").is_right
    return done


@whenever
@pytest.mark.parametrize("seconds", [5, pytest.param(25, marks=pytest.mark.sample(0))])
def test_a_store_that_is_locked_for_some_time(seconds, when, tmp_path, new_store, facts):
    new_store(tmp_path / "store" / "mlflow.db")
    with contextlib.ExitStack() as lock, recorded_fit(tmp_path) as fit:
        with halted(fit, when):
            lock.enter_context(locked(tmp_path / "store" / "mlflow.db"))
        timer = threading.Timer(seconds, lock.close)
        timer.start()
        finish(facts, fit, tmp_path, f"store locked for {seconds} s", when, timer.join)


@whenever
def test_a_store_that_is_locked_until_it_is_freed(when, tmp_path, new_store, facts):
    new_store(tmp_path / "store" / "mlflow.db")
    with contextlib.ExitStack() as lock, recorded_fit(tmp_path) as fit:
        with halted(fit, when):
            lock.enter_context(locked(tmp_path / "store" / "mlflow.db"))
        finish(facts, fit, tmp_path, "store locked until it is freed", when, lock.close)


@whenever
@pytest.mark.parametrize("mended", ["put back", "made anew"])
def test_a_store_that_is_deleted(mended, when, tmp_path, new_store, facts):
    store, aside = tmp_path / "store", tmp_path / "aside"
    aside.mkdir()
    new_store(store / "mlflow.db")

    def mend():
        for path in aside.iterdir() if mended == "put back" else ():
            path.replace(store / path.name)

    with recorded_fit(tmp_path) as fit:
        with halted(fit, when), locked(store / "mlflow.db"):
            for suffix in SUFFIXES:
                with contextlib.suppress(FileNotFoundError):
                    (store / f"mlflow.db{suffix}").replace(aside / f"mlflow.db{suffix}")
        finish(facts, fit, tmp_path, f"store deleted, {mended}", when, mend)


@whenever
@pytest.mark.parametrize("mended", ["put back", "made anew"])
@pytest.mark.parametrize("part", ["the first page", "all but the first page"])
def test_a_store_that_is_damaged(part, mended, when, tmp_path, new_store, facts):
    path, copy = tmp_path / "store" / "mlflow.db", tmp_path / "copy.db"
    new_store(path)

    def mend():
        for suffix in SUFFIXES:
            (tmp_path / "store" / f"mlflow.db{suffix}").unlink(missing_ok=True)
        if mended == "put back":
            shutil.copy(copy, path)

    with recorded_fit(tmp_path) as fit:
        with halted(fit, when), locked(path):
            with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
                source.backup(target)
            damage(path, *((0, 4096) if part == "the first page" else (4096,)))
        done = finish(facts, fit, tmp_path, f"store damaged, {mended}", when, mend)
        assert done.err.count("polyexp") <= 2
        assert f"not in sqlite:///{path} yet:" in done.err
        assert "database" in done.err


@whenever
@pytest.mark.parametrize("what", ["store", "artifacts"])
@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_a_disk_with_the_store_or_the_artifacts_that_fails(fault, what, when, tmp_path, new_store, facts, mounts):
    at = {"store": tmp_path / "store", "artifacts": tmp_path / "store" / "artifacts"}[what]
    with disk(at) as small:
        new_store(tmp_path / "store" / "mlflow.db")
        with recorded_fit(tmp_path) as fit:
            with halted(fit, when):
                small.fill() if fault == "full" else small.set_read_only(True)
            mend = small.free if fault == "full" else lambda: small.set_read_only(False)
            finish(facts, fit, tmp_path, f"{what}: disk {fault}", when, mend)


@whenever
@pytest.mark.parametrize("fault", ["deleted", "a file in their place"])
def test_artifacts_whose_folder_is_lost(fault, when, tmp_path, new_store, facts):
    new_store(tmp_path / "store" / "mlflow.db")
    artifacts = tmp_path / "store" / "artifacts"

    def mend():
        if artifacts.is_file():
            artifacts.unlink()

    with recorded_fit(tmp_path) as fit:
        with halted(fit, when):
            wait_until(artifacts.exists)
            shutil.rmtree(artifacts)
            if fault != "deleted":
                artifacts.write_text("")
        finish(facts, fit, tmp_path, f"artifacts: {fault}", when, mend)


# The folder of the run itself


def require_said(done):
    """Require exit code 1 and one sentence."""
    assert done.code == 1, done.err
    assert len(done.err.splitlines()) == 1, done.err
    assert "cannot be written" in done.err


def note(facts, done, fault, when, found):
    facts(fault=fault, when=WHEN[when], exit=done.code, lines=len(done.err.splitlines()), lost=found.lost)
    facts(doubled=found.doubled, wrong=len(found.wrong))


@whenever
def test_the_folder_of_the_run_is_deleted(when, tmp_path, new_store, facts):
    new_store(tmp_path / "store" / "mlflow.db")
    with recorded_fit(tmp_path) as fit:
        with halted(fit, when):
            fit.wait_for_delivery()
            kept = tmp_path / "kept"
            shutil.copytree(fit.folder, kept)
            shutil.rmtree(fit.folder)
        done = fit.finish()
        fit.wait_for_recorder()
        lines = (kept / "journal.jsonl").read_text().splitlines(keepends=True)
        with closing(sqlite3.connect(tmp_path / "store" / "mlflow.db")) as database:
            (steps,) = database.execute("SELECT count(*) FROM metrics WHERE key = 'loss/train'").fetchone()
            runs = database.execute("SELECT status, end_time IS NOT NULL FROM runs").fetchall()
        facts(fault="folder deleted", when=WHEN[when], exit=done.code, lines=len(done.err.splitlines()))
        facts(lost=int(not runs), doubled=max(0, len(runs) - 1), wrong=int(steps > len(lines) - 1))
        require_said(done)
        assert runs == [("KILLED", 1)]
        assert steps <= len(lines) - 1
        assert steps >= (len(lines) - 20 if when == "points" else 0)


@whenever
@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_the_disk_with_the_folder_of_the_run_fails(fault, when, tmp_path, new_store, facts, mounts):
    new_store(tmp_path / "store" / "mlflow.db")
    with disk(tmp_path / "runs", megabytes=1) as small, contextlib.ExitStack() as view, recorded_fit(tmp_path) as fit:
        with halted(fit, when):
            if fault == "full":
                small.fill()
            else:
                view.enter_context(read_only_view(fit.folder))
        done = fit.finish()
        small.free() if fault == "full" else view.close()
        synced = run("action=sync", "action.folder=runs", cwd=tmp_path)
        fit.wait_for_recorder()
        status = fit.lines()[-1].get("status", "KILLED")
        found = verdict(tmp_path / "store" / "mlflow.db", fit.folder, status)
        note(facts, done, f"folder: disk {fault}", when, found)
        assert (synced.code, synced.err) == (0, "")
        require_said(done)
        assert found.is_right, found
        assert status == "FAILED" or fault == "full"


@whenever
def test_the_journal_is_damaged(when, tmp_path, new_store, facts):
    """What comes before the damage is delivered, and the rest once it is mended."""
    new_store(tmp_path / "store" / "mlflow.db")
    garbage = b"\xa5" * 40 + b"\n"
    with recorded_fit(tmp_path) as fit:
        path = fit.folder / "journal.jsonl"
        with halted(fit, when), path.open("ab") as file:
            file.write(garbage)

        def mend():
            path.write_bytes(path.read_bytes().replace(garbage, b""))

        done = finish(facts, fit, tmp_path, "journal damaged, mended", when, mend)
    assert f"{path} is damaged" in done.err
