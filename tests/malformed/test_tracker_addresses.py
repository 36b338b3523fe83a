"""Addresses of stores that hold a password, name no store, or name something that is none: refused, with nothing changed.

No server is asked but those of the tests, on 127.0.0.1.
"""

import contextlib
import os
import socket
import sqlite3
import stat
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import unquote

import pytest

import polyexp as p
from polyexp.tracking.sqlite import latest_revision
from polyexp.tracking.store import open_store
from tests.helpers import servers
from tests.helpers.refusals import require_refused

SECRET = "hunter2"
SERVER, DATABASE, OTHER = "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_TOKEN"
WITH_PASSWORD = {
    "http://me:hunter2@127.0.0.1:9": SERVER,
    "https://me:hunter2@127.0.0.1:9/mlflow": SERVER,
    "HTTP://me:hunter2@127.0.0.1:9": SERVER,
    "http://hunter2@127.0.0.1:9": SERVER,  # a token without a colon
    "http://:hunter2@127.0.0.1:9": SERVER,
    "http://hunter2:@127.0.0.1:9": SERVER,
    "http://me:hun/hunter2@127.0.0.1:9": SERVER,
    "http://me:hun@hunter2@127.0.0.1:9": SERVER,
    "http://me:hun hunter2@127.0.0.1:9": SERVER,
    "http://me:hun#hunter2@127.0.0.1:9": SERVER,
    "http://me:hun?hunter2@127.0.0.1:9": SERVER,
    "http://me:hun,hunter2@127.0.0.1:9": SERVER,
    "http://me:hun://hunter2@127.0.0.1:9": SERVER,
    "http://me:hunter2": SERVER,  # the @ and what follows were forgotten
    "http://me%3Ahunter2%40127.0.0.1:9": SERVER,
    "http://me%253Ahunter2%2540127.0.0.1:9": SERVER,
    "http://127.0.0.1:9/?token=hunter2": SERVER,
    "http:me:hunter2@127.0.0.1:9": SERVER,
    "me:hunter2@127.0.0.1:9": OTHER,
    "hunter2@127.0.0.1": OTHER,
    "databricks://hunter2@host": OTHER,
    "nowhere://me:hunter2@host": OTHER,
    "postgres://me:hunter2@127.0.0.1:9/mlflow": OTHER,
    "sqlite://me:hunter2@host/mlflow.db": OTHER,
    "sqlite+pysqlcipher://:hunter2@/mlflow.db": OTHER,
    "sqlite:///mlflow.db?password=hunter2": OTHER,
    "host=127.0.0.1 password=hunter2": OTHER,
    "postgresql://me:hunter2@127.0.0.1:9/mlflow": "PGPASSWORD",
    "postgresql+psycopg2://me:hunter2@127.0.0.1:9/mlflow": "pgpass",
    "postgresql://me:hun/hunter2@127.0.0.1:9/mlflow": "PGPASSWORD",
    "postgresql://me:hun@hunter2@127.0.0.1:9/mlflow": "PGPASSWORD",
    "postgresql://me:hun hunter2@127.0.0.1:9/mlflow": "PGPASSWORD",
    "postgresql://:hunter2@127.0.0.1:9/mlflow": "PGPASSWORD",
    "postgresql://me%3Ahunter2@127.0.0.1:9/mlflow": "PGPASSWORD",
    "postgresql://me:hunter2/mlflow": "PGPASSWORD",
    "postgresql://me@127.0.0.1:hunter2/mlflow": "PGPASSWORD",
    "postgresql://127.0.0.1:9/mlflow?user=me&password=hunter2": "PGPASSWORD",
    "postgresql://127.0.0.1:9/mlflow?p%61ssword=hunter2": "PGPASSWORD",
    "postgresql://127.0.0.1:9/mlflow?sslpassword=hunter2": "PGPASSWORD",
    "mysql+pymysql://me:hunter2@127.0.0.1:9/mlflow": DATABASE,
    "mysql://127.0.0.1:9/mlflow?passwd=hunter2": DATABASE,
    "mssql+pyodbc:///?odbc_connect=DRIVER%3Dx%3BPWD%3Dhunter2": DATABASE,
}
WITHOUT_STORE = {
    "": "type sqlite:///./mlflow.db",
    "mlflow.db": "type sqlite:///mlflow.db",
    "./mlruns": "type sqlite:///./mlruns/mlflow.db",
    "/nowhere/mlruns": "type sqlite:////nowhere/mlruns/mlflow.db",
    "file:mlruns": "type sqlite:///mlruns/mlflow.db",
    "file:///nowhere/mlruns": "type sqlite:////nowhere/mlruns/mlflow.db",
    "databricks": "no store of this kind",
    "databricks://profile": "no store of this kind",
    "uc:x": "no store of this kind",
    "s3://bucket": "no store of this kind",
    "nowhere://x": "no store of this kind",
    "sqlite3:///mlflow.db": "sqlite:// may be meant",
    "postgres://127.0.0.1:9/mlflow": "postgresql:// may be meant",
    "sqlite:": "three slashes",
    "sqlite:mlflow.db": "three slashes",
    "sqlite:/mlflow.db": "three slashes",
    "sqlite://": "sqlite:///mlflow.db",
    "sqlite://mlflow.db": "sqlite:///mlflow.db",
    "sqlite:///": "needs a file",
    "sqlite:///:memory:": "needs a file",
    "sqlite+pysqlite:///:memory:": "needs a file",
    "sqlite+aiosqlite:///mlflow.db": "without another driver",
    "sqlite:///file:mlflow.db?mode=memory&uri=true": "%3F",
    "sqlite:///mlflow.db?timeout=3": "%3F",
    "sqlite:///~/mlflow.db": "~ is not replaced",
    "sqlite:///a%00b.db": "NUL",
    "sqlite:///new/": "add the name of a file",
    "http://": "needs a host",
    "http:///mlflow": "needs a host",
    "http://127.0.0.1:9/a b": "no blanks",
    "http://127.0.0.1:9?a=1": "no blanks, ? or #",
    "http://127.0.0.1:9/#/experiments": "no blanks, ? or #",
    f"sqlite:///{'a' * 300}.db": "too long",
    f"nowhere://{'a' * 100_000}": "at most 2000 characters",
    "nowhere\x1b[31m://x": "no store of this kind",
}
# An address in another setting, which that of the store names.
BY_NAME = ("tracking.experiment_name=http://me:hunter2@127.0.0.1:9", "tracking.uri=${tracking.experiment_name}")
PLACES = {
    ".": "it is a folder",
    "..": "it is a folder",
    "./": "add the name of a file",
    "/": "folder",
    "folder": "it is a folder",
    "folder/../folder": "it is a folder",
    "empty.db": "it is an empty file",
    "notes.txt": "file is not a database",
    "notes.txt/mlflow.db": "Not a directory",
    "device": "it is a device",
    "pipe": "it is a named pipe",
    "socket": "it is a socket",
    "to_folder": "it is a folder",
    "to_empty.db": "it is an empty file",
    "to_device": "it is a device",
    "to_pipe": "it is a named pipe",
    "to_itself": "loop",
    "albums.db": "another program",
    "albums_in_wal_mode.db": "another program",
    "albums_of_alembic.db": "another program",
    "no_tables.db": "another program",
    "to_albums.db": "another program",
    "cut.db": "another program",
    "older.db": "mlflow db upgrade",
    "newer.db": "Update MLflow",
    "two_revisions.db": "another program",
    "with_a_foreign_lock.db": "is not the lock of a store",
}


