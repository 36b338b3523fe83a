"""fit: a fit that was stopped and started again from its checkpoint is the one that was never stopped, to the bit."""

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import polyexp as p
from polyexp.fitting import blocks
from tests.helpers.cases import every_optimizer, every_path, every_place, named
from tests.helpers.fits import SAMPLES
from tests.helpers.runs import assert_same_bits

pytestmark = pytest.mark.numeric

MODEL = p.LegendreSeries(degree=3, initial="normal", initial_scale=2.0)
NONLINEAR = p.Legendre(degree=3, initial=[0, -1, 0, 0.3])
RATES = {"converges": 0.7, "stalls": 1e-30, "diverges": 1.6, "goes on": 0.01}
DTYPES = pytest.mark.parametrize("dtype", ["float64", "float32"])


def four_outcomes(loop_class, backend, model=MODEL, steps=60, optimizer=None):
    """The arguments of a batch of four runs that end at different snapshots, one of which diverges by growth."""
    scale = 1.0 if model is MODEL else 0.02
    return {
        "problem": SAMPLES,
        "model": model,
        "loop": loop_class(steps=steps, log_every=10, tolerance=1e-2, patience=3),
        "optimizer": optimizer or p.GradientDescent(scale * np.array([*RATES.values()])),
        "backend": backend,
        "seed": [0, 1, 2, 3],
    }


class Stop:
    """What `fit` takes as `stop`: it returns True at the k-th call; 0 means never. It notes the calls."""

    def __init__(self, k):
        self.k, self.calls = k, 0

    def __call__(self):
        self.calls += 1
        return self.calls == self.k


def stopped_once(arguments, k):
    """The result of a fit that is stopped at the k-th call and started again, and whether it was stopped at all."""
    seen = []
    first = p.fit(**arguments, stop=Stop(k), observe=seen.append)
    if first.checkpoint is None:
        return first, False
    assert_interrupted(first, arguments["loop"])
    assert len(seen) == len(first.checkpoint.history.step)
    rest = p.fit(**arguments, start=first.checkpoint, observe=seen.append)
    assert [one.step for one in seen] == rest.history.step.tolist()  # each snapshot once
    return rest, True


def assert_interrupted(result, loop):
    """Some run goes on; its parameters are those of the checkpoint, finite and of the step that the result says."""
    going = np.asarray(result.outcome == np.array(p.Outcome.INTERRUPTED, object))
    assert going.any()
    np.testing.assert_array_equal(going, result.checkpoint.progress.going)
    assert (np.asarray(result.steps)[going] == result.checkpoint.taken[going]).all()
    assert (result.checkpoint.taken[going] <= result.checkpoint.state.step).all()  # less for one that has overflowed
    assert 0 < result.checkpoint.state.step < loop.steps
    np.testing.assert_array_equal(result.params[going], result.checkpoint.finite[going])
    assert np.isfinite(result.params).all()


def assert_stops_change_nothing(arguments, places=None):
    """Stopped at every place in turn where `stop` is asked, but not after the end."""
    counter = Stop(0)
    whole = p.fit(**arguments, stop=counter)
    assert whole.checkpoint is None
    if places is None:
        assert counter.calls == whole.history.step.size - 1  # once after each block but the last
    for k in places or range(1, counter.calls + 1):
        again, was_stopped = stopped_once(arguments, k)
        assert was_stopped
        assert_same_bits(again, whole)
    return whole


# Between whole blocks


@pytest.fixture
def whole_blocks(monkeypatch):
    """No block is cut by time, whatever a compiler or another process takes."""
    monkeypatch.setattr(blocks, "MAX_BLOCK_SECONDS", 1e9)


@DTYPES
@every_path
def test_stopped_after_any_block(whole_blocks, backend_class, device, loop_class, dtype):
    backend = backend_class(dtype).on_device(device)
    whole = assert_stops_change_nothing(four_outcomes(loop_class, backend))
    assert [one.name for one in whole.outcome] == ["CONVERGED", "STALLED", "DIVERGED", "MAX_STEPS"]
    assert whole.steps[0] < 60


@every_place
def test_the_closed_form_stopped_after_any_block(backend_class, device):
    arguments = four_outcomes(p.ClosedForm, backend_class().on_device(device))
    arguments["loop"] = p.ClosedForm(steps=20)
    arguments["optimizer"] = p.Momentum([0.7, 1e-30, 1e3, 0.01], 0.5)
    whole = assert_stops_change_nothing(arguments)
    assert {one.name for one in whole.outcome} == {"DIVERGED", "MAX_STEPS"}


