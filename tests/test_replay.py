"""A recorded run is replayed: its settings, read as data, run again, and the two are compared to the last bit."""

import contextlib
import json
import math
import re
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from polyexp.backend import environment_of
from polyexp.base import SETTINGS, version
from polyexp.cli.composition import prepare
from polyexp.cli.configs import choices
from polyexp.cli.recorded_words import recorded_words
from polyexp.cli.values import Override
from polyexp.comparison.replay import Replayed, deviation
from polyexp.experiment import build
from polyexp.tracking import (
    JOURNAL,
    RecordedFit,
    differences,
    environment_tags,
    recorded_environment,
    recorded_fit,
    runs_together,
)
from polyexp.tracking.none import NoTracking
from polyexp.tracking.tracker import DERIVED_PARAMS
from tests import kernels
from tests.helpers.commands import SHORT, loaded_by, run
from tests.helpers.config import composed
from tests.helpers.recorded_before import unpack
from tests.helpers.records import CONTENT, HISTORY, Files
from tests.helpers.stores import all_runs

HERE = ("tracking=none", "hydra.run.dir=one")
REPLAY = ("action=replay", "action.run=one", "tracking=none", "hydra.run.dir=two")
DATA = "x,y\n" + "".join(f"{k / 10},{k * k / 100}\n" for k in range(40))
SAME = "Nothing that is recorded of the two environments differs.\n"


@pytest.fixture
def recorded(bare_cli):
    """Call it with words: a run is in the folder `one`, recorded nowhere else."""

    def record(*words):
        ended = bare_cli(*(words or SHORT), *HERE)
        assert (ended.code, ended.err) == (0, "")

    return record


def edited(folder, change):
    """Change the header of a journal, whose content `change` is given."""
    first, *lines = (folder / JOURNAL).read_text().splitlines(keepends=True)
    header = json.loads(first)
    change(header)
    (folder / JOURNAL).write_text(f"{json.dumps(header)}\n{''.join(lines)}")


def changed_result(folder, change):
    content = json.loads((folder / "result.json").read_text())
    change(content)
    (folder / "result.json").write_text(json.dumps(content))


def refused(cli, tmp_path, *words):
    """The sentence of a command that is refused, and changes nothing."""
    before = sorted(tmp_path.rglob("*"))
    ended = cli(*words)
    assert (ended.code, ended.out) == (2, "")
    assert len(ended.err.splitlines()) == 1
    assert ended.err.isprintable() or ended.err.rstrip("\n").isprintable()
    assert sorted(tmp_path.rglob("*")) == before
    return ended.err.removeprefix("polyexp: ").rstrip("\n")


# Identical


@pytest.mark.parametrize("name", choices("experiment"))
def test_every_experiment_is_replayed_to_the_bit(bare_cli, recorded, tmp_path, name):
    recorded(f"experiment={name}")
    ended = bare_cli(*REPLAY)
    assert (ended.code, ended.err) == (0, "")
    assert re.search(r"^Replay of [0-9a-f]{8}: identical\.$", ended.out, re.M)
    assert ended.out.endswith(SAME)
    assert (tmp_path / "one/history.csv").read_bytes() == (tmp_path / "two/history.csv").read_bytes()


WORDS = [
    "loop=closed_form loop.steps=1000000 optimizer=momentum optimizer.learning_rate=auto optimizer.momentum=auto",
    "backend=jax model=chebyshev_series loop=autograd loop.steps=300",
    "problem.noise=0.1 problem.sampling=uniform seed=3 loop.tolerance=1e-3 loop.patience=5 loop.steps=500",
    "model=legendre_series model.domain=[-4,4] model.initial=[1,0,0.5,-1e-3] model.degree=3 problem=exp problem.loss=sum "
    "optimizer.learning_rate=1e-5",
    "optimizer=adam device.threads=2 backend.dtype=float32",
    "model.degree=2 optimizer.learning_rate=1e30 optimizer.allow_divergence=true problem.num_samples=40 loop.steps=40",
]


