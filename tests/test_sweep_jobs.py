"""The jobs of a sweep are those that Hydra composes, made from one composition: their configurations, files, experiments."""

import pickle
from contextlib import contextmanager

import pytest
from omegaconf import OmegaConf

from polyexp.base import InputError
from polyexp.cli import composition
from polyexp.cli.composition import all_checked
from polyexp.cli.config_loader import CheckedLoader
from polyexp.cli.jobs import JobTask
from polyexp.experiment import PARTS, InSweep, build
from polyexp.sweep import hydra_config
from polyexp.sweep.job_files import entry
from tests.helpers.sweeps import Sweep, hydras_loader

LONG = "a long name " * 12  # which YAML breaks into several lines


@pytest.fixture
def sweep(working_folder):
    """Call it with the words of a sweep, and with raw ones."""
    return lambda *words, raw=(): Sweep(working_folder, words, raw)


MOMENTUM = ("optimizer=momentum,nesterov", "optimizer.momentum=0.8")  # which Hydra is given as ++optimizer.momentum=0.8
SWEEPS = {
    "numbers": ["optimizer.learning_rate=1e-7,1,0.5", "loop.steps=1e3,20"],
    "ranges": ["seed=range(3,5)", "quiet=true,0"],
    "groups": ["model=legendre,power_series,legendre_series", "loop=manual,autograd"],
    "groups and numbers": ["loop.steps=7,8", "model=legendre,power_series", "model.degree=3"],
    "a setting of the choices": [*MOMENTUM, "optimizer.learning_rate=1e-7,1e-8"],
    "lists": ["model.degree=2", "model.initial=[1,2,0.5],zeros", "problem.domain=[-1,1],[0,2.5]"],
    "texts": [f"tracking.experiment_name=2026_11,1.50,'a=b,c','{LONG}'", "seed=1,2"],
    "texts of files": ["problem=file", "problem.path=a=b.csv", "problem.y=1.50,y,ü,null", "problem.x=[a,'b c']"],
    "null": ["loop.tolerance=null,1e-3", "loop.patience=3,null"],
    "interpolations": ["seed=${model.degree}", "model.degree=2,3"],
    "interpolations of Hydra": ["seed=${hydra:job.num}", "model.degree=2,3"],
    "experiments": ["experiment=notebook/numpy,tutorial/autograd", "loop.steps=3,4", "device=cpu"],
    "subdir": ["hydra.sweep.subdir=${hydra.job.override_dirname}", "seed=1,2", "model.degree=3,4"],
    "subdir of a setting": ["hydra.sweep.subdir=d${model.degree}-${now:%Y}", "model.degree=3,4"],
    "whole numbers": ["seed=3,1e1"],
}
RAW = {
    "a key that is added": ["++model.degree=3", "seed=1,2"],
    "a key twice": ["++model.degree=3", "model.degree=4,5", "seed=1,2"],
    "a mapping": ["+model={degree:3}", "model.degree=4,5"],
    "a key that is not there": ["+mine=1,2", "+more.of=${seed}", "seed=1,2"],
    "a group that is removed": ["~report", "seed=1,2"],
}


@pytest.fixture
def of_kind(sweep, request):
    """The sweep of a kind."""
    kind = request.param
    return sweep(raw=RAW[kind]) if kind in RAW else sweep(*SWEEPS[kind])


every_kind = pytest.mark.parametrize("of_kind", [*SWEEPS, *RAW], indirect=True)


@every_kind
def test_jobs_have_the_files_that_hydra_writes(of_kind):
    expected = of_kind.launched(hydras_loader())
    assert of_kind.launched(of_kind.loader) == expected
    for folder, files, _ in of_kind.made():
        files.write(folder)
    written = {one.relative_to(of_kind.folder): one.read_bytes() for one in of_kind.folder.rglob("*.yaml")}
    assert written == expected


@pytest.mark.parametrize("of_kind", SWEEPS, indirect=True)
def test_jobs_have_the_experiments_that_their_configurations_describe(of_kind):
    for number, (_, _, experiment) in enumerate(of_kind.made()):
        cfg = of_kind.composed(number)
        with hydra_config(cfg):
            expected = build(cfg)
        assert (experiment(), repr(experiment())) == (expected, repr(expected))  # 10.0 is equal to 10


def test_what_does_not_differ_is_shared(sweep):
    one, other, *_ = (
        experiment() for _, _, experiment in sweep("optimizer.learning_rate=1e-7,1e-8", "seed=1,2").made()
    )
    assert {part for part in PARTS if getattr(one, part) is not getattr(other, part)} == {"seed"}
    *_, last = (experiment() for _, _, experiment in sweep("optimizer.learning_rate=1e-7,1e-8", "seed=1,2").made())
    assert (one.optimizer.learning_rate, last.optimizer.learning_rate) == (1e-7, 1e-8)


