"""A run that was interrupted goes on in its own folder and in the same run of MLflow, as if it had never been stopped."""

import errno
import fcntl
import json
import os
import re
import shutil
import sqlite3
import threading
import time
from contextlib import closing

import pytest

from polyexp.fitting import CHECKPOINT, PREVIOUS, checkpoint_writer
from polyexp.tracking import JOURNAL, NOTE
from polyexp.tracking.ownership import lock
from polyexp.tracking.process import Process
from tests.helpers.interruptions import RUN_DIR, interrupted_in_process, snapshots
from tests.helpers.stores import history, only_run

RUN = (
    "backend=numpy",
    "problem.num_samples=20",
    "optimizer.learning_rate=1e-7",
    "loop.steps=1000",
    "loop.log_every=100",
)
WAYS = {
    "numpy": (),
    "momentum": ("optimizer=momentum", "optimizer.momentum=0.5"),
    "adam": ("optimizer=adam",),
    "float32": ("backend.dtype=float32",),
    "torch": ("backend=torch",),
    "autograd": ("backend=torch", "loop=autograd"),
    "custom_function": ("backend=torch", "loop=custom_function"),
    "jax": ("backend=jax",),
    "legendre": ("model=legendre",),
    "closed_form": ("loop=closed_form",),
    "tolerance": ("loop.tolerance=1e-9", "optimizer.learning_rate=auto", "loop.patience=3"),
}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "outputs" / "one"


@pytest.fixture
def interrupted(tmp_path):
    """Call it with words: a run into outputs/one has been interrupted by SIGINT at a snapshot with at least so many steps."""

    def call(*words, at=150, left_out="-", resumed=False):
        given = (word for word in (*RUN, RUN_DIR) if not word.startswith(left_out))
        ended = interrupted_in_process(tmp_path, *(["resume=outputs/one"] if resumed else given), *words, at=at)
        assert (ended.code, ended.err.splitlines()[-1]) == (130, "polyexp: interrupted.")
        return ended

    return call


@pytest.mark.parametrize("words", WAYS.values(), ids=WAYS)
def test_a_resumed_run_is_that_of_one_that_was_not_interrupted(cli, tmp_path, folder, interrupted, words):
    interrupted("tracking=none", *words)
    assert (folder / CHECKPOINT).exists()
    resumed = cli("resume=outputs/one")
    assert resumed.code == 0, resumed.err
    assert cli(*RUN, "tracking=none", *words, "hydra.run.dir=outputs/two").code == 0
    other = tmp_path / "outputs" / "two"
    assert (folder / "history.csv").read_bytes() == (other / "history.csv").read_bytes()
    results = [json.loads((one / "result.json").read_text()) for one in (folder, other)]
    for key in ("outcome", "steps", "loss", "excess_loss", "parameters", "max_error"):
        assert results[0][key] == results[1][key]
    assert snapshots(folder) == snapshots(other)


def test_the_same_run_of_mlflow_goes_on(cli, tmp_path, interrupted, store):
    interrupted()
    first = only_run(store)
    assert (first.info.status, first.data.tags["polyexp.outcome"]) == ("KILLED", "INTERRUPTED")
    assert cli(f"resume={first.info.run_id[:8]}").code == 0
    run = only_run(store)
    assert run.info.run_id == first.info.run_id
    assert (run.info.status, run.data.tags["polyexp.outcome"]) == ("FINISHED", "MAX_STEPS")
    assert [step for step, _ in history(store, run, "loss/train")] == [1, 2, 5, 10, 20, 50, *range(100, 1001, 100)]
    with closing(sqlite3.connect(tmp_path / "outputs" / "mlflow.db")) as database:
        twice = "SELECT key, step FROM metrics GROUP BY key, step HAVING count(*) > 1"
        assert database.execute(twice).fetchall() == []
    assert run.data.tags["polyexp.resumed"].startswith("after ")
    assert run.data.tags["polyexp.overrides"] == first.data.tags["polyexp.overrides"]


