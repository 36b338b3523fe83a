"""The rows and files that are written without MLflow are those of its client, once, whatever interrupts the writing."""

import contextlib
import errno
import math
import os
import re
import resource
import sqlite3
import uuid
from dataclasses import replace
from itertools import count, permutations
from pathlib import Path

import numpy as np
import pytest

import polyexp as p
from benchmarks.recording import record_by_client, typical
from polyexp.base import InputError
from polyexp.tracking.artifact_folder import UnknownLocationError, copy_files, local_folder, location_of_run
from polyexp.tracking.dataset import dataset_of
from polyexp.tracking.entry import JOURNAL_TAG, File, LostRunError, MLflowExperiment, Point, Status, Writer, Written
from polyexp.tracking.sqlite_writer import SqliteWriter, UnknownSchemaError
from tests.helpers.commands import loaded_by, run_python
from tests.helpers.databases import files, rows
from tests.helpers.faults import copied_store, write, write_with_fault
from tests.helpers.models import log_by_client, some_model

ROOT = Path(__file__).parents[1]
NOW = 1_800_000_000.0
ENDED = (Status.FINISHED, Status.FAILED, Status.KILLED)


@pytest.fixture
def folder(tmp_path, new_store):
    """A folder with an empty store and files to record."""
    new_store(tmp_path / "mlflow.db")
    return tmp_path


@pytest.fixture
def opened(folder):
    """Call it for another writer of the store. Each is closed at the end."""
    with contextlib.ExitStack() as stack:

        def call(busy_seconds=0.0, otherwise=None):
            writer = SqliteWriter.open(folder / "mlflow.db", folder / "artifacts", otherwise, busy_seconds)
            stack.callback(writer.close)
            return writer

        yield call


@pytest.fixture
def writer(opened):
    return opened()


@pytest.fixture
def client(folder):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")


def unfinished(number, folder, **changes):
    return typical(
        number, folder, **({"dataset": None, "files": [], "status": Status.RUNNING, "ended": None} | changes)
    )


# The same as MLflow's client


def some_runs(folder):
    """Runs of every kind, in several MLflow experiments."""
    nested = folder / "outputs" / "nested.csv"
    nested.parent.mkdir(exist_ok=True)
    nested.write_text("1,2\n", encoding="utf-8")
    nested.chmod(0o640)
    page = {"params": {}, "points": [], "dataset": None, "files": [File(nested, "deeper/still"), File(nested)]}
    long = {"params": {"long": "x" * 6001, "as it is": "y" * 6000}}
    repeated = [
        Point("again", 1.0, 3, 5),
        Point("again", 1.0, 3, 5),
        Point("again", 2.0, 3, 5),
        Point("again", 9.0, 1, 9),
    ]
    return [
        typical(0, folder, model=some_model(0, int(1000 * NOW), typical(0, folder).points[-2:])),
        typical(1, folder, status=Status.FAILED, files=[], **long),
        typical(2, folder, status=Status.KILLED, dataset=dataset_of("other", np.arange(3.0), np.arange(3.0))),
        unfinished(3, folder, points=repeated, tags={"polyexp.journal": typical(3, folder).id}),
        typical(4, folder, experiment="Polyexp"),
        typical(5, folder, experiment="polyexp comparisons", **page),
        typical(
            6,
            folder,
            experiment="by the store",
            artifact_root=None,
            points=[Point("whole", 3, 2**60, 1)],
            model=some_model(6, int(1000 * NOW)),
        ),
    ]


def by_client(client, entries, monkeypatch):
    """Record entries by MLflow's client, with their own ids."""
    given = []
    numbers = count()
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(given.pop()) if given else uuid.UUID(int=next(numbers)))
    for entry in entries:
        found = client.get_experiment_by_name(entry.experiment)
        number = found.experiment_id if found else client.create_experiment(entry.experiment, entry.artifact_root)
        given.append(entry.id)
        assert record_by_client(client, number, entry) == entry.id
        if entry.model:
            given.append(entry.id)
            assert log_by_client(client, number, entry) == f"m-{entry.id}"
    number = client.get_experiment_by_name("polyexp").experiment_id
    for name, value in (("kept", "1"), ("kept", "2"), ("deleted", "3")):
        client.set_experiment_tag(number, name, value)
    client.delete_experiment_tag(number, "deleted")


