"""The writer through MlflowClient: whatever a server or the network does, nothing is lost and nothing is doubled."""

import json
import os
import sqlite3
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from polyexp import InputError
from polyexp.tracking.client_values import _chunks
from polyexp.tracking.client_writer import RETRIED, ClientWriter, _own_limit
from polyexp.tracking.destination import Destination
from polyexp.tracking.entry import Dataset, Entry, File, LostRunError, Point, Status, Written
from polyexp.tracking.failures import describe, is_passing
from polyexp.tracking.logged_model import written_files
from polyexp.tracking.retry import Retry
from polyexp.tracking.sqlite_writer import SqliteWriter
from polyexp.tracking.store import open_store
from tests.helpers.faulty_proxy import FAULTS, KINDS, Fault, FaultyProxy
from tests.helpers.models import some_model
from tests.helpers.servers import find_free_port, serving, started

HASTY = Retry(attempt=1, total=6, tries=2, pause=0.05)  # for a fault that takes as long as it is waited for
PATIENT = Retry(attempt=60, total=200, tries=2, pause=0.05)
STARTED = 1_700_000_000_000
PARAMS = {f"optimizer.{number}": str(number) for number in range(101)}  # more than a batch of MLflow takes
POINTS = [
    Point(f"loss/{name}", 1 / (step + 1), step, STARTED + step) for step in range(60) for name in ("train", "log")
]
DATASET = Dataset("sin_20", "0123456789abcdef", "code", '{"tags": {}}', '{"x": "float64"}', '{"num_rows": 20}')
OF_MODELS = ("search_models", "create_model", "finalize_model", "log_outputs")
OTHERS = ("get", "delete", "search_experiments", "delete_experiment_tag", *OF_MODELS)
WRITTEN = [kind for kind in KINDS if kind not in OTHERS]


@pytest.fixture(autouse=True)
def restored_variables(monkeypatch):
    """A writer sets these for its process."""
    for name in ("MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_HTTP_REQUEST_MAX_RETRIES"):
        monkeypatch.setenv(name, "100")
    _own_limit.cache_clear()


@pytest.fixture(scope="module")
def server(tmp_path_factory, new_store):
    """A server that takes artifacts itself, over a store that is read beside it."""
    folder = tmp_path_factory.mktemp("server")
    uri = new_store(folder / "mlflow.db")
    with serving(folder, uri, "--artifacts-destination") as address:
        yield address, folder


@pytest.fixture
def proxy(server):
    with FaultyProxy(server[0]) as proxy:
        yield proxy


@pytest.fixture
def entry(tmp_path):
    """A run as a whole, which has ended, in an experiment of its own."""
    for name in ("result.json", "page.html"):
        (tmp_path / name).write_text(name)
    journal = uuid.uuid4().hex
    return Entry(
        journal,
        experiment=f"of {journal}",
        artifact_root=None,
        name="a run",
        started=STARTED,
        params=PARAMS,
        tags={"polyexp.journal": journal, "mlflow.user": "somebody", "polyexp.outcome": "CONVERGED"},
        points=POINTS,
        dataset=DATASET,
        files=[File(tmp_path / "result.json"), File(tmp_path / "page.html", "pages")],
        status=Status.FINISHED,
        ended=STARTED + 5000,
    )


@pytest.fixture
def modelled(entry):
    """The same run with a model."""
    return replace(entry, model=some_model(metrics=POINTS[-1:]))


def written(writer, *entries):
    """Write, and raise what went wrong."""
    results = writer.write(entries)
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results


def rows(path, sql, *values):
    with closing(sqlite3.connect(path)) as database:
        return database.execute(sql, values).fetchall()


def active_runs(path, entry):
    found = "SELECT run_uuid FROM runs JOIN tags USING (run_uuid) WHERE key = 'polyexp.journal' AND value = ?"
    return [run_id for (run_id,) in rows(path, f"{found} AND lifecycle_stage = 'active'", entry.id)]


