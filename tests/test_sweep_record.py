"""The record of a sweep: its run in the store, its table and picture, and what became of each of its jobs."""

import json
import os
import re
from pathlib import Path

import pytest
from hydra.core.utils import JobReturn, JobStatus

from polyexp.base import InputError
from polyexp.cli.jobs import RunError, error_of
from polyexp.experiment import run as run_module
from polyexp.sweep import PlannedJob, record
from polyexp.sweep.record import row_of
from polyexp.sweep.table import read_table
from polyexp.tracking import Status, end_of, sweep_name
from polyexp.tracking.entry import FOLDER_TAG
from polyexp.tracking.journal import JOURNAL, Journal, reason_of
from polyexp.tracking.journal_lines import MAX_END_BYTES, JournalError
from tests.helpers.commands import SHORT, run_in_process
from tests.helpers.interruptions import once_interrupting
from tests.helpers.journals import gone, header
from tests.helpers.stores import all_runs, sweeps

FOLDER = "outputs/sweeps/2026-11-24/17-06-40-146772"
NAME = "2026-11-24/17-06-40-146772"
SWEEP = ("-m", *SHORT, "loop.steps=50", f"hydra.sweep.dir={FOLDER}")
RATES = ("optimizer.learning_rate=1e-7,1e-6", "seed=0,1")
JOB = PlannedJob(3, "0" * 16, ("seed=3",))
OWN, BASIC = "hydra/launcher=polyexp", "hydra/launcher=basic"


def parted(store):
    """The run of the sweep, and those of its jobs."""
    (parent,) = sweeps(store)
    return parent, all_runs(store)


def last_line(folder):
    return json.loads((folder / JOURNAL).read_bytes().splitlines()[-1])


def fail_at(monkeypatch, number, error):
    """Make the writing of the result of one job fail."""
    write = run_module.write

    def failing(folder, *of):
        if folder.name == str(number):
            raise error
        return write(folder, *of)

    monkeypatch.setattr(run_module, "write", failing)


# Whole sweeps


@pytest.mark.parametrize("launcher", [OWN, BASIC])
def test_a_sweep_is_the_parent_of_the_runs_of_its_jobs(store, tmp_path, launcher):
    assert run_in_process(*SWEEP, *RATES, launcher, cwd=tmp_path, pictures=True).code == 0
    parent, children = parted(store)
    assert (parent.info.status, parent.info.run_name) == ("FINISHED", f"sweep {NAME}")
    assert parent.info.end_time >= max(run.info.end_time for run in children)
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    assert {run.data.tags["polyexp.sweep"] for run in children} == {NAME}
    assert not {"polyexp.sweep", "mlflow.parentRunId", "polyexp.outcome"} & set(parent.data.tags)
    assert parent.data.tags[FOLDER_TAG] == str(tmp_path / FOLDER)
    assert "optimizer.learning_rate=1e-7,1e-6" in parent.data.tags["polyexp.overrides"]
    assert parent.data.metrics
    assert all(name.startswith("sweep/") for name in parent.data.metrics)
    assert {one.path for one in store.list_artifacts(parent.info.run_id)} == {"sweep.csv", "sweep.png"}
    rows = read_table(tmp_path / FOLDER).rows
    assert [row.number for row in rows] == [0, 1, 2, 3]
    assert {row.run_id for row in rows} == {run.info.run_id for run in children}
    losses = {run.info.run_id: run.data.metrics["loss/final"] for run in children}
    assert all(row.loss == pytest.approx(losses[row.run_id], rel=1e-3) for row in rows)  # which is rounded


def test_a_sweep_that_is_not_recorded_has_its_files(bare_cli, tmp_path):
    assert bare_cli(*SWEEP, *RATES, "tracking=none").code == 0
    names = {one.name for one in (tmp_path / FOLDER).iterdir()}
    assert {"jobs.csv", JOURNAL, "sweep.csv", "0", "1", "2", "3"} <= names
    assert not list(tmp_path.rglob("*.db"))
    assert {row.run_id for row in read_table(tmp_path / FOLDER).rows} == {""}
    assert last_line(tmp_path / FOLDER)["status"] == "FINISHED"