def test_more_steps_are_allowed(cli, folder, interrupted, store):
    interrupted("optimizer.learning_rate=auto")
    rate = json.loads((folder / "result.json").read_text())["learning_rate"]["used"]
    resumed = cli("resume=outputs/one", "loop.steps=1500")
    assert resumed.code == 0
    result = json.loads((folder / "result.json").read_text())
    assert (result["steps"], result["learning_rate"]["used"]) == (1500, rate)
    assert result["config"]["optimizer.learning_rate"] == "auto"
    assert re.search(
        rf"^Resumed after \d+ steps, with optimizer\.learning_rate={rate:.6g}, which the run has found before\.$",
        resumed.out,
        re.MULTILINE,
    )
    assert only_run(store).data.tags["polyexp.resumed"].endswith("with loop.steps=1500")
    assert only_run(store).data.params["loop.steps"] == "1000"


@pytest.mark.parametrize(
    "word", ["model=legendre", "model.degree=5", "problem.num_samples=30", "seed=1", "optimizer.learning_rate=1e-8"]
)
def test_what_would_make_it_another_run_is_refused(cli, interrupted, word):
    interrupted("tracking=none")
    ended = cli("resume=outputs/one", word)
    assert (ended.code, ended.out) == (2, "")
    assert f"`{word.partition('=')[0]}` cannot be changed in a run that goes on: it is " in ended.err


@pytest.mark.parametrize("name", ["", "none", "123456", "../x"])
def test_a_run_that_is_not_there_is_refused(cli, name):
    ended = cli(f"resume={name}")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.count("\n") == 1


def test_a_sweep_of_resumed_runs_is_refused(cli, interrupted):
    interrupted("tracking=none")
    ended = cli("-m", "resume=outputs/one", "loop.steps=10,20")
    assert (ended.code, ended.err) == (
        2,
        "polyexp: `resume` is of one run: leave -m out; a sweep goes on by `sweep.resume`.\n",
    )


# What a run has left


def test_a_run_that_another_process_resumes_is_refused(cli, folder, interrupted):
    interrupted("tracking=none")
    before = (folder / JOURNAL).read_bytes()
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        ended = cli("resume=outputs/one")
    finally:
        os.close(descriptor)
    assert ended.code == 2
    assert ended.err == f"polyexp: The run in {folder} is going on: wait until its process has ended, or stop it.\n"
    assert (folder / JOURNAL).read_bytes() == before


def test_a_run_that_goes_on_is_refused(cli, folder, interrupted):
    interrupted("tracking=none")
    content = json.loads((folder / JOURNAL).read_text().splitlines()[0])
    process = Process.current()
    content["process"] = {"pid": process.pid, "started": process.started, "host": process.host}
    (folder / JOURNAL).write_text(json.dumps(content) + "\n")
    ended = cli("resume=outputs/one")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "is going on: wait until its process has ended, or stop it." in ended.err


@pytest.fixture
def same(cli, tmp_path, folder):
    """Call it: outputs/one has what a run has that was not interrupted."""

    def require():
        assert cli(*RUN, "tracking=none", "hydra.run.dir=outputs/two").code == 0
        assert (folder / "history.csv").read_bytes() == (tmp_path / "outputs" / "two" / "history.csv").read_bytes()
        assert snapshots(folder) == snapshots(tmp_path / "outputs" / "two")

    return require


def shortened(folder, snapshots):
    """Leave so many snapshots in a journal, as if the others had never reached the disk, and no end."""
    kept, found = [], 0
    for line in (folder / JOURNAL).read_text().splitlines(keepends=True):
        found += json.loads(line)["kind"] == "snapshot"
        if found > snapshots:
            break
        kept.append(line)
    content = json.loads(kept[0])
    content["process"]["started"] = "another time"
    (folder / JOURNAL).write_text("".join([json.dumps(content) + "\n", *kept[1:]]))


def test_a_checkpoint_of_which_the_journal_lacks_snapshots_is_passed_over(cli, folder, interrupted, same):
    interrupted("tracking=none", at=150)
    interrupted_again = (folder / CHECKPOINT).read_bytes()
    interrupted("tracking=none", at=500, resumed=True)
    assert (folder / PREVIOUS).read_bytes() == interrupted_again
    shortened(folder, 8)
    resumed = cli("resume=outputs/one")
    assert resumed.code == 0
    assert resumed.err == (
        f"warning: {CHECKPOINT} in {folder} cannot be used, since it needs more snapshots than the journal of the run has; "
        f"the run goes on from {PREVIOUS}, the one before.\n"
    )
    assert "Resumed after 200 steps." in resumed.out
    same()


