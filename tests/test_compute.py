"""`compute`: one experiment, or many that differ only in numbers as one batch, without printing or writing anything."""

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polyexp as p
from polyexp.experiment import Experiment, Job, build, compute, publish
from polyexp.experiment.job import run_info
from polyexp.experiment.run import run
from polyexp.report import Terminal
from polyexp.tracking import Journal
from tests.helpers.cases import assert_close
from tests.helpers.commands import run_python
from tests.helpers.config import composed

pytestmark = pytest.mark.numeric

BASE = (
    "problem=exp",
    "problem.domain=[-1,1]",
    "problem.num_samples=40",
    "model=legendre_series",
    "model.degree=3",
    "backend=numpy",
    "optimizer=momentum",
    "optimizer.learning_rate=0.1",
    "loop.steps=60",
    "loop.log_every=20",
    "loop.tolerance=1e-6",
    "tracking=none",
    "report.pictures=none",
    "quiet=true",
)
TWELVE = (
    ("optimizer.learning_rate=0.01",),
    ("optimizer.learning_rate=0.3", "optimizer.momentum=0.5"),
    ("optimizer.learning_rate=auto",),
    ("optimizer.momentum=0",),
    ("optimizer.learning_rate=1000", "optimizer.allow_divergence=true"),
    ("model.initial=zeros",),
    ("model.initial=normal", "seed=7"),
    ("model.initial=[1,2,3,4]", "model.initial_scale=3"),
    ("model.initial_scale=0.25",),
    ("seed=1",),
    ("seed=4294967295", "optimizer.learning_rate=auto", "model.initial=normal"),
    (),
)


@cache
def experiment(*overrides: str) -> Experiment:
    """The checked experiment of a command with these words."""
    return build(composed(*BASE, *overrides)).check()


def twelve(backend: str = "numpy") -> list[Experiment]:
    """Experiments that differ in numbers; composing them takes longest, and so they are composed for one backend only."""
    chosen = experiment(f"backend={backend}").backend
    return [replace(experiment(*more), backend=chosen).check() for more in TWELVE]


def assert_alike(one: p.Result, other: p.Result, rtol: float = 1e-12) -> None:
    """Two results of a single run have equal numbers, up to rounding."""
    assert one.runs == other.runs == ()
    assert_close(one.params, other.params, rtol)
    assert one.loss == pytest.approx(other.loss, rel=rtol)
    assert one.max_error == pytest.approx(other.max_error, rel=rtol)
    assert (one.outcome, one.steps) == (other.outcome, other.steps)
    assert one.optimizer == other.optimizer
    np.testing.assert_array_equal(one.initial, other.initial)
    np.testing.assert_array_equal(one.history.step, other.history.step)
    np.testing.assert_allclose(one.history.loss, other.history.loss, rtol=rtol)
    for actual, expected in zip(one.history.params, other.history.params, strict=True):
        assert_close(actual, expected, rtol)


