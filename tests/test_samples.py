"""Samples of the user, and the samples of a target."""

import numpy as np
import pytest

import polyexp as p

pytestmark = pytest.mark.numeric


SHAPES = "x, y and weights must be equally long sequences of numbers, got shapes"


def test_samples_of_sequences():
    samples = p.Samples.of([1, 3, 2], (4, 5, 6))
    assert samples.x.dtype == samples.y.dtype == np.float64
    assert samples.x.tolist() == [1, 3, 2]
    assert samples.weights.tolist() == [1 / 3] * 3
    assert samples.domain == (1.0, 3.0)
    assert (samples.size, samples.floor, samples.name) == (3, 0.0, "samples")
    assert samples.loss(np.array([4.0, 5.0, 9.0])) == pytest.approx(3, rel=1e-15)
    summed = p.Samples.of([1, 3, 2], [4, 5, 6], loss="sum", domain=[0, 9], name="mine")
    assert summed.weights.tolist() == [1, 1, 1]
    assert (summed.domain, summed.name) == ((0.0, 9.0), "mine")


def test_samples_are_a_copy():
    x = np.arange(3.0)
    samples = p.Samples.of(x, x)
    x[:] = 9
    assert samples.x.tolist() == samples.y.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        ([1, 2], [1], {}, f"{SHAPES} (2,), (1,) and (2,)."),
        ([[1, 2]], [[1, 2]], {}, f"{SHAPES} (1, 2), (1, 2) and (1, 2)."),
        (1, 1, {}, f"{SHAPES} (), () and ()."),
        ([], [], {}, "`x` must be finite numbers, got []."),
        ([1, np.nan], [1, 2], {}, "`x` must be finite numbers, got [1, nan]."),
        ([1, 2], [1, -np.inf], {}, "`y` must be finite numbers, got [1, -inf]."),
        ([1, 2], ["a", "b"], {}, "`y` must be finite numbers, got ['a', 'b']."),
        ([1, [2]], [1, 2], {}, "`x` must be finite numbers, got [1, [2]]."),
        ([1], [1], {"loss": "men"}, "`loss` must be one of mean, sum, got 'men'. Did you mean 'mean'?"),
        ([1], [1], {"domain": (3, 1)}, "`domain` must be [low, high] with low <= high, both finite, got [3, 1]."),
        (
            [1],
            [1],
            {"domain": (0, np.inf)},
            "`domain` must be [low, high] with low <= high, both finite, got [0, inf].",
        ),
    ],
)
def test_samples_that_are_none(x, y, options, message):
    with pytest.raises(p.InputError) as caught:
        p.Samples.of(x, y, **options)
    assert str(caught.value) == message


@pytest.mark.parametrize("field", ["x", "y", "weights"])
def test_integers_that_float64_does_not_hold(field):
    given = {"x": [1, 2], "y": [1, 2], "weights": [1, 2]}
    held = p.Samples.of(**(given | {field: [1, 2**53 + 2]}), loss="sum")
    assert getattr(held, field).tolist() == [1, 2**53 + 2]
    for values in ([1, 2**53 + 1], np.array([1, 2**64 - 1], np.uint64)):
        with pytest.raises(p.InputError) as caught:
            p.Samples.of(**(given | {field: values}))
        wanted = "numbers that float64 holds (all whole numbers up to 2^53)"
        assert str(caught.value) == f"`{field}` must be {wanted}, got {values[1]}."


def test_a_target_that_works_in_place_leaves_x_alone():
    samples = p.Problem(lambda x: np.multiply(x, 0, out=x), domain=[1, 2], num_samples=3).samples()
    assert samples.x.tolist() == [1, 1.5, 2]
