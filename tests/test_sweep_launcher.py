"""The launcher of sweeps: what it leaves of each job is what Hydra's own launcher leaves, and a job that fails fails alone."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
from hydra.core.utils import JobStatus
from omegaconf import OmegaConf

import polyexp.experiment.run as run_module
from polyexp.cli.launcher import BatchedLauncher
from polyexp.experiment import build
from polyexp.sweep.batches import batches
from tests.helpers.commands import SHORT
from tests.helpers.config import composed

SWEEP = ("-m", *SHORT, "tracking=none", "hydra.sweep.dir=outputs/s")
RATES = ("optimizer.learning_rate=1e-7,1e-6", "seed=0,3")
SWEEPS = {
    "rates and seeds": RATES,
    "rates that are sought": ("optimizer.learning_rate=auto,1e-6,asymptotic", "seed=0,1"),
    "momentum": ("optimizer=momentum", "optimizer.momentum=0.5,0.9", "optimizer.learning_rate=1e-6"),
    "initial values": ("model.initial=zeros,uniform,[1,2,0.5,0]", "model.initial_scale=1,0.5"),
    "noise": ("problem.noise=0.1", "seed=0,1", "optimizer.learning_rate=1e-7,1e-6"),
    "random samples": ("problem.sampling=uniform", "seed=0,1", "optimizer.learning_rate=1e-7,1e-6"),
    "degrees": ("model.degree=2,3", "seed=0,1"),
    "divergence": ("optimizer.learning_rate=1e-6,1e9", "optimizer.allow_divergence=true", "seed=0,1"),
    "tolerance": ("optimizer.learning_rate=auto,1e-6", "loop.tolerance=30", "loop.log_every=1", "seed=0,1"),
    "closed form": ("loop=closed_form", *RATES),
    "torch": ("backend=torch", *RATES),
    "autograd": ("backend=torch", "loop=autograd,manual", *RATES),
    "no fits": ("action=predict", *RATES),
}
NUMBER = re.compile(r"-?(?:\d+\.?\d*(?:e[-+]?\d+)?|inf|nan)")
RTOL = 1e-12
JOBS = [(seed, loop) for seed in (0, 1) for loop in ("manual", "closed_form")]


@pytest.fixture
def left(bare_cli, tmp_path):
    """Call it with a launcher and words: what a sweep prints, and the texts of the files that it leaves, by their paths."""

    def launched(launcher, *words):
        shutil.rmtree(tmp_path / "outputs", ignore_errors=True)
        ended = bare_cli(*SWEEP, f"hydra/launcher={launcher}", *words)
        folder = tmp_path / "outputs" / "s"
        files = sorted(one for one in folder.glob("*/**/*") if one.is_file())
        texts = [one for one in files if one.suffix != ".npz"]
        return ended, {str(one.relative_to(folder)): one.read_bytes().decode() for one in texts}

    return launched


def without_launcher(text):
    """Hydra's node without what differs between two launchers."""
    return re.sub(r"(?m)^.*([lL]auncher).*$", "", text)