@pytest.mark.parametrize("words", WORDS)
def test_every_kind_of_setting_is_replayed_to_the_bit(bare_cli, tmp_path, words):
    if "jax" in words:
        pytest.importorskip("jax")
    assert bare_cli("loop.log_every=10", "loop.steps=60", *words.split(), *HERE).code == 0
    ended = bare_cli(*REPLAY)
    assert ended.code == 0
    assert ended.out.endswith(SAME)
    one, two = (json.loads((tmp_path / name / "result.json").read_text()) for name in ("one", "two"))
    assert one["config"] == two["config"]


def test_a_run_of_a_store_is_named_by_its_id_and_the_replay_is_a_run_of_its_own(cli, store):
    assert cli(*SHORT).code == 0
    (one,) = all_runs(store)
    ended = cli("action=replay", f"action.run={one.info.run_id[:6]}")
    assert (ended.code, ended.err) == (0, "")
    assert f"Replay of {one.info.run_id[:8]}: identical." in ended.out
    _, two = all_runs(store)
    assert two.info.run_name == f"replay of {one.info.run_id[:8]}"
    assert two.data.tags["polyexp.replay_of"] == one.info.run_id
    assert two.data.params == one.data.params
    assert two.data.tags["polyexp.fingerprint"] == one.data.tags["polyexp.fingerprint"]
    assert two.data.tags["polyexp.overrides"] == f"action=replay action.run={one.info.run_id[:6]}"
    again = cli("action=replay", f"action.run={two.info.run_id}", "quiet=true")  # a replay may be replayed
    assert again == (0, "", "")


def test_a_param_that_the_store_has_cut_is_that_of_the_result(cli, store, tmp_path):
    initial = f"[{','.join(repr(math.sin(k)) for k in range(501))}]"
    assert len(initial) > 8000
    assert (
        cli(
            "backend=numpy", "model=legendre_series", "model.degree=500", f"model.initial={initial}", "loop.steps=5"
        ).code
        == 0
    )
    (one,) = all_runs(store)
    ended = cli("action=replay", f"action.run={one.info.run_id}")
    assert ended.code == 0
    assert "All 501 parameters and all " in ended.out


def test_texts_keep_what_they_were(bare_cli, recorded, tmp_path):
    name = "a = 'b', [c] \\ d.csv"
    (tmp_path / name).write_text(DATA.replace("x,y", "null;1.50").replace(",", ";"))
    path = json.dumps(name).replace("\\\\", "\\")
    recorded("problem=file", f"problem.path={path}", "problem.x='null'", "problem.y=1.50", "model.degree=2")
    ended = bare_cli(*REPLAY)
    assert (ended.code, ended.err) == (0, "")
    one, two = (json.loads((tmp_path / folder / "result.json").read_text())["config"] for folder in ("one", "two"))
    assert one == two
    assert (two["problem.x"], two["problem.y"]) == ("null", "1.50")


def test_a_folder_of_an_earlier_version_has_no_journal(bare_cli, recorded, tmp_path):
    recorded()
    (tmp_path / "one" / JOURNAL).unlink()
    ended = bare_cli(*REPLAY)
    assert (ended.code, ended.err) == (0, "")
    assert f"Replay of {tmp_path / 'one'}: identical." in ended.out
    assert "The record does not have the environment of the run" in ended.out


# Not identical


def test_what_differs_is_told(bare_cli, recorded, tmp_path):
    recorded()
    path = tmp_path / "one" / "history.csv"
    heads, *lines = path.read_text().splitlines()
    cells = lines[2].split(",")
    cells[1] = repr(math.nextafter(float(cells[1]), math.inf))
    path.write_text("\n".join([heads, *lines[:2], ",".join(cells), *lines[3:]]))
    ended = bare_cli(*REPLAY)
    assert ended.code == 1
    found = re.search(
        r"^Largest difference in the history: (\S+) of the larger value, 1 unit in the last place ", ended.out, re.M
    )
    assert 1.1e-16 <= float(found[1]) <= 2.3e-16
    assert f"(loss at step {cells[0]}); first at step {cells[0]}." in ended.out
    assert "The final parameters and the final loss are the same to the last bit.\n" in ended.out
    assert ended.err.startswith("polyexp: Replay of ")
    assert ": NOT identical. The final" in ended.err


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda result: result.update(outcome="STALLED"), "The outcome was STALLED and is MAX_STEPS.\n"),
        (lambda result: result.update(steps=19), "The run took 19 steps and takes 20.\n"),
        (
            lambda result: result["learning_rate"].update(used=0.5),
            "The learning rate that was used was 0.5 and is 1e-06.\n",
        ),
        (lambda result: result["parameters"].update(w1=None), "one of the two is not finite (w1).\n"),
        (lambda result: result["parameters"].pop("w1"), "The names of the parameters are not the same.\n"),
        (lambda result: result["samples"].update(total=7), "There were 7 samples and there are 20.\n"),
    ],
)
def test_what_differs_in_the_result_is_told(bare_cli, recorded, tmp_path, change, sentence):
    recorded()
    changed_result(tmp_path / "one", change)
    ended = bare_cli(*REPLAY)
    assert ended.code == 1
    assert sentence in ended.out


