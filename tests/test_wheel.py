"""The built wheel, installed into an environment of its own, works in any folder. Run by `make test-wheel`."""

import json
import os
import sys
from pathlib import Path

import pytest

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
def installed(tmp_path_factory):
    """The `bin` folder of a clean environment that holds the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("wheel")
    call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    call(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    (wheel,) = folder.glob("*.whl")
    pip = [folder / "venv/bin/python", "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt"]
    call(*pip, wheel, cwd=folder)
    return folder / "venv/bin"


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
