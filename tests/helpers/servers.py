"""A real MLflow server, what it answers, and a server before it that wants a login."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from tests.helpers.commands import start


def find_free_port() -> int:
    """A port of the loopback interface on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def answering(server: HTTPServer) -> Iterator[int]:
    """A context in which a thread answers the requests to a server of this process, which is closed at its end; its port."""
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()


@contextlib.contextmanager
def serving(folder: Path, uri: str, files: str = "--default-artifact-root") -> Iterator[str]:
    """A real MLflow server over a store; yields its address. files: how it keeps them, or --artifacts-destination."""
    with started(folder, uri, find_free_port(), files, folder / "served") as server:
        yield server.address


class Server(NamedTuple):
    """A server that runs."""

    address: str
    process: subprocess.Popen[str]

    def kill(self) -> None:
        """End it and its workers by SIGKILL."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def started(folder: Path, uri: str, port: int, *words: str | Path) -> Iterator[Server]:
    """A real MLflow server over a store at a port, with further words of its command; it has answered."""
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", uri, *map(str, words)]
    with start(command, folder, {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}, discard=True) as process:
        address = f"http://127.0.0.1:{port}"
        answer(f"{address}/health", is_alive=lambda: process.poll() is None)
        yield Server(address, process)


def answer(url: str, seconds: float = 120, is_alive: Callable[[], bool] = lambda: True) -> str:
    """What a server answers, as soon as it does."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return str(response.read().decode())
        except OSError:
            assert is_alive(), "the server has ended"
            assert time.monotonic() < deadline, f"no answer from {url}"
            time.sleep(0.1)


@dataclass
class Guard:
    """A server before an MLflow server, which lets only those pass who log in.

    Args:
        address: Its address.
        logins: The values of the header Authorization with which it lets pass.
        asked: Every request so far, with its headers but for Authorization, and its body.
        fault: A function of the path of a request: None passes it on, a status answers it, 0 closes the connection.
    """

    address: str
    logins: Collection[str]
    asked: list[bytes] = field(default_factory=list)
    fault: Callable[[str], int | None] = lambda _: None


@contextlib.contextmanager
def guarding(behind: str, logins: Collection[str]) -> Iterator[Guard]:
    """A guard before the MLflow server whose address is `behind`."""
    guard = Guard("", logins)
    handler = type("Handler", (_GuardHandler,), {"guard": guard, "behind": behind.removeprefix("http://")})
    with answering(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as port:
        guard.address = f"http://127.0.0.1:{port}"
        yield guard


class _GuardHandler(BaseHTTPRequestHandler):
    guard: Guard
    behind: str

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        login = self.headers["Authorization"]
        del self.headers["Authorization"]
        self.guard.asked.append(f"{self.requestline}\n{self.headers}".encode() + body)
        fault = self.guard.fault(self.path)
        if fault == 0:
            self.close_connection = True
        elif fault or (self.path != "/health" and login not in self.guard.logins):
            self._answer(fault or 401, b"{}", "application/json")
        else:
            self._answer(*self._passed_on(body))

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def _passed_on(self, body: bytes) -> tuple[int, bytes, str]:
        with contextlib.closing(http.client.HTTPConnection(self.behind, timeout=60)) as connection:
            connection.request(self.command, self.path, body, {**self.headers, "Host": self.behind})
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers["Content-Type"] or "text/plain"

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
