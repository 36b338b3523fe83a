"""A result made again from a folder, which anybody may have written: nothing in it is code, and everything is validated.

A folder that `Result.save` wrote gives the same bits. That of a recorded run has its settings, parameters and history; its
samples are drawn or read once more, and used only where they are those that were fitted.
"""

import hashlib
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np

from polyexp.base import InputError, cut, finite, one_of, path_errors, require, require_path, whole
from polyexp.exact import quadratic_of
from polyexp.fitting import History, Outcome, Result, stored_arrays
from polyexp.model import Model
from polyexp.optimizer import Optimizer
from polyexp.problem import TARGETS, Samples
from polyexp.tracking.artifacts import Limit
from polyexp.tracking.of_record import about, component_of, text_of
from polyexp.tracking.ownership import RESULT
from polyexp.tracking.recorded import RESULT_LIMIT
from polyexp.tracking.recorded_result import recorded_result
from polyexp.tracking.reference import FolderFiles, RunFiles
from polyexp.tracking.result_file import parsed
from polyexp.tracking.saved_result import ARRAYS, FORMAT, SAVED_NUMBERS

__all__ = ["load_result", "loaded"]

ARRAYS_LIMIT = Limit(megabytes=2048, seconds=600.0)
OUTCOMES = {one.name: one for one in Outcome}


def load_result(folder: Any) -> Result:
    """Load a result from the folder that `Result.save` wrote, or from that of a recorded run.

    A saved result is the same to the bit: parameters, history, samples, values. Of a run that the command line recorded,
    parameters and history are exact; its samples are drawn again, or read again from its data file, and there are none
    (`result.samples.size` is 0, with a warning) where they are no longer those that were fitted.

    Args:
        folder: The folder, such as `outputs/runs/2026-11-29/10-11-12-131415`. What is in it is never executed.

    Raises:
        InputError: There is no result in it, or a file in it is damaged; the sentence names the file and the key.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import polyexp as p
        >>> result = p.fit([0, 1, 2], [1, 3, 5], p.PowerSeries(degree=1), backend=p.NumPy())
        >>> with TemporaryDirectory() as folder:
        ...     loaded = p.load_result(result.save(folder))
        >>> bool((loaded.params == result.params).all()), loaded == result
        (True, True)
    """
    wanted = f"the path of a folder with the {RESULT} of a result or of a run"
    place = require_path("folder", folder, wanted)
    with path_errors("folder", place, wanted):
        require((place / RESULT).exists(), "folder", wanted, str(place))
    return loaded(FolderFiles(place), cut(str(place)))


def loaded(files: RunFiles, where: str) -> Result:
    """The result in the files of a run, or of a saved result.

    Args:
        files: The files.
        where: The folder or the run, for errors.

    Raises:
        InputError: They have none, or one of them is damaged.
    """
    with about(RESULT, where):
        text = b"".join(files.read(RESULT, RESULT_LIMIT))
        content = parsed(text)
        require(isinstance(content, dict), "its content", "an object of JSON", content)
        if "format" in content:
            whole("format", content["format"], 1)
            is_ours = content["format"] == FORMAT
            require(is_ours, "format", f"{FORMAT}, which this version of polyexp reads", content["format"])
    if "format" not in content:
        return recorded_result(files, text, content, where)
    with about(ARRAYS, where):
        archive = b"".join(files.read(ARRAYS, ARRAYS_LIMIT))
        if hashlib.sha256(archive).hexdigest() != content.get("arrays"):
            raise InputError("it is not that which its result.json names: it is damaged, or of another result")
        arrays = Arrays(stored_arrays(BytesIO(archive)))
    return _saved(arrays, content, where)


