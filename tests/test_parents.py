"""Runs with a parent, and runs that go on: both writers leave the same rows, in whatever order runs are delivered."""

import contextlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from polyexp.base import InputError
from polyexp.tracking.client_writer import ClientWriter
from polyexp.tracking.delivery import Delivery, deliver
from polyexp.tracking.journal import Journal, now
from polyexp.tracking.sqlite_writer import SqliteWriter
from tests.helpers.databases import rows
from tests.helpers.journals import header, killed, new_run, record

PARENT_TAG = "mlflow.parentRunId"
WAYS = ("sqlite", "client")
SWEEP = {**header(1).tags, "polyexp.kind": "sweep"}
ORDERS = {
    "parent first": (["p"], ["a", "b"]),
    "children first": (["a", "b"], ["p"]),
    "one child first": (["a"], ["p", "b"]),
    "together": (["p", "a", "b"],),
}


@pytest.fixture
def opened(tmp_path, new_store):
    """Call it with a way of writing: a writer of a store of its own, or of that of another way."""
    with contextlib.ExitStack() as stack:

        def call(way, at=None):
            folder = tmp_path / f"store_{at or way}"
            uri = (
                f"sqlite:///{folder / 'mlflow.db'}"
                if (folder / "mlflow.db").exists()
                else new_store(folder / "mlflow.db")
            )
            root = folder / "artifacts"
            writer = SqliteWriter.open(folder / "mlflow.db", root) if way == "sqlite" else ClientWriter(uri)
            stack.callback(writer.close)
            return SimpleNamespace(writer=writer, path=folder / "mlflow.db", root=str(root))

        yield call


@pytest.fixture
def family(tmp_path):
    """Call it with a place: the folders of a parent and of its two children there."""

    def make(place):
        parent = header(1).id
        made = {"p": new_run(tmp_path / place / "p", 1, started=1_700_000_000_000, params={}, tags=SWEEP, view=None)}
        for number, name in ((2, "a"), (3, "b")):
            made[name] = new_run(tmp_path / place / name, number, parent=parent, view=None)
        return made

    return make


def delivered(target, *folders):
    """One delivery of runs, which succeeds."""
    done = deliver(dict.fromkeys(folders), target.writer, target.root)
    for one in done.values():
        assert isinstance(one, Delivery), one
    return [done[folder].note.run_id for folder in folders]


def content(path):
    """The runs of a store by their journals, with the journals of their parents, without ids and times of writing."""
    found = rows(path)
    texts = {name: {} for name in ("tags", "params", "latest_metrics")}
    for name, of in texts.items():
        for row in found[name]:
            of.setdefault(row["run_uuid"], {})[row["key"]] = row["value"]
    journals = {run_id: tags["polyexp.journal"] for run_id, tags in texts["tags"].items()}
    result = {}
    for run in found["runs"]:
        run_id = run["run_uuid"]
        tags = dict(texts["tags"][run_id])
        if PARENT_TAG in tags:
            tags[PARENT_TAG] = journals[tags[PARENT_TAG]]
        metrics = texts["latest_metrics"].get(run_id, {})
        about = {name: run[name] for name in ("name", "status", "start_time", "end_time", "lifecycle_stage", "user_id")}
        assert journals[run_id] not in result
        result[journals[run_id]] = (about, tags, texts["params"].get(run_id), metrics)
    return result


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_both_writers_leave_the_same_rows_in_every_order(opened, family, order, monkeypatch):
    found = []
    for way in WAYS:
        with monkeypatch.context() as patch:
            patch.setattr("polyexp.tracking.journal.now", lambda: 1_700_000_001_000)
            folders = family(way)
        target = opened(way)
        for names in order:
            delivered(target, *(folders[name] for name in names))
        found.append(content(target.path))
    assert found[0] == found[1]
    assert len(found[0]) == 3
    parent = header(1).id
    tags = [found[0][header(number).id][1].get(PARENT_TAG) for number in (1, 2, 3)]
    assert tags == [None, parent, parent]


@pytest.mark.parametrize("way", WAYS)
def test_a_parent_that_is_there_under_another_id_is_found(opened, family, way):
    folders = family("jobs")
    (parent,) = delivered(opened("client", at="common"), folders["p"])
    assert parent != header(1).id
    delivered(opened(way, at="common"), folders["a"], folders["b"])
    path = opened(way, at="common").path
    named = [row["value"] for row in rows(path)["tags"] if row["key"] == PARENT_TAG]
    assert named == [parent, parent]
    assert len(rows(path)["runs"]) == 3


def row(target):
    (found,) = rows(target.path)["runs"]
    return found["status"], found["end_time"]


def is_running(target, way):
    """MLflow's client cannot remove the time of an end, which the next end replaces."""
    status, end = row(target)
    return status == "RUNNING" and (end is None or way == "client")


@pytest.mark.parametrize("way", WAYS)
def test_a_run_that_goes_on_is_running_again(opened, tmp_path, way):
    target = opened(way)
    folder = killed(new_run(tmp_path / "run", view=None))
    (first,) = delivered(target, folder)
    assert row(target)[0] == "KILLED"
    assert row(target)[1]
    again = header(2, params=header(1).params, name="another name", started=now(), view=None).again(header(1))
    with Journal(folder, again, anew=True) as journal:
        assert delivered(target, folder) == [first]
        assert is_running(target, way)
        record(journal)
        assert delivered(target, folder) == [first]
        assert is_running(target, way)
    assert delivered(target, folder) == [first]
    status, ended = row(target)
    assert (status, bool(ended)) == ("FINISHED", True)
    for _ in range(2):
        assert delivered(target, folder) == [first]
        assert row(target) == (status, ended)
    (run,) = rows(target.path)["runs"]
    assert (run["name"], run["start_time"]) == (header(1).name, header(1).started)


def test_a_journal_that_is_made_anew_leaves_no_other_file(tmp_path):
    folder = killed(new_run(tmp_path / "run"))
    before = {one.name for one in folder.iterdir()}
    with Journal(folder, header(2).again(header(1)), anew=True) as journal:
        assert journal.header.id == header(1).id
        journal.require_there()
    assert {one.name for one in folder.iterdir()} == before


def test_without_anew_a_second_journal_is_refused(tmp_path):
    folder = killed(new_run(Path(tmp_path, "run")))
    with pytest.raises(InputError):
        Journal(folder, header(2).again(header(1)))
