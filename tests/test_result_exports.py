"""result.export: the files of action=export, from a result in memory."""

import io
import json

import numpy as np
import pytest
from numpy.polynomial import polynomial

import polyexp as p
from tests.helpers.figures import Wave
from tests.helpers.fits import SAMPLES

PARTS = {"backend": p.NumPy(), "loop": p.Manual(steps=5)}


@pytest.fixture(scope="module")
def result():
    return p.fit(p.Problem("exp", domain=[-1, 1]), p.ChebyshevSeries(degree=4), **PARTS)


def test_the_python_function_has_the_values_of_the_result(result):
    code = {}
    exec(result.export("python", function="approximation"), code)
    x = np.linspace(-1, 1, 101)
    values = [code["approximation"](float(one)) for one in x]
    # Clenshaw's recurrence of 5 terms; see CONTRIBUTING, "Tolerances": a sum of n products.
    np.testing.assert_allclose(values, result(x), rtol=0, atol=50 * 2.0**-53 * np.abs(result.params).sum())


def test_the_coefficients_are_the_parameters(result):
    data = json.loads(result.export("json"))
    assert data["coefficients"] == result.params.tolist()
    assert (data["run"], data["domain"], data["samples"]) == ("", [-1.0, 1.0], 4000)
    with np.load(io.BytesIO(result.export("numpy", basis="power")), allow_pickle=False) as archive:
        assert archive["coefficients"].tolist() == result.power_series.tolist()
        y = polynomial.polyval(0.5, archive["coefficients"])
    assert y == pytest.approx(float(result(0.5)), rel=1e-14)


@pytest.mark.parametrize("name", ["c", "python", "latex", "json"])
def test_text_is_returned_or_written(name, result, tmp_path):
    text = result.export(name, precision="float32")
    assert isinstance(text, str)
    path = result.export(name, tmp_path / "file", precision="float32")
    assert path == tmp_path / "file"
    assert path.read_text("utf-8") == text


def test_c_is_the_default(result):
    assert result.export() == result.export("c")
    assert "double polynomial(double x)" in result.export()
    assert ", run" not in result.export().splitlines()[1]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"format": "d"}, "`format` must be one of c, python, latex, json, numpy, got 'd'."),
        ({"precision": "float16"}, "`precision` must be one of float64, float32, got 'float16'."),
        ({"basis": "x"}, "`basis` must be one of own, power, got 'x'."),
        (
            {"function": "int"},
            "`function` must be a name that C and Python allow and do not use themselves, such as my_function, got 'int'.",
        ),
    ],
)
def test_what_is_not_allowed_is_refused(arguments, sentence, result):
    with pytest.raises(p.InputError) as raised:
        result.export(**arguments)
    assert str(raised.value).partition(" Did you")[0] == sentence


def test_what_has_no_polynomial_is_refused():
    batch = p.fit(SAMPLES, p.PowerSeries(degree=1), seed=[0, 1], **PARTS)
    with pytest.raises(
        p.InputError, match=r"`export` takes the result of a single run, such as `result\[0\].export\(\)`."
    ):
        batch.export()
    with pytest.raises(p.InputError, match="The model wave is not a polynomial in x"):
        p.fit(SAMPLES, Wave(initial=[1.0, 1.0]), **PARTS).export()


def test_errors_name_the_arguments_of_python():
    steep = p.PowerSeries(degree=2, initial=[0, 0, 1e300])
    result = p.fit([0, 1e-9, 2e-9], [1, 2, 3], steep, **PARTS)
    with pytest.raises(p.InputError) as raised:
        result.export(precision="float32")
    assert "action." not in str(raised.value)
