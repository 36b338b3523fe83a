"""The closed form of momentum on one mode of a linear model, for any number of steps.

With c = eta lambda and momentum beta it is the solution of

    r_(t+1) = (1 + beta - c) r_t - beta r_(t-1),    r_0 = 1,    r_1 = 1 - c,

whose characteristic polynomial z^2 - (1 + beta - c) z + beta has the discriminant D = (c - (1 - s)^2) (c - (1 + s)^2) with
s = sqrt(beta). With R = sqrt(|D|) and a = |1 + beta - c|, and with t = steps, the solution is

    s^t [cos(t phi) + d / R sin(t phi)],    phi = atan2(R, a),                      for complex roots, D < 0, and
    z^t [(1 + q^t) / 2 + d / R (1 - q^t) / 2],    z = (a + R) / 2,    q = 1 - R / z,    for real ones,

where d = 1 - beta - c; roots with a negative real part, 1 + beta - c < 0, have -d in the place of d, and the factor (-1)^t.
"""

from fractions import Fraction
from typing import Any

import numpy as np

__all__ = ["momentum_factors"]

LARGEST_PHASE = 1e6  # of t phi, whose rounding in float64 is below 1e-10 up to here
# 1074 for the smallest number of float64, the rest for the rounding of t^2 <= 1e36 and of products
FRACTION_BITS = 1400


def momentum_factors(rate: Any, eigenvalues: Any, beta: Any, steps: Any, *, rough: bool = False) -> np.ndarray:
    """The factors r_t with c = rate * eigenvalues and t = steps; the arguments broadcast.

    Their error is what a change of each argument by some units in the last place makes, and some units in that of the result.

    Args:
        rate: The learning rates eta.
        eigenvalues: The eigenvalues lambda.
        beta: The momenta.
        steps: The numbers of steps, integers from 0 to 10^18.
        rough: Whether float64 is enough for phases beyond 10^6 and roots near -1, for which many more digits take much time.
    """
    with np.errstate(all="ignore"):
        rate, eigenvalues, beta, steps = np.broadcast_arrays(rate, eigenvalues, beta, steps)
        c, t = rate * eigenvalues, steps.astype(float)
        s = np.sqrt(beta)
        # 1 - s would lose the digits of a momentum near 1.
        disc = (c - ((1 - beta) / (1 + s)) ** 2) * (
            c - (1 + s) ** 2 if rough else _above_complex_roots(c, rate, eigenvalues, s, beta)
        )
        root, trace = np.sqrt(np.abs(disc)), (1 - c) + beta
        a, d = np.abs(trace), np.where(beta < 0.5, (1 - c) - beta, (1 - beta) - c) * np.where(trace < 0, -1, 1)
        sign = np.where(trace < 0, 1 - 2 * (steps % 2), 1)
        angle, z = np.arctan2(root, a), np.maximum((a + root) / 2, s)  # but for rounding z is at least s
        # The square root of the power is multiplied twice, so that a large factor keeps the digits of a power that underflows.
        half = np.where(disc < 0, np.power(beta, t / 4), _half_power(c, beta, trace, z, root, t))
        waves = np.cos(t * angle) + d * np.where(root > 0, np.sin(t * angle) / root, t / s)
        found = half * np.where(disc < 0, waves, _sums(d, z, root, t)) * half * sign
        found = np.where(steps < 2, np.where(steps < 1, 1.0, 1 - c), found)
        distant = (disc < 0) & (t * angle > LARGEST_PHASE) & (half > 0) & (not rough)
    for index in map(tuple, np.argwhere(distant)):
        numbers = tuple(Fraction(float(one[index])) for one in (rate, eigenvalues, beta))
        found[index] = _by_squaring(numbers, int(steps[index]), float(found[index]))
    return found + 0.0  # no -0.0


def _above_complex_roots(
    c: np.ndarray, rate: np.ndarray, eigenvalues: np.ndarray, s: np.ndarray, beta: np.ndarray
) -> np.ndarray:
    """The difference c - (1 + s)^2 in twice the precision of float64, with which roots near -1 keep their modulus."""
    rounding_of_c = np.nan_to_num(-_product_error(rate, eigenvalues, c), nan=0.0, posinf=0.0, neginf=0.0)
    rounding_of_s = np.where(s > 0, _product_error(s, s, beta) / np.where(s > 0, 2 * s, 1), 0)
    total, error = c, rounding_of_c - 2 * rounding_of_s
    for term in (-2 * s, -beta, -1.0):
        exact = total + term  # the sum and its rounding (Knuth 1969)
        part = exact - total
        error = error + ((total - (exact - part)) + (term - part))
        total = exact
    return np.asarray(total + error)


def _product_error(x: np.ndarray, y: np.ndarray, product: np.ndarray) -> np.ndarray:
    """The difference product - x y of a rounded product, without rounding (Dekker 1971)."""
    (x_high, x_low), (y_high, y_low) = _halves(x), _halves(y)
    return np.asarray(((product - x_high * y_high) - x_low * y_high - x_high * y_low) - x_low * y_low)


def _halves(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two numbers of half as many bits each, whose sum is x (Veltkamp 1968)."""
    scaled = 134217729.0 * x  # 2^27 + 1
    high = scaled - (scaled - x)
    return high, x - high


def _half_power(
    c: np.ndarray, beta: np.ndarray, trace: np.ndarray, z: np.ndarray, root: np.ndarray, t: np.ndarray
) -> np.ndarray:
    """The power z^(t / 2) of the larger real root, by 1 - z = 2 c / (1 - beta + c + R) where z is near 1."""
    distance = 2 * c / (1 - beta + c + root)
    near_1 = (trace > 0) & (distance < 0.5)
    return np.where(near_1, np.exp(t / 2 * np.log1p(-np.where(near_1, distance, 0))), np.power(z, t / 2))


def _sums(d: np.ndarray, z: np.ndarray, root: np.ndarray, t: np.ndarray) -> np.ndarray:
    """The sums (1 + q^t) / 2 + d / R (1 - q^t) / 2 of two real roots; equal roots need no separate formula but the limit."""
    z = np.where(z > 0, z, 1)
    complement = -np.expm1(t * np.log1p(-np.minimum(root / z, 1)))  # 1 - q^t
    return np.asarray(1 - complement / 2 + d / 2 * np.where(root > 0, complement / root, t / z))


def _by_squaring(numbers: tuple[Fraction, ...], steps: int, otherwise: float) -> float:
    """The factor r_t = p (1 - c) + q, with z^t = p z + q modulo the characteristic polynomial, in fixed-point integers.

    The phase t phi of complex roots needs more digits than float64 has; the modulus of these roots is below 1, so that a fixed
    number of bits after the point is enough. Where the roots turn out to be real, `otherwise` is returned.
    """
    rate, eigenvalue, beta = numbers
    c, one = rate * eigenvalue, 1 << FRACTION_BITS
    if (1 + beta - c) ** 2 >= 4 * beta:
        return otherwise
    trace, product, first = (int(value * one) for value in (1 + beta - c, beta, 1 - c))
    p, q = 0, one
    for bit in f"{steps:b}":
        square = p * p
        p, q = (
            (2 * p * q + (square * trace >> FRACTION_BITS)) >> FRACTION_BITS,
            q * q - (square * product >> FRACTION_BITS) >> FRACTION_BITS,
        )
        if bit == "1":
            p, q = (p * trace >> FRACTION_BITS) + q, -(p * product >> FRACTION_BITS)
    return float(Fraction((p * first >> FRACTION_BITS) + q, one))
