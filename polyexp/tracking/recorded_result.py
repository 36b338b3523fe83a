"""The result of a run that the command line recorded, from its settings, its parameters and its history.

Its files do not hold the samples. These are drawn again, or read again from the data file, and are used only where what is
recorded of them agrees: their number, their nodes, their floor, and the loss of the parameters. Since a record may have been
written by anybody, this takes a bounded time.
"""

import time
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from polyexp.base import InputError, one_of, require
from polyexp.exact import quadratic_of
from polyexp.fitting import History, Outcome, Result
from polyexp.model import Model, degree_in_x
from polyexp.optimizer import Optimizer
from polyexp.problem import TARGETS, Samples, Source, samples_for
from polyexp.tracking.history_file import history_rows
from polyexp.tracking.of_record import about, component_of
from polyexp.tracking.ownership import HISTORY
from polyexp.tracking.recorded import HISTORY_LIMIT
from polyexp.tracking.result_file import ResultFile, fitted

__all__ = ["recorded_result"]

HEADS = ["step", "loss", "excess", "grad_norm"]  # the first columns of history.csv
MAX_SAMPLES, MAX_SECONDS = 2**24, 20.0  # that are drawn or read again
WITHOUT_LOSS = {Outcome.DIVERGED.name, Outcome.INTERRUPTED.name}  # the final loss of others is finite
ROUNDING = 1e-9  # of a loss that another machine computed, relative to it


class OtherSamplesError(Exception):
    """Samples that cannot be had again. The message goes on after "because"."""


def recorded_result(files: Any, text: bytes, content: Mapping[str, Any], where: str) -> Result:
    """The result of a recorded run.

    Args:
        files: The files of the run, `RunFiles`.
        text: The text of result.json.
        content: The same as an object.
        where: The folder or the run, for errors.

    Raises:
        InputError: A file is damaged.
    """
    with about("result.json", where):
        record = ResultFile.of(text)
        model, params, _ = fitted(record)
        one_of("outcome", record.outcome, Outcome.__members__)
        _require_complete(record, content, model)
        optimizer = _optimizer(record)
        seed = record.config.get("seed")
        initial = model.initial_params(seed) if isinstance(seed, int) else np.full(params.shape, np.nan)
    with about(HISTORY, where):
        history = _history(files, model)
    samples = _samples(record, model, params, seed if isinstance(seed, int) else 0, where)
    return Result(
        model=model,
        optimizer=optimizer,
        samples=samples,
        quadratic=quadratic_of(model, samples) if samples.size else None,
        initial=initial,
        params=params,
        loss=_or_nan(record.loss),
        excess=_or_nan(record.excess) if model.linear else None,
        max_error=_or_nan(record.max_error),
        outcome=Outcome[record.outcome],
        steps=np.int64(record.steps or 0),
        history=history,
        seconds=float(record.seconds or 0),
        computed_by=record.computed_by,
    )


def _require_complete(record: ResultFile, content: Mapping[str, Any], model: Model) -> None:
    """Require what is written of every run, and null only where a number may be missing or not finite."""
    for key in ("steps", "loss", "seconds", "computed_by"):
        if key not in content:
            raise InputError(f"`{key}` is missing")
    wanted = f"a finite number, or null where the outcome is {' or '.join(sorted(WITHOUT_LOSS))}"
    require(record.loss is not None or record.outcome in WITHOUT_LOSS, "loss", wanted, None)
    wanted = "null, since the model is not linear in its parameters"
    require(model.linear or record.excess is None, "excess_loss", wanted, record.excess)


def _optimizer(record: ResultFile) -> Optimizer:
    """The optimizer with the numbers that were used in place of "auto" and the like."""
    cls = {"learning_rate": record.learning_rate, "momentum": record.momentum}
    used = {
        name: value
        for name, value in cls.items()
        if value is not None and isinstance(record.config.get(f"{Optimizer.group}.{name}"), str)
    }
    made: Optimizer = component_of(Optimizer.group, record.config, values=used)
    if made.automatic:
        raise InputError(f"`{made.sought[0]}` that was used is missing")
    return made


def _history(files: Any, model: Model) -> History:
    names, rows = history_rows(files.read(HISTORY, HISTORY_LIMIT))
    if names != [*HEADS, *model.param_names]:
        raise InputError("its columns must be step, loss, excess, grad_norm and the parameters of the model")
    table = np.array(list(rows), float).reshape(-1, len(names))
    step = table[:, 0].astype(np.int64)
    loss, excess, grad_norm = (np.ascontiguousarray(table[:, column]) for column in (1, 2, 3))
    return History(step, np.ascontiguousarray(table[:, 4:]), loss, excess, grad_norm, np.int64(step.size))


def _samples(record: ResultFile, model: Model, params: np.ndarray, seed: int, where: str) -> Samples:
    """The samples that were fitted, or where they cannot be had again none, with a warning."""
    try:
        samples = _again(record, model, seed)
        _require_the_same(record, samples, model, params)
    except (OtherSamplesError, InputError) as error:
        reason = str(error).removesuffix(".")
        warnings.warn(
            f"The result of {where} has no samples, because {reason[:1].lower()}{reason[1:]}.",
            UserWarning,
            stacklevel=5,
        )
        none, target = np.empty(0), record.config.get("problem.target")
        assert record.domain
        return Samples(
            none,
            none,
            none,
            record.domain,
            name=record.word("problem"),
            total=record.total,
            target=TARGETS.get(target) if isinstance(target, str) else None,
        )
    return samples


def _again(record: ResultFile, model: Model, seed: int) -> Samples:
    if record.total > MAX_SAMPLES:
        raise OtherSamplesError(f"drawing {record.total} samples again would take too long")
    source = _source(record)
    number = getattr(source, "num_samples", record.total)
    if number != record.total:
        raise OtherSamplesError("they are of another number than is recorded")
    end = time.monotonic() + MAX_SECONDS

    def in_time(fraction: float) -> None:
        if time.monotonic() > end:
            raise OtherSamplesError(f"reading them again takes longer than {MAX_SECONDS:g} seconds")

    try:
        source.check()
        return samples_for(source, degree_in_x(model), seed, in_time)
    except OSError as error:
        raise OtherSamplesError(f"they cannot be read again ({error.strerror or error})") from error


def _source(record: ResultFile) -> Source:
    """The source of the samples, a data file, a named function, or the source of a plugin."""
    made: Source
    if record.config.get("problem.path") is not None:
        made = component_of(Source.group, record.config, "file")
    elif record.config.get("problem.num_samples") is not None and record.word("problem.target") in TARGETS:
        made = component_of(Source.group, record.config, "target")
    elif any(key.startswith("problem.") and key != "problem.target" for key in record.config):
        made = component_of(Source.group, record.config)
    else:
        raise OtherSamplesError("its record does not say how they were made")
    return made


def _require_the_same(record: ResultFile, samples: Samples, model: Model, params: np.ndarray) -> None:
    with np.errstate(all="ignore"):
        loss = float(samples.loss(model(params, samples.x)))
    there = record.loss if record.loss is not None else loss
    same = samples.total == record.total and samples.domain == record.domain
    if not (same and abs(loss - there) <= ROUNDING * abs(there)) and np.isfinite(loss):
        raise OtherSamplesError("they are not those that were fitted")


def _or_nan(value: float | None) -> np.float64:
    return np.float64(np.nan if value is None else value)
