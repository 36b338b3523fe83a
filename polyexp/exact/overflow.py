"""Runs whose first loss or Hessian float64 cannot hold, although all numbers that were given are finite."""

import numpy as np

from polyexp.base import InputError, shown
from polyexp.model import Model
from polyexp.problem import Samples

__all__ = ["require_computable"]

MAX_SQUARES = 1e300  # of a sum of squares that float64 holds, with what is computed from it
POINTS = 1000  # samples at which the model is tried, besides those with the least and the greatest x


def require_computable(model: Model, samples: Samples, initial: np.ndarray, x_key: str) -> None:
    """Require that float64 holds the squares of the features, and the loss at the initial values.

    Args:
        model: The model on the domain of the samples.
        samples: The samples, reduced or not.
        initial: The initial values. # shape: (K,)
        x_key: The name of the setting that x comes from.

    Raises:
        InputError: It does not.
    """
    tried = np.union1d([samples.x.argmin(), samples.x.argmax()], np.arange(0, samples.size, -(-samples.size // POINTS)))
    mass = float(samples.weights.sum())
    with np.errstate(all="ignore"):
        features = model.features(samples.x[tried])
        squares = float(np.abs(features * features).max(initial=0)) * mass
        residuals = model.forward(initial, features) - samples.y[tried]
        loss = float(np.abs(residuals * residuals).max()) * mass
    if not squares <= MAX_SQUARES:
        other = "" if model.choice == "legendre_series" else ": type `model=legendre_series`"
        raise InputError(
            f"`{x_key}` must have x at which float64 holds the squares of the features of `model={model.choice}`, got x from "
            f"{samples.x.min():.4g} to {samples.x.max():.4g}{other}."
        )
    if not loss <= MAX_SQUARES:
        field = "initial_scale" if isinstance(model.initial, str) else "initial"
        wanted = f"small enough for float64 to hold the loss at the initial values (at most {MAX_SQUARES:g})"
        raise InputError(f"`{model.key(field)}` must be {wanted}, got {shown(getattr(model, field))}.")