def assert_same_bits(one: p.Result, other: p.Result) -> None:
    """Two results have equal numbers, to the bit."""
    for name in ("initial", "params", "loss", "excess", "max_error", "outcome", "steps"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for name in ("step", "params", "loss", "excess", "grad_norm", "length"):
        np.testing.assert_array_equal(getattr(one.history, name), getattr(other.history, name))


# One experiment


@pytest.mark.parametrize("backend", ["numpy", "torch", "jax"])
def test_one_experiment_is_computed_as_by_fit(backend):
    of = experiment(f"backend={backend}", "optimizer.learning_rate=auto", "seed=3", "problem.noise=0.1")
    parts = {"loop": of.loop, "optimizer": of.optimizer, "backend": of.backend, "device": of.device, "seed": 3}
    result, expected = compute(of), p.fit(of.problem, of.model, **parts)
    assert_same_bits(result, expected)
    assert result.model == expected.model
    assert result.optimizer == expected.optimizer
    assert result.computed_by == expected.computed_by == of.computed_by
    assert (result.runs, result.checkpoint) == ((), None)


# Many experiments


@pytest.mark.parametrize("backend", ["numpy", "torch", "jax"])
def test_each_run_of_a_batch_is_what_its_experiment_gives(backend):
    experiments = twelve(backend)
    batch = compute(experiments)
    assert batch.runs == (12,)
    assert len({*batch.outcome}) == 3  # all steps, converged and diverged
    for i, one in enumerate(experiments):
        assert_alike(batch[i], compute(one))


@pytest.mark.parametrize("overrides", [("loop=closed_form",), ("model=legendre", "optimizer.learning_rate=0.01")])
def test_the_closed_form_and_a_model_that_is_not_linear_are_computed_together(overrides):
    numbers = [(), ("optimizer.momentum=0.3",), ("seed=5",), ("model.initial=normal", "model.initial_scale=0.1")]
    experiments = [experiment(*overrides, *more) for more in numbers]
    batch = compute(experiments)
    for i, one in enumerate(experiments):
        assert_alike(batch[i], compute(one), 1e-11 if "model=legendre" in overrides else 1e-12)


@pytest.mark.parametrize(
    ("optimizer", "varied"),
    [
        ("gradient_descent", ["learning_rate=auto", "learning_rate=0.2"]),
        ("nesterov", ["momentum=0.3", "momentum=0.6", "learning_rate=0.05"]),
        ("rmsprop", ["alpha=0.5", "eps=1e-3", "learning_rate=0.2"]),
        ("adam", ["beta1=0.5", "beta2=0.9", "eps=1e-3", "learning_rate=0.2"]),
    ],
)
def test_every_number_of_an_optimizer_may_differ(optimizer, varied):
    experiments = [experiment(f"optimizer={optimizer}", f"optimizer.{one}") for one in varied]
    batch = compute(experiments)
    for i, one in enumerate(experiments):
        assert_alike(batch[i], compute(one))


def test_experiments_may_be_equal_and_a_sequence_of_one_is_a_batch():
    same = experiment()
    batch = compute((same, same, replace(same)))
    assert batch.runs == (3,)
    assert compute([same]).runs == (1,)
    for one in (*batch, compute([same])[0]):
        assert_alike(one, compute(same))


def test_reduced_and_random_samples_are_read_once_for_a_batch():
    noisy = ("problem.noise=0.5", "problem.sampling=uniform", "seed=9")
    experiments = [experiment(*noisy, f"optimizer.momentum={one}") for one in (0.1, 0.5)]
    batch = compute(experiments)
    assert (batch.samples.size, batch.samples.total) == (4, 40)
    for i, one in enumerate(experiments):
        assert_alike(batch[i], compute(one))


# What may not differ


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        (["loop.steps=61"], "loop.steps"),
        (["loop.tolerance=1e-5"], "loop.tolerance"),
        (["loop.tolerance=null"], "loop.tolerance"),
        (["loop.log_every=30"], "loop.log_every"),
        (["loop=closed_form"], "loop"),
        (["model.degree=4"], "model.degree"),
        (["model=chebyshev_series"], "model"),
        (["model=legendre"], "model"),
        (["model.domain=[-2,2]"], "model.domain"),
        (["problem.num_samples=41"], "problem.num_samples"),
        (["problem.loss=sum", "optimizer.learning_rate=0.01"], "problem.loss"),
        (["problem=sin"], "problem"),
        (["backend=torch"], "backend"),
        (["backend.dtype=float32"], "backend.dtype"),
        (["device.threads=2"], "device.threads"),
        (["optimizer=nesterov"], "optimizer"),
        (["optimizer.learning_rate=0.2", "seed=3", "model.initial=zeros", "loop.steps=61"], "loop.steps"),
    ],
)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_what_else_differs_is_refused_by_its_key(overrides, key, position):
    experiments = [experiment(), experiment("seed=2")]
    experiments.insert(position, experiment(*overrides))
    with pytest.raises(p.InputError) as refused:
        compute(experiments)
    sentence = str(refused.value)
    if key in ("problem", "model", "loop", "backend", "optimizer"):
        assert re.match(rf"`{key}(\.\w+)?` is not the same in these experiments", sentence), sentence
    else:
        assert sentence.startswith(f"`{key}` is not the same in these experiments"), sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("random", ["problem.noise=0.1", "problem.sampling=uniform"])
def test_seeds_that_change_the_samples_are_refused(random):
    with pytest.raises(p.InputError, match=r"^`seed` is not the same in these experiments, and their samples depend"):
        compute([experiment(random), experiment(random, "seed=1")])
    assert compute([experiment(random, "seed=1"), experiment(random, "seed=1")]).runs == (2,)


def test_no_experiments_are_refused():
    for none in ([], ()):
        with pytest.raises(p.InputError, match="no experiments"):
            compute(none)


# What compute does besides


def test_nothing_is_printed_or_written(working_folder, capfd):
    experiments = [replace(one, quiet=False) for one in twelve("torch")]
    compute(experiments)
    compute(experiments[0])
    assert capfd.readouterr() == ("", "")
    assert list(working_folder.iterdir()) == []


