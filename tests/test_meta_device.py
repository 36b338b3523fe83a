"""No host read and no host array within a block: every combination runs on torch's `meta` device, which holds no values.

That is what a CUDA GPU needs for a block without synchronisation. A read of a value (`.item()`, `float(...)`, an `if` on a
tensor) raises there, and so does `put` of the backend below while a block runs.
"""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

import polyexp as p
from polyexp.fitting.stepper import StepByStep
from polyexp.fitting.updates import MeasuredUpdate, Updates
from tests.helpers.cases import LOOPS, MODELS, OPTIMIZERS, named
from tests.helpers.fits import SAMPLES

pytestmark = pytest.mark.numeric

RUNS = pytest.mark.parametrize("runs", [(), (3,)], ids=str)
HOST_ARRAY = "a host array within a block"


@dataclass
class Meta(p.Torch):
    """torch on the `meta` device. Its arrays have shapes and dtypes, but no values; within a block none can be made."""

    blocked = False

    def put(self, array):
        if type(self).blocked:
            raise AssertionError(HOST_ARRAY)
        return super().put(array).to("meta")

    def get(self, array):
        raise AssertionError("a host read within a block")


@pytest.fixture
def block(monkeypatch):
    """Call it with a compiled function and its arguments: the function, while nothing may be put on the device."""

    def run(function, *arguments):
        with monkeypatch.context() as patch:
            patch.setattr(Meta, "blocked", True)
            # A tensor that is made from a host array is one on the processor, whoever makes it.
            for name in ("tensor", "as_tensor", "from_numpy", "asarray"):
                patch.setattr(torch, name, refuse)
            return function(*arguments)

    return run


def refuse(*args, **kwargs):
    raise AssertionError(HOST_ARRAY)


def numbers(cls, runs):
    """The numbers of an optimizer, all of them one for each run where there are several."""
    plain = cls(learning_rate=1e-2)
    fields = [name for name, value in plain.numbers.items() if not isinstance(value, bool)]
    return cls(**{name: np.full(runs, getattr(plain, name)) for name in fields}) if runs else plain


def parts(loop, model, optimizer, runs):
    """The two functions that a fit compiles, and their arguments: those of a step, without the number of steps."""
    backend = Meta()
    model, optimizer = model.on_domain(SAMPLES.domain), optimizer.on_device(backend.put)
    data = p.place(SAMPLES, model, backend)
    state = p.start(np.full((*runs, len(model.param_names)), 0.5), optimizer, backend)
    functions = (backend.compile(kind.of(model, loop, optimizer, backend)) for kind in (Updates, MeasuredUpdate))
    return *functions, (data.arguments, optimizer.numbers, (state.params, state.opt_state))


def shapes(carry):
    """Shape, dtype and device of the parameters and of each array of the optimizer's state."""
    params, opt_state = carry
    return {name: (array.shape, array.dtype, array.device) for name, array in (opt_state | {"params": params}).items()}


@pytest.mark.parametrize("loop_class", LOOPS, ids=named)
@pytest.mark.parametrize("model_class", MODELS, ids=named)
@pytest.mark.parametrize("optimizer_class", OPTIMIZERS, ids=named)
@RUNS
def test_a_block_reads_nothing_and_puts_nothing(block, loop_class, model_class, optimizer_class, runs):
    updates, measured, arguments = parts(loop_class(), model_class(degree=3), numbers(optimizer_class, runs), runs)
    before = shapes(arguments[-1])
    assert before["params"] == ((*runs, 4), torch.float64, torch.device("meta"))
    assert shapes(block(updates, *arguments, 3)) == before
    carry, loss, grad_norm = block(measured, *arguments)
    assert shapes(carry) == before
    for array in (loss, grad_norm):
        assert (array.shape, array.dtype, array.device.type) == (runs, torch.float64, "meta")


