"""Exported polynomials: compiled, executed and parsed, they equal the fitted model to the accuracy that they state."""

import ast
import ctypes
import io
import json
import re
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.mathtext import MathTextParser

import polyexp as p
from polyexp.base import cut, version
from polyexp.export import FORMATS, Exported, Fit, formula_of, is_name, measured_accuracy, require_agreement, rounded_up
from polyexp.export.accuracy import largest_ratio, points_of
from polyexp.tracking import RecordedRun
from polyexp.tracking.store import open_store
from tests.helpers.commands import execute, run_in_process
from tests.helpers.figures import Wave
from tests.helpers.records import CONTENT, recorded
from tests.helpers.stores import all_runs

pytestmark = pytest.mark.numeric

DOMAIN = (-2.0, 3.0)
SINE = Fit(50, 0.125, "sin", np.sin)
MODELS = {
    "power_series": p.PowerSeries(degree=6),
    "legendre": p.Legendre(degree=4),
    "legendre_series": p.LegendreSeries(degree=7),
    "chebyshev_series": p.ChebyshevSeries(degree=8),
    "hermite_series": p.HermiteSeries(degree=5),
    "constant": p.ChebyshevSeries(degree=0),
    "line": p.Legendre(degree=0),
}
CASES = list(product(MODELS, ("own", "power"), ("float64", "float32")))
every_case = pytest.mark.parametrize("case", CASES, ids="-".join)


def params_of(model):
    return np.random.RandomState(1).standard_normal(len(model.param_names))


def exported(model, params, basis, precision, function="polynomial", fit=SINE, domain=DOMAIN):
    formula = formula_of(model.on_domain(domain), params, basis).to(precision)
    measured = measured_accuracy(formula, model.on_domain(domain), params, fit, domain)
    return Exported(function, formula, "a fit", "0123abcd", measured)


@cache
def export_of(case):
    name, basis, precision = case
    return exported(MODELS[name], params_of(MODELS[name]), basis, precision, "_".join(case))


def points(case):
    return points_of(DOMAIN, export_of(case).formula)


def written(export, of):
    return FORMATS[of][1](export)


def require_as_stated(case, values):
    """The values at 10 000 points equal the formula bit by bit, and differ from the model by no more than the export states."""
    export, x = export_of(case), points(case)
    assert x.size == 10_000
    model = MODELS[case[0]]
    exact = model.on_domain(DOMAIN)(params_of(model), x)
    np.testing.assert_array_equal(values, export.formula(x).astype(float))
    apart = np.abs(values - exact)
    ulp = np.spacing(np.abs(exact).astype(case[2])).astype(float)
    assert apart.max() <= export.accuracy.rounding
    assert apart.max() / np.spacing(np.abs(exact).max().astype(case[2])) <= export.accuracy.ulps_of_largest
    assert (apart / ulp).max() <= export.accuracy.ulps_of_value
    assert export.accuracy.ulps_of_largest < 100


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """All cases, compiled into one library."""
    folder = tmp_path_factory.mktemp("c")
    for case in CASES:
        (folder / f"{'_'.join(case)}.c").write_bytes(written(export_of(case), "c"))
    command = ["cc", "-std=c99", "-Wall", "-Werror", "-O2", "-shared", "-fPIC", "-o", "all.so", *folder.glob("*.c")]
    done = execute(command, folder)
    assert done.code == 0, done.err
    return ctypes.CDLL(str(folder / "all.so"))


@every_case
def test_c_gives_the_models_values(case, library):
    function = getattr(library, "_".join(case))
    kind = ctypes.c_float if case[2] == "float32" else ctypes.c_double
    function.restype, function.argtypes = kind, [kind]
    require_as_stated(case, np.array([function(x) for x in points(case).tolist()]))


