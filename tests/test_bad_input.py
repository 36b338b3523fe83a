"""Wrong input: exit code 2 and one sentence, before anything is recorded or a sweep starts."""

import re
import sqlite3
from contextlib import closing

import pytest
import torch

from polyexp.action import Predict
from polyexp.base import InputError
from polyexp.cli.configs import choices
from tests.helpers.stores import all_runs

ON_WORKERS = ("polyexp_joblib", "polyexp_ray", "polyexp_submitit_local", "polyexp_submitit_slurm")


def files_outside_the_run(folder):
    """Files below `folder` outside the folders of runs and sweeps."""
    below = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return [str(path) for path in below if path.parts[:2] not in {("outputs", "runs"), ("outputs", "sweeps")}]


def unknown(key, hint=""):
    return f"`{key}` is not a setting of this experiment.{hint} `python -m polyexp --cfg job` prints all settings."


def meant(word):
    return f" Did you mean '{word}'?"


def one_of(group, got, hint="", allowed=None):
    return f"`{group}` must be one of {', '.join(allowed or choices(group))}, got {got!r}.{hint}"


def must(key, wanted, got):
    return f"`{key}` must be {wanted}, got {got}."


def no_value(key):
    return f"`{key}` has no value: type `{key}=...`."


def several(word):
    return f"`{word}` lists several values: put -m in front for a sweep, or [...] around them for a list."


def unreadable(word, hint=""):
    return f"`{word}` cannot be read as key=value.{hint}"


def one_choice(group, got):
    return f"`{group}` takes the name of one choice ({', '.join(choices(group))}), got {got!r}."


def kept(key):
    return f"`{key}` cannot be removed: type `{key}=...` to change it."


def not_opened(uri, why, advice="Type `tracking=none` to run without a record."):
    return f"`tracking.uri` must name a store that can be opened, got {uri!r} ({why}). {advice}"


WHOLE, NUMBER = "a whole number", "a number"
POSITIVE = "a finite number above 0"
DRAWN = "a number of samples that can be drawn (at most 1000000000000)"
RATE = f"{POSITIVE}, auto or asymptotic"
FRACTION = "a number from 0 to below 1"
MOMENTUM = f"{FRACTION}, auto or asymptotic"
WIDTH = "[low, high] with high - low from 1e-300 to the largest float64"
HELD = "small enough for float64 to hold the loss at the initial values (at most 1e+300)"
SEED = "a whole number from 0 to 4294967295"
DEGREE = "a whole number from 0 to 1000"
AT_LEAST_ONE = "a whole number of at least 1"
STEPS = "a whole number from 1 to 1000000000000000000"
INTERVAL = "[low, high] with low < high, both finite"
OPTIONAL_INTERVAL = f"null (the problem's) or {INTERVAL}"
EIGHT = "zeros, uniform, normal or a list of 8 finite numbers (w0 ... w7)"
FOUR = "zeros, uniform, normal or a list of 4 finite numbers (a, b, c, d)"
ONE_NUMBER = "one number (a sweep, -m, takes several)"
ANOTHER = " It belongs to "
USAGE = " Settings are typed as key=value; --help lists the options."
NO_AUTOGRAD = "`loop={}` needs autograd, which `backend=numpy` does not offer: type `backend=torch`, or `loop=manual`."
NO_CUDA = (
    f"`device=cuda` needs a CUDA GPU, and torch {torch.__version__} sees none here: type `device=cpu`, or "
    "`device=auto` for a GPU wherever there is one."
)

