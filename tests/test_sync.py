"""`action=sync` says what is not delivered, delivers it once, and closes what has gone."""

import contextlib
import http.server
import json
import os
import re
import socket
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from polyexp.tracking import delivery
from polyexp.tracking.journal import JOURNAL, Journal
from polyexp.tracking.note import NOTE
from polyexp.tracking.syncing import DeliveryState, found_in
from tests.helpers.commands import run
from tests.helpers.databases import files
from tests.helpers.journals import header, killed, new_run, record, snapshot, stored
from tests.helpers.servers import answering, find_free_port, started


@pytest.fixture
def uri(tmp_path):
    return f"sqlite:///{tmp_path / 'outputs' / 'mlflow.db'}"


@pytest.fixture
def sync(cli):
    """`polyexp action=sync` where the default store exists."""
    return lambda *words: cli("action=sync", *words)


@pytest.fixture
def runs(tmp_path, uri):
    """The folder of a run that has ended, of one that was killed, of one that goes on, and of one that has no store."""
    top = tmp_path / "outputs" / "runs"
    new_run(top / "ended", 1, store=uri)
    killed(new_run(top / "gone", 2, store=uri))
    new_run(top / "local", 3)
    (top / "going").mkdir()
    with Journal(top / "going", header(4, store=uri)) as journal:
        journal.snapshot(snapshot(10))
        yield top


