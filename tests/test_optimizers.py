"""Update rules against torch.optim; many runs against single ones; purity."""

from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

import polyexp as p
from tests.helpers.cases import OPTIMIZERS, RUNS, assert_close, every_optimizer, every_place, normal

pytestmark = pytest.mark.numeric


ORACLES = [
    (p.GradientDescent(0.1), lambda w: torch.optim.SGD(w, lr=0.1)),
    (p.Momentum(0.02), lambda w: torch.optim.SGD(w, lr=0.02, momentum=0.9)),
    (p.Momentum(0.05, momentum=0.5), lambda w: torch.optim.SGD(w, lr=0.05, momentum=0.5)),
    (p.Nesterov(0.02), lambda w: torch.optim.SGD(w, lr=0.02, momentum=0.9, nesterov=True)),
    (p.RMSprop(1e-3), lambda w: torch.optim.RMSprop(w, lr=1e-3)),
    (p.RMSprop(1e-3, alpha=0.9, eps=1e-2), lambda w: torch.optim.RMSprop(w, lr=1e-3, alpha=0.9, eps=1e-2)),
    (p.Adam(1e-3), lambda w: torch.optim.Adam(w, lr=1e-3)),
    (p.Adam(1e-3, 0.5, 0.9, 1e-2), lambda w: torch.optim.Adam(w, lr=1e-3, betas=(0.5, 0.9), eps=1e-2)),
]

MODEL = p.LegendreSeries(degree=4, domain=[-np.pi, np.pi])
SAMPLES = p.Problem("exp", num_samples=50).samples()
VALUES = {
    "learning_rate": [1e-3, 3e-3, 1e-2],
    "momentum": [0.0, 0.5, 0.9],
    "alpha": [0.5, 0.9, 0.99],
    "eps": [1e-8, 1e-3, 1e-2],
    "beta1": [0.0, 0.5, 0.9],
    "beta2": [0.5, 0.9, 0.999],
}


def test_every_optimizer_has_an_oracle():
    assert {type(ours) for ours, _ in ORACLES} == set(OPTIMIZERS)


@every_place
@pytest.mark.parametrize(("ours", "theirs"), ORACLES, ids=lambda value: repr(value) if hasattr(value, "name") else "")
def test_two_hundred_steps_follow_torch_optim(ours, theirs, backend_class, device):
    """To 1e-12 of the largest parameter: both sides round, and no step amplifies rounding."""
    gradient = p.Manual().gradient(MODEL, p.place(SAMPLES, MODEL, p.Torch()))
    weights = torch.nn.Parameter(torch.from_numpy(MODEL.initial_params(0)))
    oracle = theirs([weights])

    backend = backend_class().on_device(device)
    data, state = p.place(SAMPLES, MODEL, backend), p.start(MODEL.initial_params(0), ours, backend)
    for _ in range(200):
        weights.grad = gradient(weights.detach())
        oracle.step()
        state = p.step(MODEL, p.Manual(), ours, data, state)
        assert_close(backend.get(state.params), weights.detach().numpy(), 1e-12)
    assert np.abs(backend.get(state.params) - MODEL.initial_params(0)).min() > 1e-2  # the parameters have moved


@every_optimizer
@every_place
def test_per_run_numbers_equal_separate_runs(cls, backend_class, device):
    backend = backend_class()
    params = normal(0, 3, 5)
    names = [one.name for one in fields(cls) if one.name in VALUES]

    def fitted(optimizer, params):
        loop = p.Manual(steps=50, log_every=20)
        return p.fit(SAMPLES, MODEL, loop=loop, optimizer=optimizer, backend=backend, device=device, params=params)

    together = fitted(cls(**{name: np.array(VALUES[name]) for name in names}), params)
    for row in range(3):
        alone = fitted(cls(**{name: VALUES[name][row] for name in names}), params[row])
        assert_close(together.params[row], alone.params, 1e-12)
        assert_close(together.history.loss[:, row], alone.history.loss, 1e-12)


