"""The benchmarks compare equal work: the original programs give the published numbers, and polyexp the same parameters."""

import json
from functools import partial

import numpy as np
import pytest

import polyexp as p
from benchmarks import fits, originals, others, samples
from benchmarks.__main__ import line_of
from benchmarks.timing import REPEATS, Row, compare
from tests.helpers.references import REFERENCES


@pytest.mark.parametrize(
    ("program", "experiment"),
    [
        (originals.numpy_manual, "notebook/numpy"),
        (originals.torch_manual, "notebook/torch_manual"),
        (originals.torch_autograd, "notebook/torch_autograd"),
        (originals.torch_function, "notebook/custom_function"),
    ],
    ids="ABCD",
)
def test_the_originals_give_the_published_losses(program, experiment):
    reference = REFERENCES[experiment]
    steps, loss = next(iter(reference.losses.items()))
    assert program(steps)[0] == pytest.approx(loss, rel=reference.rtol)


@pytest.mark.parametrize(
    ("program", "loop", "backend", "start"),
    [
        (originals.numpy_manual, p.Manual, p.NumPy(), originals.A_START),
        (originals.torch_manual, p.Manual, p.Torch("float32"), originals.C_START),
        (originals.torch_autograd, p.Autograd, p.Torch("float32"), originals.C_START),
    ],
    ids="ABC",
)
def test_polyexp_does_the_same_job(program, loop, backend, start):
    theirs = program(100)[1]
    ours = fits.power_series(partial(loop, steps=100), backend, start)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9 if backend.dtype == "float64" else 2e-6)


def test_polyexp_does_the_job_of_d():
    """All steps, as program D is quick."""
    np.testing.assert_allclose(fits.legendre(originals.D_START), originals.torch_function()[1], rtol=2e-6, atol=1e-6)


@pytest.mark.slow
def test_lightning_does_the_same_job():
    pytest.importorskip("lightning", reason="an extra: make bench installs it")
    np.testing.assert_allclose(others.lightning_trainer(100)[1], originals.torch_autograd(100)[1], rtol=0, atol=2e-6)


def test_scikit_learn_does_the_same_job():
    best = np.polynomial.Polynomial.fit(x := np.linspace(-np.pi, np.pi, 4000), np.sin(x), 7).convert().coef
    for coefficients in (others.sgd_regressor(1e-6), fits.to_the_excess(1e-6)):
        apart = np.polynomial.Polynomial(coefficients - best)(x)
        assert np.mean(apart**2) <= 1.01e-6


def test_turns_are_compared_by_their_medians():
    calls = []
    row = compare(
        "job", "other", lambda: calls.append("theirs") or [1.0, 2.0], lambda: calls.append("ours") or [1.0, 2.002]
    )
    assert calls == ["ours", *["theirs", "ours"] * REPEATS]
    assert row.agreement == "1.0e-03"
    assert (
        line_of(Row("job", "other", 3.0, 0.01, 300.0, "100", "1e-9"))
        == "| job | other | 3 s | 0.01 s | 300 | 100 | 1e-9 |"
    )


def test_samples_are_reduced_in_chunks(capsys):
    samples.reduce_in_this_process(3 * 2**20)
    seen = json.loads(capsys.readouterr().out)
    assert seen["slope"] == pytest.approx(0.99945, abs=1e-4)
    assert seen["gigabytes"] < 1.5
