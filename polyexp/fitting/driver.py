"""Gradient descent from a first to a last state, as a sequence of frozen values.

    start -> State -> step -> State -> ... -> Result

`step` is one update, pure and usable by hand; `fit` takes many of them and looks every `loop.log_every` steps.
"""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from polyexp.backend import Backend, Torch
from polyexp.base import InputError, seeds
from polyexp.device import Device
from polyexp.exact import Quadratic, quadratic_of, require_modes, tuned
from polyexp.fitting.progress import Progress, largest_loss
from polyexp.fitting.result import History, Result, loss_of
from polyexp.fitting.state import Look
from polyexp.fitting.stepper import Descent, Jump, place
from polyexp.loop import Loop, Manual
from polyexp.model import Model, degree_in_x
from polyexp.optimizer import GradientDescent, Optimizer
from polyexp.problem import Chunk, OnProgress, Samples, Source, samples_for

__all__ = ["computed_by", "fit", "require_offers"]

VALUES_PER_BLOCK = 2**22  # values of the model computed at a time when the largest error is sought


def fit(
    problem: Source | Samples,
    model: Model,
    *,
    loop: Loop | None = None,
    optimizer: Optimizer | None = None,
    backend: Backend | None = None,
    device: Device | None = None,
    seed: int | Sequence[int] = 0,
    params: Any = None,
    samples: Samples | None = None,
    look: Callable[[Look], None] | None = None,
    on_progress: OnProgress | None = None,
) -> Result:
    """Fit `model` to `problem` by gradient descent.

    Several runs are computed at once where `seed` is a sequence, where the optimizer holds arrays of numbers, or where
    `params` (initial values in place of the model's own) has shape (*runs, K); these shapes are broadcast together.
    Random samples follow the first seed. The defaults are those of the command line: 4000 steps of gradient descent at
    1e-6, by hand, in torch, on the cpu.

    A problem's samples are reduced as its `reduction` says; `samples` gives them where that has been done already. Samples
    in place of a problem are taken as they are (`reduction.gauss` reduces them).
    `look` is called with what is seen every `loop.log_every` steps and after the last one, `on_progress`
    with the fraction done while the samples are read: before the fit, and once more after it, for the largest error.

    Raises InputError where the parts do not go together. Divergence is an outcome, not an error.
    """
    loop, optimizer = loop or Manual(), optimizer or GradientDescent()
    backend = backend or Torch()
    backend = backend.on(device or backend.device)
    require_offers(loop, backend)
    seeds("seed", seed)
    first = int(np.ravel(seed)[0])
    chunks: Iterable[Chunk | Samples]
    if isinstance(problem, Samples):
        samples, chunks = problem, [problem]
    else:
        samples = samples or samples_for(problem, degree_in_x(model), first, on_progress)
        chunks = problem.chunks(first, on_progress)
    model = model.on(samples.domain)
    quadratic = quadratic_of(model, samples)
    optimizer = tuned(optimizer, model, quadratic)
    initial = model.initial_params(seed) if params is None else model.check_params(params)
    initial = _spread(initial, optimizer)
    descent: Descent | Jump
    if loop.direct:
        descent = Jump(require_modes(optimizer, quadratic), optimizer.on(np.asarray), initial)
    else:
        descent = Descent(model, loop, optimizer.on(backend.put), backend, place(samples, model, backend))
    runs = Progress(initial, largest_loss(model, samples, initial, optimizer, quadratic), loop, quadratic)
    history, seconds = _descend(descent, loop, runs, quadratic, look or (lambda look: None))
    loss = loss_of(model, samples, runs.params)
    runs.end(loss)
    return Result(
        model=model,
        optimizer=optimizer,
        samples=samples,
        quadratic=quadratic,
        initial=initial,
        params=runs.params,
        loss=loss[()],
        excess=quadratic.excess(runs.params)[()] if quadratic else None,
        max_error=_max_error(model, runs.params, chunks)[()],
        outcome=runs.outcome[()],
        steps=runs.taken[()],
        history=history,
        seconds=seconds,
        computed_by=computed_by(loop, backend),
    )


def computed_by(loop: Loop, backend: Backend) -> str:
    """What computes, for a person: the backend, unless the loop has no use for it."""
    return f"closed form, numpy {np.__version__}, float64, cpu" if loop.direct else backend.describe()


def require_offers(loop: Loop, backend: Backend) -> None:
    """InputError where the loop needs what the backend does not offer."""
    missing = loop.needs - backend.offers
    if missing:
        raise InputError(
            f"`loop={loop.choice}` needs {' and '.join(sorted(missing))}, which `backend={backend.choice}` does not "
            "offer: type `backend=torch`, or `loop=manual`."
        )


def _spread(initial: np.ndarray, optimizer: Optimizer) -> np.ndarray:
    """The initial values repeated for every run that the optimizer's numbers ask for."""
    *runs, size = initial.shape
    try:
        return np.broadcast_to(initial, (*np.broadcast_shapes(tuple(runs), optimizer.runs), size))
    except ValueError as error:
        raise InputError(f"Seeds, params and the optimizer's numbers must be for the same runs: {error}") from None


def _descend(
    descent: Descent | Jump, loop: Loop, runs: Progress, quadratic: Quadratic | None, tell: Callable[[Look], None]
) -> tuple[History, float]:
    """Blocks of steps, each followed by a look, until every run has ended; what was seen, and the seconds it took."""
    state = descent.start(runs.params)
    looks: list[Look] = []
    seconds = 0.0
    for step in loop.looks():
        n = step - state.step
        began = time.perf_counter()
        before = descent.advance(state, n - 1)
        after = descent.step(before)
        params = descent.get(after.params)
        seconds += time.perf_counter() - began
        loss, grad_norm = descent.get(after.loss), descent.get(after.grad_norm)
        excess = quadratic.excess(descent.get(before.params)) if quadratic else np.full_like(loss, np.nan)
        reached, at = params, np.full(loss.shape, after.step)
        if not np.isfinite(reached[runs.going]).all():
            reached, at = descent.last_finite(state, n)
        look, going = Look(after.step, params, loss, excess, grad_norm), runs.going
        runs.arrive(look, reached, at)
        look = replace(look, params=runs.params)
        looks.append(look if going.all() else look.standing_still(looks[-1], ~going))
        tell(looks[-1])
        if not runs.going.any():
            break
        state = after
    return History.of(looks), seconds


def _max_error(model: Model, params: np.ndarray, chunks: Iterable[Chunk | Samples]) -> np.ndarray:
    """The largest distance between model and sample, of each run."""
    runs = params.shape[:-1]
    block = max(1, VALUES_PER_BLOCK // max(1, math.prod(runs)))
    largest = np.zeros(runs)
    with np.errstate(all="ignore"):
        for chunk in chunks:
            for begin in range(0, chunk.x.size, block):
                part = slice(begin, begin + block)
                largest = np.maximum(largest, np.abs(model(params, chunk.x[part]) - chunk.y[part]).max(-1))
    return largest
