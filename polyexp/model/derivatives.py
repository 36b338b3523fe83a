"""Derivatives by complex steps, which have no cancellation (Squire and Trapp 1998)."""

from collections.abc import Callable
from typing import Any

import numpy as np

from polyexp.model.model import Model

__all__ = ["complex_step", "jacobian"]

STEP = 1e-30  # so small that the error, of its square, is far below rounding


def complex_step(function: Callable[[np.ndarray], Any], params: np.ndarray) -> np.ndarray:
    """df/dparams_k = Im f(params + i h e_k) / h, one row for each k.

    # shape: (*runs, K) -> (*runs, K, *shape of f at one set of parameters)
    """
    moved = params[..., None, :] + 1j * STEP * np.eye(params.shape[-1])
    return np.asarray(function(moved)).imag / STEP


def jacobian(model: Model, params: np.ndarray, features: Any) -> np.ndarray:  # shape: (*runs, K) -> (*runs, K, N)
    """df(x_i)/dparams_k of the model's `forward`."""
    return complex_step(lambda moved: model.forward(moved, features), params)