def typed(uri: str) -> str:
    """The setting with an address, in the quotes that Hydra needs."""
    return f"""tracking.uri="{uri}\""""


def write(path, statements):
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.executescript(statements)


@pytest.fixture
def places(tmp_path, new_store):
    """A folder with everything that PLACES names."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.db").touch()
    (tmp_path / "notes.txt").write_text("shopping: eggs", encoding="utf-8")
    os.mkfifo(tmp_path / "pipe")
    os.mknod(tmp_path / "socket", stat.S_IFSOCK | 0o600)
    with contextlib.suppress(PermissionError):  # only root makes one; 60 is no device's number
        os.mknod(tmp_path / "device", stat.S_IFBLK | 0o600, os.makedev(60, 0))
    for target in ("folder", "empty.db", "device", "pipe", "albums.db"):
        (tmp_path / f"to_{target}").symlink_to(target)
    (tmp_path / "to_itself").symlink_to("to_itself")
    for name in ("albums", "albums_in_wal_mode", "albums_of_alembic"):
        write(tmp_path / f"{name}.db", "CREATE TABLE albums (title TEXT); INSERT INTO albums VALUES ('Kind of Blue')")
    write(tmp_path / "albums_in_wal_mode.db", "PRAGMA journal_mode=WAL")
    version = (
        f"CREATE TABLE alembic_version (version_num TEXT); INSERT INTO alembic_version VALUES ('{latest_revision()}')"
    )
    write(tmp_path / "albums_of_alembic.db", version)
    write(tmp_path / "no_tables.db", "PRAGMA user_version=1")
    (tmp_path / "cut.db").write_bytes((tmp_path / "albums.db").read_bytes()[:5000])
    for name, change in {
        "older": "UPDATE alembic_version SET version_num = '451aebb31d03'; DROP TABLE datasets",
        "newer": "UPDATE alembic_version SET version_num = 'ffffffffffff'",
        "two_revisions": "INSERT INTO alembic_version VALUES ('451aebb31d03')",
    }.items():
        new_store(tmp_path / f"{name}.db")
        write(tmp_path / f"{name}.db", change)
    new_store(tmp_path / "with_a_foreign_lock.db")
    (tmp_path / "with_a_foreign_lock.db.lock").write_text("a lock of another program", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(("uri", "fragment"), WITH_PASSWORD.items())
def test_a_password_is_refused_and_shown_nowhere(tmp_path, uri, fragment):
    sentence = require_refused(tmp_path, typed(uri))
    assert sentence.startswith("`tracking.uri` must not hold a ")
    assert fragment in sentence
    assert SECRET not in sentence


@pytest.mark.parametrize(
    "words",
    [
        ["tracking.uri=http://me:hunter2@127.0.0.1:9"],
        ["-m", "tracking.uri=http://me:hunter2@127.0.0.1:9", "seed=0,1"],
        ["-m", "tracking.uri=sqlite:///a.db,http://hunter2@127.0.0.1:9"],
        ["-m", "tracking.uri='sqlite:///a.db',\"http://me:hunter2@127.0.0.1:9\""],
        ["-m", "tracking.uri=choice(postgresql://me:hunter2@127.0.0.1/x,sqlite:///a.db)"],
        ["-m", "hydra.sweeper.params={tracking.uri: 'http://me:hunter2@127.0.0.1:9'}"],
        ["tracking.uri=http://me:hunter2@127.0.0.1:9", "--cfg", "job"],
        ["tracking.uri=http://me:hunter2@127.0.0.1:9", "--cfg", "all"],
        ["tracking.uri=http://me:hunter2@127.0.0.1:9", "--info", "all"],
        ["++tracking.uri=http://me:hunter2@127.0.0.1:9"],
        ["+tracking={uri: 'http://me:hunter2@127.0.0.1:9'}"],
        ["tracking=none", "tracking.uri=http://me:hunter2@127.0.0.1:9"],
        ["--tracking.uri=http://me:hunter2@127.0.0.1:9"],
        ["tracking.uri:http://me:hunter2@127.0.0.1:9"],
        ["http://me:hunter2@127.0.0.1:9"],
        ["tracking.uri=http://me:hun(hunter2@127.0.0.1:9"],
        ["tracking.url=http://me:hun(hunter2@127.0.0.1:9"],
        ["action=compare", "tracking.uri=http://me:hunter2@127.0.0.1:9"],
        ["quiet=true", "tracking.uri=http://me:hunter2@127.0.0.1:9"],
        [*BY_NAME, "--cfg", "job"],
        [*BY_NAME, "--cfg", "job", "--resolve"],
        [*BY_NAME, "-m", "seed=1,2"],
    ],
    ids=" ".join,
)
def test_a_password_is_refused_however_it_is_typed(tmp_path, words):
    assert SECRET not in require_refused(tmp_path, *words)


@pytest.mark.parametrize("more", [[], ["--cfg", "job"], ["--cfg", "all"], ["-m", "seed=0,1"]], ids=" ".join)
@pytest.mark.parametrize("group", ["experiment", "tracking"])
def test_a_password_in_a_config_file_is_refused(tmp_path, group, more):
    text = {
        "experiment": "# @package _global_\ntracking:\n  uri: http://me:hunter2@127.0.0.1:9\n",
        "tracking": "defaults: [/schema/tracking/mlflow]\nuri: http://me:hunter2@127.0.0.1:9\n",
    }[group]
    file = tmp_path / "mine" / group / "secret.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8")
    sentence = require_refused(tmp_path, "--config-dir=mine", f"{group}=secret", *more)
    assert SECRET not in sentence
    assert SERVER in sentence


@pytest.mark.parametrize(("uri", "fragment"), WITHOUT_STORE.items(), ids=lambda text: text[:40])
def test_what_is_no_address_of_a_store_is_refused(tmp_path, uri, fragment):
    assert fragment in require_refused(tmp_path, typed(uri))


@pytest.mark.parametrize(("name", "fragment"), PLACES.items())
@pytest.mark.parametrize("scheme", ["sqlite", "sqlite+pysqlite"])
def test_what_is_no_store_is_left_as_it_is(places, scheme, name, fragment):
    if "device" in name and not os.path.lexists(places / "device"):
        pytest.skip("a device can be made by root only")
    before = stat.S_IFMT(os.stat(places / name).st_mode) if os.path.exists(places / name) else None
    assert fragment in require_refused(places, typed(f"{scheme}:///{name}"))
    assert before == (stat.S_IFMT(os.stat(places / name).st_mode) if os.path.exists(places / name) else None)


def test_a_database_that_another_program_has_open_is_left_as_it_is(tmp_path):
    path, wal = tmp_path / "albums.db", tmp_path / "albums.db-wal"
    write(path, "PRAGMA journal_mode=WAL; CREATE TABLE albums (title TEXT)")
    with contextlib.closing(sqlite3.connect(path)) as in_use, in_use:
        in_use.execute("INSERT INTO albums VALUES ('Blue Train')")
        in_use.commit()
        before = path.read_bytes(), wal.read_bytes()
        with pytest.raises(p.InputError, match="another program"):
            open_store(f"sqlite:///{path}")
        assert (path.read_bytes(), wal.read_bytes()) == before
        assert {one.name for one in tmp_path.iterdir()} == {"albums.db", "albums.db-wal", "albums.db-shm"}


def test_the_environment_is_named_where_it_gives_the_address(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "file:mlruns")
    assert require_refused(tmp_path).startswith("`MLFLOW_TRACKING_URI` must be an address such as")


# Servers


class Odd(BaseHTTPRequestHandler):
    """A server that answers every request with the status of its port's test."""

    status = 200

    def do_GET(self):
        self.send_response(self.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"OK")

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def answering(status):
    """The address of a server on the loopback interface."""
    handler = type("Answer", (Odd,), {"status": status})
    with servers.answering(HTTPServer(("127.0.0.1", 0), handler)) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("status", "fragment"),
    [(404, "404"), (500, "500"), (503, "503"), (401, "refused the login"), (200, "not one of MLflow")],
)
def test_a_server_that_is_no_mlflow_is_refused(tmp_path, status, fragment):
    with answering(status) as address:
        sentence = require_refused(tmp_path, f"tracking.uri={address}")
    assert fragment in sentence
    assert address in sentence


