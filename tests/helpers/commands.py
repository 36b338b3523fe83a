"""The only way in which tests run polyexp's command line, or any other program.

`run` starts a process of its own: for what only a process shows (environment variables, imports, signals, plugins that
are found at start). It takes from one second to seven, because it imports the libraries that the command needs.
`one_process` yields a command line whose commands share one process of its own, so that they pay for that once: for what is
found at start and stays, such as a plugin.
`run_in_process` calls `main()` in the process of the test: for everything else. It takes a few hundredths of a second,
and a test may replace parts of polyexp beforehand (`monkeypatch`). It starts no recorder: what it records is delivered in
the process of the test, at the latest when the command ends.
Both return `Finished`. `tests.helpers.terminal` runs the command line on a terminal, and returns `Finished` too.
`start` yields a process that still runs, for tests that send it signals or close its output.
`run_python` runs a text as a program in a fresh Python, `execute` any other command.
"""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO
from unittest.mock import patch

import polyexp.__main__ as entrypoint
from polyexp.report import Report
from polyexp.tracking import recording

Word = str | Path
POLYEXP = (sys.executable, "-m", "polyexp")
MAIN = "from polyexp.__main__ import main; assert main() == 0"  # as a program for `loaded_by`
# Reads lines of JSON, [folder, words], and answers each with the outcome of that command.
ONE_PROCESS = """
import json, sys
from pathlib import Path
from tests.helpers.commands import run_in_process
for line in sys.stdin:
    folder, words = json.loads(line)
    print(json.dumps(run_in_process(*words, cwd=Path(folder), pictures=True)), flush=True)
"""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
HEAVY = ("torch", "jax", "mlflow", "hydra", "omegaconf", "pandas", "matplotlib", "plotly", "rich", "pyarrow")
SHORT = ("backend=numpy", "problem.num_samples=20", "model.degree=3", "loop.steps=20", "loop.log_every=10")


class Finished(NamedTuple):
    """How a command ended: its exit code and what it wrote."""

    code: int
    out: str
    err: str


def execute(
    command: Sequence[Word], cwd: Path | None = None, env: Mapping[str, str] | None = None, seconds: float | None = 120
) -> Finished:
    """Run a command to its end. env: all of its environment variables; None leaves those of the tests."""
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, timeout=seconds)
    return Finished(done.returncode, done.stdout, done.stderr)


def run(*words: Word, cwd: Path, env: Mapping[str, str] | None = None) -> Finished:
    """`python -m polyexp *words` in a folder and in a process of its own. env: added to those of the tests."""
    return execute([*POLYEXP, *words], cwd, os.environ | dict(env or {}))


def run_python(program: str | Path, *words: Word, cwd: Path | None = None, strict: bool = True) -> Finished:
    """A program, as a text or as a file, in a fresh Python. strict: its warnings are errors."""
    what = [program] if isinstance(program, Path) else ["-c", program]
    return execute([sys.executable, *(["-W", "error"] if strict else []), *what, *words], cwd)


def loaded_by(code: str, *words: Word, cwd: Path | None = None) -> list[str]:
    """Which heavy libraries a fresh Python has loaded after this code."""
    done = run_python(f"{code}\nimport sys\nprint(*[name for name in {HEAVY} if name in sys.modules])", *words, cwd=cwd)
    assert (done.code, done.err) == (0, "")
    return done.out.splitlines()[-1].split()


@contextlib.contextmanager
def start(
    command: Sequence[Word],
    cwd: Path,
    env: Mapping[str, str] | None = None,
    discard: bool = False,
    into: Path | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """A command while it runs, e.g. `[*POLYEXP, "seed=1"]`; it is terminated where it outlives the block.

    It leads a session of its own, so that termination reaches its children too. env: added to those of the tests.
    discard: nobody reads what it writes. into: a folder, in which the files stdout and stderr take what it writes.
    """
    with _interruptible(), contextlib.ExitStack() as files:
        nowhere = subprocess.DEVNULL if discard else subprocess.PIPE
        out, err = (files.enter_context((into / name).open("wb")) if into else nowhere for name in ("stdout", "stderr"))
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=cwd,
            env=os.environ | dict(env or {}),
            stdout=out,
            stderr=err,
            text=True,
            start_new_session=True,
        )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(timeout=60)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """A context in which processes are started that ignore no signals, as those of a background job of a shell and nohup do.

    The command line in this process does not, either. A handler of this process becomes the default in others. (`preexec_fn`
    would call what libraries do at a fork, such as JAX.) Only the main thread can set one.
    """
    ignored = [number for number in SIGNALS if signal.getsignal(number) is signal.SIG_IGN]
    if threading.current_thread() is not threading.main_thread():
        ignored = []
    for number in ignored:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)


def wait_until(happened: Callable[[], object], seconds: float = 60) -> None:
    """Wait for what another process does."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it has not happened"
        time.sleep(0.1)


@contextlib.contextmanager
def one_process(cwd: Path, env: Mapping[str, str]) -> Iterator[Callable[..., Finished]]:
    """`polyexp *words` in a folder, each time in the same process of its own, with pictures. env: as of `run`."""
    path = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, [env.get("PYTHONPATH")])])
    with subprocess.Popen(
        [sys.executable, "-c", ONE_PROCESS],
        env=os.environ | dict(env) | {"PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        questions, answers = process.stdin, process.stdout

        def cli(*words: str) -> Finished:
            questions.write(json.dumps([str(cwd), words]) + "\n")
            questions.flush()
            return Finished(*json.loads(answers.readline()))

        yield cli
        questions.close()  # which ends it


def run_in_process(*words: str, cwd: Path, pictures: bool = False) -> Finished:
    """`polyexp *words` in a folder, inside the process of the test, which is left as it was found.

    Without pictures, which would take most of the time of a test; `report.pictures=all` draws them anyway.
    """
    out, err = io.StringIO(), io.StringIO()
    return Finished(call_main(*words, cwd=cwd, out=out, err=err, pictures=pictures), out.getvalue(), err.getvalue())


def call_main(*words: str, cwd: Path, out: TextIO, err: TextIO, pictures: bool = False) -> int:
    """The exit code of `polyexp *words`, which `run_in_process` and its counterpart on a terminal run with these streams."""
    environment, argv = dict(os.environ), sys.argv
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    sys.argv = [entrypoint.__file__, *words]
    draws = Report.draws if pictures else _only_if_asked
    try:
        with (
            contextlib.chdir(cwd),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            patch.object(Report, "draws", draws),
            _recording_in_process(),
            _interruptible(),
        ):
            return entrypoint.main()
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        sys.argv = argv
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.environ.clear()
        os.environ.update(environment)


def _only_if_asked(report: Report, *, in_sweep: bool) -> bool:
    return report.pictures == "all"


@contextlib.contextmanager
def _recording_in_process() -> Iterator[None]:
    """A context in which runs are delivered by this process, and at whose end they are."""
    with patch.object(recording, "HAS_SESSIONS", False), patch.dict(recording._recorders, clear=True):
        try:
            yield
        finally:
            for recorder in recording._recorders.values():
                recorder.leave()
