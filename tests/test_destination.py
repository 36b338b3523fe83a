"""What is told of a store before a run, without MLflow and with nothing changed; and what opens it for writing."""

import contextlib
import json
import os
import sqlite3
import ssl
import sys
import threading
from types import SimpleNamespace

import pytest
from mlflow import MlflowClient

import polyexp as p
from polyexp.tracking import answers, destination, sqlite
from polyexp.tracking.destination import Destination, make_store, open_writer
from polyexp.tracking.entry import MLflowExperiment
from polyexp.tracking.errors import short_reason
from polyexp.tracking.login import PROVIDER
from polyexp.tracking.server import ENDPOINT
from polyexp.tracking.sqlite import latest_revision
from polyexp.tracking.view import ALL_RUNS, TAG, encoded, link, of_sweep, save
from tests.helpers.certificates import signed_by_itself
from tests.helpers.commands import run_python
from tests.helpers.servers import serving
from tests.helpers.stubs import endless, fixed, stub

ACTIVE = {"experiment": {"experiment_id": "7", "name": "polyexp", "lifecycle_stage": "active"}}
DELETED = {"experiment": {"experiment_id": "7", "name": "polyexp", "lifecycle_stage": "deleted"}}
MISSING = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Could not find experiment with name 'polyexp'"}
DELETED_SENTENCE = (
    "`tracking.experiment_name` must not name a deleted experiment, got 'polyexp': choose another name, or restore it "
    "with `mlflow experiments restore -x 7`."
)


@pytest.fixture(autouse=True)
def login_of_mlflow(monkeypatch):
    """MLflow's own logins, which `login.py` replaces for the whole process once a test has opened a store."""
    monkeypatch.delenv("MLFLOW_TRACKING_AUTH", raising=False)


def check(uri):
    """The sentence with which the address is refused; empty where it is not."""
    try:
        Destination.of(uri).check("polyexp")
    except p.InputError as error:
        return str(error)
    return ""


def state(folder):
    """Everything in a folder: names, kinds, sizes and times, and the bytes of files."""
    found = {one: one.lstat() for one in [folder, *folder.rglob("*")]}
    return {
        str(one): (of.st_mode, of.st_size, of.st_mtime_ns, one.read_bytes() if one.is_file() else b"")
        for one, of in found.items()
    }


def change(path, statements):
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.executescript(statements)


def experiment(stage, name="polyexp", workspace="default"):
    """The statement that adds an MLflow experiment."""
    return (
        "INSERT INTO experiments (experiment_id, name, lifecycle_stage, workspace) "
        f"VALUES (7, '{name}', '{stage}', '{workspace}')"
    )


# SQLite

