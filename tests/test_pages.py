"""Every command and every Python block of the README and of docs/ is executed, or, where it needs what is not here, checked."""

import contextlib
import io
import re
import shlex
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from polyexp.base import Component
from polyexp.cli.submitit_workers import SubmititSlurm
from polyexp.cli.workers import Workers
from tests.helpers.commands import execute, start
from tests.helpers.pages import PAGES, ROOT, blocks_of, is_run, text_of
from tests.helpers.servers import answer, find_free_port
from tests.helpers.stores import all_runs

# What commands need that is not on every machine. They are composed and checked, and not run.
NEEDS = {
    "hydra/launcher=polyexp_joblib": "joblib, which `make test-scale` installs",
    "hydra/launcher=polyexp_submitit": "submitit, and mostly Slurm",
    "hydra/launcher=polyexp_ray": "Ray, and mostly a cluster",
    "model=fourier": "the package of docs/own-model.md; test_plugin_models.py has it, and runs this command",
}
# Commands of other programs, which are not run here.
OTHERS = {
    "make": "its targets exist (test_workflow.py), and .ci/run runs them",
    "pip": "it installs packages",
    "pipx": "it installs packages",
    "pre-commit": "it changes the checkout",
    "mlflow": "it is a server; `make ui`, test_scale and test_serving.py start such servers",
    "export": "it has the address of a server or a store",
    "curl": "it asks such a server, as test_serving.py does",
    "ray": "it starts a cluster",
}
# Names of runs and sweeps, which stand for those that a test has recorded.
NAMED_RUNS = ("718efa15", "97f634f1")
NAMED_FOLDER = "2026-11-24/17-06-40-146772"
COMMANDS = {page: [command for block in blocks_of(page) for command in block.commands] for page in PAGES}
# Pages that other tests execute.
ELSEWHERE = {"docs/serving.md": "test_serving.py, in a process of its own, since MLflow keeps the address of a store"}
WITH_CODE = [
    page
    for page in PAGES
    if page not in ELSEWHERE
    and (any(map(is_run, COMMANDS[page])) or "```python" in text_of(page) or page == "docs/index.md")
]
SLOW = ("docs/comparing-runs.md", "docs/pictures.md", "docs/crosscheck.md", "docs/scaling.md")
SHOWN = ("README.md", "docs/index.md", "docs/powers-of-x.md")  # pages whose commands print what stands below them
RUN = "python -m polyexp"  # which is what `make run` does
HOPELESS = (
    "warning: The forecast of "  # the warning of a sweep, some jobs of which are there to be compared as bad ones
)
VARIABLE = ("Fitting ",)  # beginnings of lines that name versions


@pytest.fixture
def session(cli, tmp_path, monkeypatch):
    """Call it with a page: its commands and blocks are executed in their order, in one folder."""
    np.savetxt(
        tmp_path / "measurements.csv",
        np.random.RandomState(0).rand(30, 2),
        "%.17g",
        ",",
        header="time,height",
        comments="",
    )
    monkeypatch.chdir(tmp_path)

    def run_page(page):
        names = _recorded(cli, tmp_path) if _names_runs(page) else {}
        printed = ""
        for block in blocks_of(page):
            if block.kind == "python":
                _execute_block(block.text, monkeypatch)
            for command in filter(
                is_run, [RUN if one == "make run" and page in SHOWN else one for one in block.commands]
            ):
                printed = _execute_command(command, names, cli, monkeypatch)
            if block.kind == "text" and page in SHOWN:
                _require_shown(block.text, printed)

    return run_page


@pytest.mark.parametrize("page", [pytest.param(page, marks=[pytest.mark.slow] * (page in SLOW)) for page in WITH_CODE])
def test_what_a_page_shows_runs(page, session):
    session(page)


@pytest.mark.parametrize("page", PAGES)
def test_every_other_command_is_one_that_is_not_run_for_a_reason(page):
    first = {command.split()[0] for command in COMMANDS[page] if not is_run(command)}
    assert first <= OTHERS.keys()


@pytest.mark.parametrize("page", PAGES)
def test_commands_stand_in_blocks_of_bash(page):
    """But for transcripts, which show `$` and what is printed."""
    starts = (*OTHERS, "python -m", "polyexp ")
    lines = [line for block in blocks_of(page) if block.kind != "bash" for line in block.text.splitlines()]
    assert [line for line in lines if line.startswith(tuple(f"{one} " for one in starts))] == []


def test_a_transcript_is_what_is_printed(bare_cli):
    transcripts = [block.text for page in PAGES for block in blocks_of(page) if block.text.startswith("$ ")]
    assert transcripts
    for transcript in transcripts:
        command, _, printed = transcript.partition("\n")
        code, out, err = bare_cli(*shlex.split(command)[4:])
        assert (code, out, err) == (2, "", printed)


