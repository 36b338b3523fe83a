"""The best learning rate and momentum of one run, for a given number of steps or for a given excess.

The excess of momentum after t steps has many local minima. It is computed on a fixed grid, and a pattern search (Hooke and
Jeeves 1961) starts from the best local minima of the grid, as in the multi-start methods of global optimisation (Rinnooy Kan
and Timmer 1987). Nothing is random, so that equal runs get equal numbers.

The search moves in the coordinates log(c / (h - c)) of the rate, where c is the product of rate and largest eigenvalue and h
its limit 2 (1 + beta), and log(1 - beta) of the momentum. No rate with c below (1 - sqrt(beta))^2 or 2 / (t (t + 1)) can be the
best: all factors are positive there and fall as the rate grows.
"""

import math
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from polyexp.optimizer.momentum_factors import momentum_factors
from polyexp.optimizer.rate_search import best_rates, excess_at, extremes, fewest_steps, largest_factor

__all__ = ["Search", "polyak"]

CANDIDATES = 10_000  # the points of the grid
STARTS = 48  # of the pattern search
POLISHED = 8  # of the points that it finds, from which it starts once more
MOVES = 60
LEAST_DAMPING = 1e-3  # 1 - beta is at least this divided by the number of steps
EPS = float(np.finfo(float).eps)
USUAL_MOMENTUM = 0.9  # which is always among the momenta that are tried


def polyak(largest: float, smallest: float) -> tuple[float, float]:
    """Polyak's learning rate and momentum, see `Momentum.tuned`."""
    high, low = largest**0.5, smallest**0.5
    rate, momentum = (2 / (high + low)) ** 2, ((high - low) / (high + low)) ** 2
    # For a large condition number the rate is so close to the limit that rounding may exceed it.
    return min(rate, 2 * (1 + momentum) / largest), momentum


Pairs = tuple[np.ndarray, np.ndarray]  # rates and momenta. Shape (N,) each


