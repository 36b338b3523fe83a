"""How far rounding can carry two runs of gradient descent apart that compute the same, on whatever machine and backend."""

from dataclasses import dataclass

import numpy as np

import polyexp as p
from polyexp.crosscheck.reference import gradient_terms
from polyexp.fitting import place
from polyexp.model import jacobian

UNIT = np.finfo(float).eps / 2  # of rounding: the largest relative error of one operation


@dataclass(frozen=True)
class Bound:
    """The largest Euclidean distance of the parameters of two runs of gradient descent on a loss with the Hessian H.

    Each computed step is w - eta g(w) but for an error. Let gamma_n = n u / (1 - n u) (Higham 2002, section 3.1). With K
    parameters and N samples that are not reduced, the computed residual r_i = sum_k f_ik w_k - y_i is wrong by at most
    gamma_(K+1) (sum_k |f_ik w_k| + |y_i|), and g_k = sum_i 2 a_i r_i f_ik, in any order of summation and with or without
    fused operations, by at most gamma_(N+K+5) size_k with the sizes of its terms size_k = sum_i |f_ik| 2 a_i (sum_j |f_ij
    w_j| + |y_i|). Product and subtraction of the update add at most 2 u (|w| + eta |g|). So the error of one step is at
    most

        p = eta gamma_(N+K+5) |size| + 2 u (|w| + eta |size|).

    A step of exact arithmetic multiplies distances by at most rho = max |1 - eta lambda_i| <= 1, so that after t steps a run is
    at most p sum_(s<t) rho^s <= p min(t, 1 / (1 - rho)) from the exact one, where for a small rate 1 / (1 - rho) is
    cond(H) / (eta lambda_max); and two runs are twice as far apart. Sizes are those at the largest parameters of the history.

    Args:
        model: The model on the domain of the samples.
        samples: The samples.
        rate: The learning rate.
        params: The parameters at the snapshots of one of the runs. Shape (S, K).
    """

    model: p.Model
    samples: p.Samples
    rate: float
    params: np.ndarray  # shape: (S, K)

    def after(self, steps: np.ndarray) -> np.ndarray:  # shape: (S,) -> (S,)
        """The bound after these numbers of steps."""
        data = place(self.samples, self.model, p.NumPy())
        largest = np.abs(self.params).max(0)
        slopes = jacobian(self.model, largest, data.features)
        _, size = gradient_terms(largest, slopes, np.zeros_like(data.y), data)
        eigenvalues = np.linalg.eigvalsh(2 * (slopes * data.weights) @ slopes.T)
        rho = np.abs(1 - self.rate * eigenvalues).max()
        assert 1 - rho > 1e3 * len(slopes) * UNIT, "the rate is too small, or too large, for this bound"
        n = (data.y.size + largest.size + 5) * UNIT
        norm = float(np.linalg.norm(size))
        error = self.rate * n / (1 - n) * norm + 2 * UNIT * (float(np.linalg.norm(largest)) + self.rate * norm)
        return 2 * error * np.minimum(steps, 1 / (1 - rho))