def require_exactly(path, entry):
    """Require that an entry is in a store once, row by row, and return the id of its run."""
    (run_id,) = active_runs(path, entry)
    about = "SELECT r.name, status, start_time, end_time, user_id, e.name FROM runs r JOIN experiments e "
    about = rows(path, f"{about} USING (experiment_id) WHERE run_uuid = ?", run_id)
    assert about == [(entry.name, str(entry.status), entry.started, entry.ended, "somebody", entry.experiment)]
    assert dict(rows(path, "SELECT key, value FROM params WHERE run_uuid = ?", run_id)) == dict(entry.params)
    tags = dict(rows(path, "SELECT key, value FROM tags WHERE run_uuid = ? AND key <> ?", run_id, RETRIED))
    assert tags == {**entry.tags, "mlflow.runName": entry.name}
    points = rows(path, "SELECT key, value, step, timestamp FROM metrics WHERE run_uuid = ?", run_id)
    assert sorted(points) == sorted(map(tuple, entry.points))
    latest = rows(path, "SELECT key, step FROM latest_metrics WHERE run_uuid = ?", run_id)
    assert dict(latest) == {
        name: max(p.step for p in entry.points if p.name == name) for name in ("loss/train", "loss/log")
    }
    datasets = (
        "SELECT d.name, digest, dataset_source_type, dataset_source, dataset_schema, dataset_profile, t.name, t.value "
    )
    datasets += "FROM datasets d JOIN inputs ON source_id = dataset_uuid JOIN input_tags t USING (input_uuid) "
    inputs = rows(path, f"{datasets} WHERE destination_id = ?", run_id)
    wanted = entry.dataset
    about = (wanted.name, wanted.digest, wanted.source_type, wanted.source, wanted.schema, wanted.profile)
    assert inputs == [(*about, "mlflow.data.context", "training")]
    return run_id


def taken(folder, run_id):
    """The files that the server has taken for a run."""
    (root,) = (folder / "served").glob(f"*/{run_id}")
    return {str(path.relative_to(root / "artifacts")): path.read_text() for path in root.rglob("*") if path.is_file()}


def require_one_model(folder, run_id, number=0):
    """Require that a run has one model, with its rows and its files, in which it is the one of this number."""
    path = folder / "mlflow.db"
    where = "FROM logged_models WHERE source_run_id = ? AND lifecycle_stage = 'active'"
    ((model_id, location, status),) = rows(path, f"SELECT model_id, artifact_location, status {where}", run_id)
    of_model = f"FROM logged_model_{{}} WHERE model_id = '{model_id}'"
    assert status == 2
    assert rows(path, f"SELECT param_key, param_value {of_model.format('params')}") == [("model", "legendre_series")]
    metrics = rows(path, f"SELECT metric_name, metric_value, run_id {of_model.format('metrics')}")
    assert metrics == [(POINTS[-1].name, POINTS[-1].value, run_id)]
    outputs = "SELECT destination_id FROM inputs WHERE source_type = 'RUN_OUTPUT' AND source_id = ?"
    assert model_id in [one for (one,) in rows(path, outputs, run_id)]
    (root,) = (folder / "served").glob(f"*/models/{model_id}/artifacts")
    with written_files(some_model(number), model_id, run_id, location) as files:
        assert {one.name: one.read_bytes() for one in root.iterdir()} == {
            one.path.name: one.path.read_bytes() for one in files
        }
    return model_id


FILES = {"result.json": "result.json", "pages/page.html": "page.html"}


def write_all(writer, entry):
    """All that a run needs: its experiment with a tag, and itself."""
    written(writer, entry)
    experiment = writer.experiment(entry.experiment, None)
    writer.set_experiment_tag(experiment.id, "a view", "of all runs")


