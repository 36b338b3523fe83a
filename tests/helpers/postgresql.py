"""A PostgreSQL of the test's own, on the loopback interface."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.helpers.commands import execute, wait_until
from tests.helpers.servers import find_free_port

USER = "postgres"  # PostgreSQL refuses to be run by an administrator


def _program(name: str) -> str:
    """The path of a program of PostgreSQL, which Debian keeps out of the PATH."""
    places = [os.environ["PATH"], *sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)]
    found = shutil.which(name, path=os.pathsep.join(places))
    assert found, f"{name} of PostgreSQL is not installed: type `make test-scale`, which installs it"
    return found


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """A server with an empty database, which is removed at the end; yields its address."""
    account = {"user": USER, "group": pwd.getpwnam(USER).pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory(prefix="polyexp-postgresql-") as name:
        folder, port = Path(name), find_free_port()
        if account:
            shutil.chown(folder, USER)
        made = [_program("initdb"), "--auth=trust", f"--username={USER}", "--no-sync", str(folder / "data")]
        subprocess.run(made, cwd=folder, check=True, capture_output=True, timeout=120, **account)
        command = [_program("postgres"), "-D", str(folder / "data"), "-p", str(port), "-k", str(folder)]
        command += ["-c", "listen_addresses=127.0.0.1"]
        with (folder / "log").open("w") as log:
            server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **account)
        try:
            ready = [_program("pg_isready"), "-h", "127.0.0.1", "-p", str(port)]
            wait_until(lambda: execute(ready).code == 0)
            yield f"postgresql://{USER}@127.0.0.1:{port}/{USER}"
        finally:
            server.send_signal(signal.SIGINT)  # ends it without waiting for clients
            server.wait(timeout=60)
