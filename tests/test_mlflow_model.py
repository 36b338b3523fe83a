"""The MLflow model of a run: its files are those that MLflow writes, and its values those of the exported function."""

import json
import math
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import polyexp as p
from polyexp.base import InputError
from polyexp.export import FORMATS, About, data_of, export_of, model_files
from polyexp.export.accuracy import points_of
from polyexp.export.mlflow_model import quoted
from polyexp.tracking.logged_model import logged_model, model_data, why_none
from tests.helpers.figures import Run, Wave
from tests.helpers.models import DOMAIN, MODELS, values_without_polyexp
from tests.helpers.models import export_of as exported

pytestmark = pytest.mark.numeric

ABOUT = About("m-5eed", "5eed", "/outputs/artifacts/models/m-5eed/artifacts", 1_800_000_000_123, "3.17.2")
SPECIAL = [0.0, -0.0, 5e-324, 1e308, -1e308, math.inf, -math.inf, math.nan, 1.0, -1.0]
every_model = pytest.mark.parametrize("name", MODELS)


def params_of(name):
    return np.random.RandomState(1).standard_normal(len(MODELS[name].param_names))


@cache
def export_named(name):
    return exported(MODELS[name], params_of(name))


def functions(export):
    """The exported function for one x, and what the model makes of it for an array."""
    space = {"set_model": lambda model: space.update(model=model), "PythonModel": object}
    code = model_files(export, ABOUT)["polynomial.py"].decode()
    exec(re.sub(r"^from mlflow.*$", "", code, flags=re.MULTILINE), space)
    return space["polynomial"], space["model"].predict


def written(folder, export):
    folder.mkdir()
    for name, content in model_files(export, ABOUT).items():
        (folder / name).write_bytes(content)
    return folder


def same_bits(one, other):
    """Whether arrays are equal to the last bit, but for the bits of nan."""
    one, other = np.asarray(one, float), np.asarray(other, float)
    are_nan = np.isnan(one) & np.isnan(other)
    return bool((are_nan | (one.view(np.uint64) == other.view(np.uint64))).all())


# Values


def test_without_polyexp_and_torch_the_values_are_those_of_the_exported_function_to_the_last_bit(tmp_path):
    """And within what the export states of those of the model, on the points where it was measured."""
    folders = {name: written(tmp_path / name, export_named(name)) for name in MODELS}
    x = points_of(DOMAIN, export_named("constant").formula)
    found = values_without_polyexp([(str(folder), x) for folder in folders.values()])
    for (name, model), values in zip(MODELS.items(), found, strict=True):
        function, _ = functions(export_named(name))
        assert same_bits(values, [function(one) for one in x.tolist()]), name
        exact, accuracy = model.on_domain(DOMAIN)(params_of(name), x), export_named(name).accuracy
        assert np.abs(values - exact).max() <= accuracy.rounding
        assert (np.abs(values - exact) / np.spacing(np.abs(exact))).max() <= accuracy.ulps_of_value


@every_model
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_of_any_coefficients_and_any_x_the_array_has_the_bits_of_the_function(name, data):
    numbers = st.floats(-1e3, 1e3)
    params = data.draw(st.lists(numbers, min_size=params_of(name).size, max_size=params_of(name).size))
    try:
        export = exported(MODELS[name], np.array(params))
    except InputError:  # it overflows, or rounding is all that is left of it
        return
    x = np.array([*data.draw(st.lists(st.floats(width=64), max_size=20)), *SPECIAL])
    function, predict = functions(export)
    values = [function(one) for one in x.tolist()]
    for given_as in (x, {"x": x}):
        assert same_bits(predict(None, given_as), values)


def test_one_array_is_not_that_of_another_call():
    _, predict = functions(export_named("constant"))
    first, x = predict(None, np.zeros(3)), np.zeros(0)
    first += 1  # it can be changed
    assert predict(None, np.zeros(3)).tolist() == (first - 1).tolist()
    assert predict(None, x).shape == (0,)