@pytest.mark.slow
@pytest.mark.parametrize("calls", [1, 99])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", OF_MODELS)
def test_whatever_fails_there_is_one_model(server, proxy, modelled, kind, fault, calls):
    proxy.fail(kind, FAULTS[fault], calls=calls)
    write_twice(server, proxy, modelled, kind, retry_for(fault))
    (run_id,) = active_runs(server[1] / "mlflow.db", modelled)
    require_one_model(server[1], run_id)
    again = replace(modelled, run_id=run_id, model=some_model(1, metrics=POINTS[-1:]))
    model_id = require_one_model(server[1], run_id)
    written(ClientWriter(proxy.address, PATIENT), again)
    assert require_one_model(server[1], run_id, 1) == model_id


HANGING = ("hang", "lost", "late")


def retry_for(fault):
    return HASTY if fault in HANGING else PATIENT


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", WRITTEN)
def test_a_fault_of_one_call_changes_nothing(server, proxy, entry, kind, fault):
    proxy.fail(kind, FAULTS[fault])
    failure = write_twice(server, proxy, entry, kind, retry_for(fault))
    if fault == "401":
        assert describe(failure, proxy.address) == f"the server at {proxy.address} refuses the login (401)"
    elif fault not in HANGING:  # where the machine is busy, other calls take longer than a hasty writer waits, too
        assert failure is None


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["hang", "lost", "late", "503_after"])
@pytest.mark.parametrize("kind", WRITTEN)
def test_after_a_fault_that_lasts_all_is_written_once(server, proxy, entry, kind, fault):
    proxy.fail(kind, FAULTS[fault], calls=99)
    failure = write_twice(server, proxy, entry, kind, retry_for(fault))
    is_found = FAULTS[fault].done and not FAULTS[fault].held and kind.startswith("create")  # before it is created again
    assert failure is not None or is_found
    if failure is not None:
        said = "answers 503" if fault == "503_after" else "does not answer"
        assert describe(failure, proxy.address) == f"the server at {proxy.address} {said}"


def write_twice(server, proxy, entry, kind, retry):
    """Write, then let the faults end, and write again from another process: all is there once.

    Returns what was raised the first time.
    """
    failure = None
    try:
        write_all(ClientWriter(proxy.address, retry), entry)
    except Exception as error:
        failure = error
    assert any(call.kind == kind and call.fault for call in proxy.calls)  # it was done
    proxy.heal()
    proxy.settle()
    write_all(ClientWriter(proxy.address, PATIENT), entry)
    path = server[1] / "mlflow.db"
    assert taken(server[1], require_exactly(path, entry)) == FILES
    tags = "SELECT t.key, t.value FROM experiment_tags t JOIN experiments e USING (experiment_id) WHERE e.name = ?"
    assert ("a view", "of all runs") in rows(path, tags, entry.experiment)
    return failure


@pytest.mark.slow
@pytest.mark.parametrize("fault", [*HANGING, "reset_after", "503", "401"])
@pytest.mark.parametrize("kind", ["get", "search", "log_batch", "update"])
def test_after_a_fault_what_is_new_is_written_once(server, proxy, entry, kind, fault):
    """The header is there already; some points come twice."""
    first = replace(entry, points=POINTS[:70], files=(), status=Status.RUNNING, ended=None)
    ((run_id, _),) = written(ClientWriter(proxy.address, PATIENT), first)
    rest = replace(entry, run_id=run_id, points=POINTS[50:], params={}, tags={})
    proxy.fail(kind, FAULTS[fault])
    ClientWriter(proxy.address, retry_for(fault)).write([rest])
    assert any(call.kind == kind and call.fault for call in proxy.calls)
    proxy.heal()
    proxy.settle()
    assert written(ClientWriter(proxy.address, PATIENT), rest)[0].run_id == run_id
    require_exactly(server[1] / "mlflow.db", entry)
    assert taken(server[1], run_id) == FILES