@pytest.mark.parametrize("launcher", [OWN, BASIC])
@pytest.mark.parametrize("more", [(), ("hydra.sweeper.max_batch_size=1",)])
def test_a_sweep_with_a_job_that_fails_has_failed(bare_cli, tmp_path, monkeypatch, launcher, more):
    fail_at(monkeypatch, 1, OSError(28, "No space left on device"))
    done = bare_cli(*SWEEP, "seed=0,1,2", "tracking=none", launcher, *more)
    assert done.code == 1
    rows = read_table(tmp_path / FOLDER).rows
    assert [row.outcome for row in rows] == ["MAX_STEPS", "FAILED", "MAX_STEPS"]
    assert "No space left on device" in rows[1].reason
    assert (last_line(tmp_path / FOLDER)["status"], (tmp_path / FOLDER / "2/result.json").exists()) == ("FAILED", True)
    assert "1 of 3 jobs failed" in last_line(tmp_path / FOLDER)["reason"]


def test_a_sweep_with_a_job_that_fails_is_recorded_as_failed(cli, store, monkeypatch):
    fail_at(monkeypatch, 1, OSError(28, "No space left on device"))
    assert cli(*SWEEP, "seed=0,1,2").code == 1
    parent, children = parted(store)
    assert parent.info.status == "FAILED"
    assert sorted(run.info.status for run in children) == ["FAILED", "FINISHED", "FINISHED"]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143)], ids=["Ctrl-C", "SIGTERM"])
def test_a_sweep_that_is_interrupted_has_its_table(cli, store, tmp_path, monkeypatch, error):
    fail_at(monkeypatch, 1, error)
    done = cli(*SWEEP, "seed=0,1,2", BASIC)
    assert done.code == (130 if isinstance(error, KeyboardInterrupt) else 143)
    rows = read_table(tmp_path / FOLDER).rows
    assert [row.outcome for row in rows] == ["MAX_STEPS", "KILLED", "NOT_RUN"]
    parent, children = parted(store)
    assert (parent.info.status, len(children)) == ("KILLED", 2)
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    assert "sweep.csv" in {one.path for one in store.list_artifacts(parent.info.run_id)}


@pytest.mark.parametrize("part", ["summary", "is_recorded_in", "write_table", "draw_sweep"])
def test_a_sweep_that_is_interrupted_once_its_jobs_have_ended_is_finished(cli, store, tmp_path, monkeypatch, part):
    original = getattr(record, part)

    interrupt = once_interrupting()

    def interrupted(*args, **options):
        interrupt()
        return original(*args, **options)

    monkeypatch.setattr(record, part, interrupted)
    done = cli(*SWEEP, "seed=0,1", "report.pictures=all")
    assert (done.code, done.err) == (130, "polyexp: interrupted.\n")
    assert "2 jobs: 2 finished." in done.out
    assert last_line(tmp_path / FOLDER)["status"] == "FINISHED"
    assert [row.outcome for row in read_table(tmp_path / FOLDER).rows] == ["MAX_STEPS"] * 2
    assert cli("action=sync", "action.folder=outputs").code == 0
    parent, children = parted(store)
    assert [run.info.status for run in (parent, *children)] == ["FINISHED"] * 3


