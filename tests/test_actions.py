"""The actions: predict prints what a run would reach and records nothing; fit records the prediction with its result."""

import json
import re

import numpy as np
import pytest

import polyexp as p
from polyexp.cli.configs import choices
from tests.helpers.references import OPTIMA
from tests.helpers.stores import all_runs

QUICK = ("backend=numpy", "tracking=none")
OUTLOOK = (
    "learning_rate=1e-06 is stable (limit 1.616e-06); after 4000 steps the loss will be 10.45 (best possible: "
    "2.461e-08); the slowest mode needs 6.7e+07 steps."
)
PAGE = f"""\
Fitting power_series to 4000 samples of sin (reduced to 8 weighted samples) on numpy VERSION, float64, cpu
{OUTLOOK}

  mode   eigenvalue   remaining after 4000 steps   steps to 1/1000
 ──────────────────────────────────────────────────────────────────
  0      1.237e+06    0                            5
  1      1.447e+05    3e-272                       45
  2      434.9        0.176                        1.59e+04
  3      76.47        0.736                        9.03e+04
  4      2.457        0.99                         2.81e+06
  5      1.292        0.995                        5.35e+06
  6      0.1832       0.999                        3.77e+07
  7      0.1024       1                            6.75e+07

At this learning rate it takes 8.8e+07 steps to come within 2.5e-10 of the best loss.
`model=legendre_series optimizer.learning_rate=auto` would need 79 steps.
"""
LIMIT = (
    "polyexp: `optimizer.learning_rate` must be at most {}, got {}, with which the loss of this model grows: "
    "{}`optimizer.allow_divergence=true` runs this one anyway.\n"
)
SERIES = "`model=legendre_series optimizer.learning_rate=auto` reaches a loss of 2.48e-08 in 79 steps, "
GRADIENT_SERIES = SERIES.replace(" optimizer.", " optimizer=gradient_descent optimizer.")
SERIES_OF_9 = (
    "`model=legendre_series model.degree=9 optimizer.learning_rate=auto` reaches a loss of 1.36e-11 in 134 steps, "
)


def files(folder):
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def results(folder):
    return [json.loads(path.read_text()) for path in sorted(folder.rglob("result.json"))]


# predict


def plain(text):
    lines = "".join(f"{line.rstrip()}\n" for line in text.splitlines())
    return re.sub(r"numpy \d\S*,", "numpy VERSION,", lines)


def test_predict_prints_its_page(bare_cli, tmp_path):
    ended = bare_cli("action=predict", *QUICK)
    assert (ended.code, ended.err) == (0, "")
    assert plain(ended.out) == PAGE
    (log,) = tmp_path.rglob("polyexp.log")
    assert plain(log.read_text()) == PAGE


def test_predict_writes_nothing_but_its_folder(bare_cli, tmp_path):
    """With the default tracking, because a prediction is not recorded."""
    assert bare_cli("action=predict").code == 0
    (folder,) = tmp_path.glob("outputs/runs/*/*")
    hydra = [f".hydra/{name}.yaml" for name in ("config", "hydra", "overrides")]
    assert [path.as_posix() for path in files(folder)] == [*hydra, "polyexp.log"]
    assert files(tmp_path) == [(folder / path).relative_to(tmp_path) for path in files(folder)]


def test_predict_records_nothing(cli, store):
    assert cli("action=predict").code == 0
    assert all_runs(store) == []


def test_predict_can_be_quiet(bare_cli):
    assert bare_cli("action=predict", "quiet=true", *QUICK) == (0, "", "")