@pytest.mark.slow
def test_a_run_that_comes_late_gives_way_to_the_one_that_was_written(server, proxy, entry):
    proxy.fail("create", FAULTS["late"])
    writer = ClientWriter(proxy.address, replace(PATIENT, attempt=10))
    ((run_id, _),) = written(writer, entry)
    proxy.settle()
    assert len(active_runs(server[1] / "mlflow.db", entry)) == 2
    writer.close()
    assert require_exactly(server[1] / "mlflow.db", entry) == run_id


@pytest.mark.slow
def test_a_lost_answer_costs_no_second_creation(server, proxy, entry):
    for fault in ("reset_after", "503_after"):
        proxy.fail("create", FAULTS[fault])
        one = replace(entry, id=uuid.uuid4().hex)
        written(ClientWriter(proxy.address, PATIENT), replace(one, tags={**entry.tags, "polyexp.journal": one.id}))
    assert proxy.seen("create") == 2


@pytest.mark.slow
def test_several_deliverers_at_once_agree_on_one_run(server, entry):
    """All have searched before any of them creates."""
    writers = [ClientWriter(server[0], PATIENT) for _ in range(4)]
    together = threading.Barrier(len(writers))
    for writer in writers:
        create = writer._create
        writer._create = lambda *args, create=create: (together.wait(100), create(*args))[1]
    with ThreadPoolExecutor(len(writers)) as pool:
        list(pool.map(lambda writer: writer.write([entry]), writers))
    path = server[1] / "mlflow.db"
    assert len(rows(path, "SELECT * FROM tags WHERE key = 'polyexp.journal' AND value = ?", entry.id)) == len(writers)
    for writer in writers:
        written(writer, entry)
    assert taken(server[1], require_exactly(path, entry)) == FILES


@pytest.mark.slow
def test_a_server_that_is_killed_and_started_again(tmp_path, new_store, entry):
    uri, port = new_store(tmp_path / "mlflow.db"), find_free_port()
    words = ("--artifacts-destination", tmp_path / "served")
    first = replace(entry, points=POINTS[:50], files=(), status=Status.RUNNING, ended=None)
    with started(tmp_path, uri, port, *words) as server:
        writer = ClientWriter(server.address, PATIENT)
        identity = writer.identity
        ((run_id, _),) = written(writer, first)
        server.kill()
        many = [replace(entry, id=f"{number:032x}", run_id=None) for number in range(50)]
        failed = writer.write([replace(entry, run_id=run_id), *many])
        assert {describe(one, server.address) for one in failed} == {f"the server at {server.address} does not answer"}
        assert len(set(map(id, failed))) <= 8  # the rest was not tried
    with started(tmp_path, uri, port, *words):
        assert writer.identity == identity
        assert written(writer, replace(entry, run_id=run_id))[0].run_id == run_id
        require_exactly(tmp_path / "mlflow.db", entry)


@pytest.mark.slow
def test_a_store_that_was_made_anew_gets_the_whole_run(tmp_path, new_store, entry):
    """At the same address."""
    port, entry = find_free_port(), replace(entry, files=())
    lost = entry
    for path in (tmp_path / "first.db", tmp_path / "second.db"):
        with started(tmp_path, new_store(path), port, "--artifacts-destination", tmp_path / "served") as server:
            writer = ClientWriter(server.address, PATIENT)
            result = writer.write([lost])[0]
            assert isinstance(result, LostRunError) == (path.stem == "second")
            lost = replace(entry, run_id=written(writer, entry)[0].run_id)
            require_exactly(path, entry)


@pytest.mark.slow
def test_a_server_that_hangs_takes_no_more_time_than_is_allowed(proxy, entry):
    proxy.fail("get_experiment", FAULTS["hang"])
    (failure,) = ClientWriter(proxy.address, Retry(attempt=60, total=1.0)).write([entry])
    assert isinstance(failure, TimeoutError)  # it is not the error of MLflow, which would have waited for 60 seconds
    assert describe(failure, proxy.address) == f"the server at {proxy.address} does not answer"


