"""Replacing samples by the few weighted ones that give every polynomial of degree <= d the same squared loss.

The loss of a polynomial p over samples (x_i, y_i) with weights w_i splits at the least-squares projection q of y:

    sum_i w_i (p(x_i) - y_i)^2  =  sum_i w_i (p(x_i) - q(x_i))^2  +  sum_i w_i (q(x_i) - y_i)^2,

because y - q is orthogonal to every polynomial of degree <= d. The first sum is the integral of a polynomial of degree <= 2d
over a discrete measure, which its (d+1)-point Gauss rule gives exactly; the second is a constant, the floor. So d+1 nodes
with values q(node) and a floor replace the samples: exactly, whatever the model, the optimizer or the number of samples.

The rule comes from the Jacobi matrix of the measure (Golub and Welsch 1969; Gautschi 2004), found in one of two ways:

- by Lanczos' recurrence over the samples with full reorthogonalisation, accurate for every measure;
- for many samples from the triangular factor of their Chebyshev-Vandermonde matrix, block by block in cache. The factor of a
  few samples preconditions the others (as in Cholesky-QR with a good first guess), so that nothing is lost by squaring. Where
  the basis is badly conditioned for the samples, this is noticed and Lanczos is used.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from polyexp.base import InputError
from polyexp.problem.samples import Chunk, Samples
from polyexp.problem.source import Dropped, OnProgress, Source

__all__ = ["gauss", "merge", "reduce_chunks", "samples_for"]

SAMPLES_PER_BLOCK = 8192  # samples whose basis functions stay in the processor's cache
MIN_SAMPLES_FOR_BLOCKS = 8 * SAMPLES_PER_BLOCK  # samples from which blocks are faster than Lanczos
ROUNDING_OF_PROJECTION = (
    8 * np.finfo(float).eps
)  # what rounding leaves of a vector, once its part in a span is subtracted
MAX_CONDITION_TO_SQUARE = 10  # condition number of a basis that may be squared: 100 units of rounding
MAX_CONDITION_OF_FACTOR = (
    1e3  # condition number up to which a factor in the Chebyshev basis costs no accuracy that matters
)


@dataclass(frozen=True)
class _Projection:
    """The measure's Jacobi matrix (r x r), and y's projection in its orthonormal polynomials pi_0 ... pi_{r-1}.

    Where the measure has only r <= d points, r of each are all there are.
    """

    jacobi: np.ndarray  # shape: (r, r)
    coefficients: np.ndarray  # shape: (r,)
    pi0: float  # the constant polynomial pi_0; 1 / pi0^2 is the measure's mass
    floor: float


@np.errstate(over="ignore", invalid="ignore")  # of samples whose loss overflows
def gauss(samples: Samples, degree: int) -> Samples:
    """At most degree + 1 weighted samples that give every polynomial of that degree the same loss.

    Exact up to rounding: about 1e-16 of the mean of y squared. Fewer distinct x than nodes give a rule of that many.
    """
    if not samples.weights.min() > 0:  # what has no weight says nothing
        samples = _part(samples, samples.weights > 0, samples.floor)
    window = middle, half = _to_window(samples.x)
    projection = _by_blocks(samples, window, degree) if samples.size >= MIN_SAMPLES_FOR_BLOCKS else None
    if projection is None and samples.size > SAMPLES_PER_BLOCK:
        # Part by part, so that rounding does not add up over long sums.
        begins = range(0, samples.size, SAMPLES_PER_BLOCK)
        parts = [
            _part(samples, slice(begin, begin + SAMPLES_PER_BLOCK), 0.0 if begin else samples.floor) for begin in begins
        ]
        whole = replace(_union([gauss(part, degree) for part in parts]), total=samples.total, domain=samples.domain)
        return gauss(whole, degree)
    if projection is None:
        points = np.unique(samples.x)
        if points.size <= degree + 1:
            return _gathered(samples, points)
        projection = _by_lanczos((samples.x - middle) / half, samples.y, samples.weights, degree)
    nodes, vectors = np.linalg.eigh(projection.jacobi)
    nodes = np.clip(nodes, -1, 1)  # rounding must not put them outside the samples, where T_k grows fast
    values, roots = projection.coefficients @ vectors, vectors[0]
    # A node whose weight is below rounding says nothing about a polynomial, but its part of y's norm belongs in the floor.
    seen = np.abs(roots) > ROUNDING_OF_PROJECTION
    return replace(
        samples,
        x=middle + half * nodes[seen],
        y=values[seen] / roots[seen] * projection.pi0,
        weights=(roots[seen] / projection.pi0) ** 2,
        floor=samples.floor + projection.floor + float(values[~seen] @ values[~seen]),
    )


def merge(one: Samples, other: Samples, degree: int) -> Samples:
    """The reduced union of two sets of samples, reduced or not. Associative and, up to rounding, independent of order."""
    return gauss(_union([one, other]), degree)


def reduce_chunks(chunks: Iterable[Chunk], degree: int, *, loss: str = "mean", name: str = "samples") -> Samples:
    """The reduced samples of a stream, holding one chunk at a time. InputError where it is empty or has no weight."""
    reduced: Samples | None = None
    total, low, high = 0, np.inf, -np.inf  # of all samples, also of those without weight
    for chunk in chunks:
        total, low, high = total + chunk.x.size, min(low, chunk.x.min()), max(high, chunk.x.max())
        if chunk.weights.any():
            part = gauss(_sum_of(chunk, name), degree)
            reduced = merge(reduced, part, degree) if reduced else part
    if reduced is None:
        raise InputError(f"{name} must have at least one sample of positive weight.")
    reduced = replace(reduced, total=total, domain=(float(low), float(high)))
    return reduced.scaled(1 / reduced.weights.sum()) if loss == "mean" else reduced


def _sum_of(chunk: Chunk, name: str) -> Samples:
    """The samples of a chunk with a sum of squares. What is wrong with them shows in a few sums, at a fraction of the cost
    of looking at every number; then the slow way says it in words.
    """
    x, y, weights = chunk
    with np.errstate(all="ignore"):
        sums = x.sum() + y.sum() + weights.sum()
    if not (x.ndim == 1 and x.shape == y.shape == weights.shape and np.isfinite(sums) and weights.min() >= 0):
        return Samples.of(*chunk, loss="sum", name=name)
    return Samples(x, y, weights, (float(x.min()), float(x.max())), name=name)


def samples_for(source: Source, degree: int | None, seed: int = 0, on_progress: OnProgress | None = None) -> Samples:
    """The samples of a source as `source.reduction` wants them for polynomials of this degree (None: no polynomial).

    "auto" keeps the samples where a reduction would not make them fewer. `on_progress` is called with the fraction done.
    """
    if degree is None and source.reduction == "gauss":
        raise InputError(
            "`problem.reduction=gauss` needs a model that is a polynomial in x: type `problem.reduction=auto`."
        )
    notes: list[Dropped] = []
    if degree is None or source.reduction == "none":
        samples = source.samples(seed, on_progress, notes.append)
    else:
        chunks = source.chunks(seed, on_progress, notes.append)
        samples = reduce_chunks(chunks, degree, loss=source.loss, name=source.label)
        if source.reduction == "auto" and samples.total <= degree + 1:
            samples = source.samples(seed)
    domain = source.interval or samples.domain
    return replace(samples, domain=domain, note=" ".join(map(str, notes)), target=source.function)


def _gathered(samples: Samples, points: np.ndarray) -> Samples:
    """All samples of one x as one, with the mean of their y: exact, where there are no more points than nodes."""
    place = np.searchsorted(points, samples.x)
    weights = np.bincount(place, samples.weights)
    known = weights > 0
    mean = np.divide(np.bincount(place, samples.weights * samples.y), weights, out=np.zeros(points.size), where=known)
    floor = samples.floor + float(samples.weights @ (samples.y - mean[place]) ** 2)
    return replace(samples, x=points[known], y=mean[known], weights=weights[known], floor=floor)


def _part(samples: Samples, part: slice | np.ndarray, floor: float) -> Samples:
    return replace(samples, x=samples.x[part], y=samples.y[part], weights=samples.weights[part], floor=floor)


def _union(parts: Sequence[Samples]) -> Samples:
    return Samples(
        x=np.concatenate([one.x for one in parts]),
        y=np.concatenate([one.y for one in parts]),
        weights=np.concatenate([one.weights for one in parts]),
        domain=(min(one.domain[0] for one in parts), max(one.domain[1] for one in parts)),
        floor=sum(one.floor for one in parts),
        name=parts[0].name,
        total=sum(one.total for one in parts),
    )


def _to_window(x: np.ndarray) -> tuple[float, float]:
    """Middle and half width of the interval of x; a single point gets some width."""
    low, high = float(x.min()), float(x.max())
    return low + (high - low) / 2, (high - low) / 2 or 1.0


def _by_lanczos(z: np.ndarray, y: np.ndarray, weights: np.ndarray, degree: int) -> _Projection:
    """Lanczos' recurrence for the operator "times z", from the square roots of the weights."""
    root = np.sqrt(weights)
    mass = float(np.sqrt(weights.sum()))
    basis = np.empty((degree + 1, z.size))
    basis[0] = root / mass
    jacobi = np.zeros((degree + 1, degree + 1))
    rank = degree + 1
    for k in range(degree + 1):
        vector = z * basis[k]
        jacobi[k, k] = (basis[k] * vector).sum()
        if k == degree:
            break
        beta = _orthogonalise(vector, basis[: k + 1])
        if beta <= ROUNDING_OF_PROJECTION:  # no direction is left: the measure has k + 1 points
            rank = k + 1
            break
        jacobi[k, k + 1] = jacobi[k + 1, k] = beta
        basis[k + 1] = vector / beta
    basis = basis[:rank]
    target = root * y
    coefficients = basis @ target
    residual = target - coefficients @ basis
    correction = basis @ residual
    residual -= correction @ basis
    return _Projection(jacobi[:rank, :rank], coefficients + correction, 1 / mass, float(residual @ residual))


