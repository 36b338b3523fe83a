"""The command line: what it prints, what it runs, what it imports, and how other packages extend it."""

import json
import os
import re
from importlib.metadata import EntryPoint

import pytest

from polyexp.base import version
from polyexp.cli.configs import choices
from polyexp.experiment import GROUPS
from polyexp.tracking.store import open_store
from tests.helpers.commands import MAIN, POLYEXP, loaded_by, run, start
from tests.helpers.stores import all_runs, only_run, sweeps

RATE = "optimizer.learning_rate=5e-4"
QUICK = ("backend=numpy", "problem.num_samples=20", "model.degree=3", RATE, "loop.steps=2", "tracking=none")


# What a run prints

PRINTED = """\
Fitting power_series to 4000 samples of sin (reduced to 8 weighted samples) on numpy VERSION, float64, cpu
learning_rate=1e-06 is stable (limit 1.616e-06); after 400 steps the loss will be 84.31 \
(best possible: 2.461e-08); the slowest mode needs 6.7e+07 steps.
Loss at   200 iteration: 98.422
Loss at   400 iteration: 84.372

y = 0.5461 + 0.706 x + 0.59 x^2 + 0.5004 x^3 + 0.3485 x^4 + 0.4296 x^5 - 0.05154 x^6 - 0.05825 x^7

  parameter   value
 ────────────────────────────
  w0           0.5460842437
  w1           0.7059761361
  w2           0.5899614571
  w3           0.5004466803
  w4           0.3485203926
  w5           0.4296060944
  w6          -0.05154020794
  w7          -0.0582464908

MAX_STEPS after 400 steps, loss 84.3081. All steps were taken.
That is 84.31 above the best possible loss of this model, 2.461e-08.
At this learning rate it takes 8.8e+07 steps to come within 2.5e-10 of the best loss.
`model=legendre_series optimizer.learning_rate=auto` would need 77 steps.

Files in FOLDER
Recorded in URI as numpy steps=400 (RUN)
Open it with: `MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false mlflow server --workers 1 --backend-store-uri URI`
http://127.0.0.1:5000/#/experiments/1/runs/RUN?workflowType=machine_learning
All runs side by side: http://127.0.0.1:5000/#/experiments/1/runs?workflowType=machine_learning&viewStateShareKey=polyexp
"""


@pytest.mark.parametrize("more", [(), ("model=legendre",), ("-m", "seed=1,2")])
def test_the_version_is_one_line(tmp_path, more):
    ended = run("--version", *more, cwd=tmp_path, env={"COLUMNS": "40"})
    assert ended == (0, f"polyexp {version.described()}\n", "")
    assert list(tmp_path.iterdir()) == []


def test_a_run_prints_its_losses_formula_table_outcome_and_where_it_is(cli, store, tmp_path):
    ended = cli("backend=numpy", "loop.steps=400")
    run = only_run(store)
    (folder,) = (tmp_path / "outputs" / "runs").glob("*/*")
    text = "".join(f"{line.rstrip()}\n" for line in ended.out.splitlines())
    for found, name in {
        str(folder.relative_to(tmp_path)): "FOLDER",
        f"sqlite:///{tmp_path}/outputs/mlflow.db": "URI",
        run.info.run_id: "RUN",
    }.items():
        text = text.replace(found, name)
    assert (ended.code, ended.err) == (0, "")
    assert re.sub(r"numpy \d\S*,", "numpy VERSION,", text) == PRINTED
    assert (folder / "polyexp.log").read_text().splitlines()[2] == "Loss at   200 iteration: 98.422"


def test_other_models_show_their_powers_of_x(bare_cli):
    ended = bare_cli(*QUICK, "model=legendre", "model.initial=[1,2,0.5,1]", "optimizer.learning_rate=1e-30")
    rows = [line.split() for line in ended.out.splitlines() if re.match(r"  (a|b|c|d) ", line)]
    assert rows == [
        ["a", "1", "0.125", "x^0"],
        ["b", "2", "0.75", "x^1"],
        ["c", "0.5", "7.5", "x^2"],
        ["d", "1", "5", "x^3"],
    ]
    assert "\ny = 1 + 2 P3(z), z = 0.5 + x\n" in ended.out


def test_quiet_prints_nothing(cli, store):
    assert cli(*QUICK[:-1], "quiet=true") == (0, "", "")
    assert only_run(store).info.status == "FINISHED"


def test_quiet_still_warns(bare_cli):
    ended = bare_cli(*QUICK, "quiet=true", "problem.num_samples=2")
    left_open = "what they leave open keeps its initial value"
    assert ended == (0, "", f"warning: 2 distinct x cannot determine 4 parameters: {left_open}.\n")