# Without a server


@pytest.fixture
def database(tmp_path, new_store):
    """The path of a SQLite store."""
    new_store(tmp_path / "mlflow.db")
    return tmp_path / "mlflow.db"


@pytest.fixture
def writer(database):
    return ClientWriter(f"sqlite:///{database}", PATIENT)


def test_a_sqlite_store_gets_the_same_rows(tmp_path, database, writer, entry):
    entry = replace(entry, artifact_root=str(tmp_path / "served" / "1"))
    for _ in range(2):
        ((run_id, experiment_id),) = written(writer, entry)
    assert require_exactly(database, entry) == run_id
    assert taken(tmp_path, run_id) == FILES
    run = open_store(f"sqlite:///{database}").client.get_run(run_id)
    assert (run.info.experiment_id, run.inputs.dataset_inputs[0].dataset.name) == (experiment_id, "sin_20")


def test_a_model_is_written_once_renewed_and_deleted(tmp_path, database, writer, modelled):
    modelled = replace(modelled, artifact_root=str(tmp_path / "served" / "1"))
    for _ in range(2):
        ((run_id, _),) = written(writer, modelled)
        model_id = require_one_model(tmp_path, run_id)
    assert require_exactly(database, modelled) == run_id
    other = some_model(1, metrics=POINTS[-1:])
    written(writer, replace(modelled, model=other))
    assert require_one_model(tmp_path, run_id, 1) == model_id
    written(writer, replace(modelled, model=replace(other, export=None)))
    assert rows(database, "SELECT model_id, lifecycle_stage FROM logged_models") == [(model_id, "deleted")]
    written(writer, modelled)  # it stays deleted, as one that a person has deleted does
    assert rows(database, "SELECT model_id, lifecycle_stage FROM logged_models") == [(model_id, "deleted")]


def test_a_run_that_was_resumed_has_a_new_model_in_the_place_of_the_earlier_one(tmp_path, database, writer, modelled):
    """With the metrics of its end alone."""
    modelled = replace(modelled, artifact_root=str(tmp_path / "served" / "1"))
    last = POINTS[-1]
    early = last._replace(value=7.0, time=last.time - 9)
    ((run_id, _),) = written(writer, replace(modelled, model=some_model(1, metrics=[early])))
    for _ in range(2):
        written(writer, modelled)
        require_one_model(tmp_path, run_id)
    stages = "SELECT lifecycle_stage FROM logged_models ORDER BY lifecycle_stage"
    assert rows(database, stages) == [("active",), ("deleted",)]


def test_of_two_models_one_is_kept(tmp_path, database, writer, modelled):
    modelled = replace(modelled, artifact_root=str(tmp_path / "served" / "1"))
    ((run_id, experiment_id),) = written(writer, replace(modelled, model=None))
    client = open_store(f"sqlite:///{database}").client
    tags = {"polyexp.journal": modelled.id}
    theirs = client.create_logged_model(experiment_id, "model", run_id)  # a person's own
    for _ in range(2):
        client.create_logged_model(experiment_id, "model", run_id, tags, {"model": "legendre_series"})
    written(writer, modelled)
    client.delete_logged_model(theirs.model_id)
    require_one_model(tmp_path, run_id)


def test_a_server_without_models_gets_the_run(tmp_path, database, writer, modelled, monkeypatch):
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import ENDPOINT_NOT_FOUND

    def refuse(*_):
        raise MlflowException("no such endpoint", error_code=ENDPOINT_NOT_FOUND)

    monkeypatch.setattr(writer._client, "search_logged_models", refuse)
    written(writer, replace(modelled, artifact_root=str(tmp_path / "served" / "1")))
    require_exactly(database, modelled)
    assert rows(database, "SELECT * FROM logged_models") == []


