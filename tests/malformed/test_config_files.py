"""Config files that are malformed or hostile: one sentence, nothing executed, nothing written, bounded time and memory."""

import pytest

from tests.helpers.refusals import require_refused

GLOBAL = "# @package _global_\n"
MODEL = "defaults: [/schema/model/power_series]\n"
# So that a file that is wrongly accepted costs little.
QUICK = ("tracking=none", "backend=numpy", "loop.steps=2", "report.pictures=none")
CANNOT = "cannot be set"
KEYS = "In experiment/mine.yaml: A config file, and `hydra` in it, must hold keys with values"


def bomb(levels, width):
    """A file whose aliases stand for width^levels values, in a few hundred bytes."""
    lines = ["a0: &a0 [1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines)


# Experiment files, which are read with `experiment=mine`, and a part of the sentence.
EXPERIMENTS = {
    # not YAML
    "[1, 2": "not YAML",
    "a: b: c": "not YAML",
    "\tseed: 1": "not YAML",
    "seed: !!python/object/apply:os.system [id]": "not YAML",
    "seed: !!python/name:os.system": "not YAML",
    "seed: !mine 3": "not YAML",
    "seed: *nowhere": "not YAML",
    "seed: 1\nseed: 2": "not YAML",
    "seed: 'open": "not YAML",
    "%TAG": "not YAML",
    "--- {}\n--- {}": "not YAML",
    "model:\n\tdegree: 3": 'in "experiment/mine.yaml", line 3',
    "model: {<<: 3}": 'in "experiment/mine.yaml", line 2',
    "seed: 3\x00": 'in "experiment/mine.yaml", position ',
    # not keys with values
    "- seed": KEYS,
    "seed": "`seed` must be a whole number, got 'null'",
    "3": KEYS,
    "!!set {a, b}": KEYS,
    "1: 2": "`1` is not a setting",
    "null: 2": "In experiment/mine.yaml: Incompatible key type 'NoneType'.",
    "true: 2": "`True` is not a setting",
    "? [a, b]\n: c": "not YAML: while constructing a mapping",
    # keys and values
    "sed: 1": "`sed` is not a setting",
    "seed:3": "`seed:3` is not a setting of this experiment. Did you mean 'seed'?",
    "model.degree: 3": "`model.degree` is written as `model: {degree: ...}` in a config file.",
    "model: {degre: 3}": "`model.degre` is not a setting",
    "seed: 1.5": "`seed` must be a whole number",
    "seed: [1]": "`seed` must be a whole number",
    "seed: {a: 1}": "`seed` must be a whole number",
    "seed: null": "`seed` must be a whole number",
    "seed: 2026-01-01": "`seed` must be a whole number",
    "quiet: maybe": "`quiet` must be true or false",
    "model: 3": "one choice",
    "model: null": "`model` has no value",
    "model: [legendre]": "one choice",
    "model: {degree: x}": "`model.degree` must be a whole number",
    "model: {degree: -1}": "`model.degree` must be",
    "model: {initial: {_target_: os.system}}": "`model.initial` must be",
    "model: {_target_: os.system}": "`model._target_` is not a setting",
    "_target_: os.system": "`_target_` is not a setting",
    "problem: {domain: 3}": "`problem.domain`",
    "problem: {domain: [0, {}]}": "`problem.domain` must be",
    "seed: ${nothing}": "`seed` cannot have this value: Interpolation key 'nothing' not found",
    "seed: ${seed}": "`seed` cannot have this value: Recursive interpolation",
    "seed: ${nothing:x}": "`seed` cannot have this value: Unsupported interpolation type nothing",
    "seed: ${": "`seed` cannot have this value: no viable alternative",
    "model: {initial: '${oc.env:HOME}'}": "must not read the environment",
    "model: {initial: '${oc.decode:\"${oc.env:HOME}\"}'}": "must not read the environment",
    "model: {initial: '${oc.decode:${oc.env:HOME}}'}": "must not read the environment",
    # includes
    "defaults: 3": "defaults must be a list",
    "defaults: {model: legendre}": "defaults must be a list",
    "defaults: [3]": "In experiment/mine.yaml: Unsupported type in defaults : int.",
    "defaults: [[a]]": "In experiment/mine.yaml: Unsupported type in defaults : ListConfig.",
    "defaults: [{a: {b: c}}]": "In experiment/mine.yaml: Unsupported item value in defaults : dict. Supported: string or list.",
    "defaults: [{override /model: legendr}]": "`model` must be one of",
    "defaults: [{override /model: ../model/legendre}]": "`model` must be the name of a choice, got '../model/legendre'",
    "defaults: [{/model: legendre}]": "use 'override model: legendre'",
    "defaults: [{override /nothing: x}]": "`nothing` is not a setting",
    "defaults: [/nothing/here]": "`nothing` is not a setting",
    "defaults: [mine]": "includes itself",
    "defaults: [/experiment/mine]": "includes itself",
    "defaults: [other]": "includes itself",
    "defaults: [{override /model: '${oc.env:HOME}'}]": "must not read the environment",
    "defaults: [_self_, _self_]": "Duplicate _self_",
    # what is too large
    bomb(9, 9): "at most 10000 values",
    bomb(40, 2): "at most 10000 values",
    "a: &a [*a]": "contains itself",
    "a: &a {b: *a}": "contains itself",
    "a: " + "[" * 3000 + "]" * 3000: "nested at most 50 deep",
    "a: " + "{b: " * 3000 + "1" + "}" * 3000: "nested at most 50 deep",
    "a: [" + "1, " * 20_000 + "]": "at most 10000 values",
    "a: '" + "x" * 200_000 + "'": "at most 100000 bytes",
    "seed: " + "9" * 5000: "In experiment/mine.yaml: Exceeds the limit (4300 digits)",
    # Hydra's own node
    "hydra: {callbacks: {x: {_target_: torch.load}}}": CANNOT,
    "hydra: {job_logging: {root: {handlers: [x]}, handlers: {x: {class: logging.FileHandler, filename: canary}}}}": CANNOT,
    "hydra: {job_logging: {handlers: {x: {(): pathlib.Path.touch}}}}": CANNOT,
    "hydra: {hydra_logging: {handlers: {x: {class: logging.FileHandler, filename: canary}}}}": CANNOT,
    "hydra: {hydra_logging: {formatters: {simple: {(): os.getcwd}}}}": CANNOT,
    "hydra: {searchpath: ['pkg://antigravity']}": "hydra.searchpath",
    "hydra: {job: {env_set: {A: b}}}": CANNOT,
    "hydra: {job: {env_copy: [HOME]}}": CANNOT,
    "hydra: {job: {env_copy: [NOTHING_OF_THIS_NAME]}}": "`hydra.job.env_copy` cannot be set",
    "hydra: {job: {chdir: true}}": CANNOT,
    "hydra: {job: {name: ../../canary}}": "`hydra.job.name` must be",
    "hydra: {output_subdir: ../canary}": CANNOT,
    "hydra: {launcher: {_target_: os.system}}": CANNOT,
    "hydra: {launcher: {x: {_target_: os.system}}}": "`hydra.launcher.x`",
    "hydra: {sweeper: {_target_: os.system}}": CANNOT,
    "hydra: {sweeper: {params: {seed: {_target_: os.system}}}}": "`hydra.sweeper.params` must be keys with values",
    "hydra: {sweeper: {max_batch_size: 0}}": "`hydra.sweeper.max_batch_size` must be",
    "hydra: {sweeper: null}": CANNOT,
    "hydra: {launcher: null}": CANNOT,
    "hydra: {run: {dir: ''}}": "neither the current one",
    "hydra: {run: {dir: '${oc.env:HOME}/canary'}}": "must not read the environment",
    "hydra: {run: null}": "`hydra.run` must be",
    "hydra: {mode: TWICE}": "`hydra.mode` must be RUN or MULTIRUN, got 'TWICE'.",
    "hydra: {nothing: 1}": "`hydra.nothing` is not a setting",
    "hydra: 3": KEYS,
    "hydra: null": KEYS,
    "hydra: {help: {template: x}}": CANNOT,
    "hydra: {runtime: {output_dir: canary}}": CANNOT,
    "hydra: {overrides: {task: [seed=3]}}": "hydra.overrides",
    "defaults: [{override /hydra/launcher: mine}]": "`hydra/launcher` must be one of",
    "defaults: [{override /hydra/callbacks: mine}]": "`hydra/callbacks` must be",
    "defaults: [{/hydra/mine: mine}]": "`hydra.mine` is not a setting",
    "defaults: [/model/inhydra]": CANNOT,
    "hydra: {mode: MULTIRUN, sweeper: {params: {seed: '1,-2'}}}": "`seed` must be",
    "hydra: {mode: MULTIRUN, sweeper: {params: {seed: '['}}}": "seed=[",
    "hydra: {mode: MULTIRUN, sweeper: {params: {seed: 'range(0,10000000)'}}}": "at most 100000 jobs",
    "hydra: {mode: MULTIRUN, sweeper: {params: {seed: 'range(3,0)'}}}": "`seed=range(3,0)` has no values",
    "hydra: {mode: MULTIRUN, sweeper: {params: {seed: 'ranges(0,3)'}}}": "Did you mean 'range'?",
    "hydra: {mode: MULTIRUN, sweeper: {params: {seed: 'linspace(0,1)'}}}": "type linspace(first,last,number)",
    "hydra: {mode: MULTIRUN, sweeper: {params: {seed: 'interval(0,1)'}}}": "needs a sweeper that draws from intervals",
    "hydra: {mode: MULTIRUN, sweeper: {params: {seed: '1,range(2,4)'}}}": "is a sweep within a sweep",
    "hydra: {mode: MULTIRUN, sweeper: {params: {optimizer.momentum: '0.8,0.9'}}}": "`optimizer.momentum` is not a setting",
    "hydra: {mode: MULTIRUN, sweeper: {params: {sweep.zip: '[seed]'}}}": "`sweep.zip` is not a setting of jobs",
    "sweep: {zip: [seed]}": "`sweep.zip` belongs to a sweep: put -m in front",
    "sweep: {resume: outputs}": "`sweep.resume` belongs to a sweep: put -m in front",
    "sweep: {zip: [seed]}\nhydra: {mode: MULTIRUN}": "`sweep.zip` names `seed`, which does not have several values",
    "sweep: {zip: [1]}\nhydra: {mode: MULTIRUN}": "`sweep.zip` names `1`, which is no setting.",
    "sweep: {zip: seed}\nhydra: {mode: MULTIRUN}": "`sweep.zip`",
    "sweep: {zip: null}\nhydra: {mode: MULTIRUN}": "`sweep.zip`",
    "sweep: null\nhydra: {mode: MULTIRUN}": "`sweep`",
    "hydra: {mode: MULTIRUN, sweeper: {params: {hydra.callbacks.x._target_: os.system}}}": "hydra.callbacks",
    "hydra: {mode: MULTIRUN, sweeper: {params: {+hydra.callbacks.x._target_: os.system}}}": "hydra.callbacks",
    "hydra: {mode: MULTIRUN, sweeper: {params: {hydra.run.dir: '1,2'}}}": "hydra.run.dir",
}


@pytest.fixture
def folder(tmp_path):
    """A folder with config files, and `write`, which adds an experiment file."""
    for name, text in {
        "experiment/other.yaml": f"{GLOBAL}defaults: [mine]\n",
        "model/inhydra.yaml": "# @package hydra.callbacks.x\n_target_: os.system\n",
        "hydra/launcher/mine.yaml": "_target_: os.system\n",
        "hydra/launcher/basic.yaml": "_target_: os.system\n",
        "hydra/callbacks/mine.yaml": "x: {_target_: os.system}\n",
        "hydra/job_logging/mine.yaml": "version: 1\nroot: {handlers: []}\n",
        "hydra/mine/mine.yaml": "a: 1\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(("text", "fragment"), EXPERIMENTS.items(), ids=[text[:60] for text in EXPERIMENTS])
def test_an_experiment_file_is_refused(folder, text, fragment):
    (folder / "experiment" / "mine.yaml").write_text(f"{GLOBAL}{text}\n")
    (folder / "hydra" / "launcher" / "basic.yaml").unlink()
    assert fragment in require_refused(folder, "--config-dir=.", "experiment=mine", *QUICK)


def test_a_byte_order_mark_is_named(tmp_path):
    """After one Hydra does not find the line that names the package."""
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(f"{GLOBAL}seed: 3\n", encoding="utf-8-sig")
    assert "without a byte order mark" in require_refused(tmp_path, "--config-dir=.", "experiment=mine", *QUICK)


def test_an_error_names_the_file_without_its_folders(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(f"{GLOBAL}a: b: c\n")
    assert str(tmp_path) not in require_refused(tmp_path, "--config-dir=.", "experiment=mine", *QUICK)