CHANGES = {  # made to a store, and a part of the sentence; empty where it can be recorded in
    "none": ("", ""),
    "active": (experiment("active"), ""),
    "deleted": (experiment("deleted"), DELETED_SENTENCE),
    "deleted of another name": (experiment("deleted", name="other"), ""),
    "deleted of another workspace": (experiment("deleted", workspace="other"), ""),
    "older": (
        "UPDATE alembic_version SET version_num = '451aebb31d03'",
        f"(its revision is 451aebb31d03, that of the installed MLflow {latest_revision()}). Back it up and run `mlflow db",
    ),
    "newer": (
        "UPDATE alembic_version SET version_num = 'ffffffffffff'",
        f"(its revision is ffffffffffff, that of the installed MLflow {latest_revision()}). Update MLflow with `pip",
    ),
    "another program": ("DROP TABLE runs", "(it is a database of another program). Type `tracking=none`"),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_database_is_known_by_its_tables(tmp_path, new_store, name, mode):
    statements, fragment = CHANGES[name]
    uri = new_store(tmp_path / "mlflow.db")
    change(tmp_path / "mlflow.db", f"PRAGMA journal_mode={mode}; {statements}")
    before = state(tmp_path)
    sentence = check(uri)
    assert fragment in sentence
    assert bool(fragment) == bool(sentence)
    assert state(tmp_path) == before


def nothing(path):
    pass


def nothing_below_a_file(path):
    path.parent.write_text("eggs", encoding="utf-8")


def folder(path):
    path.mkdir(parents=True)


def empty_file(path):
    path.parent.mkdir()
    path.touch()


def notes(path):
    path.parent.mkdir()
    path.write_text("shopping: eggs", encoding="utf-8")


def foreign_lock(path):
    path.parent.mkdir()
    path.with_name("mlflow.db.lock").write_text("mine", encoding="utf-8")


def file_of_artifacts(path):
    path.parent.mkdir()
    (path.parent / "artifacts").touch()


PLACES = {
    nothing: "",
    nothing_below_a_file: "Not a directory",
    folder: "it is a folder",
    empty_file: "it is an empty file",
    notes: "(file is not a database). Type `tracking=none`",
    foreign_lock: "mlflow.db.lock is not the lock of a store",
    file_of_artifacts: "artifacts is not a folder",
}


@pytest.mark.parametrize(("made", "fragment"), PLACES.items())
def test_a_place_is_known_before_a_store_is_made(tmp_path, made, fragment):
    path = tmp_path / "new" / "mlflow.db"
    made(path)
    before = state(tmp_path)
    sentence = check(f"sqlite:///{path}")
    assert fragment in sentence
    assert bool(fragment) == bool(sentence)
    assert state(tmp_path) == before


def test_a_damaged_store_is_refused(tmp_path, new_store):
    uri = new_store(tmp_path / "mlflow.db")
    with (tmp_path / "mlflow.db").open("r+b") as file:
        file.seek(100)  # behind the header
        file.write(b"\xff" * 4000)
    assert "(database disk image is malformed). Name another file, or type `tracking=none`" in check(uri)


@pytest.mark.parametrize("name", ["mlflow.db", "."])
@pytest.mark.parametrize("exists", [True, False])
def test_a_store_that_cannot_be_written_is_refused(tmp_path, new_store, monkeypatch, name, exists):
    path = tmp_path / "mlflow.db"
    if exists:
        new_store(path)
    refused = tmp_path / name
    monkeypatch.setattr(os, "access", lambda place, mode: not (mode & os.W_OK and place == refused))
    expected = "" if name == "mlflow.db" and not exists else f"{refused} cannot be written"
    assert expected in (sentence := check(f"sqlite:///{path}"))
    assert bool(expected) == bool(sentence)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_store_that_cannot_be_read_is_refused(tmp_path, new_store):
    uri = new_store(tmp_path / "mlflow.db")
    (tmp_path / "mlflow.db").chmod(0)
    assert "Permission denied" in check(uri)


def test_a_locked_store_passes_as_it_may_be_free_later(tmp_path, new_store, monkeypatch):
    monkeypatch.setattr(destination, "CHECK_SECONDS", 0)
    uri = new_store(tmp_path / "mlflow.db")
    change(tmp_path / "mlflow.db", f"PRAGMA journal_mode=delete; {experiment('deleted')}")
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert check(uri) == ""
        other.execute("ROLLBACK")
    assert check(uri) == DELETED_SENTENCE


def test_no_store_can_be_made_without_mlflow(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "find_spec", lambda name: None)
    sqlite._revisions.cache_clear()
    sentence = check(f"sqlite:///{tmp_path / 'mlflow.db'}")
    sqlite._revisions.cache_clear()
    assert sentence == (
        "`tracking=mlflow` needs a package that cannot be imported (No module named 'mlflow'): install it, or type "
        "`tracking=none`."
    )


# Servers

ANSWERS = {  # the answer of a server, and a part of the sentence; empty where it can record
    "active": (fixed(200, ACTIVE), ""),
    "missing": (fixed(404, MISSING), ""),
    "deleted": (fixed(200, DELETED), DELETED_SENTENCE),
    "no login": (
        fixed(401, "You are not authenticated."),
        "(it refused the login: 401 Unauthorized). Set MLFLOW_TRACKING_",
    ),
    "no permission": (
        fixed(403, {"error_code": "PERMISSION_DENIED"}),
        "(it refused the login: 403 Forbidden). Set MLFLOW_",
    ),
    "host": (fixed(403, "Invalid Host header - possible DNS rebinding attack detected"), "among the --allowed-hosts"),
    "page": (fixed(200, "<html>Welcome</html>"), "(its answer is not one of MLflow). Type `tracking=none`"),
    "nothing": (fixed(200), "(its answer is not one of MLflow)"),
    "no content": (fixed(204), "(its answer is not one of MLflow)"),
    "other JSON": (fixed(200, {"status": "OK"}), "(its answer is not one of MLflow)"),
    "a list": (fixed(200, [ACTIVE]), "(its answer is not one of MLflow)"),
    "other experiment": (fixed(200, {"experiment": "double blind"}), "(its answer is not one of MLflow)"),
    "odd id": (fixed(200, {"experiment": {"experiment_id": "\x1b[1m"}}), "(its answer is not one of MLflow)"),
    "deep JSON": (fixed(200, "[" * 100_000), "(its answer is not one of MLflow)"),
    "no such page": (fixed(404, "<html>Not found</html>"), "(it answered 404 Not Found, which MLflow does not)"),
    "other 404": (
        fixed(404, {"error_code": "ENDPOINT_NOT_FOUND"}),
        "(it answered 404 Not Found, which MLflow does not)",
    ),
    "busy": (fixed(429), "(it answered 429 Too Many Requests)"),
    "broken": (fixed(500, {"error_code": "INTERNAL_ERROR", "message": "no database"}), "500 Internal Server Error)"),
    "odd error": (fixed(500, MISSING), "500 Internal Server Error)"),
    "elsewhere": (
        fixed(302, headers={"Location": "https://u:secret@login.example.org/?a=b"}),
        "'https://login.example.org/')",
    ),
    "moved": (
        fixed(308, headers={"Location": f"https://example.org/mlflow{ENDPOINT}?experiment_name=polyexp"}),
        "(it redirects to 'https://example.org/mlflow', type that address)",
    ),
    "in a circle": (fixed(307, headers={"Location": "/"}), "(it redirects to '/')"),
    "nowhere": (fixed(301), "(it redirects to '')"),
    "cut": (fixed(200, json.dumps(ACTIVE)[:50]), "(its answer is not one of MLflow)"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_server_is_known_by_one_answer(tmp_path, name):
    answer, fragment = ANSWERS[name]
    with stub(answer) as server:
        sentence = check(f"{server.address}/prefix/")
    assert [(one.method, one.path) for one in server.requests] == [
        ("GET", f"/prefix{ENDPOINT}?experiment_name=polyexp")
    ]
    assert fragment in sentence
    assert bool(fragment) == bool(sentence)
    assert "secret" not in sentence
    assert (f"got '{server.address}/prefix/'" in sentence) == bool(sentence and "deleted" not in sentence)


HEAD = b"HTTP/1.1 200 OK\r\n"
ENDLESS = {
    "silence": (b"", b"", "timed out"),
    "a slow head": (HEAD + b"a: ", b"b", "timed out"),
    "a slow body": (HEAD + b"Content-Length: 99999999\r\n\r\n", b" ", "timed out"),
    "gigabytes": (HEAD + b"Content-Length: 9999999999\r\n\r\n", b" " * 2**20, "its answer is not one of MLflow"),
    "gigabytes of a head": (HEAD, b"a: b\r\n" * 2**16, "its answer is not one of HTTP"),
    "another protocol": (b"SSH-2.0-OpenSSH_9.6\r\n", b" " * 2**16, "its answer is not one of HTTP"),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_an_answer_without_an_end_is_not_waited_for(monkeypatch, name):
    start, more, fragment = ENDLESS[name]
    if fragment == "timed out":
        monkeypatch.setattr(answers, "TIMEOUT_SECONDS", 0.5)
    else:
        monkeypatch.setattr(answers, "TIMEOUT_SECONDS", 60)
    done = threading.Event()
    with stub(endless(start, more, done, 0.01 if len(more) < 9 else 0)) as server:
        sentence = check(server.address)
        done.set()
    assert f"({fragment}). Type `tracking=none` to run without a record." in sentence


@pytest.mark.parametrize("variable", ["MLFLOW_TRACKING_AUTH", "MLFLOW_TRACKING_AWS_SIGV4"])
def test_a_login_that_only_mlflow_knows_is_left_to_it(monkeypatch, variable):
    with stub(fixed(403)) as server:
        assert "refused the login" in check(server.address)
        monkeypatch.setenv(variable, "true")
        assert check(server.address) == ""


def test_the_login_of_an_address_is_refused_as_any_other(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_AUTH", PROVIDER)  # as an open store leaves it
    with stub(fixed(401)) as server:
        assert "refused the login" in check(server.address)


# The same requests as those of MLflow itself

USER = {"MLFLOW_TRACKING_USERNAME": "me", "MLFLOW_TRACKING_PASSWORD": "hünter2"}
TOKEN = {"MLFLOW_TRACKING_TOKEN": "t0ken"}
FILE = "[mlflow]\nmlflow_tracking_username = filed\nmlflow_tracking_password = hunter3\n"
NETRC = "machine 127.0.0.1 login netted password hunter4\n"
LOGINS = {  # environment, user and password in the address, file of credentials, netrc; and how the header begins
    "none": ({}, "", "", "", None),
    "user": (USER, "", "", "", "Basic bWU6"),
    "token": (TOKEN, "", "", "", "Bearer t0ken"),
    "user before token": (USER | TOKEN, "", "", "", "Basic bWU6"),
    "user without password": ({"MLFLOW_TRACKING_USERNAME": "me"} | TOKEN, "", "", "", "Bearer t0ken"),
    "file": ({}, "", FILE, "", "Basic ZmlsZWQ6"),
    "user of the environment, password of the file": ({"MLFLOW_TRACKING_USERNAME": "me"}, "", FILE, "", "Basic bWU6"),
    "other file": ({}, "", "[other]\na = b\n", "", None),
    "address": ({}, "addr:hunter%405@", "", "", "Basic YWRkcjpodW50ZXJANQ=="),
    "address before token": (TOKEN, "addr:hunter5@", "", "", "Basic YWRkcjpo"),
    "user alone in the address": ({}, "addr@", "", "", None),
    "netrc": (TOKEN, "", "", NETRC, "Basic bmV0dGVk"),
    "netrc of another host": (TOKEN, "", "", NETRC.replace("127.0.0.1", "example.org"), "Bearer t0ken"),
    "netrc before the address": ({}, "addr:hunter5@", "", NETRC, "Basic bmV0dGVk"),
    "broken netrc": (TOKEN, "", "", "nonsense", "Bearer t0ken"),
}


def asked_by_mlflow(uri):
    """MLflow's own request."""
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    http_request(get_default_host_creds(uri), ENDPOINT, "GET", max_retries=0, params={"experiment_name": "polyexp"})


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home without files, and an environment without proxies and certificates."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "NETRC", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home" / ".mlflow").mkdir(parents=True)
    return tmp_path / "home"


@pytest.mark.parametrize("name", LOGINS)
def test_the_login_is_that_of_mlflow(home, monkeypatch, name):
    environment, user, credentials, netrc, begins = LOGINS[name]
    for file, text in {".mlflow/credentials": credentials, ".netrc": netrc}.items():
        if text:
            (home / file).write_text(text, encoding="utf-8")
            (home / file).chmod(0o600)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    with stub(fixed(200, ACTIVE)) as server:
        uri = server.address.replace("://", f"://{user}")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        assert check(None) == ""
        asked_by_mlflow(uri)
    ours, theirs = (request.headers.get("authorization") for request in server.requests)
    assert ours == theirs
    assert (ours or "None").startswith(str(begins))


def test_the_workspace_is_that_of_mlflow(home, monkeypatch):
    monkeypatch.setenv("MLFLOW_WORKSPACE", "physics")
    with stub(fixed(200, ACTIVE)) as server:
        assert check(server.address) == ""
        asked_by_mlflow(server.address)
    assert [request.headers["x-mlflow-workspace"] for request in server.requests] == ["physics", "physics"]


PROXIES = [
    {},
    {"http_proxy": "http://proxy:1"},
    {"HTTPS_PROXY": "http://proxy:1"},
    {"ALL_PROXY": "http://proxy:1"},
    {"all_proxy": "socks5://proxy:1", "https_proxy": "http://proxy:2"},
    *({"all_proxy": "http://proxy:1", "no_proxy": one} for one in ("*", "example.org", ".example.org", "ample.org")),
    *(
        {"all_proxy": "http://proxy:1", "no_proxy": one}
        for one in ("a, 10.0.0.0/8", "10.1.2.3", "10.0.0.0/33,10.1.2.4")
    ),
    *(
        {"all_proxy": "http://proxy:1", "NO_PROXY": one}
        for one in ("localhost:5000", "localhost", "www.example.org:5000")
    ),
]
ADDRESSES = [
    "http://10.1.2.3:5000",
    "https://www.example.org",
    "http://www.example.org:5000/mlflow",
    "http://localhost:5000",
]


@pytest.mark.parametrize("environment", PROXIES, ids=str)
@pytest.mark.parametrize("address", ADDRESSES)
def test_the_proxy_is_that_of_requests(home, monkeypatch, environment, address):
    from requests.utils import get_environ_proxies, select_proxy

    from polyexp.tracking.server import _proxy

    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    assert _proxy(address) == (select_proxy(address, get_environ_proxies(address)) or "")


def test_a_proxy_is_asked(home, monkeypatch):
    with stub(fixed(200, ACTIVE)) as proxy:
        monkeypatch.setenv("all_proxy", proxy.address)
        assert check("http://mlflow.invalid:5000") == ""
    assert [one.path for one in proxy.requests] == [f"http://mlflow.invalid:5000{ENDPOINT}?experiment_name=polyexp"]
    with stub(fixed(407)) as proxy:
        monkeypatch.setenv("all_proxy", proxy.address)
        assert "Tunnel connection failed: 407" in check("https://mlflow.invalid")
    assert [(one.method, one.path) for one in proxy.requests] == [("CONNECT", "mlflow.invalid:443")]


def test_a_proxy_that_only_mlflow_can_use_is_left_to_it(home, monkeypatch):
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:9")
    assert check("http://mlflow.invalid") == ""


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A file with a key and its certificate for 127.0.0.1, which nobody else has signed."""
    return signed_by_itself(tmp_path_factory.mktemp("tls") / "server.pem")


def served_with(certificate, client=None):
    """The TLS settings of a server, which requires the certificate of the client if one is given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if client:
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # in which a client without certificate fails at once
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client)
    return context


INSECURE, SERVER_CERTIFICATE = "MLFLOW_TRACKING_INSECURE_TLS", "MLFLOW_TRACKING_SERVER_CERT_PATH"
CLIENT_CERTIFICATE = "MLFLOW_TRACKING_CLIENT_CERT_PATH"
TRUST = {  # the environment, in which FILE is the certificate, and a part of the sentence
    "nothing": ({}, "certificate verify failed"),
    "insecure": ({INSECURE: "true"}, ""),
    "secure": ({INSECURE: "false"}, "certificate verify failed"),
    "file": ({SERVER_CERTIFICATE: "FILE"}, ""),
    "file of requests": ({"REQUESTS_CA_BUNDLE": "FILE"}, ""),
    "file of curl": ({"CURL_CA_BUNDLE": "FILE"}, ""),
    "both": (
        {INSECURE: "true", SERVER_CERTIFICATE: "FILE"},
        f"({INSECURE} and {SERVER_CERTIFICATE} exclude each other)",
    ),
    "no such file": ({SERVER_CERTIFICATE: "nowhere.pem"}, "(there are no certificates at nowhere.pem)"),
    "no such file of the client": ({CLIENT_CERTIFICATE: "nowhere.pem"}, "(there are no certificates at nowhere.pem)"),
}


@pytest.mark.parametrize("name", TRUST)
def test_the_certificate_of_a_server_is_verified_as_mlflow_does(home, monkeypatch, certificate, name):
    environment, fragment = TRUST[name]
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value.replace("FILE", str(certificate)))
    with stub(fixed(200, ACTIVE), served_with(certificate)) as server:
        sentence = check(server.address)
    assert fragment in sentence
    assert bool(fragment) == bool(sentence)
    assert len(server.requests) == (not fragment)
    if "verify" in fragment:
        assert f"Set {SERVER_CERTIFICATE} to the file of its certificates, or type `tracking=none`" in sentence


def test_a_server_may_ask_for_a_certificate(home, monkeypatch, certificate):
    own = signed_by_itself(home / "client.pem")
    monkeypatch.setenv(SERVER_CERTIFICATE, str(certificate))
    with stub(fixed(200, ACTIVE), served_with(certificate, client=own)) as server:
        assert "must name a store that can be opened" in check(server.address)
        monkeypatch.setenv(CLIENT_CERTIFICATE, str(own))
        assert check(server.address) == ""


# Any store


def test_what_is_asked_needs_no_mlflow(tmp_path, new_store):
    uri = new_store(tmp_path / "mlflow.db")
    program = (
        "import sys\nfrom polyexp.tracking.destination import Destination, make_store\n"
        "for uri in sys.argv[1:]: Destination.of(uri).check('polyexp')\n"
        "make_store(Destination.of(sys.argv[1]))\n"
        "print([one for one in ('mlflow', 'torch', 'sqlalchemy', 'requests', 'hydra', 'pandas') if one in sys.modules])"
    )
    with stub(fixed(200, ACTIVE)) as server:
        done = run_python(program, uri, f"sqlite:///{tmp_path / 'new.db'}", server.address, cwd=tmp_path)
    assert (done.code, done.err, done.out) == (0, "", "[]\n")
    assert not (tmp_path / "new.db").exists()


@pytest.mark.parametrize(
    ("typed", "key"), [(None, "MLFLOW_TRACKING_URI"), ("http://127.0.0.1:9", "MLFLOW_TRACKING_URI")]
)
def test_credentials_come_from_the_environment(monkeypatch, typed, key):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:hunter2@127.0.0.1:9")
    found = Destination.of(typed)
    assert (found.uri, found.shown, found.key) == ("http://me:hunter2@127.0.0.1:9", "http://127.0.0.1:9", key)
    assert found.ui == "http://127.0.0.1:9"
    assert "hunter2" not in repr(found)
    other = Destination.of("http://127.0.0.1:8")
    assert (other.uri, other.key) == ("http://127.0.0.1:8", "tracking.uri")
    with pytest.raises(p.InputError, match="must not hold a user, password or token"):
        Destination.of("http://me:hunter2@127.0.0.1:8")


def test_the_usual_store_is_below_the_current_folder(working_folder):
    found = Destination.of(None)
    assert (found.path, found.key) == (working_folder / "outputs" / "mlflow.db", "tracking.uri")
    assert found.artifact_root == str(working_folder / "outputs" / "artifacts")
    assert found == Destination.of("sqlite:///./outputs/../outputs/mlflow.db")
    assert found.pages("1", "abc") == [
        "Open it with: `MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false mlflow server --workers 1 --backend-store-uri "
        f"{found.uri}`",
        "http://127.0.0.1:5000/#/experiments/1/runs/abc?workflowType=machine_learning",
    ]


@pytest.mark.slow
def test_a_real_server_is_asked(tmp_path, new_store):
    with serving(tmp_path, new_store(tmp_path / "server.db")) as address:
        assert check(address) == ""
        client = MlflowClient(address)
        number = client.create_experiment("polyexp")
        assert check(address) == ""
        client.delete_experiment(number)
        assert check(address) == DELETED_SENTENCE.replace("-x 7", f"-x {number}")


# Other databases, for which SQLAlchemy's driver of SQLite stands in


def test_a_database_is_asked_for_a_deleted_experiment(tmp_path, new_store):
    uri = new_store(tmp_path / "mlflow.db")
    assert answers.deleted_experiment(uri, "polyexp") is None
    change(tmp_path / "mlflow.db", experiment("deleted"))
    assert answers.deleted_experiment(uri, "polyexp") == "7"
    assert answers.deleted_experiment(uri, "other") is None
    change(tmp_path / "mlflow.db", "DROP TABLE runs")
    with pytest.raises(ValueError, match="another program"):
        answers.deleted_experiment(uri, "polyexp")


def test_an_empty_database_can_become_a_store(tmp_path):
    assert answers.deleted_experiment(f"sqlite:///{tmp_path / 'empty.db'}", "polyexp") is None


# Opening


class Opened(SimpleNamespace):
    """A writer that only tells how it was opened."""

    def close(self):
        self.is_closed = True


class UnknownSchemaError(Exception):
    """As that of the module of the same name."""


@pytest.fixture
def writers(monkeypatch):
    """Stand-ins for the modules of the writers; `unknown` is whether the schema of a SQLite store is."""
    found = SimpleNamespace(unknown=False)

    class SqliteWriter:
        @staticmethod
        def open(path, artifact_root, otherwise):
            if found.unknown:
                raise UnknownSchemaError
            return Opened(by="sqlite", where=path, root=artifact_root, otherwise=otherwise())

    def client_writer(uri):
        return Opened(by="client", where=uri)

    modules = {
        "sqlite_writer": SimpleNamespace(SqliteWriter=SqliteWriter, UnknownSchemaError=UnknownSchemaError),
        "client_writer": SimpleNamespace(ClientWriter=client_writer),
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, f"polyexp.tracking.{name}", module)
    return found


def test_a_sqlite_store_of_a_known_form_is_written_without_mlflow(tmp_path, new_store, writers):
    uri, root = new_store(tmp_path / "mlflow.db"), tmp_path / "artifacts"
    client = Opened(by="client", where=uri)
    with open_writer(Destination.of(uri)) as writer:
        assert writer == Opened(by="sqlite", where=tmp_path / "mlflow.db", root=root, otherwise=client)
    assert writer.is_closed
    assert (tmp_path / "mlflow.db").read_bytes()[18:20] == b"\x02\x02"  # SQLite's file format for WAL
    writers.unknown = True
    with open_writer(Destination.of(uri)) as writer:
        assert writer == client
    assert writer.is_closed


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "postgresql://me@127.0.0.1:9/mlflow"])
def test_any_other_store_is_written_by_mlflow(writers, uri):
    with open_writer(Destination.of(uri)) as writer:
        assert writer == Opened(by="client", where=uri)
    assert writer.is_closed