@every_case
def test_python_gives_the_models_values(case):
    source = written(export_of(case), "python").decode()
    modules = [node.module for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    assert modules == (["ctypes"] if case[2] == "float32" else [])
    assert "import " not in re.sub("from ctypes import c_float", "", source)
    space = {}
    exec(source, space)
    require_as_stated(case, np.array([space["_".join(case)](x) for x in points(case).tolist()]))


@every_case
def test_latex_is_read_by_a_parser_and_holds_every_number(case):
    export = export_of(case)
    comment, body = re.fullmatch(
        r"((?:%.*\n)+)\\begin{align\*}\n(.*)\n\\end{align\*}\n", written(export, "latex").decode(), re.DOTALL
    ).groups()
    assert "usepackage{amsmath}" in comment
    rows = [row.strip() for row in body.split("\\\\\n")]
    parser = MathTextParser("path")
    for row in rows:
        left, aligned, right = row.partition("&")
        assert aligned
        assert parser.parse(f"${left}{right}$")
    terms = " ".join(row.partition("&")[2].replace("&", "") for row in rows)
    plain = re.sub(r" (x\^|[PTH]_){\d+}", "", terms)  # without the indices of the terms
    number = r"(- |\+ |-|)(\d+\.?\d*)(?: \\times 10\^{(-?\d+)})?"
    found = [np.dtype(case[2]).type(f"{sign.strip()}{m}e{e or 0}") for sign, m, e in re.findall(number, plain)]
    np.testing.assert_array_equal(found[: export.formula.degree + 1], export.formula.coefficients)
    assert len(terms) - len(plain) >= 5 * export.formula.degree


CLASSES = {
    "Legendre": np.polynomial.Legendre,
    "Chebyshev": np.polynomial.Chebyshev,
    "physicists'": np.polynomial.Hermite,
}


@every_case
def test_json_and_numpy_hold_the_polynomial(case):
    """Rebuilt with numpy.polynomial, from the numbers alone."""
    export = export_of(case)
    data = json.loads(written(export, "json"))
    with np.load(io.BytesIO(written(export, "numpy"))) as archive:
        assert set(archive) == set(data)
        np.testing.assert_array_equal(archive["coefficients"], np.array(data["coefficients"], case[2]))
        assert archive["coefficients"].dtype == case[2]
        assert archive["domain"].tolist() == data["domain"] == list(DOMAIN)
    basis = CLASSES.get(data["basis"].split()[0], np.polynomial.Polynomial)
    values = basis(data["coefficients"])(data["offset"] + data["scale"] * points(case))
    model = MODELS[case[0]]
    exact = model.on_domain(DOMAIN)(params_of(model), points(case))
    tolerance = 1e-12 if case[2] == "float64" else 1e-4
    np.testing.assert_allclose(values, exact, rtol=0, atol=tolerance * np.abs(exact).max())


@every_case
def test_the_comment_states_what_was_measured(case):
    export = export_of(case)
    for of in ("c", "python", "latex"):
        text = written(export, of).decode()
        assert "Domain: -2.0 <= x <= 3.0" in text
        assert "Maximum error against the 50 samples of sin: 0.125." in text
        assert f"at most {rounded_up(export.accuracy.rounding)}," in text
        assert f"{rounded_up(export.accuracy.ulps_of_largest)} ulps of the largest value" in text
        assert f"{rounded_up(export.accuracy.ulps_of_value)} ulps of the value itself" in text
    x = points(case)
    assert export.accuracy.target_error == np.abs(export.formula(x) - np.sin(x)).max()


# Properties


@given(st.floats(0, 1e300))
def test_what_is_stated_is_a_bound(value):
    assert value <= float(rounded_up(value)) <= value * 1.01 + 1e-307


numbers = st.floats(-1e3, 1e3)


@settings(max_examples=60, deadline=None)
@given(
    cls=st.sampled_from([p.PowerSeries, p.LegendreSeries, p.ChebyshevSeries, p.HermiteSeries]),
    params=st.lists(numbers, min_size=1, max_size=10),
    low=st.floats(-10, 10),
    width=st.floats(0.1, 10),
)
def test_every_series_is_that_of_numpy(cls, params, low, width):
    domain = (low, low + width)
    model = cls(degree=len(params) - 1).on_domain(domain)
    formula = formula_of(model, np.array(params), "own")
    x = np.linspace(*domain, 50)
    basis = np.polynomial.Polynomial if cls is p.PowerSeries else cls.basis
    mapped = {} if cls is p.PowerSeries else {"domain": domain}
    size = float(np.abs(params) @ np.abs(model.features(x)).max(0))
    np.testing.assert_allclose(formula(x), basis(params, **mapped)(x), rtol=0, atol=1e-13 * size + 1e-300)


any_name = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)


@settings(max_examples=60, deadline=None)
@given(any_name)
def test_no_name_of_a_file_leaves_its_comment(name):
    export = exported(MODELS["line"], np.ones(4), "own", "float64", fit=Fit(50, 0.125, name))
    source = written(export, "c").decode("ascii")
    comment = source.partition("#ifdef")[0]
    assert comment.count("*/") == comment.count("/*") == 1
    assert "??" not in source
    ast.parse(written(export, "python").decode())
    assert sum(not line.startswith("%") for line in written(export, "latex").decode().split("\n")) < 8
    assert json.loads(written(export, "json"))["target"] == cut(" ".join(name.split()))


