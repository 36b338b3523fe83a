"""What Hydra itself is asked to do: refused by name, before anything runs, and nothing is left behind."""

import pytest

from tests.helpers.refusals import require_refused

OWN_FOLDER = "must be a folder that is neither the current one nor above it"

# A refused command, by what refuses it: a check of the configuration, of the experiment, of the action, or the action.
LEAVES_NOTHING = {
    "model.degree=-1": "`model.degree` must be",
    "problem.noise=inf": "`problem.noise` must be",
    "problem=file problem.path=missing.csv": "missing.csv",
    "optimizer.learning_rate=1": "`optimizer.learning_rate",
    "backend=numpy loop=autograd": "needs autograd",
    "action=compare tracking=none": "`tracking",
    "hydra.run.dir=": OWN_FOLDER,
    "hydra.run.dir=.": OWN_FOLDER,
    "hydra.run.dir=..": OWN_FOLDER,
    "hydra.run.dir=/": OWN_FOLDER,
    "hydra.run.dir=outputs/..": OWN_FOLDER,
    "-m hydra.sweep.dir= seed=1,2": OWN_FOLDER,
    "-m hydra.sweep.dir=. seed=1,2": OWN_FOLDER,
    "-m model.degree=3,-1": "`model.degree` must be",
    "-m hydra/sweeper=basic model.degree=3,-1": "`model.degree` must be",
    "-m seed=range(0,0)": "`seed=range(0,0)` has no values",
}


@pytest.mark.parametrize(("words", "fragment"), LEAVES_NOTHING.items())
def test_a_refused_command_leaves_nothing_behind(tmp_path, words, fragment):
    assert fragment in require_refused(tmp_path, *words.split())


