"""Every experiment gives its published numbers, read back from MLflow; every config file composes."""

import math
from dataclasses import MISSING, dataclass, field, fields

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from polyexp import Samples, fit
from polyexp.composition import choices, conf_dir
from polyexp.config import GROUPS, build
from tests.helpers.cases import GPU
from tests.helpers.config import composed
from tests.helpers.stores import all_runs, history, only_run


@dataclass
class Golden:
    """Losses by step ("loss at t = 99" of the tutorial is step 100), final parameters, and how near they must be."""

    losses: dict[int, float]
    weights: dict[str, float] = field(default_factory=dict)
    rtol: float = 1e-9
    loose: dict[int, float] = field(default_factory=dict)  # losses with an rtol of 3e-2: RMSprop ends in a limit cycle
    zero: tuple[str, ...] = ()  # parameters below 1e-6
    steps: int = 2000
    every: int = 100


def numbered(*values):
    return {f"w{k}": value for k, value in enumerate(values)}


A = Golden(
    {
        200: 98.4222571391124,
        800: 62.50964601457627,
        1400: 40.85393937536411,
        2000: 27.687735159193963,
        2600: 19.586394970520097,
        3200: 14.51554426711398,
        3800: 11.265906069736054,
        4000: 10.453272238920517,
    },
    numbered(
        0.5319603102185427,
        0.674042260973121,
        0.5469865028758217,
        0.37067539002283245,
        0.2221828385272585,
        -0.0020433761097460837,
        -0.03574733098648533,
        -0.005919157897293921,
    ),
    steps=4000,
    every=200,
)
B_WEIGHTS = numbered(
    1.5744847059,
    -0.2215019614,
    -2.0531136990,
    0.8622812629,
    -0.7163600326,
    -0.4471457601,
    0.1131881625,
    0.0407807864,
)
BC_LOSSES = {1400: 191.034027, 2600: 105.733185, 3800: 69.335526, 4000: 65.484612}
B = Golden({200: 411.605438, **BC_LOSSES}, B_WEIGHTS, rtol=2e-6, steps=4000, every=200)
C = Golden({200: 411.605377, **BC_LOSSES}, B_WEIGHTS, rtol=2e-6, steps=4000, every=200)
BC_FLOAT64 = {200: 411.60520053492286, 1400: 191.03400602515583, 2600: 105.73302149483582, 3800: 69.33537079783616}
D = Golden(
    {100: 209.95834350585938, 200: 144.660187, 500: 50.978508, 1000: 14.877889633178711, 2000: 8.94364},
    {"b": -2.208526849746704, "d": 0.2554861009120941},
    rtol=1e-6,
    zero=("a", "c"),
)
D_FLOAT64 = Golden(
    {100: 209.95838531757312, 2000: 8.943643355960496},
    {"b": -2.20852641519011, "d": 0.2554861125088658},
    zero=("a", "c"),
)
D_LONG = Golden({20000: 8.817165410007025}, zero=("a", "c"), steps=20000, every=10000)
TUTORIAL = Golden(
    {100: 3238.300537109375, 1000: 131.3756866455078, 2000: 12.286677360534668},
    numbered(0.0586233586, 0.8372474909, -0.0101135038, -0.0905576274),
    rtol=1e-5,
)
GOLDEN = {
    "notebook/numpy": A,
    "notebook/torch_manual": B,
    "notebook/torch_autograd": C,
    "notebook/custom_function": D,
    "tutorial/numpy": Golden(
        {100: 1942.5981197543472, 1000: 86.37582610337256, 2000: 11.102981214394513},
        numbered(0.04878583756, 0.84438644083, -0.00841636878, -0.09157308290),
    ),
    "tutorial/tensor": TUTORIAL,
    "tutorial/autograd": TUTORIAL,
    "tutorial/module": TUTORIAL,
    "tutorial/legendre": D,
    "tutorial/nn": Golden(
        {100: 582.650390625, 1000: 25.45812225341797, 2000: 9.177204132080078},
        numbered(-0.0146285519, 0.8441022635, 0.0025236693, -0.0915326625),
        rtol=1e-5,
    ),
    "tutorial/optim": Golden(
        {100: 24804.931640625, 1000: 76.05804443359375}, rtol=1e-5, loose={2000: 8.878396987915039}
    ),
    "tutorial/autograd_exp": Golden(
        {100: 683.130126953125, 1000: 11.269874572753906, 5000: 0.0673605278134346},
        numbered(0.9962908626, 0.9783077240, 0.5367482901, 0.2072255164),
        rtol=1e-5,
        steps=5000,
    ),
}
CPU = [pytest.param(golden, (f"experiment={name}", "device=cpu"), id=name) for name, golden in GOLDEN.items()]
FLOAT64 = [
    pytest.param(D_FLOAT64, (), id="2000 steps"),
    pytest.param(D_LONG, ("loop=manual", "loop.steps=20000", "loop.log_every=10000"), id="20000 steps"),
]
CUDA = [
    pytest.param(GOLDEN[name], (f"experiment={name}", "backend=torch", "device=cuda", *more), id=name, marks=GPU)
    for name, *more in [
        ("notebook/numpy",),
        ("notebook/torch_manual", "backend.dtype=float32"),
        ("notebook/torch_autograd", "backend.dtype=float32"),
        ("notebook/custom_function", "backend.dtype=float32"),
    ]
]


