"""The best learning rates of gradient descent for a given number of steps, or for a given excess.

The excess after t steps is F(eta) = sum_i lambda_i e_i^2 (1 - eta lambda_i)^(2t) / 2, a sum of even powers of affine functions
and so convex in eta: its minimum is where the sign of its derivative changes, which is found by bisection.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["EPS", "best_rates", "excess_at", "extremes", "fewest_steps", "geometric", "largest_factor"]

EPS = float(np.finfo(float).eps)
PROBES = 16  # numbers of steps that are tried at once
RUNS_AT_ONCE = 1000  # which bounds the memory
BISECTIONS = 54  # halve an interval of relative width 1 until its ends are neighbours


def geometric(c: np.ndarray, steps: Any) -> np.ndarray:
    """The factors (1 - c)^steps.

    For small c by log1p, because 1 - c would round away digits of c, and many steps multiply that error.

    Args:
        c: The products eta lambda_i.
        steps: The numbers of steps, integers, which broadcast against `c`.
    """
    with np.errstate(all="ignore"):
        small = np.exp(steps * np.log1p(-np.minimum(c, 0.5)))
        magnitude = np.where(c < 0.5, small, np.power(np.abs(1 - c), np.asarray(steps, float)))
        return np.asarray(np.where(c > 1, 1 - 2 * (np.asarray(steps) % 2), 1) * magnitude)


def excess_at(eigenvalues: np.ndarray, coordinates: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """The excess sum_i lambda_i (d_i e_i)^2 / 2. # shape: (K,), (*runs, K), (*runs, K) -> (*runs,)"""
    with np.errstate(all="ignore"):
        return np.asarray((eigenvalues / 2 * np.square(factors * coordinates)).sum(-1))


def extremes(eigenvalues: np.ndarray) -> tuple[float, float]:
    """The largest eigenvalue and the smallest one that is not 0; twice 1 where there is none."""
    positive = eigenvalues[eigenvalues > 0]
    return (float(positive.max()), float(positive.min())) if positive.size else (1.0, 1.0)


def largest_factor(size: int, eps: float) -> float:
    """The part of the learning-rate limit up to which rounding cannot make a mode of `size` modes grow."""
    return 1 - 8 * size * eps


def best_rates(
    eigenvalues: np.ndarray, coordinates: np.ndarray, steps: int, tolerance: float | None, eps: float
) -> np.ndarray | float:
    """The best learning rate of gradient descent for each run, see `Optimizer.tuned`.

    # shape: (K,), (*runs, K) -> (*runs,)
    """
    largest, smallest = extremes(eigenvalues)
    interval = 1 / largest, 2 / largest * largest_factor(eigenvalues.size, eps)
    runs = coordinates.reshape(-1, coordinates.shape[-1])
    parts = []
    for first in range(0, len(runs), RUNS_AT_ONCE):
        part = runs[first : first + RUNS_AT_ONCE]

        def rates(at: np.ndarray, part: np.ndarray = part) -> np.ndarray:  # shape: (R, T) -> (R, T)
            return _minimiser(eigenvalues, part[:, None], at, interval)

        def reached(at: np.ndarray, part: np.ndarray = part) -> np.ndarray:  # shape: (R, T) -> (R, T)
            factors = geometric(rates(at)[..., None] * eigenvalues, at[..., None])
            return excess_at(eigenvalues, part[:, None], factors) <= tolerance

        at = np.full((len(part), 1), steps)
        found = rates(at if tolerance is None else fewest_steps(reached, at))[:, 0]
        # Where the start is the optimum, every rate is as good.
        parts.append(np.where((part * eigenvalues).any(-1), found, 2 / (largest + smallest)))
    best = np.concatenate(parts)
    return best.reshape(coordinates.shape[:-1]) if coordinates.ndim > 1 else float(best[0])


def _minimiser(
    eigenvalues: np.ndarray, coordinates: np.ndarray, steps: np.ndarray, interval: tuple[float, float]
) -> np.ndarray:
    """The rates in the interval with the least excess after the steps. # shape: (K,), (R, 1, K), (R, T) -> (R, T)"""
    with np.errstate(all="ignore"):
        logarithm = 2 * np.log(eigenvalues * np.abs(coordinates))
    exponent = 2 * steps[..., None] - 1.0

    def increasing(rate: np.ndarray) -> np.ndarray:
        """Whether sum_i lambda_i^2 e_i^2 (eta lambda_i - 1)^(2t - 1) is above 0; its largest term is scaled to 1."""
        c = rate[..., None] * eigenvalues
        with np.errstate(all="ignore"):
            terms = logarithm + exponent * np.where(c < 0.5, np.log1p(-np.minimum(c, 0.5)), np.log(np.abs(1 - c)))
            scale = np.nan_to_num(terms.max(-1, keepdims=True))
            return np.asarray((np.sign(c - 1) * np.exp(terms - scale)).sum(-1) > 0)

    low, high = np.full(steps.shape, interval[0]), np.full(steps.shape, interval[1])
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        upwards = increasing(middle)
        low, high = np.where(upwards, low, middle), np.where(upwards, middle, high)
    return low


def fewest_steps(reached: Callable[[np.ndarray], np.ndarray], steps: np.ndarray) -> np.ndarray:
    """The smallest numbers of steps from 1 at which `reached` is true; `steps` where it is true at none of them.

    Args:
        reached: The function (R, T) -> (R, T), false up to some number of steps and true from there.
        steps: The largest numbers of steps. Shape (R, 1).
    """
    low, high = np.where(reached(steps), 0, steps - 1), steps
    while (high - low > 1).any():
        width = high - low
        at = np.minimum(low + np.maximum(width // (PROBES + 1), 1) * np.arange(1, PROBES + 1), high)
        below = ~reached(at) & (at < high)
        low = np.maximum(low, np.where(below, at, low).max(-1, keepdims=True))
        high = np.minimum(high, np.where(below, high, at).min(-1, keepdims=True))
    return high
