"""The loss of a linear model as what it is: a quadratic form with an optimum and independent modes.

With A = diag(sqrt(weights)) V, V the features, and the singular value decomposition A = U S W^T:

    loss(w) = L* + sum_i s_i^2 e_i^2,    e = W^T (w - w*),    Hessian = 2 A^T A with eigenvalues lambda_i = 2 s_i^2.

A is brought to triangular form by QR first; the normal equations, which square the condition number, are never formed.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from polyexp.model import Model, complex_step
from polyexp.problem import Samples, gauss

__all__ = ["Quadratic", "hessian_eigenvalues", "lowest_loss", "quadratic_of"]

ROUNDING_OF_LOSS = 1e-14  # of the mean of y squared


@dataclass(frozen=True)
class Quadratic:
    """The loss of a linear model on given samples.

    optimum: w*, of least norm where it is not unique. lowest: L*. eigenvalues: of the Hessian, descending; 0 for the
    directions that the samples say nothing about, or nothing that float64 could tell from rounding.
    out_of_reach: what the latter keep any parameters above L*, as in a power series of degree 60.
    """

    optimum: np.ndarray  # shape: (K,)
    lowest: float
    eigenvalues: np.ndarray  # shape: (K,)
    modes: np.ndarray  # shape: (K, K); column i is the direction of mode i
    out_of_reach: float = 0.0

    @classmethod
    def of(cls, model: Model, samples: Samples) -> Self:
        """Of a model with `linear`, by QR and SVD in float64. `quadratic_of` asks first whether that can be done."""
        root = np.sqrt(samples.weights)[:, None]
        features = model.features(samples.x)
        size = features.shape[1]
        factor = np.asarray(np.linalg.qr(root * np.column_stack([features, samples.y]), mode="r"))
        factor = np.pad(factor, ((0, max(0, size + 1 - factor.shape[0])), (0, 0)))
        left, singular, right = np.linalg.svd(factor[:size, :size])
        known = singular > size * np.finfo(float).eps * singular[0]
        target = left.T @ factor[:size, size]
        singular = np.where(known, singular, 0)
        optimum = right.T @ np.divide(target, singular, out=np.zeros(size), where=known)
        unexplained = factor[size, size] ** 2 + (target[~known] ** 2).sum()
        return cls(optimum, float(samples.floor + unexplained), 2 * singular**2, right.T)

    def coordinates(self, params: np.ndarray) -> np.ndarray:  # shape: (*runs, K) -> (*runs, K)
        """e: the distance from the optimum along each mode."""
        with np.errstate(over="ignore", invalid="ignore"):  # of a run that diverges
            return np.asarray((params - self.optimum) @ self.modes)

    def params(self, coordinates: np.ndarray) -> np.ndarray:  # shape: (*runs, K) -> (*runs, K)
        """The parameters at these coordinates."""
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(self.optimum + coordinates @ self.modes.T)

    def excess(self, params: np.ndarray) -> np.ndarray:  # shape: (*runs, K) -> (*runs,)
        """Loss - L*, as a sum of squares: exact to rounding even where the loss equals L* in all its digits."""
        return self.excess_at(self.coordinates(params))

    def excess_at(self, coordinates: np.ndarray) -> np.ndarray:  # shape: (*runs, K) -> (*runs,)
        """The same from coordinates."""
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray((self.eigenvalues / 2 * coordinates**2).sum(-1) + self.out_of_reach)

    @property
    def largest(self) -> float:
        """The largest eigenvalue."""
        return float(self.eigenvalues[0])

    @property
    def smallest(self) -> float:
        """The smallest eigenvalue that is not 0."""
        return float(self.eigenvalues[self.eigenvalues > 0].min(initial=self.largest))

    @property
    def condition(self) -> float:
        """The Hessian's condition number, of the directions that the samples know."""
        return self.largest / self.smallest if self.largest else 1.0


def quadratic_of(model: Model, samples: Samples) -> Quadratic | None:
    """The quadratic form, or None for a model that is not linear, or whose features or whose loss overflow."""
    if not model.linear:
        return None
    with np.errstate(all="ignore"):
        features = np.sqrt(samples.weights)[:, None] * model.features(samples.x)
        computable = np.isfinite((features**2).sum()) and np.isfinite(
            (samples.weights * samples.y**2).sum() + samples.floor
        )
    if not computable:
        return None
    quadratic = Quadratic.of(model, samples)
    if quadratic.eigenvalues.all() or model.polynomial_degree != len(model.param_names) - 1:
        return quadratic
    # Such a model can be every polynomial of its degree, in whatever basis; the best one leaves the floor of a reduction.
    lowest = gauss(samples, model.polynomial_degree).floor
    out_of_reach = quadratic.lowest - lowest
    if out_of_reach <= ROUNDING_OF_LOSS * float(samples.loss(np.zeros_like(samples.y))):
        return quadratic
    return replace(quadratic, lowest=lowest, out_of_reach=out_of_reach)


def lowest_loss(model: Model, samples: Samples) -> float | None:
    """The loss of the best polynomial of the model's degree: what no parameters of the model can go below."""
    if model.polynomial_degree is None:
        return None
    lowest = gauss(samples, model.polynomial_degree).floor
    return lowest if np.isfinite(lowest) else None


def hessian_eigenvalues(model: Model, samples: Samples, params: np.ndarray) -> np.ndarray:  # shape: (K,) -> (K,)
    """The eigenvalues of the loss' Hessian at `params`, descending, for any model.

    Column k is the complex-step derivative of the gradient, Im g(params + i h e_k) / h, which has no cancellation
    (Squire and Trapp 1998).
    """
    with np.errstate(all="ignore"):
        features = model.features(samples.x)

    def gradient(at: np.ndarray) -> np.ndarray:
        residual = model.forward(at, features) - samples.y
        return np.asarray(model.backward(at, features, 2 * samples.weights * residual))

    with np.errstate(all="ignore"):
        hessian = complex_step(gradient, params)
    if not np.isfinite(hessian).all():
        return np.full(params.shape, np.nan)
    return np.linalg.eigvalsh((hessian + hessian.T) / 2)[::-1]