def by_writer(writer, entries, monkeypatch):
    numbers = count()
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=next(numbers)))
    written = [one for entry in entries for one in writer.write([entry])]
    assert [one.run_id for one in written] == [entry.id for entry in entries]
    number = writer.experiment("polyexp", None).id
    for name, value in (("kept", "1"), ("kept", "2"), ("deleted", "3"), ("deleted", None), ("never there", None)):
        writer.set_experiment_tag(number, name, value)


def test_every_row_and_file_is_that_of_the_client(tmp_path, new_store, monkeypatch):
    """Only the ids and the times are given; the folder is the same, one after the other."""
    from mlflow import MlflowClient

    folder, found = tmp_path / "store", []
    default_root = folder / "artifacts"
    for way in ("client", "writer"):
        uri = new_store(folder / "mlflow.db")
        entries = some_runs(folder)
        for path in (folder / "outputs").rglob("*.csv"):
            os.utime(path, (NOW, NOW))
        with monkeypatch.context() as patch:
            patch.setattr("time.time", lambda: NOW)
            if way == "client":
                client = MlflowClient(uri)
                client._tracking_client.store.artifact_root_uri = str(default_root)  # where its server would have it
                by_client(client, entries, patch)
            else:
                with contextlib.closing(SqliteWriter.open(folder / "mlflow.db", default_root)) as writer:
                    by_writer(writer, entries, patch)
        found.append((rows(folder / "mlflow.db"), files(default_root)))
        folder.rename(tmp_path / way)
    (their_rows, their_files), (our_rows, our_files) = found
    assert len(our_rows["runs"]) == 7
    assert len(our_rows["metrics"]) == 4 * 228 + 3 + 1
    assert [len(our_rows[f"logged_model{part}"]) for part in ("s", "_params", "_tags", "_metrics")] == [2, 2, 2, 2]
    assert len(our_rows["experiments"]) == 5
    for table, expected in their_rows.items():
        assert our_rows[table] == expected, table
    assert len([one for one in our_files.values() if one != "folder"]) == 4 * 3 + 2 + 2 * 7
    assert our_files == their_files


def test_writing_in_parts_gives_the_rows_of_writing_at_once(folder, opened, tmp_path, new_store, monkeypatch):
    """As a run is recorded while it is running: the header first, then points, then the end."""
    whole = typical(0, folder)
    points = whole.points
    parts = [
        unfinished(0, folder, points=points[:50]),
        *(unfinished(0, folder, params={}, tags={}, points=points[at : at + 89], run_id=whole.id) for at in (50, 139)),
        replace(whole, run_id=whole.id, points=[], params={}, tags={"polyexp.outcome": "STALLED"}),
    ]
    with monkeypatch.context() as patch:
        patch.setattr("time.time", lambda: NOW)
        patch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=next(numbers)))
        numbers = count()
        writer = opened()
        for part in parts:
            assert writer.write([part]) == [Written(whole.id, "1")]
        new_store(tmp_path / "once" / "mlflow.db")
        numbers = count()
        with contextlib.closing(SqliteWriter.open(tmp_path / "once" / "mlflow.db", folder)) as other:
            other.write([replace(whole, tags={**whole.tags, "polyexp.outcome": "STALLED"})])
    assert rows(folder / "mlflow.db") == rows(tmp_path / "once" / "mlflow.db")


def test_writing_again_changes_nothing(folder, writer):
    entries = some_runs(folder)
    written = writer.write(entries)
    before = rows(folder / "mlflow.db"), files(folder / "artifacts")
    assert writer.write(entries) == written
    assert writer.write([unfinished(0, folder)]) == written[:1]  # an older entry does not begin the run again
    assert (rows(folder / "mlflow.db"), files(folder / "artifacts")) == before


LAST, OTHERS = Point("m", 2.0, 7, 20), (Point("m", -1.0, 7, 20), Point("m", 9.0, 7, 10), Point("m", 9.0, 1, 30))