def made_now(uri):
    """The address of a store, which gets the time at which it is made, as the stores of the tests are copies of one."""
    with contextlib.closing(sqlite3.connect(uri.removeprefix("sqlite:///"), isolation_level=None)) as database:
        database.execute("UPDATE experiments SET creation_time = ?", [time.time_ns() // 1_000_000])
    return uri


def states(folder):
    return {one.folder.name: one.state for one in found_in(folder)}


def statuses(path):
    return {row["name"]: row["status"] for row in stored(path)["runs"]}


def content(folder):
    """Every file below a folder but those in the folders of commands, with its bytes and its time."""
    return {name: about for name, about in files(folder).items() if not name.startswith("runs/2")}


def test_a_dry_run_says_what_is_there_and_changes_nothing(tmp_path, sync, runs):
    before = content(tmp_path / "outputs")
    done = sync("action.dry_run=true")
    assert (done.code, done.err) == (0, "")
    assert content(tmp_path / "outputs") == before
    assert re.search(
        r"3 runs of sqlite:\S+ \(0\.\d+ MB, revision \w{12}\): 1 running, 1 stale, 1 undelivered;", done.out
    )
    assert re.search(r"1 run of no store: 1 not to be delivered; their folders hold 0\.\d+ MB", done.out)
    rows = [line.split()[:3] for line in done.out.splitlines() if "outputs/runs/" in line and "Files" not in line]
    assert sorted(row[0] for row in rows) == ["running", "stale", "undelivered"]
    assert statuses(tmp_path / "outputs" / "mlflow.db") == {}


def test_what_is_not_delivered_is_and_what_has_gone_is_closed(tmp_path, sync, runs):
    done = sync()
    assert (done.code, done.err) == (0, "")
    assert (
        "just now: 2 complete runs, 1 of which closed as KILLED because no process records them any more; "
        "and what 1 run recorded so far" in " ".join(done.out.split())
    )
    expected = {"run 1": "FINISHED", "run 2": "KILLED", "run 4": "RUNNING"}
    assert statuses(tmp_path / "outputs" / "mlflow.db") == expected
    assert states(runs) == {
        "ended": DeliveryState.DELIVERED,
        "gone": DeliveryState.DELIVERED,
        "going": DeliveryState.RUNNING,
        "local": DeliveryState.LOCAL,
    }
    before = stored(tmp_path / "outputs" / "mlflow.db")
    again = sync()
    assert (again.code, again.err) == (0, "")
    assert stored(tmp_path / "outputs" / "mlflow.db") == before


def test_a_run_that_went_on_is_complete_after_the_next_one(tmp_path, sync, uri):
    folder = tmp_path / "outputs" / "run"
    folder.mkdir(parents=True)
    with Journal(folder, header(store=uri)) as journal:
        assert sync().code == 0
        record(journal)
    assert sync().code == 0
    assert statuses(tmp_path / "outputs" / "mlflow.db") == {"run 1": "FINISHED"}


@pytest.mark.slow
def test_all_runs_go_to_the_store_that_is_typed(tmp_path, sync, runs, new_store):
    assert sync().code == 0
    first = tmp_path / "outputs" / "mlflow.db"
    other = new_store(tmp_path / "other" / "mlflow.db")
    for _ in range(2):
        done = sync(f"tracking.uri={other}")
        assert (done.code, done.err) == (0, "")
        assert statuses(tmp_path / "other" / "mlflow.db") == statuses(first)
    rows = ("metrics", "params", "tags", "latest_metrics", "inputs")
    assert {name: stored(tmp_path / "other" / "mlflow.db")[name] for name in rows} == {
        name: stored(first)[name] for name in rows
    }
    assert sync().code == 0  # back to the first, where everything is
    assert len(statuses(first)) == 3


def test_another_folder_is_searched(tmp_path, sync, uri):
    new_run(tmp_path / "elsewhere" / "deep" / "run", store=uri)
    assert sync("action.folder=elsewhere").code == 0
    assert statuses(tmp_path / "outputs" / "mlflow.db") == {"run 1": "FINISHED"}


def test_a_folder_without_journals_has_nothing_to_deliver(tmp_path, sync):
    (tmp_path / "empty").mkdir()
    done = sync("action.folder=empty")
    assert (done.code, done.err) == (0, "")
    assert "There is no run in empty." in done.out


@pytest.mark.parametrize("folder", ["none", "outputs/mlflow.db"])
def test_a_folder_that_does_not_exist_is_refused(sync, folder):
    done = sync(f"action.folder={folder}")
    assert done.code == 2
    assert f"`action.folder` must be a folder that exists, got '{folder}'" in done.err


@pytest.mark.parametrize("text", ["", "nonsense\n", '{"kind": "header", "format": 99}\n', "[" * 10**5 + "\n"])
def test_damaged_journals_are_named_and_the_others_delivered(tmp_path, sync, runs, text):
    for name in ("a damaged", "z damaged"):
        (runs / name).mkdir()
        (runs / name / JOURNAL).write_text(text)
    listed = sync("action.dry_run=true")
    assert (listed.code, listed.err) == (0, "")
    done = sync()
    assert done.code == 1
    assert "2 runs could not be delivered: " in done.err
    assert done.err.count(str(runs / "a damaged")) == 1
    assert len(done.err.splitlines()) == 1
    for out in (listed.out, done.out):
        assert "2 damaged" in out
        assert all(
            any(name in line and "damaged" in line.split() for line in out.splitlines()) for name in ("a dam", "z dam")
        )
    assert statuses(tmp_path / "outputs" / "mlflow.db")["run 1"] == "FINISHED"


def test_a_line_that_is_damaged_prevents_no_other_run(tmp_path, sync, runs):
    with (runs / "ended" / JOURNAL).open("ab") as file:
        file.write(b"damaged\n")
    done = sync()
    assert done.code == 1
    assert re.search(r"1 run could not be delivered: Line \d+ of \S+ is damaged", done.err.replace("\n", " "))
    assert statuses(tmp_path / "outputs" / "mlflow.db") == {"run 2": "KILLED", "run 4": "RUNNING"}


def test_an_address_that_is_none_prevents_no_other_run(tmp_path, sync, runs):
    new_run(runs / "nonsense", 5, store="nonsense://")
    done = sync()
    assert done.code == 1
    assert "1 run could not be delivered" in done.err
    assert statuses(tmp_path / "outputs" / "mlflow.db")["run 1"] == "FINISHED"


def test_a_store_that_fails_is_said_and_prevents_no_other(tmp_path, sync, runs):
    broken = tmp_path / "broken.db"
    broken.write_text("something else")
    for number in (6, 7):
        new_run(runs / f"a{number}", number, store=f"sqlite:///{broken}")
    done = sync()
    assert done.code == 1
    assert "2 runs could not be delivered: " in done.err
    assert "file is not a database" in done.err
    assert broken.read_text() == "something else"
    assert statuses(tmp_path / "outputs" / "mlflow.db")["run 1"] == "FINISHED"


def test_a_store_that_is_locked_is_said(tmp_path, sync, runs, monkeypatch):
    monkeypatch.setattr("polyexp.tracking.sqlite_writer.BUSY_SECONDS", 0.1)
    monkeypatch.setattr("polyexp.tracking.sqlite_writer.SqliteWriter.open.__func__.__defaults__", (None, 0.1))
    with contextlib.closing(sqlite3.connect(tmp_path / "outputs" / "mlflow.db", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        done = sync()
    assert done.code == 1
    assert "3 runs could not be delivered: the store at sqlite:" in done.err
    assert "Traceback" not in done.err
    assert sync().code == 0
    assert len(statuses(tmp_path / "outputs" / "mlflow.db")) == 3


@pytest.mark.slow
def test_a_store_that_is_not_there_is_made(tmp_path, bare_cli, uri):
    new_run(tmp_path / "outputs" / "run", store=uri)
    listed = bare_cli("action=sync", "action.dry_run=true")
    assert listed.code == 0
    assert not (tmp_path / "outputs" / "mlflow.db").exists()
    assert bare_cli("action=sync").code == 0
    assert statuses(tmp_path / "outputs" / "mlflow.db") == {"run 1": "FINISHED"}


def test_a_journal_of_another_process_at_work_is_left_to_it(tmp_path, sync, runs, monkeypatch):
    import fcntl

    monkeypatch.setattr(delivery, "LOCK_SECONDS", 0.1)
    with (runs / "ended" / JOURNAL).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = sync()
    assert done.code == 1
    assert "Another process is delivering" in done.err
    assert "run 1" not in statuses(tmp_path / "outputs" / "mlflow.db")
    assert sync().code == 0
    assert "run 1" in statuses(tmp_path / "outputs" / "mlflow.db")


@pytest.mark.slow
def test_two_at_once_double_nothing(tmp_path, cli, uri):
    for number in range(30):
        new_run(tmp_path / "outputs" / "runs" / f"{number:02}", number, store=uri)
    with ThreadPoolExecutor(2) as pool:
        ends = [*pool.map(lambda _: run("action=sync", cwd=tmp_path), range(2))]
    assert [(one.code, one.err) for one in ends] == [(0, "")] * 2
    found = stored(tmp_path / "outputs" / "mlflow.db")
    assert len(found["runs"]) == len({row["name"] for row in found["runs"]}) == 30
    assert len(found["metrics"]) == len(set(map(repr, found["metrics"]))) == 30 * (4 * 6 + 1)


def test_many_runs_are_counted_and_some_of_them_listed(tmp_path, sync, uri):
    for number in range(120):
        new_run(tmp_path / "outputs" / "runs" / f"{number:03}", number, 0, store=uri)
    done = sync()
    assert (done.code, done.err) == (0, "")
    assert "120 runs of" in done.out
    assert "... and 70 more runs" in done.out
    assert "just now: 120 complete runs\n" in done.out
    assert len(statuses(tmp_path / "outputs" / "mlflow.db")) == 120


def test_the_folder_of_a_sweep_is_counted_without_those_of_its_runs(tmp_path, uri):
    sweep, job = tmp_path / "sweep", tmp_path / "sweep" / "0"
    new_run(job, store=uri)
    (job / "large").write_bytes(b"x" * 10**5)
    (sweep / ".hydra").mkdir()
    (sweep / ".hydra" / "config.yaml").write_bytes(b"x" * 1000)
    with Journal(sweep, header(2, store=uri).of_sweep("s", [])):
        pass
    sizes = {one.folder: one.megabytes for one in found_in(tmp_path)}
    assert sizes == {
        sweep: (1000 + (sweep / JOURNAL).stat().st_size) / 10**6,
        job: sum(one.stat().st_size for one in job.iterdir()) / 10**6,
    }


def test_a_note_that_was_lost_is_made_again(tmp_path, sync, runs):
    assert sync().code == 0
    before = stored(tmp_path / "outputs" / "mlflow.db")
    for path in runs.rglob(NOTE):
        path.unlink()
    assert sync().code == 0
    assert stored(tmp_path / "outputs" / "mlflow.db") == before
    assert states(runs)["gone"] is DeliveryState.DELIVERED


def test_a_store_that_was_made_anew_gets_everything(tmp_path, sync, runs, new_store):
    path = tmp_path / "outputs" / "mlflow.db"
    assert sync().code == 0
    before = statuses(path)
    for left in path.parent.glob("mlflow.db*"):
        left.unlink()
    assert "1 running, 1 stale, 1 undelivered" in sync("action.dry_run=true").out
    assert not path.exists()
    made_now(new_store(path))
    done = sync()
    assert (done.code, done.err) == (0, "")
    assert statuses(path) == before


def test_a_store_in_whose_place_an_older_copy_was_put_gets_what_that_lacks(tmp_path, sync, runs):
    path = tmp_path / "outputs" / "mlflow.db"
    before = path.read_bytes()
    assert sync().code == 0
    after = stored(path)
    for left in path.parent.glob("mlflow.db-*"):
        left.unlink()
    path.write_bytes(before)  # the file is the same, and so is its number
    assert "1 running, 1 stale, 1 undelivered" in sync("action.dry_run=true").out
    done = sync()
    assert (done.code, done.err) == (0, "")
    assert "1 running, 2 delivered" in sync("action.dry_run=true").out
    ids = {row["run_uuid"] for row in stored(path)["runs"]}
    assert statuses(path) == {"run 1": "FINISHED", "run 2": "KILLED"}  # the other is written once it has something new
    for table in ("params", "tags", "metrics", "latest_metrics"):
        kept = [row for row in after[table] if row["run_uuid"] in ids]
        assert sorted(map(repr, stored(path)[table])) == sorted(map(repr, kept))


@pytest.mark.slow
def test_a_server_whose_store_was_made_anew_gets_everything(tmp_path, sync, new_store):
    port = find_free_port()
    for name in ("first", "second"):
        folder, path = tmp_path / name, tmp_path / name / "mlflow.db"
        uri = made_now(new_store(path))
        with started(folder, uri, port, "--artifacts-destination", folder / "artifacts") as server:
            if name == "first":
                new_run(tmp_path / "outputs" / "runs" / "one", store=server.address)
            listed, done = sync("action.dry_run=true"), sync()
            assert (listed.code, done.code, done.err) == (0, 0, "")
            assert "1 undelivered" in listed.out
            assert "1 delivered" in sync("action.dry_run=true").out
        assert statuses(path) == {"run 1": "FINISHED"}


def test_where_nothing_is_due_no_store_is_made(tmp_path, sync, runs):
    done = sync("action.folder=outputs/runs/local")
    assert (done.code, done.err) == (0, "")
    empty = tmp_path / "elsewhere" / "none.db"
    assert sync("action.folder=outputs/runs/local", f"tracking.uri=sqlite:///{empty}").code == 0
    assert not empty.parent.exists()


def test_what_is_in_another_store_is_due_in_its_own(tmp_path, sync, runs, new_store):
    other = new_store(tmp_path / "other.db")
    assert sync(f"tracking.uri={other}").code == 0
    assert "1 running, 2 delivered" in sync(f"tracking.uri={other}", "action.dry_run=true").out
    assert "1 running, 1 stale, 1 undelivered" in sync("action.dry_run=true").out
    assert sync().code == 0
    assert statuses(tmp_path / "outputs" / "mlflow.db") == statuses(tmp_path / "other.db")


LOGINS = {
    "http": ["MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_AUTH", "credentials", "netrc"],
    "postgresql": ["PGPASSWORD", "pgpass"],
    "mysql": ["MYSQL_PWD"],
}


@pytest.mark.parametrize(("kind", "login"), [(kind, one) for kind, names in LOGINS.items() for one in names])
def test_a_login_is_sent_to_no_store_that_only_a_journal_names(tmp_path, sync, runs, monkeypatch, kind, login):
    if login == "credentials":
        (tmp_path / ".mlflow").mkdir()
        text = "[mlflow]\nmlflow_tracking_username = me\nmlflow_tracking_password = hunter2\n"
        (tmp_path / ".mlflow" / "credentials").write_text(text)
    elif login == "pgpass":
        (tmp_path / ".pgpass").write_text("*:*:*:me:hunter2\n")
        (tmp_path / ".pgpass").chmod(0o600)
    elif login == "netrc":
        (tmp_path / ".netrc").write_text("default login me password hunter2\n")
    else:
        monkeypatch.setenv(login, "hunter2")
    monkeypatch.setenv("HOME", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        address = f"{kind}://127.0.0.1:{server.getsockname()[1]}/name"
        new_run(runs / "theirs", 5, store=address)
        listed, done = sync("action.dry_run=true"), sync()
        with pytest.raises(BlockingIOError):
            server.accept()
    assert listed.code == 0
    assert done.code == 1
    assert f"type `MLFLOW_TRACKING_URI={address} python -m polyexp action=sync`" in done.err
    assert "hunter2" not in done.out + done.err
    assert statuses(tmp_path / "outputs" / "mlflow.db")["run 1"] == "FINISHED"


@pytest.mark.parametrize("named", ["tracking.uri", "MLFLOW_TRACKING_URI"])
def test_a_login_is_sent_to_a_server_that_the_user_names(tmp_path, sync, runs, monkeypatch, named):
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.headers["Authorization"])
            self.send_error(500)

        def do_POST(self):
            self.do_GET()

        def log_message(self, *_):
            pass

    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "hunter2")
    with answering(http.server.HTTPServer(("127.0.0.1", 0), Handler)) as port:
        address = f"http://127.0.0.1:{port}"
        new_run(runs / "ours", 5, store=address)
        if named == "MLFLOW_TRACKING_URI":
            monkeypatch.setenv(named, address)
        listed = sync("action.dry_run=true", *([f"tracking.uri={address}"] if named == "tracking.uri" else []))
    assert listed.code == 0
    assert set(asked) == {"Bearer hunter2"}


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "a\nb", "mlflow.db/below", "loop", "pipe"])
def test_a_path_that_cannot_be_prevents_no_other_run(tmp_path, sync, runs, name):
    (tmp_path / "outputs" / "loop").symlink_to(tmp_path / "outputs" / "loop")
    os.mkfifo(tmp_path / "outputs" / "pipe")
    new_run(runs / "theirs", 5, store=f"sqlite:///{tmp_path / 'outputs' / name}")
    assert sync("action.dry_run=true").code == 0
    done = sync()
    assert done.code == 1
    assert "1 run could not be delivered" in done.err
    assert len(done.err.splitlines()) == 1
    assert statuses(tmp_path / "outputs" / "mlflow.db")["run 1"] == "FINISHED"


@pytest.mark.parametrize("kind", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_only_regular_files_are_notes_and_journals(tmp_path, sync, runs, kind):
    assert sync().code == 0
    (runs / "ended" / NOTE).unlink()
    kind(runs / "ended" / NOTE)
    (runs / "pipe").mkdir()
    kind(runs / "pipe" / JOURNAL)
    assert states(runs)["ended"] is DeliveryState.UNDELIVERED
    done = sync()
    assert done.code in (0, 1)  # a folder cannot be replaced by a note
    assert statuses(tmp_path / "outputs" / "mlflow.db")["run 1"] == "FINISHED"


def test_a_note_that_names_the_run_of_another_journal_changes_nothing_of_that(tmp_path, sync, runs):
    assert sync().code == 0
    path, note = tmp_path / "outputs" / "mlflow.db", runs / "ended" / NOTE
    before, theirs = stored(path), json.loads((runs / "gone" / NOTE).read_text())["run_id"]
    note.write_text(json.dumps(json.loads(note.read_text()) | {"run_id": theirs, "status": "RUNNING"}))
    assert sync().code == 0
    assert stored(path) == before


def test_bytes_that_are_no_utf8_are_damage_of_their_journal_alone(tmp_path, sync, runs):
    path = new_run(runs / "a", 5, store=f"sqlite:///{tmp_path / 'outputs' / 'mlflow.db'}") / JOURNAL
    path.write_bytes(path.read_bytes().replace(b"run 5", b"run \xed\xa0\x80"))
    done = sync()
    assert done.code == 1
    assert "1 run could not be delivered: Line " in done.err
    assert statuses(tmp_path / "outputs" / "mlflow.db")["run 1"] == "FINISHED"


def test_a_line_cannot_take_the_identity_of_another_run(tmp_path, sync, runs):
    path = runs / "ended" / JOURNAL
    theirs = {"polyexp.journal": header(5).id, "polyexp.output_folder": "/"}
    path.write_bytes(
        path.read_bytes().replace(b'"tags": {"outcome"', f'"tags": {json.dumps(theirs)[:-1]}, "outcome"'.encode())
    )
    assert sync().code == 0
    new_run(runs / "theirs", 5, store=f"sqlite:///{tmp_path / 'outputs' / 'mlflow.db'}")
    assert sync().code == 0
    found = stored(tmp_path / "outputs" / "mlflow.db")
    assert sorted(row["name"] for row in found["runs"]) == ["run 1", "run 2", "run 4", "run 5"]
    assert theirs["polyexp.output_folder"] not in {row["value"] for row in found["tags"]}


@pytest.mark.parametrize("position", [0, 100, 2**40, 2**63 - 1])
def test_a_note_that_does_not_fit_the_journal_is_as_none(tmp_path, sync, runs, position):
    assert sync().code == 0
    note, before = runs / "ended" / NOTE, stored(tmp_path / "outputs" / "mlflow.db")
    note.write_text(json.dumps(json.loads(note.read_text()) | {"position": position}))
    assert states(runs)["ended"] is DeliveryState.UNDELIVERED
    done = sync()
    assert (done.code, done.err) == (0, "")
    assert stored(tmp_path / "outputs" / "mlflow.db") == before


@pytest.mark.parametrize("text", [b"user: no section", b"[mlflow]\nmlflow_tracking_username = %(\n", b"\xff"])
def test_a_file_of_logins_that_is_damaged_is_named(tmp_path, sync, runs, monkeypatch, text):
    (tmp_path / ".mlflow").mkdir()
    (tmp_path / ".mlflow" / "credentials").write_bytes(text)
    monkeypatch.setenv("HOME", str(tmp_path))
    new_run(runs / "a", 5, store="http://127.0.0.1:1")
    done = sync()
    assert done.code == 1
    assert "The file ~/.mlflow/credentials cannot be read by MLflow" in done.err
    assert len(done.err.splitlines()) == 1
    assert statuses(tmp_path / "outputs" / "mlflow.db")["run 1"] == "FINISHED"


def test_names_of_runs_are_cut(tmp_path, sync, runs):
    path = runs / "ended" / JOURNAL
    path.write_bytes(path.read_bytes().replace(b'"run 1"', b'"%s"' % (b"long " * 50)))
    assert max(map(len, sync("action.dry_run=true").out.splitlines())) < 1000


def test_names_of_folders_are_shown_on_one_line(tmp_path, sync, runs):
    (runs / "a\nb\x1b[1m").mkdir()
    (runs / "a\nb\x1b[1m" / JOURNAL).write_text("nonsense\n")
    done = sync()
    assert done.code == 1
    assert len(done.err.splitlines()) == 1
    assert r"a\nb\x1b[1m" in done.err
    assert r"a\nb\x1b[1m" in done.out
    assert "\x1b" not in done.out + done.err


def test_a_folder_that_cannot_be_read_is_passed_over(tmp_path, sync, runs):
    if os.getuid() == 0:
        pytest.skip("root reads everything")
    (runs / "ended").chmod(0)
    try:
        assert sync().code == 0
    finally:
        (runs / "ended").chmod(0o755)
