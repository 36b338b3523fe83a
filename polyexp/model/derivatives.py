"""Derivatives by complex steps, in which nothing cancels (Squire and Trapp 1998)."""

from collections.abc import Callable
from typing import Any

import numpy as np

from polyexp.model.model import Model

__all__ = ["complex_step", "jacobian"]

COMPLEX_STEP = 1e-30  # h; the error of the derivative is of the order h^2, far below rounding


def complex_step(function: Callable[[np.ndarray], Any], params: np.ndarray) -> np.ndarray:
    """df/dparams_k = Im f(params + i h e_k) / h, one row for each k.

    # shape: (*runs, K) -> (*runs, K, *shape of f at one set of parameters)

    Args:
        function: The function f, which is analytic and takes complex parameters of shape (*runs, K).
        params: The parameters at which it is differentiated. # shape: (*runs, K)
    """
    params = np.asarray(params)
    moved = params[..., None, :] + 1j * COMPLEX_STEP * np.eye(params.shape[-1])
    return np.asarray(function(moved)).imag / COMPLEX_STEP


def jacobian(model: Model, params: np.ndarray, features: Any) -> np.ndarray:  # shape: (*runs, K) -> (*runs, K, N)
    """The derivatives df(x_i)/dparams_k of the model's `forward`, by complex steps."""
    features = np.asarray(features)
    return complex_step(lambda moved: model.forward(moved, features), params)
