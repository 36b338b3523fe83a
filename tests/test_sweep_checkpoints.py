"""A sweep that was interrupted goes on from the checkpoints of its batches and jobs, as if it had never been stopped."""

import json
import os
import re
import signal
import threading
import time
from dataclasses import replace

import pytest

from polyexp.fitting import CHECKPOINT, checkpoint_writer, read_checkpoint, write_checkpoint
from polyexp.sweep import CHECKPOINTS, MANIFEST, batch_checkpoint, read_table
from polyexp.sweep import run as sweep_run
from tests.helpers.commands import SHORT
from tests.helpers.interruptions import interrupted_in_process, once_interrupting
from tests.helpers.stores import all_runs, sweeps

FOLDER = "hydra.sweep.dir=outputs/s"
STEPS = ("loop.steps=1000", "loop.log_every=100")
RATES = ("-m", *SHORT, *STEPS, "tracking=none", "optimizer.learning_rate=1e-5,2e-5,3e-5")
WAYS = {
    "numpy": (),
    "torch": ("backend=torch",),
    "adam": ("optimizer=adam",),
    "jax": ("backend=jax",),
    "closed form": ("loop=closed_form",),
    "two batches": ("model.degree=2,3",),
    "two threads": ("backend=torch", "device.threads=2", "model.degree=2,3"),
    "tolerance": ("loop.tolerance=1e-4",),
    "float32": ("backend.dtype=float32",),
}
NUMBERS = ("outcome", "steps", "loss", "excess_loss", "parameters", "max_error", "learning_rate")


@pytest.fixture
def interrupted(cli, tmp_path):
    """Call it with words: a sweep into outputs/s has been interrupted at a snapshot with at least so many steps."""

    def call(*words, at=150):
        ended = interrupted_in_process(tmp_path, *words, FOLDER, at=at)
        assert (ended.code, ended.err.splitlines()[-1]) == (130, "polyexp: interrupted.")
        assert re.fullmatch(
            r"\d jobs: 0 finished, .*\. To go on, type `python -m polyexp sweep\.resume=outputs/s`\.",
            ended.out.splitlines()[-1],
        )
        return ended

    return call


def numbers(folder):
    result = json.loads((folder / "result.json").read_text())
    return {key: result[key] for key in NUMBERS}


def same_as_uninterrupted(cli, tmp_path, *words):
    """Require in outputs/s, to the bit, what the sweep gives that is not interrupted."""
    assert cli(*words, "hydra.sweep.dir=outputs/whole").code == 0
    folders = [tmp_path / "outputs" / name for name in ("whole", "s")]
    jobs = sorted(one.parent.name for one in folders[0].glob("*/result.json"))
    assert jobs == sorted(one.parent.name for one in folders[1].glob("*/result.json"))
    for job in jobs:
        assert numbers(folders[0] / job) == numbers(folders[1] / job)
        assert (folders[0] / job / "history.csv").read_bytes() == (folders[1] / job / "history.csv").read_bytes()
    rows = [[(row.number, row.outcome, row.loss, row.steps) for row in read_table(folder).rows] for folder in folders]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("words", WAYS.values(), ids=WAYS)
def test_batches_go_on_from_their_checkpoints(cli, tmp_path, interrupted, words):
    interrupted(*RATES, *words)
    found = list((tmp_path / "outputs" / "s" / CHECKPOINTS).glob(f"*/{CHECKPOINT}"))
    assert found
    resumed = cli("sweep.resume=outputs/s")
    assert (resumed.code, resumed.err) == (0, "")
    assert not (tmp_path / "outputs" / "s" / CHECKPOINTS).exists()
    same_as_uninterrupted(cli, tmp_path, *RATES, *words)


def test_a_batch_whose_thread_starts_at_the_interruption_is_waited_for(cli, tmp_path, monkeypatch):
    start, interrupt = threading.Thread.start, once_interrupting()

    def interrupted(thread):
        start(thread)
        if thread.name.startswith("ThreadPoolExecutor"):
            interrupt()

    def slow(*args, write=batch_checkpoint.CheckpointWriter.write):
        time.sleep(0.5)
        write(*args)

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    monkeypatch.setattr(batch_checkpoint.CheckpointWriter, "write", slow)
    words = ("model.degree=2,3", "loop.steps=1000000", "optimizer.learning_rate=1e-7,2e-7")
    ended = cli("-m", *SHORT, "tracking=none", *words, FOLDER)
    assert ended.code == 130
    assert not [one for one in threading.enumerate() if one.name.startswith("ThreadPoolExecutor")]
    assert list((tmp_path / "outputs" / "s" / CHECKPOINTS).glob(f"*/{CHECKPOINT}"))


def test_the_steps_before_are_not_taken_again(cli, interrupted, monkeypatch):
    interrupted(*RATES, at=500)
    steps = []
    compute = batch_checkpoint.compute

    def observed(*args, **options):
        return compute(*args, observe=lambda snapshot: steps.append(snapshot.step), **options)

    monkeypatch.setattr(batch_checkpoint, "compute", observed)
    assert cli("sweep.resume=outputs/s").code == 0
    assert steps == [600, 700, 800, 900, 1000]


