"""A run that goes on with another backend or another processor's code, and is equal within rounding; or as another run."""

import itertools
import os
import sqlite3
from contextlib import closing

import numpy as np
import pytest

import polyexp as p
from tests import kernels
from tests.helpers.commands import run
from tests.helpers.interruptions import FOLDER, RUN_DIR, STORE, Kept, interrupted_in_process, tag, uninterrupted
from tests.helpers.recorded_fits import verdict
from tests.helpers.rounding import Bound

PAIRS = [(*pair, "manual") for pair in itertools.permutations(("numpy", "torch", "jax"), 2)]
PAIRS += [("torch", "jax", "autograd"), ("jax", "torch", "autograd")]  # NumPy differentiates nothing
RATE, STEPS, AT = 2e-5, 20_000, 9_000  # the slowest mode needs 40000 steps
SETTINGS = (
    "problem.num_samples=40",
    "problem.reduction=none",
    "model.degree=3",
    f"optimizer.learning_rate={RATE}",
    f"loop.steps={STEPS}",
    "loop.log_every=500",
    "report.pictures=none",
)


def require_near(facts, kept, whole):
    """Require the steps of the uninterrupted run, and its parameters within the bound."""
    found, expected = (kept.values["snapshots"], whole.values["snapshots"])
    steps = np.array([line["step"] for line in expected])
    assert [line["step"] for line in found] == steps.tolist()
    params, exact = (np.array([line["params"] for line in lines]) for lines in (found, expected))
    problem = p.Problem(num_samples=40, reduction="none")
    samples = problem.samples()
    model = p.PowerSeries(degree=3).on_domain(samples.domain)
    distances, bounds = np.linalg.norm(params - exact, axis=1), Bound(model, samples, RATE, exact).after(steps)
    facts(difference=float(distances.max()), allowed=float(bounds.max()), identical=int(not kept.differences(whole)))
    assert (distances <= bounds).all()


@pytest.mark.sample(2)
@pytest.mark.parametrize(("first", "then", "loop"), PAIRS)
def test_on_another_backend(first, then, loop, tmp_path, new_store, facts):
    facts(table="elsewhere", fault=first, when=then)
    new_store(tmp_path / STORE)
    words = (*SETTINGS, f"loop={loop}")
    ended = interrupted_in_process(tmp_path, *words, RUN_DIR, f"backend={first}", at=AT)
    assert ended.code == 130, ended.err
    before, mark = tag(tmp_path / STORE, "polyexp.computed_by"), tag(tmp_path / STORE, "polyexp.fingerprint")
    resumed = run(f"resume={FOLDER}", f"backend={then}", cwd=tmp_path)
    assert resumed.code == 0, resumed.err
    require_near(
        facts,
        Kept(tmp_path / FOLDER),
        uninterrupted(tmp_path / "whole", *words, f"backend={first}", f"hydra.run.dir={FOLDER}"),
    )
    assert verdict(tmp_path / STORE, tmp_path / FOLDER).is_right
    assert tag(tmp_path / STORE, "polyexp.computed_by") != before
    assert tag(tmp_path / STORE, "polyexp.fingerprint") != mark
    assert tag(tmp_path / STORE, "polyexp.resumed") == f"after {AT} steps with backend={then}"
    with closing(sqlite3.connect(tmp_path / STORE)) as database:
        assert database.execute("SELECT value FROM params WHERE key = 'backend'").fetchall() == [(first,)]


ENVIRONMENTS = [*kernels.environments()]


@pytest.mark.sample(1)
@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda one: one.name)
def test_on_another_processor(environment, tmp_path, facts):
    reason = environment.reason_to_leave_out()
    if reason:
        pytest.skip(reason)
    backend = "torch" if "torch" in environment.name else "numpy"
    facts(table="elsewhere", fault=f"{backend} of this machine", when=environment.name)
    words = (*SETTINGS, f"backend={backend}", "tracking=none")
    ended = interrupted_in_process(tmp_path, *words, RUN_DIR, at=AT)
    assert ended.code == 130, ended.err
    resumed = run(f"resume={FOLDER}", cwd=tmp_path, env=environment.variables)
    assert resumed.code == 0, resumed.err
    require_near(facts, Kept(tmp_path / FOLDER), uninterrupted(tmp_path / "whole", *words, f"hydra.run.dir={FOLDER}"))


# As another run

OTHER = {
    "model": ("model=legendre", "model", "power_series", "legendre"),
    "degree": ("model.degree=4", "model.degree", "3", "4"),
    "initial values": ("model.initial=normal", "model.initial", "uniform", "normal"),
    "problem": ("problem=cos", "problem", "sin", "cos"),
    "samples": ("problem.num_samples=41", "problem.num_samples", "40", "41"),
    "noise": ("problem.noise=0.5", "problem.noise", "0.0", "0.5"),
    "optimizer": ("optimizer=adam", "optimizer", "gradient_descent", "adam"),
    "learning rate": ("optimizer.learning_rate=1e-3", "optimizer.learning_rate", "2e-05", "1e-3"),
    "loop": ("loop=autograd", "loop", "manual", "autograd"),
    "interval of the snapshots": ("loop.log_every=100", "loop.log_every", "500", "100"),
    "seed": ("seed=1", "seed", "0", "1"),
    "data file": (None, None, None, None),
    "fewer steps than it has taken": (f"loop.steps={AT - 1}", "loop.steps", str(AT), str(AT - 1)),
}


@pytest.mark.sample(2)
@pytest.mark.parametrize("what", OTHER)
def test_as_another_run(what, tmp_path, new_store, facts):
    """Refused with both named; nothing is changed."""
    facts(table="refusals", fault=what)
    new_store(tmp_path / STORE)
    word, key, was, now = OTHER[what]
    words = SETTINGS
    if word is None:
        data = tmp_path / "data.csv"
        data.write_text("x,y\n" + "".join(f"{k / 20},{k * k % 7}\n" for k in range(40)))
        words = ("problem=file", "problem.path=data.csv", *(one for one in SETTINGS if "num_samples" not in one))
        was = data.stat().st_mtime_ns
    ended = interrupted_in_process(tmp_path, *words, RUN_DIR, "backend=numpy", at=AT)
    assert ended.code == 130, ended.err
    if word is None:
        os.utime(data, ns=(was, was + 1))
        was, now = str(was), str(was + 1)
    before = contents(tmp_path)
    refused = run(f"resume={FOLDER}", *([word] if word else []), cwd=tmp_path)
    changed = sum(before.get(path) != content for path, content in contents(tmp_path).items())
    facts(exit=refused.code, wrong=changed)
    sentences = [line for line in refused.err.splitlines() if line.startswith("polyexp: ")]
    assert (refused.code, refused.out, len(sentences)) == (2, "", 1), refused.err
    assert key is None or f"`{key}`" in sentences[0]
    assert was in sentences[0]
    assert now in sentences[0]
    assert changed == 0


def contents(root):
    """The bytes of all files below a folder, but for what SQLite keeps beside a database while it is open."""
    return {
        one: one.read_bytes() for one in root.rglob("*") if one.is_file() and one.suffix not in (".db-wal", ".db-shm")
    }