def test_predict_costs_no_steps(bare_cli):
    ended = bare_cli("action=predict", "loop.steps=1000000000000000", *QUICK)
    assert ended.code == 0
    assert "after 1000000000000000 steps the loss will be 2.461e-08" in ended.out
    assert "Loss at" not in ended.out


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["optimizer=adam"], "has no known stability limit; the best possible loss is 2.461e-08."),
        (["model=legendre"], "no polynomial of this degree has a loss below 0.004399; at the start the eigenvalues"),
        (["optimizer=momentum", "optimizer.learning_rate=asymptotic"], " is stable (limit 3.23e-06); after"),
        (["optimizer.learning_rate=2e-6", "optimizer.allow_divergence=true"], "is NOT stable (limit 1.616e-06);"),
        (["loop=closed_form"], OUTLOOK),
        (["problem.reduction=none"], OUTLOOK),
        (["problem.num_samples=3", "optimizer.learning_rate=1e-8"], "is stable (limit 1.627e-07); after 4000 steps"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_predict_for_other_parts(bare_cli, words, line):
    ended = bare_cli("action=predict", *QUICK, *words)
    assert ended.code == 0
    assert line in ended.out


def test_a_sweep_of_predictions(bare_cli, tmp_path):
    ended = bare_cli("-m", "action=predict", "optimizer.learning_rate=auto", "model.degree=3,5", *QUICK)
    assert (ended.code, ended.err) == (0, "")
    assert re.findall(r"best possible: (\S+)\);", ended.out) == ["0.004399", "1.855e-05"]
    assert results(tmp_path) == []


def test_predict_refuses_what_fit_refuses(bare_cli):
    expected = (2, "", LIMIT.format("1.616e-06", "2e-06", SERIES))
    assert bare_cli("action=predict", "optimizer.learning_rate=2e-6", *QUICK) == expected
    assert bare_cli("optimizer.learning_rate=2e-6", *QUICK) == expected


# Rates and sweeps of degrees


@pytest.mark.parametrize("degrees", ["7,9", "9,7"])
@pytest.mark.parametrize("action", ["fit", "predict"])
def test_a_sweep_of_degrees_with_a_fixed_rate_is_refused_whole(cli, store, tmp_path, degrees, action):
    ended = cli("-m", f"model.degree={degrees}", f"action={action}")
    assert ended == (2, "", LIMIT.format("2.101e-08", "1e-06", SERIES_OF_9))
    assert not list(tmp_path.glob("outputs/sweeps/*/*/*/"))
    assert all_runs(store) == []


def best_rate(degree, steps):
    """The best rate in hindsight of the default problem and its tolerance, from the singular values of all samples.

    At the minimum of sum_i lambda_i e_i^2 (1 - eta lambda_i)^(2t) / 2 the largest mode, which alone is beyond its own minimum,
    has (eta lambda_0 - 1)^(2t - 1) lambda_0^2 e_0^2 = sum_{i > 0} lambda_i^2 e_i^2 (1 - eta lambda_i)^(2t - 1). Squares of
    lambda_i and e_i have relative errors of 2 K eps condition at most, and what is under a root a (2t - 1)-th of that.
    """
    x = np.linspace(-np.pi, np.pi, 4000)
    left, values, modes = np.linalg.svd(np.vander(x, degree + 1, increasing=True), full_matrices=False)
    eigenvalues = 2 / x.size * values**2
    distances = modes @ p.PowerSeries(degree=degree).initial_params(0) - left.T @ np.sin(x) / values
    (first, *_), power = eigenvalues, 2 * steps - 1
    weights = np.square(eigenvalues * distances)
    low, high = 1 / first, 2 / first
    for _ in range(60):
        middle = (low + high) / 2
        others = weights[1:] @ np.exp(power * np.log1p(-middle * eigenvalues[1:])) / weights[0]
        low, high = (low, middle) if power * np.log(middle * first - 1) > np.log(others) else (middle, high)
    eps = np.finfo(float).eps
    return low, (degree + 1) * eps * (2 + 4 * first / eigenvalues[-1] / power)


def test_auto_is_the_answer(cli, store, tmp_path):
    ended = cli("-m", "model.degree=7,9", "optimizer.learning_rate=auto", "loop.steps=400", "backend=numpy")
    assert (ended.code, ended.err) == (0, "")
    assert len(all_runs(store)) == 2
    seven, nine = results(tmp_path / "outputs" / "sweeps")
    for result, degree in ((seven, 7), (nine, 9)):
        best, rtol = best_rate(degree, 400)
        assert result["learning_rate"]["used"] == pytest.approx(best, rel=rtol)
        assert result["outcome"] == "MAX_STEPS"
        assert result["config"]["optimizer.learning_rate"] == "auto"
    assert seven["learning_rate"]["max_stable"] == pytest.approx(1.616e-6, rel=1e-3)
    assert nine["learning_rate"]["max_stable"] == pytest.approx(2.101e-8, rel=1e-3)


def test_a_rate_may_be_above_the_limit_if_that_is_wanted(bare_cli, tmp_path):
    ended = bare_cli("optimizer.learning_rate=2e-6", "optimizer.allow_divergence=true", *QUICK)
    assert ended.code == 0
    assert ended.err == "warning: the run diverged; its parameters are those after 20 steps.\n"
    (result,) = results(tmp_path)
    assert (result["outcome"], result["steps"], result["predicted_loss"]) == ("DIVERGED", 20, None)


DIRECT = (
    "polyexp: `loop=closed_form` needs a model that is linear in its parameters, and "
    "`optimizer=gradient_descent` or `optimizer=momentum`: "
    "type `loop=manual`.\n"
)
NOT_LINEAR = "polyexp: `optimizer.learning_rate=auto` needs a model that is linear in its parameters: type a number.\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("action=predict loop=closed_form optimizer=adam", DIRECT),
        ("action=predict optimizer.learning_rate=auto model=legendre", NOT_LINEAR),
        ("loop=closed_form optimizer=adam", DIRECT),
        ("loop=closed_form optimizer=nesterov", DIRECT),
        ("loop=closed_form model=legendre", DIRECT),
        ("loop=closed_form model=legendre optimizer=momentum", DIRECT),
        ("optimizer.learning_rate=auto model=legendre", NOT_LINEAR),
        ("optimizer=momentum optimizer.learning_rate=auto model=legendre", NOT_LINEAR),
        ("optimizer.learning_rate=auto model=legendre loop=closed_form", None),
        (
            "optimizer=rmsprop optimizer.learning_rate=auto",
            "polyexp: `optimizer.learning_rate` must be a finite number above 0, got 'auto'.\n",
        ),
        ("optimizer=nesterov optimizer.learning_rate=2e-6", LIMIT.format("1.096e-06", "2e-06", GRADIENT_SERIES)),
        ("optimizer=momentum optimizer.learning_rate=1e-3", LIMIT.format("3.07e-06", "0.001", GRADIENT_SERIES)),
        (
            "problem.reduction=some",
            "polyexp: `problem.reduction` must be one of auto, none, gauss, got 'some'. Did you mean 'none'?\n",
        ),
        ("loop.patience=0", "polyexp: `loop.patience` must be a whole number of at least 1, got 0.\n"),
        ("loop.tolerance=0", "polyexp: `loop.tolerance` must be a finite number above 0, got 0.0.\n"),
    ],
)
def test_wrong_combinations(bare_cli, tmp_path, words, message):
    ended = bare_cli(*QUICK, *words.split())
    assert (ended.code, ended.out) == (2, "")
    assert ended.err in ([DIRECT, NOT_LINEAR] if message is None else [message])
    assert results(tmp_path) == []


