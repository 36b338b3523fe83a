"""What `fit` is called with: a source of samples and a model, or the x and the y of samples and a model."""

from typing import Any

import numpy as np

from polyexp.base import InputError, as_numbers, require
from polyexp.model import Model
from polyexp.problem import Samples, Source

__all__ = ["problem_and_model"]


def problem_and_model(problem: Any, y: Any, model: Any) -> tuple[Source | Samples, Model]:
    """The source or the samples that are fitted, and the model.

    Args:
        problem: A source, samples, or the x of samples. Shape (N,).
        y: The y of samples whose x is given; otherwise None or the model. Shape (N,).
        model: The model, unless `y` is it.

    Raises:
        InputError: They are none of these, or x and y are not finite numbers in equally long arrays of one axis.
    """
    if model is None and isinstance(y, Model):
        y, model = None, y
    if isinstance(problem, (Source, Samples)):
        require(y is None or model is None, "y", "left out where a problem, a data file or samples are given", y)
        _require_model(y if model is None else model)
        return problem, model
    wanted = "a problem, a data file, samples, or the x of samples with their y after it, as in `fit(x, y, model)`"
    require(y is not None and not isinstance(problem, (str, type)), "problem", wanted, problem)
    _require_model(model)
    return samples_of(problem, y), model


def samples_of(x: Any, y: Any) -> Samples:  # shape: (N,), (N,)
    """Samples with the weight 1 / N each."""
    for key, value in (("x", x), ("y", y)):
        _require_one_axis(key, value)
    if np.shape(x) != np.shape(y):
        raise InputError(f"`x` and `y` must have the same length, got {len(x)} and {len(y)} numbers.")
    return Samples.of(x, y)


def _require_one_axis(key: str, value: Any) -> None:
    array = as_numbers(value)
    require(array is not None, key, "an array of numbers", value)
    if array is not None and array.ndim != 1:
        advice = f": type `numpy.ravel({key})`" if array.size == max(array.shape, default=0) else ""
        raise InputError(f"`{key}` must be an array with one axis, got one of shape {array.shape}{advice}.")
    count = 0 if array is None else int((~np.isfinite(array)).sum())
    if array is not None and count:
        first = int(np.flatnonzero(~np.isfinite(array))[0])
        others = f", the first of {count} such numbers" if count > 1 else ""
        raise InputError(f"`{key}` must have finite numbers only, got {array[first]} at index {first}{others}.")


def _require_model(model: Any) -> None:
    require(isinstance(model, Model), "model", "a model, such as `PowerSeries(degree=3)`", model)
