"""Every experiment gives its published numbers, read back from MLflow; every config file composes."""

import math
from dataclasses import MISSING, fields

import numpy as np
import pytest
from omegaconf import OmegaConf

from polyexp import Samples, fit
from polyexp.cli.configs import choices, conf_dir
from polyexp.experiment import GROUPS, build
from tests.helpers.cases import GPU
from tests.helpers.config import composed
from tests.helpers.references import LIMIT_CYCLE_RTOL, REFERENCES, ZERO_BELOW, float32_linspace
from tests.helpers.stores import all_runs, history, only_run

pytestmark = pytest.mark.numeric

D_FLOAT64 = REFERENCES["notebook/custom_function in float64"]
D_LONG = REFERENCES["notebook/custom_function in float64, 20000 steps"]
CPU = [pytest.param(REFERENCES[name], (f"experiment={name}", "device=cpu"), id=name) for name in choices("experiment")]
FLOAT64 = [
    pytest.param(D_FLOAT64, (), id="2000 steps"),
    pytest.param(
        D_LONG,
        ("loop=manual", "loop.steps=20000", "loop.log_every=10000"),
        id="20000 steps",
    ),
]
CUDA = [
    pytest.param(REFERENCES[name], (f"experiment={name}", "backend=torch", "device=cuda", *more), id=name, marks=GPU)
    for name, *more in [
        ("notebook/numpy",),
        ("notebook/torch_manual", "backend.dtype=float32"),
        ("notebook/torch_autograd", "backend.dtype=float32"),
        ("notebook/custom_function", "backend.dtype=float32"),
    ]
]


def require_reproduced(reference, client):
    """The only run of the store has the losses and parameters of the reference, at its counts of updates."""
    run = only_run(client)
    losses = dict(history(client, run, "loss/train"))
    regular = list(range(reference.every, reference.steps + 1, reference.every))
    early = [k * 10**power for power in range(5) for k in (1, 2, 5) if k * 10**power < reference.every]
    assert list(losses) == early + regular
    for expected, rtol in ((reference.losses, reference.rtol), (reference.limit_cycle, LIMIT_CYCLE_RTOL)):
        assert {step: losses[step] for step in expected} == pytest.approx(expected, rel=rtol, abs=0)
    parameters = {name: run.data.metrics[f"weight/{name}"] for name in reference.parameters}
    assert parameters == pytest.approx(reference.parameters, rel=reference.rtol, abs=0)
    assert all(abs(run.data.metrics[f"weight/{name}"]) < ZERO_BELOW for name in reference.zero)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["optimizer/steps"] == reference.steps


@pytest.mark.parametrize(("reference", "args"), CPU)
def test_golden_values_are_in_the_store(cli, store, reference, args):
    assert cli(*args).code == 0
    require_reproduced(reference, store)


@pytest.mark.parametrize(("reference", "args"), FLOAT64)
def test_golden_values_in_float64_are_in_the_store(cli, store, reference, args):
    assert cli("experiment=notebook/custom_function", "device=cpu", "backend.dtype=float64", *args).code == 0
    require_reproduced(reference, store)


@pytest.mark.parametrize("name", ["torch_manual", "torch_autograd"])
def test_golden_values_in_float64_belong_to_the_samples_of_the_float32_programs(name):
    experiment = build(composed(f"experiment=notebook/{name}", "backend.dtype=float64"))
    x = float32_linspace(-np.pi, np.pi, 4000)  # rounding x to float32 changes the loss by 2e-7
    samples = Samples.of(x, np.sin(x), domain=(-np.pi, np.pi))
    result = fit(samples, experiment.model, loop=experiment.loop, backend=experiment.backend)
    losses = dict(zip(result.history.step.tolist(), result.history.loss.tolist(), strict=True))
    reference = REFERENCES["notebook/torch in float64"]
    found = {step: losses[step] for step in reference.losses}
    assert found == pytest.approx(reference.losses, rel=reference.rtol, abs=0)