class Arrays:
    """The arrays of a result.npz, of which each is required to have the kind and the shape that it must have.

    Args:
        arrays: The arrays by their names.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._arrays = arrays

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def take(self, name: str, kind: str, *shape: int | None) -> np.ndarray:
        """A copy of an array.

        Args:
            name: Its name.
            kind: The kind of its dtype: "f", "i" or "U".
            *shape: Its shape, in which None stands for any length.

        Raises:
            InputError: It is missing, or of another kind or shape.
        """
        array = self._arrays.get(name)
        words = {"f": "float64", "i": "int64", "U": "text"}[kind]
        sizes = ", ".join("any length" if size is None else str(size) for size in shape)
        wanted = f"an array of {words} of shape ({sizes})"
        if array is None:
            raise InputError(f"`{name}` must be {wanted}, and is missing")
        fits = len(array.shape) == len(shape) and all(
            size in (None, there) for size, there in zip(shape, array.shape, strict=False)
        )
        if array.dtype.kind != kind or not fits:
            raise InputError(f"`{name}` must be {wanted}, got one of {array.dtype} of shape {array.shape}")
        return array.copy()

    def runs(self, size: int) -> tuple[int, ...]:
        """The shape (*runs,) of the parameters, which have the shape (*runs, K).

        Args:
            size: The number K of parameters.

        Raises:
            InputError: The parameters are missing, or of another kind or shape.
        """
        there = self._arrays.get("params")
        axes = [None] * (0 if there is None else there.ndim - 1)
        return self.take("params", "f", *axes, size).shape[:-1]

    def numbers(self, name: str, *shape: int | None, low: float = -np.inf) -> np.ndarray:
        """A copy of an array of finite numbers of at least `low`; the other arguments are those of `take`."""
        array = self.take(name, "f", *shape)
        wanted = "finite numbers" if low == -np.inf else f"finite numbers of at least {low:g}"
        require(bool((np.isfinite(array) & (array >= low)).all()), name, wanted, array)
        return array


def _saved(arrays: Arrays, content: Mapping[str, Any], where: str) -> Result:
    """The result that was saved as these arrays."""
    with about(RESULT, where):
        config = content.get("config")
        require(isinstance(config, dict), "config", "an object of JSON", config)
        assert isinstance(config, dict)
        optimizer = component_of(Optimizer.group, config)
        model, computed_by = component_of(Model.group, config), text_of(content, "computed_by")
        target = config.get("problem.target")
        finite("seconds", content.get("seconds"), 0)
    with about(ARRAYS, where):
        samples = _samples(arrays, target)
        size = len(model.param_names)
        runs = arrays.runs(size)
        model = model.on_domain(samples.domain)
        numbers = {
            one: arrays.take(one, "i" if one == "steps" else "f", *runs)[()]
            for one in SAVED_NUMBERS
            if one in arrays or one != "excess"
        }
        if not _broadcasts(optimizer.runs, runs):
            raise InputError(f"its runs, {runs}, are not those of the optimizer in {RESULT}, {optimizer.runs}")
        return Result(
            model=model,
            optimizer=optimizer,
            samples=samples,
            quadratic=quadratic_of(model, samples) if samples.size else None,
            initial=arrays.take("initial", "f", *runs, size),
            params=arrays.take("params", "f", *runs, size),
            loss=numbers["loss"],
            excess=numbers.get("excess"),
            max_error=numbers["max_error"],
            outcome=_outcomes(arrays.take("outcome", "U", *runs)),
            steps=numbers["steps"],
            history=_history(arrays, runs, size),
            seconds=float(content["seconds"]),
            computed_by=computed_by,
        )


def _broadcasts(some: tuple[int, ...], runs: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(some, runs) == runs
    except ValueError:
        return False


def _samples(arrays: Arrays, target: Any) -> Samples:
    x = arrays.numbers("samples.x", None)
    low, high = arrays.numbers("samples.domain", 2).tolist()
    require(low <= high, "samples.domain", "[low, high] with low <= high", [low, high])
    total = int(arrays.take("samples.total", "i"))
    require(total >= max(1, x.size), "samples.total", "a number of samples of at least those that there are", total)
    return Samples(
        x=x,
        y=arrays.numbers("samples.y", x.size),
        weights=arrays.numbers("samples.weights", x.size, low=0),
        domain=(low, high),
        floor=float(arrays.numbers("samples.floor")),
        name=str(arrays.take("samples.name", "U")),
        total=total,
        note=str(arrays.take("samples.note", "U")),
        target=TARGETS.get(target) if isinstance(target, str) else None,
        floor_scatter=float(arrays.numbers("samples.floor_scatter")),
    )


def _outcomes(names: np.ndarray) -> Any:
    for name in np.unique(names).tolist():
        one_of("outcome", name, OUTCOMES)
    found = np.array([OUTCOMES[name] for name in names.ravel().tolist()], object)
    return found.reshape(names.shape)[()]


def _history(arrays: Arrays, runs: tuple[int, ...], size: int) -> History:
    step = arrays.take("history.step", "i", None)
    require(bool((np.diff(step, prepend=0) > 0).all()), "history.step", "whole numbers that increase from 1 on", step)
    length = arrays.take("history.length", "i", *runs)
    inside = bool(((length >= 0) & (length <= step.size)).all())
    require(inside, "history.length", f"whole numbers from 0 to {step.size}, the number of snapshots", length)
    numbers = {name: arrays.take(f"history.{name}", "f", step.size, *runs) for name in ("loss", "excess", "grad_norm")}
    return History(step, arrays.take("history.params", "f", step.size, *runs, size), **numbers, length=length[()])
