"""Results that are saved and loaded: the same bits; and the folders of recorded runs."""

import hashlib
import json
import pickle
import shutil
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import polyexp as p
from polyexp.problem import TARGETS
from polyexp.tracking import JOURNAL
from tests.helpers.cases import every_model
from tests.helpers.commands import run_python
from tests.helpers.figures import Wave
from tests.helpers.fits import SAMPLES

PARTS = {"backend": p.NumPy(), "loop": p.Manual(steps=7, log_every=3)}
X = np.linspace(-1, 2, 31)


def require_same(loaded, result):
    """Require the same bits everywhere, but for the checkpoint, which is not saved."""
    assert loaded == replace(result, checkpoint=None)
    for name in ("params", "initial", "loss", "excess", "max_error", "steps"):
        one, other = getattr(loaded, name), getattr(result, name)
        assert np.shape(one) == np.shape(other)
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()
    assert loaded(X).tobytes() == result(X).tobytes()
    assert loaded.samples.target is result.samples.target
    assert repr(loaded) == repr(result)


@every_model
def test_a_result_is_the_same_when_it_is_loaded(cls, tmp_path):
    result = p.fit(p.Problem("runge", domain=[-1, 2]), cls(degree=3), **PARTS)
    assert result.save(tmp_path) == tmp_path
    assert {one.name for one in tmp_path.iterdir()} == {"result.json", "result.npz", "history.csv", "config.yaml"}
    require_same(p.load_result(tmp_path), result)


OPTIMIZERS = {
    "auto": p.GradientDescent("auto"),
    "both auto": p.Momentum("auto", momentum="auto"),
    "a batch": p.Momentum([1e-3, 1e-2], momentum=0.5),
    "two axes": p.Nesterov([[1e-3], [1e-2]], momentum=[0.1, 0.2, 0.3]),
    "adam": p.Adam(0.1),
    "rmsprop": p.RMSprop([0.1, 0.2]),
    "diverging": p.GradientDescent([1e-3, 1e9, 1e300], allow_divergence=True),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_every_optimizer_and_batch(optimizer, tmp_path):
    result = p.fit(SAMPLES, p.LegendreSeries(degree=2), optimizer=optimizer, **PARTS)
    require_same(p.load_result(result.save(tmp_path)), result)
    again = p.load_result(p.load_result(tmp_path).save(tmp_path))  # which replaces it
    require_same(again, result)


def test_a_batch_without_runs_and_one_of_its_runs(tmp_path):
    result = p.fit(SAMPLES, p.LegendreSeries(degree=2), seed=[1, 2, 3], **PARTS)
    require_same(p.load_result(result[1].save(tmp_path / "one")), result[1])
    require_same(p.load_result(result[:0].save(tmp_path / "none")), result[:0])


def test_a_fit_that_was_stopped(tmp_path):
    stopped = p.fit(SAMPLES, p.LegendreSeries(degree=2), **PARTS, stop=lambda: True)
    loaded = p.load_result(stopped.save(tmp_path))
    require_same(loaded, stopped)
    assert loaded.checkpoint is None


numbers = st.floats(-1e3, 1e3, allow_subnormal=False)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    points=st.lists(st.tuples(numbers, numbers), min_size=1, max_size=12),
    degree=st.integers(0, 4),
    model=st.sampled_from([p.PowerSeries, p.LegendreSeries, p.ChebyshevSeries, p.HermiteSeries]),
    rate=st.floats(1e-12, 1e12) | st.lists(st.floats(1e-12, 1e12), min_size=1, max_size=3),
    name=st.text(max_size=20),
    seed=st.integers(0, 2**32 - 1),
)
def test_whatever_is_fitted(points, degree, model, rate, name, seed, tmp_path_factory):
    x, y = np.transpose(points)
    samples = p.Samples.of(x, y, name=name)
    rule = p.GradientDescent(rate, allow_divergence=True)
    result = p.fit(samples, model(degree=degree), optimizer=rule, seed=seed, **PARTS)
    folder = tmp_path_factory.mktemp("saved")
    require_same(p.load_result(result.save(folder)), replace(result, samples=replace(samples, name=name.rstrip("\0"))))
    shutil.rmtree(folder)


# What is written