# Files


@every_model
def test_the_code_is_the_exported_function_with_a_class_around_it(name):
    code = model_files(export_named(name), ABOUT)["polynomial.py"].decode()
    assert FORMATS["python"][1](export_named(name)).decode() in code
    assert re.findall(r"^\s*(?:from|import) (\w+)", code, re.MULTILINE) == ["numpy", "mlflow", "mlflow"]


@pytest.mark.filterwarnings("ignore")  # MLflow's own, when it is imported
def test_the_files_are_those_that_mlflow_writes_for_a_model_from_code(tmp_path):
    import mlflow
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    ours, theirs = written(tmp_path / "ours", export_named("legendre_series")), tmp_path / "theirs"
    numbers = np.dtype("float64"), (-1,)
    mlflow.pyfunc.save_model(
        theirs,
        python_model=str(ours / "polynomial.py"),
        pip_requirements=["numpy"],
        signature=ModelSignature(Schema([TensorSpec(*numbers, "x")]), Schema([TensorSpec(*numbers)])),
        input_example={"x": np.linspace(*DOMAIN, 5)},
        mlflow_model=Model(artifact_path=ABOUT.location, run_id="5eed", model_id="m-5eed", model_uuid="m-5eed"),
    )
    assert {one.name for one in ours.iterdir()} == {one.name for one in theirs.iterdir()}
    for name in ("input_example.json", "serving_input_example.json"):
        assert json.loads((ours / name).read_text()) == json.loads((theirs / name).read_text())
    found, wanted = (yaml.safe_load((folder / "MLmodel").read_text()) for folder in (ours, theirs))
    assert found.pop("utc_time_created") == "2027-01-15 08:00:00.123000"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}", wanted.pop("utc_time_created"))
    flavor, other = (one["flavors"]["python_function"] for one in (found, wanted))
    assert other.pop("cloudpickle_version")  # nothing is pickled
    assert Path(other.pop("model_code_path")).name == flavor.pop("model_code_path")
    size = found.pop("model_size_bytes")
    assert size == sum(one.stat().st_size for one in ours.iterdir() if one.name != "MLmodel")
    del wanted["model_size_bytes"]  # of requirements that name a version of MLflow and of pip
    for one in (found, wanted):
        one["signature"] = {
            key: one["signature"][key] and json.loads(one["signature"][key]) for key in one["signature"]
        }
    assert found == wanted
    assert (ours / "requirements.txt").read_text() == "mlflow>=3,<4\nnumpy\n"


@pytest.mark.filterwarnings("ignore")
def test_mlflow_enforces_the_signature(tmp_path):
    import mlflow
    import pandas as pd

    export = export_named("legendre_series")
    model = mlflow.pyfunc.load_model(str(written(tmp_path / "model", export)))
    function, _ = functions(export)
    x = [-1.0, 0.0, 2.0]
    same = (
        np.array(x),
        {"x": np.array(x)},
        pd.DataFrame({"x": x}),
        pd.DataFrame({"x": [-1, 0, 2]}),
        pd.Series(x, name="x"),
        pd.DataFrame({"x": np.array(x, "float32"), "other": 1}),
    )
    for one in same:
        assert same_bits(model.predict(one), [function(value) for value in x])
    assert model.input_example["x"].tolist() == np.linspace(*DOMAIN, 5).tolist()
    others = ([1.0], 1.0, np.array([[1.0]]), np.array([1]), {"y": np.array(x)}, pd.DataFrame({"y": x}))
    for one in (*others, pd.DataFrame({"x": ["a"]})):
        with pytest.raises(mlflow.exceptions.MlflowException, match="Failed to enforce schema"):
            model.predict(one)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_text_is_read_from_yaml_as_it_was(text):
    assert yaml.safe_load(f"location: {quoted(text)}\n") == {"location": text}


