"""The README's command for data of one's own, typed on data as people have them."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
COMMAND = re.search(r"^python -m polyexp (problem=file .*)$", README, re.MULTILINE)[1]

# Ranges of x, from 0 to 1: 240 rows each.
EVEN = np.linspace(0, 1, 240)
RANGES = {
    "years": 1950 + 69 * EVEN,
    "unix seconds": 1.6e9 + 3e7 * EVEN,
    "narrow": 3.262 + 0.024 * EVEN,
    "large offset": 5e5 + 2 * EVEN,
    "two clusters": np.concatenate([10 + 0.5 * EVEN[:120], 40 + 0.5 * EVEN[:120]]),
}


@pytest.mark.parametrize("name", RANGES)
def test_the_command_for_data_reaches_the_best_loss(cli, tmp_path, name):
    x = RANGES[name]
    scaled = (x - x.min()) / np.ptp(x)
    height = 20 + 5 * np.sin(4 * scaled) + 3 * scaled**2
    height += 0.01 * np.ptp(height) * np.random.RandomState(0).standard_normal(x.size)
    np.savetxt(
        tmp_path / "measurements.csv", np.column_stack([x, height]), "%.17g", ",", header="time,height", comments=""
    )
    ended = cli(*shlex.split(COMMAND), "backend=numpy")
    assert (ended.code, ended.err) == (0, "")
    (file,) = tmp_path.glob("outputs/runs/*/*/result.json")
    assert json.loads(file.read_text(encoding="utf-8"))["excess_loss"] < 1e-9 * height.var()


@pytest.mark.parametrize("name", RANGES)
def test_the_default_model_says_before_the_run_what_to_type_instead(cli, tmp_path, name):
    """Either the rate is refused or the run is warned about, and the words that are suggested do what was forecast."""
    x = RANGES[name]
    rows = np.column_stack([x, np.cos((x - x.min()) / np.ptp(x))])
    np.savetxt(tmp_path / "d.csv", rows, "%.17g", ",", header="x,y", comments="")
    typed = ["problem=file", "problem.path=d.csv", "backend=numpy"]
    ended = cli(*typed)
    sentence = ended.err
    words = re.search(r"`(model=legendre_series [^`]*)`", sentence)[1]
    followed = cli(*typed, *words.split())
    assert (followed.code, followed.err) == (0, "")
    *_, file = sorted(tmp_path.glob("outputs/runs/*/*/result.json"))
    result = json.loads(file.read_text(encoding="utf-8"))
    assert result["excess_loss"] <= 0.01 * result["best_loss"] + np.finfo(float).eps
