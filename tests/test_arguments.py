"""What functions are called with in place of paths: one sentence with the argument, the value and what is allowed."""

import os
from pathlib import Path

import numpy as np
import pytest

import polyexp as p

FILE = "the path of a file that can be written, in a folder that exists"
FOLDER = "the path of a folder that can be written"
RESULT = "the path of a folder with the result.json of a result or of a run"
HALF = "\ud800"


class PathOfBytes:
    def __fspath__(self):
        return b"abc"

    def __repr__(self):
        return "PathOfBytes()"


@pytest.fixture(scope="module")
def result():
    return p.fit([0, 1, 2], [1, 3, 5], p.PowerSeries(degree=1), backend=p.NumPy(), loop=p.Manual(steps=3))


CALLS = {
    "export": ("path", FILE, lambda result, path: result.export("c", path)),
    "save": ("folder", FOLDER, lambda result, path: result.save(path)),
    "load_result": ("folder", RESULT, lambda result, path: p.load_result(path)),
    "record": ("folder", FOLDER, lambda result, path: p.record(result, path, tracking=p.NoTracking())),
}
every_call = pytest.mark.parametrize(("key", "wanted", "call"), CALLS.values(), ids=CALLS)


def refusal(call, *arguments):
    with pytest.raises(p.InputError) as raised:
        call(*arguments)
    text = str(raised.value)
    assert text.isprintable()
    assert f".{os.getpid()}." not in text  # the name of no unfinished file
    return text


@every_call
@pytest.mark.parametrize("value", [5, "", b"abc", PathOfBytes(), [], 1.5], ids=repr)
def test_what_is_no_path_is_refused(key, wanted, call, value, result, working_folder):
    assert refusal(call, result, value) == f"`{key}` must be {wanted}, got {value!r}."
    assert not list(working_folder.iterdir())


@every_call
@pytest.mark.parametrize(("value", "shown"), [("a\0b", r"'a\x00b'"), (HALF, r"'\ud800'"), (Path("a\0"), r"'a\x00'")])
def test_characters_that_no_path_has_are_refused(key, wanted, call, value, shown, result, working_folder):
    expected = f"`{key}` must be {wanted}, without characters that no path has, got {shown}."
    assert refusal(call, result, value) == expected
    assert not list(working_folder.iterdir())


@pytest.mark.parametrize("name", ["save", "load_result", "record"])
def test_no_folder_is_none(name, result):
    key, wanted, call = CALLS[name]
    assert refusal(call, result, None) == f"`{key}` must be {wanted}, got None."


@every_call
def test_a_name_that_is_too_long(key, wanted, call, result, working_folder):
    text = refusal(call, result, "a" * 300)
    assert text.startswith(f"`{key}` must be {wanted}, got 'aaa")
    assert text.endswith("... (File name too long).")


@pytest.mark.parametrize(
    ("name", "place", "reason"),
    [
        ("export", ".", "Is a directory"),
        ("export", "/", "Is a directory"),
        ("export", "..", "Is a directory"),
        ("export", "missing/a.c", "No such file or directory"),
        ("export", "file/a.c", "Not a directory"),
        ("save", "file", "File exists"),
        ("save", "file/a", "Not a directory"),
        ("record", "file", "File exists"),
        ("record", "file/a", "Not a directory"),
    ],
)
def test_what_the_system_says_is_one_sentence(name, place, reason, result, working_folder):
    (working_folder / "file").write_text("mine")
    key, wanted, call = CALLS[name]
    assert refusal(call, result, place) == f"`{key}` must be {wanted}, got {place!r} ({reason})."
    assert [one.name for one in working_folder.iterdir()] == ["file"]
    assert (working_folder / "file").read_text() == "mine"


def test_a_disk_that_is_full(result, working_folder, monkeypatch):
    def full(*arguments, **keywords):
        raise OSError(28, "No space left on device", "/secret/.1.temporary")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert refusal(result.save, "a") == f"`folder` must be {FOLDER}, got 'a' (No space left on device)."
    assert refusal(result.export, "c", "b.c") == f"`path` must be {FILE}, got 'b.c' (No space left on device)."


def test_paths_of_each_kind_are_taken(result, tmp_path):
    for folder in (str(tmp_path / "a"), tmp_path / "b"):
        assert p.load_result(result.save(folder)) == result
    assert result.export("c", tmp_path / "a.c") == tmp_path / "a.c"


@pytest.mark.parametrize("function", [None, 5, ["f"]])
def test_the_name_of_a_function_is_a_text(function, result):
    wanted = "a name that C and Python allow and do not use themselves, such as my_function"
    assert refusal(lambda: result.export(function=function)) == f"`function` must be {wanted}, got {function!r}."


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"name": 5}, "`name` must be a text of at most 250 characters, got 5."),
        ({"name": None}, "`name` must be a text of at most 250 characters, got None."),
        (
            {"name": HALF},
            r"`name` must be a text of at most 250 characters, without halves of surrogate pairs, got '\ud800'.",
        ),
        ({"name": "a\0"}, r"`name` must be a text of at most 250 characters, without NUL characters, got 'a\x00'."),
        ({"loop": 5}, "`loop` must be the loop of the fit, such as `Manual()`, got 5."),
        ({"tracking": "mlflow"}, "`tracking` must be a tracker, such as `MLflow()` or `NoTracking()`, got 'mlflow'."),
        ({"result": None}, "`result` must be the result of a fit, got None."),
    ],
)
def test_arguments_of_record(arguments, sentence, result, tmp_path):
    usual = {"result": result, "folder": tmp_path / "a", "tracking": p.NoTracking()}
    assert refusal(lambda: p.record(**(usual | arguments))) == sentence
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("uri", [5, b"sqlite:///user:secret@x", {"secret": 1}], ids=type)
def test_an_address_that_is_no_text_is_not_repeated(uri):
    wanted = "an address such as sqlite:///path/to/mlflow.db, https://server or postgresql://server/database"
    kind = type(uri).__name__
    assert refusal(p.runs, uri) == f"`uri` must be {wanted}, got one of type {kind}."
    assert refusal(lambda: p.MLflow(uri=uri)) == f"`tracking.uri` must be {wanted}, got one of type {kind}."