def test_result_json_is_for_readers(tmp_path):
    result = p.fit(
        SAMPLES, p.LegendreSeries(degree=1), optimizer=p.GradientDescent([0.1, 1e300], allow_divergence=True), **PARTS
    )
    result.save(tmp_path)
    content = json.loads((tmp_path / "result.json").read_text())
    assert (content["format"], content["runs"], content["outcome"]) == (1, [2], ["MAX_STEPS", "DIVERGED"])
    assert content["parameters"]["w0"] == result.params[:, 0].tolist()
    assert content["config"]["optimizer.learning_rate"] == [0.1, 1e300]


def test_no_pickle_is_written_or_read(tmp_path, monkeypatch):
    class Evil:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was read",))

    def refuse(*args, **kwargs):
        raise AssertionError("pickle was used")

    result = p.fit(SAMPLES, p.LegendreSeries(degree=1), **PARTS)
    result.save(tmp_path)
    with np.load(tmp_path / "result.npz", allow_pickle=False) as archive:
        assert {archive[name].dtype.kind for name in archive} <= {"f", "i", "U"}
        arrays = {name: archive[name] for name in archive}
    arrays["outcome"] = np.array(Evil(), object)
    np.savez(tmp_path / "result.npz", allow_pickle=True, **arrays)
    content = json.loads((tmp_path / "result.json").read_text())
    content["arrays"] = hashlib.sha256((tmp_path / "result.npz").read_bytes()).hexdigest()
    (tmp_path / "result.json").write_text(json.dumps(content))
    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    with pytest.raises(p.InputError, match="cannot be used: it has an array that is not plain"):
        p.load_result(tmp_path)


def test_a_model_of_ones_own(tmp_path, monkeypatch):
    monkeypatch.setattr(p.Component, "registry", dict(p.Component.registry))

    @dataclass
    class Own(p.PowerSeries, name="own_of_a_test"):
        """A model that is registered."""

        word: str = "a"

    result = p.fit(SAMPLES, Own(degree=2, word="b"), **PARTS)
    loaded = p.load_result(result.save(tmp_path))
    assert (loaded.model, loaded == result) == (Own(degree=2, word="b"), True)


def test_a_model_that_would_not_be_found_again_is_refused(tmp_path):
    result = p.fit(SAMPLES, Wave(initial=[1.0, 1.0]), **PARTS)
    with pytest.raises(p.InputError) as raised:
        result.save(tmp_path / "wave")
    wanted = "of a class that is registered by a name, such as `class Mine(Model, name='mine')`"
    assert str(raised.value) == f"`model` must be {wanted}, got 'Wave'."
    assert not (tmp_path / "wave").exists()


def test_the_folder_of_a_run_is_not_overwritten(tmp_path):
    result = p.fit(SAMPLES, p.LegendreSeries(degree=1), **PARTS)
    p.record(result, tmp_path, tracking=p.NoTracking())
    before = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    with pytest.raises(p.InputError, match="`folder` must name a folder without a run in it"):
        result.save(tmp_path)
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == before


def test_a_save_that_was_interrupted_is_noticed(tmp_path):
    first, second = (p.fit(SAMPLES, p.LegendreSeries(degree=1), seed=seed, **PARTS) for seed in (0, 1))
    first.save(tmp_path / "a")
    second.save(tmp_path / "b")
    shutil.copy(tmp_path / "b" / "result.npz", tmp_path / "a")
    with pytest.raises(p.InputError) as raised:
        p.load_result(tmp_path / "a")
    assert str(raised.value).endswith(
        "it is not that which its result.json names: it is damaged, or of another result."
    )


# The folders of recorded runs


def test_a_result_that_was_recorded_from_python(tmp_path):
    result = p.fit(SAMPLES, p.LegendreSeries(degree=2), optimizer=p.GradientDescent("auto"), **PARTS)
    p.record(result, tmp_path, tracking=p.NoTracking())
    require_same(p.load_result(tmp_path), result)


RUNS = {
    "the default": (),
    "auto": ("optimizer.learning_rate=auto", "model=chebyshev_series"),
    "nonlinear": ("model=legendre", "optimizer=adam", "optimizer.learning_rate=0.1"),
    "noise": ("problem.noise=0.1", "problem.sampling=uniform", "seed=5"),
    "all samples": ("problem.reduction=none", "problem.num_samples=50"),
    "momentum": (
        "optimizer=momentum",
        "optimizer.learning_rate=auto",
        "optimizer.momentum=auto",
        "model=legendre_series",
    ),
    "diverging": ("optimizer.learning_rate=1", "optimizer.allow_divergence=true"),
    "closed form": ("loop=closed_form", "loop.steps=100000"),
}
QUICK = ("loop.steps=50", "backend=numpy", "report.pictures=none", "quiet=true", "tracking=none")