@every_optimizer
@pytest.mark.parametrize("backend_class", [p.NumPy, p.Torch, p.JAX], ids=named)
@DTYPES
def test_the_state_of_every_optimizer_goes_on(whole_blocks, cls, backend_class, dtype):
    arguments = four_outcomes(p.Manual, backend_class(dtype), steps=20, optimizer=cls(learning_rate=1e-2))
    whole = assert_stops_change_nothing(arguments)
    assert not np.array_equal(whole.params, whole.initial)


@pytest.mark.parametrize("backend_class", [p.NumPy, p.Torch, p.JAX], ids=named)
def test_a_nonlinear_model_stopped_after_any_block(whole_blocks, backend_class):
    assert_stops_change_nothing(four_outcomes(p.Manual, backend_class(), NONLINEAR))


@pytest.mark.parametrize("backend_class", [p.NumPy, p.Torch, p.JAX], ids=named)
def test_a_single_run_stopped_after_any_block(whole_blocks, backend_class):
    arguments = four_outcomes(p.Manual, backend_class(), optimizer=p.Adam(0.1)) | {"seed": 0}
    whole = assert_stops_change_nothing(arguments)
    assert isinstance(whole.outcome, p.Outcome)
    stopped = p.fit(**arguments, stop=lambda: True)
    assert stopped.outcome is p.Outcome.INTERRUPTED
    assert type(stopped.steps) is type(whole.steps)


# Between parts of blocks, which are cut by time


@pytest.fixture
def seconds(monkeypatch):
    """Call it with a function: the largest time of a block, at each time when it is read, in place of half a second."""

    def patch(value):
        monkeypatch.setattr(blocks, "MAX_BLOCK_SECONDS", value)

    return patch


class Alternating:
    """A limit of time that is tiny, generous and in between in turn, so that blocks have 1, few and many steps."""

    def __init__(self):
        self.reads = 0

    def __rmul__(self, n):
        self.reads += 1
        return (n * 1e-7, n * 1e3, n * 2e-3)[self.reads % 3]


def cut_arguments(backend, loop_class=p.Manual, optimizer=None):
    return four_outcomes(loop_class, backend, steps=40, optimizer=optimizer)


@DTYPES
@every_path
@pytest.mark.parametrize("limit", ["single steps", "a mixture"])
def test_cutting_blocks_changes_no_bit(seconds, backend_class, device, loop_class, dtype, limit):
    arguments = cut_arguments(backend_class(dtype).on_device(device), loop_class)
    seconds(1e9)
    whole = p.fit(**arguments)
    seconds(1e-7 if limit == "single steps" else Alternating())
    counter = Stop(0)
    cut = p.fit(**arguments, stop=counter)
    assert counter.calls > whole.history.step.size
    if limit == "single steps":
        assert counter.calls == 40 - 1  # once after each step but the last
    assert_same_bits(cut, whole)


@pytest.mark.parametrize("backend_class", [p.NumPy, p.Torch, p.JAX], ids=named)
@pytest.mark.parametrize("optimizer", [p.Momentum([0.3, 1e-30, 9.0, 0.01]), p.Adam([0.1, 0.2, 0.3, 0.4])], ids=named)
@DTYPES
def test_stopped_within_blocks(seconds, backend_class, optimizer, dtype):
    arguments = cut_arguments(backend_class(dtype), optimizer=optimizer)
    seconds(1e9)
    whole = p.fit(**arguments)
    seconds(1e-7)
    assert_same_bits(assert_stops_change_nothing(arguments, places=[1, 3, 7, 8, 13, 29, 38]), whole)


class TwoGradients(p.Manual):
    """A loop whose steps without a snapshot differ from those with one by far more than rounding."""

    def gradient(self, model, data):
        gradient = super().gradient(model, data)
        return lambda params: 1.001 * gradient(params)


@pytest.mark.parametrize("backend_class", [p.NumPy, p.Torch, p.JAX], ids=named)
def test_only_the_step_of_a_snapshot_is_taken_in_another_way(seconds, backend_class):
    """Such a loop shows if a cut, a stop or the search for finite parameters took a step as that of a snapshot."""
    arguments = cut_arguments(backend_class(), TwoGradients)
    seconds(1e9)
    whole = p.fit(**arguments)
    assert not np.array_equal(whole.params, p.fit(**cut_arguments(backend_class())).params)
    for limit in (1e-7, Alternating()):
        seconds(limit)
        assert_same_bits(p.fit(**arguments), whole)
    seconds(1e-7)  # a block for each step, so that every place is reached
    assert_same_bits(assert_stops_change_nothing(arguments, places=[1, 4, 9, 15, 24]), whole)