@pytest.mark.parametrize("uri", [HALF, f"sqlite:///{HALF}", f"https://{HALF}@host"])
def test_an_address_with_half_of_a_surrogate_pair(uri):
    assert refusal(p.runs, uri).startswith("`uri` must ")
    assert refusal(lambda: p.MLflow(uri=uri)).startswith("`tracking.uri` must ")


@pytest.mark.parametrize("name", [5, None, "", " ", HALF, "a" * 251])
def test_the_name_of_an_experiment(name):
    start = "`tracking.experiment_name` must be a name of 1 to 250 characters"
    assert refusal(lambda: p.MLflow(experiment_name=name)).startswith(start)


@pytest.mark.parametrize("domain", [5, "ab", [1, 0], (0,), [0, np.inf], None, [None, 1]])
def test_the_domain_of_samples(domain):
    call = lambda: p.Samples.of([0, 1], [1, 2], domain=domain)  # noqa: E731
    if domain is None:
        assert call().domain == (0, 1)
    else:
        assert refusal(call).startswith("`domain` must be [low, high] with low <= high, both finite, got ")


@pytest.mark.parametrize("x", ["a", None, [1, [2]], 1j, {}, 10**400, np.array("a")], ids=repr)
def test_a_result_is_called_with_numbers(x, result):
    assert refusal(result, x).startswith("`x` must be a number or an array of numbers, got ")
    assert refusal(result.model, result.params, x) == refusal(result, x)
    assert result([]).shape == (0,)
    assert np.isnan(result([1, np.nan])[1])


def test_a_model_is_called_with_its_parameters(result):
    assert refusal(result.model, [1, 2, 3], 0.5) == "params must have shape (*runs, 2), got (3,)."
    assert refusal(result.model, ["a", "b"], 0.5) == "`params` must be a number or an array of numbers, got ['a', 'b']."


SAMPLES = p.Samples.of([0, 1, 2], [1, 3, 5])
CHUNK = p.Chunk(SAMPLES.x, SAMPLES.y, SAMPLES.weights)
A_SAMPLE = "samples, such as those of `Samples.of` or `Problem().samples()`"
A_MODEL = "a model, such as `PowerSeries(degree=3)`"
DEGREE = "`degree` must be a whole number of at least 0"
LINE, PARTS = p.PowerSeries(degree=1), {"backend": p.NumPy(), "loop": p.Manual(steps=3)}
KINDS = {
    "gauss": (lambda: p.gauss([1, 2], 3), f"`samples` must be {A_SAMPLE}, got [1, 2]."),
    "a degree": (lambda: p.gauss(SAMPLES, -1), f"{DEGREE}, got -1."),
    "merge": (lambda: p.merge(SAMPLES, None, 3), f"`other` must be {A_SAMPLE}, got None."),
    "merge of a degree": (lambda: p.merge(SAMPLES, SAMPLES, "3"), f"{DEGREE}, got '3'."),
    "chunks": (
        lambda: p.reduce_chunks(5, 3),
        "`chunks` must be chunks of samples, such as `Problem().chunks()`, got 5.",
    ),
    "a chunk": (
        lambda: p.reduce_chunks([[1, 2]], 3),
        "`chunks` must be chunks with x, y and weights each, got [1, 2] for one.",
    ),
    "no degree": (lambda: p.reduce_chunks([CHUNK], None), f"{DEGREE}, got None."),
    "a loss": (lambda: p.reduce_chunks([CHUNK], 1, loss="x"), "`loss` must be one of mean, sum, got 'x'."),
    "samples of a problem": (
        lambda: p.fit(p.Problem(), LINE, samples=5, **PARTS),
        f"`samples` must be {A_SAMPLE}, got 5.",
    ),
    "ragged seeds": (
        lambda: p.fit(SAMPLES, LINE, seed=[1, [2]], **PARTS),
        "`seed` must be a whole number from 0 to 4294967295 or a sequence of them, got [1, [2]].",
    ),
    "place": (lambda: p.place(5, LINE, p.NumPy()), f"`samples` must be {A_SAMPLE}, got 5."),
    "place of a model": (lambda: p.place(SAMPLES, None, p.NumPy()), f"`model` must be {A_MODEL}, got None."),
    "place on a backend": (
        lambda: p.place(SAMPLES, LINE, "numpy"),
        "`backend` must be a backend, such as `NumPy()`, got 'numpy': write `NumPy()`.",
    ),
    "start": (
        lambda: p.start("ab", p.GradientDescent(), p.NumPy()),
        "`params` must be a number or an array of numbers, got 'ab'.",
    ),
    "axes": (
        lambda: p.fit(SAMPLES, LINE, **PARTS).plot(5),
        "`ax` must be axes of matplotlib, such as those of `pyplot.subplots()`, got 5.",
    ),
}


@pytest.mark.parametrize(("call", "sentence"), KINDS.values(), ids=KINDS)
def test_arguments_of_the_wrong_kind(call, sentence):
    assert refusal(call) == sentence