@pytest.mark.parametrize("words", RUNS.values(), ids=RUNS)
def test_the_folder_of_a_run_of_the_command_line(words, tmp_path, bare_cli):
    assert bare_cli(*QUICK, *words)[0] == 0
    (folder,) = {path.parent for path in tmp_path.rglob(JOURNAL)}
    loaded, content = p.load_result(folder), json.loads((folder / "result.json").read_text())
    assert list(loaded.parameters.values()) == list(content["parameters"].values())
    assert (loaded.outcome.name, loaded.loss, loaded.steps) == (content["outcome"], content["loss"], content["steps"])
    assert loaded.samples.size == content["samples"]["used"]
    assert loaded.optimizer.learning_rate == content["learning_rate"]["used"]
    rows = [line.split(",") for line in (folder / "history.csv").read_text().split()[1:]]
    np.testing.assert_array_equal(loaded.history.params, np.array(rows, float)[:, 4:])
    assert loaded.history.step.tolist() == [int(row[0]) for row in rows]
    if loaded.quadratic:
        assert loaded.quadratic.lowest == content["best_loss"]
        if loaded.outcome is not p.Outcome.DIVERGED:
            assert loaded.plot_loss() is not None
    assert loaded.export("json")
    saved = loaded.save(tmp_path / "saved")
    require_same(p.load_result(saved), loaded)


def test_a_fit_that_is_the_same_in_python_is_the_result_that_is_loaded(tmp_path, bare_cli):
    assert bare_cli(*QUICK)[0] == 0
    (folder,) = {path.parent for path in tmp_path.rglob(JOURNAL)}
    loaded = p.load_result(folder)
    result = p.fit(p.Problem(), p.PowerSeries(), loop=p.Manual(steps=50), backend=p.NumPy())
    assert replace(loaded, seconds=result.seconds) == result
    assert loaded.samples.target is TARGETS["sin"]


def test_samples_of_a_data_file_are_read_again_unless_it_has_changed(tmp_path, bare_cli, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.csv").write_text("x,y\n" + "\n".join(f"{k},{k * k % 7}" for k in range(9)))
    assert bare_cli(*QUICK, "problem=file", "problem.path=data.csv", "model=legendre_series", "model.degree=2")[0] == 0
    (folder,) = {path.parent for path in tmp_path.rglob(JOURNAL)}
    whole = p.load_result(folder)
    assert (whole.samples.size, whole.samples.total) == (3, 9)
    text = (tmp_path / "data.csv").read_text()
    other = "because they are not those that were fitted"
    for change, reason in ((text.replace("8,1", "8,2"), other), (text + "\n9,9", other), ("", "because")):
        (tmp_path / "data.csv").write_text(change)
        with pytest.warns(UserWarning, match=f"The result of .* has no samples, {reason}"):
            loaded = p.load_result(folder)
        assert (loaded.samples.size, loaded.samples.total, loaded.quadratic) == (0, 9, None)
        assert (loaded.params == whole.params).all()
        assert (loaded(X) == whole(X)).all()
        assert loaded.plot() is not None
        assert loaded.plot_loss() is not None
        assert "<table>" in loaded._repr_html_()
        require_same(p.load_result(loaded.save(tmp_path / "saved")), loaded)
        with pytest.raises(p.InputError) as raised:
            loaded.plot_modes()
        assert str(raised.value) == "`plot_modes` needs the samples of the fit, which this result does not have."


def test_loading_imports_neither_mlflow_nor_pandas(tmp_path):
    p.fit(SAMPLES, p.LegendreSeries(degree=1), **PARTS).save(tmp_path)
    program = f"import sys, polyexp\nprint(polyexp.load_result({str(tmp_path)!r}).outcome.name)\n"
    done = run_python(f"{program}assert not {{'mlflow', 'pandas', 'matplotlib', 'torch'}} & set(sys.modules)")
    assert (done.code, done.out) == (0, "MAX_STEPS\n"), done.err
