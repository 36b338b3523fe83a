"""Sdist and wheel as they are built: the wheel works in an environment of its own. Run by `make test-wheel`."""

import json
import os
import re
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from polyexp.base import version
from tests.helpers.commands import execute

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.wheel
ENVIRONMENT = {
    key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "MLFLOW", "VIRTUAL_ENV"))
}


def call(*words, cwd):
    """What a command that succeeds prints."""
    done = execute(words, cwd, ENVIRONMENT, seconds=None)
    assert done.code == 0, done.out + done.err
    return done.out


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The sdist, and the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def unpacked(built, tmp_path_factory):
    """The folder that the sdist unpacks to, where there is no git."""
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(built[0]) as archive:
        archive.extractall(folder, filter="data")
    (inside,) = folder.iterdir()
    return inside


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """The `bin` folder of a clean environment that holds the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("wheel")
    call(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    pip = [folder / "venv/bin/python", "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt"]
    call(*pip, built[1], cwd=folder)
    return folder / "venv/bin"


def test_the_wheel_holds_the_package(built):
    names = zipfile.ZipFile(built[1]).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"polyexp"}
    assert {"polyexp/py.typed", "polyexp/conf/config.yaml"} <= set(names)


def test_the_sdist_holds_all_that_git_keeps(unpacked):
    listed = execute(["git", "ls-files"], ROOT)
    if listed.code:
        pytest.skip("not a git checkout")
    kept = {name for name in listed.out.splitlines() if (ROOT / name).exists()}
    there = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    assert kept - there == set()


def test_both_carry_the_commit(built, unpacked):
    if not (commit := version.commit()):
        pytest.skip("no commit is known here")
    assert version.commit_of(unpacked) == commit
    assert zipfile.ZipFile(built[1]).read(version.COMMIT_FILE).decode() == f"{commit}\n"


def test_the_tests_run_in_an_unpacked_sdist(unpacked):
    """A part of the tests: those that read files outside of the package, and those that ask git."""
    names = ("architecture", "packaging", "models", "tracking")
    command = [sys.executable, "-m", "pytest", "-q", *(f"tests/test_{name}.py" for name in names)]
    environment = ENVIRONMENT | {"PYTHONPATH": str(unpacked)}  # rather than an editable install of the checkout
    done = execute(command, unpacked, environment, seconds=None)
    assert done.code == 0, done.out


def test_another_program_sees_types(installed, tmp_path):
    """Outside code under `mypy --strict`, in a folder of its own."""
    (tmp_path / "outside.py").write_text(OUTSIDE)
    options = ("--strict", "--config-file=", f"--cache-dir={tmp_path / 'cache'}")
    command = [sys.executable, "-m", "mypy", *options, f"--python-executable={installed / 'python'}", "outside.py"]
    revealed, wrong, summary = execute(command, tmp_path, ENVIRONMENT, seconds=None).out.splitlines()
    assert re.fullmatch(r'outside.py:3: note: Revealed type is "polyexp\.[\w.]*Result"', revealed)
    assert wrong.startswith('outside.py:4: error: Argument "degree" to "PowerSeries" has incompatible type "str"')
    assert summary == "Found 1 error in 1 file (checked 1 source file)"


OUTSIDE = """\
from polyexp import Legendre, PowerSeries, Problem, fit

reveal_type(fit(Problem("sin"), Legendre()))
PowerSeries(degree="seven")
"""


def test_the_installed_package_knows_its_version_and_commit(built, installed, tmp_path):
    code = "import polyexp; from polyexp.base.version import commit; print(polyexp.__version__, commit(), sep='\\n')"
    name, commit = call(installed / "python", "-c", code, cwd=tmp_path).splitlines()
    assert built[1].name == f"polyexp-{name}-py3-none-any.whl"
    assert commit == str(version.commit())


def test_run_from_an_empty_folder_is_recorded_there(installed, tmp_path):
    text = call(installed / "python", "-m", "polyexp", "loop.steps=200", cwd=tmp_path)
    assert "Loss at   200 iteration: 98.422" in text
    (result,) = tmp_path.glob("outputs/runs/*/*/result.json")
    assert json.loads(result.read_text())["steps"] == 200
    assert (tmp_path / "outputs/mlflow.db").is_file()
    assert [one.name for one in tmp_path.iterdir()] == ["outputs"]


def test_foreign_conf_folder_is_not_picked_up(installed, tmp_path):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/config.yaml").write_text("defaults: []\n")
    text = call(installed / "polyexp", "--cfg", "job", cwd=tmp_path)
    assert "target: sin" in text


def test_console_script_sweeps_with_the_checked_sweeper(installed, tmp_path):
    options = ("backend=numpy", "tracking=none", "loop.steps=1")
    call(installed / "polyexp", "-m", "seed=0,1", *options, cwd=tmp_path)
    assert len(list(tmp_path.glob("outputs/sweeps/*/*/*/result.json"))) == 2
    refused = execute([installed / "polyexp", "-m", "model.degree=1,-1", *options], tmp_path, ENVIRONMENT)
    assert refused.code == 2
    assert refused.err == "polyexp: `model.degree` must be a whole number from 0 to 1000, got -1.\n"


def test_experiments_are_carried(installed, tmp_path):
    text = call(installed / "polyexp", "experiment=tutorial/optim", "--cfg", "job", cwd=tmp_path)
    assert "alpha: 0.99" in text
