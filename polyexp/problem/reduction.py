"""Reduction of samples to a few weighted ones that give every polynomial of degree <= d the same squared loss.

The loss of a polynomial p over samples (x_i, y_i) with weights w_i splits at the least-squares projection q of y:

    sum_i w_i (p(x_i) - y_i)^2  =  sum_i w_i (p(x_i) - q(x_i))^2  +  sum_i w_i (q(x_i) - y_i)^2,

because y - q is orthogonal to every polynomial of degree <= d. The first sum is the integral of a polynomial of degree <= 2d
over a discrete measure, which its (d+1)-point Gauss rule gives exactly; the second is a constant, the floor. So d+1 nodes
with values q(node) and a floor replace the samples exactly, whatever the model, the optimizer or the number of samples.

The rule comes from the Jacobi matrix of the measure (Golub and Welsch 1969; Gautschi 2004), which the module `projection`
computes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from polyexp.base import InputError, one_of, require, whole
from polyexp.problem.projection import ROUNDING_OF_PROJECTION, SAMPLES_PER_BLOCK, by_blocks, by_lanczos
from polyexp.problem.samples import Chunk, Samples, chunk_of, require_samples, scatter_of
from polyexp.problem.source import Dropped, OnProgress, Source

__all__ = ["gauss", "merge", "reduce_chunks", "samples_for"]

MIN_SAMPLES_FOR_BLOCKS = 8 * SAMPLES_PER_BLOCK  # samples from which blocks are faster than Lanczos' recurrence
FEW_SAMPLES = 4096  # samples that are sorted in a tenth of a millisecond


def gauss(samples: Samples, degree: int) -> Samples:
    """At most degree + 1 weighted samples that give every polynomial of that degree the same loss.

    The nodes and weights are those of the gauss rule of the measure sum_i weights_i delta(x - x_i), computed from its Jacobi
    matrix (Golub and Welsch 1969; Gautschi 2004). The loss is the same up to rounding, about 1e-16 of the mean of y squared.
    Where there are fewer distinct x than degree + 1, they are the nodes.

    Args:
        samples: N samples, at least one of them with a weight above 0.
        degree: The degree d of the polynomials.

    Raises:
        InputError: They are no samples, or the degree is no whole number of at least 0.

    Example:
        >>> import numpy as np
        >>> import polyexp as p
        >>> samples = p.Problem("sin", num_samples=1000).samples()
        >>> few = p.gauss(samples, degree=7)
        >>> few.size, few.total
        (8, 1000)
        >>> model, params = p.PowerSeries(degree=7), np.linspace(-1, 1, 8)
        >>> [f"{one.loss(model(params, one.x)):.6g}" for one in (samples, few)]
        ['713145', '713145']
    """
    require_samples("samples", samples)
    whole("degree", degree, 0)
    reduced = _reduced(samples, degree)
    return replace(reduced, floor_scatter=samples.floor_scatter + _scatter(samples))


@np.errstate(over="ignore", invalid="ignore")  # samples whose loss overflows are an outcome, not a warning
def _reduced(samples: Samples, degree: int) -> Samples:
    """The samples or nodes, reduced."""
    if not samples.weights.min() > 0:  # samples without weight must not widen the window
        samples = _part(samples, samples.weights > 0, samples.floor)
    window = middle, half = _to_window(samples.x)
    projection = by_blocks(samples, window, degree) if samples.size >= MIN_SAMPLES_FOR_BLOCKS else None
    if projection is None and samples.size > SAMPLES_PER_BLOCK:
        # Parts are reduced on their own first, so that rounding errors do not add up over long sums.
        begins = range(0, samples.size, SAMPLES_PER_BLOCK)
        parts = [
            _part(samples, slice(begin, begin + SAMPLES_PER_BLOCK), 0.0 if begin else samples.floor) for begin in begins
        ]
        union = replace(_union([_reduced(part, degree) for part in parts]), total=samples.total, domain=samples.domain)
        return _reduced(union, degree)
    if projection is None:
        points = np.unique(samples.x)
        if points.size <= degree + 1:
            return _gathered(samples, points)
        projection = by_lanczos((samples.x - middle) / half, samples.y, samples.weights, degree)
    nodes, vectors = np.linalg.eigh(projection.jacobi)
    nodes = np.clip(nodes, -1, 1)  # rounding may put nodes outside the samples, where T_k grows fast
    values, roots = projection.coefficients @ vectors, vectors[0]
    # A node whose weight is below rounding does not change the loss of a polynomial; its part of the norm of y goes into the
    # floor. Dividing by its root would give a y of rounding errors only.
    seen = np.abs(roots) > ROUNDING_OF_PROJECTION
    return replace(
        samples,
        x=middle + half * nodes[seen],
        y=values[seen] / roots[seen] * projection.pi0,
        weights=(roots[seen] / projection.pi0) ** 2,
        floor=samples.floor + projection.floor + float(values[~seen] @ values[~seen]),
    )


def merge(one: Samples, other: Samples, degree: int) -> Samples:
    """The reduced union of two sets of samples, which may be reduced or not.

    The result has the sum of both losses. Merging is associative and commutative up to rounding.

    Args:
        one: Samples.
        other: Samples.
        degree: The degree of the polynomials whose loss stays the same, at most that of an earlier reduction.

    Raises:
        InputError: They are no samples, or the degree is no whole number of at least 0.

    Example:
        >>> import polyexp as p
        >>> left = p.Problem("exp", domain=[-1, 0], num_samples=50, loss="sum").samples()
        >>> right = p.Problem("exp", domain=[0, 1], num_samples=50, loss="sum").samples()
        >>> both = p.merge(left, right, degree=3)
        >>> both.size, both.total, both.domain
        (4, 100, (-1.0, 1.0))
    """
    require_samples("one", one)
    require_samples("other", other)
    whole("degree", degree, 0)
    return _reduced(_union([one, other]), degree)  # nodes of one x are no samples, so that they add no scatter


def reduce_chunks(chunks: Iterable[Chunk], degree: int, *, loss: str = "mean", name: str = "samples") -> Samples:
    """The reduced samples of a stream of chunks, of which memory holds one at a time.

    Args:
        chunks: The chunks; all of them together are the samples.
        degree: The degree of the polynomials whose loss stays the same.
        loss: "mean", which divides the weights by their sum, or "sum", which does not.
        name: The name of the samples in messages and pictures.

    Raises:
        InputError: There is no sample with a weight above 0, a chunk is not three arrays of finite numbers of one length, or
            an argument is of the wrong kind.

    Example:
        >>> import polyexp as p
        >>> problem = p.Problem("exp", num_samples=1000)
        >>> few = p.reduce_chunks(problem.chunks(), degree=5)
        >>> few.size, few.total, round(float(few.weights.sum()), 6)
        (6, 1000, 1.0)
    """
    require(isinstance(chunks, Iterable), "chunks", "chunks of samples, such as `Problem().chunks()`", chunks)
    whole("degree", degree, 0)
    one_of("loss", loss, ("mean", "sum"))
    reduced: Samples | None = None
    total, low, high = 0, np.inf, -np.inf  # of all samples, also of those without weight
    for arrays in chunks:
        chunk = chunk_of(arrays)
        total, low, high = total + chunk.x.size, min(low, chunk.x.min()), max(high, chunk.x.max())
        if chunk.weights.any():
            part = gauss(_sum_of(chunk, name), degree)
            reduced = merge(reduced, part, degree) if reduced else part
    if reduced is None:
        raise InputError(f"{name} must have at least one sample of positive weight.")
    reduced = replace(reduced, total=total, domain=(float(low), float(high)))
    return reduced.scaled(1 / reduced.weights.sum()) if loss == "mean" else reduced


def _sum_of(chunk: Chunk, name: str) -> Samples:
    """The samples of a chunk, with the sum of the squares as loss.

    A value that is not finite makes a sum so, and three sums cost a fraction of the validation by `Samples.of`, which is
    left to chunks that have one and raises the error.
    """
    x, y, weights = chunk
    with np.errstate(all="ignore"):
        sums = x.sum() + y.sum() + weights.sum()
    if not (x.ndim == 1 and x.shape == y.shape == weights.shape and np.isfinite(sums) and weights.min() >= 0):
        return Samples.of(*chunk, loss="sum", name=name)
    return Samples(x, y, weights, (float(x.min()), float(x.max())), name=name)


def samples_for(source: Source, degree: int | None, seed: int = 0, on_progress: OnProgress | None = None) -> Samples:
    """The samples of a source, reduced as its setting `reduction` says.

    Args:
        source: The source of the samples.
        degree: The degree of the polynomials whose loss stays the same, or None for a model that is no polynomial.
        seed: The seed of random samples.
        on_progress: Called after each chunk with the fraction of all samples that is done.

    Raises:
        InputError: The samples cannot be drawn or read, or are to be reduced for a model that is no polynomial.
    """
    if degree is None and source.reduction == "gauss":
        raise InputError(
            "`problem.reduction=gauss` needs a model that is a polynomial in x: type `problem.reduction=auto`."
        )
    notes: list[Dropped] = []
    if degree is None or source.reduction == "none":
        samples = source.samples(seed, on_progress, notes.append)
    else:
        chunks = source.computable_chunks(seed, on_progress, notes.append)
        samples = reduce_chunks(chunks, degree, loss=source.loss, name=source.label)
        if source.reduction == "auto" and samples.total <= degree + 1:
            samples = source.samples(seed)
    domain = source.interval or samples.domain
    return replace(samples, domain=domain, note=" ".join(map(str, notes)), target=source.named_target)


def _gathered(samples: Samples, points: np.ndarray) -> Samples:
    """The samples with all of one x as one, with the mean of their y: exact where there are no more x than nodes."""
    place = np.searchsorted(points, samples.x)
    weights = np.bincount(place, samples.weights)
    weighted = weights > 0
    mean = np.divide(
        np.bincount(place, samples.weights * samples.y), weights, out=np.zeros(points.size), where=weighted
    )
    floor = samples.floor + float(samples.weights @ (samples.y - mean[place]) ** 2)
    return replace(samples, x=points[weighted], y=mean[weighted], weights=weights[weighted], floor=floor)


def _scatter(samples: Samples) -> float:
    """The scatter of the samples; 0 where of a few of them most have an x of their own, which spares sorting all."""
    few = samples.x[:: -(-samples.size // FEW_SAMPLES)]
    if samples.size > FEW_SAMPLES and np.unique(few).size > few.size / 2:
        return 0.0
    return scatter_of(samples.x, samples.y, samples.weights)


def _part(samples: Samples, part: slice | np.ndarray, floor: float) -> Samples:
    return replace(samples, x=samples.x[part], y=samples.y[part], weights=samples.weights[part], floor=floor)


def _union(parts: Sequence[Samples]) -> Samples:
    return Samples(
        x=np.concatenate([one.x for one in parts]),
        y=np.concatenate([one.y for one in parts]),
        weights=np.concatenate([one.weights for one in parts]),
        domain=(min(one.domain[0] for one in parts), max(one.domain[1] for one in parts)),
        floor=sum(one.floor for one in parts),
        floor_scatter=sum(one.floor_scatter for one in parts),
        name=parts[0].name,
        total=sum(one.total for one in parts),
    )


def _to_window(x: np.ndarray) -> tuple[float, float]:
    """The middle and the half width of the interval of x, or the half width 1 where there is only one x."""
    low, high = float(x.min()), float(x.max())
    return low + (high - low) / 2, (high - low) / 2 or 1.0
