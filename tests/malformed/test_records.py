"""Damaged and hostile records: what is read of a run is data, whatever it says."""

import ast
import contextlib
import io
import json
import math
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

import polyexp as p
from polyexp.action.export import export
from polyexp.comparison import Comparison, parts
from polyexp.comparison.figure import draw
from polyexp.comparison.page import page
from polyexp.export import FORMATS
from polyexp.report.tables import tables
from tests.helpers.commands import execute
from tests.helpers.records import CONTENT, HISTORY, recorded

EVIL = "sin\nimport os; os.system('id')\n#*/ ??/\\end{align*}\\input{x}%\u2028\x1b[2J\x00\ud800<script>${x}$"
LATEX_COMMANDS = {"begin", "end", "mathrm", "times", "leq", "_", "\\"}
EXAMPLES, SOME = 500, 40
USUAL = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}

# Values of every kind, to be put in place of one that is recorded.
numbers = st.sampled_from([0, -1, 1, 10**400, -(10**30), 2**63, 1e308, -1e308, 5e-324, math.nan, math.inf, 0.5, True])
leaves = st.one_of(
    st.none(), numbers, st.text(max_size=20), st.just(EVIL), st.sampled_from(["", "power_series", "exp"])
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def paths(value, path=()):
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from paths(one, (*path, key))


def changed(content, path, value, remove):
    """The content with another value at a path, or without it."""
    if not path:
        return value
    copy = json.loads(json.dumps(content))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    if remove:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return copy


PATHS = [path for path in paths(CONTENT) if path]
SAMPLES = CONTENT["samples"]
CONFIG = CONTENT["config"]


@st.composite
def results(draw_from):
    """The bytes of a result.json in which values, keys or bytes are changed."""
    content = CONTENT
    for _ in range(draw_from(st.integers(1, 2))):
        path = draw_from(st.sampled_from(PATHS))
        try:
            content = changed(content, path, draw_from(values), draw_from(st.booleans()))
        except (KeyError, IndexError, TypeError):  # the first change has taken away the place of the second one
            continue
    return damaged(draw_from, json.dumps(content).encode())


MODELS = ("power_series", "legendre_series", "chebyshev_series", "hermite_series")
texts = (
    st.text(max_size=40)
    | st.just(EVIL)
    | st.sampled_from(["*/ int x; /*", "\\", "??/", '"""', "\\end{align*}", "%\n\\input{x}"])
)
sizes = st.floats(-1e6, 1e6) | st.sampled_from([5e-324, -0.0, 1e-300, 1e38, -1e308, 1e16, 0.1])


@st.composite
def readable(draw_from):
    """The content of a result.json in which every number and text is another one, but of the right kind."""
    params = draw_from(st.lists(sizes, min_size=1, max_size=7))
    low, width = draw_from(st.floats(-1e3, 1e3)), draw_from(st.floats(1e-3, 1e3))
    keys = ("problem", "problem.path", "problem.target", "problem.loss", "loop", "optimizer")
    config = CONFIG | {key: draw_from(texts) for key in keys}
    config |= {"model": draw_from(st.sampled_from(MODELS)), "model.degree": len(params) - 1}
    samples = SAMPLES | {"total": draw_from(st.integers(2, 10**9)), "domain": [low, low + width]}
    parameters = {f"w{k}": one for k, one in enumerate(params)}
    error = draw_from(st.floats(0, 1e308))
    known = {"config": config, "samples": samples, "parameters": parameters, "max_error": error, "power_series": None}
    return CONTENT | known | {"outcome": draw_from(texts)}


@st.composite
def histories(draw_from):
    """The bytes of a history.csv in which cells, lines or bytes are changed."""
    lines = [line.split(",") for line in HISTORY.split("\r\n")]
    line = draw_from(st.integers(0, len(lines) - 1))
    cell = draw_from(st.integers(0, len(lines[line]) - 1))
    lines[line][cell] = draw_from(
        st.sampled_from(["", "nan", "inf", "-1", "1e400", "x", '"', "1,2", "step", "9" * 5000, EVIL])
    )
    return damaged(draw_from, "\r\n".join(map(",".join, lines)).encode("utf-8", "surrogatepass"))


def damaged(draw_from, text):
    """The text as it is, cut, with other bytes in it, nested deeply, or twice."""
    at = draw_from(st.integers(0, len(text)))
    kinds = [text, text, text, text[:at], text[:at] + draw_from(st.binary(max_size=4)) + text[at + 1 :]]
    return draw_from(st.sampled_from([*kinds, text[:at] + b"[" * 100_000 + text[at:], text + text]))


def require_data_alone(run):
    """Compare and export a run; what is written is data, and what is refused is one sentence that names the run.

    Returns the sources in C, for `require_compilable`.
    """
    sound = recorded(99)
    comparison = Comparison.of([sound, run])
    left_out = len(comparison.left_out) == 1 and run.label in comparison.left_out[0]
    assert left_out or comparison.left_out == []
    text = page(comparison, b"")
    text.encode("utf-8")
    assert "<script" not in text
    for part in parts(comparison):
        texts = [part.removesuffix("\n")] if isinstance(part, str) else cells_of(tables(part, 80))
        assert all(text.isprintable() for text in texts)
    draw(comparison)
    sources = []
    for basis, precision in (("own", "float64"), ("power", "float32")):
        with contextlib.suppress(p.InputError):
            made = export(run, basis, precision, "polynomial")
            files = {name: write(made) for name, (_, write) in FORMATS.items()}
            require_only_a_formula(files)
            sources.append(files["c"])
    return sources


def require_compilable(sources, folder):
    """Require that every source in C compiles without a warning; one call of the compiler, as most of its time is its start."""
    for number, source in enumerate(sources):
        (folder / f"{number}.c").write_bytes(source)
    command = ["cc", "-std=c99", "-Wall", "-Werror", "-c", *(f"{n}.c" for n in range(len(sources)))]
    assert execute(command, folder) == (0, "", "")


def cells_of(found):
    return [str(cell) for table in found for column in table.columns for cell in column.cells]


def require_only_a_formula(files):
    """Each format holds one formula: the Python file a docstring and a function, LaTeX commands of a list, ..."""
    (function,) = ast.parse(files["python"]).body
    assert isinstance(function, ast.FunctionDef)
    assert ast.get_docstring(function) == "The polynomial that the comment above describes, at one x."
    texts = [node for node in ast.walk(function) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert len(texts) == 1
    latex = files["latex"].decode()
    body = "".join(line for line in latex.split("\n") if not line.startswith("%"))
    assert set(re.findall(r"\\([A-Za-z]+|.)", body)) <= LATEX_COMMANDS
    assert latex.count("\\begin{align*}") == 1
    comment, _, code = files["c"].decode("ascii").partition("*/")
    assert "/*" not in comment[2:]
    assert re.sub(r"/\*.*?\*/", "", code).count("(") <= 8
    assert set(json.loads(files["json"])) >= {"coefficients", "domain"}
    with np.load(io.BytesIO(files["numpy"])) as archive:
        assert archive["coefficients"].ndim == 1


some_or_many = pytest.mark.parametrize("examples", [SOME, pytest.param(EXAMPLES, marks=pytest.mark.slow)])


def require_harmless(folder, files, number, examples):
    """Require that runs with these files are data alone, and that the C of their exports, which is returned, compiles."""
    sources = set()

    @seed(number)
    @settings(max_examples=examples, **USUAL)
    @given(files)
    def check(changes):
        sources.update(require_data_alone(recorded(7, **changes)))

    check()
    require_compilable(sources, folder)
    return sources


@some_or_many
def test_a_result_that_is_damaged(examples, tmp_path):
    require_harmless(tmp_path, st.fixed_dictionaries({"result": results()}), 1, examples)


@some_or_many
def test_a_result_that_says_anything(examples, tmp_path):
    sources = require_harmless(tmp_path, st.fixed_dictionaries({"result": readable()}), 3, examples)
    assert len(sources) >= examples / 2


@some_or_many
def test_a_history_that_is_damaged(examples, tmp_path):
    require_harmless(tmp_path, st.fixed_dictionaries({"history": histories()}), 2, examples)


RESULTS = {
    "empty": (b"", "it is not JSON"),
    "cut": (json.dumps(CONTENT).encode()[:100], "it is not JSON"),
    "no UTF-8": (b"\xff\xfe{}", "it is not JSON"),
    "deep": (b"[" * 10**6, "it is nested too deeply"),
    "a list": ([], "`its content` must be an object of JSON, got []"),
    "nan": (b'{"max_error": NaN}', "NaN is no number of JSON"),
    "a key twice": (b'{"config": {}, "config": {}}', "a key occurs twice in it"),
    "digits": (b'{"max_error": ' + b"9" * 5000 + b"}", "it is not JSON"),
    "nothing": ({}, "`config` is missing"),
    "no parameters": ({key: CONTENT[key] for key in CONTENT if key != "parameters"}, "`parameters` is missing"),
    "code in place of a number": (
        CONTENT | {"samples": SAMPLES | {"total": EVIL}},
        "`samples.total` must be a whole number from 1 to",
    ),
    "no samples": (CONTENT | {"samples": SAMPLES | {"total": 0}}, "`samples.total` must be a whole number from 1 to"),
    "a domain of three": (
        CONTENT | {"samples": SAMPLES | {"domain": [1, 2, 3]}},
        "`samples.domain` must be [low, high]",
    ),
    "a domain upside down": (
        CONTENT | {"samples": SAMPLES | {"domain": [2, 1]}},
        "`samples.domain` must be [low, high]",
    ),
    "an infinite domain": (CONTENT | {"samples": SAMPLES | {"domain": [0, 10**400]}}, "`samples.domain` must be"),
    "parameters of another model": (CONTENT | {"parameters": {"a": 1.0}}, "its parameters are not those of the model"),
    "a parameter as text": (CONTENT | {"parameters": {"w0": "1", "w1": 1}}, "`parameters.w0` must be a finite number"),
    "a large parameter": (
        CONTENT | {"parameters": {"w0": 10**400, "w1": 1}},
        "`parameters.w0` must be a finite number",
    ),
    "too many coefficients": (
        CONTENT | {"power_series": [0] * 10_001},
        "`power_series` must be null or a list of 1 to",
    ),
    "a degree as text": (CONTENT | {"config": CONFIG | {"model.degree": "x"}}, "`model.degree` must be a whole number"),
    "a list as a model": (CONTENT | {"config": CONFIG | {"model": ["x"]}}, "`config.model` must be a name, got ['x']"),
    "too large": (json.dumps(CONTENT).encode() + b" " * 10**7, "it is larger than 10 MB"),
}


@pytest.mark.parametrize(("content", "words"), RESULTS.values(), ids=RESULTS)
def test_what_is_wrong_with_a_result_is_said(content, words):
    run = recorded(7, result=content)
    with pytest.raises(p.InputError) as raised:
        export(run, "own", "float64", "f")
    assert str(raised.value).startswith(f"The result.json of the run {run.label} cannot be used: {words}")
    assert str(raised.value) in Comparison.of([run, recorded(8)]).left_out[0]


HISTORIES = {
    "empty": (b"", "it must have one column `step`"),
    "a column twice": ("step,step,loss\n1,1,1", "it must have one column `step`"),
    "no points": ("step,loss\n", "it has no points"),
    "a short line": ("step,loss\n1,2\n1\n3,4", "line 3 of it has 1 columns in place of 2"),
    "text": ("step,loss\n1,x", "a step or loss in line 2 of it is no number"),
    "a step that is not finite": ("step,loss\ninf,1", "a step in it is not a finite number of at least 0"),
    "a negative step": ("step,loss\n-1,1", "a step in it is not a finite number of at least 0"),
    "a line without end": (b"step,loss\n" + b"1" * 2 * 10**6, "a line of it is too long"),
    "no CSV": (b'\xff"step"x', "its first line is no line of CSV"),
}


@pytest.mark.parametrize(("text", "words"), HISTORIES.values(), ids=HISTORIES)
def test_what_is_wrong_with_a_history_is_said(text, words):
    run = recorded(7, history=text)
    with pytest.raises(p.InputError) as raised:
        run.losses()
    assert str(raised.value) == f"The history.csv of the run {run.label} cannot be used: {words}."


def test_a_long_history_is_thinned():
    rows = (f"{step},{1 / step}" for step in range(1, 100_001))
    curve = recorded(history="step,loss\n" + "\n".join(rows)).losses()
    assert curve.step[:100].tolist() == list(range(1, 101))
    assert curve.step[-1] == 100_000
    assert 1000 < curve.step.size <= 2101
    np.testing.assert_array_equal(curve.loss, 1 / curve.step)
    assert (np.diff(curve.step) > 0).all()


def test_a_history_beyond_the_limit_is_replaced_by_the_curve_of_the_store(monkeypatch):
    from polyexp.tracking import recorded as module
    from polyexp.tracking.artifacts import Limit

    for limit in (Limit(megabytes=0), Limit(megabytes=1, seconds=-1)):
        monkeypatch.setattr(module, "HISTORY_LIMIT", limit)
        curve = recorded().losses()
        assert (curve.step.tolist(), curve.loss.tolist()) == ([10.0, 30.0], [1.0, 0.25])


@pytest.mark.parametrize("key", ["problem", "problem.path", "problem.target", "problem.loss"])
def test_code_in_a_setting_stays_in_a_comment(key, tmp_path):
    run = recorded(result=CONTENT | {"config": CONFIG | {key: EVIL}, "outcome": EVIL})
    sources = require_data_alone(run)
    assert len(sources) == 2
    require_compilable(sources, tmp_path)


def test_texts_of_the_store_are_shown_in_one_line():
    from types import SimpleNamespace

    from polyexp.tracking.recorded import _recorded

    info = SimpleNamespace(run_id="a" * 32, run_name=EVIL, status=EVIL, experiment_id="1", artifact_uri="/x")
    data = SimpleNamespace(params={EVIL: EVIL}, metrics={EVIL: 1.0, "x": "no"}, tags={"polyexp.outcome": "A" * 10**5})
    run = _recorded(SimpleNamespace(info=info, data=data), SimpleNamespace(shown="s"))
    assert all(text.isprintable() for text in (run.name, run.status, *run.params, *run.params.values(), *run.metrics))
    assert (len(run.outcome), len(run.metrics)) == (8000, 1)
    info.run_id = "../../x"
    with pytest.raises(p.InputError, match="lists a run whose id is not one of MLflow"):
        _recorded(SimpleNamespace(info=info, data=data), SimpleNamespace(shown="s"))
