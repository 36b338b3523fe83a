"""A run is done and recorded whatever becomes of its standard streams, its locale and warnings of other packages."""

import ast
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.helpers.commands import POLYEXP, SHORT, execute

ROOT = Path(__file__).parents[1]
UNTRACKED = "$P tracking=none"  # importing MLflow takes five seconds: one command of each kind is tracked
FULL = "polyexp: standard output cannot be written (No space left on device)."


def shell(command, cwd, **env):
    """A shell command in which $P is polyexp with a short run; its exit code, and what it wrote to stderr."""
    words = " ".join(f'"{word}"' for word in (*POLYEXP, *SHORT))
    done = execute(["bash", "-c", command.replace("$P", words)], cwd, os.environ | env)
    return done.code, done.err.splitlines()


def require_recorded(folder, runs=1, recorded=1):
    """Require the files of so many runs, and so many FINISHED runs in the store."""
    results = list((folder / "outputs").glob("[rs]*/**/result.json"))
    assert [json.loads(one.read_text(encoding="utf-8"))["steps"] for one in results] == [20] * runs
    with closing(sqlite3.connect(folder / "outputs" / "mlflow.db")) as database:
        assert database.execute("SELECT status FROM runs").fetchall() == [("FINISHED",)] * recorded


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (f"{UNTRACKED} >&-", []),
        (f"{UNTRACKED} >&- <&-", []),
        (f"{UNTRACKED} 2>&-", []),
        ("$P >&- 2>&- <&-", []),
        (f"{UNTRACKED} >/dev/full", [FULL]),
        (f"{UNTRACKED} 2>/dev/full", []),
        ("$P >/dev/full 2>/dev/full", []),
        (f"{UNTRACKED} | true; exit ${{PIPESTATUS[0]}}", []),
        ("$P | head -n 1 >/dev/null; exit ${PIPESTATUS[0]}", []),
        (f"PYTHONUNBUFFERED=1 {UNTRACKED} | head -n 3 >/dev/null; exit ${{PIPESTATUS[0]}}", []),
        (f"PYTHONUNBUFFERED=1 {UNTRACKED} >/dev/full", [FULL]),
    ],
)
def test_a_run_outlives_its_output(tmp_path, new_store, command, said):
    new_store(tmp_path / "outputs" / "mlflow.db")
    assert shell(command, tmp_path) == (0, said)
    require_recorded(tmp_path, recorded=UNTRACKED not in command)


@pytest.mark.parametrize(("to", "said"), [("&-", []), ("/dev/full", [FULL])])
def test_a_sweep_outlives_its_output(tmp_path, new_store, to, said):
    new_store(tmp_path / "outputs" / "mlflow.db")
    assert shell(f"$P -m seed=0,1 >{to}", tmp_path) == (0, said)
    require_recorded(tmp_path, runs=2, recorded=3)


@pytest.mark.parametrize("option", ["--help", "--version", "--cfg job"])
def test_what_was_asked_for_and_cannot_be_printed_is_a_failure(tmp_path, option):
    assert shell(f"$P {option} >/dev/full", tmp_path) == (1, [FULL])


@pytest.mark.parametrize("to", ["&-", "/dev/full"])
def test_a_refusal_that_cannot_be_printed_has_its_exit_code(tmp_path, to):
    assert shell(f"$P model.degree=-1 2>{to}", tmp_path) == (2, [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "env",
    [
        {"PYTHONWARNINGS": "error"},
        {"LC_ALL": "C", "PYTHONUTF8": "0"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
    ],
    ids=str,
)
def test_a_run_in_a_folder_with_any_letters(tmp_path, new_store, env):
    folder = tmp_path / "Größe Ω"
    new_store(folder / "outputs" / "mlflow.db")
    assert shell("$P", folder, **env) == (0, [])
    require_recorded(folder)


def test_a_folder_whose_name_is_no_text_is_refused(tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/gr\xf6sse"))
    folder.mkdir()
    code, (sentence,) = shell("$P", folder)
    assert code == 2
    assert "it is not UTF-8" in sentence
    assert list(folder.iterdir()) == []


def in_text_mode(call):
    """Whether a call opens or reads a file as text, as far as its source shows."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    of = ast.unparse(call.func).split(".")[0]
    if name not in ("open", "read_text", "write_text", "fdopen") or of in (
        "os",
        "archive",
        "Image",
        "tarfile",
        "SqliteConnection",
        "SqliteWriter",
    ):
        return False
    modes = [node.value for node in ast.walk(call) if isinstance(node, ast.Constant)]
    return not any(mode in ("rb", "wb", "ab", "r+b") for mode in modes)


@pytest.mark.parametrize("folder", ["polyexp", "benchmarks"])
def test_text_files_name_their_encoding(folder):
    """Otherwise it would be that of the locale."""
    calls = {
        f"{path.relative_to(ROOT)}:{node.lineno}": any(one.arg == "encoding" for one in node.keywords)
        or any(isinstance(one, ast.Constant) and one.value == "utf-8" for one in node.args)
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and in_text_mode(node)
    }
    assert calls
    assert [place for place, names_it in calls.items() if not names_it] == []
