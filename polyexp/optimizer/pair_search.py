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
from functools import lru_cache
from itertools import product

import numpy as np

from polyexp.base import Value
from polyexp.optimizer.momentum_factors import momentum_factors
from polyexp.optimizer.rate_search import EPS, best_rates, excess_at, extremes, fewest_steps, largest_factor

__all__ = ["Search", "best_pair", "polyak"]

CANDIDATES = 20_000  # the points of the grid
STARTS = 60  # of the pattern search
POLISHED = 8  # of the points that it finds, from which it starts once more
MOVES = 40
CHUNK = 500  # pairs that are computed at once, which the cache of a processor holds
LEAST_DAMPING = 1e-3  # 1 - beta is at least this divided by the number of steps
LINE = 1000  # rates at one momentum, or momenta at one rate, whose steps to a tolerance are compared
FEW_STEPS = 3000  # that are taken one by one, as the excess oscillates
USUAL_MOMENTUM = 0.9  # which is always among the momenta that are tried
MAX_KEPT = 1000  # searches whose pairs are kept: the check of a run, the run and its files ask for the same one


def polyak(largest: float, smallest: float) -> tuple[float, float]:
    """Polyak's learning rate and momentum, at which all modes shrink by sqrt(beta) a step in the long run (Polyak 1964).

    With h = sqrt(lambda_max) and l = sqrt(lambda_min) they are eta = (2 / (h + l))^2 and beta = ((h - l) / (h + l))^2.

    Args:
        largest: The largest eigenvalue.
        smallest: The smallest eigenvalue above 0.
    """
    high, low = largest**0.5, smallest**0.5
    rate, momentum = (2 / (high + low)) ** 2, ((high - low) / (high + low)) ** 2
    # For a large condition number the rate is so close to the limit that rounding may exceed it.
    return min(rate, 2 * (1 + momentum) / largest), momentum


Pairs = tuple[np.ndarray, np.ndarray]  # rates and momenta. Shape (N,) each