@pytest.mark.parametrize("at_once", [1, 2, 4])
def test_the_latest_point_is_the_last_by_step_time_and_value(folder, writer, at_once):
    for number, points in enumerate(permutations((LAST, *OTHERS))):
        for begin in range(0, 4, at_once):
            writer.write([unfinished(number, folder, points=points[begin : begin + at_once])])
    found = rows(folder / "mlflow.db")
    assert len(found["metrics"]) == 4 * 24
    latest = [Point("m", row["value"], row["step"], row["timestamp"]) for row in found["latest_metrics"]]
    assert latest == [LAST] * 24


def test_a_param_keeps_its_first_value_and_a_tag_gets_the_last(folder, writer):
    journal = typical(0, folder).id
    entry = unfinished(0, folder, params={"a": "1"}, tags={"polyexp.journal": journal, "b": "1", "long": "z" * 8001})
    writer.write([entry])
    writer.write([replace(entry, run_id=entry.id, params={"a": "2"}, tags={"b": "2"})])
    found = rows(folder / "mlflow.db")
    assert {(row["key"], row["value"]) for row in found["params"]} == {("a", "1")}
    assert {row["key"]: row["value"] for row in found["tags"]} == {
        "mlflow.runName": "run 0",
        "polyexp.journal": journal,
        "b": "2",
        "long": "z" * 8000,
    }


@pytest.mark.parametrize(
    "refused",
    [
        {"points": [Point("m", math.nan, 1, 1)]},  # SQLite stores NaN as NULL, which the table does not allow
        {"points": [Point("m", None, 1, 1)]},
        {"points": [Point("m", 1.0, 2**63, 1)]},
        {"points": [Point("m", 1.0, 1, 2**63)]},
        {"points": [Point("half \ud800", 1.0, 1, 1)]},
        {"params": {"half": "\ud800"}},
        {"name": "\udfff"},
        {"experiment": "\ud800"},
        {"started": 2**63},
    ],
)
def test_values_that_a_database_does_not_take_are_an_error_of_their_run_alone(folder, writer, refused):
    entries = [unfinished(0, folder), unfinished(1, folder, **refused), unfinished(2, folder)]
    first, error, last = writer.write(entries)
    assert (first.run_id, last.run_id) == (entries[0].id, entries[2].id)
    assert isinstance(error, (sqlite3.IntegrityError, OverflowError, UnicodeError))
    found = rows(folder / "mlflow.db")
    assert {row["run_uuid"] for row in found["runs"]} == {entries[0].id, entries[2].id}
    assert {row["run_uuid"] for table in ("params", "tags", "metrics") for row in found[table]} == {
        entries[0].id,
        entries[2].id,
    }


def test_a_run_of_another_journal_is_never_written(folder, writer, client):
    """Neither where a journal has the id of a run, nor where its note names one."""
    theirs = typical(0, folder)
    by_hand = client.create_run(writer.experiment("polyexp", None).id).info.run_id
    writer.write([theirs])
    before = rows(folder / "mlflow.db")
    ours = typical(1, folder)
    (note,) = writer.write([replace(ours, run_id=theirs.id)])
    assert isinstance(note, LostRunError)
    (id_of_a_run,) = writer.write([replace(ours, id=by_hand, tags={**ours.tags, JOURNAL_TAG: by_hand})])
    assert isinstance(id_of_a_run, InputError)
    assert f"The run {by_hand} of {folder / 'mlflow.db'} is not that of the journal" in str(id_of_a_run)
    assert rows(folder / "mlflow.db") == before


def test_a_run_is_found_by_the_tag_of_its_journal(folder, writer, client):
    """As when a server has written it, under an id of its own."""
    entry = typical(0, folder)
    run_id = record_by_client(
        client, client.create_experiment("polyexp", entry.artifact_root), replace(entry, files=[])
    )
    before = rows(folder / "mlflow.db")
    assert run_id != entry.id
    assert writer.write([entry, typical(1, folder)]) == [Written(run_id, "1"), Written(typical(1, folder).id, "1")]
    assert [row for row in rows(folder / "mlflow.db")["metrics"] if row["run_uuid"] == run_id] == before["metrics"]
    assert len(list((folder / "artifacts" / run_id / "artifacts").iterdir())) == 3