class OneSnapshot(p.Manual):
    """A loop without early snapshots, so that a run overflows long before the first snapshot."""

    def snapshot_steps(self):
        return range(self.log_every, self.steps + 1, self.log_every)


@pytest.mark.parametrize("backend_class", [p.NumPy, p.Torch, p.JAX], ids=named)
@DTYPES
@pytest.mark.parametrize("optimizer", [p.GradientDescent([1e3, 1e-3, 1e8]), p.Momentum([1e3, 1e-3, 1e8])], ids=named)
def test_a_run_that_overflows_within_a_block(seconds, backend_class, dtype, optimizer):
    """Whether the block is whole, or cut before and after the overflow, and wherever it is stopped."""
    loop = OneSnapshot(steps=400, log_every=200)
    arguments = {
        "problem": SAMPLES,
        "model": MODEL,
        "loop": loop,
        "optimizer": optimizer,
        "backend": backend_class(dtype),
        "seed": [0, 1, 2],
    }
    seconds(1e9)
    whole = p.fit(**arguments)
    assert [one.name for one in whole.outcome] == ["DIVERGED", "MAX_STEPS", "DIVERGED"]
    assert 0 < whole.steps[2] < whole.steps[0] < 200
    assert np.isfinite(whole.params).all()
    seconds(1e-7)
    first = whole.steps.min()
    last = whole.steps[0]
    places = [first - 1, first, first + 1, first + 2, last, last + 1, 199, 200, 201]
    assert_same_bits(assert_stops_change_nothing(arguments, places=places), whole)


# Chains of stops


def chain(arguments, stops):
    """The result after stops at the given calls, one fit after the other, and the steps of all that was observed."""
    seen, result = [], None
    for k in stops:
        result = p.fit(
            **arguments, start=result.checkpoint if result else None, stop=Stop(k), observe=lambda one: seen.append(one)
        )
        if result.checkpoint is None:
            break
        assert len(result.checkpoint.history.step) == len(seen)
        assert result.checkpoint.seconds >= 0
    return result, seen


def forever(k):
    while True:
        yield k


@pytest.mark.parametrize("limit", [1e9, 1e-7], ids=["whole blocks", "single steps"])
@every_path
def test_stopped_at_every_place_in_a_row(seconds, backend_class, device, loop_class, limit):
    arguments = cut_arguments(backend_class().on_device(device), loop_class, p.Adam([0.1, 1e-30, 0.3, 0.4]))
    seconds(1e9)
    whole = p.fit(**arguments)
    seconds(limit)
    result, seen = chain(arguments, forever(1))
    assert result.checkpoint is None
    assert_same_bits(result, whole)
    assert [one.step for one in seen] == whole.history.step.tolist()
    for row, one in enumerate(seen):
        np.testing.assert_array_equal(one.params, whole.history.params[row])
        np.testing.assert_array_equal(one.loss, whole.history.loss[row])
    assert result.seconds > 0


@settings(max_examples=15, deadline=None)
@given(stops=st.lists(st.integers(1, 20), min_size=1, max_size=6))
def test_any_chain_of_stops_changes_nothing(stops):
    with pytest.MonkeyPatch.context() as patch:
        arguments = cut_arguments(p.NumPy(), optimizer=p.Momentum([0.3, 1e-30, 9.0, 0.01]))
        patch.setattr(blocks, "MAX_BLOCK_SECONDS", 1e-7)
        whole = p.fit(**arguments)
        result, seen = chain(arguments, [*stops, 0])
    assert_same_bits(result, whole)
    assert [one.step for one in seen] == whole.history.step.tolist()


# Checkpoints as values


