"""The loss of a linear model as a quadratic form with an optimum and independent modes.

Let F be the features, A = diag(sqrt(weights)) F, and A = U S V^T the singular value decomposition. Then

    loss(w) = L* + sum_i s_i^2 e_i^2,    e = V^T (w - w*),    Hessian = 2 A^T A with eigenvalues lambda_i = 2 s_i^2.

A is brought to triangular form by QR first; the normal equations, which square the condition number, are never formed.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from polyexp.base import Value
from polyexp.model import Model, complex_step
from polyexp.problem import Samples, gauss

__all__ = ["Quadratic", "hessian_eigenvalues", "lowest_loss", "quadratic_of"]

MAX_ROUNDING_OF_LOSS = 1e-14  # what rounding alone leaves of a loss, relative to the loss of y = 0


@dataclass(frozen=True)
class Quadratic(Value):
    """The loss of a linear model on given samples: L(w) = L* + sum_i lambda_i e_i^2 / 2 with e = V^T (w - w*).

    `Quadratic.of` computes it from a model and samples.

    Args:
        optimum: The optimum w*, that of least norm where several are. Shape (K,).
        lowest: The best loss L*, in the unit of y squared.
        eigenvalues: The eigenvalues lambda_i of the Hessian, in descending order. It is 0 for the modes that the samples do
            not determine, or not by more than the rounding of float64. Shape (K,).
        modes: The modes v_i as the columns of V. Shape (K, K).
        out_of_reach: The least excess of any parameters, in the unit of y squared. It is above 0 where rounding hides modes
            that the best loss needs, as in a power series of degree 60.

    Example:
        >>> import polyexp as p
        >>> samples = p.Samples.of([-1, 0, 1], [1, 0, 1])
        >>> quadratic = p.Quadratic.of(p.PowerSeries(degree=1), samples)
        >>> f"{quadratic.lowest:.6g}", quadratic.eigenvalues.round(6).tolist()
        ('0.222222', [2.0, 1.333333])
        >>> f"{quadratic.excess([1, 0]):.6g}"  # the mean square of the residuals is 1/3
        '0.111111'
    """

    optimum: np.ndarray  # shape: (K,)
    lowest: float
    eigenvalues: np.ndarray  # shape: (K,)
    modes: np.ndarray  # shape: (K, K)
    out_of_reach: float = 0.0

    @classmethod
    def of(cls, model: Model, samples: Samples) -> Self:
        """The quadratic form of a linear model, by QR and SVD in float64.

        Args:
            model: A linear model on the domain of the samples. `quadratic_of` also handles other models, and overflow.
            samples: N samples, reduced or not.
        """
        root = np.sqrt(samples.weights)[:, None]
        features = model.features(samples.x)
        size = features.shape[1]
        factor = np.asarray(np.linalg.qr(root * np.column_stack([features, samples.y]), mode="r"))
        factor = np.pad(factor, ((0, max(0, size + 1 - factor.shape[0])), (0, 0)))
        left, singular, right = np.linalg.svd(factor[:size, :size])
        # Singular values below the rounding of the decomposition itself are noise (the rule of numpy.linalg.matrix_rank).
        determined = singular > size * np.finfo(float).eps * singular[0]
        target = left.T @ factor[:size, size]
        singular = np.where(determined, singular, 0)
        optimum = right.T @ np.divide(target, singular, out=np.zeros(size), where=determined)
        unexplained = factor[size, size] ** 2 + (target[~determined] ** 2).sum()
        return cls(optimum, float(samples.floor + unexplained), 2 * singular**2, right.T)

    def coordinates(self, params: np.ndarray) -> np.ndarray:  # shape: (*runs, K) -> (*runs, K)
        """The coordinates e = V^T (w - w*), the distance from the optimum along each mode."""
        with np.errstate(over="ignore", invalid="ignore"):  # of a run that diverges
            return np.asarray((params - self.optimum) @ self.modes)

    def params(self, coordinates: np.ndarray) -> np.ndarray:  # shape: (*runs, K) -> (*runs, K)
        """The parameters w = w* + V e at these coordinates."""
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(self.optimum + coordinates @ self.modes.T)

    def excess(self, params: np.ndarray) -> np.ndarray:  # shape: (*runs, K) -> (*runs,)
        """The excess L(w) - L* = sum_i lambda_i e_i^2 / 2.

        A sum of squares keeps its digits even where the loss itself agrees with L* in all of them.
        """
        return self.excess_at(self.coordinates(params))

    def excess_at(self, coordinates: np.ndarray) -> np.ndarray:  # shape: (*runs, K) -> (*runs,)
        """The excess at these coordinates."""
        with np.errstate(over="ignore", invalid="ignore"):
            # As a product: a sum over so short an axis takes four times as long.
            return np.asarray(np.square(coordinates) @ (self.eigenvalues / 2) + self.out_of_reach)

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
        """The condition number of the Hessian: the ratio of its largest to its smallest eigenvalue that is not 0."""
        return self.largest / self.smallest if self.largest else 1.0


def quadratic_of(model: Model, samples: Samples) -> Quadratic | None:
    """The quadratic form; None for a model that is not linear, or whose features or loss overflow.

    The model must be on the domain of the samples.
    """
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
    # Such a model has all polynomials of its degree, whatever its basis, so that its best loss is the floor of a reduction.
    # The reduction finds it in an orthonormal basis, and so to the last digits even where this basis hides some modes.
    lowest = gauss(samples, model.polynomial_degree).floor
    out_of_reach = quadratic.lowest - lowest
    if out_of_reach <= MAX_ROUNDING_OF_LOSS * float(samples.loss(np.zeros_like(samples.y))):
        return quadratic
    return replace(quadratic, lowest=lowest, out_of_reach=out_of_reach)


def lowest_loss(model: Model, samples: Samples) -> float | None:
    """The loss of the best polynomial of the model's degree, below which no parameters can go.

    None for a model that is not a polynomial, and where the loss overflows.
    """
    if model.polynomial_degree is None:
        return None
    lowest = gauss(samples, model.polynomial_degree).floor
    return lowest if np.isfinite(lowest) else None


def hessian_eigenvalues(model: Model, samples: Samples, params: np.ndarray) -> np.ndarray:  # shape: (K,) -> (K,)
    """The eigenvalues of the Hessian of the loss at `params`, in descending order; nan if the Hessian is not finite.

    Column k of the Hessian is the complex-step derivative of the gradient, Im g(params + i h e_k) / h, which has no
    cancellation (Squire and Trapp 1998). The model need not be linear.
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
    return np.linalg.eigvalsh((hessian + hessian.T) / 2)[::-1]  # symmetric but for rounding
