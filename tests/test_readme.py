"""Every command and every Python block of the README is executed."""

import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
BLOCKS = {kind: re.findall(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL) for kind in ("bash", "python", "toml", "yaml")}
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
    listed = subprocess.run(["make", "--dry-run", "format"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "ruff format ." in listed.stdout


@pytest.mark.parametrize("block", BLOCKS["python"], ids=lambda block: block.split("\n", 1)[0])
def test_python_block(block, tmp_path):
    script = tmp_path / "block.py"
    script.write_text(block)
    done = subprocess.run([sys.executable, "-W", "error", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert bool(done.stdout) == ("print(" in block)


def test_a_model_of_your_own_as_described(tmp_path):
    """The class, the YAML and the entry point exactly as the README shows them."""
    (source,) = (block for block in BLOCKS["python"] if "class OddCubic" in block)
    (yaml,) = BLOCKS["yaml"]
    (toml,) = BLOCKS["toml"]
    group, entry = re.search(r'entry-points\."(.*)"\]\n(.*)', toml).groups()
    package = tmp_path / "site/my_package"
    (package / "conf/model").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "models.py").write_text(source)
    (package / "conf/model/odd_cubic.yaml").write_text(yaml)
    info = tmp_path / "site/my_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{entry.replace(chr(34), '')}\n")
    options = ("model=odd_cubic", "loop=custom_function", "loop.steps=1000", "optimizer.learning_rate=1e-3")
    done = subprocess.run(
        [sys.executable, "-m", "polyexp", *options, "tracking=none"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"y = 0\.\d+ x \+ -?0\.\d+ x\^3", done.stdout)


@pytest.mark.slow
def test_make_ui_serves_the_store(tmp_path, cli):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free_port = listener.getsockname()[1]
    assert cli("loop.steps=1", "quiet=true")[0] == 0
    with subprocess.Popen(
        [*_recipe("ui", f"OUTPUTS={tmp_path / 'outputs'}", f"PORT={free_port}")],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as server:
        try:
            assert _answer(f"http://127.0.0.1:{free_port}/health") == "OK"
            assert "<title>MLflow</title>" in _answer(f"http://127.0.0.1:{free_port}/")
        finally:
            subprocess.run(["kill", "--", f"-{server.pid}"], check=True)


def _recipe(target, *variables):
    """What `make target` would run, with this interpreter's own tools, so that no environment is made for it."""
    listed = subprocess.run(
        ["make", "--dry-run", target, *variables], cwd=ROOT, capture_output=True, text=True, check=True
    )
    (command,) = (line for line in listed.stdout.replace("\\\n", " ").splitlines() if "mlflow server" in line)
    return ["bash", "-c", f"exec env {command.replace('.venv/bin/', f'{Path(sys.executable).parent}/')}"]


def _answer(url, seconds=60):
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return response.read().decode()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _has_cuda():
    import torch

    return torch.cuda.is_available()