@pytest.mark.parametrize(("first", "second"), [(p.NumPy, p.JAX), (p.JAX, p.Torch), (p.Torch, p.NumPy)], ids=named)
def test_another_backend_goes_on(whole_blocks, first, second):
    """To rounding: each of 40 steps with sums of 40 terms adds at most about 100 units of 2e-16 to stable runs."""
    optimizer = p.Adam([0.1, 0.2, 0.3, 0.4])
    arguments = cut_arguments(first(), optimizer=optimizer)
    whole = p.fit(**arguments)
    stopped = p.fit(**arguments, stop=Stop(5))
    assert stopped.checkpoint.state.step == 20
    result = p.fit(**(arguments | {"backend": second()}), start=stopped.checkpoint)
    assert result.outcome.tolist() == whole.outcome.tolist()
    np.testing.assert_array_equal(result.steps, whole.steps)
    np.testing.assert_array_equal(result.history.params[:5], whole.history.params[:5])
    np.testing.assert_allclose(result.history.params, whole.history.params, rtol=0, atol=1e-12)
    np.testing.assert_allclose(result.params, whole.params, rtol=0, atol=1e-12)


def test_a_checkpoint_consists_of_numpy_arrays(whole_blocks):
    for backend in (p.NumPy("float32"), p.Torch("float32"), p.JAX("float32")):
        state = p.fit(**cut_arguments(backend, optimizer=p.Adam(0.1)), stop=Stop(3)).checkpoint.state
        for array in (state.params, state.loss, state.grad_norm, *state.opt_state.values()):
            assert type(array) is np.ndarray
            assert array.dtype == np.float64
        assert isinstance(state.step, np.integer)


MODEL_DIFFERS, OPTIMIZER_DIFFERS = "the model", "the optimizer"
INITIAL_DIFFERS = "the initial values (`params` or `seed`)"


def refusal(*differences):
    """The whole sentence of the refusal, as a pattern."""
    what = " and ".join(differences)
    sentence = (
        f"`start` must be a checkpoint of this fit, got one of a fit with other values of {what}: give the arguments "
    )
    return f"^{re.escape(sentence)}of the fit that was stopped\\.$"


WIDE = np.linspace(0, 1, 2000)  # more numbers than their text shows
ONE_OTHER = np.where(np.arange(2000) == 1000, 0.123, WIDE)


@dataclass
class Wide(p.PowerSeries):
    """A power series with a long array."""

    numbers: Any = None


@pytest.mark.parametrize(
    ("first", "other", "differences"),
    [
        ({}, {"model": replace(MODEL, degree=5)}, [MODEL_DIFFERS, INITIAL_DIFFERS]),
        ({}, {"model": p.ChebyshevSeries(degree=3), "params": np.ones(4)}, [MODEL_DIFFERS, INITIAL_DIFFERS]),
        (
            {"model": Wide(degree=1, numbers=WIDE)},
            {"model": Wide(degree=1, numbers=ONE_OTHER)},
            [MODEL_DIFFERS],
        ),
        ({}, {"optimizer": p.GradientDescent([0.2, 0.1, 0.1, 0.1])}, [OPTIMIZER_DIFFERS]),
        ({}, {"optimizer": p.RMSprop(0.1)}, [OPTIMIZER_DIFFERS]),
        ({"optimizer": p.Momentum(0.1)}, {"optimizer": p.Nesterov(0.1)}, [OPTIMIZER_DIFFERS]),
        ({}, {"seed": [0, 1, 3, 2]}, [INITIAL_DIFFERS]),
        ({}, {"seed": 0}, [INITIAL_DIFFERS]),
        ({}, {"seed": [0, 1, 2]}, [INITIAL_DIFFERS]),
        ({}, {"params": np.zeros((1, 4, 4))}, [INITIAL_DIFFERS]),
        ({}, {"loop": p.Manual(steps=60, log_every=7)}, ["`loop.log_every`"]),
        ({}, {"problem": p.Samples.of(SAMPLES.x, np.cos(SAMPLES.x))}, ["the samples"]),
        ({}, {"problem": replace(SAMPLES, floor=1.0)}, ["the samples"]),
        (
            {},
            {"loop": p.ClosedForm(steps=60)},
            ["the kind of loop (step by step or `loop=closed_form`)", "`loop.log_every`"],
        ),
        ({"loop": p.ClosedForm(steps=60)}, {"seed": [0, 1, 3, 2]}, [INITIAL_DIFFERS]),
        ({"loop": p.ClosedForm(steps=60)}, {"optimizer": p.GradientDescent(0.2)}, [OPTIMIZER_DIFFERS]),
    ],
)
def test_a_checkpoint_of_another_fit_is_refused(first, other, differences):
    """Whatever decides the numbers, although the arrays have the same shapes and names, or the same text."""
    arguments = four_outcomes(p.Manual, p.NumPy(), optimizer=p.GradientDescent(0.1)) | first
    checkpoint = p.fit(**arguments, stop=Stop(3)).checkpoint
    with pytest.raises(p.InputError, match=refusal(*differences)):
        p.fit(**(arguments | other), start=checkpoint)


