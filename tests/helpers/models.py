"""Models of runs, with and without a fit, and MLflow without polyexp and torch."""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import polyexp as p
from polyexp.export import Exported, Fit, exported_in_any_basis
from polyexp.tracking.entry import Entry, LoggedModel
from polyexp.tracking.logged_model import written_files
from tests.helpers.commands import execute

DOMAIN = (-2.0, 3.0)
MODELS = {
    "power_series": p.PowerSeries(degree=6),
    "legendre": p.Legendre(degree=4),
    "legendre_series": p.LegendreSeries(degree=7),
    "chebyshev_series": p.ChebyshevSeries(degree=8),
    "hermite_series": p.HermiteSeries(degree=5),
    "constant": p.PowerSeries(degree=0),
    "level": p.ChebyshevSeries(degree=0),
}
# A program that refuses to import polyexp and torch, and writes the values of a model at points as hexadecimal numbers.
LOADING = """
import json, os, sys, warnings
class Refusal:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("polyexp", "torch", "jax", "hydra", "omegaconf"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Refusal())
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
import mlflow, numpy
asked = json.load(open(sys.argv[1]))
if asked["uri"]:
    mlflow.set_tracking_uri(asked["uri"])
found = []
for model, points in asked["models"]:
    loaded = mlflow.pyfunc.load_model(model)
    found.append([value.hex() for value in loaded.predict(numpy.array(points)).tolist()])
print(json.dumps(found))
"""


def export_of(model: p.Model, params: np.ndarray, domain: tuple[float, float] = DOMAIN, run_id: str = "") -> Exported:
    """The export of a model with these parameters, which nothing was fitted with."""
    return exported_in_any_basis(model.on_domain(domain), params, domain, Fit(50, 0.125, "sin", np.sin), run_id)


def some_model(number: int = 0, time: int = 1_800_000_000_000, metrics: Any = ()) -> LoggedModel:
    """A model whose coefficients follow from a number."""
    params = np.random.RandomState(number).standard_normal(8)
    return LoggedModel(export_of(MODELS["legendre_series"], params), time, {"model": "legendre_series"}, metrics)


def log_by_client(client: Any, experiment_id: str, entry: Entry) -> str:
    """Log the model of an entry by MLflow's client, and return its id."""
    from mlflow.entities import LoggedModelOutput, Metric

    model = entry.model
    assert model
    tags = {"polyexp.journal": entry.id}
    made = client.create_logged_model(experiment_id, "model", entry.id, tags, dict(model.params))
    with written_files(model, made.model_id, entry.id, made.artifact_location) as files:
        client.log_model_artifacts(made.model_id, str(files[0].path.parent))
    client.finalize_logged_model(made.model_id, "READY")
    metrics = [Metric(name, value, at, step, made.model_id) for name, value, step, at in model.metrics]
    client.log_batch(entry.id, metrics)
    client.log_outputs(entry.id, [LoggedModelOutput(made.model_id, 0)])
    return str(made.model_id)


def values_without_polyexp(
    models: list[tuple[str, np.ndarray]], uri: str = "", python: Path = Path(sys.executable)
) -> list[np.ndarray]:
    """The values of MLflow models at points, loaded by a process that refuses to import polyexp and torch."""
    with TemporaryDirectory() as folder:
        asked = Path(folder, "asked.json")
        asked.write_text(json.dumps({"uri": uri, "models": [(name, x.tolist()) for name, x in models]}))
        done = execute([python, "-I", "-W", "ignore", "-c", LOADING, asked], Path(folder), seconds=None)
    assert done.code == 0, done.err
    return [np.array([float.fromhex(value) for value in one]) for one in json.loads(done.out)]