@pytest.mark.parametrize("loop_class", LOOPS, ids=named)
@RUNS
def test_a_stepper_reads_nothing_and_puts_nothing(block, loop_class, runs):
    """Between two snapshots the driver calls `advance` and `step`."""
    backend, model = Meta(), p.LegendreSeries(degree=3).on_domain(SAMPLES.domain)
    optimizer, data = numbers(p.Momentum, runs), p.place(SAMPLES, model, backend)
    placed = optimizer.on_device(backend.put).numbers
    stepper = StepByStep(model, loop_class(), optimizer, placed, backend, data, None)
    state = stepper.put(stepper.start(np.ones((*runs, 4))))
    before = block(stepper.advance, state, 4)
    after = block(stepper.step, before)
    assert (int(before.step), int(after.step)) == (4, 5)
    assert (after.params.shape, after.loss.shape, after.params.device.type) == ((*runs, 4), runs, "meta")


@pytest.mark.parametrize("loop_class", LOOPS, ids=named)
@RUNS
def test_float32_stays_so(block, loop_class, runs):
    backend, model, optimizer = Meta("float32"), p.Legendre(), p.Adam(1e-2)
    optimizer = optimizer.on_device(backend.put)
    data, state = p.place(SAMPLES, model, backend), p.start(np.ones((*runs, 4)), optimizer, backend)
    function = backend.compile(Updates.of(model, loop_class(), optimizer, backend))
    carry = block(function, data.arguments, optimizer.numbers, (state.params, state.opt_state), 2)
    assert {dtype for _, dtype, _ in shapes(carry).values()} == {torch.float32}


# The mechanism notices what it is there for


class Reads(p.Manual):
    """A loop that reads the loss."""

    def gradient(self, model, data):
        both = self.value_and_gradient(model, data)

        def gradient(params):
            loss, gradient = both(params)
            return gradient if loss.sum().item() < 1 else 0 * gradient

        return gradient


class Branches(p.Manual):
    """A loop that decides by a value, which is a read too."""

    def gradient(self, model, data):
        gradient = super().gradient(model, data)
        return lambda params: gradient(params) if params.sum() > 0 else params


class Puts(p.Manual):
    """A loop that puts an array on the device in each step."""

    def gradient(self, model, data):
        gradient = super().gradient(model, data)
        return lambda params: gradient(params) * data.backend.put(np.ones(4))


class Gets(p.Manual):
    """A loop that gets an array from the device in each step."""

    def gradient(self, model, data):
        gradient = super().gradient(model, data)
        return lambda params: (data.backend.get(params), gradient(params))[1]


class MakesTensors(p.Manual):
    """A loop that makes a tensor from a number in each step."""

    def gradient(self, model, data):
        gradient = super().gradient(model, data)
        return lambda params: gradient(params) * torch.tensor(2.0)


@dataclass
class HostDecay(p.GradientDescent):
    """An optimizer that reads its gradient as a NumPy array."""

    def update(self, grad, state):
        return -self.learning_rate * grad * float(grad.abs().max()), state


@pytest.mark.parametrize(
    ("loop", "optimizer"),
    [
        (Reads(), p.GradientDescent()),
        (Branches(), p.GradientDescent()),
        (Puts(), p.GradientDescent()),
        (Gets(), p.GradientDescent()),
        (MakesTensors(), p.GradientDescent()),
        (p.Manual(), HostDecay()),
    ],
    ids=["item", "if", "put", "get", "tensor", "float"],
)
@RUNS
def test_a_host_read_or_a_host_array_raises(block, loop, optimizer, runs):
    updates, _, arguments = parts(loop, p.PowerSeries(degree=3), optimizer, runs)
    with pytest.raises((AssertionError, RuntimeError, NotImplementedError), match=r"host|meta"):
        block(updates, *arguments, 1)


def test_nothing_raises_before_and_after_a_block(block):
    updates, _, arguments = parts(p.Manual(), p.PowerSeries(degree=3), p.GradientDescent(), ())
    block(updates, *arguments, 1)
    assert Meta().put(np.ones(2)).device.type == "meta"
    assert torch.tensor(1.0) == 1