def test_the_run_of_a_sweep_is_neither_compared_nor_exported(cli, store):
    assert cli(*SWEEP, "seed=0,1").code == 0
    parent, children = parted(store)
    for number, typed in enumerate((FOLDER, NAME)):
        out = f"outputs/compared_{number}"
        done = cli("action=compare", f"action.sweep={typed}", f"hydra.run.dir={out}")
        assert (done.code, done.err) == (0, "")
        shown = set(re.findall(r"^ *([0-9a-f]{8,32}) ", done.out, re.MULTILINE))
        assert shown == {run.info.run_id[:8] for run in children}
    run_id = parent.info.run_id
    for words in (("compare", f"action.runs=[{run_id},{children[0].info.run_id}]"), ("export", f"action.run={run_id}")):
        done = cli(f"action={words[0]}", words[1])
        assert (done.code, done.out) == (2, "")
        assert done.err == f"polyexp: The run {run_id[:8]} has no results: it is a sweep.\n"


# What became of a job


@pytest.fixture
def folder(tmp_path):
    """The folder of a job."""
    folder = tmp_path / "3"
    folder.mkdir()
    return folder


def ended(folder, error=None):
    Journal(folder, header()).end(error)
    return folder


def result(**changes):
    """The text of a result.json. changes: of its entries."""
    content = {
        "outcome": "MAX_STEPS",
        "loss": 0.5,
        "excess_loss": 0.25,
        "steps": 50,
        "samples": {"total": 20},
        "parameters": {"w0": 1.0},
        "power_series": None,
        "max_error": 1.0,
        "config": {"model": "legendre_series", "problem": "function"},
    }
    return json.dumps(content | changes)


def what(folder):
    row = row_of(JOB, folder)
    assert (row.number, row.overrides, row.run_id) == (3, ("seed=3",), "")
    return row.outcome, row.loss, row.steps, row.reason


def test_a_job_without_a_folder_or_a_journal_has_not_run(folder):
    assert what(folder / "none") == what(folder) == ("NOT_RUN", None, None, "")
    (folder / JOURNAL).touch()
    assert what(folder) == ("NOT_RUN", None, None, "")


def test_a_job_that_has_not_said_how_it_ended_is_killed_once_its_process_has_gone(folder):
    journal = Journal(folder, header())
    assert what(folder)[0] == "NOT_RUN"
    journal.end()
    lines = (folder / JOURNAL).read_bytes().splitlines(keepends=True)
    (folder / JOURNAL).write_bytes(lines[0])
    assert what(gone(folder)) == ("KILLED", None, None, "its process has ended")


def test_a_job_that_failed_says_why(folder):
    assert what(ended(folder, ArithmeticError("no\n luck"))) == ("FAILED", None, None, "ArithmeticError: no luck")


def test_a_job_that_was_interrupted_is_killed(folder):
    assert what(ended(folder, KeyboardInterrupt()))[0] == "KILLED"


def test_a_job_that_has_finished_has_its_numbers(folder):
    ended(folder)
    (folder / "result.json").write_text(result())
    assert what(folder) == ("MAX_STEPS", 0.5, 50, "")
    (folder / "result.json").write_text(result(outcome="DIVERGED", loss=None, excess_loss=None))
    assert what(folder) == ("DIVERGED", None, 50, "")


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"null", result(outcome="x").encode()])
def test_a_job_whose_result_is_damaged_has_failed(folder, text):
    ended(folder)
    (folder / "result.json").write_bytes(text)
    outcome, loss, _, reason = what(folder)
    assert (outcome, loss) == ("FAILED", None)
    assert reason


def test_a_job_without_its_result_has_failed(folder):
    assert what(ended(folder)) == ("FAILED", None, None, "its result.json is missing")


@pytest.mark.parametrize("name", ["result.json", JOURNAL])
def test_a_named_pipe_is_not_waited_for(folder, name):
    ended(folder)
    (folder / JOURNAL).unlink() if name == JOURNAL else None
    os.mkfifo(folder / name)
    assert what(folder) == ("FAILED", None, None, "its folder cannot be read (Not a regular file)")


