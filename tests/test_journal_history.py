"""The history of a run from its journal: exact, and refused where the journal is not that of the checkpoint."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import polyexp as p
from polyexp.tracking import JOURNAL, Journal, JournalError, history_of
from tests.helpers.journals import header

SNAPSHOT = {
    "kind": "snapshot",
    "time": 1,
    "step": 1,
    "loss": 0.5,
    "excess": 0.25,
    "grad_norm": 1.0,
    "params": [1.0, 2.0],
}
RESULT = {"metrics": {}, "params": {}, "tags": {}}


def steps_of(snapshots):
    return np.array([one.step for one in snapshots], int)


def written(folder, snapshots):
    """A journal with these snapshots, and a warning after each."""
    with Journal(folder, header(), lasting=False) as journal:
        for one in snapshots:
            journal.snapshot(one)
            journal.warning("it is slow")
        journal.result(**RESULT)
    return folder


def with_lines(folder, *contents):
    """A journal of these lines after its header; texts stay as they are."""
    written(folder, [])
    first = (folder / JOURNAL).read_text().splitlines(keepends=True)[0]
    lines = [one if isinstance(one, str) else json.dumps(one) for one in contents]
    (folder / JOURNAL).write_text(first + "".join(f"{one}\n" for one in lines))
    return folder


def snapshot(step, params, loss=0.1, excess=0.2, grad_norm=0.3):
    return p.Snapshot(step, np.array(params), np.array(loss), np.array(excess), np.array(grad_norm))


@settings(max_examples=40, deadline=None)
@given(numbers=st.lists(st.tuples(*[st.floats(allow_nan=False)] * 5), max_size=6), length=st.integers(0, 6))
def test_numbers_are_exact(tmp_path_factory, numbers, length):
    folder = tmp_path_factory.mktemp("run")
    snapshots = [snapshot(3 * k + 1, row[:2], *row[2:]) for k, row in enumerate(numbers)]
    written(folder, snapshots)
    length = min(length, len(snapshots))
    history = history_of(folder, steps_of(snapshots[:length]))
    assert history.step.tolist() == [one.step for one in snapshots[:length]]
    assert history.step.dtype == int
    assert (history.length, history.params.shape) == (length, (length, 2))
    for name in ("params", "loss", "excess", "grad_norm"):
        expected = np.array([getattr(one, name) for one in snapshots[:length]], float)
        assert getattr(history, name).tobytes() == expected.tobytes()
        assert not getattr(history, name).flags.writeable


def test_numbers_that_are_not_finite(tmp_path):
    written(tmp_path, [snapshot(1, [1.0, -0.0], np.inf, np.nan, -np.inf)])
    history = history_of(tmp_path, np.array([1]))
    np.testing.assert_array_equal(history.loss, [np.inf])
    np.testing.assert_array_equal(history.excess, [np.nan])
    np.testing.assert_array_equal(history.grad_norm, [-np.inf])
    assert np.signbit(history.params[0, 1])


def test_other_snapshots_of_the_journal_are_left_out(tmp_path):
    """As the last one of a run that has ended and goes on with more steps."""
    written(tmp_path, [snapshot(step, [float(step), 2.0]) for step in (1, 2, 5, 7, 3)])
    history = history_of(tmp_path, np.array([1, 3, 5]))
    assert history.step.tolist() == [1, 3, 5]
    assert history.params[:, 0].tolist() == [1.0, 3.0, 5.0]


def test_the_history_of_a_fit(tmp_path):
    samples, model = p.Samples.of([-1, 0, 1], [1, 0, 1]), p.PowerSeries(degree=1)
    with Journal(tmp_path, header(), lasting=False) as journal:
        loop, rate = p.Manual(steps=200, log_every=10), p.GradientDescent(1.9, allow_divergence=True)
        result = p.fit(samples, model, loop=loop, optimizer=rate, backend=p.NumPy(), observe=journal.snapshot)
    history = history_of(tmp_path, result.history.step)
    assert history == result.history


def test_fewer_snapshots_are_refused(tmp_path):
    written(tmp_path, [snapshot(step, [1.0, 2.0]) for step in (1, 2)])
    with pytest.raises(
        JournalError, match=r"journal.jsonl has 2 snapshots of the 3 of the checkpoint of the run: go on from the "
    ):
        history_of(tmp_path, np.array([1, 2, 3]))


def test_snapshots_without_parameters_are_refused(tmp_path):
    """As in the journals of runs of a batch."""
    with Journal(tmp_path, header(), lasting=False) as journal:
        journal.snapshot(snapshot(1, [1.0, 2.0]))
        journal.snapshot(snapshot(2, [1.0, 2.0]), with_params=False)
    history_of(tmp_path, np.array([1]))
    with pytest.raises(JournalError, match="is damaged, or is a snapshot without parameters"):
        history_of(tmp_path, np.array([1, 2]))


@pytest.mark.parametrize(
    "changes",
    [
        {"step": 0.5},
        {"step": True},
        {"step": -1},
        {"step": "1"},
        {"loss": None},
        {"loss": True},
        {"loss": "infinity"},
        {"loss": [1.0]},
        {"loss": 10**400},
        {"params": [1.0]},
        {"params": [1.0, 2.0, 3.0]},
        {"params": [1.0, "x"]},
        {"params": [1.0, [2.0]]},
        {"params": "12"},
        {"params": {"0": 1, "1": 2}},
        {"params": None},
    ],
    ids=str,
)
def test_damaged_snapshots_are_refused(tmp_path, changes):
    with_lines(tmp_path, SNAPSHOT | changes)
    with pytest.raises(JournalError, match="is damaged"):
        history_of(tmp_path, np.array([1]))


@pytest.mark.parametrize("steps", [(1, 1), (2, 1, 2), (1, 2, 2)], ids=str)
def test_a_step_twice_is_refused(tmp_path, steps):
    with_lines(tmp_path, *(SNAPSHOT | {"step": step} for step in steps))
    with pytest.raises(JournalError, match="is damaged"):
        history_of(tmp_path, np.unique(steps))


def test_a_line_that_is_no_json_is_refused(tmp_path):
    with_lines(tmp_path, SNAPSHOT, "{")
    with pytest.raises(JournalError, match="is damaged"):
        history_of(tmp_path, np.array([1, 2]))


def test_a_missing_journal(tmp_path):
    with pytest.raises(FileNotFoundError):
        history_of(tmp_path, np.array([], int))
