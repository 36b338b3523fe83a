"""Words of the command line that are right: texts, numbers, sweeps and options as they are typed, and in config files."""

import csv
import importlib.metadata
from pathlib import Path

import pytest
import yaml

from tests.helpers.config import composed_by
from tests.helpers.refusals import require_refused
from tests.helpers.stores import all_runs

HEADER = ["x", "y", "1.5", "1.50", "1e3", "2_000", "true", "null", "a b", "größe", "a,b", "c=d", "{e}"]


@pytest.fixture
def table(tmp_path):
    """A file whose columns have names that are no names to Hydra's parser."""
    path = tmp_path / "run=1, (a).csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADER, *([row * 100 + n for n in range(len(HEADER))] for row in range(4))])
    return path.name


@pytest.mark.parametrize("column", HEADER[1:])
def test_a_column_is_the_one_that_was_typed(bare_cli, tmp_path, table, column):
    quiet = ("backend=numpy", "model.degree=1", "loop.steps=1", "optimizer.learning_rate=1e-5", "tracking=none")
    ended = bare_cli("problem=file", f"problem.path={table}", f"problem.y={column}", *quiet, "model.initial=zeros")
    assert (ended.code, ended.err) == (0, "")
    (folder,) = tmp_path.glob("outputs/runs/*/*")
    assert yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))["problem"]["y"] == column


NUMBERLIKE = ["1.50", "1e3", "2_000", "true", "null", "NaN", "2026_11", "0x10", "-", "01", "1e234567", "+5"]
SYMBOLS = [
    "a=b",
    "a,b",
    "(1)",
    "[1]",
    "{a}",
    "it's",
    'a"b',
    "'",
    "C:\\d\\",
    "a\\,b",
    "~/größe",
    "$x",
    "a#b",
    "a;b",
    "a&b",
]


@pytest.mark.parametrize("text", [*NUMBERLIKE, *SYMBOLS, "", " ", " a b ", "choice(1,2)", "str(1.5)"])
def test_a_text_is_what_was_typed(tmp_path, text):
    assert composed_by(tmp_path, f"tracking.experiment_name={text}")["tracking.experiment_name"] == text


@pytest.mark.parametrize("quoted", ["'a,b'", '"a,b"', "'1.50'", "''"])
def test_quotes_of_a_text_are_quotes(tmp_path, quoted):
    assert composed_by(tmp_path, f"tracking.experiment_name={quoted}")["tracking.experiment_name"] == quoted[1:-1]


def test_null_is_none_where_a_text_may_be_null(tmp_path):
    words = ("problem=file", "problem.weight=null", "problem.y=null")
    assert (composed_by(tmp_path, *words)["problem.weight"], composed_by(tmp_path, *words)["problem.y"]) == (
        None,
        "null",
    )


def test_a_text_may_refer_to_another_setting(tmp_path):
    found = composed_by(tmp_path, "problem=file", "problem.x=${problem.y}", "problem.y=1.50", "--resolve")
    assert found["problem.x"] == "1.50"


def test_texts_in_a_list_are_what_was_typed(tmp_path):
    found = composed_by(tmp_path, "action=compare", "action.runs=[1e234567, 12345678,'a,b',null]")
    assert found["action.runs"] == ["1e234567", "12345678", "a,b", "null"]


# Sweeps


QUICK = ("backend=numpy", "problem.num_samples=20", "model.degree=2", "loop.steps=2", "optimizer.learning_rate=0.01")


def recorded(store):
    """The names and the tags of the runs, in the order in which they started."""
    return [(run.info.run_name, run.data.tags["polyexp.overrides"]) for run in all_runs(store)]


def test_every_text_of_a_sweep_is_what_was_typed_and_is_recorded_so(cli, store, tmp_path, table):
    words = ("problem=file", "problem.y=1.50,1.5,1e3,true,'a,b'", "loop.steps=2", "optimizer.learning_rate=1e-9")
    ended = cli("-m", "backend=numpy", "model.degree=1", *words, f"problem.path='{table}'")
    assert ended.code == 0
    assert [name for name, _ in recorded(store)] == ["y=1.50", "y=1.5", "y=1e3", "y=true", "y=a,b"]
    assert f" problem.y=1.50 loop.steps=2 optimizer.learning_rate=1e-09 problem.path={table}" in recorded(store)[0][1]
    overrides = [
        yaml.safe_load(path.read_text()) for path in sorted(tmp_path.glob("outputs/sweeps/*/*/?/.hydra/overrides.yaml"))
    ]
    assert [one[3] for one in overrides] == [
        f"problem.y={text}" for text in ("'1.50'", "'1.5'", "'1e3'", "'true'", "'a,b'")
    ]


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("range(1,3)", {"1", "2"}),
        ("choice(1.50,'a,b')", {"1.50", "a,b"}),
        ("choice(2_0)", {"2_0"}),
        ("sort(1e3,1.50)", {"1e3", "1.50"}),
        ("shuffle(1e3,1.50)", {"1e3", "1.50"}),
        ("a (1),a=b", {"a (1)", "a=b"}),
        ("f(1,2),b", {"f(1,2)", "b"}),
    ],
)
def test_functions_of_texts_have_texts(cli, store, typed, names):
    ended = cli("-m", *QUICK, f"tracking.experiment_name={typed}")
    assert (ended.code, ended.err) == (0, "")
    assert {one.name for one in store.search_experiments()} - {"Default"} == names