def test_what_is_new_is_added(tmp_path, database, writer, entry):
    entry = replace(entry, artifact_root=str(tmp_path / "served" / "1"))
    first = replace(entry, points=POINTS[:70], params={}, files=(), status=Status.RUNNING, ended=None)
    ((run_id, _),) = written(writer, first)
    assert rows(database, "SELECT status, end_time FROM runs") == [("RUNNING", None)]
    written(writer, replace(entry, run_id=run_id, points=POINTS[70:], dataset=None))
    require_exactly(database, entry)
    assert taken(tmp_path, run_id) == FILES


def test_each_of_several_entries_is_written_or_says_why_not(tmp_path, database, writer, entry):
    entry = replace(entry, files=())
    many = [replace(entry, id=f"{n:032x}", tags={**entry.tags, "polyexp.journal": f"{n:032x}"}) for n in range(9)]
    absent = Path("/absent.png")  # a short path, which a sentence quotes as a whole
    many[2] = replace(many[2], files=[File(absent)])
    many[5] = replace(many[5], run_id="0" * 32)
    results = writer.write(many)
    assert [number for number, one in enumerate(results) if not isinstance(one, Written)] == [2, 5]
    assert isinstance(results[5], LostRunError)
    expected = "/absent.png cannot be read (No such file or directory)"
    assert describe(results[2], f"sqlite:///{database}") == expected
    for number in (0, 1, 3, 4, 6, 7, 8):
        assert require_exactly(database, many[number]) == results[number].run_id


@pytest.mark.parametrize("has_run_id", [False, True])
def test_a_run_that_was_deleted_is_not_written_again(database, writer, entry, has_run_id):
    ((run_id, _),) = written(writer, replace(entry, files=()))
    client = open_store(f"sqlite:///{database}").client
    client.delete_run(run_id)
    again = replace(entry, files=(), run_id=run_id if has_run_id else None)
    with pytest.raises(InputError, match=f"'a run' was deleted .* `mlflow runs restore --run-id {run_id}`"):
        written(writer, again)
    assert active_runs(database, entry) == []
    client.restore_run(run_id)
    assert written(writer, again)[0].run_id == run_id
    require_exactly(database, entry)


def test_of_two_runs_one_is_kept_and_written_as_a_whole(database, writer, entry):
    entry = replace(entry, files=())
    ((first, experiment_id),) = written(writer, replace(entry, points=POINTS[:10]))
    client = open_store(f"sqlite:///{database}").client
    second = client.create_run(
        experiment_id, STARTED, {"polyexp.journal": entry.id, "mlflow.user": "somebody"}, "a run"
    )
    kept, other = sorted([first, second.info.run_id])
    (lost,) = writer.write([replace(entry, run_id=other)])
    assert isinstance(lost, LostRunError)
    assert active_runs(database, entry) == [kept]
    assert written(writer, entry)[0].run_id == kept
    require_exactly(database, entry)


def test_the_run_of_the_latest_attempt_is_kept(database, writer, entry):
    """Although its id is not the smallest one."""
    entry = replace(entry, files=())
    ((_, experiment_id),) = written(writer, entry)
    client = open_store(f"sqlite:///{database}").client
    tags = {"polyexp.journal": entry.id, "mlflow.user": "somebody"}
    others = sorted(client.create_run(experiment_id, STARTED, tags, "a run").info.run_id for _ in range(3))
    for run_id, at in zip(others, ("7", "of no time", "12"), strict=True):
        client.set_tag(run_id, RETRIED, at)
    assert written(writer, entry)[0].run_id == others[-1]
    require_exactly(database, entry)


def test_a_deleted_experiment_is_refused(database, writer, entry):
    experiment = writer.experiment(entry.experiment, None)
    open_store(f"sqlite:///{database}").client.delete_experiment(experiment.id)
    with pytest.raises(InputError, match="must not name a deleted experiment"):
        written(writer, entry)