def test_mlflow_reads_what_was_written_and_goes_on(folder, writer, client):
    entry = typical(0, folder)
    (written,) = writer.write([entry])
    (run,) = client.search_runs(
        [written.experiment_id], "attributes.status = 'FINISHED' and params.`setting.2` = 'value 0'"
    )
    assert run.info.run_id == written.run_id
    assert (run.info.start_time, run.info.end_time, run.info.user_id) == (entry.started, entry.ended, "somebody")
    assert run.data.tags["polyexp.journal"] == entry.id
    assert run.inputs.dataset_inputs[0].dataset.digest == entry.dataset.digest
    points = client.get_metric_history(run.info.run_id, "metric/3")
    assert [(one.step, one.value, one.timestamp) for one in points] == [
        (one.step, one.value, one.time) for one in entry.points if one.name == "metric/3"
    ]
    assert [one.path for one in client.list_artifacts(run.info.run_id)] == ["0.csv", "1.csv", "2.csv"]
    client.log_metric(run.info.run_id, "metric/3", 7.0, step=1000)
    assert client.get_run(run.info.run_id).data.metrics["metric/3"] == 7.0
    client.delete_run(run.info.run_id)
    more = replace(entry, run_id=entry.id, points=[Point("late", 1.0, 1, 1)])
    assert writer.write([more]) == [written]
    assert client.search_runs([written.experiment_id]) == []
    client.restore_run(run.info.run_id)
    assert client.get_run(run.info.run_id).data.metrics["late"] == 1.0


# MLflow experiments


def test_an_experiment_is_made_once_and_its_tags_are_read(folder, writer, client):
    made = writer.experiment("polyexp", str(folder / "elsewhere"))
    writer.set_experiment_tag(made.id, "mlflow.sharedViewState.polyexp", "x" * 20_000)
    assert writer.experiment("polyexp", None) == MLflowExperiment("1", {"mlflow.sharedViewState.polyexp": "x" * 20_000})
    assert writer.experiment("polyexP", None).id == "2"
    assert client.get_experiment("1").artifact_location == str(folder / "elsewhere")
    assert client.get_experiment("2").artifact_location == str(folder / "artifacts" / "2")
    with pytest.raises(ValueError, match="longer than the 20000 characters"):
        writer.set_experiment_tag(made.id, "a", "x" * 20_001)


def test_a_deleted_experiment_is_refused_but_its_runs_are_completed(folder, writer, client):
    entry = unfinished(0, folder)
    (written,) = writer.write([entry])
    client.delete_experiment(written.experiment_id)
    refused, other = writer.write([typical(1, folder), typical(2, folder, experiment="another")])
    assert isinstance(refused, p.InputError)
    assert re.search(r"must not name a deleted experiment.*mlflow experiments restore -x 1", str(refused))
    assert other == Written(typical(2, folder).id, "2")
    with pytest.raises(p.InputError, match="must not name a deleted experiment"):
        writer.experiment("polyexp", None)
    assert [one["name"] for one in rows(folder / "mlflow.db")["experiments"]] == ["Default", "polyexp", "another"]
    assert writer.write([replace(typical(0, folder), run_id=entry.id)]) == [written]
    found = {run["run_uuid"]: (run["status"], run["lifecycle_stage"]) for run in rows(folder / "mlflow.db")["runs"]}
    assert found == {entry.id: ("FINISHED", "deleted"), other.run_id: ("FINISHED", "active")}


# Other databases


def changed(folder, *statements):
    with contextlib.closing(sqlite3.connect(folder / "mlflow.db")) as database, database:
        for statement in statements:
            database.execute(statement)


OTHER_SCHEMAS = {
    "a later revision": "UPDATE alembic_version SET version_num = 'ffffffffffff'",
    "no revision": "DELETE FROM alembic_version",
    "a column that may be empty": "ALTER TABLE runs ADD COLUMN colour TEXT",
    "a column that has to be given": "ALTER TABLE metrics ADD COLUMN unit TEXT NOT NULL DEFAULT ''",
    "a column less": "ALTER TABLE runs DROP COLUMN source_version",
    "a table less": "DROP TABLE input_tags",
}