@pytest.mark.slow
def test_a_store_is_made_once(tmp_path):
    found = Destination.of(f"sqlite:///{tmp_path / 'new' / 'mlflow.db'}")
    make_store(found)
    before = found.path.read_bytes()
    make_store(found)
    assert found.path.read_bytes() == before
    assert {one.name for one in found.path.parent.iterdir()} == {"artifacts", "mlflow.db", "mlflow.db.lock"}
    assert check(found.uri) == ""


def test_a_store_that_cannot_be_opened_changes_nothing(tmp_path, new_store):
    uri = new_store(tmp_path / "mlflow.db")
    change(tmp_path / "mlflow.db", "UPDATE alembic_version SET version_num = 'ffffffffffff'")
    before = state(tmp_path)
    with pytest.raises(sqlite.NewerRevisionError) as caught, open_writer(Destination.of(uri)):
        pass
    assert short_reason(caught.value, uri).startswith("its revision is ffffffffffff, that of the")
    assert state(tmp_path) == before


# Views


class Tags(dict):
    """The tags of an MLflow experiment with the id 7, as a writer sets them."""

    def set_experiment_tag(self, experiment_id, name, value):
        assert experiment_id == "7"
        self[name] = value
        if value is None:
            del self[name]


def test_a_view_is_saved_once_and_the_oldest_of_sweeps_are_deleted():
    tags = Tags({"mine": "kept"})
    save(tags, MLflowExperiment("7", dict(tags)), ALL_RUNS)
    written = tags[TAG + "polyexp"]
    save(Tags(), MLflowExperiment("7", {}), ALL_RUNS)
    tags[TAG + "polyexp"] = written
    save(None, MLflowExperiment("7", dict(tags)), ALL_RUNS)  # nobody is asked to write the same again
    for number in range(20):
        value = json.loads(encoded(of_sweep(f"{number}", ()))) | {"createdAt": number}
        tags[f"{TAG}polyexp-sweep-{number}"] = json.dumps(value)
    save(tags, MLflowExperiment("7", dict(tags)), of_sweep("20", ()))
    kept = {TAG + f"polyexp-sweep-{number}" for number in range(1, 21)}
    assert set(tags) == {"mine", TAG + "polyexp"} | kept


def test_a_link_names_the_view():
    view = of_sweep("2026-11-28 a&b", ())
    expected = (
        "The runs of this sweep: http://127.0.0.1:5000/#/experiments/7/runs?workflowType=machine_learning"
        "&viewStateShareKey=polyexp-sweep-2026-11-28%20a%26b"
    )
    assert link("http://127.0.0.1:5000", "7", view) == expected