def test_a_folder_that_cannot_be_read_is_a_failure(folder, monkeypatch):
    def refused(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("polyexp.tracking.journal_lines.open_regular", refused)
    assert what(ended(folder)) == ("FAILED", None, None, "its folder cannot be read (Permission denied)")


@pytest.mark.parametrize("text", [b"x\n", b"{}\n", b'{"kind": "header"}\n', b"\xff\n"])
def test_a_job_whose_journal_is_damaged_has_failed(folder, text):
    (folder / JOURNAL).write_bytes(text)
    outcome, _, _, reason = what(folder)
    assert outcome == "FAILED"
    assert JOURNAL in reason


# Parts


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        (FOLDER, NAME),
        (NAME, NAME),
        (f"{FOLDER}/", NAME),
        ("outputs/mine", "mine"),
        ("mine", "mine"),
        ("2026-1-24/x", "x"),
        ("/", ""),
    ],
)
def test_the_name_of_a_sweep_is_that_of_its_folder_with_the_date(folder, name):
    assert sweep_name(Path(folder)) == name


def returned(*values):
    """What a launcher returns of jobs: None of one that has succeeded, otherwise its error."""
    jobs = []
    for value in values:
        status = JobStatus.COMPLETED if value is None else JobStatus.FAILED
        jobs.append(JobReturn(_return_value=value, status=status))
    return jobs


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ((), None),
        ((None, None), None),
        ((None, RunError(1)), 1),
        ((None, RunError(2)), 2),
        ((RunError(2), RunError(2)), 2),
        ((RunError(2), RunError(1)), 1),
        ((RunError(2), ValueError("x")), 1),
    ],
)
def test_the_exit_code_of_a_sweep(values, code):
    error = error_of(returned(*values))
    assert (error and error.code) == code


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (InputError("`seed` must be\nwhole."), "`seed` must be whole."),
        (ValueError("a\x1b[31m"), "ValueError: a\\x1b[31m"),
        (KeyError("a"), "KeyError: 'a'"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_a_reason_is_one_line(error, reason):
    assert reason_of(error) == reason


def test_a_reason_is_bounded_so_that_the_end_is_found(folder):
    ended(folder, ValueError("é\U0001f600" * 10**6))
    status, reason = end_of(folder)
    assert status is Status.FAILED
    assert len(reason) <= 1000


@pytest.mark.parametrize("size", [0, 1, 20])
def test_an_end_that_is_torn_is_none(folder, size):
    text = (ended(folder) / JOURNAL).read_bytes()
    begin = text.index(b'{"kind": "end"')
    (folder / JOURNAL).write_bytes(text[: begin + size])
    assert end_of(folder) is None
    (folder / JOURNAL).write_bytes(text[:-1])
    assert end_of(folder) is None
    (folder / JOURNAL).write_bytes(text)
    assert end_of(folder) == (Status.FINISHED, "")


def test_a_last_line_that_is_huge_is_no_end(folder):
    (folder / JOURNAL).write_bytes(b'{"kind": "end", "status": "' + b"x" * MAX_END_BYTES * 3 + b'"}\n')
    assert end_of(folder) is None
    (folder / JOURNAL).write_bytes(b"")
    assert end_of(folder) is None


@pytest.mark.parametrize(
    "rest", [b'"status": "\xff"}', b'"status": []}', b'"status": "x"}', b"}", b"", b'"a": "\\ud800"}']
)
def test_an_end_that_is_damaged_is_an_error(folder, rest):
    (folder / JOURNAL).write_bytes(b'\n{"kind": "end", ' + rest + b"\n")
    with pytest.raises(JournalError, match="is damaged"):
        end_of(folder)


def test_the_others_are_kept_where_a_job_is_refused(bare_cli, tmp_path, monkeypatch):
    fail_at(monkeypatch, 0, InputError("`seed` is refused."))
    assert bare_cli(*SWEEP, "seed=0,1", "tracking=none", BASIC).code == 2
    assert [row.outcome for row in read_table(tmp_path / FOLDER).rows] == ["FAILED", "MAX_STEPS"]