@pytest.mark.parametrize("statement", OTHER_SCHEMAS.values(), ids=OTHER_SCHEMAS)
def test_an_unknown_schema_is_left_to_the_client(folder, opened, statement):
    writer = opened()
    changed(folder, statement)
    before = rows(folder / "mlflow.db")
    with pytest.raises(UnknownSchemaError):
        opened()
    if "alembic_version" not in statement:  # MLflow changes columns whenever it changes the revision
        with pytest.raises(UnknownSchemaError):
            writer.write([typical(0, folder)])
    assert rows(folder / "mlflow.db") == before
    assert not (folder / "artifacts").exists()


@pytest.mark.parametrize("statement", ["ALTER TABLE runs ADD COLUMN colour TEXT", "CREATE TABLE notes (text)"])
def test_the_client_writes_where_the_writer_does_not(folder, opened, client, statement):
    """A table that MLflow does not know prevents nothing."""
    changed(folder, statement)
    if "runs" in statement:
        with pytest.raises(UnknownSchemaError, match="other columns in runs"):
            opened()
        record_by_client(client, client.create_experiment("polyexp", str(folder / "artifacts")), typical(0, folder))
    else:
        opened().write([typical(0, folder)])
    assert client.get_run(rows(folder / "mlflow.db")["runs"][0]["run_uuid"]).data.metrics["final/3"] == -3.0


def test_the_columns_are_those_of_the_installed_mlflow():
    """Otherwise nothing is written without MLflow any more, and nobody notices."""
    from polyexp.tracking.sqlite import latest_revision
    from polyexp.tracking.sqlite_tables import REVISIONS

    assert latest_revision() in REVISIONS


def test_the_writer_loads_no_heavy_library():
    heavy = loaded_by("import polyexp.tracking.sqlite_writer, polyexp.tracking.dataset")
    assert heavy == loaded_by("import polyexp.tracking")
    assert "mlflow" not in heavy


# The identity of a store


def test_a_store_made_anew_has_another_identity(folder, opened, new_store):
    writer = opened()
    writer.write([typical(0, folder)])
    assert opened().identity == writer.identity
    assert writer.identity.startswith(f"sqlite:///{folder}/mlflow.db")
    for suffix in ("", "-wal", "-shm"):
        (folder / f"mlflow.db{suffix}").rename(folder / f"old{suffix}")  # which keeps its number from being used again
    new_store(folder / "mlflow.db")
    assert opened().identity != writer.identity
    with pytest.raises(FileNotFoundError, match="not the file any more"):
        writer.write([typical(1, folder)])
    new, lost = opened().write([typical(1, folder), replace(typical(0, folder), run_id=typical(0, folder).id)])
    assert isinstance(lost, LostRunError)
    assert new == Written(typical(1, folder).id, "1")
    assert [run["run_uuid"] for run in rows(folder / "mlflow.db")["runs"]] == [new.run_id]


# A store that fails


