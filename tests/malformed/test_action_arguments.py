"""Arguments of actions that are refused: each with the fragment of the sentence that says what to type."""

import pytest

from polyexp.tracking.store import open_store
from tests.helpers.config import composed_by
from tests.helpers.refusals import require_refused

ID = "`action.run` must be a run's id, or its first 6 or more characters, got "
RUN = {
    "empty": ("action.run=", ID),
    "null": ("action.run=null", "`action.run` must be"),
    "five characters": ("action.run=abcde", ID + "'abcde'."),
    "33 characters": ("action.run=" + "a" * 33, ID),
    "capital letters": ("action.run=ABCDEF12", ID),
    "no hexadecimal digit": ("action.run=ghijklmn", ID),
    "a path": ("action.run=../../etc", ID),
    "a wildcard": ("action.run='abcdef%'", ID),
    "an underscore": ("action.run=abcdef_1", ID),
    "a quote": ('"action.run=\'abcdef"', "action.run"),
    "SQL": ('action.run="abcdef\' OR 1=1 --"', ID),
    "a list": ("action.run=[abcdef12]", "`action.run` must be"),
    "a dictionary": ("action.run={a:b}", "`action.run` must be"),
    "a number": ("action.run=1e999999", "`action.run` must be the id of a recorded run, got '1e999999'."),
    "a number of digits": ("action.run=12345678e9", "`action.run` must be the id of a recorded run, got '12345678e9'."),
    "a control character": ("action.run='abc\x1b[2J'", "action.run"),
    "long": ("action.run=" + "a" * 10_000, ID),
    "very long": (
        "action.run=" + "a" * 100_000,
        "`action.run=aaaaaaaaaaaaaaaaaaa...` must have at most 50000 characters",
    ),
    "unknown": ("action.run=" + "a1" * 16, "`action.run` must be the id of a recorded run, got"),
}
FORMAT = {
    "empty format": ("action.format=", "`action.format` must be one of c, python, latex, json, numpy"),
    "an unknown format": ("action.format=cpp", "Did you mean 'c'?"),
    "a capital format": ("action.format=Python", "Did you mean 'python'?"),
    "null as format": ("action.format=null", "`action.format` must be"),
    "a list of formats": ("action.format=[c]", "`action.format` must be"),
    "a number as format": ("action.format=3", "`action.format` must be one of"),
    "a path as format": ("action.format=../c", "`action.format` must be one of"),
    "a long format": ("action.format=" + "c" * 10_000, "`action.format` must be one of"),
    "half precision": ("action.precision=float16", "Did you mean 'float64'?"),
    "a number as precision": ("action.precision=64", "`action.precision` must be one of float64, float32"),
    "null as precision": ("action.precision=null", "`action.precision` must be"),
    "empty precision": ("action.precision=", "`action.precision` must be one of"),
    "an unknown basis": ("action.basis=powers", "Did you mean 'power'?"),
    "a model as basis": ("action.basis=legendre", "`action.basis` must be one of own, power"),
    "null as basis": ("action.basis=null", "`action.basis` must be"),
    "a list of bases": ("action.basis=[own,power]", "`action.basis` must be"),
    "a list of functions": ("action.function=[f]", "`action.function` must be"),
    "an unknown setting of export": ("action.formt=c", "Did you mean"),
}
RUNS = "`action.runs` must"
COMPARE = {
    "no list": ("action.runs=abcdef12", "`action.runs` must be a list: [a,b], got 'abcdef12'."),
    "a number in place of a list": ("action.runs=3", "`action.runs` must be a list: [a,b]"),
    "no runs": ("action.runs=[]", f"{RUNS} select at least two runs with results to compare, got 0."),
    "short ids": ("action.runs=[abc,def]", f"{RUNS} be a run's id, or its first 6 or more characters, got 'abc'."),
    "an empty id": ("action.runs=['',abcdef12]", f"{RUNS} be a run's id"),
    "a nested list": ("action.runs=[[abcdef12]]", RUNS),
    "null in a list": ("action.runs=[null,abcdef12]", RUNS),
    "a dictionary in a list": ("action.runs=[{a:1}]", RUNS),
    "an unknown id": ("action.runs=[abcdef12,abcdef13]", f"{RUNS} be the id of a recorded run, got 'abcdef12'."),
    "an id that is a number": (
        "action.runs=[8e511057,abcdef12]",
        f"{RUNS} be the id of a recorded run, got '8e511057'.",
    ),
    "an id that is infinity": ("action.runs=[inf,abcdef12]", RUNS),
    "a list that is not closed": ("action.runs=[abcdef12", "action.runs"),
    "one of the last": ("action.last=1", "`action.last` must be a whole number of at least 2, got 1."),
    "none of the last": ("action.last=0", "`action.last` must be a whole number of at least 2, got 0."),
    "fewer than none": ("action.last=-5", "`action.last` must be a whole number of at least 2, got -5."),
    "half a run": ("action.last=2.5", "`action.last` must be"),
    "a word of a number": ("action.last=ten", "`action.last` must be"),
    "true": ("action.last=true", "`action.last` must be"),
    "a list of numbers": ("action.last=[2,3]", "`action.last` must be"),
    "infinity": ("action.last=inf", "`action.last` must be"),
    "an unknown sweep": (
        "action.sweep=nope",
        "`action.sweep` must select at least two runs with results to compare, got 0",
    ),
    "a sweep with both quotes": (
        'action.sweep="a\'b\\"c"',
        "`action.sweep` must be a name without both kinds of quotes",
    ),
    "a list of sweeps": (
        "action.sweep=[a,b]",
        "`action.sweep` must select at least two runs with results to compare, got 0",
    ),
    "a filter that is none": ("action.filter='loss < 1'", "`action.filter` must be an MLflow filter such as"),
    "a filter that is cut": ("action.filter='metrics.a <'", "`action.filter` must be an MLflow filter such as"),
    "SQL as a filter": ('action.filter="1=1; DROP TABLE runs"', "`action.filter` must be an MLflow filter such as"),
    "a filter with or": (
        "action.filter=\"params.a = 'b' or params.c = 'd'\"",
        "`action.filter` must be an MLflow filter such as",
    ),
    "a list of filters": ("action.filter=[a,b]", "`action.filter` must be"),
    "an unknown setting of compare": ("action.run=abcdef12", "`action.run` is not a setting of this experiment"),
}
TWICE = "must be used alone, without sweep, filter or last"
OTHERS = {
    "runs and last": (("action=compare", "action.runs=[abcdef12]", "action.last=3"), TWICE),
    "runs and sweep": (("action=compare", "action.runs=[abcdef12]", "action.sweep=a"), TWICE),
    "runs and filter": (("action=compare", "action.runs=[abcdef12]", "action.filter=a"), TWICE),
    "no runs and last": (("action=compare", "action.runs=[]", "action.last=3"), TWICE),
    "no steps": (("action=crosscheck", "action.steps=0"), "`action.steps` must be a whole number"),
    "negative steps": (("action=crosscheck", "action.steps=-1"), "`action.steps` must be a whole number"),
    "half a step": (("action=crosscheck", "action.steps=1.5"), "`action.steps` must be"),
    "steps as a word": (("action=crosscheck", "action.steps=many"), "`action.steps` must be"),
    "steps as a list": (("action=crosscheck", "action.steps=[1,2]"), "`action.steps` must be"),
    "a setting of another action": (("action=fit", "action.steps=3"), "action.steps"),
    "a setting that predict lacks": (("action=predict", "action.run=abcdef12"), "action.run"),
    "an unknown action": (("action=exprt",), "Did you mean 'export'?"),
    "an empty action": (("action=",), "action"),
    "two actions": (
        ("action=[fit,export]",),
        "`action` takes the name of one choice (compare, crosscheck, export, fit, predict, replay, sync), got '[fit,export]'.",
    ),
    "export without a store": (("action=export", "tracking=none"), "type `tracking=mlflow`"),
    "compare without a store": (("action=compare", "tracking=none"), "type `tracking=mlflow`"),
}
CASES = {
    **{name: (("action=export", word), words) for name, (word, words) in {**RUN, **FORMAT}.items()},
    **{name: (("action=compare", word), words) for name, (word, words) in COMPARE.items()},
    **OTHERS,
}


@pytest.fixture(scope="module")
def store(tmp_path_factory, new_store):
    """The address of a store without runs, outside the folder: SQLite makes and changes files beside a store that is open."""
    uri = new_store(tmp_path_factory.mktemp("store") / "mlflow.db")
    open_store(uri).client.create_experiment("polyexp")
    return uri


@pytest.mark.parametrize(("words", "fragment"), CASES.values(), ids=CASES)
def test_an_argument_is_refused(words, fragment, store, tmp_path):
    where = [] if "tracking=none" in words else [f"tracking.uri={store}"]
    assert fragment in require_refused(tmp_path, *words, *where)


def test_null_is_the_name_of_a_function_like_any_other(tmp_path):
    assert composed_by(tmp_path, "action=export", "action.function=null")["action.function"] == "null"