def test_a_job_of_a_batch_says_so(bare_cli, tmp_path):
    sweep = ("-m", "backend=numpy", "model.degree=3", "loop.steps=2000", "seed=0,1,2,3,4,5,6", "tracking=none")
    assert bare_cli(*sweep, "hydra.sweep.dir=s", "quiet=true").code == 0
    for job in range(7):
        ended = bare_cli("action=replay", f"action.run=s/{job}", "tracking=none")
        identical = "identical to" in ended.out or ": identical." in ended.out
        assert ended.code == (0 if identical else 1)
        assert ("in a batch of 7 runs, which rounds otherwise" in ended.out) == (not identical)
        largest = re.findall(r": (\S+) of the larger value", ended.out)
        assert all(float(one) < 1e-11 for one in largest)  # RTOL of a batch, for the excess near the best loss less


def test_a_data_file_that_has_changed_is_noticed(bare_cli, recorded, tmp_path):
    (tmp_path / "data.csv").write_text(DATA)
    recorded("problem=file", "problem.path=data.csv", "model.degree=2", "loop.steps=20", "optimizer.learning_rate=1e-3")
    (tmp_path / "data.csv").write_text(DATA.replace("15.21", "15.2"))
    ended = bare_cli(*REPLAY)
    assert ended.code == 1
    assert "The data file data has another size or another time than it had.\n" in ended.out
    (tmp_path / "data.csv").unlink()
    assert "data.csv" in refused(bare_cli, tmp_path, *REPLAY[:-1], "hydra.run.dir=three")


def other_kernel():
    """An OpenBLAS kernel that this machine can run and does not take by itself, or why there is none."""
    own, reason = environment_of("numpy")["kernel"], "there are none for this processor"
    for name in kernels.KERNELS.get(kernels.platform.machine(), ()):
        environment = kernels.kernel(name)
        reason = environment.reason_to_leave_out()
        names = (name, *kernels.ALIASES.get(name, ()))
        if not reason and own not in names:
            return environment, names
    pytest.skip(f"NumPy's BLAS has no other kernel here: {reason}")


def test_another_kernel_is_named(bare_cli, recorded, tmp_path):
    environment, names = other_kernel()
    recorded("backend=numpy", "loop.steps=400")
    ended = run(*REPLAY, cwd=tmp_path, env=environment.variables)
    own = environment_of("numpy")["kernel"]
    assert re.search(rf"the BLAS kernel was {own} and is ({'|'.join(names)})\b", ended.out)
    assert ended.code == (0 if ": identical." in ended.out else 1)
    if ended.code:
        assert re.search(r"units? in the last place", ended.out)
        assert environment.variables["OPENBLAS_CORETYPE"] in names


# Earlier versions


def test_a_run_of_an_earlier_version_is_replayed(bare_cli, tmp_path):
    unpack(tmp_path)
    ended = bare_cli("action=replay", "action.run=296065ed")
    assert ended.code == 1
    assert "Replay of 296065ed: NOT identical." in ended.out
    assert "of the new history are not in the other one" in ended.out  # an early snapshot was not taken then
    assert "The record does not have the environment of the run" in ended.out
    largest = re.findall(r": (\S+) of the larger value", ended.out)
    assert all(float(one) < 1e-9 for one in largest)  # it is the same run