@pytest.mark.parametrize(("reference", "args"), CUDA)
def test_golden_values_on_cuda_are_in_the_store(cli, store, reference, args):
    assert cli(*args).code == 0
    require_reproduced(reference, store)
    assert "cuda:0" in only_run(store).data.tags["polyexp.computed_by"]


def test_every_experiment_has_golden_values():
    assert sorted(name for name in REFERENCES if " " not in name) == choices("experiment")


@pytest.mark.slow
def test_every_experiment_runs(cli, store):
    names = choices("experiment")
    ended = cli("-m", "experiment=" + ",".join(names), "device=cpu", "loop.steps=2", "loop.log_every=1")
    assert (ended.code, ended.err) == (0, "")
    runs = all_runs(store)
    assert sorted(run.info.run_name.split()[0] for run in runs) == sorted(names)
    for run in runs:
        assert run.info.status == "FINISHED"
        assert [step for step, _ in history(store, run, "loss/train")] == [1, 2]
        assert math.isfinite(run.data.metrics["loss/final"])


# The config files


OPTIONS = [(group, choice) for group in GROUPS for choice in choices(group)]
# A problem file differs in its target and domain; adaptive rules have larger rates; a run records its number of threads.
OWN = {
    "problem": {"target", "domain"},
    "rmsprop": {"learning_rate"},
    "adam": {"learning_rate"},
    "cpu": {"threads"},
    "auto": {"threads"},
}


@pytest.mark.parametrize(("group", "choice"), OPTIONS)
def test_every_option_composes_and_says_its_defaults(group, choice):
    needed = ["problem.path=data.csv"] if choice == "file" else []
    component = getattr(build(composed(f"{group}={choice}", *needed)), group)
    assert component.choice == choice
    schema, *_ = OmegaConf.load(conf_dir() / group / f"{choice}.yaml").defaults
    assert schema == f"/schema/{group}/{type(component).name}"
    values = written(conf_dir() / group / f"{choice}.yaml")
    own = OWN.get(group, set()) | OWN.get(choice, set())
    defaults = {
        one.name: one.default if one.default is not MISSING else one.default_factory() for one in fields(component)
    }
    assert {k: v for k, v in values.items() if k not in own} == {k: v for k, v in defaults.items() if k not in own}
    assert values.keys() == defaults.keys()


def written(path):
    """The values that a config file holds, and the files of conf/base/ that it includes; each is explained by a comment."""
    defaults, values = [], {}
    for key, value in OmegaConf.load(path).items():
        defaults, values = (value, values) if key == "defaults" else (defaults, values | {key: value})
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# ")
    assert all(" # " in line for line in lines if line.split(":")[0] in values)
    for base in (one for one in defaults if not one.startswith("/schema/")):
        name, here = base.removeprefix("/base/").split("@")
        assert here == "_here_"
        values = written(conf_dir() / "base" / f"{name}.yaml") | values
    return values


@pytest.mark.parametrize("choice", choices("experiment"))
def test_every_experiment_composes_and_says_what_it_is(choice):
    assert build(composed(f"experiment={choice}")).tracking.choice == "mlflow"
    first, second, *_ = (conf_dir() / "experiment" / f"{choice}.yaml").read_text().splitlines()
    assert first == "# @package _global_"
    assert second.startswith("# ")


def test_the_defaults_are_the_documented_ones():
    settings = build(composed()).settings()
    expected = {
        "problem": "sin",
        "problem.num_samples": 4000,
        "problem.sampling": "linspace",
        "problem.domain": (-math.pi, math.pi),
        "problem.loss": "mean",
        "problem.noise": 0.0,
        "model": "power_series",
        "model.degree": 7,
        "model.initial": "uniform",
        "backend": "torch",
        "backend.dtype": "float64",
        "device": "cpu",
        "device.threads": 1,
        "loop": "manual",
        "loop.steps": 4000,
        "loop.log_every": 200,
        "optimizer": "gradient_descent",
        "optimizer.learning_rate": 1e-6,
        "seed": 0,
    }
    assert {key: settings[key] for key in expected} == expected
