"""A served fit: `mlflow models serve` answers with the values of the exported function to the last bit, without polyexp."""

import contextlib
import json
import os
import re
import shlex
import sys
import urllib.error
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.helpers.commands import execute, run_in_process, run_python, start
from tests.helpers.models import values_without_polyexp
from tests.helpers.servers import answer, find_free_port
from tests.helpers.stores import only_run

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {
    key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "MLFLOW", "VIRTUAL_ENV"))
}
RUN = ("backend=numpy", "problem.num_samples=200", "model=legendre_series", "optimizer.learning_rate=auto")
SERVE = "mlflow models serve --env-manager local --host 127.0.0.1 --port {port} -m {model}"
# What Python imports by itself where it finds it: it refuses polyexp and torch.
REFUSAL = """
import sys
class Refusal:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("polyexp", "torch", "jax", "hydra", "omegaconf"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Refusal())
"""


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A recorded run, its store, and its exported function."""
    from polyexp.tracking.store import open_store

    folder = tmp_path_factory.mktemp("fitted")
    assert run_in_process(*RUN, "loop.steps=100", cwd=folder).code == 0
    uri = f"sqlite:///{folder / 'outputs' / 'mlflow.db'}"
    run_id = only_run(open_store(uri).client).info.run_id
    words = ("action=export", f"action.run='{run_id}'", "action.format=python", "hydra.run.dir=exported")
    assert run_in_process(*words, cwd=folder).code == 0
    space = {}
    exec((folder / "exported" / "polynomial.py").read_text(), space)
    return SimpleNamespace(folder=folder, uri=uri, model=f"runs:/{run_id}/model", function=space["polynomial"])


@contextlib.contextmanager
def served(python, fitted, **variables):
    """The address of a server of the model, on a port of the loopback interface."""
    port = find_free_port()
    command = [python, "-m", *SERVE.format(port=port, model=fitted.model).split()]
    path = os.pathsep.join([str(Path(python).parent), os.environ["PATH"]])  # where MLflow looks for uvicorn
    env = {"MLFLOW_TRACKING_URI": fitted.uri, "MLFLOW_DISABLE_TELEMETRY": "true", "PATH": path, **variables}
    with start(command, fitted.folder, env, discard=True) as process:
        address = f"http://127.0.0.1:{port}"
        answer(f"{address}/ping", is_alive=lambda: process.poll() is None)
        yield address


def asked(address, data):
    """The status and the answer of a server that is sent JSON."""
    request = urllib.request.Request(
        f"{address}/invocations", json.dumps(data).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def require_the_values(address, function):
    """Require the values of a function to the last bit, in every form of a question, and refusals in one sentence."""
    x = [*np.linspace(-np.pi, np.pi, 1000).tolist(), 0.1, 1 / 3, 1e-300, 5e-324, -0.0, 1e17]
    values = [function(one).hex() for one in x]
    for data in (
        {"inputs": {"x": x}},
        {"inputs": x},
        {"instances": x},
        {"instances": [{"x": one} for one in x]},
        {"dataframe_split": {"columns": ["x"], "data": [[one] for one in x]}},
        {"dataframe_records": [{"x": one} for one in x]},
    ):
        status, found = asked(address, data)
        assert status == 200, found
        assert [one.hex() for one in found["predictions"]] == values
    assert asked(address, {"inputs": {"x": [1, 2]}})[1] == {"predictions": [function(1.0), function(2.0)]}
    for data in ({"inputs": {"x": ["a"]}}, {"inputs": {"y": [1.0]}}, {"x": [1.0]}, {"inputs": [[1.0]]}):
        status, found = asked(address, data)
        assert status == 400, found
        assert found["error_code"] in ("BAD_REQUEST", "INVALID_PARAMETER_VALUE")


# The page docs/serving.md


PAGE = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
BLOCKS = {kind: re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL) for kind in ("bash", "python", "json")}


def test_the_commands_and_the_program_of_the_page(tmp_path):
    """Its fit is loaded by its program in the same folder, also after a sweep, and its server answers what it says."""
    (fit, serve, ask), (program,), (shown,) = (BLOCKS[kind] for kind in ("bash", "python", "json"))
    words = shlex.split(fit)
    assert words[:3] == ["python", "-m", "polyexp"]
    assert run_in_process(*words[3:], cwd=tmp_path).code == 0
    assert run_in_process("-m", *RUN, "loop.steps=5", "seed=1,2", "quiet=true", cwd=tmp_path).code == 0
    (tmp_path / "program.py").write_text(program)
    done = run_python(tmp_path / "program.py", cwd=tmp_path, strict=False)
    assert done.code == 0, done.err
    printed = json.loads(done.out)
    assert printed == pytest.approx(json.loads(shown)["predictions"], rel=1e-12)  # other processors round otherwise
    variable, command = serve.splitlines()
    assert variable == "export MLFLOW_TRACKING_URI=sqlite:///outputs/mlflow.db"
    assert sorted(shlex.split(command)) == sorted(SERVE.format(port=5001, model="runs:/RUN_ID/model").split())
    data = shlex.split(ask)[-1]
    assert json.loads(data) == {"inputs": {"x": [0.25, 0.5, 1.0]}}
    assert "http://127.0.0.1:5001/invocations" in ask


@pytest.mark.slow
def test_a_served_model_answers_with_the_values_of_the_exported_function(fitted, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(REFUSAL)
    with served(sys.executable, fitted, PYTHONPATH=tmp_path) as address:
        require_the_values(address, fitted.function)


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory):
    """The Python of an environment with mlflow and numpy alone."""
    folder = tmp_path_factory.mktemp("bare")
    python = folder / "venv/bin/python"
    install = [python, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", "mlflow", "numpy"]
    for command in ([sys.executable, "-m", "venv", folder / "venv"], install):
        done = execute(command, folder, ENVIRONMENT, seconds=None)
        assert done.code == 0, done.out + done.err
    absent = "import importlib.util as i\nprint([one for one in ('polyexp', 'torch', 'hydra') if i.find_spec(one)])"
    assert execute([python, "-c", absent], folder, ENVIRONMENT).out == "[]\n"
    return python


@pytest.mark.wheel
def test_an_environment_with_mlflow_and_numpy_alone_loads_and_serves_it(fitted, bare_python):
    x = np.linspace(-np.pi, np.pi, 1000)
    (values,) = values_without_polyexp([(fitted.model, x)], fitted.uri, bare_python)
    assert values.tolist() == [fitted.function(one) for one in x.tolist()]
    with served(bare_python, fitted) as address:
        require_the_values(address, fitted.function)
