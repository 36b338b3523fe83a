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
    "-m seed=range(0,0)": "no jobs",
}


@pytest.mark.parametrize(("words", "fragment"), LEAVES_NOTHING.items())
def test_a_refused_command_leaves_nothing_behind(tmp_path, words, fragment):
    assert fragment in require_refused(tmp_path, *words.split())


def test_a_folder_that_existed_before_a_refusal_is_left_with_what_was_in_it(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("")
    require_refused(tmp_path, "hydra.run.dir=mine", "model.degree=-1")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]