@dataclass(frozen=True)
class Search(Value):
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
        angular: Whether the rates are spread evenly by the phase of the fastest mode.
    """

    eigenvalues: np.ndarray  # shape: (K,)
    coordinates: np.ndarray  # shape: (K,)
    steps: int
    eps: float
    rate: float | None
    momentum: float | None
    candidates: int = CANDIDATES
    starts: int = STARTS
    angular: bool = False

    def best(self, tolerance: float | None) -> tuple[float, float]:
        """The rate and the momentum with the least excess, or that need the fewest steps to the tolerance."""
        excess, pair = self._best()
        if tolerance is None or not excess <= tolerance:
            return pair
        steps, pair = self._first_to(tolerance, [pair, *self._simple_pairs(tolerance)])
        failed = 0
        while steps - failed > 1:  # the factors oscillate, so that this need not find the very smallest number
            middle = min(max(math.isqrt(max(failed, 1) * steps), failed + 1), steps - 1)
            search = replace(self, steps=middle, candidates=self.candidates // 6, starts=POLISHED)
            excess, found = search._best((pair,))
            if excess <= tolerance:
                steps, pair = search._first_to(tolerance, [found])
            else:
                failed = middle
        return replace(self, steps=steps)._best((pair,))[1]

    def _simple_pairs(self, tolerance: float) -> list[tuple[float, float]]:
        """Pairs that need few steps to the tolerance, or may do so."""
        momentum = USUAL_MOMENTUM if self.rate is None and self.momentum is None else self.momentum
        line = np.linspace(0, 1, LINE)[:, None]
        pairs = [self._asymptotic, *zip(*replace(self, momentum=momentum)._pairs(line), strict=True)]
        if self.rate is None and self.momentum is None:
            pairs.append((self._descent_rate(tolerance), 0.0))
        return pairs

    def _first_to(self, tolerance: float, pairs: list[tuple[float, float]]) -> tuple[int, tuple[float, float]]:
        """The least number of steps in which one of the pairs comes to the tolerance, and this pair."""
        first = self._first_of_few(tolerance, np.array(pairs))
        if first is not None:
            return first[0], pairs[first[1]]
        rates, momenta = np.array(pairs).T[:, :, None, None]

        def reached(at: np.ndarray) -> np.ndarray:  # shape: (N, T) -> (N, T)
            factors = momentum_factors(rates, self.eigenvalues, momenta, at[..., None], rough=True)
            return excess_at(self.eigenvalues, self.coordinates, factors) <= tolerance

        steps = fewest_steps(reached, np.full((len(pairs), 1), self.steps))[:, 0]
        least = int(steps.argmin())
        return int(steps[least]), pairs[least]

    def _first_of_few(self, tolerance: float, pairs: np.ndarray) -> tuple[int, int] | None:
        """The same by every step of the recurrence, with the index of the pair; None where it takes very many steps."""
        c, momenta = pairs[:, :1] * self.eigenvalues, pairs[:, 1:]
        last, factors = np.ones_like(c), 1 - c
        for step in range(1, min(self.steps, FEW_STEPS) + 1):
            excess = excess_at(self.eigenvalues, self.coordinates, factors)
            if excess.min() <= tolerance:
                return step, int(excess.argmin())
            last, factors = factors, (1 + momenta - c) * factors - momenta * last
        return None

    def _best(self, also: tuple[tuple[float, float], ...] = ()) -> tuple[float, tuple[float, float]]:
        """The least excess, and the rate and the momentum that have it; `also` are pairs to compare with."""
        pairs = [*also, self._asymptotic]  # of equal ones, such as 0, the first counts
        if self.rate is None and self.momentum is None:
            usual = replace(self, momentum=USUAL_MOMENTUM, starts=POLISHED, candidates=self.candidates // 4)
            pairs += [(self._descent_rate(None), 0.0), usual._best()[1]]
        found = [self._found(), replace(self, angular=True)._found()] if self.rate is None else [self._found()]
        rates, momenta = (np.concatenate(part) for part in zip(np.array(pairs).T, *found, strict=True))
        excess = self._excess(rates, momenta, rough=False)
        least = int(excess.argmin())
        return float(excess[least]), (float(rates[least]), float(momenta[least]))

    def _found(self) -> Pairs:
        """The pairs to which the best local minima of the grid lead."""
        return self._pairs(self._refined(self._refined(self._grid())[:POLISHED]))

    def _descent_rate(self, tolerance: float | None) -> float:
        """The best rate without momentum."""
        return float(best_rates(self.eigenvalues, self.coordinates, self.steps, tolerance, self.eps))

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

    def _excess(self, rates: np.ndarray, momenta: np.ndarray, *, rough: bool = True) -> np.ndarray:
        """The excess after the steps; infinite for a rate above its bound. # shape: (N,), (N,) -> (N,)"""
        parts = []
        for first in range(0, len(rates), CHUNK):
            rate, momentum = rates[first : first + CHUNK, None], momenta[first : first + CHUNK, None]
            factors = momentum_factors(rate, self.eigenvalues, momentum, self.steps, rough=rough)
            parts.append(excess_at(self.eigenvalues, self.coordinates, factors))
        excess = np.concatenate(parts)
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
        if self.rate is not None or self.momentum is not None:
            return [np.linspace(0, 1, self.candidates // 5)]
        finer = 3 if self.angular else 1  # the phases vary with the rate rather than with the momentum
        return [np.linspace(0, 1, round(self.candidates**0.5 * part)) for part in (finer, 1 / finer)]

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
        if self.angular:
            angle = np.arcsin(np.sqrt(least / high))
            share = np.sin(angle + (np.pi / 2 - angle) * points[:, 0]) ** 2
        else:
            ends = np.log(least / (high - least)), np.log(max(10.0 * self.steps, 100.0))
            share = 1 / (1 + np.exp(-(ends[0] + (ends[1] - ends[0]) * points[:, 0])))
        return np.minimum(high * share / self._largest, self._bound(momenta)), momenta

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
        width, cell = np.ones(len(points)), np.array([axis[1] for axis in self._axes])
        excess = self._excess(*self._pairs(points))
        moves = np.array([move for move in product((-1, 0, 1), repeat=points.shape[1]) if any(move)])
        rows = np.arange(len(points))
        for _ in range(MOVES):
            tried = np.clip(points[:, None] + width[:, None, None] * moves * cell, 0, 1)
            values = self._excess(*self._pairs(tried.reshape(-1, points.shape[1]))).reshape(len(points), -1)
            best = values.argmin(1)
            better = values[rows, best] < excess
            points = np.where(better[:, None], tried[rows, best], points)
            excess = np.where(better, values[rows, best], excess)
            width = np.where(better, 1.5 * width, width / 2)
        return points[np.argsort(excess, kind="stable")]


@lru_cache(MAX_KEPT)
def best_pair(search: Search, tolerance: float | None) -> tuple[float, float]:
    """What `Search.best` finds, which takes up to a second where both numbers are sought.

    Args:
        search: The search.
        tolerance: The excess at which the run ends, if any.
    """
    return search.best(tolerance)