def test_without_a_checkpoint_that_can_be_used_the_run_begins_again(cli, folder, interrupted, same):
    interrupted("tracking=none")
    (folder / CHECKPOINT).write_bytes(b"PK")
    resumed = cli("resume=outputs/one")
    assert resumed.code == 0
    assert resumed.err == (
        f"warning: {CHECKPOINT} in {folder} cannot be used, since it is damaged; there is no other checkpoint, so the run "
        "begins again with its first step.\n"
    )
    assert "Resumed without a checkpoint, from the first step on." in resumed.out
    same()


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_again(cli, folder, interrupted, same):
    interrupted("tracking=none")
    (folder / CHECKPOINT).unlink()
    shortened(folder, 3)
    assert cli("resume=outputs/one").code == 0
    same()


@pytest.mark.parametrize("text", ["", "{", "null\n", '{"kind": "header"}\n'])
def test_a_journal_that_is_damaged_is_refused(cli, folder, interrupted, text):
    interrupted("tracking=none")
    (folder / JOURNAL).write_text(text)
    ended = cli("resume=outputs/one")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)


def test_a_damaged_snapshot_in_the_journal_is_refused(cli, folder, interrupted):
    interrupted("tracking=none")
    text = (folder / JOURNAL).read_text()
    (folder / JOURNAL).write_text(text.replace('"step": 10,', '"step": "ten",'))
    ended = cli("resume=outputs/one")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    number = next(place for place, line in enumerate(text.splitlines(), 1) if '"step": 10,' in line)
    assert ended.err == (
        f"polyexp: The run in {folder} cannot be resumed: Line {number} of {folder / JOURNAL} is damaged. Start a run of its "
        "own.\n"
    )


def test_a_run_that_has_ended_goes_on_with_more_steps(cli, tmp_path, folder):
    assert cli(*RUN, RUN_DIR, "tracking=none").code == 0
    resumed = cli("resume=outputs/one", "loop.steps=1500")
    assert resumed.code == 0, resumed.err
    assert cli(*RUN, "loop.steps=1500", "tracking=none", "hydra.run.dir=outputs/two").code == 0
    assert (folder / "history.csv").read_bytes() == (tmp_path / "outputs" / "two" / "history.csv").read_bytes()


def test_fewer_steps_than_it_has_are_refused(cli, folder, interrupted):
    interrupted("tracking=none", at=500)
    before = (folder / JOURNAL).read_bytes()
    ended = cli("resume=outputs/one", "loop.steps=100")
    assert (ended.code, ended.err) == (
        2,
        f"polyexp: `loop.steps` must be at least 500, the steps that the run in {folder} has taken, got 100.\n",
    )
    assert (folder / JOURNAL).read_bytes() == before


def contents(folder):
    """The bytes and the times of all files of a folder."""
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def test_data_that_have_changed_are_refused_and_nothing_is_changed(cli, folder, tmp_path, interrupted):
    rows = [f"0.{k},{k * k % 7}" for k in range(10, 50)]
    (tmp_path / "data.csv").write_text("\n".join(["x,y", *rows]))
    words = ("problem=file", "problem.path=data.csv", "optimizer.learning_rate=1e-9")
    interrupted("tracking=none", *words, left_out="problem.num_samples")
    before, content = contents(folder), (tmp_path / "data.csv").read_bytes()
    time = (tmp_path / "data.csv").stat().st_mtime_ns
    (tmp_path / "data.csv").write_bytes(content.replace(b"0.12,4", b"0.12,44"))
    ended = cli("resume=outputs/one")
    assert (ended.code, ended.out) == (2, "")
    assert f"The data data have changed since the run in {folder} began: " in ended.err
    assert f" were ({len(content)}, {time}), and are ({len(content) + 1}, " in ended.err
    assert contents(folder) == before
    (tmp_path / "data.csv").write_bytes(content)
    os.utime(tmp_path / "data.csv", ns=(time, time))
    assert cli("resume=outputs/one").code == 0


