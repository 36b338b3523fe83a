"""Every command and every Python block of the README is executed."""

import shlex
import sys
from pathlib import Path

import pytest

from tests.helpers.commands import execute, run_python, start
from tests.helpers.readme import BLOCKS
from tests.helpers.servers import answer, find_free_port

ROOT = Path(__file__).parents[1]
COMMANDS = [line.partition(" #")[0].strip() for block in BLOCKS["bash"] for line in block.splitlines()]
PROGRAM = "python -m polyexp "
RUNS = [command for command in COMMANDS if f"{command} ".startswith(PROGRAM)]


@pytest.mark.parametrize("command", RUNS)
def test_command(command, cli):
    words = shlex.split(command)[3:]
    code, out, err = cli(*words)
    if "device=cuda" in words and not _has_cuda():
        assert (code, out) == (2, "")
        assert "device=cpu" in err
    else:
        assert (code, err) == (0, "")
        assert out


def test_every_other_command_is_a_target_that_ci_or_a_test_runs():
    others = {command for command in COMMANDS if command not in RUNS}
    assert others == {"make run", "make test", "make ui", "make lint", "make format"}
    ci = (ROOT / ".ci/run").read_text()
    assert all(target in ci for target in ("make run", "make test", "make lint", "make test-wheel"))


def test_make_format_runs_ruff():
    assert "ruff format ." in _commands_of("format")


@pytest.mark.parametrize("block", BLOCKS["python"], ids=lambda block: block.split("\n", 1)[0])
def test_python_block(block, tmp_path):
    script = tmp_path / "block.py"
    script.write_text(block)
    done = run_python(script, cwd=tmp_path)
    assert done.code == 0, done.err
    assert bool(done.out) == ("print(" in block)


@pytest.mark.slow
def test_make_ui_serves_the_store(tmp_path, cli):
    assert cli("loop.steps=1", "quiet=true")[0] == 0
    port = find_free_port()
    command = _server_command("ui", f"OUTPUTS={tmp_path / 'outputs'}", f"PORT={port}")
    with start(command, ROOT, discard=True):
        assert answer(f"http://127.0.0.1:{port}/health") == "OK"
        assert "<title>MLflow</title>" in answer(f"http://127.0.0.1:{port}/")


def _commands_of(target, *variables):
    """What `make target` would run."""
    listed = execute(["make", "--dry-run", target, *variables], ROOT)
    assert listed.code == 0, listed.err
    return listed.out


def _server_command(target, *variables):
    """The server that `make target` would start, of this interpreter, so that no environment is made for it."""
    commands = _commands_of(target, *variables).replace("\\\n", " ").splitlines()
    (command,) = (line for line in commands if "mlflow server" in line)
    return ["bash", "-c", f"exec env {command.replace('.venv/bin/', f'{Path(sys.executable).parent}/')}"]


def _has_cuda():
    import torch

    return torch.cuda.is_available()
