"""The best learning rate and momentum for a given number of steps, or for a given excess."""

from typing import Any

import numpy as np

from polyexp.optimizer.momentum_factors import momentum_factors
from polyexp.optimizer.rate_search import excess_at, largest_factor

__all__ = ["best_pairs", "polyak"]


def polyak(largest: float, smallest: float) -> tuple[float, float]:
    """Polyak's learning rate and momentum, see `Momentum.tuned`."""
    high, low = largest**0.5, smallest**0.5
    rate, momentum = (2 / (high + low)) ** 2, ((high - low) / (high + low)) ** 2
    # For a large condition number the rate is so close to the limit that rounding may exceed it.
    return min(rate, 2 * (1 + momentum) / largest), momentum


def best_pairs(
    numbers: Any, eigenvalues: np.ndarray, coordinates: np.ndarray, steps: int, tolerance: float | None, eps: float
) -> dict[str, Any]:
    """The best numbers."""
    largest = float(eigenvalues.max()) or 1.0
    rates = np.geomspace(1e-4, largest_factor(eigenvalues.size, eps), 1000) * 3.8 / largest
    runs = coordinates.reshape(-1, 1, coordinates.shape[-1])
    found = rates[
        excess_at(eigenvalues, runs, momentum_factors(rates[:, None], eigenvalues, 0.9, steps)).argmin(-1)
    ].reshape(coordinates.shape[:-1])
    return {"learning_rate": found[()], "momentum": 0.9}