@every_optimizer
def test_runs_is_the_shape_that_the_numbers_ask_for(cls):
    names = [one.name for one in fields(cls)]
    column, row = np.full((2, 1), 0.5), np.full(3, 0.5)
    assert cls().runs == ()
    for name in names:
        assert cls(**{name: column}).runs == (2, 1)
    assert cls(**dict(zip(names, [column, row], strict=False))).runs == ((2, 3) if len(names) > 1 else (2, 1))


@every_optimizer
@every_place
@pytest.mark.parametrize("runs", RUNS, ids=str)
def test_update_is_pure(cls, backend_class, device, runs):
    backend = backend_class().on_device(device)
    optimizer = cls(learning_rate=0.1)
    grad = backend.put(normal(0, *runs, 4))
    _, state = optimizer.update(
        backend.put(normal(1, *runs, 4)), put_all(backend, optimizer.init(np.zeros((*runs, 4))))
    )
    before = [backend.get(grad), *get_all(backend, state)]
    update, following = optimizer.update(grad, state)
    again, following_again = optimizer.update(grad, state)
    np.testing.assert_equal([backend.get(grad), *get_all(backend, state)], before)
    np.testing.assert_equal(backend.get(update), backend.get(again))
    np.testing.assert_equal(get_all(backend, following), get_all(backend, following_again))
    assert list(following) == list(optimizer.init(np.zeros(4)))
    assert update.shape == grad.shape


def put_all(backend, state):
    return {name: backend.put(array) for name, array in state.items()}


def get_all(backend, state):
    return [backend.get(array) for array in state.values()]


@every_optimizer
def test_the_first_state_is_zero_and_belongs_to_each_run(cls):
    for name, array in cls().init(np.ones((2, 3, 4))).items():
        assert array.shape in ((2, 3, 4), (2, 3, 1)), name
        assert not array.any(), name


@every_optimizer
def test_putting_an_optimizer_on_a_device_leaves_it_alone(cls):
    optimizer = cls(learning_rate=np.array([0.1, 0.2]))
    placed = optimizer.on_device(p.Torch("float32").put)
    assert placed.learning_rate.shape == (2, 1)
    assert placed.learning_rate.dtype == torch.float32
    assert optimizer.learning_rate.shape == (2,)


@every_optimizer
def test_one_update_at_a_downhill_gradient_goes_downhill(cls):
    optimizer = cls(learning_rate=1e-3)
    grad = np.array([2.0, -3.0, 0.0])
    update, _ = optimizer.update(grad, optimizer.init(grad))
    assert np.sign(update).tolist() == [-1, 1, 0]
    assert np.isfinite(update).all()


def test_a_rule_of_others_is_tuned_by_what_it_finds(monkeypatch):
    """The base class looks for the words, and replaces those that are sought."""
    monkeypatch.setattr(p.Component, "registry", dict(p.Component.registry))

    @dataclass
    class Damped(p.Optimizer, name="damped"):
        tunable: ClassVar[tuple[str, ...]] = ("learning_rate", "friction")
        friction: Any = 0.5

        def _asymptotic(self, largest, smallest):
            return {"learning_rate": 1 / largest, "friction": smallest}

        def _in_hindsight(self, eigenvalues, coordinates, steps, tolerance, eps):
            return {"learning_rate": coordinates.sum(-1), "friction": float(steps)}

        def update(self, grad, state):
            return -self.learning_rate * self.friction * grad, state

    given = [4, 2, 0], [[1, 2, 3], [4, 5, 6]], 7
    assert Damped(0.25).tuned(*given) == Damped(0.25)
    assert Damped("asymptotic").tuned(*given) == Damped(0.25, 2.0)
    assert Damped("auto").tuned(*given) == Damped([6.0, 15.0], 0.5)
    assert Damped(0.25, "auto").tuned(*given) == Damped(0.25, 7.0)