def test_without_a_tracker_nothing_but_the_folder_is_written(bare_cli, tmp_path):
    ended = bare_cli(*QUICK)
    (folder,) = (tmp_path / "outputs" / "runs").glob("*/*")
    assert ended.out.splitlines()[-1] == f"Files in {folder.relative_to(tmp_path)}"
    assert [path.name for path in (tmp_path / "outputs").iterdir()] == ["runs"]
    assert sorted(path.name for path in folder.iterdir()) == [
        ".hydra",
        "config.yaml",
        "history.csv",
        "journal.jsonl",
        "polyexp.log",
        "result.json",
    ]


def test_runs_of_one_second_have_folders_of_their_own(bare_cli, tmp_path):
    for _ in range(4):  # at 0.2 seconds each, two of them begin in the same second
        assert bare_cli(*QUICK).code == 0
    assert len(list((tmp_path / "outputs" / "runs").glob("*/*"))) == 4


@pytest.mark.slow
def test_a_run_goes_on_when_its_reader_leaves(tmp_path, new_store):
    uri = new_store(tmp_path / "outputs" / "mlflow.db")
    words = [*QUICK[:-2], "loop.steps=3000", "loop.log_every=10"]
    with start([*POLYEXP, *words], cwd=tmp_path) as process:
        assert process.stdout.readline().startswith("Fitting power_series to 20 samples")
        process.stdout.close()
        assert (process.wait(timeout=120), process.stderr.read()) == (0, "")
    run = only_run(open_store(uri).client)
    assert (run.info.status, run.data.metrics["optimizer/steps"]) == ("FINISHED", 3000)


# Hydra's options

ADAM = ("learning_rate", "beta1", "beta2", "eps")


def test_help_lists_every_group_and_choice(bare_cli):
    ended = bare_cli("--help")
    assert (ended.code, ended.err) == (0, "")
    sections = re.split(r"\n  (?=\w)", ended.out.partition("Groups and their choices:")[2].partition("\n\n")[0])
    listed = {group: re.split(r",\s+", words.strip()) for group, words in (one.split(None, 1) for one in sections[1:])}
    assert listed == {group: choices(group) for group in (*GROUPS, "experiment")}
    assert max(map(len, ended.out.splitlines())) <= 120


def test_cfg_job_prints_the_configuration_and_runs_nothing(bare_cli, tmp_path):
    ended = bare_cli("model=legendre", "--cfg", "job")
    assert (ended.code, ended.err) == (0, "")
    assert "model:\n  initial: uniform\n  initial_scale: 1.0\n  degree: 3\nloop:\n" in ended.out
    assert "hydra" not in ended.out
    assert not list(tmp_path.iterdir())


def test_info_defaults_says_how_it_was_composed(bare_cli, tmp_path):
    ended = bare_cli("experiment=notebook/numpy", "--info", "defaults")
    assert (ended.code, ended.err) == (0, "")
    for config in ("schema/problem/target", "problem/sin", "backend/numpy", "experiment/notebook/numpy"):
        assert f"| {config} " in ended.out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("model=", {f"model={choice}" for choice in choices("model")}),
        ("model=leg", {"model=legendre", "model=legendre_series"}),
        ("optimizer.", {"optimizer.learning_rate=", "optimizer.allow_divergence="}),
        ("optimizer=adam optimizer.", {f"optimizer.{name}=" for name in ADAM}),
        ("-m loop=manual device=c", {"device=cpu", "device=cuda"}),
    ],
)
def test_the_shell_completes(bare_cli, monkeypatch, typed, offered):
    line = f"polyexp {typed}"
    monkeypatch.setenv("COMP_LINE", line)
    monkeypatch.setenv("COMP_POINT", str(len(line)))
    ended = bare_cli("-sc", "query=bash")
    assert (ended.code, ended.err) == (0, "")
    assert set(ended.out.split()) == offered


def test_the_completion_that_is_installed_asks_the_console_script(bare_cli):
    ended = bare_cli("-sc", "install=bash")
    assert ended.code == 0
    assert "complete " in ended.out


# Sweeps