def test_a_locked_database_is_not_waited_for_longer_than_asked(folder, opened):
    writer = opened(0.05)
    with contextlib.closing(sqlite3.connect(folder / "mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            writer.write([typical(0, folder)])
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            writer.experiment("polyexp", None)
    assert not (folder / "artifacts").exists()
    writer.write([typical(0, folder)])


def test_a_deleted_file_is_noticed(folder, writer):
    (folder / "mlflow.db").unlink()
    with pytest.raises(FileNotFoundError):
        writer.write([typical(0, folder)])
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        SqliteWriter.open(folder / "mlflow.db", folder / "artifacts")
    assert not (folder / "mlflow.db").exists()
    assert not (folder / "artifacts").exists()


def test_a_file_that_is_deleted_during_the_transaction_is_noticed(folder, writer):
    entry = typical(0, folder)
    with pytest.raises(FileNotFoundError):
        writer.write([replace(entry, params=Deleting(folder / "mlflow.db"))])


class Deleting(dict):
    """Params that delete a file when they are read."""

    def __init__(self, path):
        super().__init__()
        self.items = lambda: path.unlink() or [("a", "1")]


def test_a_database_that_may_not_be_written_is_left(folder, writer):
    writer._store.connection.execute("PRAGMA query_only=ON")  # as root may write to any file
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        writer.write([typical(0, folder)])
    writer._store.connection.execute("PRAGMA query_only=OFF")
    assert rows(folder / "mlflow.db")["runs"] == []
    writer.write([typical(0, folder)])


@pytest.mark.parametrize("begin", [0, 4096], ids=["its head", "its tables"])
def test_a_damaged_file_is_noticed(folder, opened, begin):
    path = folder / "mlflow.db"
    opened().write([typical(number, folder) for number in range(3)])
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek(begin)
        file.write(b"\xa5" * (path.stat().st_size - begin))
    with pytest.raises(sqlite3.DatabaseError):
        opened().write([typical(3, folder)])
    assert not (folder / "artifacts" / typical(3, folder).id).exists()


@contextlib.contextmanager
def largest_file(size):
    """No file can grow beyond a size in bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [0, 40_000, 200_000])
def test_a_full_disk_leaves_nothing_half_written(folder, writer, size):
    entries = [typical(number, folder) for number in range(3)]
    with largest_file(size), pytest.raises((sqlite3.OperationalError, OSError)):
        writer.write(entries)
    assert rows(folder / "mlflow.db")["runs"] == []
    writer.write(entries)
    assert [len(rows(folder / "mlflow.db")[table]) for table in ("runs", "metrics", "inputs")] == [3, 3 * 228, 3]


def test_a_full_disk_leaves_no_half_file(folder, writer):
    big = folder / "outputs" / "big.bin"
    entry = typical(0, folder)
    big.write_bytes(b"0" * 3_000_000)
    entry = replace(entry, files=[File(big)])
    with largest_file(2_500_000):
        full, other = writer.write([entry, typical(1, folder)])
    assert isinstance(full, OSError)
    assert full.errno == errno.EFBIG
    assert other == Written(typical(1, folder).id, "1")
    assert not [path for path in (folder / "artifacts" / entry.id).rglob("*") if path.is_file()]
    assert writer.write([entry]) == [Written(entry.id, "1")]
    assert (folder / "artifacts" / entry.id / "artifacts" / "big.bin").read_bytes() == big.read_bytes()


# Interrupted anywhere


def broken():
    raise OSError("broken")


@pytest.mark.slow
def test_a_write_that_fails_at_any_call_is_completed_by_the_next_one(tmp_path, new_store):
    new_store(tmp_path / "empty.db")
    expected = write(copied_store(tmp_path / "empty.db", tmp_path / "expected"))  # the first time has more calls
    calls = write_with_fault(copied_store(tmp_path / "empty.db", tmp_path / "counted"), 0, broken)
    assert calls > 40
    raised = 0
    for at in range(1, calls + 1):
        store = copied_store(tmp_path / "empty.db", tmp_path / str(at))
        try:
            write_with_fault(store, at, broken)
        except OSError as error:
            assert str(error) == "broken"  # noqa: PT017
            raised += 1
        assert len(rows(store / "mlflow.db")["runs"]) in (0, 2)
        assert write(store) == expected, at
    assert raised >= calls - 1  # to make the folder of models again, which is there, may fail


KILLED_ANYWHERE = """
import os, sys
from pathlib import Path
sys.path.insert(0, os.getcwd())
from tests.helpers.databases import rows
from tests.helpers.faults import copied_store, write, write_with_fault
from tests.helpers.models import log_by_client, some_model

empty, folder = Path(sys.argv[1]), Path(sys.argv[2])
expected, at, code = write(copied_store(empty, folder / "expected")), 0, 9
while code == 9:
    at += 1
    store = copied_store(empty, folder / str(at))
    if not (child := os.fork()):
        write_with_fault(store, at, lambda: os._exit(9))
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert len(rows(store / "mlflow.db")["runs"]) in (0, 2), at
    assert write(store) == expected, at
print(at - 1, code)
"""


@pytest.mark.slow
def test_a_write_that_is_killed_at_any_call_is_completed_by_the_next_one(tmp_path, new_store):
    new_store(tmp_path / "empty.db")
    calls = write_with_fault(copied_store(tmp_path / "empty.db", tmp_path / "counted"), 0, broken)
    done = run_python(KILLED_ANYWHERE, tmp_path / "empty.db", tmp_path, cwd=ROOT)
    assert (done.out, done.err) == (f"{calls} 0\n", "")


# The folder of the artifacts


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "result.json"
    path.write_text("whole", encoding="utf-8")
    return path


def test_a_file_is_copied_only_if_it_differs(tmp_path, source):
    there = tmp_path / "root" / "run" / "artifacts"
    for text, expected in (("whole", False), ("WHOLE", True), ("longer", True), ("longer", False), ("", True)):
        before = (there / source.name).stat().st_ino if (there / source.name).exists() else None
        if before is None:
            copy_files(there, [File(source)])
            before = (there / source.name).stat().st_ino
        source.write_text(text, encoding="utf-8")
        os.link(there / source.name, tmp_path / f"kept {text} {expected}")  # so that its number is not used again
        copy_files(there, [File(source)])
        assert (there / source.name).read_text() == text
        assert ((there / source.name).stat().st_ino != before) is expected
    assert [path.name for path in there.iterdir()] == [source.name]


def test_no_symbolic_link_is_followed(tmp_path, source):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "mine").write_text("mine", encoding="utf-8")
    there = tmp_path / "root" / "run" / "artifacts"
    there.mkdir(parents=True)
    (there / source.name).symlink_to(outside / "mine")
    (there / f".artifact.uploading.{source.name}").symlink_to(outside / "mine")
    (there / "deeper").symlink_to(outside)
    copy_files(there, [File(source)])
    assert not (there / source.name).is_symlink()
    assert [path.name for path in there.iterdir() if path.is_file()] == [source.name]
    with pytest.raises(NotADirectoryError):
        copy_files(there, [File(source, "deeper")])
    (tmp_path / "root" / "other").symlink_to(outside)
    with pytest.raises(NotADirectoryError):
        copy_files(tmp_path / "root" / "other" / "artifacts", [File(source)])
    assert [(path.name, path.read_text()) for path in outside.iterdir()] == [("mine", "mine")]


def test_the_location_itself_may_be_a_link(tmp_path, source):
    (tmp_path / "disk").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "disk")
    copy_files(tmp_path / "root" / "run" / "artifacts", [File(source, "a/b")])
    assert (tmp_path / "disk" / "run" / "artifacts" / "a" / "b" / source.name).read_text() == "whole"


@pytest.mark.parametrize("folder", ["..", "a/../..", "/etc"])
def test_a_file_stays_within_the_artifacts(tmp_path, source, folder):
    with pytest.raises(ValueError, match="leads out of the artifacts"):
        copy_files(tmp_path / "root" / "run" / "artifacts", [File(source, folder)])
    assert not (tmp_path / "root").exists()


def test_only_a_regular_file_is_copied(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="Not a regular file"):
        copy_files(tmp_path / "root" / "run" / "artifacts", [File(tmp_path / "pipe")])


LOCATIONS = {
    "/a/b": "/a/b",
    "/a/is it? #1": "/a/is it? #1",
    "/a/b%20c/": "/a/b c",
    "file:///a/b%20c": "/a/b c",
    "file:/a": "/a",
    "mlflow-artifacts:/": "/root",
    "mlflow-artifacts:/7": "/root/7",
}


@pytest.mark.parametrize("location", LOCATIONS)
def test_a_location_is_read_and_extended_as_mlflow_does(location):
    from mlflow.utils.file_utils import local_file_uri_to_path
    from mlflow.utils.uri import append_to_uri_path

    folder = local_folder(location, Path("/root"))
    assert folder == Path(LOCATIONS[location])
    assert location.startswith("mlflow-artifacts") or folder == Path(local_file_uri_to_path(location))
    of_run = location_of_run(location, "5eed")
    assert of_run == append_to_uri_path(location, "5eed", "artifacts")
    assert local_folder(of_run, Path("/root")) == folder / "5eed" / "artifacts"


OTHER_LOCATIONS = """
s3://bucket/a
relative
file:relative
file://host/a
file:///a?b=c
mlflow-artifacts://host/a
mlflow-artifacts:/../a
mlflow-artifacts:/%2e%2e/a
mlflow-artifacts:7
"""


@pytest.mark.parametrize("location", ["", *OTHER_LOCATIONS.split()])
def test_other_locations_are_left_to_the_client(folder, writer, location):
    with pytest.raises(UnknownLocationError):
        local_folder(location, folder)
    move_elsewhere(folder, writer, location)
    here, elsewhere = writer.write([typical(0, folder), typical(1, folder, experiment="elsewhere")])
    assert here == Written(typical(0, folder).id, "2")
    assert isinstance(elsewhere, UnknownLocationError)
    assert [run["run_uuid"] for run in rows(folder / "mlflow.db")["runs"]] == [here.run_id]


def move_elsewhere(folder, writer, location):
    """Give the artifacts of an MLflow experiment that is named `elsewhere` a location."""
    made = writer.experiment("elsewhere", None)
    changed(folder, f"UPDATE experiments SET artifact_location = '{location}' WHERE experiment_id = {made.id}")


class Other(Writer):
    """A writer that keeps what it is given, and fails at the run of a name."""

    def __init__(self, failing):
        self.entries, self.times_closed, self.failing = [], 0, failing

    def write(self, entries):
        self.entries += entries
        return [ConnectionError() if one.name == self.failing else Written(f"other {one.name}", "2") for one in entries]

    def close(self):
        self.times_closed += 1


def test_what_is_elsewhere_is_written_by_the_other_writer(folder, opened):
    other = Other(failing="run 3")
    writer = opened(otherwise=lambda: other)
    move_elsewhere(folder, writer, "s3://bucket/a")
    entries = [typical(n, folder, experiment="elsewhere" if n % 2 else "polyexp") for n in range(4)]
    first, second, third, fourth = writer.write(entries)
    assert (first.run_id, second.run_id, third.run_id) == (entries[0].id, "other run 1", entries[2].id)
    assert isinstance(fourth, ConnectionError)
    assert other.entries == [entries[1], entries[3]]
    assert other.times_closed == 1
    assert {run["run_uuid"] for run in rows(folder / "mlflow.db")["runs"]} == {entries[0].id, entries[2].id}
    writer.write(entries[::2])
    assert other.times_closed == 1  # nothing is opened for nothing


def test_the_runs_that_have_not_ended_are_found(folder, writer, client):
    def tagged(number, **tags):
        return {"polyexp.journal": typical(number, folder).id, "polyexp.output_folder": f"/runs/{number}"} | tags

    without_journal = {"polyexp.output_folder": "/runs/2"}
    entries = [unfinished(n, folder, tags=tagged(n)) for n in (0, 1)]
    entries += [
        unfinished(2, folder, tags=without_journal),
        unfinished(3, folder, tags={"polyexp.journal": typical(3, folder).id}),
    ]
    entries += [typical(n, folder, tags=tagged(n), status=status) for n, status in enumerate(ENDED, 4)]
    entries += [unfinished(7, folder, tags=tagged(7), experiment="another")]
    assert writer.running() == []
    writer.write(entries)
    assert sorted(writer.running()) == ["/runs/0", "/runs/1", "/runs/7"]
    client.delete_run(entries[1].id)
    writer.write([replace(typical(7, folder), run_id=typical(7, folder).id)])
    assert writer.running() == ["/runs/0"]


# The dataset


@pytest.mark.parametrize("length", [0, 1, 2, 1000, 9999, 10_000, 10_001, 30_000])
def test_a_dataset_is_described_as_mlflow_does(length):
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.numpy_dataset import from_numpy

    random = np.random.default_rng(length)
    x, y = random.normal(size=length), random.normal(size=length) * 10.0 ** random.integers(-300, 300, size=length)
    y[: length // 2 : 3], y[1 : length // 2 : 3] = 0.0, -0.0
    source = CodeDatasetSource({"mlflow.source.name": "polyexp", "mlflow.source.type": "LOCAL"})
    theirs = from_numpy(x, targets=y, source=source, name=f"sin_{length}")._to_mlflow_entity()
    assert vars(dataset_of(f"sin_{length}", x, y)) == {name.strip("_"): value for name, value in vars(theirs).items()}


def test_the_digest_depends_on_every_one_of_the_first_values():
    x = np.linspace(0, 1, 50)
    digests = {dataset_of("a", x, np.where(np.arange(50) == at, 7.0, x)).digest for at in range(50)}
    assert len(digests) == 50