def test_a_folder_that_existed_before_a_refusal_is_left_with_what_was_in_it(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("")
    require_refused(tmp_path, "hydra.run.dir=mine", "model.degree=-1")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


# Hydra's own options and node, on the command line, and a part of the sentence.
CANNOT = "cannot be set"
NO_FOLDER = "must name a folder that exists"
OTHER_WAY = "belongs into a config file"
FEW = "at most 100000 jobs"
ENVIRONMENT = "must not read the environment"

OPTIONS = {
    # what would run code
    "+hydra.callbacks.x._target_=torch.load": "`hydra.callbacks.x` cannot",
    "+hydra.callbacks.x._target_=pandas.read_pickle": "`hydra.callbacks.x` cannot",
    "+hydra.callbacks.x._target_=numpy.load": "`hydra.callbacks.x` cannot",
    "+hydra.callbacks.x._target_=torch.hub.load": "`hydra.callbacks.x` cannot",
    "+hydra.callbacks.x._target_=sympy.sympify": "`hydra.callbacks.x` cannot",
    "+hydra.callbacks.x={_target_:pathlib.Path.touch}": "`hydra.callbacks.x` cannot",
    "++hydra.callbacks.x._target_=os.system": "`hydra.callbacks.x` cannot",
    "hydra.callbacks={x:{_target_:os.system}}": "`hydra.callbacks.x`",
    "hydra={callbacks:{x:{_target_:os.system}}}": "`hydra.callbacks.x`",
    "hydra/callbacks=mine": "hydra",
    "+hydra/callbacks=mine": "hydra/callbacks",
    "hydra.launcher._target_=os.system": "`hydra.launcher._target_` cannot",
    "+hydra.launcher.x._target_=os.system": "`hydra.launcher.x` cannot",
    "-m seed=1,2 hydra.sweeper._target_=os.system": "`hydra.sweeper._target_` cannot",
    "-m seed=1,2 +hydra.sweeper.x=1": "`hydra.sweeper.x` cannot",
    "hydra.searchpath=[pkg://antigravity]": "`hydra.searchpath`",
    "+hydra.searchpath=[pkg://antigravity]": "`hydra.searchpath`",
    "hydra.searchpath=[file:///tmp]": "`hydra.searchpath`",
    "hydra={searchpath:['pkg://antigravity']}": "hydra.searchpath",
    "--config-path=pkg://antigravity": NO_FOLDER,
    "--config-dir=pkg://antigravity": NO_FOLDER,
    "--experimental-rerun=x.pickle": "--experimental-rerun",
    "--exp=x.pickle": "--experimental-rerun",
    "+_target_=os.system": "`_target_` is not a setting",
    "+model._target_=os.system": "`model._target_` is not a setting",
    "model.initial={_target_:os.system}": "`model.initial` must be",
    # what would write elsewhere
    "+hydra.callbacks.x._target_=numpy.savetxt": "`hydra.callbacks.x` cannot",
    "+hydra.callbacks.x._target_=shutil.copy": "`hydra.callbacks.x` cannot",
    "+hydra.callbacks.x._target_=logging.FileHandler": "`hydra.callbacks.x` cannot",
    "+hydra.job_logging.handlers.x.class=logging.FileHandler": CANNOT,
    "+hydra.hydra_logging.handlers.x.class=logging.FileHandler": CANNOT,
    "hydra.job_logging.root.handlers=[x]": "`hydra.job_logging.root.handlers`",
    "hydra/job_logging=default hydra.job_logging.handlers.file.filename=/tmp/canary": CANNOT,
    "hydra/job_logging=mine": "hydra/job_logging",
    "hydra/job_logging=default hydra.job.name=../../canary": "`hydra.job.name` must be",
    "hydra.job.name=": "`hydra.job.name` must be",
    "hydra.job.name=..": "`hydra.job.name` must be",
    "hydra.job.name=${model}": "`hydra.job.name` must be",
    "hydra.output_subdir=../canary": "`hydra.output_subdir` cannot",
    "hydra.output_subdir=null": "`hydra.output_subdir` cannot",
    "hydra.job.chdir=true": "`hydra.job.chdir` cannot",
    "-m seed=1,2 hydra.sweep.subdir=same": "`hydra.sweep.subdir` must be",
    "-m seed=1,2 hydra.sweep.subdir=": "`hydra.sweep.subdir` must be",
    "-m seed=1,2 hydra.sweep.subdir=../${hydra.job.num}": "`hydra.sweep.subdir` must be",
    "+hydra.runtime.output_dir=canary": CANNOT,
    # what would show the environment
    "tracking.experiment_name=${oc.env:HOME}": f"`tracking.experiment_name` {ENVIRONMENT}",
    "tracking.experiment_name=${oc.decode:${oc.env:HOME}}": "must not read the environment",
    "--cfg=job --resolve tracking.experiment_name=${oc.env:HOME}": ENVIRONMENT,
    "hydra.run.dir=outputs/${oc.env:HOME}": f"`hydra.run.dir` {ENVIRONMENT}",
    "problem=file problem.path=${oc.env:HOME}": ENVIRONMENT,
    "-m seed=1,2 tracking.experiment_name=${oc.env:HOME}": ENVIRONMENT,
    "-m seed=1,2 hydra.sweep.dir=${oc.env:HOME}": ENVIRONMENT,
    "+hydra.job.env_set.HOME=x": "`hydra.job.env_set.HOME` cannot",
    "hydra.job.env_copy=[HOME]": CANNOT,
    "hydra.job.env_copy=[NOTHING_OF_THIS_NAME]": "`hydra.job.env_copy` cannot be set",
    # other settings of Hydra's
    "+hydra.x=1": "`hydra.x` cannot",
    "+hydra.job.num=3": CANNOT,
    "hydra.overrides.task=['seed=4']": "`hydra.overrides` cannot",
    "hydra.help.template=x --help": "`hydra.help.template` cannot",
    "hydra.sweeper=null": "`hydra.sweeper` cannot",
    "-m seed=1,2 hydra.sweeper=null": "`hydra.sweeper` cannot",
    "hydra/launcher=null": "one choice",
    "-m hydra/sweeper=null seed=1,2": "one choice",
    "hydra/launcher=slurm": "`hydra/launcher` must be one of",
    "hydra.verbose={a:1}": "`hydra.verbose` must be",
    "hydra.mode=TWICE": "`hydra.mode` must be",
    "hydra.run.dir=???": "`hydra.run.dir` must be a folder",
    "hydra.run.dir=${nothing}": "nothing",
    "hydra.run.dir=${model}": "model",
    "~hydra": "hydra",
    "~hydra.run": "`hydra.run` cannot be removed",
    "~hydra.launcher": "`hydra.launcher` cannot be removed",
    "-m seed=1,2 hydra.sweeper.max_batch_size=0": "`hydra.sweeper.max_batch_size` must be",
    "-m seed=1,2 hydra.sweeper.max_batch_size=-1": "`hydra.sweeper.max_batch_size` must be",
    "-m hydra.sweeper.params={seed:'1,2'}": OTHER_WAY,
    "-m +hydra.sweeper.params.seed='1,2'": OTHER_WAY,
    "-m hydra.sweeper.params={hydra.callbacks.x._target_:os.system}": OTHER_WAY,
    "-m seed=1,2 hydra.run.dir=a,b": "hydra.run.dir=a,b",
    "-m +hydra.launcher.x=1,2": "hydra.launcher.x=1,2",
    # Hydra's options
    "--config-dir=": NO_FOLDER,
    "--config-dir=nowhere": NO_FOLDER,
    "--config-path=": NO_FOLDER,
    "--config-path=nowhere": NO_FOLDER,
    "--config-name=": "primary config",
    "--config-name=nothere": "primary config",
    "--config-name=../config": "--config-name must be the name of a file",
    "--config-name=model/legendre": "--config-name must be the name of a file",
    "--config-name=" + "x" * 5000: "--config-name must be the name of a file",
    "--config-dir=" + "x" * 5000: NO_FOLDER,
    "--cfg job -p x": "--package must name a part of the configuration that has a value, got 'x'.",
    "--cfg job -p hydra": "--package must name a part",
    "--cfg job -p a..b": "--package must name a part",
    "--cfg hydra -p seed": "--package must name a part",
    "-p x": "--package belongs to --cfg.",
    "-sc install=bash --cfg job": "Only one of",
    "hydra.run.dir=[a]": "`hydra.run.dir` must be a folder, got '[a]'.",
    "-m action=compare tracking=none": "type `tracking=mlflow`",
    "--resolve": "--resolve",
    "-m --cfg job": "Only one of",
    "--run --info": "Only one of",
    "--info nothing": "--info",
    "-sc": "subcommand",
    "-sc install=nothing": "nothing",
    "-sc query=bash": "cannot be printed",
    # without end
    "problem=file problem.path=aaaa problem.x=" + "${problem.path}" * 30: "at most 20 interpolations (${...}), got ",
    "problem=file problem.path=aaaa "
    + " ".join(
        f"problem.{key}={f'${{problem.{of}}}' * 8}"
        for of, key in (("path", "x"), ("x", "y"), ("y", "weight"), ("weight", "comment"), ("comment", "encoding"))
    ): "at most 20 interpolations",
    "-m seed=1,2 hydra.sweep.dir=" + "${hydra.sweep.subdir}" * 30: "at most 20 interpolations",
    "-m seed=range(0,10000000)": FEW,
    "-m seed=range(0,10000) model.degree=range(0,10000)": FEW,
    "-m seed=shuffle(range(0,10000000))": FEW,
    "-m seed=sort(range(0,10000000))": FEW,
    "-m seed=range(0,1,0)": FEW,
    "-m seed=range(0,inf)": FEW,
    "-m seed=interval(0,3)": "needs a sweeper that draws from intervals",
    "model.initial=" + "[" * 3000 + "]" * 3000: "nested at most 50 deep",
    "model.initial=" + "{a:" * 3000 + "1" + "}" * 3000: "nested at most 50 deep",
    "model.initial=[" + "1," * 100_000 + "1]": "at most 50000 characters",
    "-m model.initial=" + "[" * 3000: "nested at most 50 deep",
}


@pytest.mark.parametrize(("words", "fragment"), OPTIONS.items(), ids=[words[:70] for words in OPTIONS])
def test_an_option_of_hydra_is_refused(tmp_path, words, fragment):
    assert fragment in require_refused(tmp_path, *words.split())


@pytest.fixture
def canary(tmp_path):
    """Config files that write the file `canary` where Hydra acts on them, in a folder of their own."""
    touch = f"{{_target_: pathlib.Path.touch, self: {{_target_: pathlib.Path, _args_: ['{tmp_path}/canary']}}}}"
    handler = f"{{class: logging.FileHandler, filename: '{tmp_path}/canary'}}"
    logging = f"version: 1\nroot: {{handlers: [x]}}\nhandlers: {{x: {handler}}}\n"
    for name, text in {
        "config.yaml": f"defaults: [/schema/config, _self_]\nhydra: {{callbacks: {{x: {touch}}}}}\n",
        "mine.yaml": f"defaults: [config, _self_]\nhydra: {{callbacks: {{x: {touch}}}}}\n",
        "paths.yaml": "defaults: [config, _self_]\nhydra: {searchpath: ['pkg://antigravity']}\n",
        "experiment/callback.yaml": f"# @package _global_\nhydra: {{callbacks: {{x: {touch}}}}}\n",
        "experiment/handler.yaml": f"# @package _global_\nhydra: {{hydra_logging: {{handlers: {{x: {handler}}}}}}}\n",
        "model/mine.yaml": f"# @package hydra.callbacks\nx: {touch}\n",
        "hydra/callbacks/mine.yaml": f"x: {touch}\n",
        "hydra/hydra_logging/mine.yaml": logging,
        "hydra/job_logging/mine.yaml": logging,
        "hydra/launcher/polyexp.yaml": f"_target_: hydra_plugins.polyexp_plugins.BatchedLauncher\nx: {touch}\n",
        "hydra/env/mine.yaml": f"# @package _global_\nhydra: {{callbacks: {{x: {touch}}}}}\n",
    }.items():
        (tmp_path / "files" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "files" / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        ("--config-dir=files experiment=callback", "`hydra.callbacks.x` cannot"),
        ("--config-dir=files experiment=handler", "`hydra.hydra_logging.handlers.x` cannot"),
        ("--config-dir=files --help experiment=callback", "`hydra.callbacks.x` cannot"),
        ("--config-dir=files --hydra-help hydra/callbacks=mine", "hydra/callbacks"),
        ("--config-dir=files --hydra-help +hydra/callbacks=mine", "hydra/callbacks"),
        ("--config-dir=files -m seed=1,2 experiment=callback", "`hydra.callbacks.x` cannot"),
        ("--config-dir=files -m experiment=callback,handler", "cannot be set"),
        ("--config-dir=files model=mine", "cannot"),
        ("--config-dir=files -m model=power_series,mine", "cannot"),
        ("--config-dir=files +hydra/callbacks=mine", "hydra/callbacks"),
        ("--config-dir=files hydra/hydra_logging=mine", "`hydra/hydra_logging` must be one of"),
        ("--config-dir=files hydra/job_logging=mine", "`hydra/job_logging` must be one of"),
        ("--config-dir=files hydra/env=mine", "hydra/env"),
        ("--config-dir=files", "`hydra.launcher.x` cannot be set"),
        ("--config-path=files", "cannot be set"),
        ("--config-dir=files --config-name=mine", "cannot be set"),
        ("--config-dir=files --config-name=paths", "`hydra.searchpath`"),
    ],
)
@pytest.mark.filterwarnings(
    r"ignore:\s*'hydra/launcher/polyexp' is validated"
)  # Hydra's, for a file with a schema's name
def test_config_files_cannot_run_code(canary, words, fragment):
    if words != "--config-dir=files":
        (canary / "files" / "hydra" / "launcher" / "polyexp.yaml").unlink()
    assert fragment in require_refused(canary, *words.split())