def test_a_tag_of_an_experiment_is_set_and_deleted(writer):
    experiment = writer.experiment("polyexp", None)
    writer.set_experiment_tag(experiment.id, "a view", "of all runs")
    assert writer.experiment("polyexp", None).tags["a view"] == "of all runs"
    for _ in range(2):
        writer.set_experiment_tag(experiment.id, "a view", None)
    assert "a view" not in writer.experiment("polyexp", None).tags


def test_the_identity_names_the_store_and_its_making(tmp_path, database, writer):
    assert writer.identity.startswith(f"sqlite:///{database} ")
    created = rows(database, "SELECT min(creation_time) FROM experiments")[0][0]
    assert writer.identity.endswith(f"-{created}")
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE experiments SET creation_time = creation_time + 1")
        connection.commit()
    assert writer.identity.endswith(f"-{created + 1}")
    assert (
        writer.identity
        == SqliteWriter.open(database, tmp_path).identity
        == Destination.of(f"sqlite:///{database}").identity()
    )


def test_requests_are_limited_and_not_repeated_by_mlflow(monkeypatch):
    for own, kept in (("", "5"), ("100", "5"), ("3", "3"), ("soon", "5")):
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", own)
        _own_limit.cache_clear()
        ClientWriter("http://127.0.0.1:1")
        limits = [os.environ[f"MLFLOW_HTTP_REQUEST_{name}"] for name in ("TIMEOUT", "MAX_RETRIES")]
        assert limits == [kept, "0"]


def test_a_server_that_is_not_there_is_named_without_credentials(entry):
    uri = f"http://somebody:hunter2@127.0.0.1:{find_free_port()}/mlflow"
    failures = ClientWriter(uri, PATIENT).write([replace(entry, id=f"{number:032x}") for number in range(50)])
    assert {describe(failure, uri) for failure in failures} == {
        f"the server at {uri.replace('somebody:hunter2@', '')} does not answer"
    }
    assert len(set(map(id, failures))) <= 8  # four at a time: the rest was not tried


def test_a_large_file_has_more_time(tmp_path, database, entry):
    writer = ClientWriter(f"sqlite:///{database}", replace(PATIENT, total=0.05))
    enough = threading.Event()
    writer._client = SimpleNamespace(log_artifact=lambda *args: enough.wait(0.5))
    for name, size in (("small", 0), ("large", 100_000_000)):
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
    uploads = [
        replace(entry, points=(), params={}, tags={}, dataset=None, ended=None, files=[File(tmp_path / name)])
        for name in ("small", "large")
    ]
    with pytest.raises(TimeoutError):
        writer._log("a run", uploads[0])
    writer._log("a run", uploads[1])
    enough.set()


def test_batches_are_within_the_limits_of_mlflow():
    items = [{"value": "é" * length} for length in [1] * 250 + [6000] * 20]
    chunks = list(_chunks(items, 100))
    assert [item for chunk in chunks for item in chunk] == items
    assert max(map(len, chunks)) == 100
    assert max(sum(len(json.dumps(item)) for item in chunk) for chunk in chunks) <= 300_000
    assert list(_chunks([], 100)) == []
    assert list(_chunks([{"value": "a" * 400_000}] * 2, 100)) == [[{"value": "a" * 400_000}]] * 2


