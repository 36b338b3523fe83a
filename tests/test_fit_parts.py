"""fit: `result[i]` of a batch is the result that the run has when it is fitted alone."""

from dataclasses import replace

import numpy as np
import pytest

import polyexp as p
from tests.helpers.cases import every_path, every_place
from tests.helpers.fits import SAMPLES
from tests.helpers.runs import assert_same_files, assert_same_run

pytestmark = pytest.mark.numeric

RUNS = 64
KINDS = (
    4  # of runs, in turn: one that converges, one that stalls, one that diverges, and one that goes on to the last step
)
# The rates of these kinds: on the Legendre series, whose limit is 1 (the closed form takes a snapshot at each early step, where
# only a loss that grows at once diverges before it stalls), and on the nonlinear model.
RATES = {
    p.Manual: [0.7, 1e-30, 1.6, 0.01],
    p.ClosedForm: [0.7, 1e-30, 1e4, 0.01],
    p.Legendre: [0.015, 1e-30, 0.3, 1e-3],
}
LINEAR = p.LegendreSeries(degree=3, initial="normal", initial_scale=2.0)
NONLINEAR = p.Legendre(degree=3)
OUTCOMES = [p.Outcome.CONVERGED, p.Outcome.STALLED, p.Outcome.DIVERGED, p.Outcome.MAX_STEPS]