def test_settings_that_are_newer_than_the_record_have_their_defaults(bare_cli, tmp_path):
    unpack(tmp_path)
    heights = ["1.02", "1.31", "1.49", "1.62", "1.68", "1.66", "1.61", "1.47", "1.3", "1.06", "0.79", "0.43"]
    rows = [f"{k / 4},{height}" for k, height in enumerate(heights)]  # data/recorded/README.md
    (tmp_path / "measurements.csv").write_text("\n".join(["time,height", *rows, ""]))
    ended = bare_cli("action=replay", "action.run=2812a6cb")
    assert ended.code == 1
    assert "The record lacks `problem.header`, `problem.delimiter`, " in ended.out
    assert "The data file measurements has another size or another time than it had.\n" in ended.out


def test_a_rate_that_another_version_finds_is_told(bare_cli, tmp_path):
    """`auto` was the best rate in the long run, and is the best one for the steps of the run."""
    unpack(tmp_path)
    ended = bare_cli("action=replay", "action.run=62a2e474")
    assert ended.code == 1
    assert re.search(r"^The learning rate that was used was \S+ and is \S+\.$", ended.out, re.M)


@pytest.mark.parametrize("run_id", ["733f028b", "cd8f08fe", "aa610dea"])
def test_the_settings_of_other_runs_of_an_earlier_version_are_accepted(bare_cli, tmp_path, run_id):
    unpack(tmp_path)
    ended = bare_cli("action=replay", f"action.run={run_id}", "quiet=true")
    assert ended.code in (0, 1)
    assert f"Replay of {run_id}: " in ended.err or ended.code == 0


def test_a_setting_that_no_longer_exists_is_named(bare_cli, tmp_path):
    unpack(tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "outputs" / "mlflow.db")) as database:
        database.execute("UPDATE params SET key = 'loop.look_every' WHERE key = 'loop.log_every'")
        database.commit()
    ended = bare_cli("action=replay", "action.run=296065ed")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(
        "polyexp: The settings of the run 296065ed, which polyexp 0.1.0 has recorded, cannot be used: `loop.look_every` is not "
        "a setting of this experiment."
    )


# Hostile records


HOSTILE = {
    "a folder": {"hydra.run.dir": "/tmp/x"},
    "a launcher": {"hydra/launcher": "basic"},
    "a store": {"tracking.uri": "sqlite:////tmp/x.db"},
    "a tracker": {"tracking": "mlflow"},
    "an action": {"action": "sync"},
    "an argument of an action": {"action.run": "two"},
    "a picture": {"report.pictures": "all"},
    "an experiment": {"experiment": "notebook/numpy"},
    "quiet": {"quiet": "true"},
    "a sweep": {"sweep.zip": "[seed,model.degree]"},
    "an added setting": {"+seed": "1"},
    "a removed setting": {"~seed": "1"},
    "an option": {"--multirun": "1"},
    "an option with a value": {"--config-dir": "/tmp"},
    "a package": {"model@x": "legendre"},
    "an unknown setting": {"model.degre": "3"},
    "an unknown group": {"modle": "legendre"},
    "a setting of another choice": {"optimizer.momentum": "0.5"},
    "a nested setting": {"model.degree.x": "3"},
    "two words": {"seed=1 action": "sync"},
    "a line": {"seed\naction": "sync"},
    "the environment": {"seed": "${oc.env:HOME}"},
    "another setting": {"seed": "${model.degree}"},
    "the environment in a text": {"problem.loss": "${oc.env:HOME}"},
    "several values": {"seed": "1,2"},
    "a range": {"seed": "range(1,4)"},
    "a glob": {"model": "glob(*)"},
    "another kind": {"model.degree": "abc"},
    "another number": {"model.degree": "-1"},
    "a huge number": {"model.degree": "9" * 5000},
    "a huge value": {"model.initial": f"[{'1,' * 60_000}1]"},
    "a deep value": {"model.initial": "[" * 3000 + "]" * 3000},
    "no value": {"model.degree": "???"},
    "an empty value": {"model.degree": ""},
    "another choice": {"model": "os.system"},
    "a path as choice": {"model": "../../etc/passwd"},
    "control characters": {"problem.loss": "\x1b[2Jmean"},
}


