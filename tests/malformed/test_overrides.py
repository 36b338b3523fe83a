"""Words of the command line that are no overrides, name what does not exist, or give a setting what it does not take."""

import pytest

from polyexp.base import Component
from polyexp.cli.configs import choices
from polyexp.experiment import all_keys, choice_hint, key_hint
from polyexp.experiment.suggestions import CHOICES_ELSEWHERE, SETTINGS_ELSEWHERE
from tests.helpers.refusals import require_refused

NOT_A_SETTING = "is not a setting of this experiment."
UNREADABLE = "cannot be read as key=value"
REMOVED = "cannot be removed"
ADDED = "would add a setting, but all settings are there: type "
SEVERAL = "lists several values: put -m in front for a sweep"

WORDS = {  # of no key and value
    "legendre": f"`legendre` {UNREADABLE}. Type `model=legendre`.",
    "numpy": f"`numpy` {UNREADABLE}. Type `backend=numpy`.",
    "seed": f"`seed` {UNREADABLE}. Type `seed=...`.",
    "model.degree": f"`model.degree` {UNREADABLE}. Type `model.degree=...`.",
    "model.degree 3": f"`model.degree` {UNREADABLE}. Type `model.degree=...`.",
    "nonsense": f"`nonsense` {UNREADABLE}.",
    "=": f"`=` {UNREADABLE}.",
    "=3": f"`=3` {UNREADABLE}.",
    "+": f"`+` {UNREADABLE}.",
    "--lr=0.1": "unrecognized arguments: --lr=0.1. Did you mean 'optimizer.learning_rate'?",
    "--loop.steps=5": "unrecognized arguments: --loop.steps=5. Did you mean 'loop.steps'?",
    "--epochs 5": "unrecognized arguments: --epochs. Did you mean 'loop.steps'?",
}
KEYS = {  # that do not exist
    "modell=legendre": f"`modell` {NOT_A_SETTING} Did you mean 'model'?",
    "MODEL=legendre": f"`MODEL` {NOT_A_SETTING} Did you mean 'model'?",
    "model.degre=3": "Did you mean 'model.degree'?",
    "model.deg=": "Did you mean 'model.degree'?",
    "Model.degree=3": "Did you mean 'model.degree'?",
    "model..degree=3": f"`model.` {NOT_A_SETTING}",
    "model.=3": f"`model.` {NOT_A_SETTING} The settings of `model` are degree, initial, initial_scale.",
    ".degree=3": "Did you mean 'model.degree'?",
    "model/degree=3": f"`model/degree` {NOT_A_SETTING}",
    "model/legendre=1": f"`model/legendre` {NOT_A_SETTING}",
    "schema/model=legendre": f"`schema/model` {NOT_A_SETTING}",
    "base=loop": f"`base` {NOT_A_SETTING}",
    "optimizer.qwxz=3": "The settings of `optimizer` are allow_divergence, learning_rate.",
    "problem.domain.0=1": "Did you mean 'problem.domain'?",
    "loop.tol.x=1": f"`loop.tol` {NOT_A_SETTING} Did you mean 'loop.tolerance'?",
    "learning-rate=1": "Did you mean 'optimizer.learning_rate'?",
    "größe=1": f"`größe` {NOT_A_SETTING}",
    "model\x1b[2J=1": r"`model\x1b[2J`",
}
OTHER_CHOICES = {  # settings that another choice has
    "optimizer.momentum=0.9": "It belongs to `optimizer=momentum`, `optimizer=nesterov`.",
    "optimizer.eps=1e-9": "It belongs to `optimizer=adam`, `optimizer=rmsprop`.",
    "tracking=none tracking.uri=x": "It belongs to `tracking=mlflow`.",
    "problem.path=d.csv": "It belongs to `problem=file`.",
    "problem=file problem.noise=1": "It belongs to `problem=abs`, `problem=cos`, `problem=exp`, ...",
    "model.domain=[0,1]": "It belongs to `model=chebyshev_series`, `model=hermite_series`, `model=legendre_series`.",
    "action.run=1a2b3c": "It belongs to `action=export`, `action=replay`.",
    "experiment=tutorial/optim optimizer.momentum=0.5": "It belongs to `optimizer=momentum`, `optimizer=nesterov`.",
    "experiment=tutorial/optim optimizer.allow_divergence=true": "It belongs to `optimizer=gradient_descent`",
}
CHOICES = {  # that do not exist
    "model=legendr": "`model` must be one of chebyshev_series, hermite_series, legendre, legendre_series, power_series, got "
    "'legendr'. Did you mean 'legendre'?",
    "model=/legendre": "got '/legendre'. Did you mean 'legendre'?",
    "model=../model/legendre": "got '../model/legendre'. Did you mean 'legendre'?",
    "model=model/legendre": "got 'model/legendre'. Did you mean 'legendre'?",
    "model=legendre.yaml": "got 'legendre.yaml'. Did you mean 'legendre'?",
    "model=Legendre": "got 'Legendre'. Did you mean 'legendre'?",
    "model=": "got ''.",
    "model=null": "`model` takes the name of one choice (",
    "model=3": "`model` takes the name of one choice (",
    "model={a:1}": "`model` takes the name of one choice (",
    "action=[fit]": "`action` takes the name of one choice (compare, crosscheck, export, fit, predict, replay, sync), got ",
    "model=[legendre]": "got '[legendre]'.",
    "experiment=null": "`experiment` takes the name of one choice (",
    "experiment=[notebook/numpy]": "`experiment` takes the name of one choice (",
    "experiment=numpy": "Did you mean 'notebook/numpy' or 'tutorial/numpy'?",
    "model=leg(endre": "got 'leg(endre'. Did you mean 'legendre'?",
    "model=${seed}": "got '${seed}'.",
    "model=???": "got '???'.",
    "model=\x07": r"got '\x07'",
    "-m model=legendre,legendr": "got 'legendr'. Did you mean 'legendre'?",
    "-m model=legendre,3": "`model` takes the name of one choice (",
    "-m model=glob(zz*)": "The sweep has no jobs",
}
FORMS = {  # of overrides that Hydra has for what does not occur here
    "~model": f"`model` {REMOVED}",
    "~seed": f"`seed` {REMOVED}",
    "~model.degree": f"`model.degree` {REMOVED}",
    "~model.degree=7": f"`model.degree` {REMOVED}",
    "~experiment": f"`experiment` {REMOVED}",
    "~typo": f"`typo` {NOT_A_SETTING}",
    "+seed=1": f"{ADDED}`seed=1`.",
    "++seed=1": f"{ADDED}`seed=1`.",
    "+model.degree=3": f"{ADDED}`model.degree=3`.",
    "+experiment=notebook/numpy": f"{ADDED}`experiment=notebook/numpy`.",
    "+model=legendre": f"{ADDED}`model=legendre`.",
    "+hydra.x=1": "`hydra.x` cannot",
    "++hydra.callbacks.x._target_=builtins.print": "`hydra.callbacks.x` cannot",
    "+typo=1": f"`typo` {NOT_A_SETTING}",
    "++model.degre=3": "Did you mean 'model.degree'?",
    "model@x=legendre": "A config group takes no package: type `model=legendre`.",
    "model@_global_=legendre": "A config group takes no package: type `model=legendre`.",
    "experiment@x=notebook/numpy": "A config group takes no package: type `experiment=notebook/numpy`.",
    "hydra/launcher@x=basic": "A config group takes no package",
    "hydra.x=1": f"`hydra.x` {NOT_A_SETTING}",
}
VALUES = {  # that a setting does not take
    "quiet=maybe": "`quiet` must be true or false, got 'maybe'.",
    "quiet=5": "`quiet` must be true or false, got '5'.",
    "quiet=null": "`quiet` must be true or false, got 'null'.",
    "report.page=html": "`report.page` must be true or false, got 'html'.",
    "tracking.required=always": "`tracking.required` must be true or false, got 'always'.",
    "tracking.log_model=yes": "`tracking.log_model` must be one of auto, always, never, got 'yes'.",
    "-m seed=1,2 tracking.log_model=auto,true": "`tracking.log_model` must be one of auto, always, never, got 'true'.",
    "tracking=none tracking.log_model=auto": "It belongs to `tracking=mlflow`.",
    "tracking=none tracking.wait=1": "It belongs to `tracking=mlflow`.",
    "action=compare action.runs=abc": "`action.runs` must be a list: [a,b], got 'abc'.",
    "action=compare action.runs={a:1}": "`action.runs` must be a list: [a,b], got '{a:1}'.",
    "problem.domain=[0,1": "`problem.domain` must be a list of numbers, got '[0,1'.",
    "problem.domain=[a,b]": "`problem.domain` must be a list of numbers, got '[a,b]'.",
    "problem.domain=[[0],1]": "`problem.domain` must be a list of numbers, got '[[0],1]'.",
    "problem.sampling=": "`problem.sampling` must be one of",
    "problem.sampling=1.50": "got '1.50'",
    "model.degree=???": "`model.degree` has no value: type `model.degree=...`.",
    "problem.loss=???": "`problem.loss` has no value: type `problem.loss=...`.",
    "model.degree=1,2": f"`model.degree=1,2` {SEVERAL}",
    "model=legendre,power_series": f"`model=legendre,power_series` {SEVERAL}",
    "seed=range(0,3)": f"`seed=range(0,3)` {SEVERAL}",
    "model.initial=zer(os": """put the value into quotes of its own, model.initial="'zer(os'\"""",
    "hydra.run.dir=a=b": """put the value into quotes of its own, hydra.run.dir="'a=b'\"""",
    "hydra.run.dir=out(1)x": """put the value into quotes of its own, hydra.run.dir="'out(1)x'\"""",
    "hydra.run.dir=a$(b": """put the value into quotes of its own, 'hydra.run.dir="a$(b"'""",
    "-m seed=choice()": "the values of a sweep are typed as 1,2, or as range(0,10), linspace(0,1,5),",
    "-m seed=range(0,3,0)": "must give at most 100000 jobs, by a step that is not 0.",
    "-m seed=range(0,inf)": "must give at most 100000 jobs",
    "-m seed=range(0,10000000)": "must give at most 100000 jobs",
    "-m seed=interval(0,1)": "needs a sweeper that draws from intervals",
    "-m seed=1,choice(2,3)": "`seed=1,choice(2,3)` is a sweep within a sweep",
    "-m model.degree=3,abc": "`model.degree` must be a whole number, got 'abc'.",
}
RATE = "optimizer.learning_rate"
MOST = "must be a whole number from 1 to 100000, got"
TOO_LARGE = "reaches numbers that are too large or too small for float64: type"
RANGES = {  # that give no values, or too many, and `sweep.zip` of what cannot go in step
    "-m seed=range(10,0)": "`seed=range(10,0)` has no values: a range ends before its second number. Type range(0,3) for",
    "-m seed=sort(range(5,5))": "has no values",
    "-m seed=range(0,1000000000)": "must give at most 100000 jobs",
    "-m seed=shuffle(range(0,1000000000))": "must give at most 100000 jobs",
    "-m seed=range(0,1,1e-12)": "must give at most 100000 jobs",
    "-m seed=range(0,x)": "range() does not take these arguments: type range(start,stop) or range(start,stop,step)",
    f"-m {RATE}=linspace(0,1,1e9)": f"{MOST} 1000000000.0.",
    f"-m {RATE}=linspace(0,1,1000000000)": f"the third argument of linspace, the number of values, {MOST} 1000000000.",
    f"-m {RATE}=logspace(-8,-6,0)": f"{MOST} 0.",
    f"-m {RATE}=logspace(-8,-6,-1)": f"{MOST} -1.",
    f"-m {RATE}=geomspace(1,2,2.5)": f"{MOST} 2.5.",
    f"-m {RATE}=linspace(0,1,nan)": f"{MOST} nan.",
    f"-m {RATE}=linspace(0,1,true)": f"{MOST} True.",
    f"-m {RATE}=linspace(0,1,few)": f"{MOST} 'few'.",
    f"-m {RATE}=linspace(0,1)": "type linspace(first,last,number), such as linspace(0,1,5).",
    f"-m {RATE}=logspace(-8)": "type logspace(first exponent of 10,last exponent of 10,number), such as logspace(-8,-6,5).",
    f"-m {RATE}=geomspace(1,2,3,4)": "type geomspace(first,last,number), such as geomspace(1e-8,1e-6,5).",
    f"-m {RATE}=linspace(0,1,5,endpoint=false)": "linspace() does not take these arguments",
    f"-m {RATE}=linspace(0,inf,5)": "the ends of linspace must be finite numbers, got inf: type linspace(",
    f"-m {RATE}=logspace(nan,0,5)": "the ends of logspace must be finite numbers, got nan",
    f"-m {RATE}=geomspace(a,1,5)": "the ends of geomspace must be finite numbers, got 'a'",
    f"-m {RATE}=linspace(0,1{'0' * 400},5)": "the ends of linspace must be finite numbers",
    f"-m {RATE}=linspace(-1e308,1e308,5)": f"linspace {TOO_LARGE}",
    f"-m {RATE}=logspace(-8,309,5)": f"logspace {TOO_LARGE}",
    f"-m {RATE}=logspace(-400,0,5)": f"logspace {TOO_LARGE}",
    f"-m {RATE}=geomspace(0,1,5)": "both ends of geomspace must be above 0, or both below 0, got 0 and 1",
    f"-m {RATE}=geomspace(1,0,5)": "both ends of geomspace must be above 0, or both below 0, got 1 and 0",
    f"-m {RATE}=geomspace(-1,1,5)": "both ends of geomspace must be above 0, or both below 0, got -1 and 1",
    f"-m {RATE}=logspac(-8,-6,5)": "there is no function 'logspac'. Did you mean 'logspace'? Ranges are typed as range(0,10)",
    f"-m {RATE}=LinSpace(0,1,5)": "Did you mean 'linspace'?",
    "-m seed=ranges(0,10)": "`seed=ranges(0,10)` cannot be read: there is no function 'ranges'. Did you mean 'range'?",
    f"-m {RATE}=1e-7,linspace(0,1,5)": "is a sweep within a sweep: type its values one after another.",
    f"{RATE}=logspace(-8,-6,5)": f"`{RATE}=logspace(-8,-6,5)` {SEVERAL}.",
    f"-m {RATE}=linspace(0,1,1000) seed=range(0,101)": "A sweep must have at most 100000 jobs, got 1.01e+05",
    "-m seed=linspace(0,1,3)": "`seed` must be a whole number, got '0.5'.",
    "-m model=linspace(0,1,3)": "`model` takes the name of one choice",
    "-m optimizer.momentum=0.8,0.9": "It belongs to `optimizer=momentum`, `optimizer=nesterov`.",
    "-m optimizer.momentum=linspace(0.8,0.9,3)": "It belongs to `optimizer=momentum`, `optimizer=nesterov`.",
    "-m sweep.zip=[sed,loop.steps] seed=1,2": "`sweep.zip` names `sed`, which is no setting. Did you mean 'seed'?",
    "-m sweep.zip=[seed,seed] seed=1,2": "`sweep.zip` names `seed` 2 times: type each key once.",
    "-m sweep.zip=[seed,loop.steps] seed=1,2": "`sweep.zip` names `loop.steps`, which does not have several values",
    "-m sweep.zip=[seed,loop.steps] seed=1,2 loop.steps=3": "`sweep.zip` names `loop.steps`, which does not have several",
    "-m sweep.zip=[seed,loop.steps] seed=1,2 loop.steps=range(1,4)": "`sweep.zip` needs equally many values of each key, "
    "got 2 of `seed`, 3 of `loop.steps`: type as many for each.",
    "-m sweep.zip=seed,loop.steps seed=1,2": "`sweep.zip` must be a list: [a,b], got 'seed'.",
    "-m sweep.zip=[seed],[loop.steps] seed=1,2": "`sweep.zip` holds for the whole sweep: type one value",
    "sweep.zip=[seed,loop.steps]": "`sweep.zip` belongs to a sweep: put -m in front, or leave it out.",
    "sweep.zi=[seed]": "Did you mean 'sweep.zip'?",
}
SWEEPS = {  # in which some choices lack a setting
    "-m problem=file,sin problem.path=d.csv": "`problem.path` is no setting of `problem=sin`: leave this choice out",
    "-m problem=sin,exp,file problem.noise=1": "`problem.noise` is no setting of `problem=file`",
    "-m optimizer=momentum,adam optimizer.momentum=0.5,0.8": "`optimizer.momentum` is no setting of `optimizer=adam`",
    "-m optimizer=momentum,adam,rmsprop optimizer.momentum=0.5": "is no setting of `optimizer=adam`, `optimizer=rmsprop`: "
    "leave these choices out, or sweep over `optimizer=momentum` in a command of its own.",
    "-m optimizer=adam,rmsprop optimizer.momentum=0.5": "It belongs to `optimizer=momentum`, `optimizer=nesterov`.",
    "-m model=glob(*) model.domain=[0,1]": "`model.domain` is no setting of `model=legendre`, `model=power_series`",
    "-m experiment=notebook/numpy,tutorial/optim optimizer.alpha=0.5": "is no setting of `optimizer=gradient_descent`",
}
OPTIONS = {
    "--config-dir= seed=1": "--config-dir must name a folder that exists, got ''.",
    "--config-dir missing": "--config-dir must name a folder that exists, got 'missing'.",
    "--config-path= seed=1": "--config-path must name a folder that exists, got ''.",
    "--cfg everything": "invalid choice: 'everything'",
    "seed=1 --nonsense": "unrecognized arguments: --nonsense.",
}
WRONG = WORDS | KEYS | OTHER_CHOICES | CHOICES | FORMS | VALUES | RANGES | SWEEPS | OPTIONS