@pytest.mark.parametrize("kind", ["http", "https"])
def test_a_server_that_says_nothing_is_not_waited_for(tmp_path, kind):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"{kind}://127.0.0.1:{listener.getsockname()[1]}"
        began = time.monotonic()
        assert "timed out" in require_refused(tmp_path, f"tracking.uri={address}")
    assert time.monotonic() - began < 60  # MLflow alone would try for minutes


@pytest.mark.parametrize(
    ("uri", "fragment"),
    [
        ("http://127.0.0.1:9", "Connection refused"),
        ("https://127.0.0.1:9/mlflow", "Connection refused"),
        ("HTTP://127.0.0.1:9", "Connection refused"),
        ("http://127.0.0.1:99999", "tracking=none"),
        ("postgresql://me@127.0.0.1:9/mlflow", "tracking=none"),
        ("mysql+pymysql://me@127.0.0.1:9/mlflow", "tracking=none"),
        ("mssql+pyodbc://me@127.0.0.1:9/mlflow", "tracking=none"),
        ("postgresql+nothing://me@127.0.0.1:9/mlflow", "tracking=none"),
    ],
)
def test_a_server_that_is_not_there_is_refused(tmp_path, uri, fragment):
    assert fragment in require_refused(tmp_path, typed(uri))


@pytest.mark.parametrize("uri", [*WITH_PASSWORD, "sqlite:///x.db?a=1&api_key=hunter2", "me:hun%74er2@127.0.0.1"])
def test_an_address_of_the_environment_that_cannot_be_used_shows_no_password(tmp_path, monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    sentence = require_refused(tmp_path)
    assert SECRET not in sentence
    assert SECRET not in unquote(sentence)


@pytest.mark.parametrize("user", ["me:hunter2", "hunter2", "me:hun/hunter2", "me:hun%40hunter2"])
def test_a_password_of_the_environment_is_not_shown(tmp_path, monkeypatch, user):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://{user}@127.0.0.1:9")
    sentence = require_refused(tmp_path)
    assert "`MLFLOW_TRACKING_URI` must name a store that can be opened, got 'http://127.0.0.1:9'" in sentence
    assert SECRET not in sentence


@pytest.mark.parametrize("words", [[], ["-m", "seed=0,1"]], ids=["a run", "a sweep"])
def test_a_password_of_a_databases_address_in_the_environment_is_not_shown(tmp_path, monkeypatch, words):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql+nothing://me:hunter2@127.0.0.1:9/mlflow?sslpassword=hunter2")
    assert SECRET not in require_refused(tmp_path, *words)