def test_a_run_that_has_ended_is_resumed_without_a_point_twice(cli, tmp_path, store):
    """Its final metrics, too, though they come after each end."""
    assert cli(*RUN, "hydra.run.dir=outputs/one").code == 0
    for _ in range(2):
        assert cli("resume=outputs/one").code == 0
        with closing(sqlite3.connect(tmp_path / "outputs" / "mlflow.db")) as database:
            twice = "SELECT key FROM metrics GROUP BY key, step HAVING count(*) > 1"
            assert database.execute(twice).fetchall() == []
    assert only_run(store).info.status == "FINISHED"
    assert cli("resume=outputs/one", "loop.steps=1500").code == 0
    assert only_run(store).data.metrics["optimizer/steps"] == 1500


def test_the_delivery_of_a_run_that_was_killed_is_waited_for(cli, folder, interrupted):
    """Its note would be taken for one on the new journal."""
    interrupted("tracking=none")
    file = (folder / JOURNAL).open("rb")
    assert lock(file.fileno())

    def deliver():
        time.sleep(0.5)
        (folder / NOTE).write_text("a note on the journal of before")
        file.close()

    thread = threading.Thread(target=deliver)
    thread.start()
    assert cli("resume=outputs/one").code == 0
    thread.join()
    assert not (folder / NOTE).exists()


# Time and again