def test_the_readme_is_short():
    text = text_of("README.md")
    assert len(text.splitlines()) <= 150
    assert len(text.split()) <= 1000


def test_ci_runs_the_commands_of_the_readme():
    ci = (ROOT / ".ci/run").read_text()
    assert all(
        target in ci.splitlines() for target in ("make run", "make test", "make lint", "make test-wheel", "make docs")
    )


def test_make_format_runs_ruff():
    assert "ruff format ." in _commands_of("format")


@pytest.mark.slow
def test_make_ui_serves_the_store(tmp_path, cli):
    assert cli("loop.steps=1", "quiet=true")[0] == 0
    port = find_free_port()
    command = _server_command("ui", f"OUTPUTS={tmp_path / 'outputs'}", f"PORT={port}")
    with start(command, ROOT, discard=True):
        assert answer(f"http://127.0.0.1:{port}/health") == "OK"
        assert "<title>MLflow</title>" in answer(f"http://127.0.0.1:{port}/")


def _names_runs(page):
    return any(name in command for command in COMMANDS[page] for name in (*NAMED_RUNS, NAMED_FOLDER))


def _recorded(cli, folder):
    """What the names of the pages stand for: runs, two of them of one model, and a sweep, that have been recorded."""
    from polyexp.tracking.store import open_store

    quick = ("backend=numpy", "loop.steps=100")
    for words in (["model=power_series"], ["model=legendre"], ["model=legendre", "seed=1"]):
        assert cli(*quick, *words).code == 0
    assert cli("-m", *quick, "seed=0,1").code == 0
    runs = all_runs(open_store(f"sqlite:///{folder / 'outputs' / 'mlflow.db'}").client)
    ids = [run.info.run_id[:8] for run in runs if "polyexp.sweep" not in run.data.tags][: len(NAMED_RUNS)]
    run_folder, *_ = (folder / "outputs" / "runs").glob("*/*")
    (sweep_folder,) = (folder / "outputs" / "sweeps").glob("*/*")
    return {
        f"outputs/runs/{NAMED_FOLDER}": str(run_folder),
        f"outputs/sweeps/{NAMED_FOLDER}": str(sweep_folder),
        NAMED_FOLDER: "/".join(sweep_folder.parts[-2:]),
        **dict(zip(NAMED_RUNS, ids, strict=True)),
    }


def _execute_command(command, names, cli, monkeypatch):
    """Run a command of polyexp, or check it where something that it needs is missing; what it printed is returned."""
    for name, recorded in names.items():
        command = command.replace(name, recorded)
    words = shlex.split(command)[3:]
    if any(need in command for need in NEEDS):
        return _check_command(words, cli, monkeypatch)
    code, out, err = cli(*words)
    if "device=cuda" in words and not _has_cuda():
        assert (code, out) == (2, ""), command
        assert "device=cpu" in err
    else:
        assert [line for line in err.splitlines() if not line.startswith(HOPELESS)] == [], command
        assert code == 0, command
        assert out, command
    return out


def _check_command(words, cli, monkeypatch):
    """Compose a sweep by several workers and check all its jobs, as if the libraries of the workers were here."""
    if "model=fourier" in words:
        return ""
    with monkeypatch.context() as patch:
        for cls in (Workers, SubmititSlurm):
            patch.setattr(cls, "require_there", lambda workers: None)
        here = [
            word for word in words if not word.startswith("hydra.launcher.address=")
        ]  # which is asked whether it is there
        code, out, err = cli(*here, "sweep.dry_run=true")
    assert err == "", words
    assert code == 0, words
    return out


def _execute_block(text, monkeypatch):
    """Run a block of Python as a program of its own."""
    module = ModuleType("block")
    with monkeypatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as printed:
        patch.setitem(sys.modules, "block", module)  # where dataclasses looks its types up
        patch.setattr(Component, "registry", dict(Component.registry))
        exec(compile(text, text.split("\n", 1)[0], "exec"), module.__dict__)
    assert bool(printed.getvalue()) == ("print(" in text)


def _require_shown(text, printed):
    """Require that the lines of a block were printed; `...` stands for what is left out."""
    for line in text.splitlines():
        for part in [] if line.startswith(VARIABLE) else line.split("..."):
            assert part.strip() in printed, line


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


# Links


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    """As they are followed on GitHub; those of the site are checked by `make docs`, which is strict."""
    for target in re.findall(r"\]\((?!https?://)([^)\s]+)\)", text_of(page)):
        path, _, anchor = target.partition("#")
        if path.startswith("generated/"):
            continue  # made by `make docs`
        file = (ROOT / page).parent / path if path else ROOT / page
        assert file.exists(), target
        if anchor:
            assert anchor in _anchors(file.read_text(encoding="utf-8")), target


def _anchors(text):
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