def test_a_text_of_all_choices_is_what_was_typed(bare_cli, tmp_path, table):
    (tmp_path / "conf" / "problem").mkdir(parents=True)
    (tmp_path / "conf" / "problem" / "mine.yaml").write_text("defaults: [file, _self_]\nloss: sum\n")
    words = ("-m", "problem=file,mine", f"problem.path='{table}'", "problem.y=1.50", "--config-dir", "conf")
    quiet = ("backend=numpy", "model.degree=1", "loop.steps=1", "optimizer.learning_rate=1e-9", "tracking=none")
    ended = bare_cli(*words, *quiet)
    assert ended.code == 0
    configs = [yaml.safe_load(path.read_text()) for path in sorted(tmp_path.glob("outputs/sweeps/*/*/?/config.yaml"))]
    assert [(one["problem"]["y"], one["problem"]["loss"]) for one in configs] == [("1.50", "mean"), ("1.50", "sum")]


@pytest.mark.parametrize(
    "words",
    [
        "optimizer=momentum,nesterov optimizer.momentum=0.8",
        "optimizer.momentum=0.8 optimizer=momentum,nesterov",
        "optimizer=momentum,nesterov optimizer.momentum=0.8,0.8",
        "optimizer=choice(momentum,nesterov) optimizer.momentum=0.8",
        "hydra.mode=MULTIRUN optimizer=momentum,nesterov optimizer.momentum=0.8",
    ],
)
def test_a_setting_that_every_choice_of_a_sweep_has_is_set(cli, store, words):
    ended = cli(*(["-m"] if "hydra" not in words else []), *QUICK, *words.split())
    assert (ended.code, ended.err) == (0, "")
    assert {run.data.params["optimizer.momentum"] for run in all_runs(store)} == {"0.8"}
    assert {run.data.params["optimizer"] for run in all_runs(store)} == {"momentum", "nesterov"}


def test_a_setting_of_all_choices_is_neither_part_of_the_names_nor_recorded_differently(cli, store):
    assert cli("-m", *QUICK, "optimizer=momentum,nesterov", "optimizer.momentum=0.8").code == 0
    assert [name for name, _ in recorded(store)] == ["momentum", "nesterov"]
    assert recorded(store)[0][1] == " ".join([*QUICK, "optimizer=momentum", "optimizer.momentum=0.8"])


@pytest.mark.parametrize(
    "words",
    [
        "model=legendre_series,chebyshev_series model.domain=[-4,4] optimizer.learning_rate=auto",
        "model=glob(*_series,exclude=power*) model.domain=[-4,4] optimizer.learning_rate=auto",
        "problem=sin,exp problem.noise=0.5 optimizer.learning_rate=auto",
        "optimizer=adam,rmsprop optimizer.eps=1e-9",
        "experiment=tutorial/optim optimizer.alpha=0.5,0.6",
        "device=cpu,auto device.threads=1",
    ],
)
def test_other_settings_of_all_choices(bare_cli, words):
    ended = bare_cli("-m", "backend=numpy", "loop=manual", "loop.steps=2", "tracking=none", *words.split())
    assert (ended.code, ended.err) == (0, "")


def test_a_file_of_several_names_is_swept_over(bare_cli, tmp_path):
    for name in ("a=1.csv", "b (2).csv"):
        (tmp_path / name).write_text("x,y\n0,1\n1,2\n2,3\n3,5\n")
    words = ("problem=file", "problem.path=a=1.csv, b (2).csv", "model.degree=1", "loop.steps=1", "tracking=none")
    assert bare_cli("-m", *words, "optimizer.learning_rate=auto").code == 0
    assert len(list(tmp_path.glob("outputs/sweeps/*/*/?/result.json"))) == 2


# Options


def test_the_version_is_that_of_polyexp(bare_cli, tmp_path):
    ended = bare_cli("--version")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"polyexp {importlib.metadata.version('polyexp')}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words",
    [
        "seed=1 --cfg job model.degree=3",
        "--cfg job seed=1 model.degree=3",
        "-c job model.degree=3 seed=1",
        "seed=1 model.degree=3 --package _global_ --cfg job",
        "--config-dir . seed=1 --cfg job model.degree=3",
    ],
)
def test_options_may_stand_among_the_overrides(bare_cli, words):
    ended = bare_cli(*words.split())
    assert (ended.code, ended.err) == (0, "")
    assert (yaml.safe_load(ended.out)["seed"], yaml.safe_load(ended.out)["model"]["degree"]) == (1, 3)