def test_names_of_files_compile(tmp_path):
    fit = Fit(50, 0.125, "my */ /* dåta ??/ \\ .csv")
    (tmp_path / "odd.c").write_bytes(written(exported(MODELS["line"], np.ones(4), "own", "float64", fit=fit), "c"))
    command = ["cc", "-std=c99", "-Wall", "-Werror", "-c", "odd.c"]
    assert execute(command, tmp_path) == (0, "", "")


@pytest.mark.parametrize("word", ["f", "my_sin2", "a" * 63])
def test_names_of_functions(word):
    assert is_name(word)


@pytest.mark.parametrize(
    "word", ["", "2f", "a b", "for", "lambda", "int", "main", "naïve", "f;", "_f", "f\n", "a" * 64]
)
def test_no_names_of_functions(word):
    assert not is_name(word)


# What cannot be exported


@pytest.mark.parametrize("basis", ["own", "power"])
def test_a_model_that_is_not_a_polynomial(basis):
    with pytest.raises(p.InputError) as raised:
        formula_of(Wave(), np.ones(2), basis)
    assert str(raised.value) == (
        "The model wave is not a polynomial in x, and only polynomials can be exported: the formula and the parameters of "
        "such a run are in its result.json."
    )


def test_a_polynomial_in_a_basis_of_another_package():
    class Cube(Wave):
        choice = "cube"

        def power_series(self, params):
            return np.zeros((*params.shape[:-1], 4)) + params[..., :1] * [0, 0, 0, 1]

    with pytest.raises(p.InputError, match=r"`action.basis=own` is not available for cube: type `action.basis=power`"):
        formula_of(Cube(), np.ones(2), "own")
    assert formula_of(Cube(), np.array([2.0, 0.0]), "power").coefficients.tolist() == [0, 0, 0, 2]


@dataclass
class Orthonormal(p.LegendreSeries):
    """Legendre polynomials whose squares have the integral 1, by the recurrence that it inherits."""

    def features(self, x):
        return super().features(x) * np.sqrt(np.arange(self.degree + 1) + 0.5)


@dataclass
class Scaled(Orthonormal):
    """The same with a power series of its own."""

    def power_series(self, params):
        return super().power_series(params * np.sqrt(np.arange(self.degree + 1) + 0.5))


@pytest.mark.parametrize(("cls", "basis"), [(Orthonormal, "own"), (Orthonormal, "power"), (Scaled, "own")])
def test_a_basis_that_a_model_inherits_but_does_not_compute_with(cls, basis):
    """It would be a formula with other values, whose difference was called rounding."""
    model = cls(degree=4).on_domain(DOMAIN)
    params = params_of(model)
    with pytest.raises(p.InputError, match=r"differs from the model legendre_series by .*more than rounding"):
        require_agreement(formula_of(model, params, basis), model, params, DOMAIN)


def test_a_model_that_says_its_power_series_itself():
    model = Scaled(degree=4).on_domain(DOMAIN)
    params = params_of(model)
    formula = formula_of(model, params, "power")
    require_agreement(formula, model, params, DOMAIN)
    x = np.linspace(*DOMAIN, 50)
    np.testing.assert_allclose(formula(x), model(params, x), rtol=0, atol=1e-12 * formula.size(x))


@every_case
def test_every_model_of_polyexp_agrees_with_its_formula(case):
    model = MODELS[case[0]].on_domain(DOMAIN)
    require_agreement(formula_of(model, params_of(model), case[1]), model, params_of(model), DOMAIN)


def test_numbers_that_a_precision_does_not_hold():
    with pytest.raises(p.InputError, match="too large for float32"):
        formula_of(p.PowerSeries(degree=1), np.array([1.0, 1e39]), "own").to("float32")
    with pytest.raises(p.InputError, match="overflows float32 on its domain"):
        exported(p.PowerSeries(degree=1), np.array([1.0, 1e38]), "own", "float32", domain=(0.0, 100.0))
    with pytest.raises(p.InputError, match="in powers of x are not finite"):
        formula_of(p.Legendre(degree=9).on_domain(DOMAIN), np.array([1, 1, 1, 1e300]), "power")


# From the command line


