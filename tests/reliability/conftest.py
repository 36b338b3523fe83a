"""Every test here has the marker `reliability`, so that `make test-reliability` runs it and `make test` does not."""

import sys
from pathlib import Path

import pytest

from tests.helpers.servers import find_free_port, started

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.reliability)
            if sys.platform != "linux":  # processes are found in /proc, and disks are mounted
                item.add_marker(pytest.mark.skip(reason="these tests need Linux"))


@pytest.fixture(scope="session")
def server(tmp_path_factory, new_store):
    """A server that takes artifacts itself, over a store that is read beside it: its address and its folder."""
    folder = tmp_path_factory.mktemp("server")
    uri = new_store(folder / "mlflow.db")
    with started(folder, uri, find_free_port(), "--artifacts-destination", folder / "artifacts") as running:
        yield running.address, folder


@pytest.fixture
def facts(record_property):
    """Call it with what a case is and what came of it: `suite.py` makes the table of docs/reliability.md of it."""

    def note(**values):
        for name, value in values.items():
            record_property(name, value)

    return note


@pytest.fixture
def seed(request):
    """The seed of what happens at a random moment."""
    return request.config.getoption("seed", "0")
