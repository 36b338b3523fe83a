"""A store that commit c9b722d recorded stays readable: `compare`, `export` and MLflow's saved views accept it.

`data/recorded/README.md` says how the store was made, and how what is expected of it (`expected.json`) was.
"""

import base64
import io
import json
import os
import re
import zlib
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pytest
from mlflow import MlflowClient

from tests.helpers.commands import run_in_process
from tests.helpers.recorded_before import RECORDED, unpack
from tests.helpers.stores import all_runs

EXPECTED = json.loads((RECORDED / "expected.json").read_text(encoding="utf-8"))
VIEW_TAG = "mlflow.sharedViewState."
FILES = {
    "python": "polynomial.py",
    "json": "polynomial.json",
    "numpy": "polynomial.npz",
    "c": "polynomial.c",
    "latex": "polynomial.tex",
}
NUMBERS = ("coefficients", "offset", "scale", "domain", "samples", "max_error")  # that no processor changes
POINTS = (0.0, 0.3, 1.1, 2.0)
LEAST_LABEL = 8  # letters of an id in a table
EVERY_FORMAT_OF = "733f028bbbff4fcc92f9201f9bb3329b"  # its formula has an offset and a scale

SELECTIONS = {
    "last": ("action.last=10",),
    "sweep": ("action.sweep=outputs/sweeps/bases",),
    "sweep_by_name": ("action.sweep=bases",),
    "filter": ("action.filter='metrics.`loss/final` < 100 and params.problem = \"sin\"'",),
    "ids": ("action.runs=[296065ed,733f028b,2812a6cb]",),
}
QUICK = ("last", "sweep", "ids")


def compared(folder, selection):
    """What `action=compare` prints of each run, in its order: the id and the cells of all tables."""
    with patch.dict(os.environ):
        os.environ.pop("COLUMNS", None)  # so that names are not cut to the width
        done = run_in_process("action=compare", *SELECTIONS[selection], cwd=folder)
    assert (done.code, done.err) == (0, "")
    rows = {}
    for line in done.out.splitlines():
        label, *cells = re.split(r" {2,}", line.strip())
        if re.fullmatch(f"[0-9a-f]{{{LEAST_LABEL},32}}", label):
            rows.setdefault(label, []).extend(cells)
    return [[label, *cells] for label, cells in rows.items()]


def exported(folder, run_id, of):
    """The file that `action=export` writes for a run in a format."""
    where = f"{of}_of_{run_id}"
    options = (f"action.run='{run_id}'", f"action.format={of}", "quiet=true", f"hydra.run.dir={where}")
    done = run_in_process("action=export", *options, cwd=folder)
    assert (done.code, done.out, done.err) == (0, "", "")
    return (folder / where / FILES[of]).read_bytes()


def values(source):
    """What the exported Python function gives at a few points."""
    space = {}
    exec(source.decode(), space)
    return [space["polynomial"](x) for x in POINTS]


def numbers(text):
    """The recorded numbers in an exported JSON file."""
    data = json.loads(text)
    return {name: data[name] for name in NUMBERS}


def views(client):
    """The saved views of the experiment by key, decoded as MLflow's pages do it."""
    tags = client.get_experiment_by_name("polyexp").tags
    states = {key.removeprefix(VIEW_TAG): json.loads(tags[key])["state"] for key in tags if key.startswith(VIEW_TAG)}
    return {
        key: json.loads(zlib.decompress(base64.b64decode(state.removeprefix("deflate;"))))
        for key, state in states.items()
    }


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """A folder with the recorded store, MLflow's view of it, and its runs."""
    folder = tmp_path_factory.mktemp("recorded")
    unpack(folder)
    client = MlflowClient(f"sqlite:///{folder / 'outputs' / 'mlflow.db'}")
    return SimpleNamespace(folder=folder, client=client, runs=all_runs(client))


@pytest.mark.parametrize(
    "selection", [pytest.param(one, marks=[] if one in QUICK else pytest.mark.slow) for one in SELECTIONS]
)
def test_a_comparison_shows_what_it_showed(before, selection):
    assert compared(before.folder, selection) == EXPECTED["compare"][selection]


@pytest.mark.parametrize("run_id", EXPECTED["export"])
def test_exported_python_gives_the_values_that_it_gave(before, run_id):
    assert values(exported(before.folder, run_id, "python")) == EXPECTED["export"][run_id]["values"]


@pytest.mark.parametrize(
    "run_id",
    [pytest.param(one, marks=[] if one == EVERY_FORMAT_OF else pytest.mark.slow) for one in EXPECTED["export"]],
)
def test_the_other_formats_hold_the_numbers_that_they_held(before, run_id):
    expected = EXPECTED["export"][run_id]
    files = {of: exported(before.folder, run_id, of) for of in FILES if of != "python"}
    assert numbers(files["json"]) == {name: expected[name] for name in NUMBERS}
    with np.load(io.BytesIO(files["numpy"])) as archive:
        assert {name: archive[name].tolist() for name in NUMBERS} == {name: expected[name] for name in NUMBERS}
    c, latex = files["c"].decode(), files["latex"].decode()
    for value in expected["coefficients"]:
        mantissa, _, exponent = str(abs(value)).partition("e")
        assert f" {value!r}," in c
        assert (rf"{mantissa} \times 10^{{{int(exponent)}}}" if exponent else mantissa) in latex


def test_the_saved_views_name_what_the_runs_have(before):
    found = views(before.client)
    assert found.keys() == {"polyexp", "polyexp-sweep-bases"}
    params = {f"params.`{key}`" for run in before.runs for key in run.data.params}
    metrics = {f"metrics.`{key}`" for run in before.runs for key in run.data.metrics}
    for state in found.values():
        assert set(state["selectedColumns"]) <= params | metrics | {"tags.`polyexp.outcome`"}
    search = found["polyexp-sweep-bases"]["searchFilter"]
    jobs = before.client.search_runs([before.runs[0].info.experiment_id], search)
    assert {run.data.params["model"] for run in jobs} == {"chebyshev_series", "hermite_series"}


def test_a_new_run_stands_beside_the_recorded_ones(tmp_path):
    unpack(tmp_path)
    client = MlflowClient(f"sqlite:///{tmp_path / 'outputs' / 'mlflow.db'}")
    old = all_runs(client)
    done = run_in_process(
        "backend=numpy", "model.degree=3", "optimizer.learning_rate=5e-4", "loop.steps=2", "quiet=true", cwd=tmp_path
    )
    assert (done.code, done.err) == (0, "")
    assert len(all_runs(client)) == len(old) + 1
    assert views(client).keys() == {"polyexp", "polyexp-sweep-bases"}
    rows = {label: cells for label, *cells in compared(tmp_path, "last")}
    assert len(rows) == len(old) + 1
    for label, *cells in EXPECTED["compare"]["last"]:
        assert set(cells) <= {*rows[label]}
