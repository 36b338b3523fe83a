"""Models that are not polynomials: the Fourier model of docs/own-model.md, from a package of its own, through every action."""

import json
import re
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import polyexp as p
from polyexp.base import Component
from polyexp.report.files import write
from polyexp.tracking.store import open_store
from tests.helpers.cases import assert_close
from tests.helpers.commands import one_process, run_in_process
from tests.helpers.figures import Run, Wave
from tests.helpers.pages import install_plugin, plugin_source
from tests.helpers.stores import all_runs

pytestmark = pytest.mark.numeric

PICTURES = ["coefficients.png", "fit.png", "loss.png", "modes.png"]
QUICK = ("problem=abs", "problem.num_samples=200", "backend=numpy", "loop.steps=60", "optimizer.learning_rate=auto")
OMEGA = np.pi  # on the domain [-1, 1] of the problem abs


def columns(x, degree, omega=OMEGA):
    """1, cos(omega x), sin(omega x), cos(2 omega x), ..., one column each."""
    waves = [wave(k * omega * x) for k in range(1, degree + 1) for wave in (np.cos, np.sin)]
    return np.column_stack([np.ones_like(x), *waves])


def rounding(matrix, highest_angle):
    """A bound of the relative rounding error of the optimum of such a matrix.

    An angle is off by its own size times eps, and so is each feature; a sum over N samples adds N eps. A perturbation of the
    features moves the optimum by it times the square of the condition number; two solutions are compared.
    """
    rows, size = matrix.shape
    return 2 * np.linalg.cond(matrix) ** 2 * (highest_angle + rows + size) * np.finfo(float).eps


# In Python


@pytest.fixture
def fourier(monkeypatch):
    """The class of docs/own-model.md."""
    module = ModuleType("fourier")
    monkeypatch.setitem(sys.modules, "fourier", module)  # where dataclasses looks its types up
    monkeypatch.setattr(Component, "registry", dict(Component.registry))
    exec(plugin_source(), module.__dict__)
    return module.Fourier


ABS = p.Problem("abs", domain=[-1, 1], num_samples=200)


@pytest.mark.parametrize("loop", [p.ClosedForm(steps=4000), p.Manual(steps=200)], ids=["closed_form", "manual"])
def test_a_fit_reaches_the_least_squares_optimum(fourier, loop):
    model = fourier(degree=3)
    assert model.polynomial_degree is None
    result = p.fit(ABS, model, loop=loop, optimizer=p.GradientDescent("auto"), backend=p.NumPy())
    assert result.power_series is None
    assert result.samples.size == 200
    matrix = columns(result.samples.x, 3)
    best = np.linalg.lstsq(matrix, result.samples.y)[0]
    x = np.linspace(-1.5, 1.5, 31)
    # A step leaves at most a third of each coordinate (the auto rate, eigenvalues from 1 to 2); all of them leave nothing.
    tolerance = rounding(matrix, 3 * np.pi)
    assert_close(result.params, best, tolerance, np.linalg.norm(best))
    assert_close(result(x), columns(x, 3) @ best, tolerance * 7**0.5, np.linalg.norm(best))
    assert_close(result.loss, ABS.samples().loss(matrix @ best), tolerance, 1)


def test_many_runs_of_it_are_those_of_single_fits(fourier):
    rates = [0.1, 0.3, 0.5]
    settings = {"loop": p.Manual(steps=7, log_every=3), "backend": p.NumPy()}
    many = p.fit(ABS, fourier(), optimizer=p.GradientDescent(rates), seed=[4, 5, 6], **settings)
    assert (many.power_series, many.params.shape) == (None, (3, 7))
    assert many([0.25, 0.5]).shape == (3, 2)
    for row, rate, seed in zip(many.params, rates, [4, 5, 6], strict=True):
        one = p.fit(ABS, fourier(), optimizer=p.GradientDescent(rate), seed=seed, **settings)
        assert_close(row, one.params, 1e-13)