def test_a_batch_of_which_some_jobs_are_finished_is_computed_as_a_whole(cli, tmp_path, monkeypatch):
    """Its sums are rounded in another way in a smaller batch."""
    published = []

    def publish(one, *rest):
        if len(published) == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        published.append(one.number)
        return kept(one, *rest)

    kept = sweep_run._published
    with monkeypatch.context() as patch:
        patch.setattr(sweep_run, "_published", publish)
        assert cli(*RATES, FOLDER).code == 143
    first = [row.outcome for row in read_table(tmp_path / "outputs" / "s").rows]
    assert first == ["MAX_STEPS", "NOT_RUN", "NOT_RUN"]
    before = (tmp_path / "outputs" / "s" / "0" / "result.json").stat().st_mtime_ns
    assert cli("sweep.resume=outputs/s").code == 0
    assert (tmp_path / "outputs" / "s" / "0" / "result.json").stat().st_mtime_ns == before
    same_as_uninterrupted(cli, tmp_path, *RATES)


def test_checkpoints_come_while_a_batch_is_computed(cli, tmp_path, monkeypatch):
    """A sweep whose process is killed has them."""
    steps = []
    write = batch_checkpoint.CheckpointWriter._write

    def written(writer, number, saved):
        write(writer, number, saved)
        steps.append(saved.step)

    monkeypatch.setattr(batch_checkpoint.CheckpointWriter, "_write", written)
    words = ("loop.steps=200000", "loop.log_every=1000", "checkpoint.every=1e-3")
    assert cli(*RATES, *words, FOLDER).code == 0
    assert steps
    assert not (tmp_path / "outputs" / "s" / CHECKPOINTS).exists()


def test_a_damaged_checkpoint_is_said_and_the_batch_computed_from_the_first_step_on(cli, tmp_path, interrupted):
    interrupted(*RATES)
    (found,) = (tmp_path / "outputs" / "s" / CHECKPOINTS).glob(f"*/{CHECKPOINT}")
    content = bytearray(found.read_bytes())
    content[len(content) // 2] ^= 1
    found.write_bytes(content)
    resumed = cli("sweep.resume=outputs/s")
    assert resumed.code == 0
    assert resumed.err.startswith(
        "warning: the jobs 0 to 2 are computed from the first step on, since their checkpoint cannot"
    )
    assert resumed.err.count("\n") == 1
    same_as_uninterrupted(cli, tmp_path, *RATES)


@pytest.mark.parametrize("launcher", ["basic", "polyexp"])
def test_jobs_that_are_computed_alone_go_on_as_the_same_runs(cli, tmp_path, interrupted, store, launcher):
    words = ("-m", *SHORT, *STEPS, "model.degree=2,3", f"hydra/launcher={launcher}")
    interrupted(*words)
    assert cli("action=sync").code == 0
    begun = [one for one in all_runs(store) if one.info.status == "KILLED"]
    assert len(begun) == 1
    assert begun[0].data.tags["polyexp.outcome"] == "INTERRUPTED"
    resumed = cli("sweep.resume=outputs/s")
    assert (resumed.code, resumed.err) == (0, "")
    runs = all_runs(store)
    assert begun[0].info.run_id in {one.info.run_id for one in runs}
    assert [one.info.status for one in runs] == ["FINISHED"] * 2
    assert [one.info.status for one in sweeps(store)] == ["FINISHED"]
    same_as_uninterrupted(cli, tmp_path, *words)


def test_a_checkpoint_of_other_jobs_is_of_no_use(cli, tmp_path, interrupted):
    """Somebody has put it there."""
    interrupted(*RATES)
    (place,) = (tmp_path / "outputs" / "s" / CHECKPOINTS).iterdir()
    saved, _ = read_checkpoint(place)
    write_checkpoint(place, replace(saved, fingerprint="0" * 16))
    resumed = cli("sweep.resume=outputs/s")
    assert resumed.code == 0
    assert "it is of other jobs" in resumed.err
    same_as_uninterrupted(cli, tmp_path, *RATES)


def test_a_job_that_was_computed_alone_does_not_become_part_of_a_batch(cli, tmp_path, interrupted):
    """Its journal is there already; another launcher would compute it together with others."""
    words = ("-m", *SHORT, *STEPS, "seed=0,1,2", "tracking=none")
    interrupted(*words, "hydra/launcher=basic")
    resumed = cli("sweep.resume=outputs/s", "hydra/launcher=polyexp")
    assert (resumed.code, resumed.err) == (0, "")
    assert [row.outcome for row in read_table(tmp_path / "outputs" / "s").rows] == ["MAX_STEPS"] * 3
    assert [len(list((tmp_path / "outputs" / "s").glob(f"{job}/{CHECKPOINT}"))) for job in (0, 1, 2)] == [1, 0, 0]


@pytest.mark.parametrize(
    "word",
    ["quiet=true", "checkpoint.every=5", "tracking.wait=3", "tracking.required=true", "tracking.log_model=always"],
)
def test_how_the_jobs_run_may_be_typed_beside_it(cli, tmp_path, interrupted, word):
    interrupted("-m", *SHORT, *STEPS, "optimizer.learning_rate=1e-5,2e-5")
    before = (tmp_path / "outputs" / "s" / MANIFEST).read_bytes()
    resumed = cli("sweep.resume=outputs/s", word)
    assert (resumed.code, resumed.err) == (0, "")
    assert (tmp_path / "outputs" / "s" / MANIFEST).read_bytes() == before


def test_a_checkpoint_that_cannot_be_written_is_said(cli, interrupted, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_writer, "write_checkpoint", full)
        ended = interrupted(*RATES)
    assert "warning: a checkpoint could not be written into " in ended.err
    assert cli("sweep.resume=outputs/s").code == 0
