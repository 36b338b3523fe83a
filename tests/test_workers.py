"""Launchers of sweeps whose jobs are run by workers: the slices, the settings, and what is left where a worker dies.

Those of the libraries are in tests/scale.
"""

import csv
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from polyexp.cli import many_workers, workers
from polyexp.cli.launcher import BatchedLauncher
from polyexp.sweep import slices
from tests.helpers.commands import SHORT
from tests.helpers.workers import Forked, InProcess

JOBLIB = "hydra/launcher=polyexp_joblib"
SWEEP = ("-m", *SHORT, "hydra.sweep.dir=outputs/s", JOBLIB, "hydra.launcher.n_jobs=2")
LAUNCHERS = ("polyexp_joblib", "polyexp_submitit_local", "polyexp_submitit_slurm", "polyexp_ray")


@given(st.lists(st.integers(0, 4), max_size=40), st.integers(1, 9))
def test_slices_are_balanced_and_keep_batches_together(keys, count):
    parts = slices(keys, count)
    places = [place for part in parts for place in part]
    assert sorted(places) == list(range(len(keys)))
    assert len(parts) == min(count, len(keys))
    sizes = list(map(len, parts))
    assert not sizes or max(sizes) - min(sizes) <= 1
    groups = [keys[place] for place in places]
    assert groups == sorted(groups, key=keys.index)  # jobs of one key stand side by side, ...
    assert places == sorted(places, key=lambda place: (keys.index(keys[place]), place))  # ... in their order


@pytest.fixture
def workers_of(monkeypatch):
    """Call it with a class of workers: the launcher polyexp_joblib has it."""
    return lambda one: monkeypatch.setattr(many_workers.JoblibLauncher, "workers", one)


