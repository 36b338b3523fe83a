"""MLflow's stores: they are made, opened and found by any process."""

import contextlib
import os
import sqlite3

import mlflow
import pytest
from mlflow import MlflowClient

import polyexp as p
from polyexp.tracking.store import open_store
from tests.helpers.commands import SHORT, run_in_process, run_python
from tests.helpers.servers import serving
from tests.helpers.stores import all_runs, history, only_run

STARTED_TOGETHER = """
import contextlib, os, sys
from polyexp.tracking.store import open_store
import mlflow.store.tracking.sqlalchemy_store
go, start = os.pipe()
children = []
for _ in range(8):
    child = os.fork()
    if not child:
        os.close(start)
        os.read(go, 1)  # until the parent closes the other end
        with contextlib.suppress(BaseException):
            store = open_store(sys.argv[1])
            line = f"{store.experiment('polyexp').experiment_id} {store.artifact_root}{os.linesep}"
            os.write(1, line.encode())  # one call, so that no line of another process gets into it
            os._exit(0)
        os._exit(1)
    children.append(child)
os.close(start)
sys.exit(sum(os.waitpid(child, 0)[1] != 0 for child in children))
"""


@pytest.mark.slow
def test_eight_processes_may_create_a_store_at_once(tmp_path):
    path = tmp_path / "a" / "b" / "mlflow.db"
    done = run_python(STARTED_TOGETHER, f"sqlite:///{path}", cwd=tmp_path, strict=False)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [f"1 {path.parent / 'artifacts'}"] * 8
    client = open_store(f"sqlite:///{path}").client
    assert sorted(found.name for found in client.search_experiments()) == ["Default", "polyexp"]
    for name in ("Default", "polyexp"):  # beside the database, whichever process came first
        assert client.get_experiment_by_name(name).artifact_location.startswith(str(path.parent / "artifacts"))
    assert path.read_bytes()[18:20] == b"\x02\x02"  # SQLite's file format for WAL
    assert [found.name for found in tmp_path.iterdir()] == ["a"]


def test_a_relative_store_is_made_below_the_current_folder(tmp_path, new_store):
    new_store(tmp_path / "elsewhere" / "mine.db")
    ended = run_in_process(*SHORT, "tracking.uri=sqlite:///elsewhere/mine.db", cwd=tmp_path)
    run = only_run(open_store(f"sqlite:///{tmp_path / 'elsewhere' / 'mine.db'}").client)
    assert ended.code == 0
    assert run.info.artifact_uri == f"{tmp_path / 'elsewhere' / 'artifacts' / run.info.run_id / 'artifacts'}"
    assert not (tmp_path / "outputs" / "mlflow.db").exists()
    assert not (tmp_path / "mlruns").exists()


@pytest.mark.parametrize("name", ["is it? #1", "100% a%20b"])
def test_a_folder_may_have_any_name(name, tmp_path):
    """The store, its artifacts and what reads them are below it, and nothing is beside it."""
    folder = tmp_path / name
    folder.mkdir()
    ended = run_in_process(*SHORT, cwd=folder)
    assert (ended.code, ended.err) == (0, "")
    address = f"sqlite:///{str(folder).replace('%', '%25').replace('?', '%3F')}/outputs/mlflow.db"
    assert f"--backend-store-uri '{address}'" in ended.out
    assert len(list((folder / "outputs" / "artifacts").rglob("result.json"))) == 1
    run_id = only_run(open_store(address).client).info.run_id
    exported = run_in_process("action=export", f"action.run={run_id}", cwd=folder)
    assert (exported.code, exported.err) == (0, "")
    assert [one.name for one in tmp_path.iterdir()] == [name]


def test_the_environment_names_the_store_and_the_command_line_wins(tmp_path, new_store, monkeypatch):
    mine, other = (new_store(tmp_path / f"{name}.db") for name in ("mine", "other"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mine)
    run_in_process(*SHORT, cwd=tmp_path)
    run_in_process(*SHORT, f"tracking.uri={other}", "tracking.experiment_name=by hand", cwd=tmp_path)
    assert [len(all_runs(open_store(uri).client)) for uri in (mine, other)] == [1, 0]
    assert len(all_runs(open_store(other).client, "by hand")) == 1
    assert not (tmp_path / "outputs" / "mlflow.db").exists()


@pytest.mark.parametrize(("before", "after"), [(None, "true"), ("false", "false")])
def test_telemetry_is_off_unless_the_user_turns_it_on(tmp_path, new_store, monkeypatch, before, after):
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY")
    if before:
        monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", before)
    open_store(new_store(tmp_path / "mlflow.db"))
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == after


def test_mlflow_itself_sees_that_telemetry_is_off():
    from mlflow.telemetry import get_telemetry_client

    assert mlflow.__version__
    assert get_telemetry_client() is None


def test_a_deleted_experiment_is_not_written_to(cli, store):
    number = store.create_experiment("polyexp")
    store.delete_experiment(number)
    ended = cli(*SHORT)
    assert ended == (
        2,
        "",
        "polyexp: `tracking.experiment_name` must not name a deleted experiment, got 'polyexp': choose another name, "
        f"or restore it with `mlflow experiments restore -x {number}`.\n",
    )


@pytest.mark.slow
def test_a_run_is_recorded_over_http_and_shows_no_password(tmp_path, new_store, monkeypatch):
    with serving(tmp_path, new_store(tmp_path / "server.db")) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address.replace("://", "://somebody:hunter2@"))
        ended = run_in_process(*SHORT, cwd=tmp_path)
        client = MlflowClient(address)
        run = only_run(client)
        artifacts = [one.path for one in client.list_artifacts(run.info.run_id)]
        steps = [step for step, _ in history(client, run, "loss/train")]
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[-2].startswith(f"{address}/#/experiments/1/runs/{run.info.run_id}?")
    assert ended.out.splitlines()[-1].startswith(f"All runs side by side: {address}/#/experiments/1/runs?")
    assert "mlflow server" not in ended.out
    assert steps == [1, 2, 5, 10, 20]
    assert artifacts == ["config.yaml", "history.csv", "result.json"]
    shown = [ended.out, str(run.to_dictionary())]
    shown += [file.read_text() for file in (tmp_path / "served").rglob("*") if file.is_file()]
    assert not [text for text in shown if "hunter2" in text]


def test_a_store_of_plain_mlflow_is_put_into_wal_mode(tmp_path):
    uri = f"sqlite:///{tmp_path / 'plain.db'}"
    MlflowClient(uri).search_experiments()
    with contextlib.closing(sqlite3.connect(tmp_path / "plain.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    open_store(uri)
    with contextlib.closing(sqlite3.connect(tmp_path / "plain.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_file_that_is_no_store_is_left_alone(tmp_path):
    (tmp_path / "notes.db").write_text("shopping: eggs")
    with pytest.raises(p.InputError, match="file is not a database"):
        open_store(f"sqlite:///{tmp_path / 'notes.db'}")
    assert [one.name for one in tmp_path.iterdir()] == ["notes.db"]