def test_mlflow_is_not_imported(tmp_path):
    program = """
import sys
from polyexp.experiment import build, compute, publish
from tests.helpers.config import composed
one, other = (build(composed(*sys.argv[1:], f"seed={seed}")).check() for seed in (0, 1))
compute([one, other])
compute(one)
found = [name for name in ("mlflow", "matplotlib", "torch", "jax") if name in sys.modules]
assert not found, found
"""
    program = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n{program}"
    silent = [word for word in BASE if not word.startswith(("tracking", "quiet"))]  # tracking=mlflow is the default
    done = run_python(program, *silent, cwd=tmp_path, strict=False)
    assert done == (0, "", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("backend", ["numpy", "torch", "jax"])
@pytest.mark.parametrize("several", [True, False], ids=["batch", "single"])
def test_stopped_and_started_again_gives_the_same_bits(backend, several):
    experiments: Any = twelve(backend) if several else experiment(f"backend={backend}")
    whole = compute(experiments)
    assert whole.checkpoint is None
    part, parts = compute(experiments, stop=lambda: True), 1
    assert np.size(part.outcome) == np.size(whole.outcome)
    assert p.Outcome.INTERRUPTED in np.ravel(part.outcome)
    while part.checkpoint is not None:
        part = compute(experiments, start=part.checkpoint, stop=lambda: True)
        parts += 1
        assert parts < 100
    assert parts > 2
    assert_same_bits(part, whole)


def test_the_checkpoint_of_other_runs_is_refused():
    checkpoint = compute(twelve(), stop=lambda: True).checkpoint
    with pytest.raises(p.InputError, match="checkpoint"):
        compute(experiment(), start=checkpoint)


def test_experiments_may_come_from_a_generator():
    experiments = twelve()
    assert_same_bits(compute(one for one in experiments), compute(experiments))


def test_observe_sees_the_snapshots_of_all_runs():
    seen: list[p.Snapshot] = []
    batch = compute(twelve(), observe=seen.append)
    assert [one.step for one in seen] == batch.history.step.tolist() == [1, 2, 5, 10, 20, 40, 60]
    assert {(one.params.shape, one.loss.shape, np.shape(one.taken)) for one in seen} == {((12, 4), (12,), (12,))}
    np.testing.assert_array_equal(np.stack([one.params for one in seen]), batch.history.params)
    alone: list[p.Snapshot] = []
    compute(experiment(), observe=alone.append)
    assert {(one.params.shape, np.shape(one.loss)) for one in alone} == {((4,), ())}


# The files of one run of a batch


def job(folder: Path) -> Job:
    """The circumstances of a run in this folder."""
    folder.mkdir(parents=True)
    return Job(folder, overrides=(), sweep=None, config_yaml="seed: 0\n")


def published(experiments: Sequence[Experiment], root: Path) -> list[Path]:
    """The folders of all runs, which are computed together."""
    batch = compute(experiments)
    jobs = [job(root / str(i)) for i in range(len(experiments))]
    for one, result, its in zip(experiments, batch, jobs, strict=True):
        header = one.tracking.header(run_info(one, its))
        with Terminal(its.folder, quiet=True) as terminal, Journal(its.folder, header) as journal:
            publish(one, result, its, terminal, journal)
    return [one.folder for one in jobs]


def assert_equal_json(actual: Any, expected: Any, key: str = "") -> None:
    """Equal texts and keys, and numbers that differ by rounding only."""
    if isinstance(expected, dict):
        assert actual.keys() == expected.keys(), key
        for name, one in expected.items():
            assert_equal_json(actual[name], one, f"{key}.{name}")
    elif isinstance(expected, list):
        assert len(actual) == len(expected), key
        for i, one in enumerate(expected):
            assert_equal_json(actual[i], one, f"{key}[{i}]")
    elif isinstance(expected, float):
        assert actual == pytest.approx(expected, rel=1e-12, abs=1e-15), key
    else:
        assert actual == expected, key


def test_a_run_of_a_batch_is_published_as_a_run_of_its_own(tmp_path, capfd):
    experiments = twelve()
    folders = published(experiments, tmp_path / "batch")
    for i, one in enumerate(experiments):
        alone = job(tmp_path / "alone" / str(i))
        run(one, alone)
        found, expected = (json.loads((of / "result.json").read_text()) for of in (folders[i], alone.folder))
        assert found.pop("seconds") > 0
        assert expected.pop("seconds") > 0
        assert_equal_json(found, expected)
        tables = [list(csv.reader((of / "history.csv").read_text().splitlines())) for of in (folders[i], alone.folder)]
        assert tables[0][0] == tables[1][0] == ["step", "loss", "excess", "grad_norm", "w0", "w1", "w2", "w3"]
        actual, wanted = (np.array(table[1:], float) for table in tables)
        assert actual.shape == wanted.shape
        for column, other in zip(actual.T, wanted.T, strict=True):
            assert_close(column, other, 1e-12)  # of the largest number in the column
        assert (folders[i] / "config.yaml").read_text() == "seed: 0\n"
        assert {path.name for path in folders[i].iterdir()} == {path.name for path in alone.folder.iterdir()}
    assert capfd.readouterr().out == ""