def test_a_text_in_the_code_is_a_comment_whatever_it_says():
    harm = 'a"""\nimport os\r\nos.abort()\u2028x\x0c\N{SNOWMAN}\ud800'
    export = replace(export_named("constant"), source=harm, run_id=harm)
    export = replace(export, accuracy=replace(export.accuracy, target=harm))
    code = model_files(export, ABOUT)["polynomial.py"].decode()
    plain = model_files(export_named("constant"), ABOUT)["polynomial.py"].decode()
    assert "os.abort()" in code
    lines = [[one for one in text.split("\n") if not one.startswith("#")] for text in (code, plain)]
    assert lines[0] == lines[1]
    functions(export)


# What a journal says of it


@every_model
def test_an_export_comes_back_from_its_data(name):
    data = json.loads(json.dumps(data_of(export_named(name)), allow_nan=False))
    again = export_of(data)
    assert model_files(again, ABOUT) == model_files(export_named(name), ABOUT)
    assert data_of(again) == data


DAMAGES = {
    "no coefficients": {"coefficients": []},
    "too many": {"coefficients": [0.0] * 2001},
    "no list": {"coefficients": {"0": 1.0}},
    "a text": {"coefficients": ["__import__('os')"]},
    "nan": {"coefficients": [math.nan]},
    "a truth": {"coefficients": [True]},
    "too large": {"coefficients": [10**400]},
    "no basis": {"basis": "Q"},
    "a list for a basis": {"basis": ["x"]},
    "an offset": {"offset": "0"},
    "a scale": {"scale": math.inf},
    "no source": {"source": None},
    "a long source": {"source": "x" * 501},
    "no accuracy": {"accuracy": []},
    "a domain": {"accuracy": {"domain": [0.0]}},
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_data_are_refused(damage):
    data = {"polynomial": data_of(export_named("power_series")) | damage}
    with pytest.raises((ValueError, TypeError, KeyError, OverflowError)):
        logged_model(data, 1, {}, ())


@pytest.mark.parametrize("data", [[], 7, {}, {"polynomial": None}, {"polynomial": []}])
def test_other_data_are_refused(data):
    with pytest.raises((ValueError, TypeError, KeyError)):
        logged_model(data, 1, {}, ())


def test_a_result_without_a_polynomial_has_a_reason():
    result = Run(p.Problem(num_samples=9), p.PowerSeries(degree=2), p.Manual(steps=3)).result
    assert why_none(model_data(result, {"problem": "sin"})) == why_none(None) == ""
    assert model_data(replace(result, outcome=p.Outcome.INTERRUPTED), {}) is None
    assert why_none(model_data(replace(result, outcome=p.Outcome.DIVERGED), {})) == "The run diverged."
    parameters = result.params * np.array([1, math.nan, 1])
    assert why_none(model_data(replace(result, params=parameters), {})) == "The parameters of the run are not finite."
    other = replace(result, model=Wave(), params=np.array([1.0, 2.0]))
    assert why_none(model_data(other, {})).startswith(
        "The model wave is not a polynomial in x, and only polynomials can"
    )
    assert logged_model({"none": "The run diverged."}, 7, {}, ()).export is None
    overflows = replace(result, params=np.array([1.0, 1e308, 1e308]))
    assert "overflows" in why_none(model_data(overflows, {}))


def test_a_model_without_a_basis_of_its_own_has_powers_of_x():
    class Squares(p.Model):
        """y = a + b x^2."""

        choice = "squares"
        param_names = ("a", "b")
        polynomial_degree = 2

        def features(self, x):
            return x

        def forward(self, params, features):
            return params[..., :1] + params[..., 1:] * features**2

        def backward(self, params, features, grad_y):
            raise NotImplementedError

        def formula(self, params):
            raise NotImplementedError

        def power_series(self, params):
            return np.stack([params[..., 0], 0 * params[..., 0], params[..., 1]], -1)

    export = exported(Squares(), np.array([1.0, 2.0]))
    assert export.formula.basis.powers
    assert export.formula.coefficients.tolist() == [1.0, 0.0, 2.0]
