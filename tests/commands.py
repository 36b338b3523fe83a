"""polyexp's command line, in the test process or in one of its own, what MLflow holds afterwards, and its server."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import time
import urllib.request
from typing import NamedTuple
from unittest.mock import patch

import polyexp.__main__ as entrypoint
from polyexp.report import Report


class Exit(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


def run_cli(*args, cwd, pictures=False):
    """`polyexp *args` in a folder, inside this process, which is left as it was found.

    Without pictures, which would take most of the time of a test; `report.pictures=all` draws them all the same.
    """
    out, err = io.StringIO(), io.StringIO()
    environment, argv, on_term = dict(os.environ), sys.argv, signal.getsignal(signal.SIGTERM)
    sys.argv = [entrypoint.__file__, *args]
    try:
        with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                with contextlib.nullcontext() if pictures else patch.object(Report, "draws", _only_if_asked):
                    code = entrypoint.main()
            except SystemExit as stop:
                code = stop.code or 0
    finally:
        sys.argv = argv
        signal.signal(signal.SIGTERM, on_term)
        os.environ.clear()
        os.environ.update(environment)
    return Exit(code, out.getvalue(), err.getvalue())


def _only_if_asked(report, *, in_sweep):
    return report.pictures == "all"


def run_process(*args, cwd, **env):
    """`python -m polyexp *args` in a folder and in a process of its own, with more environment variables."""
    command = [sys.executable, "-m", "polyexp", *args]
    done = subprocess.run(command, cwd=cwd, env=os.environ | env, capture_output=True, text=True, timeout=120)
    return Exit(done.returncode, done.stdout, done.stderr)


def all_runs(client, experiment="polyexp"):
    """Every run of an experiment, oldest first; none where there is no such experiment."""
    found = client.get_experiment_by_name(experiment)
    return client.search_runs([found.experiment_id], order_by=["attributes.start_time"]) if found else []


def only_run(client, experiment="polyexp"):
    """The run of an experiment that has one."""
    (run,) = all_runs(client, experiment)
    return run


def history(client, run, metric):
    """The points of a metric as (step, value), in the order in which they were recorded."""
    points = client.get_metric_history(run.info.run_id, metric)
    return [(point.step, point.value) for point in sorted(points, key=lambda point: point.timestamp)]


@contextlib.contextmanager
def serving(folder, uri, port):
    """A real MLflow server over a store; yields its address."""
    root = ["--backend-store-uri", uri, "--default-artifact-root", str(folder / "served")]
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1", "--port", str(port), *root],
        cwd=folder,
        env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while not answers(f"http://127.0.0.1:{port}/health"):
            assert process.poll() is None
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # the server and its worker, a session of their own
        process.wait(timeout=60)


def answers(url):
    with contextlib.suppress(OSError):
        urllib.request.urlopen(url, timeout=1).close()
        return True
    return False
