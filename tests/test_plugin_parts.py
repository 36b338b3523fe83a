"""Parts that other packages may write, with fields of every kind, on every backend."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import polyexp as p
from tests.helpers.fits import SAMPLES

pytestmark = pytest.mark.numeric


@dataclass
class Signed(p.Optimizer):
    """Steps of one length, or by the gradient: fields that are no numbers decide it."""

    signed: bool = False
    norm: str = "none"
    clip: float | None = None
    names: set[str] = field(default_factory=set)

    def update(self, grad, state):
        if self.signed and self.norm == "largest" and self.clip is None and "x" not in self.names:
            return -self.learning_rate * (grad / (grad * grad + 1e-12) ** 0.5), state
        return -self.learning_rate * grad, state


@dataclass
class Halving(p.Manual):
    """A loop whose own check relates two of its fields."""

    first: int = 10

    def __post_init__(self):
        if self.first > self.steps:
            raise p.InputError("`loop.first` must be at most `loop.steps`.")
        super().__post_init__()


@dataclass
class Windowed(p.LegendreSeries):
    """A series whose forward pass reads the domain."""

    def forward(self, params, features):
        low, high = self.domain
        return super().forward(params, features) * (high - low)

    def backward(self, params, features, grad_y):
        low, high = self.domain
        return super().backward(params, features, grad_y) * (high - low)


def fitted(backend: Any, **parts: Any) -> Any:
    parts = {
        "model": p.LegendreSeries(degree=2),
        "loop": Halving(steps=30),
        "optimizer": p.GradientDescent(0.01),
    } | parts
    return p.fit(SAMPLES, parts.pop("model"), backend=backend, **parts).params


@pytest.mark.parametrize(
    "parts",
    [
        {"optimizer": Signed(0.01, signed=True, norm="largest")},
        {"optimizer": Signed(0.01, clip=1.0, names={"x"})},
        {"optimizer": Signed([0.01, 0.02], signed=True), "seed": [0, 1]},
        {"model": Windowed(degree=2)},
        {},
    ],
    ids=["signed", "clipped", "batch", "domain", "loop"],
)
def test_every_backend_computes_the_same(parts):
    """Each of 30 steps rounds a few numbers of size 1, hence 1e-13."""
    expected = fitted(p.NumPy(), **parts)
    assert np.isfinite(expected).all()
    for backend in (p.Torch(), p.JAX()):
        np.testing.assert_allclose(fitted(backend, **parts), expected, rtol=1e-13, atol=1e-13)


def test_fields_that_are_no_numbers_decide_the_steps():
    """The compiled steps of one choice are not those of another."""
    one, other = (fitted(p.JAX(), optimizer=Signed(0.01, signed=signed, norm="largest")) for signed in (True, False))
    assert np.abs(one - other).max() > 1e-3


@dataclass
class Accumulating(p.RMSprop):
    """A rule whose state begins with one of its numbers, and one of whose numbers is an integer."""

    begin: float = 0.5
    power: int = 2

    def init(self, params):
        assert type(self.power) is float
        return {"sum": 0 * params + self.begin}

    def update(self, grad, state):
        total = state["sum"] + (grad * grad) ** (self.power / 2)
        return -self.learning_rate * grad / total**0.5, {"sum": total}


@pytest.mark.parametrize("backend", [p.NumPy(), p.Torch(), p.JAX()], ids=["numpy", "torch", "jax"])
@pytest.mark.parametrize("runs", [3, 600])  # the second batch is computed in slices
def test_a_state_that_begins_with_a_number_of_each_run(backend, runs):
    """30 steps of numbers of size 1 round by less than 1e-13, alone or in a batch."""
    begin = np.linspace(0.1, 1, runs)
    batch = fitted(backend, optimizer=Accumulating(0.01, begin=begin))
    for run in (0, 1, runs - 1):
        alone = fitted(backend, optimizer=Accumulating(0.01, begin=float(begin[run])))
        np.testing.assert_allclose(batch[run], alone, rtol=1e-13, atol=1e-13)
    assert np.abs(batch[0] - batch[-1]).max() > 1e-3


def test_a_state_without_the_axes_of_the_runs_is_refused():
    class Counting(p.GradientDescent):
        def init(self, params):
            return {"count": np.zeros(())}

    p.start([1.0, 2.0], Counting(), p.NumPy())
    with pytest.raises(p.InputError, match=r"`gradient_descent.count` must be of shape \(2,\) and more axes"):
        p.start([[1.0, 2.0], [3.0, 4.0]], Counting(), p.NumPy())