@pytest.mark.parametrize("params", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("agrees", [True, False], ids=["also in result.json", "params alone"])
@pytest.mark.parametrize("words", [REPLAY, ("resume=one",)], ids=["replay", "resume"])
def test_a_hostile_record_is_one_sentence(bare_cli, recorded, tmp_path, params, agrees, words):
    recorded()
    edited(tmp_path / "one", lambda header: header["params"].update(params))
    if agrees:
        changed_result(tmp_path / "one", lambda result: result["config"].update(params))
    else:
        changed_result(tmp_path / "one", lambda result: [result["config"].pop(key, None) for key in params])
        if "model" in params:
            changed_result(tmp_path / "one", lambda result: result["config"].update(model=params["model"]))
    sentence = refused(bare_cli, tmp_path, *words)
    assert "cannot be used: " in sentence or sentence.startswith(tuple(f"`{key}` must be " for key in params))


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"seed": {"$": 1}}, None),
        ({"seed": [[1]]}, None),
        ({"seed": 1}, "'0' in its params, and '1' in its result.json."),
    ],
)
def test_a_hostile_result_is_one_sentence(bare_cli, recorded, tmp_path, config, text):
    recorded()
    changed_result(tmp_path / "one", lambda result: result["config"].update(config))
    assert (text or "`seed`") in refused(bare_cli, tmp_path, *REPLAY)


def test_a_hostile_param_of_a_store_is_one_sentence(cli, store, tmp_path):
    assert cli(*SHORT).code == 0
    (one,) = all_runs(store)
    with contextlib.closing(sqlite3.connect(tmp_path / "outputs" / "mlflow.db")) as database:
        database.execute("INSERT INTO params VALUES ('tracking.uri', 'sqlite:////tmp/x.db', ?)", (one.info.run_id,))
        database.commit()
    ended = cli("action=replay", f"action.run={one.info.run_id}")
    assert (ended.code, ended.out) == (2, "")
    assert "`tracking.uri` is not taken from a record, as it does not decide the result of a fit." in ended.err


def test_the_environment_of_a_record_is_data():
    hostile = {"kernel": "\x1b[2J" + "a" * 500, "python": 3, "x": "y", "runs": "-5"}
    found = recorded_environment({"polyexp.environment": json.dumps(hostile)})
    assert found.keys() == {"kernel", "runs"}
    assert found["kernel"].isprintable()
    assert len(found["kernel"]) == 80
    assert runs_together(found) == 1
    for text in ("", "[", "[1]", "1", "[" * 5000, "{}"):
        assert recorded_environment({"polyexp.environment": text}) == {}


# What cannot be replayed


@pytest.mark.parametrize("name", ["result.json", "history.csv"])
def test_a_run_without_its_files_is_one_sentence(bare_cli, recorded, tmp_path, name):
    recorded()
    (tmp_path / "one" / name).unlink()
    sentence = refused(bare_cli, tmp_path, *REPLAY)
    assert re.fullmatch(
        rf"The {name} of the run [0-9a-f]{{8}} cannot be read: it has not ended, has failed, or its files have been deleted\.",
        sentence,
    )


def test_artifacts_that_have_been_deleted_are_one_sentence(cli, store, tmp_path):
    assert cli(*SHORT).code == 0
    (one,) = all_runs(store)
    shutil.rmtree(tmp_path / "outputs" / "artifacts")
    ended = cli("action=replay", f"action.run={one.info.run_id}")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"polyexp: The result.json of the run {one.info.run_id[:8]} cannot be ")
    assert len(ended.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "its first line must be the names of different columns, `step` first"),
        ("step,loss\n2,1\n1,1\n", None),
        ("step,loss\n1,x\n", None),
        ("step,loss\n1\n", None),
    ],
)
def test_a_damaged_history_is_one_sentence(bare_cli, recorded, tmp_path, text, reason):
    recorded()
    (tmp_path / "one" / "history.csv").write_text(text)
    sentence = refused(bare_cli, tmp_path, *REPLAY)
    assert "The history.csv of the run" in sentence
    assert sentence.endswith(f"cannot be used: {reason}." if reason else ".")