def test_an_unknown_action(bare_cli):
    ended = bare_cli("action=predit")
    words = f"polyexp: `action` must be one of {', '.join(choices('action'))}, got 'predit'. Did you mean 'predict'?\n"
    assert ended == (2, "", words)


# fit, and what it writes


def test_fit_is_the_default(bare_cli, tmp_path):
    bare_cli("loop.steps=20", *QUICK)
    bare_cli("loop.steps=20", "action=fit", *QUICK)
    one, other = results(tmp_path)
    assert one["parameters"] == other["parameters"]


FIELDS = {
    "outcome",
    "steps",
    "loss",
    "excess_loss",
    "predicted_loss",
    "max_error",
    "parameters",
    "power_series",
    "formula",
    "samples",
    "learning_rate",
    "hessian_eigenvalues",
    "seconds",
    "computed_by",
    "config",
}


def test_the_result_of_a_linear_model(bare_cli, tmp_path):
    assert bare_cli(*QUICK).code == 0
    (result,) = results(tmp_path)
    assert FIELDS | {"best_loss"} <= set(result)
    assert "lower_bound" not in result
    assert (result["outcome"], result["steps"]) == ("MAX_STEPS", 4000)
    assert result["predicted_loss"] == pytest.approx(result["loss"], rel=1e-8)
    assert result["best_loss"] + result["excess_loss"] == pytest.approx(result["loss"], rel=1e-12)
    assert result["best_loss"] == pytest.approx(2.46e-8, rel=1e-3)
    assert result["samples"]["total"] == 4000
    assert result["samples"]["used"] == 8
    assert result["samples"]["floor"] == pytest.approx(result["best_loss"], rel=1e-6)
    best = result["learning_rate"].pop("best")
    assert result["learning_rate"] == {"used": 1e-6, "max_stable": pytest.approx(1.616e-6, rel=1e-3)}
    for rate in (0.999 * best, best, 1.001 * best):
        assert bare_cli(*QUICK, "loop=closed_form", f"optimizer.learning_rate={rate!r}").code == 0
    below, lowest, above = sorted(results(tmp_path), key=lambda one: one["learning_rate"]["used"])[1:]
    assert lowest["loss"] < min(below["loss"], above["loss"], result["loss"])
    eigenvalues = result["hessian_eigenvalues"]
    assert eigenvalues["initial"] == eigenvalues["final"] == sorted(eigenvalues["initial"], reverse=True)
    assert 2 / eigenvalues["initial"][0] == pytest.approx(result["learning_rate"]["max_stable"])
    assert eigenvalues["initial"][-1] == pytest.approx(0.1024, rel=1e-3)
    assert list(result["parameters"].values()) == result["power_series"]