def test_its_period_is_the_width_of_the_domain_unless_it_is_given(fourier, tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,0\n2,3\n4,1\n5,1\n")
    closed = {"loop": p.ClosedForm(), "optimizer": p.GradientDescent("auto"), "backend": p.NumPy()}
    for model, omega in ((fourier(degree=1), np.pi / 2), (fourier(degree=1, period=9.0), 2 * np.pi / 9)):
        result = p.fit(p.DataFile(path=str(tmp_path / "a.csv")), model, **closed)
        matrix = columns(np.array([1.0, 2, 4, 5]), 1, omega)
        best = np.linalg.lstsq(matrix, np.array([0.0, 3, 1, 1]))[0]
        assert_close(result.params, best, rounding(matrix, 5 * omega), np.linalg.norm(best))
    assert p.fit(p.Samples.of([3.0], [2.0]), fourier(), **closed)([3.0]) == pytest.approx([2.0])
    with pytest.raises(p.InputError, match=r"`model.period` above 0"):
        fourier(period=0.0)


def test_it_cannot_be_reduced(fourier):
    with pytest.raises(p.InputError, match="needs a model that is a polynomial in x"):
        p.fit(p.Problem("abs", reduction="gauss"), fourier(), backend=p.NumPy())


def test_a_model_that_declares_no_degree_has_no_power_series():
    class Undeclared(p.PowerSeries):
        polynomial_degree = None

    assert p.fit(ABS, Undeclared(), loop=p.Manual(steps=1), backend=p.NumPy()).power_series is None


def test_the_files_of_a_model_that_is_neither_linear_nor_a_polynomial(tmp_path):
    one = Run(model=Wave(), loop=p.Manual(steps=20, log_every=10), optimizer=p.GradientDescent(1e-2))
    write(tmp_path, one.result, one.forecast, {}, "")
    written = json.loads((tmp_path / "result.json").read_text())
    assert (written["power_series"], written["lower_bound"]) == (None, None)
    assert written["parameters"] == one.result.parameters


# From the command line, as a package of its own


@pytest.fixture(scope="module")
def installed(tmp_path_factory, new_store):
    """A folder with a store, in which the package is installed and has been fitted once."""
    root = tmp_path_factory.mktemp("plugin")
    folder = root / "here"
    new_store(folder / "outputs" / "mlflow.db")
    with one_process(folder, install_plugin(root / "site")) as cli:
        done = cli("model=fourier", *QUICK, "report.page=true", "hydra.run.dir=fitted")
        client = open_store(f"sqlite:///{folder / 'outputs' / 'mlflow.db'}").client
        (recorded,) = all_runs(client)
        yield SimpleNamespace(cli=cli, folder=folder, done=done, client=client, run=recorded)


def test_it_is_listed(installed):
    done = installed.cli("--help")
    assert (done.code, done.err) == (0, "")
    assert "  model      chebyshev_series, fourier, hermite_series," in done.out


def test_a_fit_is_printed_written_drawn_and_recorded(installed):
    folder, done, client = installed.folder / "fitted", installed.done, installed.client
    assert (done.code, done.err) == (0, "")
    shown = done.out.partition("Files in")[0]
    assert re.search(r"^y = 0\.5\d* - 0\.4\d+ cos\(3\.142 x\) [+-]", shown, re.MULTILINE)
    assert not re.search(r"None|nan|polynomial|powers", shown)

    result = json.loads((folder / "result.json").read_text())
    x = np.linspace(-1, 1, 200)
    best = np.linalg.lstsq(columns(x, 3), np.abs(x))[0]
    assert_close([*result["parameters"].values()], best, rounding(columns(x, 3), 3 * np.pi), np.linalg.norm(best))
    assert result["power_series"] is None
    assert (result["config"]["model.degree"], result["config"]["model.period"]) == (3, None)

    assert sorted(path.name for path in folder.glob("*.png")) == PICTURES
    for name in PICTURES:
        with Image.open(folder / name) as image:
            assert image.width == 900
    page = (folder / "page.html").read_text()
    assert "<title>polyexp: abs by fourier</title>" in page

    assert installed.run.info.status == "FINISHED"
    names = {one.path for one in client.list_artifacts(installed.run.info.run_id)}
    assert {"result.json", "history.csv", "config.yaml", "page.html", *PICTURES} <= names
    text = installed.run.data.tags["mlflow.note.content"]
    formula, judged, table = text.split("\n\n")
    assert formula == f"`{result['formula']}`"
    assert "above the best possible loss of this model" in judged
    assert table.splitlines()[0] == "| parameter | learned | optimum |"
    assert len(table.splitlines()) == 9
    assert not re.search(r"None|nan|polynomial|Taylor", text)


def test_it_is_swept_and_compared_with_a_polynomial(installed):
    folder, cli = installed.folder, installed.cli
    done = cli("-m", "model=fourier", "model.degree=1,2", *QUICK, "hydra.sweep.dir=swept", "report.pictures=all")
    assert (done.code, done.err) == (0, "")
    written = {path.parent.name: json.loads(path.read_text()) for path in folder.glob("swept/*/result.json")}
    assert {name: len(one["parameters"]) for name, one in written.items()} == {"0": 3, "1": 5}
    assert len(list(folder.glob("swept/*/fit.png"))) == 2
    alone = cli("action=compare", "action.sweep=swept", "hydra.run.dir='without polynomials'")
    assert (alone.code, alone.err) == (0, "")
    page = (folder / "without polynomials" / "compare.html").read_text()
    for text in (alone.out.partition("Files in")[0], page.partition("base64")[0], page.rpartition("base64")[2]):
        assert not re.search(r"None|polynomials|powers", text)

    assert run_in_process("model=power_series", *QUICK, "model.degree=2", "quiet=true", cwd=folder).code == 0
    (series,) = (one for one in all_runs(installed.client) if one.data.params["model"] == "power_series")
    ids = [one.info.run_id for one in (installed.run, series)]
    both = cli("action=compare", f"action.runs=[{','.join(map(repr, ids))}]", "hydra.run.dir=both")
    assert (both.code, both.err) == (0, "")
    assert (folder / "both" / "compare.png").stat().st_size > 0
    numbers, _, polynomials = both.out.partition("Files in")[0].partition("The fitted polynomials in powers of x:")
    (heads, row) = (line.split() for line in polynomials.splitlines() if re.search(r"\w", line))
    assert heads == ["run", "x^0", "x^1", "x^2"]
    assert series.info.run_id.startswith(row[0])
    assert "fourier" in numbers
    page = (folder / "both" / "compare.html").read_text()
    first, second = re.findall(r"<tbody>\n(.*?)\n</tbody>", page, re.DOTALL)
    assert (first.count("<tr>"), second.count("<tr>")) == (2, 1)
    assert "None" not in first + second


def test_it_is_predicted(installed):
    done = installed.cli("model=fourier", *QUICK, "action=predict", "tracking=none")
    assert (done.code, done.err) == (0, "")
    loss = json.loads((installed.folder / "fitted" / "result.json").read_text())["best_loss"]
    assert f"after 60 steps the loss will be {loss:.4g} (best possible: {loss:.4g})" in done.out
    assert not re.search(r"None|nan|polynomial", done.out)


def test_every_formulation_agrees(installed):
    done = installed.cli("model=fourier", *QUICK, "action=crosscheck", "tracking=none", "hydra.run.dir=checked")
    assert (done.code, done.err) == (0, "")
    found = json.loads((installed.folder / "checked" / "crosscheck.json").read_text())
    assert found["agrees"] is True
    names = {one["name"] for one in found["formulations"]}
    assert {"numpy manual cpu", "torch autograd cpu", "torch custom_function cpu", "closed_form"} <= names
    assert [one["part"] for one in found["checks"] if one["passed"] is not True] == ["power_series"]


@pytest.mark.parametrize("basis", ["own", "power"])
def test_it_is_not_exported(installed, basis):
    options = (f"action.run='{installed.run.info.run_id}'", f"action.basis={basis}", f"hydra.run.dir=exported_{basis}")
    assert installed.cli("action=export", *options) == (
        2,
        "",
        "polyexp: The model fourier is not a polynomial in x, and only polynomials can be exported: the formula and the "
        "parameters of such a run are in its result.json.\n",
    )
    assert not (installed.folder / f"exported_{basis}").exists()
    assert not [one for one in installed.client.list_artifacts(installed.run.info.run_id) if one.path == "export"]