def spread(kinds):
    """64 rates, of which those of one kind differ by up to a tenth."""
    return np.tile(kinds, RUNS // KINDS) * np.linspace(1, 1.1, RUNS)


def parts(loop_class, model):
    """The loop, the rates and the initial values of 64 runs.

    The tolerances lie between the excesses of two snapshots, and the loss of a slow run falls by far more than rounding from
    one snapshot to the next, so that rounding decides no outcome.
    """
    if model is LINEAR:
        loop = loop_class(steps=150, log_every=15, tolerance=1e-6, patience=4)
        kinds = RATES[p.ClosedForm if loop_class.direct else p.Manual]
        return loop, spread(kinds), model.initial_params(range(RUNS))
    loop = loop_class(steps=300, log_every=15, tolerance=0.1, patience=4)
    return loop, spread(RATES[p.Legendre]), [0, -1, 0, 0.3] + 0.05 * np.random.RandomState(0).standard_normal((RUNS, 4))


def chosen(backend_class, loop_class):
    """The runs that are fitted alone: all of them where a step takes microseconds, otherwise two of each kind."""
    return range(RUNS) if backend_class is p.NumPy or loop_class.direct else [0, 1, 2, 3, 32, 33, 62, 63]


def assert_runs_come_apart(backend, loop_class, model, which, folder):
    loop, learning_rates, initial = parts(loop_class, model)
    together = p.fit(
        SAMPLES, model, loop=loop, optimizer=p.GradientDescent(learning_rates), backend=backend, params=initial
    )
    assert together.outcome.tolist() == OUTCOMES * (RUNS // KINDS)
    assert len(set(together.history.length.tolist())) >= 3  # the histories end at different snapshots
    for run in which:
        alone = p.fit(
            SAMPLES,
            model,
            loop=loop,
            optimizer=p.GradientDescent(learning_rates[run]),
            backend=backend,
            params=initial[run],
        )
        assert_same_run(together[run], alone)
        if run in (which[0], which[1], which[2], which[3]):
            assert_same_files(folder / str(run), together[run], alone, loop)


@every_path
def test_each_of_64_runs_is_its_single_fit(backend_class, device, loop_class, tmp_path):
    backend = backend_class().on_device(device)
    assert_runs_come_apart(backend, loop_class, LINEAR, chosen(backend_class, loop_class), tmp_path)


@every_place
def test_each_of_64_runs_is_its_single_fit_by_the_closed_form(backend_class, device, tmp_path):
    assert_runs_come_apart(backend_class().on_device(device), p.ClosedForm, LINEAR, range(RUNS), tmp_path)


@every_path
def test_each_of_64_runs_of_a_nonlinear_model_is_its_single_fit(backend_class, device, loop_class, tmp_path):
    backend = backend_class().on_device(device)
    assert_runs_come_apart(backend, loop_class, NONLINEAR, chosen(backend_class, loop_class), tmp_path)


# Other shapes and indices


def small(optimizer, params, loop=None, **options):
    return p.fit(
        SAMPLES, LINEAR, loop=loop or p.Manual(steps=40, log_every=10), optimizer=optimizer, params=params, **options
    )


@every_place
def test_numbers_of_an_optimizer_broadcast_over_a_batch(backend_class, device):
    """A batch of shape (2, 3): two rates and three momenta."""
    initial, learning_rates, momenta = LINEAR.initial_params(range(3)), [[1e-2], [2e-2]], [0.0, 0.5, 0.8]
    backend = backend_class().on_device(device)
    together = small(p.Momentum(learning_rates, momenta), initial, backend=backend)
    assert together.runs == (2, 3)
    for row, column in np.ndindex(2, 3):
        optimizer = p.Momentum(learning_rates[row][0], momenta[column])
        alone = small(optimizer, initial[column], backend=backend)
        assert_same_run(together[row, column], alone)
        assert_same_run(together[row][column], alone)
        assert_same_run(together[row - 2, column - 3], alone)
    rest = together[1]
    assert rest.runs == rest.loss.shape == rest.outcome.shape == rest.history.length.shape == (3,)
    assert rest.history.params.shape == (together.history.step.size, 3, 4)
    assert rest.optimizer == p.Momentum([2e-2] * 3, momenta)


def test_iteration_gives_the_runs_in_order():
    initial = LINEAR.initial_params(range(3))
    together = small(p.GradientDescent([0.1, 0.2, 0.3]), initial)
    runs = list(together)
    assert len(runs) == 3
    for run, one in enumerate(runs):
        assert_same_run(one, small(p.GradientDescent([0.1, 0.2, 0.3][run]), initial[run]))
    grid = small(p.GradientDescent([[0.1], [0.2]]), initial)
    assert [row.runs for row in grid] == [(3,), (3,)]
    assert [one.optimizer.learning_rate for row in grid for one in row] == [0.1] * 3 + [0.2] * 3


@pytest.mark.parametrize("index", [3, -4, (0, 0), (3,)], ids=str)
def test_a_run_that_there_is_not_raises_an_index_error(index):
    together = small(p.GradientDescent([0.1, 0.2, 0.3]), LINEAR.initial_params(0))
    with pytest.raises(IndexError):
        together[index]


@pytest.mark.parametrize("index", [0, -1, (), (0,), slice(None)], ids=str)
def test_a_single_result_has_no_runs(index):
    single = small(p.GradientDescent(0.1), LINEAR.initial_params(0))
    with pytest.raises(IndexError):
        single[index]
    assert list(single) == []


def test_runs_of_a_part_keep_their_own_ends():
    """A slice is a batch that ends with the last of its runs."""
    loop = p.Manual(steps=150, log_every=15, tolerance=1e-6, patience=4)
    together = small(p.GradientDescent([0.7, 1e-30, 0.01]), LINEAR.initial_params(range(3)), loop)
    first, last = together[:2], together[2]
    assert first.runs == (2,)
    assert first.history.step[-1] == first.steps.max() < last.history.step[-1] == 150
    np.testing.assert_array_equal(first.history.length, together.history.length[:2])
    assert_same_run(first[1], together[1])


@pytest.mark.parametrize("field", ["loss", "params", "history", "steps"])
def test_a_difference_would_be_noticed(field):
    """The comparison of this file fails where a run differs by 1e-10 or by a step."""
    alone = small(p.GradientDescent(0.1), LINEAR.initial_params(0))
    value = getattr(alone, field)
    if field == "history":
        changed = replace(value, loss=value.loss * (1 + 1e-10))
    else:
        changed = value + 1 if field == "steps" else value * (1 + 1e-10)
    assert_same_run(replace(alone, loss=alone.loss), alone)
    with pytest.raises(AssertionError):
        assert_same_run(replace(alone, **{field: changed}), alone)