def test_what_is_no_run_is_refused(cli, tmp_path):
    wanted = "`action.run` must be a run's id, or its first 6 or more characters, or the folder of a run, got "
    for word in ("", "x", "outputs", "abcde", "../x", "a" * 300):
        ended = cli("action=replay", f"action.run={word}")
        assert ended.code == 2
        assert wanted in ended.err
    ended = cli("action=replay", "action.run=abcdef")
    assert (ended.code, ended.out) == (2, "")
    assert "must be the id of a recorded run" in ended.err
    assert cli("action=replay").code == 2


def test_a_sweep_is_no_run(bare_cli, tmp_path):
    assert bare_cli("-m", *SHORT, "seed=0,1", "hydra.sweep.dir=s", "quiet=true", "tracking=none").code == 0
    sentence = refused(bare_cli, tmp_path, "action=replay", "action.run=s", "tracking=none")
    assert "it is a sweep, not a fit" in sentence


@pytest.mark.parametrize(
    "word", ["seed=1", "model=legendre", "experiment=notebook/numpy", "loop.steps=3", "sweep.zip=[]"]
)
def test_what_would_make_it_another_run_is_refused(bare_cli, recorded, tmp_path, word):
    recorded()
    sentence = refused(bare_cli, tmp_path, *REPLAY, word)
    assert sentence.startswith(f"`action=replay` takes the settings from the record: leave `{word}` out.")


@pytest.mark.parametrize("words", [("-m",), ("hydra.mode=MULTIRUN",)])
def test_several_replays_are_refused(bare_cli, recorded, tmp_path, words):
    recorded()
    sentence = refused(bare_cli, tmp_path, *words, "action=replay", "action.run=one,two", "tracking=none")
    assert sentence == "`action=replay` runs one recorded run again: leave -m out, and type it once for each run."


def test_other_config_files_are_refused(bare_cli, recorded, tmp_path):
    recorded()
    sentence = refused(bare_cli, tmp_path, "--config-dir", ".", *REPLAY)
    assert sentence == "`action=replay` takes the settings from the record: leave the options of config files out."


def test_a_replay_that_a_config_file_asks_for_is_refused(bare_cli, recorded, tmp_path):
    recorded(*SHORT, "seed=7")
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    (tmp_path / "conf" / "experiment" / "again.yaml").write_text(
        "# @package _global_\ndefaults: [override /action: replay]\naction: {run: one}\n"
    )
    words = ("--config-dir", "conf", "experiment=again", "tracking=none", *SHORT)
    assert refused(bare_cli, tmp_path, *words).startswith(
        "`action=replay` must be typed in a command of its own: `seed` is '0' here, and '7' in the run "
    )


def test_the_configuration_of_a_replay_can_be_printed(bare_cli, recorded):
    recorded(*SHORT, "seed=7")
    ended = bare_cli(*REPLAY, "--cfg", "job")
    assert (ended.code, ended.err) == (0, "")
    assert "seed: 7\n" in ended.out


# The words of a record


@pytest.fixture
def fit(recorded, tmp_path):
    recorded(*SHORT, "optimizer=momentum", "optimizer.momentum=0.5")
    prepare()
    return recorded_fit(str(tmp_path / "one"), "resume", NoTracking())


def require_recorded(fit, experiment):
    """The experiment has the recorded settings and no others."""
    settings = experiment.settings()
    assert settings.keys() == fit.params.keys()
    assert all(fit.agrees(key, value) for key, value in settings.items())


def test_the_words_give_the_recorded_experiment(fit):
    require_recorded(fit, build(composed(*recorded_words(fit))))


def test_typed_words_take_precedence(fit):
    typed = [Override.of(word) for word in ("loop.steps=40", "optimizer=adam", "model=power_series", "seed=3")]
    words = recorded_words(fit, typed)
    keys = {word.partition("=")[0] for word in words}
    assert not keys & {"loop.steps", "optimizer", "optimizer.momentum", "optimizer.learning_rate", "model", "seed"}
    assert "model.degree=3" in words  # of the choice that is typed again
    experiment = build(composed(*words, *(one.word for one in typed)))
    assert (experiment.loop.steps, experiment.optimizer.choice, experiment.seed) == (40, "adam", 3)