def test_the_result_of_the_legendre_model(bare_cli, tmp_path):
    """It has no excess. Its Hessian is evaluated at the start and at the end, where all curvature is positive."""
    start = "model.initial=[0,-1,0,0.3]"
    assert bare_cli("model=legendre", start, "optimizer.learning_rate=1e-2", "loop.steps=5000", *QUICK).code == 0
    (result,) = results(tmp_path)
    assert FIELDS | {"lower_bound"} <= set(result)
    assert "best_loss" not in result
    assert result["excess_loss"] is result["predicted_loss"] is None
    assert result["lower_bound"] <= result["loss"] == pytest.approx(0.004399, rel=1e-3)
    assert result["learning_rate"] == {"used": 0.01, "max_stable": None, "best": None}
    assert result["samples"]["used"] == 4
    initial, final = (result["hessian_eigenvalues"][when] for when in ("initial", "final"))
    assert len(initial) == len(final) == 4
    assert initial != final
    assert final[-1] > 0


def test_the_result_of_an_optimizer_that_cannot_be_predicted(bare_cli, tmp_path):
    bare_cli("optimizer=adam", "loop.steps=50", *QUICK)
    (result,) = results(tmp_path)
    assert result["predicted_loss"] is None
    assert result["learning_rate"] == {"used": 0.001, "max_stable": None, "best": None}
    assert result["best_loss"] + result["excess_loss"] == pytest.approx(result["loss"], rel=1e-9)


@pytest.mark.parametrize(("reduction", "used"), [("auto", 8), ("gauss", 8), ("none", 4000)])
def test_how_many_samples_were_used(bare_cli, tmp_path, reduction, used):
    bare_cli(f"problem.reduction={reduction}", "loop.steps=5", *QUICK)
    (result,) = results(tmp_path)
    assert (result["samples"]["used"], result["samples"]["total"]) == (used, 4000)
    assert (result["samples"]["floor"] > 0) == (used == 8)


def test_a_million_million_steps(bare_cli, tmp_path):
    ended = bare_cli("loop=closed_form", "loop.steps=1000000000000", *QUICK)
    assert (ended.code, ended.err) == (0, "")
    (result,) = results(tmp_path)
    best = OPTIMA["notebook/numpy"]["parameters"]
    np.testing.assert_allclose(result["power_series"], best, rtol=1e-8, atol=1e-11)
    lines = [line for line in ended.out.splitlines() if line.startswith("Loss at")]
    losses = [line.rpartition(" ")[2] for line in lines]
    assert all(losses.count(loss) <= 2 for loss in losses)  # of equal ones the first and the last
    assert lines[-1] == "Loss at 1000000000000 iteration: 2.461e-08"
    (history,) = tmp_path.rglob("history.csv")
    assert len(lines) < len(history.read_text().splitlines()) - 1


@pytest.mark.parametrize("optimizer", ["gradient_descent", "momentum"])
def test_the_closed_form_finds_its_rate(bare_cli, tmp_path, optimizer):
    words = ["loop=closed_form", "model=legendre_series", f"optimizer={optimizer}", "optimizer.learning_rate=auto"]
    ended = bare_cli(*words, *QUICK)
    assert (ended.code, ended.err) == (0, "")
    (result,) = results(tmp_path)
    assert result["excess_loss"] < 1e-24


def test_stopping_is_told(bare_cli, tmp_path):
    words = ["model=legendre_series", "optimizer.learning_rate=auto", "loop.log_every=10", "loop.tolerance=1e-12"]
    ended = bare_cli(*words, *QUICK)
    # Nothing is suggested: the loss is as good as the best one.
    assert re.search(
        r"^CONVERGED after 100 steps, loss 2\.46\d+e-08\. The tolerance was reached\.$", ended.out, re.MULTILINE
    )
    (result,) = results(tmp_path)
    assert (result["outcome"], result["steps"]) == ("CONVERGED", 100)
    assert result["excess_loss"] < 1e-12


def test_the_advice_can_be_followed(bare_cli, tmp_path):
    """The line that begins with `Try` holds: its words, added to the command, give what it predicts."""
    for typed in (["loop.steps=3"], ["loop.steps=3", "model=legendre"], ["loop.steps=3", "seed=5", "model.degree=4"]):
        typed = [*typed, *QUICK, "optimizer.learning_rate=1e-9"]
        ended = bare_cli(*typed)
        words, steps = re.search(r"^`(.+)` would need (\d+) steps\.$", ended.out, re.MULTILINE).groups()
        first = json.loads(max(tmp_path.rglob("result.json")).read_text())
        target = first.get("best_loss", first.get("lower_bound"))
        assert bare_cli(*typed, *words.split(), f"loop.steps={steps}").code == 0
        followed = json.loads(max(tmp_path.rglob("result.json")).read_text())
        assert followed["loss"] <= target * 1.01 * (1 + 1e-9)
        assert followed["loss"] < first["loss"]