def test_a_learning_rate_that_auto_found_may_be_given():
    """The optimizers are compared as they are used."""
    arguments = four_outcomes(p.Manual, p.NumPy(), optimizer=p.GradientDescent("auto"))
    stopped = p.fit(**arguments, stop=Stop(3))
    result = p.fit(**(arguments | {"optimizer": stopped.optimizer}), start=stopped.checkpoint)
    assert_same_bits(result, p.fit(**arguments))


@pytest.mark.parametrize("loop_class", [p.Manual, p.ClosedForm])
def test_more_steps_and_other_rules_go_on(whole_blocks, loop_class):
    arguments = four_outcomes(p.Manual, p.NumPy(), optimizer=p.GradientDescent(0.1))
    arguments["loop"] = loop_class(steps=60, log_every=10, tolerance=1e-30)
    longer = arguments | {"loop": loop_class(steps=90, log_every=10, patience=1000)}
    stopped = p.fit(**arguments, stop=Stop(6))
    result, whole = p.fit(**longer, start=stopped.checkpoint), p.fit(**longer)
    assert result.steps.tolist() == [90] * 4
    np.testing.assert_array_equal(result.params, whole.params)
    if loop_class is p.Manual:
        assert_same_bits(result, whole)


@pytest.mark.parametrize("backend", [p.NumPy(), p.Torch(), p.JAX()], ids=named)
@pytest.mark.parametrize("runs", [(), (3,), (600,)], ids=str)
def test_nobody_can_change_a_fit_through_its_arrays(backend, runs):
    """`observe` sees the arrays that the history and the checkpoint consist of."""
    optimizer = p.Momentum(np.full(runs, 0.1) if runs else 0.1)
    arguments = {"problem": SAMPLES, "model": MODEL, "optimizer": optimizer, "backend": backend}
    arguments["loop"] = p.Manual(steps=40, log_every=10)
    refused = []

    def observe(snapshot):
        for name in ("params", "loss", "excess", "grad_norm", "taken"):
            array = getattr(snapshot, name)
            with pytest.raises((ValueError, TypeError)):  # a number is no array
                array[...] = 0
            refused.append(name)

    whole = p.fit(**arguments)
    stopped = p.fit(**arguments, observe=observe, stop=Stop(5))
    assert len(refused) == 5 * len(stopped.checkpoint.history.step) > 0
    checkpoint, history = stopped.checkpoint, stopped.history
    progress, state = checkpoint.progress, checkpoint.state
    arrays = [checkpoint.initial, checkpoint.finite, checkpoint.taken, progress.best, progress.waited, progress.outcome]
    arrays += [state.params, state.loss, state.grad_norm, *state.opt_state.values(), history.step, history.params]
    arrays += [history.loss, history.excess, history.grad_norm]
    for array in arrays:
        assert not array.flags.writeable
    assert_same_bits(p.fit(**arguments, start=checkpoint), whole)


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("stop", True, "a function without arguments that returns True or False, such as `lambda: True`, got True."),
        ("observe", 5, "a function of a snapshot, such as `lambda snapshot: print(snapshot.step)`, got 5."),
        (
            "keep",
            [],
            "a function of a function that makes a checkpoint, such as `lambda make: print(make().state.step)`, got [].",
        ),
        ("start", lambda begin: 7, "a function that returns a checkpoint, got 7."),
        ("on_progress", "x", "a function of a fraction from 0 to 1, such as `print`, got 'x'."),
        ("start", 3, "the checkpoint of a fit that was stopped, which is `result.checkpoint` of its result, got 3."),
    ],
)
def test_an_argument_of_the_wrong_kind_is_refused(name, value, wanted):
    with pytest.raises(p.InputError, match=f"^{re.escape(f'`{name}` must be {wanted}')}$"):
        p.fit(SAMPLES, MODEL, backend=p.NumPy(), **{name: value})


def test_a_result_in_place_of_its_checkpoint_is_refused():
    arguments = four_outcomes(p.Manual, p.NumPy(), optimizer=p.GradientDescent(0.1))
    stopped = p.fit(**arguments, stop=Stop(3))
    with pytest.raises(
        p.InputError, match=r"`start` must be the checkpoint of .* `result.checkpoint` .* got <Result: "
    ):
        p.fit(**arguments, start=stopped)