@dataclass(frozen=True)
class Search:
    """The search for the best numbers of one run.

    Args:
        eigenvalues: The eigenvalues of the Hessian, in descending order. Shape (K,).
        coordinates: The coordinates of the initial values. Shape (K,).
        steps: The number of steps.
        eps: The relative rounding of the numbers with which the run is computed.
        rate: The learning rate; None if it is sought.
        momentum: The momentum; None if it is sought.
        candidates: The number of points of the grid.
        starts: The number of starts of the pattern search.
    """

    eigenvalues: np.ndarray  # shape: (K,)
    coordinates: np.ndarray  # shape: (K,)
    steps: int
    eps: float
    rate: float | None
    momentum: float | None
    candidates: int = CANDIDATES
    starts: int = STARTS

    def best(self, tolerance: float | None) -> tuple[float, float]:
        """The rate and the momentum with the least excess, or that need the fewest steps to the tolerance."""
        excess, pair = self._best()
        if tolerance is None or not excess <= tolerance:
            return pair
        failed, steps = 0, self._first_step(pair, tolerance)
        while steps - failed > 1:  # the factors oscillate, so that this need not be the very smallest number
            middle = min(max(math.isqrt(max(failed, 1) * steps), failed + 1), steps - 1)
            search = replace(self, steps=middle, candidates=self.candidates // 6, starts=POLISHED)
            excess, found = search._best((pair,))
            if excess <= tolerance:
                pair, steps = found, search._first_step(found, tolerance)
            else:
                failed = middle
        return replace(self, steps=steps)._best((pair,))[1]

    def _first_step(self, pair: tuple[float, float], tolerance: float) -> int:
        """A number of steps after which the excess is at most the tolerance, and not yet one step before."""

        def reached(at: np.ndarray) -> np.ndarray:  # shape: (1, T) -> (1, T)
            factors = momentum_factors(pair[0], self.eigenvalues, pair[1], at[..., None])
            return excess_at(self.eigenvalues, self.coordinates, factors) <= tolerance

        return int(fewest_steps(reached, np.array([[self.steps]])).item())

    def _best(self, also: tuple[tuple[float, float], ...] = ()) -> tuple[float, tuple[float, float]]:
        """The least excess, and the rate and the momentum that have it; `also` are pairs to compare with."""
        pairs = [*also, self._asymptotic]  # of equal ones, such as 0, the first counts
        if self.rate is None and self.momentum is None:
            usual = replace(self, momentum=USUAL_MOMENTUM, starts=POLISHED, candidates=self.candidates // 4)
            pairs += [(self._descent_rate, 0.0), usual._best()[1]]
        rates, momenta = np.array(pairs).T
        found = self._refined(self._refined(self._grid())[:POLISHED])
        rates, momenta = (np.append(given, of) for given, of in zip((rates, momenta), self._pairs(found), strict=True))
        excess = self._excess(rates, momenta, rough=False)
        least = int(excess.argmin())
        return float(excess[least]), (float(rates[least]), float(momenta[least]))

    @property
    def _asymptotic(self) -> tuple[float, float]:
        """The pair that is best in the long run, where one number may be given."""
        high, low = extremes(self.eigenvalues)
        if self.momentum is not None:
            rate = 2 * (1 + self.momentum) / (high + low) if self.rate is None else self.rate
            return rate, self.momentum
        if self.rate is None:
            return polyak(high, low)
        slowest = max(abs(1 - (self.rate * value) ** 0.5) for value in (high, low))
        return self.rate, min(slowest**2, 1 - EPS)

    @property
    def _descent_rate(self) -> float:
        return float(best_rates(self.eigenvalues, self.coordinates, self.steps, None, self.eps))

    def _excess(self, rates: np.ndarray, momenta: np.ndarray, *, rough: bool = True) -> np.ndarray:
        """The excess after the steps; infinite for a rate above its bound. # shape: (N,), (N,) -> (N,)"""
        factors = momentum_factors(rates[:, None], self.eigenvalues, momenta[:, None], self.steps, rough=rough)
        excess = excess_at(self.eigenvalues, self.coordinates, factors)
        return np.where((rates <= self._bound(momenta)) & np.isfinite(excess), excess, np.inf)

    def _bound(self, momenta: np.ndarray) -> np.ndarray:
        """The largest rate that is allowed."""
        return 2 * (1 + momenta) / self._largest * largest_factor(self.eigenvalues.size, self.eps)

    @property
    def _largest(self) -> float:
        return extremes(self.eigenvalues)[0]

    @property
    def _axes(self) -> list[np.ndarray]:
        """The coordinates of the grid in the unit cube, one axis for each number that is sought."""
        sought = (self.rate is None) + (self.momentum is None)
        size = round(self.candidates ** (1 / sought))
        return [np.linspace(0, 1, size)] * sought

    def _pairs(self, points: np.ndarray) -> Pairs:
        """The rates and momenta at points of the unit cube. # shape: (N, 1 or 2) -> (N,), (N,)"""
        lowest = np.log(max(LEAST_DAMPING / self.steps, EPS))
        momenta = (
            np.full(len(points), self.momentum) if self.momentum is not None else -np.expm1(lowest * points[:, -1])
        )
        if self.rate is not None:
            return np.full(len(points), self.rate), momenta
        high = 2 * (1 + momenta)
        least = np.maximum(((1 - momenta) / (1 + np.sqrt(momenta))) ** 2, 2 / (self.steps * (self.steps + 1.0)))
        ends = np.log(least / (high - least)), np.log(max(10.0 * self.steps, 100.0))
        rates = high / (1 + np.exp(-(ends[0] + (ends[1] - ends[0]) * points[:, 0]))) / self._largest
        return np.minimum(rates, self._bound(momenta)), momenta

    def _grid(self) -> np.ndarray:
        """The best local minima of the grid. # shape: (starts, 1 or 2)"""
        axes = self._axes
        points = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
        shape = points.shape[:-1]
        excess = self._excess(*self._pairs(points.reshape(-1, len(axes)))).reshape(shape)
        padded = np.pad(excess, 1, constant_values=np.inf)
        lowest = np.ones(shape, bool)
        for shift in product((0, 1, 2), repeat=len(axes)):
            lowest &= excess <= padded[tuple(slice(s, s + n) for s, n in zip(shift, shape, strict=True))]
        minima = np.flatnonzero(lowest)
        chosen = minima[np.argsort(excess.flat[minima], kind="stable")[: self.starts]]
        return points.reshape(-1, len(axes))[chosen]

    def _refined(self, points: np.ndarray) -> np.ndarray:
        """The points to which the pattern search leads from each start, the best ones first. # shape: (N, 1 or 2)"""
        width = np.full(len(points), 1 / (len(self._axes[0]) - 1))
        excess = self._excess(*self._pairs(points))
        moves = np.array([move for move in product((-1, 0, 1), repeat=points.shape[1]) if any(move)])
        rows = np.arange(len(points))
        for _ in range(MOVES):
            tried = np.clip(points[:, None] + width[:, None, None] * moves, 0, 1)
            values = self._excess(*self._pairs(tried.reshape(-1, points.shape[1]))).reshape(len(points), -1)
            best = values.argmin(1)
            better = values[rows, best] < excess
            points = np.where(better[:, None], tried[rows, best], points)
            excess = np.where(better, values[rows, best], excess)
            width = np.where(better, 1.5 * width, width / 2)
        return points[np.argsort(excess, kind="stable")]
