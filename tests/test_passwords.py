"""Passwords that are given in the environment: they are used, and nothing that is written, printed or sent holds one.

Passwords in settings, which are refused, are in tests/malformed/test_tracker_addresses.py.
"""

import base64
import re

import pytest

from tests.helpers.commands import SHORT, run, run_in_process
from tests.helpers.refusals import contents
from tests.helpers.servers import guarding, serving

pytestmark = pytest.mark.slow

PARTS = ("hunter2", "hunter3")
PASSWORD = "hunter2/ %@:hunter3"  # which has two parts, so that one that is shown in part is found, too
ENCODED = "hunter2%2F%20%25%40%3Ahunter3"
TOKEN = "hunter2.hunter3"
WRONG = "hunter3"
LOGINS = (f"Basic {base64.b64encode(f'me:{PASSWORD}'.encode()).decode()}", f"Bearer {TOKEN}")
PAIR = {"MLFLOW_TRACKING_USERNAME": "me", "MLFLOW_TRACKING_PASSWORD": PASSWORD}

# How a password is given: environment variables, and words; both with {} for the server, without its scheme.
WAYS = {
    "in the address": ({"MLFLOW_TRACKING_URI": f"http://me:{ENCODED}@{{}}"}, []),
    "in the address, beside another": (
        {"MLFLOW_TRACKING_URI": f"http://me:{ENCODED}@{{}}", **PAIR, "MLFLOW_TRACKING_PASSWORD": WRONG},
        [],
    ),
    "user and password": (PAIR, ["tracking.uri=http://{}"]),
    "user and password, all variables": ({**PAIR, "MLFLOW_TRACKING_URI": "http://{}"}, []),
    "token": ({"MLFLOW_TRACKING_TOKEN": TOKEN}, ["tracking.uri=http://{}"]),
    "token, all variables": ({"MLFLOW_TRACKING_TOKEN": TOKEN, "MLFLOW_TRACKING_URI": "http://{}"}, []),
    "a file of MLflow": ({"HOME": "{home}"}, ["tracking.uri=http://{}"]),
}
every_way = pytest.mark.parametrize("way", WAYS)


def base64_cores(text):
    """What base64 makes of a text, whatever stands before and behind it."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + text.encode()).decode()
        yield encoded[-(-8 * before // 6) : 8 * (before + len(text)) // 6]


SPELLINGS = [one.encode() for part in PARTS for one in (part, part.upper(), *base64_cores(part))]


def require_nowhere(*texts):
    """Require that no text holds a part of the password; a folder stands for every byte of all its files, and their names."""
    for text in texts:
        parts = [text] if isinstance(text, (str, bytes)) else [*contents(text), *filter(None, contents(text).values())]
        for part in parts:
            found = [one for one in SPELLINGS if one in (part.encode() if isinstance(part, str) else part)]
            assert not found, (found, part[-3000:])


def test_the_search_finds_what_is_hidden():
    for text in (PASSWORD, ENCODED, *LOGINS, TOKEN, base64.b64encode(f"x{PASSWORD}".encode())):
        with pytest.raises(AssertionError):
            require_nowhere("harmless", text)


@pytest.fixture(scope="module")
def server(tmp_path_factory, new_store):
    """The address of an MLflow server and the folder in which it keeps everything."""
    folder = tmp_path_factory.mktemp("server")
    with serving(folder, new_store(folder / "server.db"), "--artifacts-destination") as address:
        yield address, folder


@pytest.fixture
def guard(server):
    with guarding(server[0], LOGINS) as guard:
        yield guard


@pytest.fixture
def home(tmp_path_factory):
    """A home folder with MLflow's file of credentials."""
    folder = tmp_path_factory.mktemp("home")
    (folder / ".mlflow").mkdir()
    escaped = PASSWORD.replace("%", "%%")  # as configparser wants it
    text = f"[mlflow]\nmlflow_tracking_username = me\nmlflow_tracking_password = {escaped}\n"
    (folder / ".mlflow" / "credentials").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def given(guard, home, tmp_path):
    """Call it with the name of a way and more words: the command as it ended, in a process of its own or in this one."""

    def call(way, *words, process=False, **more):
        variables, setting = WAYS[way]
        place = guard.address.removeprefix("http://")
        env = {name: value.format(place, home=home) for name, value in variables.items()}
        env |= {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", **more}
        words = [*words, *(word.format(place) for word in setting)]
        if process:
            return run(*words, cwd=tmp_path, env=env)
        with pytest.MonkeyPatch.context() as patch:
            # A process keeps this with an open store whose address has a login; `run_in_process` keeps the stores alone.
            kept = {"MLFLOW_TRACKING_AUTH": "polyexp"} if "@" in env.get("MLFLOW_TRACKING_URI", "") else {}
            for name, value in {**env, **kept}.items():
                patch.setenv(name, value)
            return run_in_process(*words, cwd=tmp_path)

    return call


@every_way
def test_it_is_used_and_nowhere_to_be_found(way, given, guard, server, tmp_path):
    ended = given(way, *SHORT)
    assert (ended.code, ended.err) == (0, "")
    assert f"Recorded in {guard.address} as " in ended.out
    (run_id,) = re.findall(r"\(([0-9a-f]{32})\)", ended.out)
    others = [
        given(way, "-m", *SHORT, "seed=1,2"),
        given(way, "action=compare"),
        given(way, "action=export", f"action.run={run_id}"),
    ]
    assert [one.code for one in others] == [0] * len(others), others
    require_nowhere(ended.out, *(text for one in others for text in one[1:]), tmp_path, server[1], *guard.asked)


@pytest.mark.parametrize(
    "words", [["--cfg", "job"], ["--cfg", "all", "--resolve"], ["--info", "all"], ["--help"]], ids=" ".join
)
def test_what_hydra_prints_holds_none(words, given, tmp_path):
    more = {**PAIR, "MLFLOW_TRACKING_TOKEN": TOKEN, "PGPASSWORD": PASSWORD}
    ended = given("in the address", *words, HYDRA_FULL_ERROR="1", **more)
    assert ended.code == 0
    require_nowhere(*ended[1:], tmp_path)


def after(part, fault):
    """A fault of the first request whose path holds a text, and of all that follow it."""
    seen = []

    def at(path):
        seen.extend([path] if part in path else [])
        return fault if seen else None

    return at


FAULTS = {
    "it is gone after the check": ("runs/create", 0),
    "it is gone at the end": ("log-batch", 0),
    "it refuses later": ("log-batch", 401),
    "it fails": ("runs/create", 500),
    "it takes no files": ("artifacts/", 403),
}


@pytest.mark.parametrize(
    ("way", "fault"),
    [
        *(("in the address", one) for one in FAULTS),
        *((one, "it is gone at the end") for one in ("user and password", "token")),
    ],
)
def test_an_error_in_a_run_shows_none(way, fault, given, guard, server, tmp_path):
    guard.fault = after(*FAULTS[fault])
    sweep = ["-m", "seed=1,2"] if way == "token" else []
    ended = given(way, *SHORT, *sweep, "tracking.wait=3", process=True, HYDRA_FULL_ERROR="1")
    assert ended.code == 0
    assert "python -m polyexp action=sync` delivers later." in ended.err
    assert "Traceback" not in ended.err
    require_nowhere(*ended[1:], tmp_path, server[1], *guard.asked)


@every_way
def test_a_server_that_wants_another_password(way, given, guard, tmp_path):
    guard.logins = ()
    ended = given(way, *SHORT)
    assert ended.code == 2
    require_nowhere(*ended[1:], tmp_path, *guard.asked)
