"""A real MLflow server, and what it answers."""

import contextlib
import socket
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.helpers.commands import start


def find_free_port() -> int:
    """A port of the loopback interface on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving(folder: Path, uri: str) -> Iterator[str]:
    """A real MLflow server over a store; yields its address."""
    port = find_free_port()
    root: list[str | Path] = ["--backend-store-uri", uri, "--default-artifact-root", folder / "served"]
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1", "--port", str(port)]
    with start([*command, *root], folder, {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}, discard=True) as process:
        address = f"http://127.0.0.1:{port}"
        answer(f"{address}/health", is_alive=lambda: process.poll() is None)
        yield address


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