# One wrong word, or several words that contradict each other, and the error. They are tested in single runs and sweeps.
WRONG = {
    # conf/base holds parts of other files.
    **{typed: unknown("base", " Did you mean 'backend'?") for typed in ("base=loop", "+base=loop")},
    "+base@loop=loop": unknown("base@loop", meant("loop")),
    # names
    "modell=legendre": unknown("modell", meant("model")),
    "modl.degree=3": unknown("modl.degree", meant("model.degree")),
    "model=legendr": one_of("model", "legendr", meant("legendre")),
    "model=": one_of("model", ""),
    "optimizer=Adam": one_of("optimizer", "Adam", meant("adam")),
    "optimizer=sgd": one_of("optimizer", "sgd", meant("gradient_descent")),
    "device=gpu": one_of("device", "gpu", meant("cuda")),
    "problem=tan": one_of("problem", "tan"),
    "problem=../sin": one_of("problem", "../sin", meant("sin")),
    "backend=tensorflow": one_of("backend", "tensorflow"),
    "tracking=mlfow": one_of("tracking", "mlfow", meant("mlflow")),
    "experiment=notebook/nump": one_of("experiment", "notebook/nump", meant("notebook/numpy")),
    "experiment=notebook": one_of("experiment", "notebook", meant("notebook/numpy")),
    "model.degre=3": unknown("model.degre", meant("model.degree")),
    "optimizer.lerning_rate=1": unknown("optimizer.lerning_rate", meant("optimizer.learning_rate")),
    "steps=100": unknown("steps", meant("loop.steps")),
    "loop.seed=1": unknown("loop.seed", meant("seed")),
    "+typo=1": unknown("typo"),
    "++typo=1": unknown("typo"),
    "+sed=1": unknown("sed", meant("seed")),
    "+model.degre=3": unknown("model.degre", meant("model.degree")),
    "+loop.tol.x=1": unknown("loop.tol", meant("loop.tolerance")),
    "optimizer.momentum=0.9": unknown("optimizer.momentum", f"{ANOTHER}`optimizer=momentum`, `optimizer=nesterov`."),
    "tracking=none tracking.uri=x": unknown("tracking.uri", f"{ANOTHER}`tracking=mlflow`."),
    "device.index=0": unknown("device.index", f"{ANOTHER}`device=auto`, `device=cuda`."),
    "model@here=legendre": "A config group takes no package: type `model=legendre`.",
    "hydra/launcher=slurm": one_of("hydra/launcher", "slurm", allowed=["basic", "polyexp", *ON_WORKERS]),
    "model=null": one_choice("model", "null"),
    "model=3": one_choice("model", "3"),
    "model=[legendre,power_series]": one_choice("model", "[legendre,power_series]"),
    "~model": kept("model"),
    "~seed": kept("seed"),
    "model.degree=???": no_value("model.degree"),
    "~model.degree": kept("model.degree"),
    "model.degree=${nothing}": "`model.degree` cannot have this value: Interpolation key 'nothing' not found.",
    # types
    "model.degree=abc": must("model.degree", WHOLE, "'abc'"),
    "model.degree=": no_value("model.degree"),
    "model.degree=3.5": must("model.degree", WHOLE, "'3.5'"),
    "model.degree=null": must("model.degree", WHOLE, "'null'"),
    "model.degree=[1,2]": must("model.degree", WHOLE, "'[1,2]'"),
    "loop.steps=1.5": must("loop.steps", WHOLE, "'1.5'"),
    "loop.steps=true": must("loop.steps", WHOLE, "'true'"),
    "seed=abc": must("seed", WHOLE, "'abc'"),
    "quiet=maybe": must("quiet", "true or false", "'maybe'"),
    "problem.noise=abc": must("problem.noise", NUMBER, "'abc'"),
    "problem.domain=3": must("problem.domain", "a list of numbers", "'3'"),
    "problem.domain=[a,b]": must("problem.domain", "a list of numbers", "'[a,b]'"),
    "problem.domain={a:1}": must("problem.domain", "a list of numbers", "'{a:1}'"),
    "model=legendre_series model.domain=abc": must("model.domain", "a list of numbers", "'abc'"),
    # ranges
    "optimizer.learning_rate=0": must("optimizer.learning_rate", RATE, "0"),
    "optimizer.learning_rate=-1e-6": must("optimizer.learning_rate", RATE, "-1e-06"),
    "optimizer.learning_rate=nan": must("optimizer.learning_rate", RATE, "nan"),
    "optimizer.learning_rate=inf": must("optimizer.learning_rate", RATE, "inf"),
    "optimizer.learning_rate=1e-400": must("optimizer.learning_rate", RATE, "0.0"),
    "optimizer.learning_rate=abc": must("optimizer.learning_rate", RATE, "'abc'"),
    "optimizer.learning_rate=null": must("optimizer.learning_rate", RATE, "None"),
    "optimizer.learning_rate=true": must("optimizer.learning_rate", RATE, "True"),
    "optimizer.learning_rate=[1e-6,1e-7]": must("optimizer.learning_rate", ONE_NUMBER, "[1e-06, 1e-07]"),
    "optimizer=momentum optimizer.momentum=[0.1,0.2]": must("optimizer.momentum", ONE_NUMBER, "[0.1, 0.2]"),
    "optimizer=momentum optimizer.momentum=1": must("optimizer.momentum", MOMENTUM, "1"),
    "optimizer=nesterov optimizer.momentum=-0.1": must("optimizer.momentum", FRACTION, "-0.1"),
    "optimizer=rmsprop optimizer.alpha=2": must("optimizer.alpha", FRACTION, "2"),
    "optimizer=adam optimizer.beta2=nan": must("optimizer.beta2", FRACTION, "nan"),
    "optimizer=adam optimizer.eps=0": must("optimizer.eps", POSITIVE, "0"),
    "loop.steps=0": must("loop.steps", STEPS, "0"),
    "loop.steps=-1": must("loop.steps", STEPS, "-1"),
    "loop.log_every=0": must("loop.log_every", AT_LEAST_ONE, "0"),
    "problem.num_samples=0": must("problem.num_samples", AT_LEAST_ONE, "0"),
    "problem.num_samples=-5": must("problem.num_samples", AT_LEAST_ONE, "-5"),
    "problem.num_samples=99999999999999": must(
        "problem.num_samples", "a number of samples that can be drawn (at most 1000000000000)", "9" * 14
    ),
    "model.degree=1000": "`problem.domain` must have x at which float64 holds the squares of the features of "
    "`model=power_series`, got x from -3.142 to 3.142: type `model=legendre_series`.",
    "model.degree=-1": must("model.degree", DEGREE, "-1"),
    "model.degree=1001": must("model.degree", DEGREE, "1001"),
    "model=legendre model.degree=100000000000000000000": must("model.degree", DEGREE, "1" + "0" * 20),
    "seed=-1": must("seed", SEED, "-1"),
    "seed=4294967296": must("seed", SEED, "4294967296"),
    "problem.domain=[]": must("problem.domain", INTERVAL, "[]"),
    "problem.domain=[1]": must("problem.domain", INTERVAL, "[1.0]"),
    "problem.domain=[1,2,3]": must("problem.domain", INTERVAL, "[1.0, 2.0, 3.0]"),
    "problem.domain=[1,1]": must("problem.domain", INTERVAL, "[1.0, 1.0]"),
    "problem.domain=[2,1]": must("problem.domain", INTERVAL, "[2.0, 1.0]"),
    "problem.domain=[nan,1]": must("problem.domain", INTERVAL, "[nan, 1.0]"),
    "problem.domain=[-inf,inf]": must("problem.domain", INTERVAL, "[-inf, inf]"),
    "problem.domain=[-1e308,1e308]": must("problem.domain", WIDTH, "[-1e+308, 1e+308]"),
    "problem.domain=[-1e300,1e300]": "`problem.domain` must have x at which float64 holds the squares of the features of "
    "`model=power_series`, got x from -9.605e+299 to 9.605e+299: type `model=legendre_series`.",
    "problem=exp problem.domain=[0,1000]": must("problem.domain", "an interval where exp is finite", "[0.0, 1000.0]"),
    "model=legendre_series model.domain=[1,0]": must("model.domain", OPTIONAL_INTERVAL, "[1.0, 0.0]"),
    "model=hermite_series model.domain=[1]": must("model.domain", OPTIONAL_INTERVAL, "[1.0]"),
    "problem.noise=-1": must("problem.noise", "a finite number of at least 0", "-1.0"),
    "problem.noise=inf": must("problem.noise", "a finite number of at least 0", "inf"),
    "problem.noise=1e308": must("problem.noise", "small enough to keep y finite", "1e+308"),
    "problem.sampling=random": one_of("problem.sampling", "random", allowed=["linspace", "uniform", "chebyshev"]),
    "problem.loss=max": one_of("problem.loss", "max", meant("mean"), ["mean", "sum"]),
    "backend.dtype=float16": one_of("backend.dtype", "float16", meant("float64"), ["float64", "float32"]),
    "device.threads=0": must("device.threads", "a whole number from 1 to 1024", "0"),
    "device=auto device.index=-1": must("device.index", "a whole number from 0 to 127", "-1"),
    "model.initial=ones": one_of("model.initial", "ones", "", ["zeros", "uniform", "normal", "a list of numbers"]),
    "model.initial=[1,2]": must("model.initial", EIGHT, "[1, 2]"),
    "model.initial=[1,2,3,4,5,6,7,nan]": must("model.initial", EIGHT, "[1, 2, 3, 4, 5, 6, 7, nan]"),
    "model.initial=[1,2,3,4,5,6,7,a]": must("model.initial", EIGHT, "[1, 2, 3, 4, 5, 6, 7, 'a']"),
    "model.initial=null": must("model.initial", EIGHT, "None"),
    "model=legendre model.initial=[1]": must("model.initial", FOUR, "[1]"),
    "model.initial_scale=1e308": must("model.initial_scale", HELD, "1e+308"),
    "model.initial_scale=inf": must("model.initial_scale", "a finite number", "inf"),
    "tracking.experiment_name=' '": must("tracking.experiment_name", "a name of 1 to 250 characters", "' '"),
    # combinations
    "backend=numpy loop=autograd": NO_AUTOGRAD.format("autograd"),
    "backend=numpy loop=custom_function": NO_AUTOGRAD.format("custom_function"),
    "experiment=tutorial/numpy loop=autograd": NO_AUTOGRAD.format("autograd"),
    "backend=numpy device=cuda": "`device=cuda` does not work with `backend=numpy`, which offers cpu: type `backend=torch`, or "
    "`device=cpu`.",
    # stores that are refused by their address alone
    "tracking.uri=http://127.0.0.1:9": not_opened("http://127.0.0.1:9", "[Errno 111] Connection refused"),
}
# What a sweep does not accept, or reads differently.
WRONG_ALONE = {
    "model.degree=1,2": several("model.degree=1,2"),
    "loop=manual,autograd": several("loop=manual,autograd"),
    "legendre": unreadable("legendre", " Type `model=legendre`."),
    "model.degree='": must("model.degree", WHOLE, '"\'"'),
    "--stepz": f"unrecognized arguments: --stepz.{meant('loop.steps')}{USAGE}",
    "--cfg everything": f"argument --cfg/-c: invalid choice: 'everything' (choose from 'job', 'hydra', 'all').{USAGE}",
    "--config-dir /no/such/folder": "--config-dir must name a folder that exists, got '/no/such/folder'.",
    "hydra.mode=TWICE": must("hydra.mode", "RUN or MULTIRUN", "'TWICE'"),
}
# Sweeps of which only a part is wrong.
WRONG_SWEEPS = {
    "model=legendre,legendr": WRONG["model=legendr"],
    "model.degree=3,-1": WRONG["model.degree=-1"],
    "model.degree=choice(3,abc)": WRONG["model.degree=abc"],
    "seed=range(-1,3)": WRONG["seed=-1"],
    "optimizer.learning_rate=1e-6,nan": WRONG["optimizer.learning_rate=nan"],
    "backend=torch,numpy loop=autograd,manual": NO_AUTOGRAD.format("autograd"),
    "+typo=1,2": WRONG["+typo=1"],
    "problem=exp problem.domain=[0,1],[0,1000]": WRONG["problem=exp problem.domain=[0,1000]"],
    "seed=0,1 hydra.sweeper.max_batch_size=1 model.degree=1,-1": WRONG["model.degree=-1"],
    "seed=range(3,3)": "`seed=range(3,3)` has no values: a range ends before its second number. Type range(0,3) for 0, 1, 2, "
    "and range(3,0,-1) for 3, 2, 1.",
    "model=glob(zz*)": "The sweep has no jobs: a glob matches nothing.",
    "seed=0,1 legendre": WRONG_ALONE["legendre"],
    "seed=0,1 --stepz": WRONG_ALONE["--stepz"],
}