@pytest.mark.parametrize(("words", "sentence"), WRONG.items(), ids=map(ascii, WRONG))
def test_a_wrong_word_is_refused(tmp_path, words, sentence):
    assert sentence in require_refused(tmp_path, *words.split())


LONG_WORDS = (
    "{}=1",
    "model={}",
    "model.{}=1",
    "model.degree={}",
    "+{}=1",
    "~{}",
    "{}",
    "hydra.mode={}",
    "experiment={}",
    "--{}",
)


@pytest.mark.parametrize("length", [300, 40_000, 100_000])
@pytest.mark.parametrize("word", LONG_WORDS)
def test_a_long_word_is_cut(tmp_path, word, length):
    sentence = require_refused(tmp_path, word.format("a" * length))
    assert "aaa..." in sentence
    assert "a" * 81 not in sentence


def test_bytes_that_are_no_text_are_refused(tmp_path):
    sentence = require_refused(tmp_path, "tracking.experiment_name=\udc80")
    assert sentence == r"`tracking.experiment_name=\udc80` must be text in UTF-8."


@pytest.mark.parametrize("value", ["[" * 500 + "]" * 500, "[" * 400, "1," * 6000, "(" * 1000])
def test_a_value_without_end_is_refused(tmp_path, value):
    assert "`model.initial=" in require_refused(tmp_path, f"model.initial={value}")