def test_the_words_need_no_result(fit, tmp_path):
    (tmp_path / "one" / "result.json").unlink()
    interrupted = recorded_fit(str(tmp_path / "one"), "resume", NoTracking())
    require_recorded(interrupted, build(composed(*recorded_words(interrupted))))


# The parts


def test_the_environment_is_recorded_as_one_short_tag(cli, store):
    assert cli(*SHORT).code == 0
    (one,) = all_runs(store)
    text = one.data.tags["polyexp.environment"]
    assert len(text) < 400
    found = json.loads(text)
    assert found == {"core": found["core"], "threads": "1", **environment_of("numpy")}
    assert found["numpy"] == np.__version__
    commit = version.commit()
    assert recorded_environment(one.data.tags).get("commit") == commit


def test_the_environment_imports_no_library_that_the_run_does_not():
    code = "from polyexp.tracking import environment_tags\nenvironment_tags('torch 2, float64, cpu', 1)"
    assert not {"torch", "jax", "mlflow"} & set(loaded_by(code))


def test_the_environment_of_torch_has_its_kernel():
    import torch

    found = json.loads(environment_tags(f"torch {torch.__version__}, float64, cpu", 2)["polyexp.environment"])
    assert found["torch_kernel"] == torch.backends.cpu.get_cpu_capability()
    assert found["threads"] == "2"


def test_differences_are_named():
    then = {"polyexp": "1", "kernel": "Haswell", "threads": "1", "torch_kernel": "AVX2"}
    now = {"polyexp": "1", "kernel": "Zen", "threads": "2", "python": "3.11.2"}
    assert differences(then, now) == [
        "the number of threads was 1 and is 2",
        "the BLAS kernel was Haswell and is Zen",
        "the kernel of torch was AVX2 and is none",
    ]
    assert differences(now, now) == differences({}, now) == []


@pytest.mark.parametrize(
    ("one", "other", "ulps"),
    [
        (1.0, 1.0, None),
        (math.nan, math.nan, None),
        (None, math.nan, None),
        (math.inf, math.inf, None),
        (0.0, -0.0, 1),
        (1.0, math.nextafter(1, 2), 1),
        (5e-324, -5e-324, 3),
        (-1.0, math.nextafter(-1, -2), 1),
        (1.0, 2.0, 2**52),
        (1.0, math.inf, math.inf),
        (1e308, -1e308, 2 * np.float64(1e308).view(np.int64).item() + 1),
    ],
)
def test_deviations_in_units_of_the_last_place(one, other, ulps):
    found = deviation(one, other, "x")
    back = deviation(other, one, "x")
    assert found == back
    assert (found.ulps if found else None) == ulps


def replayed(history):
    then, now = (
        RecordedFit("a", "a", {}, {}, Files(json.dumps(CONTENT).encode(), text.encode())) for text in (HISTORY, history)
    )
    return Replayed.of(then, now)


def test_histories_are_compared_by_steps_and_names():
    assert replayed(HISTORY).identical
    heads, *lines = HISTORY.splitlines()
    found = replayed("\n".join([heads, "5,1,1,1,1", *lines[:1], *lines[2:]]))
    assert (found.snapshots, found.history_deviates) == (2, None)
    assert found.otherwise == [
        "1 snapshot of the recorded history is not in the other one",
        "1 snapshot of the new history is not in the other one",
    ]
    fewer = replayed("\n".join(line.rpartition(",")[0] for line in (heads, *lines)))
    assert fewer.otherwise == ["the columns of the two histories are not the same"]
    other = replayed(HISTORY.replace("0.9\r", "0.8\r").replace("30,0.01", "30,0.02"))
    assert (other.first_step, other.history_deviates.of) == (20, "loss at step 30")


def test_derived_params_are_no_settings():
    assert not {one.partition(".")[0] for one in DERIVED_PARAMS} & {*SETTINGS, "seed"}


def test_a_result_that_was_made_in_python_is_refused(bare_cli, tmp_path):
    import polyexp as p

    result = p.fit(p.Samples.of([-1, 0, 1], [1, 0, 1]), p.PowerSeries(degree=2), backend=p.NumPy())
    p.record(result, Path(tmp_path, "one"), tracking=p.NoTracking())
    assert "as that of a result that was made in Python does" in refused(bare_cli, tmp_path, *REPLAY)
