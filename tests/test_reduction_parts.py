"""Reduction of samples that come in parts."""

import dataclasses
from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import polyexp as p
from polyexp.problem import samples_for
from polyexp.problem import sampling as sampled_function
from tests.helpers.reduction import (
    LOW,
    any_samples,
    assert_stands_for,
    cut,
    drawn,
)

pytestmark = [pytest.mark.numeric, pytest.mark.usefixtures("one_blas_thread")]


@settings(max_examples=60, deadline=None)
@given(samples=any_samples, degree=st.sampled_from(LOW), data=st.data())
def test_merging_is_associative_and_free_of_order(samples, degree, data):
    places = st.lists(st.integers(0, samples.size), max_size=6).map(sorted)
    parts = [p.gauss(part, degree) for part in cut(samples, data.draw(places)) if part.weights.any()]

    def merged(parts):
        return reduce(lambda one, other: p.merge(one, other, degree), parts)

    def halved(parts):
        half = len(parts) // 2
        return p.merge(halved(parts[:half]), halved(parts[half:]), degree) if half else parts[0]

    whole = dataclasses.replace(samples, total=sum(part.total for part in parts))
    ways = [parts, parts[::-1], data.draw(st.permutations(parts))]
    for one in [*(merged(way) for way in ways), halved(parts)]:
        assert_stands_for(p.gauss(one, degree), whole, degree)


def test_samples_can_be_merged_unreduced():
    one, other = cut(drawn(100, loss="sum"), [37])
    assert_stands_for(p.merge(one, p.gauss(other, 5), 5), drawn(100, loss="sum"), 5)
    assert_stands_for(p.merge(one, other, 5), drawn(100, loss="sum"), 5)


def test_merging_spans_both_domains():
    one, other = p.Samples.of([0, 1], [1, 2]), p.Samples.of([5, 6], [1, 2])
    assert p.merge(one, other, 1).domain == (0, 6)


@pytest.mark.parametrize("loss", ["mean", "sum"])
@pytest.mark.parametrize("size", [1, 7, 1000, 20_000])
def test_chunked_equals_whole(size, loss):
    """Also where a whole chunk has no weight."""
    samples = drawn(5000 if size > 1 else 200, "clusters", "exponential", loss="sum")
    weights = np.where(np.arange(samples.size) // size == 1, 0, samples.weights) if size < 20_000 else samples.weights
    chunks = [
        p.Chunk(*(column[k : k + size] for column in (samples.x, samples.y, weights)))
        for k in range(0, samples.size, size)
    ]
    whole = p.Samples.of(samples.x, samples.y, weights, loss=loss)
    few = p.reduce_chunks(iter(chunks), 7, loss=loss, name="parts")
    assert_stands_for(few, whole, 7)
    assert (few.name, few.total, few.domain) == ("parts", whole.total, whole.domain)


@pytest.mark.parametrize("positive", [slice(None, 10_000), slice(5000), slice(-1, None), slice(9_000, 9_100)], ids=str)
@pytest.mark.parametrize("n", [20_000, 100_000])
def test_long_stretches_without_weight(n, positive):
    x = np.linspace(-1, 1, n)
    weights = np.zeros(n)
    weights[positive] = 1
    samples = p.Samples.of(x, np.sin(x), weights)
    few = p.gauss(samples, 3)
    assert_stands_for(few, samples, 3)
    assert (few.total, few.domain) == (n, (-1, 1))


@pytest.mark.parametrize("chunks", [[], [p.Chunk(np.ones(3), np.ones(3), np.zeros(3))]], ids=["none", "no_weight"])
def test_nothing_to_reduce(chunks):
    with pytest.raises(p.InputError, match=r"^data.csv must have at least one sample of positive weight\.$"):
        p.reduce_chunks(chunks, 3, name="data.csv")


@pytest.mark.parametrize("sampling", ["linspace", "uniform", "chebyshev"])
def test_a_problem_is_the_same_in_chunks_of_any_size(sampling, monkeypatch):
    one = p.Problem(sampling=sampling, noise=0.1, num_samples=5000)
    whole, few = one.samples(3), samples_for(one, 7, 3)
    assert_stands_for(few, whole, 7)
    monkeypatch.setattr(sampled_function, "SAMPLES_PER_CHUNK", 999)
    assert len(list(one.chunks(3))) == 6
    np.testing.assert_array_equal(one.samples(3).x, whole.x)
    np.testing.assert_array_equal(one.samples(3).y, whole.y)
    assert_stands_for(samples_for(one, 7, 3), whole, 7)
