"""A sweep that gets Ctrl-C on a terminal at a random moment: resumed, its table is complete, and its jobs are the same."""

import random
import re
import shlex

import pytest

from polyexp.sweep import read_table
from polyexp.tracking import JOURNAL
from tests.helpers.commands import run
from tests.helpers.interruptions import STORE, Kept, recorded
from tests.helpers.recorded_fits import journal
from tests.helpers.terminal import run_on_terminal, screen

NAME = "outputs/sweeps/s"
WORDS = ("problem.num_samples=20", "loop.steps=120000", "loop.log_every=1000", f"hydra.sweep.dir={NAME}")
JOBS = 6
DEGREES = ("model.degree=2,3,4", "optimizer.learning_rate=1e-8,2e-8")
SWEEPS = {
    "one batch": ("model.degree=3", "optimizer.learning_rate=1e-8,2e-8,3e-8,4e-8,5e-8,6e-8"),
    "three batches": DEGREES,
    "each job alone": (*DEGREES, "hydra/launcher=basic"),
}


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """Call it with a name of SWEEPS: the folder of such a sweep that was not interrupted."""
    folders = {}

    def of(name):
        if name not in folders:
            root = tmp_path_factory.mktemp("whole")
            ended = run("-m", *SWEEPS[name], *WORDS, "tracking=none", cwd=root)
            assert ended.code == 0, ended.err
            folders[name] = root / NAME
        return folders[name]

    return of


@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("name", SWEEPS)
def test_ctrl_c_on_a_terminal(name, number, seed, whole, tmp_path, new_store, facts):
    facts(table="sweeps", fault=name, when="at a random moment")
    expected, folder, store = whole(name), tmp_path / NAME, tmp_path / STORE
    after = random.Random(f"{seed} {name} {number}").uniform(0, 0.6 * seconds_of(expected))
    new_store(store)
    ended = run_on_terminal("-m", *SWEEPS[name], *WORDS, cwd=tmp_path, until="100%", after=after)
    out, _, rest = ended.out.partition("^C")
    assert "Traceback" not in ended.out
    if "Files in" not in out:  # with which it has ended
        assert ended.code == 130
    hint = re.search(r"To go on, type\s+`python -m polyexp ([^`]+)`", rest)
    if not (folder / JOURNAL).exists():
        facts(before=1)
        assert hint is None
        return
    done = sum((folder / f"{job}" / "result.json").exists() for job in range(JOBS))
    if hint is None:
        assert all_finished(folder)
    else:
        facts(exit=ended.code, interrupted=1, jobs=done)
        assert [line for line in screen(rest) if line.strip()][-1] == "polyexp: interrupted."
    # Where all jobs had ended, this writes the ids of the runs into the table that were not delivered yet.
    resumed = run(*shlex.split(hint[1] if hint else f"sweep.resume={NAME}"), cwd=tmp_path)
    assert (resumed.code, resumed.err) == (0, "")
    different = [job for job in range(JOBS) if Kept(folder / f"{job}").differences(Kept(expected / f"{job}"))]
    ids = dict(recorded(store))
    finished = [one for one, status in ids.items() if status == "FINISHED"]
    rows = read_table(folder).rows
    facts(identical=JOBS - len(different), rows=sum(row.run_id in finished for row in rows))
    assert different == []
    assert [row.outcome for row in rows] == ["MAX_STEPS"] * JOBS
    assert {row.run_id for row in rows} < set(finished)
    assert len({row.run_id for row in rows}) == JOBS
    assert len(finished) == JOBS + 1  # with the sweep
    assert set(ids.values()) <= {"FINISHED", "KILLED"}


def seconds_of(folder):
    """How long the jobs of a sweep took, from the beginning of its journal to the last result."""
    results = [(folder / f"{job}" / "result.json").stat().st_mtime for job in range(JOBS)]
    return max(results) - journal(folder)[0]["time"] / 1000


def all_finished(folder):
    """Whether a sweep has a table of all of its jobs."""
    return [row.outcome for row in read_table(folder).rows] == ["MAX_STEPS"] * JOBS