def refused(ended, folder, sentence):
    assert ended == (2, "", f"polyexp: {sentence}\n")
    assert files_outside_the_run(folder) == []


@pytest.mark.parametrize(("words", "sentence"), [*WRONG.items(), *WRONG_ALONE.items()])
def test_a_run_is_refused(bare_cli, tmp_path, words, sentence):
    refused(bare_cli(*typed(words)), tmp_path, sentence)
    assert not list(tmp_path.rglob("result.json"))


SWEPT = [(f"seed=0,1 {words}", sentence) for words, sentence in WRONG.items() if "seed" not in words]


@pytest.mark.parametrize(("words", "sentence"), [*SWEPT[::4], *WRONG_SWEEPS.items()])
def test_a_sweep_is_refused_before_its_first_job(bare_cli, tmp_path, words, sentence):
    refused(bare_cli("-m", *typed(words)), tmp_path, sentence)
    assert not list(tmp_path.glob("outputs/sweeps/*/*/*/"))


def typed(words):
    """Words as a shell splits them, but with their quotes."""
    return words.replace("' '", "'\0'").replace(" ", "\n").replace("\0", " ").split("\n")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU here")
@pytest.mark.parametrize("words", [["device=cuda"], ["device=cuda", "device.index=1"], ["-m", "device=cpu,cuda"]])
def test_cuda_where_there_is_none(bare_cli, tmp_path, words):
    refused(bare_cli(*words), tmp_path, NO_CUDA)