def _orthogonalise(vector: np.ndarray, basis: np.ndarray) -> float:
    """Subtract from `vector`, in place, what lies in the span of `basis`, again and again until no more is found
    (Kahan's criterion, Parlett 1980); return the norm of what is left.
    """
    before, left = np.inf, _norm(vector)
    while ROUNDING_OF_PROJECTION < left < 0.7 * before:
        vector -= (basis @ vector) @ basis
        before, left = left, _norm(vector)
    return left


def _norm(vector: np.ndarray) -> float:
    """By NumPy's pairwise sum: the rounding of a plain dot product would move the nodes by tens of units."""
    return float(np.sqrt((vector * vector).sum()))


def _by_blocks(samples: Samples, window: tuple[float, float], degree: int) -> _Projection | None:
    """The same from the triangular factor R of [T_0 ... T_{d+1}, y]; None where the Chebyshev basis is not good enough.

    With T = Q R, "times z" is R X R^-1 in the orthonormal basis Q, X being the recurrence z T_j = (T_{j+1} + T_{|j-1|}) / 2.
    """
    few = slice(None, None, -(-samples.size // SAMPLES_PER_BLOCK))
    first_guess = _factor(_columns(samples, few, window, np.empty((degree + 3, SAMPLES_PER_BLOCK))))
    if first_guess is None:
        return None
    if (
        np.linalg.cond(first_guess[:-1, :-1]) < MAX_CONDITION_TO_SQUARE
    ):  # then only y has to be freed of what T explains
        explained = np.linalg.solve(first_guess[:-1, :-1], first_guess[:-1, -1])
        first_guess[:-1] = np.column_stack([np.eye(degree + 2), explained])
        unmix = np.linalg.inv(first_guess).T[-1:]
    else:
        unmix = np.linalg.inv(first_guess).T
    gram = np.zeros_like(first_guess)
    room = np.empty((degree + 3, SAMPLES_PER_BLOCK))
    for begin in range(0, samples.size, SAMPLES_PER_BLOCK):
        columns = _columns(samples, slice(begin, begin + SAMPLES_PER_BLOCK), window, room)
        columns[-len(unmix) :] = unmix @ columns
        # The lower triangle is enough; and BLAS is slower at A A^T than at A B^T for matrices so flat.
        gram[:, :-1] += columns @ columns[:-1].T
        gram[-1, -1] += columns[-1] @ columns[-1]
    if not np.linalg.cond(gram[:-1, :-1]) < MAX_CONDITION_OF_FACTOR:
        return None
    try:
        factor = np.linalg.cholesky(gram).T @ first_guess
    except np.linalg.LinAlgError:
        return None
    size = degree + 1
    inner = factor[:size, :size]
    recurrence = np.zeros((size + 1, size))
    for j in range(size):
        recurrence[j + 1, j] += 0.5
        recurrence[abs(j - 1), j] += 0.5
    times_z = factor[:size, : size + 1] @ recurrence @ np.linalg.inv(inner)
    off = np.diag(times_z, -1)
    jacobi = np.diag(np.diag(times_z)) + np.diag(off, -1) + np.diag(off, 1)
    *coefficients, along_next, beyond = factor[:, -1]
    return _Projection(jacobi, np.array(coefficients), 1 / factor[0, 0], float(along_next**2 + beyond**2))


def _columns(samples: Samples, part: slice, window: tuple[float, float], room: np.ndarray) -> np.ndarray:
    """T_0 ... T_{d+1}, y as rows, each times the square root of the weights, in the first n columns of `room`.

    # shape: (degree + 3, at least n) -> (degree + 3, n)
    """
    middle, half = window
    z = samples.x[part] - middle
    z /= half
    columns = room[:, : z.size]
    np.sqrt(samples.weights[part], out=columns[0])
    np.multiply(columns[0], z, out=columns[1])
    z += z
    for k in range(2, len(room) - 1):
        np.multiply(z, columns[k - 1], out=columns[k])
        columns[k] -= columns[k - 2]
    np.multiply(columns[0], samples.y[part], out=columns[-1])
    return columns


def _factor(columns: np.ndarray) -> np.ndarray | None:
    """The triangular factor of a few samples, or None where it is badly conditioned.

    A y that is itself a polynomial of the degree leaves no residual; its place gets the size of rounding instead of zero.
    """
    factor = np.asarray(np.linalg.qr(columns.T, mode="r"))
    if factor.shape[0] < columns.shape[0] or not np.linalg.cond(factor[:-1, :-1]) < MAX_CONDITION_OF_FACTOR:
        return None
    rounding = np.finfo(float).eps * np.linalg.norm(columns, axis=1).max()
    factor[-1, -1] = max(abs(factor[-1, -1]), rounding)
    return factor