# Hints


@pytest.mark.parametrize(
    ("name", "key"), [(one, key) for key, names in SETTINGS_ELSEWHERE.items() for one in names.split()]
)
def test_names_that_others_use_are_understood_by_the_hint(name, key):
    """Where they are not settings here: the hint names the right word, and nothing is silently accepted."""
    assert name not in all_keys()
    assert repr(key) in key_hint(name, [one for one in all_keys() if one == key or "." not in one])


def test_a_hint_never_names_what_was_typed():
    for group, name in Component.registry:
        if name not in choices(group):
            assert repr(f"{group}={name}") not in choice_hint(group, name, choices(group))


@pytest.mark.parametrize(
    ("group", "name", "choice"),
    [
        (group, name, choice)
        for group, names in CHOICES_ELSEWHERE.items()
        for choice, words in names.items()
        for name in words.split()
    ],
)
def test_choices_that_others_use_are_understood_by_the_hint(group, name, choice):
    assert name not in choices(group)
    assert choice_hint(group, name, choices(group)) == f" Did you mean {choice!r}?"


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("lr=0.1", "'optimizer.learning_rate'"),
        ("optimizer.lr=0.1", "'optimizer.learning_rate'"),
        ("optimizer=adam optimizer.lr=", "'optimizer.learning_rate'"),
        ("epochs=5", "'loop.steps'"),
        ("n=5", "'problem.num_samples' or 'model.degree'"),
        ("model.n=5", "'model.degree'"),
        ("problem=file n=5", "'model.degree'"),
        ("degree=5", "'model.degree'"),
        ("optimizer=sgd", "'gradient_descent'"),
        ("backend=cuda", "'device=cuda'"),
        ("loop=torch", "'backend=torch'"),
        ("problem.function=cosh", "'problem.target'"),
        ("tol=1e-6", "'loop.tolerance'"),
    ],
)
def test_the_hint_names_what_applies(tmp_path, words, meant):
    assert f"Did you mean {meant}?" in require_refused(tmp_path, *words.split())