CHANGES = {
    "more steps": ("loop.steps=1050", "loop.steps=2000"),
    "another backend": ("backend=torch", "loop.steps=1500"),
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_a_run_that_went_on_with_other_settings_goes_on_with_these(cli, folder, interrupted, changes):
    interrupted("tracking=none", at=150)
    interrupted(*changes, at=500, resumed=True)
    ended = cli("resume=outputs/one")
    assert ended.code == 0, ended.err
    config = json.loads((folder / "result.json").read_text())["config"]
    assert {f"{key}={config[key]}" for key in (one.partition("=")[0] for one in changes)} <= {*changes}
    replayed = cli("action=replay", "action.run=outputs/one", "tracking=none")
    assert "settings" not in replayed.err
    assert replayed.code == (1 if "backend=torch" in changes else 0), replayed.err


def test_a_run_that_was_resumed_is_replayed_by_its_id_with_its_last_settings(cli, interrupted, store):
    interrupted(at=150)
    assert cli("resume=outputs/one", "loop.steps=1050").code == 0
    replayed = cli("action=replay", f"action.run={only_run(store).info.run_id}")
    assert replayed.code == 0, replayed.err
    assert "identical" in replayed.out


def test_the_last_step_of_an_earlier_end_is_not_in_the_history(cli, tmp_path, folder, interrupted):
    assert cli(*RUN, "loop.steps=1050", "tracking=none", RUN_DIR).code == 0  # 1050 is no multiple of log_every
    interrupted("loop.steps=2000", at=1500, resumed=True)
    assert cli("resume=outputs/one").code == 0
    assert cli(*RUN, "loop.steps=2000", "tracking=none", "hydra.run.dir=outputs/two").code == 0
    assert (folder / "history.csv").read_bytes() == (tmp_path / "outputs" / "two" / "history.csv").read_bytes()


def test_a_rate_that_auto_found_is_kept_without_a_checkpoint(cli, folder):
    assert cli(*RUN, "optimizer.learning_rate=auto", "tracking=none", RUN_DIR).code == 0
    assert not (folder / CHECKPOINT).exists()
    rate = json.loads((folder / "result.json").read_text())["learning_rate"]["used"]
    before = snapshots(folder)
    resumed = cli("resume=outputs/one", "loop.steps=2000")
    assert f"with optimizer.learning_rate={rate:.6g}, which the run has found before" in resumed.out
    assert json.loads((folder / "result.json").read_text())["learning_rate"]["used"] == rate
    assert snapshots(folder)[: len(before)] == before


@pytest.mark.parametrize("steps", [500, 999])
def test_fewer_steps_than_recorded_are_refused_without_a_checkpoint(cli, folder, steps):
    assert cli(*RUN, "tracking=none", RUN_DIR).code == 0
    ended = cli("resume=outputs/one", f"loop.steps={steps}")
    assert (ended.code, ended.out) == (2, "")
    assert (
        f"`loop.steps` must be at least 1000, the steps that the run in {folder} has taken, got {steps}." in ended.err
    )


def test_the_same_number_may_be_typed_in_another_way(cli, interrupted):
    interrupted("tracking=none")
    assert cli("resume=outputs/one", "optimizer.learning_rate=0.0000001").code == 0


# Whose folder, and whose store


def test_a_folder_that_another_run_has_by_now_is_refused(cli, folder, store):
    assert cli(*RUN, RUN_DIR).code == 0
    first = only_run(store).info.run_id
    shutil.rmtree(folder)
    assert cli(*RUN, "seed=2", RUN_DIR).code == 0
    before = contents(folder)
    ended = cli(f"resume={first}", "loop.steps=1500")
    assert (ended.code, ended.out) == (2, "")
    assert "has another run by now" in ended.err
    assert contents(folder) == before


def test_another_store_is_refused_and_the_printed_command_names_it(cli, tmp_path, folder, interrupted, new_store):
    uri = new_store(tmp_path / "other.db")
    ended = interrupted(f"tracking.uri={uri}")
    command = f"python -m polyexp resume=outputs/one tracking.uri={uri}"
    assert f"To go on, type `{command}`." in ended.out
    before = contents(folder)
    refused = cli("resume=outputs/one")
    assert (refused.code, refused.out) == (2, "")
    assert (
        f"{folder / JOURNAL} names {uri}, but the run would go on in sqlite:///{tmp_path}/outputs/mlflow.db"
        in refused.err
    )
    assert contents(folder) == before
    assert cli(*command.split()[3:]).code == 0


def test_a_run_that_goes_on_without_its_store_is_delivered_later(cli, tmp_path, folder, interrupted, store, same):
    interrupted()
    first = only_run(store)
    assert cli("action=sync", "action.folder=outputs").code == 0
    resumed = cli("resume=outputs/one", "tracking=none")
    assert (resumed.code, resumed.err) == (0, "")
    assert only_run(store).info.status == "KILLED"
    synced = cli("action=sync", "action.folder=outputs")
    assert (synced.code, synced.err) == (0, "")
    run = only_run(store)
    assert (run.info.run_id, run.info.status) == (first.info.run_id, "FINISHED")
    assert [step for step, _ in history(store, run, "loss/train")] == [1, 2, 5, 10, 20, 50, *range(100, 1001, 100)]
    same()


@pytest.mark.parametrize("name", ["journal.jsonl", "polyexp.log", "history.csv", ".hydra", ".hydra/overrides.yaml"])
@pytest.mark.parametrize("kind", ["link", "dangling link", "other kind", "pipe"])
def test_nothing_is_written_through_a_link(cli, tmp_path, folder, interrupted, name, kind):
    interrupted("tracking=none")
    place, victim = folder / name, tmp_path / "victim"
    is_folder = place.is_dir()
    shutil.rmtree(place) if is_folder else place.unlink()
    if kind == "link":
        victim.mkdir() if is_folder else victim.write_text("precious")
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "other kind":
        place.write_text("") if is_folder else place.mkdir()
    else:
        place.symlink_to(victim)
    before = contents(tmp_path)
    ended = cli("resume=outputs/one")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert name.removesuffix(".jsonl") in ended.err
    assert contents(tmp_path) == before
    assert kind == "link" or not victim.exists()


def test_a_copy_of_a_run_is_refused_and_one_that_was_moved_goes_on(cli, tmp_path, folder, interrupted, store):
    interrupted()
    copy = tmp_path / "outputs" / "copy"
    shutil.copytree(folder, copy)
    before = contents(tmp_path)
    ended = cli("resume=outputs/copy")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert f"is a copy of that in {folder}" in ended.err
    assert contents(tmp_path) == before
    shutil.rmtree(folder)
    assert cli("resume=outputs/copy").code == 0
    run = only_run(store)
    assert [step for step, _ in history(store, run, "loss/train")] == [1, 2, 5, 10, 20, 50, *range(100, 1001, 100)]


@pytest.mark.parametrize("name", ["journal.jsonl", "folder"])
def test_where_the_journal_is_missing_this_is_said(cli, folder, interrupted, store, name):
    interrupted()
    run_id = only_run(store).info.run_id
    (folder / JOURNAL).unlink() if name == JOURNAL else folder.rename(folder.with_name("two"))
    ended = cli(f"resume={run_id}")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert f"{folder}, is not there, or has no {JOURNAL}" in ended.err
    assert "type `resume=` with its new path" in ended.err


@pytest.mark.parametrize(
    "word",
    ["quiet=true,false", "report.page", "quiet=${oc.env:HOME}", "checkpoint.every=often"],
)
def test_words_of_the_record_that_cannot_be_used_are_left_out(cli, folder, interrupted, same, word):
    interrupted("tracking=none")
    (folder / ".hydra" / "overrides.yaml").write_text(f"- report.pictures=none\n- {word}\n")
    ended = cli("resume=outputs/one")
    assert (ended.code, ended.err) == (0, "")
    same()


def test_a_quiet_run_says_how_it_goes_on(interrupted):
    ended = interrupted("tracking=none", "quiet=true")
    assert re.fullmatch(
        r"INTERRUPTED after \d+ steps, loss \S+\. To go on, type `python -m polyexp resume=outputs/one`\.\n", ended.out
    )


def test_another_experiment_of_mlflow_is_refused(cli, interrupted):
    interrupted()
    ended = cli("resume=outputs/one", "tracking.experiment_name=other")
    assert (ended.code, ended.out) == (2, "")
    assert (
        "`tracking.experiment_name` cannot be changed in a run that goes on: it is 'polyexp'. Leave it out."
        in ended.err
    )


def test_a_job_of_a_sweep_goes_on_with_its_sweep(cli, tmp_path):
    assert cli("-m", *RUN, "seed=0,1", "hydra.sweep.dir=outputs/s").code == 0
    ended = cli("resume=outputs/s/0", "loop.steps=2000")
    assert (ended.code, ended.out) == (2, "")
    assert f"is a job of a sweep, with which it goes on: type `sweep.resume={tmp_path / 'outputs' / 's'}`" in ended.err
    ended = cli("resume=outputs/s")
    assert (ended.code, ended.out) == (2, "")
    assert f"type `sweep.resume={tmp_path / 'outputs' / 's'}`" in ended.err


def test_a_replay_is_made_again(cli, interrupted):
    assert cli(*RUN, "tracking=none", "hydra.run.dir=outputs/two").code == 0
    words = ("action=replay", "action.run=outputs/two", "tracking=none")
    ended = interrupted(*words, left_out=("backend", "problem", "optimizer", "loop"))
    assert "To go on, type `python -m polyexp action=replay action.run=" in ended.out
    refused = cli("resume=outputs/one")
    assert (refused.code, refused.out) == (2, "")
    assert "is a replay, whose verdict comes at its end" in refused.err


def test_a_run_that_was_interrupted_is_resumed_before_it_is_replayed(cli, interrupted):
    interrupted("tracking=none")
    ended = cli("action=replay", "action.run=outputs/one", "tracking=none")
    assert (ended.code, ended.out) == (2, "")
    assert "was interrupted: type `resume=" in ended.err


def test_how_it_is_recorded_and_shown_is_kept(cli, folder, interrupted, store):
    interrupted("tracking.log_model=never", "report.pictures=none")
    assert cli("resume=outputs/one").code == 0
    assert not list(folder.glob("*.png"))
    assert not store.search_logged_models([only_run(store).info.experiment_id])


def test_a_checkpoint_that_cannot_be_written_loses_nothing_else(cli, folder, interrupted, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_writer, "write_checkpoint", full)
        ended = interrupted("tracking=none")
    assert "a checkpoint could not be written into " in ended.err
    assert "To go on, type `python -m polyexp resume=outputs/one`." in ended.out
    assert json.loads((folder / "result.json").read_text())["outcome"] == "INTERRUPTED"
    assert cli("resume=outputs/one").code == 0