def reproduces(golden, client):
    """The only run of the store has the golden losses, looks and parameters."""
    run = only_run(client)
    losses = dict(history(client, run, "loss/train"))
    assert list(losses) == list(range(golden.every, golden.steps + 1, golden.every))
    assert {step: losses[step] for step in golden.losses} == pytest.approx(golden.losses, rel=golden.rtol, abs=0)
    assert {step: losses[step] for step in golden.loose} == pytest.approx(golden.loose, rel=3e-2, abs=0)
    weights = {name: run.data.metrics[f"weight/{name}"] for name in golden.weights}
    assert weights == pytest.approx(golden.weights, rel=golden.rtol, abs=0)
    assert all(abs(run.data.metrics[f"weight/{name}"]) < 1e-6 for name in golden.zero)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["optimizer/steps"] == golden.steps


@pytest.mark.parametrize(("golden", "args"), CPU)
def test_golden_values_are_in_the_store(cli, store, golden, args):
    assert cli(*args).code == 0
    reproduces(golden, store)


@pytest.mark.parametrize(("golden", "args"), FLOAT64)
def test_golden_values_in_float64_are_in_the_store(cli, store, golden, args):
    assert cli("experiment=notebook/custom_function", "device=cpu", "backend.dtype=float64", *args).code == 0
    reproduces(golden, store)


@pytest.mark.parametrize("name", ["torch_manual", "torch_autograd"])
def test_golden_values_in_float64_belong_to_the_samples_of_the_float32_programs(name):
    experiment = build(composed(f"experiment=notebook/{name}", "backend.dtype=float64"))
    x = torch.linspace(-torch.pi, torch.pi, 4000).double().numpy()  # rounded to float32 first: 2e-7 of the loss
    samples = Samples.of(x, np.sin(x), domain=(-np.pi, np.pi))
    result = fit(samples, experiment.model, loop=experiment.loop, backend=experiment.backend)
    losses = dict(zip(result.history.step.tolist(), result.history.loss.tolist(), strict=True))
    assert {step: losses[step] for step in BC_FLOAT64} == pytest.approx(BC_FLOAT64, rel=1e-9, abs=0)


@pytest.mark.parametrize(("golden", "args"), CUDA)
def test_golden_values_on_cuda_are_in_the_store(cli, store, golden, args):
    assert cli(*args).code == 0
    reproduces(golden, store)
    assert "cuda:0" in only_run(store).data.tags["polyexp.computed_by"]


def test_every_experiment_has_golden_values():
    assert sorted(GOLDEN) == choices("experiment")


@pytest.mark.slow
def test_every_experiment_runs(cli, store):
    names = choices("experiment")
    ended = cli("-m", "experiment=" + ",".join(names), "device=cpu", "loop.steps=2", "loop.log_every=1")
    assert (ended.code, ended.err) == (0, "")
    runs = all_runs(store)
    assert [run.info.run_name.split()[0] for run in runs] == names
    for run in runs:
        assert run.info.status == "FINISHED"
        assert [step for step, _ in history(store, run, "loss/train")] == [1, 2]
        assert math.isfinite(run.data.metrics["loss/final"])


# The config files


OPTIONS = [(group, choice) for group in GROUPS for choice in choices(group)]
# A problem is its target and the target's domain; adaptive rules take larger steps.
OWN = {"problem": {"target", "domain"}, "rmsprop": {"learning_rate"}, "adam": {"learning_rate"}}


@pytest.mark.parametrize(("group", "choice"), OPTIONS)
def test_every_option_composes_and_says_its_defaults(group, choice):
    needed = ["problem.path=data.csv"] if choice == "file" else []
    component = getattr(build(composed(f"{group}={choice}", *needed)), group)
    assert component.choice == choice
    path = conf_dir() / group / f"{choice}.yaml"
    schema, *values = OmegaConf.load(path).items()
    assert schema == ("defaults", [f"/schema/{group}/{type(component).name}"])
    own = OWN.get(group, set()) | OWN.get(choice, set())
    defaults = {
        one.name: one.default if one.default is not MISSING else one.default_factory() for one in fields(component)
    }
    assert {k: v for k, v in values if k not in own} == {k: v for k, v in defaults.items() if k not in own}
    assert dict(values).keys() == defaults.keys()
    lines = path.read_text().splitlines()
    assert lines[0].startswith("# ")
    assert all(" # " in line for line in lines if line.split(":")[0] in defaults)


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
        "problem.domain": [-math.pi, math.pi],
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