@pytest.mark.parametrize(
    ("answer", "told", "passes"),
    [
        (401, "refuses the login (401)", False),
        (403, "refuses the access (403)", False),
        (404, "does not have what was asked for (404)", False),
        (413, "refuses a file or a batch as too large (413)", False),
        (418, "answers 418", False),
        (429, "is busy (429)", True),
        (500, "answers 500", True),
        (502, "answers 502", True),
        ("hang", "does not answer", True),
        ("reset", "does not answer", True),
    ],
)
@pytest.mark.parametrize("kind", ["search_experiments", "upload"])
def test_what_is_told_of_an_answer(tmp_path, kind, answer, told, passes):
    """Without a server behind the proxy, as nothing is passed on."""
    with FaultyProxy("http://127.0.0.1:1") as proxy:
        proxy.fail(kind, Fault(done=False, answer=answer))
        writer = ClientWriter(proxy.address, replace(PATIENT, attempt=1, tries=1))
        call = {"search_experiments": lambda: writer.identity, "upload": lambda: upload(proxy.address, tmp_path)}[kind]
        with pytest.raises(Exception, match=r".") as raised:
            call()
        assert describe(raised.value, proxy.address) == f"the server at {proxy.address} {told}"
        assert is_passing(raised.value) == passes


def upload(address, folder):
    """Upload a file, without asking for its run."""
    from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository

    (folder / "page.html").write_text("a page")
    HttpArtifactRepository(f"{address}/api/2.0/mlflow-artifacts/artifacts/1").log_artifact(str(folder / "page.html"))


def test_what_is_told_of_an_error_of_mlflow():
    from mlflow.exceptions import MlflowException, RestException
    from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE

    uri = "https://somebody:hunter2@host/mlflow"
    about = {
        RestException({"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "slowly"}): "is busy (429)",
        RestException({"detail": "hunter2 is wrong"}): "fails (INTERNAL_ERROR: Response: {'detail': '*** is wrong'})",
        MlflowException("the path of\na file"): "fails (the path of)",
        ValueError(): "fails (ValueError)",
    }
    for error, told in about.items():
        assert describe(error, uri) == f"the server at https://host/mlflow {told}"
    locked = MlflowException("database is locked", error_code=TEMPORARILY_UNAVAILABLE)
    assert is_passing(locked)
    refused = MlflowException("(psycopg.OperationalError) refused\n(Background)", error_code=TEMPORARILY_UNAVAILABLE)
    assert describe(refused, "postgresql://a:hunter2@b/c") == "the store at postgresql://a:***@b/c fails (refused)"
    assert describe(locked, "sqlite:////a.db") == "the store at sqlite:////a.db fails (database is locked)"
    assert describe(InputError("No."), uri) == "No"


# Calls that are repeated


def failing(*errors):
    """A function that raises these one after another, and then returns the number of its calls."""
    waiting = list(errors)

    def call():
        if waiting:
            raise waiting.pop(0)
        return len(errors) + 1

    return call


def test_a_call_is_repeated_where_that_may_help():
    assert PATIENT.call(failing()) == 1
    assert PATIENT.call(failing(ConnectionResetError())) == 2
    with pytest.raises(BrokenPipeError):  # the last of two attempts
        PATIENT.call(failing(ConnectionResetError(), BrokenPipeError()))
    with pytest.raises(ValueError, match="no"):
        PATIENT.call(failing(ValueError("no")))
    with pytest.raises(ConnectionResetError):
        PATIENT.once(failing(ConnectionResetError()))


def test_no_attempt_begins_that_could_not_end_in_time():
    with pytest.raises(ConnectionResetError):
        Retry(attempt=5, total=4).call(failing(ConnectionResetError()))


def test_a_call_that_does_not_return_is_given_up():
    ended = threading.Event()
    with pytest.raises(TimeoutError):
        Retry(attempt=1, total=0.05).call(ended.wait, 60)
    ended.set()


def test_pauses_are_random_and_grow():
    pauses = [[Retry(pause=1).pause_after(number) for _ in range(20)] for number in (1, 2, 3)]
    assert all(0.5 * 2**n <= pause <= 2**n for n, group in enumerate(pauses) for pause in group)
    assert all(len(set(group)) > 1 for group in pauses)


def test_a_refusal_is_not_repeated():
    assert is_passing(TimeoutError())
    assert not any(map(is_passing, [FileNotFoundError("a"), ValueError(), InputError("no."), LostRunError()]))
