"""What `fit` is called with: a source of samples and a model, or the x and the y of samples and a model."""

from pathlib import PurePath
from typing import Any

import numpy as np

from polyexp.backend import Backend
from polyexp.base import Component, InputError, as_numbers, require, shown
from polyexp.device import Device
from polyexp.loop import Loop
from polyexp.model import Model
from polyexp.optimizer import Optimizer
from polyexp.problem import FILE_ENDINGS, TARGETS, Samples, Source

__all__ = ["problem_and_model", "require_parts"]

PARTS: dict[str, tuple[type[Component], str, str]] = {  # the class of each part, its name in a sentence, and an example
    "model": (Model, "a model", "PowerSeries(degree=3)"),
    "loop": (Loop, "a loop", "Manual(steps=1000)"),
    "optimizer": (Optimizer, "an optimizer", 'GradientDescent("auto")'),
    "backend": (Backend, "a backend", "NumPy()"),
    "device": (Device, "a device", "CUDA()"),
}
AUTO = {"optimizer": 'GradientDescent("auto")'}  # what the word "auto" means, which is the name of a device alone
DATA = (Source, Samples)


def problem_and_model(problem: Any, y: Any, model: Any) -> tuple[Source | Samples, Model]:
    """The source or the samples that are fitted, and the model.

    Args:
        problem: A source, samples, or the x of samples. Shape (N,).
        y: The y of samples whose x is given; otherwise None or the model. Shape (N,).
        model: The model, unless `y` is it.

    Raises:
        InputError: They are none of these, or x and y are not finite numbers in equally long arrays of one axis.
    """
    _require_data_first(problem, y, model)
    if model is None and isinstance(y, Model):
        y, model = None, y
    if isinstance(y, Model):  # what stands behind the model is given by its name
        _require_model(model)
    if isinstance(problem, DATA):
        require(y is None or model is None, "y", "left out where a problem, a data file or samples are given", y)
        _require_model(y if model is None else model)
        return problem, model
    wanted = "a problem, a data file, samples, or the x of samples with their y after it, as in `fit(x, y, model)`"
    if y is None or isinstance(problem, (str, PurePath, type)):
        raise InputError(f"`problem` must be {wanted}, got {shown(problem)}{_source_hint(problem)}.")
    _require_model(model)
    return samples_of(problem, y), model


def require_parts(*, required: bool = False, **parts: Any) -> None:
    """Require that each part of a fit, by its name, is a component of its group, or None.

    Args:
        required: Whether None is refused, too.
        **parts: The parts.

    Raises:
        InputError: One is not; the sentence says what to write instead.

    Example:
        >>> from polyexp import InputError
        >>> try:
        ...     require_parts(loop="manual")
        ... except InputError as error:
        ...     print(error)
        `loop` must be a loop, such as `Manual(steps=1000)`, got 'manual': write `Manual()`.
    """
    for name, value in parts.items():
        if required or value is not None:
            _require_part(name, value)


def samples_of(x: Any, y: Any) -> Samples:  # shape: (N,), (N,)
    """Samples with the weight 1 / N each."""
    for key, value in (("x", x), ("y", y)):
        _require_one_axis(key, value)
    if np.shape(x) != np.shape(y):
        raise InputError(f"`x` and `y` must have the same length, got {len(x)} and {len(y)} numbers.")
    return Samples.of(x, y)


def _require_one_axis(key: str, value: Any) -> None:
    array = as_numbers(key, value)
    if array is None and _has_missing(value):
        wanted = "an array of numbers, none of which is missing"
        raise InputError(f"`{key}` must be {wanted}, got {shown(value)}: leave out what is missing.")
    require(array is not None, key, "an array of numbers", value)
    if array is not None and array.ndim != 1:
        advice = f": type `numpy.ravel({key})`" if array.size == max(array.shape, default=0) else ""
        raise InputError(f"`{key}` must be an array with one axis, got one of shape {array.shape}{advice}.")
    count = 0 if array is None else int((~np.isfinite(array)).sum())
    if array is not None and count:
        first = int(np.flatnonzero(~np.isfinite(array))[0])
        others = f", the first of {count} such numbers" if count > 1 else ""
        raise InputError(f"`{key}` must have finite numbers only, got {array[first]} at index {first}{others}.")


def _has_missing(value: Any) -> bool:
    """Whether a column of a table has values that pandas calls missing, and no type of numbers."""
    is_column = getattr(value, "ndim", None) == 1 or isinstance(value, (list, tuple))
    return is_column and any(one is None or type(one).__name__ == "NAType" for one in value)


def _require_data_first(problem: Any, y: Any, model: Any) -> None:
    """Require that none of the arguments of `fit` that stand for data is the model, while another one stands behind it."""
    between = isinstance(y, Model) and not (model is None or isinstance(model, Component) or isinstance(problem, DATA))
    if isinstance(problem, Model) or between:
        several = between or not (model is None or isinstance(y, DATA))
        call = "fit(x, y, model)" if several else "fit(problem, model)"
        first, key = (y, "y") if between else (problem, "problem")
        raise InputError(f"`{key}` must not be the model, got {shown(first)}: the data come first, type `{call}`.")


def _require_model(model: Any) -> None:
    _require_part("model", model)


def _require_part(name: str, value: Any) -> None:
    wanted, article, example = PARTS[name]
    if not isinstance(value, wanted):
        hint = _part_hint(name, value, wanted)
        raise InputError(f"`{name}` must be {article}, such as `{example}`, got {shown(value)}{hint}.")


def _part_hint(name: str, value: Any, wanted: type[Component]) -> str:
    """What to write in the place of a value that is no such part, as the end of a sentence, or an empty text."""
    if isinstance(value, Component) and value.group in PARTS:
        return f": {PARTS[value.group][1]} is given by its name, `{value.group}={type(value).__name__}(...)`"
    named = Component.registry.get((name, value)) if isinstance(value, str) else value
    if isinstance(named, type) and issubclass(named, wanted):
        return f": write `{named.__name__}()`"
    return f": write `{AUTO[name]}`" if isinstance(value, str) and value == "auto" and name in AUTO else ""


def _source_hint(value: Any) -> str:
    """What to write in the place of the name of a problem or a file, as the end of a sentence, or an empty text."""
    if isinstance(value, (str, PurePath)) and str(value).lower().endswith(FILE_ENDINGS):
        return f": write `DataFile({shown(str(value))}, x=..., y=...)`"
    return f": write `Problem({shown(value)})`" if isinstance(value, str) and value in TARGETS else ""