@pytest.mark.parametrize(("count", "there"), [(1, "only GPU 0"), (2, "GPUs 0 to 1")])
def test_a_gpu_that_does_not_exist(bare_cli, tmp_path, monkeypatch, count, there):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: count)
    sentence = f"`device.index` must name a GPU that exists ({there} here), got 2."
    refused(bare_cli("device=cuda", "device.index=2"), tmp_path, sentence)
    refused(bare_cli("-m", "device=cuda", "device.index=0,2"), tmp_path, sentence)


def test_auto_takes_the_cpu_where_there_is_no_gpu(bare_cli, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    ended = bare_cli("device=auto", "loop.steps=1", "tracking=none")
    assert ended.code == 0
    assert ended.out.splitlines()[0].endswith(", float64, cpu")


# Folders and stores that cannot be used


@pytest.mark.parametrize(
    ("in_the_way", "words"),
    [
        ("outputs", []),
        ("outputs/runs", []),
        ("outputs", ["-m", "seed=0,1"]),
        ("outputs/sweeps", ["-m", "seed=0,1"]),
    ],
)
def test_an_output_folder_that_cannot_be_written(bare_cli, tmp_path, in_the_way, words):
    file = tmp_path / in_the_way
    file.parent.mkdir(exist_ok=True)
    file.write_text("")
    ended = bare_cli(*words, "tracking=none")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("polyexp: The output folder cannot be written: [Errno ")
    assert in_the_way in ended.err
    assert ended.err.count("\n") == 1
    assert files_outside_the_run(tmp_path) in ([in_the_way], [])


def folder_in_the_way(path):
    path.mkdir()


def garbage(path):
    path.write_text("this is no database\n" * 100)


def old_schema(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")


def no_place_for_artifacts(path):
    (path.parent / "artifacts").write_text("")


def no_place_for_the_lock(path):
    path.with_name(f"{path.name}.lock").mkdir()


@pytest.mark.parametrize(
    ("break_it", "why", "advice"),
    [
        (folder_in_the_way, "it is a folder", None),
        (garbage, "file is not a database", None),
        (
            old_schema,
            "its revision is 451aebb31d03, that of the installed MLflow {revision}",
            "Back it up and run `mlflow db upgrade {uri}`, or type `tracking=none`.",
        ),
        (no_place_for_artifacts, "{folder}/artifacts is not a folder", None),
        (no_place_for_the_lock, "{folder}/mlflow.db.lock is not the lock of a store", None),
    ],
)
def test_a_store_that_cannot_be_opened(bare_cli, tmp_path, new_store, break_it, why, advice):
    folder = tmp_path / "outputs"
    path = folder / "mlflow.db"
    uri, revision = f"sqlite:///{path}", None
    folder.mkdir()
    if break_it is old_schema:
        new_store(path)
        with closing(sqlite3.connect(path)) as connection:
            ((revision,),) = connection.execute("SELECT version_num FROM alembic_version")
    break_it(path)
    fill = {"uri": uri, "folder": folder, "revision": revision}
    sentence = not_opened(uri, why.format(**fill), *([advice.format(**fill)] if advice else []))
    assert bare_cli("loop.steps=1") == (2, "", f"polyexp: {sentence}\n")
    assert bare_cli("-m", "loop.steps=1,2") == (2, "", f"polyexp: {sentence}\n")
    assert not list(folder.glob("sweeps/*/*/*/"))
    assert bare_cli("loop.steps=1", "tracking=none").code == 0


@pytest.mark.parametrize(
    ("scheme", "driver", "advice"),
    [
        ("postgresql", "psycopg", "type `pip install 'polyexp[postgresql]'`"),
        ("postgresql+psycopg2", "psycopg2", "install it"),
    ],
)
def test_a_driver_that_is_not_installed_is_named(bare_cli, tmp_path, monkeypatch, scheme, driver, advice):
    monkeypatch.setitem(__import__("sys").modules, driver, None)
    sentence = (
        f"`tracking=mlflow` needs a package that cannot be imported (import of {driver} halted; None in sys.modules): "
        f"{advice}, or type `tracking=none`."
    )
    refused(bare_cli(f"tracking.uri='{scheme}://u@127.0.0.1:9/x'"), tmp_path, sentence)


# Config files of the user


@pytest.mark.parametrize(
    ("path", "text", "sentence"),
    [
        (
            "model/mine.yaml",
            "defaults: [/schema/model/power_series]\ndegre: 3\n",
            f"In model/mine.yaml: {unknown('model.degre', meant('model.degree'))}",
        ),
        (
            "model/mine.yaml",
            "defaults: [/schema/model/power_series]\ndegree: x\n",
            f"In model/mine.yaml: {must('model.degree', WHOLE, repr('x'))}",
        ),
        (
            "model/mine.yaml",
            "degree: 3\n",
            "`model` must be described by a component: its file must begin with `defaults: [/schema/model/...]`.",
        ),
        (
            "model/mine.yaml",
            "",
            "`model` must be described by a component: its file must begin with `defaults: [/schema/model/...]`.",
        ),
        (
            "model/mine.yaml",
            "defaults: [/schema/model/power]\n",
            one_of(
                "schema/model",
                "power",
                meant("power_series"),
                ["power_series", "legendre_series", "chebyshev_series", "hermite_series", "legendre"],
            ),
        ),
        (
            "experiment/mine.yaml",
            "# @package _global_\noptimizer: {learning_rte: 1}\n",
            f"In experiment/mine.yaml: {unknown('optimizer.learning_rte', meant('optimizer.learning_rate'))}",
        ),
        (
            "experiment/mine.yaml",
            "optimizer: {learning_rate: 1}\n",
            "In experiment/mine.yaml: The file must begin with the line `# @package _global_`.",
        ),
        (
            "experiment/mine.yaml",
            "# @package _global_\ndefaults: [{override /model: legendr}]\n",
            one_of("model", "legendr", meant("legendre")),
        ),
        ("experiment/mine.yaml", "# @package _global_\nmodel: {degree: -1}\n", must("model.degree", DEGREE, "-1")),
    ],
)
def test_a_config_file_of_ones_own(bare_cli, tmp_path, path, text, sentence):
    file = tmp_path / "outputs" / "runs" / "mine" / path  # where files are not counted
    file.parent.mkdir(parents=True)
    file.write_text(text)
    group = path.partition("/")[0]
    refused(bare_cli("--config-dir", "outputs/runs/mine", f"{group}=mine"), tmp_path, sentence)


def test_a_config_file_that_is_no_yaml(bare_cli, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text("a: [1,\n")
    ended = bare_cli("--config-dir", ".", "model=mine")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("polyexp: A config file is not YAML: ")
    assert 'in "model/mine.yaml", line 2, column 1.\n' in ended.err
    assert ended.err.count("\n") == 1


# Unusual, but allowed

WARNING = "warning: the run diverged; its parameters are those after {}.\n"
OPEN = "warning: {} distinct x cannot determine 8 parameters: what they leave open keeps its initial value.\n"
HOPELESS = (
    "warning: In 2 steps the run will lose less than 1 % of its excess loss. `model=legendre_series "
    "optimizer.learning_rate=auto loop.steps=73` would need 73 steps.\n"
)


@pytest.mark.parametrize(
    ("words", "err"),
    [
        ("problem.num_samples=1 optimizer.learning_rate=auto", OPEN.format(1)),
        ("problem.num_samples=7 optimizer.learning_rate=auto", OPEN.format(7)),
        ("problem.num_samples=8 optimizer.allow_divergence=true", ""),
        ("problem.num_samples=1 model=chebyshev_series optimizer.learning_rate=auto", OPEN.format(1)),
        ("model.degree=0 optimizer.learning_rate=auto", ""),
        ("model=legendre model.degree=0", ""),
        ("problem.domain=[1,1.0000000000000002] model=hermite_series optimizer.learning_rate=auto", OPEN.format(2)),
        ("optimizer.learning_rate=1e300 optimizer.allow_divergence=true", WARNING.format("1 step")),
        ("optimizer.learning_rate=5e-324", HOPELESS),
        ("loop.log_every=100000000000000000000", ""),
        ("model.degree=${device.threads} optimizer.learning_rate=auto", ""),
        ("seed=4294967295", ""),
    ],
)
def test_absurd_values_are_no_errors(cli, store, words, err):
    ended = cli(*words.split(), "loop.steps=2")
    assert (ended.code, ended.err) == (0, err)
    (run,) = all_runs(store)
    assert run.info.status == "FINISHED"
    assert run.data.tags["polyexp.outcome"] == ("DIVERGED" if "diverged" in err else "MAX_STEPS")


@pytest.mark.slow
def test_the_highest_degree_is_no_error(cli, store):
    """How many of its modes rounding hides, and how many steps it needs, depends on the processor."""
    ended = cli("model=chebyshev_series", "model.degree=1000", "loop.steps=2")
    undetermined, hopeless = ended.err.splitlines()
    assert ended.code == 0
    assert re.fullmatch(r"warning: float64 cannot determine \d+ of the 1001 modes .*", undetermined)
    assert hopeless.startswith(
        "warning: In 2 steps the run will lose less than 1 % of its excess loss. `model=legendre_series "
    )
    (run,) = all_runs(store)
    assert (run.info.status, run.data.tags["polyexp.outcome"]) == ("FINISHED", "MAX_STEPS")


REFUSED = "`action` must find something, got nothing."


def refusing(seed):
    """What an action refuses, as one does that finds out only when it is carried out."""

    def check(experiment):
        if experiment.seed >= seed:
            raise InputError(REFUSED)

    return check


@pytest.mark.parametrize(("first", "left"), [(0, []), (1, ["0"])], ids=["every job", "one job"])
def test_what_an_action_refuses_in_a_sweep_is_one_line_a_job(bare_cli, tmp_path, monkeypatch, first, left):
    """Nothing is left of a sweep none of whose jobs has done anything."""
    monkeypatch.setattr(Predict, "__call__", predicting(refusing(first)))
    done = bare_cli("-m", "action=predict", "tracking=none", "seed=0,1", "hydra.sweep.dir=sweeps/mine")
    lines = [line for line in done.err.splitlines() if not line.startswith("Error executing job")]
    assert (done.code, lines) == (2, [f"polyexp: {REFUSED}"] * (2 - first))
    assert f"{first} of 2 jobs done, {2 - first} failed, 0 left" in done.out
    folders = [path.parent.name for path in tmp_path.rglob("polyexp.log")]
    assert folders == left
    assert (tmp_path / "sweeps").exists() == bool(left)


def predicting(check):
    predict = Predict.__call__

    def call(self, experiment, job):
        check(experiment)
        return predict(self, experiment, job)

    return call