def alike(one, other):
    """Whether two values of JSON are the same but for rounding."""
    if isinstance(one, dict):
        assert list(one) == list(other)
        return all(alike(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return one == pytest.approx(other, rel=RTOL, abs=RTOL, nan_ok=True)
    return one == other


def of_result(text):
    return {name: value for name, value in json.loads(text).items() if name != "seconds"}


def of_history(text):
    heads, *rows = csv.reader(text.splitlines())
    return [heads, *([float(one) for one in row] for row in rows)]


def of_journal(text):
    """The lines of a journal without times and ids, and without the params of snapshots between the first and the last.

    That a run was computed together with others is in its environment.
    """
    lines = [json.loads(re.sub(r',\\"runs\\":\\"\d+\\"', "", line)) for line in text.splitlines()]
    inner = [one for one in lines if one["kind"] == "snapshot"][1:-1]
    for one in lines:
        for name in ("time", "id", "parent", "started", "process"):
            one.pop(name, None)
        one.get("metrics", {}).pop("optimizer/steps_per_second", None)
    for one in inner:
        one.pop("params", None)
    for one in lines:  # numbers in words
        for name in ("metrics", "params", "tags"):
            if isinstance(one.get(name), dict):
                one[name] = {key: of_words(str(value)) for key, value in one[name].items()}
    return lines


def of_words(text):
    """The words of a text without its numbers, which are rounded where they are shown."""
    return NUMBER.sub("#", re.sub(r"[─ ]+", " ", text))


READ = {"result.json": of_result, "history.csv": of_history, "journal.jsonl": of_journal, "polyexp.log": of_words}
READ |= {"hydra.yaml": without_launcher}


@pytest.mark.parametrize("words", SWEEPS.values(), ids=SWEEPS)
def test_each_job_leaves_what_hydras_launcher_leaves(left, words):
    basic, expected = left("basic", *words)
    own, found = left("polyexp", *words)
    assert (basic.code, own.code) == (0, 0), own.err
    assert list(found) == list(expected)
    assert any(path.endswith("result.json") for path in found) == ("action=predict" not in words)
    for path, text in expected.items():
        read = READ.get(path.rpartition("/")[2], str)
        assert alike(read(found[path]), read(text)), path


def test_the_jobs_of_a_sweep_are_one_computation(left, monkeypatch):
    calls = []
    fit = run_module.fit
    monkeypatch.setattr(run_module, "fit", lambda *of, **words: calls.append(words) or fit(*of, **words))
    ended, _ = left("polyexp", *RATES)
    assert [one["params"].shape for one in calls] == [(4, 4)]
    lines = ended.out.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("[")] == [f"[{done}/4]" for done in (1, 2, 3, 4)]
    assert len(lines) < 20


def test_sweepers_are_told_of_each_job(left, monkeypatch):
    """In the order of the jobs, not in that of the batches."""
    told = []
    launch = BatchedLauncher.launch
    monkeypatch.setattr(BatchedLauncher, "launch", lambda *of: told.extend(launch(*of)) or told[:])
    _, files = left("polyexp", "seed=0,1", "loop=manual,closed_form")
    losses = [json.loads(files[f"{number}/result.json"])["loss"] for number in range(4)]
    assert [one.return_value for one in told] == losses
    assert {one.status for one in told} == {JobStatus.COMPLETED}
    varying = [[one for one in job.overrides if one.startswith(("seed", "loop="))] for job in told]
    assert list(map(sorted, varying)) == [[f"loop={loop}", f"seed={seed}"] for seed, loop in JOBS]
    assert [OmegaConf.to_yaml(one.cfg) for one in told] == [files[f"{n}/.hydra/config.yaml"] for n in range(4)]


def failing_fit(monkeypatch, error, fails):
    """Make the computation of some initial values fail; `fails` is a function of the (R, K) initial values."""
    fit = run_module.fit

    def failing(problem, model, **words):
        initial = words["params"] if words["params"] is not None else model.initial_params([words["seed"]])
        if fails(initial):
            raise error
        return fit(problem, model, **words)

    monkeypatch.setattr(run_module, "fit", failing)


@pytest.mark.parametrize("quiet", ["true", "false"])
def test_a_job_that_fails_fails_alone(left, monkeypatch, quiet):
    bad = np.random.RandomState(3).uniform(0, 1, 4)
    failing_fit(monkeypatch, ArithmeticError("no luck"), lambda initial: (initial == bad).all(axis=-1).any())
    ended, files = left("polyexp", "seed=range(0,6)", f"quiet={quiet}")
    assert ended.code == 1
    assert ended.err.splitlines()[0] == "[4/6] seed=3 FAILED: ArithmeticError: no luck"
    assert {path for path in files if path.endswith("result.json")} == {f"{one}/result.json" for one in (0, 1, 2, 4, 5)}
    log = files["3/polyexp.log"]
    assert "Traceback (most recent call last):" in log
    assert log.endswith("ArithmeticError: no luck\n")
    last = json.loads(files["3/journal.jsonl"].splitlines()[-1])
    assert (last["kind"], last["status"], last["reason"]) == ("end", "FAILED", "ArithmeticError: no luck")
    assert "3/.hydra/config.yaml" in files


def test_a_batch_that_is_too_large_for_the_memory_is_halved(left, monkeypatch):
    failing_fit(monkeypatch, MemoryError(), lambda initial: len(initial) > 2)
    ended, files = left("polyexp", "seed=range(0,6)")
    assert ended.code == 0
    assert len([path for path in files if path.endswith("result.json")]) == 6


def test_a_folder_that_cannot_be_written_fails_its_job_alone(left, monkeypatch):
    write = run_module.write

    def failing(folder, *of):
        if folder.name == "1":
            raise OSError(28, "No space left on device", str(folder / "result.json"))
        return write(folder, *of)

    monkeypatch.setattr(run_module, "write", failing)
    ended, files = left("polyexp", "seed=0,1,2")
    assert ended.code == 1
    assert "No space left on device" in files["1/polyexp.log"]
    assert "2/result.json" in files
    assert json.loads(files["1/journal.jsonl"].splitlines()[-1])["status"] == "FAILED"


def experiments(*changes):
    return [build(composed(*words)) for words in changes]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (([], ["seed=1"], ["optimizer.learning_rate=1e-5"], ["model.initial=zeros"]), [(0, 1, 2, 3)]),
        ((["model.degree=3"], ["model.degree=2"], ["model.degree=3", "seed=1"]), [(0, 2), (1,)]),
        ((["problem.noise=1"], ["problem.noise=1", "seed=1"], ["problem.noise=1", "quiet=true"]), [(0,), (1,), (2,)]),
        ((["problem.sampling=uniform"], ["problem.sampling=uniform", "seed=1"]), [(0,), (1,)]),
        ((["backend=numpy"], ["backend=torch"], ["loop=autograd"], ["loop.steps=3"]), [(0,), (1,), (2,), (3,)]),
        ((["tracking=none"], ["tracking=mlflow"], ["report.pictures=all"]), [(0,), (1,), (2,)]),
    ],
)
def test_experiments_that_differ_in_numbers_alone_are_one_batch(changes, expected):
    assert batches(experiments(*changes)) == expected