def test_the_canary_would_be_written(canary):
    """Otherwise the test above would pass whatever is loaded."""
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    instantiate(OmegaConf.load(canary / "files" / "hydra" / "callbacks" / "mine.yaml"))
    assert (canary / "canary").exists()


@pytest.mark.parametrize(
    "words",
    [
        "hydra.run.dir=mine hydra.verbose=[a,b] hydra.job.name=other",
        "-m seed=1,2 hydra.sweep.dir=mine hydra.sweep.subdir=job-${hydra.job.num} hydra.sweeper.max_batch_size=1",
        "-m seed=1,2 hydra/sweeper=basic hydra/hydra_logging=disabled",
        "--config-dir=files experiment=sweep",
    ],
)
def test_what_is_allowed_works(bare_cli, tmp_path, words):
    (tmp_path / "files" / "experiment").mkdir(parents=True)
    text = "# @package _global_\nhydra: {mode: MULTIRUN, sweeper: {params: {seed: '1,2'}}}\n"
    (tmp_path / "files" / "experiment" / "sweep.yaml").write_text(text)
    ended = bare_cli(*words.split(), "tracking=none", "backend=numpy", "loop.steps=2")
    assert (ended.code, ended.err) == (0, "")
    assert len(list(tmp_path.rglob("result.json"))) == (1 if "run.dir" in words else 2)