def rows_in(folder):
    with (folder / "outputs" / "s" / "sweep.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_workers_run_all_jobs(cli, store, workers_of, tmp_path, monkeypatch):
    told = []
    launch = BatchedLauncher._launched
    monkeypatch.setattr(BatchedLauncher, "_launched", lambda *of: told.extend(launch(*of)) or told)
    workers_of(InProcess)
    ended = cli(*SWEEP, "seed=range(0,3)", "model.degree=2,3")
    assert ended.code == 0, ended.err
    lines = [line.split()[0] for line in ended.out.splitlines() if line.startswith("[")]
    assert lines == [f"[{done}/6]" for done in range(1, 7)]
    jobs = [[word for words in part.jobs.values() for word in words] for part in InProcess.received]
    assert [{word for word in words if word in ("model.degree=2", "model.degree=3")} for words in jobs] == [
        {"model.degree=2"},
        {"model.degree=3"},
    ]
    losses = [json.loads((tmp_path / f"outputs/s/{one}/result.json").read_text())["loss"] for one in range(6)]
    assert [one.return_value for one in told] == losses
    assert OmegaConf.to_yaml(told[1].cfg) == (tmp_path / "outputs/s/1/.hydra/config.yaml").read_text()
    runs = store.search_runs([store.get_experiment_by_name("polyexp").experiment_id])
    parent = next(one for one in runs if one.data.tags.get("polyexp.kind") == "sweep")
    children = [one for one in runs if one is not parent]
    assert {one.info.status for one in runs} == {"FINISHED"}
    assert [one.data.tags["mlflow.parentRunId"] for one in children] == [parent.info.run_id] * 6
    assert sorted(row["run_id"] for row in rows_in(tmp_path)) == sorted(one.info.run_id for one in children)


def test_a_slice_holds_no_password(cli, workers_of, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://me:hunter2@127.0.0.1:9/runs")
    workers_of(InProcess)
    cli(*SWEEP, "seed=1,2", "tracking=none")
    assert [one.store for one in InProcess.received] == ["postgresql://me:***@127.0.0.1:9/runs"] * 2
    assert "hunter2" not in repr(InProcess.received)


@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")  # JAX may be imported in the process of the tests
def test_a_worker_that_dies_loses_its_unfinished_jobs_alone(bare_cli, workers_of, tmp_path, monkeypatch):
    workers_of(Forked)
    monkeypatch.setattr(Forked, "survived", 1)
    ended = bare_cli(*SWEEP, "seed=range(0,6)", "tracking=none")
    assert ended.code == 1
    lines = [line for line in (ended.out + ended.err).splitlines() if line.startswith("[")]
    assert len(lines) == 6
    failed = [line for line in lines if "FAILED" in line]
    assert failed == [f"[{seed + 1}/6] seed={seed} FAILED: its worker has ended" for seed in (1, 2)]
    outcomes = [row["outcome"] for row in rows_in(tmp_path)]
    assert outcomes == ["MAX_STEPS", "KILLED", "FAILED", "MAX_STEPS", "MAX_STEPS", "MAX_STEPS"]
    assert {row["reason"] for row in rows_in(tmp_path)} == {"", "its worker has ended"}
    monkeypatch.setattr(Forked, "survived", 6)
    resumed = bare_cli("sweep.resume=outputs/s")
    assert resumed.code == 0, resumed.err
    assert [line.split()[0] for line in resumed.out.splitlines() if line.startswith("[")] == ["[1/2]", "[2/2]"]
    assert {row["outcome"] for row in rows_in(tmp_path)} == {"MAX_STEPS"}


def test_a_worker_that_cannot_begin_gives_its_reason(bare_cli, workers_of, monkeypatch):
    workers_of(InProcess)

    def failing(part):
        raise OSError("no such folder here")

    monkeypatch.setattr("polyexp.cli.worker._prepare", failing)
    ended = bare_cli(*SWEEP, "seed=1,2", "tracking=none")
    assert ended.code == 1
    assert "[1/2] seed=2 FAILED: OSError: no such folder here" in ended.err.splitlines()


def test_an_action_that_is_no_fit_is_refused(bare_cli, workers_of, tmp_path):
    workers_of(InProcess)
    ended = bare_cli(*SWEEP, "seed=1,2", "action=predict")
    sentence = f"`{JOBLIB}` runs fits alone, and cannot have an action that is no fit: type `hydra/launcher=polyexp`."
    assert (ended.code, ended.err) == (2, f"polyexp: {sentence}\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_an_workers_that_is_not_installed_is_named_with_its_extra(bare_cli, tmp_path, monkeypatch, launcher):
    monkeypatch.setattr(workers, "find_spec", lambda name: None)
    ended = bare_cli("-m", f"hydra/launcher={launcher}", "seed=1,2")
    package = launcher.split("_")[1]
    sentence = f"needs {package}, which is not installed: type `pip install 'polyexp[{package}]'`."
    assert (ended.code, ended.err) == (2, f"polyexp: `hydra/launcher={launcher}` {sentence}\n")
    assert list(tmp_path.iterdir()) == []


def test_slurm_must_be_there(bare_cli, tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "find_spec", lambda name: name)
    monkeypatch.setenv("PATH", str(tmp_path))
    ended = bare_cli("-m", "hydra/launcher=polyexp_submitit_slurm", "seed=1,2")
    assert ended.code == 2
    assert ended.err == (
        "polyexp: `hydra/launcher=polyexp_submitit_slurm` needs Slurm, whose program sbatch is not here: type the command "
        "on a login node of the cluster, or `hydra/launcher=polyexp_submitit_local`.\n"
    )
    assert list(tmp_path.iterdir()) == []


NAME = "must be a name without blanks, slashes and quotes"
REFUSED = {
    "joblib hydra.launcher.n_jobs=0": "must be a whole number from 1 to 10000, or -1 for all processors, got 0.",
    "joblib hydra.launcher.n_jobs=many": "must be a whole number from 1 to 10000, or -1 for all processors, got 'many'.",
    "submitit_local hydra.launcher.mem_gb=0": "must be a positive number, got 0.",
    "submitit_local hydra.launcher.jobs=1.5": "must be a whole number from 1 to 10000, got 1.5.",
    "submitit_slurm hydra.launcher.partition='a --output=/x'": f"{NAME}, got 'a --output=/x'.",
    "submitit_slurm hydra.launcher.account=$(id)": None,
    "submitit_slurm +hydra.launcher.setup=[id]": "cannot be set",
    "submitit_slurm +hydra.launcher.python=id": "cannot be set",
    "submitit_slurm hydra.launcher._target_=os.system": "cannot be set",
    "ray +hydra.launcher.runtime_env={env_vars:{A:b}}": "cannot be set",
    "ray hydra.launcher.address=ray://me:secret@host:1": "must be a number, true, false or a text of one line",
    "ray hydra.launcher.address=http://host": "must be null, auto or the address of a cluster (host:6379), got 'http://host'.",
    "ray hydra.launcher.num_workers=0": "must be a whole number from 1 to 10000, got 0.",
}


@pytest.mark.parametrize(("words", "sentence"), REFUSED.items())
def test_settings_are_held_to_what_they_are(bare_cli, tmp_path, monkeypatch, words, sentence):
    launcher, setting = words.split(" ", 1)
    monkeypatch.setattr(workers, "find_spec", lambda name: name)
    ended = bare_cli("-m", f"hydra/launcher=polyexp_{launcher}", setting, "seed=1,2")
    assert ended.code == 2
    assert len(ended.err.splitlines()) == 1
    key = setting.lstrip("+").partition("=")[0]
    assert ended.err.startswith(f"polyexp: `{key}` {sentence}" if sentence else "polyexp: `")
    assert list(tmp_path.iterdir()) == []
