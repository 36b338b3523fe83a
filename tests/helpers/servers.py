"""A real MLflow server, and what it answers."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.helpers.commands import start


def find_free_port() -> int:
    """A port of the loopback interface on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving(folder: Path, uri: str) -> Iterator[str]:
    """A real MLflow server over a store, whose clients write artifacts into the same folder; yields its address."""
    with started(folder, uri, find_free_port(), "--default-artifact-root", folder / "served") as server:
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