def test_a_sweep_runs_every_combination_under_one_tag(cli, store, tmp_path):
    loops, rates = ["manual", "autograd", "custom_function"], ["1e-7", "1e-6"]
    ended = cli("-m", f"loop={','.join(loops)}", f"optimizer.learning_rate={','.join(rates)}", "loop.steps=20")
    assert (ended.code, ended.err) == (0, "")
    runs = all_runs(store)
    typed = [(run.data.params["loop"], run.data.params["optimizer.learning_rate"]) for run in runs]
    assert typed == [(loop, str(float(rate))) for loop in loops for rate in rates]
    (folder,) = (tmp_path / "outputs" / "sweeps").glob("*/*")
    assert {run.data.tags["polyexp.sweep"] for run in runs} == {f"{folder.parent.name}/{folder.name}"}
    (parent,) = sweeps(store)
    assert {run.data.tags["mlflow.parentRunId"] for run in runs} == {parent.info.run_id}
    assert [run.data.tags["polyexp.output_folder"] for run in runs] == [str(folder / str(n)) for n in range(6)]
    losses = [json.loads((folder / str(n) / "result.json").read_text())["loss"] for n in range(6)]
    assert losses == pytest.approx(losses[:2] * 3, rel=1e-11)
    assert losses[0] > losses[1]
    assert len({run.data.tags["polyexp.fingerprint"] for run in runs}) == 6


@pytest.mark.parametrize("flag", ["-m", "--multirun"])
def test_the_sweep_flag_may_stand_anywhere(bare_cli, tmp_path, flag):
    assert bare_cli("seed=1", *QUICK, flag, "model.degree=1,2").code == 0
    written = [json.loads(file.read_text()) for file in (tmp_path / "outputs" / "sweeps").rglob("result.json")]
    assert sorted(one["config"]["model.degree"] for one in written) == [1, 2]
    assert {one["config"]["seed"] for one in written} == {1}


# What is imported


@pytest.mark.parametrize("args", [QUICK, ("-m", *QUICK, "seed=0,1")], ids=["run", "sweep"])
def test_neither_torch_nor_mlflow_is_imported_without_need(tmp_path, args):
    loaded = loaded_by(MAIN, *args, cwd=tmp_path)
    assert "hydra" in loaded
    assert not {"torch", "mlflow"} & set(loaded)


# Packages that extend polyexp

CLASS = """
from dataclasses import dataclass

import numpy as np

from polyexp import PowerSeries


@dataclass
class EvenSeries(PowerSeries, name="even_series"):
    def features(self, x):
        return super().features(x * x)

    def power_series(self, params):
        series = np.zeros((*params.shape[:-1], 2 * params.shape[-1] - 1))
        series[..., ::2] = params
        return series
"""
YAML = """\
# y = w0 + w1 x^2 + w2 x^4 + ...
defaults: [/schema/model/even_series]

degree: 2 # of x^2
"""


def test_a_package_adds_a_model_with_one_class_and_one_yaml(tmp_path):
    site, folder = tmp_path / "site", tmp_path / "here"
    info = site / "even-1.0.dist-info"
    for new in (site / "even" / "conf" / "model", info, folder):
        new.mkdir(parents=True)
    (site / "even" / "__init__.py").write_text(CLASS)
    (site / "even" / "conf" / "model" / "even_series.yaml").write_text(YAML)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: even\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[polyexp.plugins]\neven = even\n")
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])

    listed = run("--help", cwd=folder, env={"PYTHONPATH": path})
    assert (listed.code, listed.err) == (0, "")
    assert "  model      chebyshev_series, even_series, hermite_series," in listed.out

    options = ("problem=abs", "model=even_series", "optimizer=adam", "optimizer.learning_rate=1e-2", "loop.steps=2000")
    ended = run("backend=numpy", "tracking=none", *options, cwd=folder, env={"PYTHONPATH": path})
    assert (ended.code, ended.err) == (0, "")
    (file,) = folder.rglob("result.json")
    result = json.loads(file.read_text())
    assert (result["config"]["model"], result["config"]["model.degree"]) == ("even_series", 2)
    assert result["loss"] < 5e-3  # |x| by even powers

    (site / "even" / "conf" / "model" / "even_series.yaml").unlink()  # as where it is no data of the package
    refused = run("model=even_series", cwd=folder, env={"PYTHONPATH": path})
    assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1)
    assert refused.err.endswith(
        "got 'even_series'. Its class is there, but not `conf/model/even_series.yaml` in the package that brings it: install "
        "it with that.\n"
    )


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("no_such_module_at_all", "ModuleNotFoundError(\"No module named 'no_such_module_at_all'\")"),
        ("polyexp:Nonsense", "AttributeError(\"module 'polyexp' has no attribute 'Nonsense'\")"),
    ],
)
def test_a_broken_plugin_is_named(bare_cli, monkeypatch, value, error):
    faulty = EntryPoint("mine", value, "polyexp.plugins")
    monkeypatch.setattr("polyexp.cli.configs.entry_points", lambda group: [faulty])
    assert bare_cli(*QUICK) == (2, "", f"polyexp: The plugin `mine` ({value}) cannot be imported: {error}.\n")