def test_an_option_whose_value_is_left_out_takes_no_override(bare_cli):
    ended = bare_cli("seed=1", "--info")
    assert ended.code == 0
    assert "Defaults List" in ended.out


# Config files of the user


def experiment(folder: Path, text: str) -> tuple[str, ...]:
    """The words that choose an experiment with this content."""
    (folder / "conf" / "experiment").mkdir(parents=True)
    (folder / "conf" / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{text}")
    return ("--config-dir", "conf", "experiment=mine")


FILE = "defaults: [{override /problem: file}]\nproblem: {path: d.csv, y: %s}\n"


@pytest.mark.parametrize(
    ("value", "read"), [("1.50", "'1.5'"), ("1e3", "'1000.0'"), ("2_000", "'2000'"), ("true", "'True'")]
)
def test_a_number_for_a_text_in_a_file_is_refused(tmp_path, value, read):
    sentence = require_refused(tmp_path, *experiment(tmp_path, FILE % value))
    assert (
        sentence == f"In experiment/mine.yaml: `problem.y` must be text, got {read}: put quotes around it in the file."
    )


def test_null_for_a_text_in_a_file_is_refused(tmp_path):
    sentence = require_refused(tmp_path, *experiment(tmp_path, FILE % "null"))
    assert sentence == "In experiment/mine.yaml: `problem.y` must be text, got 'null'."


def test_a_number_in_a_list_of_texts_in_a_file_is_refused(tmp_path):
    words = experiment(tmp_path, "defaults: [{override /action: compare}]\naction: {runs: [abcdef, 12345678]}\n")
    sentence = require_refused(tmp_path, *words, "tracking=none")
    assert sentence == "`action.runs` must be a list of texts, got 12345678 in it: put quotes around it in the file."


@pytest.mark.parametrize("value", ["'1.50'", '"1.50"', "!!str 1.50"])
def test_a_text_in_a_file_is_what_was_written(tmp_path, value):
    assert composed_by(tmp_path, *experiment(tmp_path, FILE % value))["problem.y"] == "1.50"


@pytest.mark.parametrize(("value", "steps"), [("1e3", 1000), ("1_000", 1000), ("100.0", 100)])
def test_a_whole_number_in_a_file_may_be_written_in_several_ways(tmp_path, value, steps):
    assert composed_by(tmp_path, *experiment(tmp_path, f"loop: {{steps: {value}}}\n"))["loop.steps"] == steps


def test_a_number_in_a_file_that_is_not_whole_is_refused(tmp_path):
    sentence = require_refused(tmp_path, *experiment(tmp_path, "loop: {steps: 1.5}\n"))
    assert sentence == "In experiment/mine.yaml: `loop.steps` must be a whole number, got '1.5'."


def test_the_choices_of_a_file_are_those_that_settings_belong_to(tmp_path):
    words = experiment(tmp_path, "defaults: [{override /optimizer: adam}]\n")
    assert composed_by(tmp_path, *words, "optimizer.beta1=0.5")["optimizer.beta1"] == 0.5
    assert "It belongs to `optimizer=momentum`" in require_refused(tmp_path, *words, "optimizer.momentum=0.5")


def test_a_choice_of_ones_own_has_the_settings_of_its_component(tmp_path):
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "mine.yaml").write_text("defaults: [legendre_series, _self_]\ndegree: 3\n")
    words = ("--config-dir", "conf", "model=mine")
    assert composed_by(tmp_path, *words, "model.domain=[-4,4]")["model.domain"] == [-4, 4]
    assert "'model.degree'" in require_refused(tmp_path, *words, "model.deg=4")
    assert "got 'min'. Did you mean 'mine'?" in require_refused(tmp_path, *words[:2], "model=min")


def test_a_sweep_in_a_file_keeps_its_texts(bare_cli, tmp_path, table):
    sweep = "hydra: {mode: MULTIRUN, sweeper: {params: {problem.y: '1.50,1e3'}}}\n"
    words = experiment(tmp_path, f"defaults: [{{override /problem: file}}]\nproblem: {{path: '{table}'}}\n{sweep}")
    quiet = ("backend=numpy", "model.degree=1", "loop.steps=1", "optimizer.learning_rate=1e-9", "tracking=none")
    assert bare_cli(*words, *quiet, "seed=0,1").code == 0
    configs = [yaml.safe_load(path.read_text()) for path in sorted(tmp_path.glob("outputs/sweeps/*/*/?/config.yaml"))]
    assert [(one["problem"]["y"], one["seed"]) for one in configs] == [("1.50", 0), ("1.50", 1), ("1e3", 0), ("1e3", 1)]
