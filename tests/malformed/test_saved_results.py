"""Damaged and hostile folders of results: what is loaded is data, and whatever is wrong is one sentence that names the file."""

import hashlib
import io
import json
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import polyexp as p
from polyexp.fitting import store_arrays

PARTS = {"backend": p.NumPy(), "loop": p.Manual(steps=7, log_every=3)}
EVIL = "sin\nimport os; os.system('id')\n\x1b[2J\x00<script>"
SOME = 60
USUAL = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck), "max_examples": SOME}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The content of result.json, and the arrays of result.npz, of a saved result with the seeds 0 and 1."""
    folder = tmp_path_factory.mktemp("sound")
    p.fit(p.Problem(num_samples=9), p.LegendreSeries(degree=2), seed=[0, 1], **PARTS).save(folder)
    with np.load(folder / "result.npz", allow_pickle=False) as archive:
        return json.loads((folder / "result.json").read_text()), dict(archive)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """The content of result.json and the text of history.csv of a run of the command line."""
    from tests.helpers.commands import run_in_process

    folder = tmp_path_factory.mktemp("recorded")
    words = ("backend=numpy", "loop.steps=20", "report.pictures=none", "quiet=true", "tracking=none", "model.degree=2")
    assert run_in_process(*words, cwd=folder)[0] == 0
    (result,) = folder.rglob("result.json")
    return json.loads(result.read_text()), (result.parent / "history.csv").read_text()


def write(folder, content, arrays=None, *, archive=None, history=None):
    """The files of a folder; result.json names the archive."""
    if arrays is not None:
        stream = io.BytesIO()
        store_arrays(stream, arrays)
        archive = stream.getvalue()
    if archive is not None:
        (folder / "result.npz").write_bytes(archive)
        if isinstance(content, dict):
            content = content | {"arrays": hashlib.sha256(archive).hexdigest()}
    if history is not None:
        (folder / "history.csv").write_text(history)
    (folder / "result.json").write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())


def refusal(folder):
    """The sentence with which a folder is refused, without the name of the folder."""
    with pytest.raises(p.InputError) as raised:
        p.load_result(folder)
    text = str(raised.value)
    assert text.isprintable()
    return text.replace(str(folder), "HERE").replace(str(folder)[:77] + "...", "HERE")


def test_the_sound_files_are_loaded(saved, recorded, tmp_path):
    write(tmp_path, *saved)
    assert p.load_result(tmp_path).runs == (2,)
    (tmp_path / "run").mkdir()
    write(tmp_path / "run", recorded[0], history=recorded[1])
    assert p.load_result(tmp_path / "run").samples.size == 3


CONTENTS = {
    "no JSON": (b"{", "it is not JSON"),
    "a list": (b"[]", "`its content` must be an object of JSON, got []"),
    "deep": (b"[" * 10**6, "it is nested too deeply"),
    "a key twice": (b'{"format": 1, "format": 1}', "a key occurs twice in it"),
    "too large": (b" " * 10**7 + b"{}", "it is larger than 10 MB"),
    "another format": ({"format": 2}, "`format` must be 1, which this version of polyexp reads, got 2"),
    "a format of text": ({"format": "1"}, "`format` must be a whole number of at least 1, got '1'"),
    "no settings": ({"config": None}, "`config` must be an object of JSON, got None"),
    "no model": ({"config": {}}, "`optimizer` must be a text, got None"),
    "no seconds": ({"seconds": -1}, "`seconds` must be a finite number of at least 0, got -1"),
    "seconds of text": ({"seconds": "1"}, "`seconds` must be a finite number of at least 0, got '1'"),
    "too many seconds": ({"seconds": 10**400}, f"`seconds` must be a finite number of at least 0, got 1{'0' * 76}..."),
    "seconds of truth": ({"seconds": True}, "`seconds` must be a finite number of at least 0, got True"),
    "no computer": ({"computed_by": 3}, "`computed_by` must be a text, got 3"),
}
SETTINGS = {
    "a module as a model": (
        {"model": "os.system"},
        "its model 'os.system' belongs to a package that is not installed here",
    ),
    "a degree of text": ({"model.degree": "x"}, "`model.degree` must be a whole number from 0 to 1000, got 'x'"),
    "a huge degree": ({"model.degree": 10**9}, "`model.degree` must be a whole number from 0 to 1000, got 1000000000"),
    "a rate of text": ({"optimizer.learning_rate": "x"}, "`optimizer.learning_rate` must be"),
    "a rate below 0": ({"optimizer.learning_rate": -1}, "`optimizer.learning_rate` must be"),
    "an optimizer of lists": ({"optimizer": ["x"]}, "`optimizer` must be a text, got ['x']"),
}


@pytest.mark.parametrize(("change", "words"), CONTENTS.values(), ids=CONTENTS)
def test_what_is_wrong_with_result_json_is_said(change, words, saved, tmp_path):
    content, arrays = saved
    write(tmp_path, change if isinstance(change, bytes) else content | change, arrays)
    assert (
        refusal(tmp_path) == f"The result.json in HERE cannot be used: {words}."
        or "(" in words
        or words == "it is not JSON"
    )
    assert refusal(tmp_path).startswith(f"The result.json in HERE cannot be used: {words}")


@pytest.mark.parametrize(("change", "words"), SETTINGS.values(), ids=SETTINGS)
def test_what_is_wrong_with_the_settings_is_said(change, words, saved, tmp_path):
    content, arrays = saved
    write(tmp_path, content | {"config": content["config"] | change}, arrays)
    assert refusal(tmp_path).startswith(f"The result.json in HERE cannot be used: {words}")


ARRAYS = {
    "no parameters": ({"params": None}, "`params` must be an array of float64 of shape (3), and is missing"),
    "integers": (
        {"params": np.zeros((2, 3), int)},
        "`params` must be an array of float64 of shape (any length, 3), got one of",
    ),
    "another model's": (
        {"params": np.zeros((2, 4))},
        "`params` must be an array of float64 of shape (any length, 3), got one",
    ),
    "other runs": (
        {"loss": np.zeros(3)},
        "`loss` must be an array of float64 of shape (2), got one of float64 of shape (3,)",
    ),
    "an outcome": (
        {"outcome": np.array(["WON", "LOST"])},
        "`outcome` must be one of CONVERGED, STALLED, MAX_STEPS, DIVERGED",
    ),
    "outcomes of numbers": (
        {"outcome": np.zeros(2)},
        "`outcome` must be an array of text of shape (2), got one of float64",
    ),
    "x of nan": ({"samples.x": np.full(3, np.nan)}, "`samples.x` must be finite numbers, got [nan, nan, nan]"),
    "other y": (
        {"samples.y": np.zeros(4)},
        "`samples.y` must be an array of float64 of shape (3), got one of float64 of shape (4",
    ),
    "weights": (
        {"samples.weights": -np.ones(3)},
        "`samples.weights` must be finite numbers of at least 0, got [-1.0, -1.0, -1.0]",
    ),
    "a domain": (
        {"samples.domain": np.array([1.0, 0.0])},
        "`samples.domain` must be [low, high] with low <= high, got [1.0, 0.0]",
    ),
    "no samples": (
        {"samples.total": np.array(0)},
        "`samples.total` must be a number of samples of at least those that there are",
    ),
    "steps": (
        {"history.step": np.zeros(4, int)},
        "`history.step` must be whole numbers that increase from 1 on, got [0, 0, 0, 0]",
    ),
    "a length": (
        {"history.length": np.array([9, 9])},
        "`history.length` must be whole numbers from 0 to 5, the number of snapshots",
    ),
}


@pytest.mark.parametrize(("change", "words"), ARRAYS.values(), ids=ARRAYS)
def test_what_is_wrong_with_result_npz_is_said(change, words, saved, tmp_path):
    content, arrays = saved
    write(tmp_path, content, {name: array for name, array in (arrays | change).items() if array is not None})
    assert refusal(tmp_path).startswith(f"The result.npz in HERE cannot be used: {words}")


def archives():
    """Archives that are none, or that hold something else than plain arrays."""
    objects = io.BytesIO()
    np.savez(objects, allow_pickle=True, params=np.array([{"a": 1}], object))
    packed = io.BytesIO()
    np.savez_compressed(packed, params=np.zeros(10**6))
    program = io.BytesIO()
    with zipfile.ZipFile(program, "w") as archive:
        archive.writestr("params.py", "import os")
    return {
        "nothing": (b"", "it is damaged"),
        "text": (b"import os", "it is damaged"),
        "objects": (objects.getvalue(), "it has an array that is not plain"),
        "compressed": (packed.getvalue(), "it is no archive of plain arrays"),
        "a program": (program.getvalue(), "it is no archive of plain arrays"),
    }


@pytest.mark.parametrize("kind", archives())
def test_other_archives_are_refused(kind, saved, tmp_path):
    archive, words = archives()[kind]
    write(tmp_path, saved[0], archive=archive)
    assert refusal(tmp_path) == f"The result.npz in HERE cannot be used: {words}."


def test_files_that_are_missing_or_no_files(saved, tmp_path):
    assert refusal(tmp_path).startswith(
        "`folder` must be the path of a folder with the result.json of a result or of a run, got "
    )
    content, arrays = saved
    write(tmp_path, content, arrays)
    (tmp_path / "result.npz").rename(tmp_path / "elsewhere")
    assert refusal(tmp_path) == "There is no result.npz in HERE."
    (tmp_path / "result.npz").symlink_to(tmp_path / "elsewhere")
    assert refusal(tmp_path).startswith("The result.npz in HERE cannot be read (")
    (tmp_path / "result.json").unlink()
    (tmp_path / "result.json").mkdir()
    assert refusal(tmp_path).startswith("The result.json in HERE cannot be read (")


SECONDS = "a finite number of at least 0"
RECORDS = {
    "an outcome": ({"outcome": EVIL}, {}, "result.json", "`outcome` must be one of CONVERGED"),
    "an optimizer": (
        {},
        {"optimizer": "os"},
        "result.json",
        "its optimizer 'os' belongs to a package that is not installed here",
    ),
    "no rate": (
        {"learning_rate": None},
        {"optimizer.learning_rate": "auto"},
        "result.json",
        "`learning_rate` that was used is missing",
    ),
    "a model": (
        {},
        {"model": "x"},
        "result.json",
        "the run's model 'x' belongs to a package that is not installed here",
    ),
    "no steps": (
        {"steps": None},
        {},
        "result.json",
        "`steps` must be a whole number from 0 to 9223372036854775807, got N",
    ),
    "steps below 0": (
        {"steps": -1},
        {},
        "result.json",
        "`steps` must be a whole number from 0 to 9223372036854775807, got -1",
    ),
    "half a step": (
        {"steps": 0.5},
        {},
        "result.json",
        "`steps` must be a whole number from 0 to 9223372036854775807, got 0",
    ),
    "no loss": (
        {"loss": None},
        {},
        "result.json",
        "`loss` must be a finite number, or null where the outcome is DIVERGED or INTERRUPTED, got None",
    ),
    "a loss below 0": ({"loss": -1}, {}, "result.json", "`loss` must be a finite number of at least 0 or null, got -1"),
    "an excess below 0": (
        {"excess_loss": -1},
        {},
        "result.json",
        "`excess_loss` must be a finite number of at least 0 or null, got -1",
    ),
    "an error below 0": (
        {"max_error": -1},
        {},
        "result.json",
        "`max_error` must be a finite number of at least 0 or null",
    ),
    "an excess of a nonlinear model": (
        {"parameters": dict.fromkeys("abcd", 1.0)},
        {"model": "legendre"},
        "result.json",
        "`excess_loss` must be null, since the model is not linear in its parameters, got ",
    ),
    **{
        f"seconds {value!r:.9}": (
            {"seconds": value},
            {},
            "result.json",
            f"`seconds` must be a finite number of at least 0, got {shown}",
        )
        for value, shown in ((None, "None"), ("x", "'x'"), (-1, "-1"), ([], "[]"), (10**400, "1000"), (True, "True"))
    },
    "no outcome": ({"outcome": None}, {}, "result.json", "`outcome` must be a name, got None"),
    "a computer": ({"computed_by": []}, {}, "result.json", "`computed_by` must be a name, got []"),
    "a seed": ({}, {"seed": -1}, "result.json", "`seed` must be a whole number from 0 to 4294967295"),
}


@pytest.mark.parametrize(("change", "config", "file", "words"), RECORDS.values(), ids=RECORDS)
def test_what_is_wrong_with_a_record_is_said(change, config, file, words, recorded, tmp_path):
    content, history = recorded
    write(tmp_path, content | change | {"config": content["config"] | config}, history=history)
    assert refusal(tmp_path).startswith(f"The {file} in HERE cannot be used: {words}")


@pytest.mark.parametrize("key", ["steps", "loss", "seconds", "computed_by"])
def test_what_is_written_of_every_run_must_be_there(key, recorded, tmp_path):
    content, history = recorded
    write(tmp_path, {name: value for name, value in content.items() if name != key}, history=history)
    assert refusal(tmp_path) == f"The result.json in HERE cannot be used: `{key}` is missing."


def test_a_run_that_diverged_may_have_no_loss(recorded, tmp_path):
    content, history = recorded
    write(tmp_path, content | {"outcome": "DIVERGED", "loss": None, "excess_loss": None}, history=history)
    loaded = p.load_result(tmp_path)
    assert np.isnan([loaded.loss, loaded.excess]).all()


@pytest.mark.parametrize(
    ("history", "words"),
    [
        ("", "its first line must be the names of different columns, `step` first"),
        ("step,loss\n1,2\n", "its columns must be step, loss, excess, grad_norm and the parameters of the model"),
        (
            "step,loss,excess,grad_norm,w0,w1,w2\n2,1,1,1,1,1,1\n1,1,1,1,1,1,1\n",
            "the step in line 3 of it is not a whole",
        ),
        ("step,loss,excess,grad_norm,w0,w1,w2\n2,1,1,1,1,1,x\n", "a cell in line 2 of it is no number"),
    ],
)
def test_what_is_wrong_with_a_history_is_said(history, words, recorded, tmp_path):
    write(tmp_path, recorded[0], history=history)
    assert refusal(tmp_path).startswith(f"The history.csv in HERE cannot be used: {words}")


SOURCES = {
    "too many": ({"problem.num_samples": 10**12}, 10**12, "drawing 1000000000000 samples again would take too long"),
    "others": ({"problem.num_samples": 50}, 4000, "they are of another number than is recorded"),
    "a device": ({"problem.path": "/dev/zero", "problem": "file"}, 4000, "`problem.path` must be"),
    "no file": ({"problem.path": "/no/such/file.csv", "problem": "file"}, 4000, ""),
    "a domain": ({"problem.domain": [-1.0, 1.0]}, 4000, "they are not those that were fitted"),
    "a target": ({"problem.target": "cos"}, 4000, "they are not those that were fitted"),
}


@pytest.mark.parametrize(("config", "total", "words"), SOURCES.values(), ids=SOURCES)
def test_samples_that_cannot_be_had_again_are_left_out(config, total, words, recorded, tmp_path):
    content, history = recorded
    changed = content | {"config": content["config"] | config, "samples": content["samples"] | {"total": total}}
    write(tmp_path, changed, history=history)
    with pytest.warns(UserWarning, match="has no samples, because ") as raised:
        result = p.load_result(tmp_path)
    assert words in str(raised[0].message)
    assert (result.samples.size, result.samples.total) == (0, total)


# Anything else

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, -1, 10**400, 2**63, 1e308, 5e-324, EVIL, "", [], {}, [[1]], "auto", "power_series"]),
    st.text(max_size=8),
)


@st.composite
def changes(draw, content):
    """The content with one or two values replaced or left out, at the top or in an object."""
    content = json.loads(json.dumps(content))
    for _ in range(draw(st.integers(1, 2))):
        place = content
        key = draw(st.sampled_from(sorted(place)))
        if isinstance(place[key], dict) and place[key] and draw(st.booleans()):
            place = place[key]
            key = draw(st.sampled_from(sorted(place)))
        if draw(st.booleans()):
            place[key] = draw(scalars)
        else:
            del place[key]
        if not content:
            break
    return content


def require_harmless(folder):
    """Require a result, or one sentence."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, sentence = None, ""
        try:
            found = p.load_result(folder)
        except p.InputError as error:
            sentence = str(error)
        if found is None:
            assert sentence.isprintable()
            assert sentence.startswith(("The result.", "The history.csv", "There is no "))
        else:
            assert "<script" not in found._repr_html_()
            assert "\n" not in repr(found)


