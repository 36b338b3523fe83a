"""Projections of samples on polynomials: the Jacobi matrix of their measure, and y in its orthonormal polynomials.

The Jacobi matrix, whose eigenvalues and eigenvectors give the gauss rule of the measure (Golub and Welsch 1969; Gautschi 2004),
is computed in one of two ways:

- by Lanczos' recurrence over the samples with full reorthogonalisation, which is accurate for every measure;
- for many samples from the triangular factor of their Chebyshev-Vandermonde matrix, computed in blocks that fit the cache.
  The factor of a few samples preconditions the others (as in Cholesky-QR with a good first guess), so that squaring loses no
  accuracy. Where the Chebyshev basis is badly conditioned for the samples, there is no such projection, and the caller
  falls back on Lanczos' recurrence.
"""

from dataclasses import dataclass

import numpy as np

from polyexp.base import Value
from polyexp.problem.samples import Samples

__all__ = ["ROUNDING_OF_PROJECTION", "SAMPLES_PER_BLOCK", "Projection", "by_blocks", "by_lanczos"]

# The number of samples in a block: few enough for their basis functions to stay in the processor's cache.
SAMPLES_PER_BLOCK = 8192
# The norm that rounding may leave of a unit vector that lies in the span of others, once its part in it is subtracted.
ROUNDING_OF_PROJECTION = 8 * np.finfo(float).eps
# Condition number of a basis up to which its Gram matrix, with the square of that, loses no more than 100 units of rounding.
MAX_CONDITION_TO_SQUARE = 10
# Condition number up to which a triangular factor in the Chebyshev basis loses no accuracy that matters.
MAX_CONDITION_OF_FACTOR = 1e3


@dataclass(frozen=True)
class Projection(Value):
    """The Jacobi matrix of a measure, and the projection of y on its orthonormal polynomials pi_0 ... pi_{r-1}.

    r is degree + 1, or the number of points of the measure where that is smaller.

    Args:
        jacobi: The Jacobi matrix, symmetric and tridiagonal. # shape: (r, r)
        coefficients: The coefficients of the projection of y. # shape: (r,)
        pi0: The constant polynomial pi_0; the sum of the weights is 1 / pi0^2.
        floor: The squared norm of what the projection leaves of y.
    """

    jacobi: np.ndarray  # shape: (r, r)
    coefficients: np.ndarray  # shape: (r,)
    pi0: float
    floor: float


def by_lanczos(z: np.ndarray, y: np.ndarray, weights: np.ndarray, degree: int) -> Projection:
    """The projection by Lanczos' recurrence for multiplication by z, begun with the square roots of the weights.

    Args:
        z: The x of the samples, mapped to [-1, 1]. # shape: (N,)
        y: Their y. # shape: (N,)
        weights: Their weights, all above 0. # shape: (N,)
        degree: The degree of the polynomials.
    """
    root = np.sqrt(weights)
    mass = float(np.sqrt(weights.sum()))
    basis = np.empty((degree + 1, z.size))
    basis[0] = root / mass
    jacobi = np.zeros((degree + 1, degree + 1))
    rank = degree + 1
    for k in range(degree + 1):
        vector = z * basis[k]
        jacobi[k, k] = (basis[k] * vector).sum()  # the pairwise sum of NumPy, see `_norm`
        if k == degree:
            break
        beta = _orthogonalise(vector, basis[: k + 1])
        if beta <= ROUNDING_OF_PROJECTION:  # nothing is left: the measure has k + 1 points
            rank = k + 1
            break
        jacobi[k, k + 1] = jacobi[k + 1, k] = beta
        basis[k + 1] = vector / beta
    basis = basis[:rank]
    target = root * y
    # Projected twice: the first projection leaves rounding errors as large as a small residual.
    coefficients = basis @ target
    residual = target - coefficients @ basis
    correction = basis @ residual
    residual -= correction @ basis
    return Projection(jacobi[:rank, :rank], coefficients + correction, 1 / mass, float(residual @ residual))


def _orthogonalise(vector: np.ndarray, basis: np.ndarray) -> float:
    """Subtract from `vector`, in place, its part in the span of `basis`, and return the norm of the rest.

    A rest much shorter than the vector consists of rounding errors that are not orthogonal to the basis. The subtraction is
    therefore repeated until the norm falls by less than a factor of 0.7, about 1 / sqrt(2) (Kahan's criterion, Parlett 1980).

    # shape: (N,), (k, N)
    """
    before, left = np.inf, _norm(vector)
    while ROUNDING_OF_PROJECTION < left < 0.7 * before:
        vector -= (basis @ vector) @ basis
        before, left = left, _norm(vector)
    return left


