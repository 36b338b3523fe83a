"""Launchers and sweepers of other packages, in an environment of their own beside this one (part of make test-wheel)."""

import sys
import sysconfig

import pytest

from tests.helpers.commands import execute

pytestmark = pytest.mark.wheel

# Installed without their dependencies, which are here already, or which would replace ours by older ones.
PACKAGES = (
    *("hydra-submitit-launcher==1.2.0", "submitit==1.5.4", "cloudpickle", "hydra-joblib-launcher==1.2.0", "joblib"),
    *("hydra-optuna-sweeper==1.3.0", "optuna==5.0.0", "colorlog", "tqdm"),
)
QUICK = ("-m", "backend=numpy", "tracking=none", "loop.steps=3", "report.pictures=none", "quiet=true")
OPTUNA = ("hydra/sweeper=optuna", "hydra.sweeper.n_trials=3", "hydra.sweeper.n_jobs=1")


@pytest.fixture(scope="module")
def polyexp(tmp_path_factory):
    """Call it with a folder and words: a sweep where Hydra's plugins are installed."""
    root = tmp_path_factory.mktemp("environment")
    python = root / "bin" / "python"
    assert execute([sys.executable, "-m", "venv", "--without-pip", root]).code == 0
    here = sysconfig.get_path("purelib")
    (there,) = root.glob("lib/python*/site-packages")
    (there / "beside.pth").write_text(f"import site; site.addsitedir({here!r})\n")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", *PACKAGES]
    installed = execute(pip)
    assert installed.code == 0, installed.err
    return lambda folder, *words: execute([python, "-m", "polyexp", *QUICK, *words], folder)


@pytest.mark.parametrize(
    ("words", "jobs"),
    [
        (["hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5", "hydra.launcher.name=mine", "seed=1,2"], 2),
        (["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.launcher.prefer=processes", "seed=1,2"], 2),
        ([*OPTUNA, "hydra.sweeper.study_name=s", "hydra.sweeper.sampler.seed=3", "model.degree=choice(2,3)"], 3),
        ([*OPTUNA, "hydra.sweeper.direction=minimize", "optimizer.learning_rate=interval(1e-8,1e-7)"], 3),
        ([*OPTUNA, "optimizer.learning_rate=logspace(-8,-7,3)"], 3),
    ],
)
def test_numbers_and_texts_of_plugins_are_accepted(polyexp, tmp_path, words, jobs):
    ended = polyexp(tmp_path, *words)
    assert ended.code == 0, ended.err
    assert len(list(tmp_path.glob("outputs/sweeps/*/*/*/result.json"))) == jobs


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        (["hydra/launcher=submitit_slurm", "hydra.launcher.setup=[id]"], "hydra.launcher.setup"),
        (["hydra/launcher=submitit_slurm", "+hydra.launcher.additional_parameters.wrap=id"], "additional_parameters"),
        (["hydra/launcher=submitit_local", "hydra.launcher.name='${model}'"], "hydra.launcher.name"),
        (["hydra/launcher=joblib", "hydra.launcher.pre_dispatch=9**9"], "hydra.launcher.pre_dispatch"),
        (["hydra/launcher=submitit_local", "model.degree=3,-1"], "`model.degree` must be"),
        ([*OPTUNA, "hydra.sweeper.custom_search_space=os.system"], "hydra.sweeper.custom_search_space"),
        ([*OPTUNA, "hydra.sweeper.sampler._target_=os.system"], "hydra.sweeper.sampler._target_"),
        ([*OPTUNA, "hydra.sweeper.storage={_target_:os.system}"], "hydra.sweeper.storage"),
        ([*OPTUNA, "hydra.sweeper.storage='postgresql://u:secret@h/x'"], "hydra.sweeper.storage"),
        ([*OPTUNA, "model.degree=choice(-1,-2)"], "`model.degree` must be"),
        ([*OPTUNA, "model.degree=2,3", "seed=1,2", "sweep.zip=[model.degree,seed]"], "`sweep.zip` needs Hydra's own"),
    ],
)
def test_what_plugins_run_is_refused(polyexp, tmp_path, words, fragment):
    ended = polyexp(tmp_path, *words)
    last = ended.err.splitlines()[-1]
    assert (ended.code, last.startswith("polyexp: "), fragment in last) == (2, True, True), ended.err
    assert "Traceback" not in ended.err
    assert list(tmp_path.iterdir()) == []