def test_any_result_json_of_a_saved_result(saved, tmp_path):
    content, arrays = saved

    @settings(**USUAL)
    @given(changes(content))
    def check(changed):
        write(tmp_path, changed, arrays)
        require_harmless(tmp_path)

    check()


def test_any_result_json_of_a_recorded_run(recorded, tmp_path):
    content, history = recorded

    @settings(**USUAL)
    @given(changes(content))
    def check(changed):
        write(tmp_path, changed, history=history)
        require_harmless(tmp_path)

    check()


def test_any_arrays(saved, tmp_path):
    content, arrays = saved
    wrong = [
        np.array(np.nan),
        np.array(3),
        np.zeros((0, 3)),
        np.full(3, np.inf),
        np.array(["DIVERGED", "x"]),
        np.full(2, 2**62),
    ]

    @settings(**USUAL)
    @given(
        st.lists(st.tuples(st.sampled_from(sorted(arrays)), st.sampled_from([None, *wrong])), min_size=1, max_size=2)
    )
    def check(changed):
        write(tmp_path, content, {name: one for name, one in (arrays | dict(changed)).items() if one is not None})
        require_harmless(tmp_path)

    check()


def test_any_bytes_in_result_npz(saved, tmp_path):
    content, arrays = saved
    stream = io.BytesIO()
    store_arrays(stream, arrays)
    sound = stream.getvalue()

    @settings(**USUAL)
    @given(st.integers(0, len(sound) - 1), st.binary(min_size=1, max_size=8), st.booleans())
    def check(at, others, cut):
        write(tmp_path, content, archive=sound[:at] if cut else sound[:at] + others + sound[at + len(others) :])
        require_harmless(tmp_path)

    check()