def _norm(vector: np.ndarray) -> float:
    """The norm by NumPy's pairwise sum: the rounding of a dot product would move the nodes by tens of units."""
    return float(np.sqrt((vector * vector).sum()))


def by_blocks(samples: Samples, window: tuple[float, float], degree: int) -> Projection | None:
    """The projection by the triangular factor R of [T_0 ... T_{d+1}, y], where T is the Chebyshev basis.

    With T = Q R, multiplication by z is R X R^-1 in the orthonormal basis Q, where X stands for the recurrence
    z T_j = (T_{j+1} + T_{|j-1|}) / 2. None where the Chebyshev basis is badly conditioned for the samples.

    Args:
        samples: The samples, all with weights above 0.
        window: The middle and the half width of the interval of x, which z maps to [-1, 1].
        degree: The degree d of the polynomials.
    """
    # Every k-th sample, so that the few lie on the same interval as all of them.
    few = slice(None, None, -(-samples.size // SAMPLES_PER_BLOCK))
    first_guess = _factor(_columns(samples, few, window, np.empty((degree + 3, SAMPLES_PER_BLOCK))))
    if first_guess is None:
        return None
    if np.linalg.cond(first_guess[:-1, :-1]) < MAX_CONDITION_TO_SQUARE:
        # The Gram matrix of T is good as it is; only y needs its projection subtracted, which costs a row instead of d + 3.
        explained = np.linalg.solve(first_guess[:-1, :-1], first_guess[:-1, -1])
        first_guess[:-1] = np.column_stack([np.eye(degree + 2), explained])
        transform = np.linalg.inv(first_guess).T[-1:]
    else:
        transform = np.linalg.inv(first_guess).T
    gram = np.zeros_like(first_guess)
    buffer = np.empty((degree + 3, SAMPLES_PER_BLOCK))  # the same for all blocks, so that it stays in the cache
    for begin in range(0, samples.size, SAMPLES_PER_BLOCK):
        columns = _columns(samples, slice(begin, begin + SAMPLES_PER_BLOCK), window, buffer)
        columns[-len(transform) :] = transform @ columns
        # Cholesky reads the lower triangle only; and for so few long rows BLAS computes A B^T faster than A A^T.
        gram[:, :-1] += columns @ columns[:-1].T
        gram[-1, -1] += columns[-1] @ columns[-1]
    if not np.linalg.cond(gram[:-1, :-1]) < MAX_CONDITION_OF_FACTOR:
        return None
    try:
        # With C = [T, y] R_0^-1 the transformed columns and C^T C = L L^T, [T, y] = Q L^T R_0.
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
    off = np.diag(times_z, -1)  # `times_z` is symmetric and tridiagonal up to rounding, and now exactly
    jacobi = np.diag(np.diag(times_z)) + np.diag(off, -1) + np.diag(off, 1)
    # y by its coefficients at pi_0 ... pi_d, that at pi_{d+1}, and the norm of the rest; the last two make up the floor.
    *coefficients, along_next, beyond = factor[:, -1]
    return Projection(jacobi, np.array(coefficients), 1 / factor[0, 0], float(along_next**2 + beyond**2))


def _columns(samples: Samples, part: slice, window: tuple[float, float], buffer: np.ndarray) -> np.ndarray:
    """T_0 ... T_{d+1} and y as rows, each times the square roots of the weights, in the first n columns of `buffer`.

    # shape: (degree + 3, at least n) -> (degree + 3, n)
    """
    middle, half = window
    z = samples.x[part] - middle
    z /= half
    columns = buffer[:, : z.size]
    np.sqrt(samples.weights[part], out=columns[0])
    np.multiply(columns[0], z, out=columns[1])
    z += z  # 2 z, for the recurrence T_k = 2 z T_{k-1} - T_{k-2}
    for k in range(2, len(buffer) - 1):
        np.multiply(z, columns[k - 1], out=columns[k])
        columns[k] -= columns[k - 2]
    np.multiply(columns[0], samples.y[part], out=columns[-1])
    return columns


def _factor(columns: np.ndarray) -> np.ndarray | None:
    """The triangular factor of the columns of a few samples, or None where it is badly conditioned.

    Where y is itself a polynomial of the degree, the last diagonal element is 0 and the factor has no inverse; the size of
    rounding takes its place.

    # shape: (degree + 3, n) -> (degree + 3, degree + 3)
    """
    factor = np.asarray(np.linalg.qr(columns.T, mode="r"))
    if factor.shape[0] < columns.shape[0] or not np.linalg.cond(factor[:-1, :-1]) < MAX_CONDITION_OF_FACTOR:
        return None
    rounding = np.finfo(float).eps * np.linalg.norm(columns, axis=1).max()
    factor[-1, -1] = max(abs(factor[-1, -1]), rounding)
    return factor