@pytest.mark.parametrize(("noise", "shared"), [("0", True), ("0.1", False)])
def test_samples_that_do_not_depend_on_the_seed_are_computed_once(sweep, noise, shared):
    one, other = (experiment().samples() for _, _, experiment in sweep(f"problem.noise={noise}", "seed=1,2").made())
    assert (one is other, one == other) == (shared, shared)


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["seed=range(0,9)", "optimizer.learning_rate=1e-7,1e-8"], 1),
        (["seed=1,2,3", "model=power_series,legendre"], 2),
        (["optimizer=adam,rmsprop", "loop=manual,autograd", "seed=1,2"], 4),
        (["tracking.experiment_name=a,b", "seed=1,2,3"], 2),
        (["seed=${model.degree}", "model.degree=2,3,4"], 4),  # one for a seed that is no number, and one for each job
    ],
)
def test_a_configuration_is_composed_once_for_the_same_choices(sweep, monkeypatch, words, count):
    made = sweep(*words)
    compositions = []
    compose = CheckedLoader.load_configuration

    def counting(loader, *args, **kwargs):
        compositions.append(args)
        return compose(loader, *args, **kwargs)

    monkeypatch.setattr(CheckedLoader, "load_configuration", counting)
    for _, _, experiment in made.made():
        experiment()
    made.launched(made.loader)
    assert len(compositions) == count


@pytest.mark.parametrize(
    "word",
    [
        *("model.degree=many", "seed=null", "seed=???", "model.degre=3", "modle.degree=3", "model.degree=1.5"),
        *("optimizer.allow_divergence=maybe", "model=no_such", "+seed=3", "model.degree.more=3", "model.initial={a:1}"),
    ],
)
def test_a_job_that_hydra_refuses_has_its_words(sweep, word):
    template = sweep("seed=1,2")
    expected = error_of(lambda: hydras_loader().load_sweep_config(template.cfg, ["seed=1", word]))
    assert error_of(lambda: template.loader.load_sweep_config(template.cfg, ["seed=1", word])) == expected


def error_of(function):
    """The type and the words of the exception that a function raises, and those of its cause; None where it returns."""
    try:
        function()
    except Exception as error:
        return type(error), str(error), type(error.__cause__), str(error.__cause__)
    return None


@pytest.mark.parametrize("word", ["tracking.uri=http://user:secret@host", "hydra.job.chdir=true", "seed=[[" + "[" * 50])
def test_what_the_loader_refuses_is_refused_in_a_job(sweep, word):
    made = sweep("seed=1,2")
    with pytest.raises(InputError) as refused:
        made.loader.load_sweep_config(made.cfg, ["seed=1", word])
    assert "secret" not in str(refused.value)


def test_a_value_that_is_out_of_range_is_refused_once_others_were_built(sweep):
    made = sweep("optimizer.learning_rate=1e-7,-1")
    (*_, first), (*_, second) = made.made()
    first()
    with pytest.raises(InputError, match=r"`optimizer.learning_rate` must be .*, got -1"):
        second()


def test_a_job_has_the_experiment_that_was_checked_in_this_process(sweep):
    task = JobTask(print, InSweep("s"))
    made = sweep("seed=1,2")
    for number, (_, _, experiment) in enumerate(made.made()):
        task.keep(number, made.jobs[number], experiment())
    assert [task.experiment(number, made.jobs[number]).seed for number in (0, 1)] == [1, 2]
    assert task.experiment(1, made.jobs[0]) is None
    assert pickle.loads(pickle.dumps(task)).experiment(0, made.jobs[0]) is None


@pytest.mark.parametrize("change", [lambda file: file.write_text("x,y\n1,2\n3,5\n4,4\n"), lambda file: file.unlink()])
def test_a_job_is_checked_anew_where_its_data_file_has_changed(sweep, working_folder, change):
    file = working_folder / "data.csv"
    file.write_text("x,y\n1,2\n3,5\n")
    task, made = JobTask(print, InSweep("s")), sweep("problem=file", "problem.path=data.csv", "seed=1")
    ((_, _, experiment),) = made.made()
    task.keep(0, made.jobs[0], experiment())
    assert task.experiment(0, made.jobs[0]) == experiment()
    change(file)
    assert task.experiment(0, made.jobs[0]) is None


@pytest.mark.parametrize("of_kind", ["groups and numbers", "interpolations of Hydra", "experiments"], indirect=True)
def test_another_process_has_the_templates_of_this_one(of_kind, monkeypatch):
    expected = of_kind.launched(of_kind.loader)
    for _, _, experiment in of_kind.made():
        experiment()
    copied, cfg = pickle.loads(pickle.dumps((of_kind.loader, of_kind.cfg)))
    monkeypatch.setattr(CheckedLoader, "load_configuration", None)
    of_kind.cfg = cfg
    assert of_kind.launched(copied) == expected


def test_the_bar_of_a_sweep_is_there_before_its_first_job_is_composed(monkeypatch):
    shown = []

    @contextmanager
    def bar(what, *, quiet):
        yield lambda done: shown.append((what, done))

    def experiments():
        assert shown == [("Checking 3 jobs", 0)]
        yield from ()

    monkeypatch.setattr(composition, "bar", bar)
    assert all_checked(experiments(), 3, quiet=False) == []


@pytest.mark.parametrize(
    "value", ["text", LONG, "ü", "1.50", "2026_11", "", None, 1e-7, [], ["a", LONG], {}, {"a": [1]}]
)
def test_an_entry_has_the_lines_that_it_has_in_the_whole(value):
    nested = {"hydra": {"first": "a", "job": {"before": 1, "id": value, "after": 2}, "last": [1]}}
    whole = OmegaConf.to_yaml(OmegaConf.create(nested))
    before, after = (entry(["hydra", "job", name], number) for name, number in (("before", 1), ("after", 2)))
    parts = [
        "hydra:\n",
        entry(["hydra", "first"], "a"),
        "  job:\n",
        before,
        entry(["hydra", "job", "id"], value),
        after,
    ]
    assert "".join([*parts, entry(["hydra", "last"], [1])]) == whole