@pytest.fixture(scope="module")
def fitted_runs(tmp_path_factory, new_store):
    """A run of every model, recorded in a folder of its own; by the model's name."""
    folder = tmp_path_factory.mktemp("export")
    new_store(folder / "outputs" / "mlflow.db")
    models = ",".join(list(MODELS)[:5])
    done = run_in_process(
        "-m", f"model={models}", "backend=numpy", "loop.steps=30", "problem.num_samples=60", cwd=folder
    )
    assert done.code == 0
    client = open_store(f"sqlite:///{folder / 'outputs' / 'mlflow.db'}").client
    return folder, {run.data.params["model"]: run.info.run_id for run in all_runs(client)}, client


def artifact(client, run_id, name):
    return Path(client.download_artifacts(run_id, name)).read_text(encoding="utf-8")


@pytest.mark.parametrize("model", list(MODELS)[:5])
def test_every_model_is_exported_to_its_run(model, fitted_runs):
    folder, ids, client = fitted_runs
    where = f"my {model} für x"
    done = run_in_process(
        "action=export",
        f"action.run='{ids[model][:12]}'",
        f"hydra.run.dir='{where}'",
        "action.format=python",
        cwd=folder,
    )
    assert (done.code, done.err) == (0, "")
    source = (folder / where / "polynomial.py").read_text()
    result = json.loads(artifact(client, ids[model], "result.json"))
    assert artifact(client, ids[model], "export/polynomial.py") == source
    space = {}
    exec(source, space)
    (x,) = np.random.RandomState(0).uniform(-3, 3, (1, 20))
    expected = np.polynomial.Polynomial(result["power_series"])(x)
    np.testing.assert_allclose([space["polynomial"](one) for one in x], expected, rtol=0, atol=1e-9)
    assert f"the 60 samples of sin: {rounded_up(result['max_error'])}." in source
    assert f"exported by polyexp {version.described()}, run {ids[model]}." in source
    for line in source.splitlines()[:3]:
        assert line.removeprefix("# ") in done.out


def test_every_format_has_its_file(fitted_runs):
    folder, ids, client = fitted_runs
    formats = ",".join(FORMATS)
    options = ("action.precision=float32", "action.basis=power", "action.function=my_sin", "quiet=true")
    done = run_in_process(
        "-m", "action=export", f"action.run={ids['legendre']}", f"action.format={formats}", *options, cwd=folder
    )
    assert done.code == 0
    found = {artifact.path for artifact in client.list_artifacts(ids["legendre"], "export")}
    assert found >= {f"export/{file}" for file, _ in FORMATS.values()}
    assert "float my_sin(float x)" in artifact(client, ids["legendre"], "export/polynomial.c")


ID = "`action.run` must be "
BAD = {
    "no run": ([], f"{ID}a run's id, or its first 6 or more characters, got ''."),
    "too short": (["action.run=abcde"], f"{ID}a run's id, or its first 6 or more characters, got 'abcde'."),
    "no id": (["action.run=../../x"], f"{ID}a run's id, or its first 6 or more characters, got '../../x'."),
    "unknown": (["action.run=" + "a1" * 16], f"{ID}the id of a recorded run, got '{'a1' * 16}'."),
    "format": (
        ["action.format=cpp"],
        "`action.format` must be one of c, python, latex, json, numpy, got 'cpp'. Did you mean 'c'?",
    ),
    "precision": (
        ["action.precision=float16"],
        "`action.precision` must be one of float64, float32, got 'float16'. Did you mean 'float64'?",
    ),
    "basis": (["action.basis=powers"], "`action.basis` must be one of own, power, got 'powers'. Did you mean 'power'?"),
    "function": (
        ["action.function=2x"],
        "`action.function` must be a name that C and Python allow and do not use themselves, such as my_function, got '2x'.",
    ),
    "no tracking": (["tracking=none"], "`tracking=none` records no runs that could be read: type `tracking=mlflow`."),
}


@pytest.mark.parametrize(("words", "sentence"), BAD.values(), ids=BAD)
def test_bad_input(words, sentence, fitted_runs):
    folder, _, _ = fitted_runs
    done = run_in_process("action=export", *words, cwd=folder)
    assert (done.code, done.out, done.err) == (2, "", f"polyexp: {sentence}\n")


def test_a_near_miss_is_named(fitted_runs):
    folder, ids, _ = fitted_runs
    word = ids["legendre"][:12]
    typed = word[:-1] + ("0" if word[-1] != "0" else "1")
    done = run_in_process("action=export", f"action.run='{typed}'", cwd=folder)
    assert (done.code, done.err) == (
        2,
        f"polyexp: {ID}the id of a recorded run, got '{typed}'. Did you mean '{word}'?\n",
    )