def test_a_batch_is_bounded_by_the_memory_that_it_needs():
    """Of 20 snapshots of 4 parameters, 3 further numbers each, twice, and of 12 arrays of 4 parameters and 4 samples."""
    words = ("model.degree=3", "loop.steps=20", "loop.log_every=1", "problem.reduction=gauss")
    several = experiments(*([*words, f"seed={seed}"] for seed in range(5)))
    run_bytes = 8 * (2 * 20 * (4 + 3) + 12 * (4 + several[0].samples().size))
    assert batches(several, 2 * run_bytes) == [(0, 1), (2, 3), (4,)]
    assert batches(several, 2 * run_bytes - 1) == [(0,), (1,), (2,), (3,), (4,)]
    assert batches(several, 0) == [(0,), (1,), (2,), (3,), (4,)]


def test_an_experiment_file_may_choose_the_launcher(bare_cli, tmp_path):
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    file = tmp_path / "conf" / "experiment" / "mine.yaml"
    file.write_text("# @package _global_\ndefaults: [{override /hydra/launcher: basic}]\n")
    ended = bare_cli("--config-dir", "conf", *SWEEP, "experiment=mine", *RATES)
    assert ended.code == 0
    assert "4 of 4 jobs done, 0 failed, 0 left" in ended.out


def test_batches_that_are_computed_in_threads_are_those_of_one_after_another(left, monkeypatch):
    words = ("model.degree=2,3,4,5,6", "seed=0,1,2")
    monkeypatch.setattr("polyexp.sweep.run.THREADS", 1)
    _, expected = left("polyexp", *words)
    monkeypatch.setattr("polyexp.sweep.run.THREADS", 4)
    ended, found = left("polyexp", *words)
    assert ended.code == 0
    numbers = [line[1:6] for line in ended.out.splitlines() if line.startswith("[")]
    assert numbers == [f"{number:2}/15" for number in range(1, 16)]
    for path in expected:
        if path.endswith(("result.json", "history.csv")):
            read = READ[path.rpartition("/")[2]]
            assert read(found[path]) == read(expected[path])


@pytest.mark.parametrize("threads", ["1", "2"])
def test_an_interruption_ends_the_computation_of_all_batches(left, monkeypatch, threads):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("polyexp.sweep.run._published", interrupted)
    ended, files = left("polyexp", "model.degree=2,3,4", "seed=0,1", f"device.threads={threads}")
    assert ended.code == 130
    assert ended.err.endswith("polyexp: interrupted.\n")
    assert not [path for path in files if path.endswith("result.json")]
