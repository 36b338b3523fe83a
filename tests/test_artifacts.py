"""Files of recorded runs: only from the store that was asked, within limits."""

from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import polyexp as p
from polyexp.tracking.artifacts import Artifacts, Limit, LimitError
from polyexp.tracking.store import Store
from tests.helpers.servers import answering

RUN = "a" * 32


@contextmanager
def serving(answer):
    """The address of a server on this machine that answers every request by `answer(handler)`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            answer(self)

        def log_message(self, *_):
            pass

    with answering(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield f"http://127.0.0.1:{port}"


def reply(body, code=200, **headers):
    def answer(handler):
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(handler.path.encode() if body is None else body)

    return answer


def read(uri, root, limit=None, artifact_root=None):
    limit = limit or Limit(1)
    return b"".join(Artifacts(Store(uri, None, artifact_root), RUN, root).read("result.json", limit))


def test_a_server_is_asked_itself_whatever_it_says_of_the_place(tmp_path):
    (tmp_path / "result.json").write_text("secret")
    with serving(reply(None)) as uri:
        assert read(uri, f"file://{tmp_path}").decode() == f"/get-artifact?run_uuid={RUN}&path=result.json"


def test_a_server_is_not_followed_elsewhere():
    with serving(reply(b"elsewhere")) as other, serving(reply(b"", 302, Location=other)) as uri:
        assert read(other, "") == b"elsewhere"
        with pytest.raises(p.InputError, match="the server answers 302"):
            read(uri, "")


def test_a_file_without_end_is_not_read_to_its_end():
    with serving(reply(b"x" * 200_000)) as uri, pytest.raises(LimitError, match=r"larger than 0\.1 MB"):
        read(uri, "", Limit(0.1))


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_a_local_folder_is_read_where_the_store_is_local(prefix, tmp_path):
    (tmp_path / "result.json").write_text("{}")
    assert read(f"sqlite:///{tmp_path}/mlflow.db", f"{prefix}{tmp_path}") == b"{}"
    with pytest.raises(p.InputError, match="the store is on another machine"):
        read("postgresql://somebody@example.org/name", f"{prefix}{tmp_path}")


def test_files_that_a_server_of_the_same_store_has_taken(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "result.json").write_text("{}")
    assert read("sqlite:////x/mlflow.db", "mlflow-artifacts:/1", artifact_root=str(tmp_path)) == b"{}"


def test_what_is_no_file_is_not_read(tmp_path):
    (tmp_path / "result.json").mkdir()
    with pytest.raises(p.InputError, match="there is no such file"):
        read("sqlite:////x/mlflow.db", str(tmp_path))


def test_nothing_is_written_where_a_store_elsewhere_says(tmp_path):
    artifacts = Artifacts(Store("https://example.org", None, None), RUN, f"file://{tmp_path}")
    with pytest.raises(p.InputError, match="start the server with `--artifacts-destination`"):
        artifacts.add(tmp_path / "x")