def test_a_sweep_of_exports_is_checked_before_its_first_job(fitted_runs):
    folder, ids, _ = fitted_runs
    before = set(folder.rglob("polynomial.*"))
    done = run_in_process("-m", "action=export", f"action.run={ids['legendre']},{'b2' * 16}", cwd=folder)
    assert done.code == 2
    assert done.err == f"polyexp: {ID}the id of a recorded run, got '{'b2' * 16}'.\n"
    assert set(folder.rglob("polynomial.*")) == before


def test_a_run_without_results(fitted_runs):
    folder, ids, client = fitted_runs
    experiment = client.get_run(ids["legendre"]).info.experiment_id
    run = client.create_run(experiment, run_name="not yet")
    done = run_in_process("action=export", f"action.run={run.info.run_id}", cwd=folder)
    label = RecordedRun(run.info.run_id, "", "", "", {}, {}, {}, None).label
    assert (done.code, done.err) == (2, f"polyexp: The run {label} has no results yet: it is RUNNING.\n")
    client.set_terminated(run.info.run_id, "FAILED")
    done = run_in_process("action=export", f"action.run={run.info.run_id}", cwd=folder)
    assert (done.code, done.err) == (2, f"polyexp: The run {label} has no results: it is FAILED.\n")
    client.set_tag(run.info.run_id, "polyexp.outcome", "MAX_STEPS")
    done = run_in_process("action=export", f"action.run={run.info.run_id}", cwd=folder)
    assert (done.code, done.err) == (
        2,
        f"polyexp: The result.json of the run {label} cannot be used: there is no such file.\n",
    )
    client.delete_run(run.info.run_id)
    assert (
        "must be the id of a recorded run"
        in run_in_process("action=export", f"action.run={run.info.run_id}", cwd=folder).err
    )


def test_ids_that_begin_alike(fitted_runs, monkeypatch):
    folder, _, _ = fitted_runs
    client = open_store(f"sqlite:///{folder / 'outputs' / 'mlflow.db'}").client
    some = all_runs(client)
    monkeypatch.setattr(type(client), "search_runs", lambda *_, **__: some[:2])
    done = run_in_process("action=export", "action.run=abcdef12", cwd=folder)
    assert (done.code, done.err) == (
        2,
        f"polyexp: {ID}one run's id, got 'abcdef12', with which several ids begin: type more characters.\n",
    )


def test_a_record_without_a_formula():
    def formula(**changes):
        run = recorded(result=CONTENT | changes)
        return run.fitted(run.result())

    config = CONTENT["config"]
    nowhere = {key: value for key, value in config.items() if key != "problem.domain"}
    with pytest.raises(p.InputError, match="not finite has no formula"):
        formula(parameters={"w0": 1.0, "w1": None})
    with pytest.raises(p.InputError, match="'spline' belongs to a package that is not installed"):
        formula(config=config | {"model": "spline"})
    with pytest.raises(p.InputError, match="domain on which the run was fitted is not recorded"):
        formula(config=nowhere, samples={"total": 3})
    _, params, domain = formula(samples={"total": 3}, parameters={"w0": 1.0, "w1": 2.0})
    assert (params.tolist(), domain) == ([1.0, 2.0], (-3.0, 3.0))


def test_a_value_that_is_almost_0_has_no_number_of_ulps():
    """Two terms of 1e38 that cancel leave a difference of 1e22, and a value whose ulp may be 5e-324."""
    model, params = p.LegendreSeries(degree=2).on_domain((0.0, 1.0)), np.array([0.0, 1e38, 1e38])
    measured = measured_accuracy(
        formula_of(model, params, "power"), model, params, Fit(2, 0.0, "data", None, ""), (0.0, 1.0)
    )
    assert measured.ulps_of_value is None or measured.ulps_of_value > 1
    assert largest_ratio(np.array([1.0, 1e22]), np.array([0.5, 5e-324])) is None
    assert largest_ratio(np.array([1.0, 1e22]), np.array([0.5, 1e22])) == 2
    lines = replace(measured, ulps_of_value=None).lines()
    assert lines[-1].endswith(" ulps of the largest value there.")
    lines = replace(measured, ulps_of_largest=None, ulps_of_value=None).lines()
    assert lines[-1].endswith(f" by at most {rounded_up(measured.rounding)}.")