def test_fewer_steps_than_were_taken_are_refused():
    arguments = cut_arguments(p.NumPy(), optimizer=p.GradientDescent(0.01)) | {"seed": 0}
    checkpoint = p.fit(**arguments, stop=Stop(4)).checkpoint
    fewer = replace(arguments["loop"], steps=int(checkpoint.state.step) - 1)
    with pytest.raises(
        p.InputError, match=r"`loop.steps` must be at least \d+, the steps that the checkpoint has taken"
    ):
        p.fit(**(arguments | {"loop": fewer}), start=checkpoint)


def test_another_loop_that_takes_steps_goes_on(seconds):
    """Snapshots that would have come before the checkpoint are left out."""
    arguments = {"problem": SAMPLES, "model": MODEL, "optimizer": p.GradientDescent(0.01), "backend": p.NumPy()}
    seconds(1e-7)
    stopped = p.fit(**arguments, loop=OneSnapshot(steps=60, log_every=11), stop=Stop(35))
    result = p.fit(**arguments, loop=p.Manual(steps=60, log_every=11), start=stopped.checkpoint)
    assert result.history.step.tolist() == [11, 22, 33, 44, 55, 60]
    np.testing.assert_allclose(result.params, p.fit(**arguments, loop=p.Manual(steps=60)).params, rtol=1e-13)


def test_a_run_that_overflows_ends_although_it_is_stopped_after_every_block(seconds):
    """A checkpoint behind the overflow would be reached again and again."""
    arguments = {
        "problem": SAMPLES,
        "model": p.Legendre(degree=2),
        "loop": OneSnapshot(steps=400, log_every=400),
        "optimizer": p.GradientDescent([5.0, 1e3]),
        "backend": p.NumPy(),
        "seed": 168,
    }
    whole = p.fit(**arguments)
    assert [one.name for one in whole.outcome] == ["DIVERGED"] * 2
    seconds(1e-7)
    checkpoint, stops = None, 0
    while stops <= 400:
        result = p.fit(**arguments, start=checkpoint, stop=lambda: True)
        checkpoint, stops = result.checkpoint, stops + 1
        if checkpoint is None:
            break
    assert stops == 400  # one for each block of one step
    assert_same_bits(whole, result)


def test_a_checkpoint_can_be_used_again():
    """Neither fit changes it."""
    arguments = cut_arguments(p.NumPy(), optimizer=p.Momentum(0.1))
    checkpoint = p.fit(**arguments, stop=Stop(2)).checkpoint
    once, twice = p.fit(**arguments, start=checkpoint), p.fit(**arguments, start=checkpoint)
    assert_same_bits(once, twice)


def test_the_end_is_no_interruption():
    """`stop` that returns True for the first time after the last snapshot is not even called."""
    arguments = cut_arguments(p.NumPy(), optimizer=p.GradientDescent(0.01)) | {"seed": 0}
    counter = Stop(0)
    whole = p.fit(**arguments, stop=counter)
    result = p.fit(**arguments, stop=Stop(counter.calls + 1))
    assert result.outcome is whole.outcome is not p.Outcome.INTERRUPTED
    assert result.checkpoint is None


def test_stopped_before_the_first_snapshot(seconds):
    """Only a loop without early snapshots can be: the history is empty, and the parameters are those that were reached."""
    arguments = {"problem": SAMPLES, "model": MODEL, "loop": OneSnapshot(steps=20, log_every=10), "backend": p.NumPy()}
    seconds(1e-7)
    for runs, seed in (((), 0), ((2,), [0, 1])):
        stopped = p.fit(**arguments, optimizer=p.GradientDescent(0.1), seed=seed, stop=Stop(3))
        assert (stopped.checkpoint.state.step, stopped.checkpoint.history.step.size) == (3, 0)
        assert stopped.history.params.shape == (0, *runs, 4)
        assert stopped.history.loss.shape == (0, *runs)
        assert stopped.history.step.shape == (0,)
        reached = p.fit(
            **(arguments | {"loop": p.Manual(steps=3)}), optimizer=p.GradientDescent(0.1), seed=seed
        )  # whose third step is the one that computes the loss, so that it may round otherwise
        np.testing.assert_allclose(stopped.params, reached.params, rtol=1e-14)
        assert (stopped.loss < SAMPLES.loss(MODEL.on_domain(SAMPLES.domain)(stopped.initial, SAMPLES.x))).all()
