"""An environment that is the same on every machine, and MLflow stores that cost no migration."""

import os
import signal
import sqlite3
from contextlib import closing

import pytest
import torch
from threadpoolctl import threadpool_limits

from polyexp.backend import jax
from polyexp.model import degree_in_x
from polyexp.tracking.store import open_store
from tests.helpers.commands import run_in_process


def pytest_configure(config):
    torch.set_num_threads(1)
    # In the background of a shell and under nohup signals are ignored, which children inherit; a handler becomes the default.
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    for name in [name for name in os.environ if name.startswith(("MLFLOW_", "HYDRA_"))]:
        del os.environ[name]
    os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "COLUMNS": "120", "NO_PROXY": "127.0.0.1"}
    # MLflow's own use of SQLAlchemy; every other warning is an error (pyproject.toml).
    config.addinivalue_line("filterwarnings", "ignore:The ``noload`` loader strategy:DeprecationWarning")


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory, worker_id):
    """A migrated MLflow database without runs; made once, also where several workers share the session."""
    root = tmp_path_factory.getbasetemp()
    path = (root if worker_id == "master" else root.parent) / "empty" / "mlflow.db"
    path.parent.mkdir(exist_ok=True)
    open_store(f"sqlite:///{path}")  # which has a file lock
    return path


@pytest.fixture(scope="session")
def new_store(empty_store):
    """Call it with a path: a store that exists there already, without runs. Returns its URI."""

    def make(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(empty_store)) as source, closing(sqlite3.connect(path)) as target:
            source.backup(target)
        return f"sqlite:///{path}"

    return make


@pytest.fixture
def bare_cli(tmp_path):
    """`polyexp` in an empty folder."""
    return lambda *args: run_in_process(*args, cwd=tmp_path)


@pytest.fixture
def cli(tmp_path, new_store, bare_cli):
    """`polyexp` in `tmp_path`, where the default store exists."""
    new_store(tmp_path / "outputs" / "mlflow.db")
    return bare_cli


@pytest.fixture
def store(tmp_path):
    """MLflow's view of the default store of `cli`."""
    return open_store(f"sqlite:///{tmp_path / 'outputs' / 'mlflow.db'}").client


@pytest.fixture
def working_folder(tmp_path, monkeypatch):
    """An empty folder, which is the current one during the test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def monkeypatch(monkeypatch):
    """pytest's own. What is kept of a class before it is patched is not used after it, nor the other way round."""

    def forget():
        jax._compiled.cache_clear()
        degree_in_x.cache_clear()

    forget()
    yield monkeypatch
    forget()


@pytest.fixture(scope="module")
def one_blas_thread():
    """BLAS computes with one thread."""
    with threadpool_limits(1, user_api="blas"):
        yield
