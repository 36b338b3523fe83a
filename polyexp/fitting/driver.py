"""Whole fits: blocks of steps with a snapshot after each, until every run has ended."""

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
from polyexp.fitting.state import Snapshot
from polyexp.fitting.stepper import ClosedFormStepper, StepByStep, place
from polyexp.loop import Loop, Manual
from polyexp.model import Model, degree_in_x
from polyexp.optimizer import GradientDescent, Optimizer
from polyexp.problem import Chunk, OnProgress, Samples, Source, samples_for

__all__ = ["computed_by", "fit", "require_offers"]

MAX_VALUES_AT_ONCE = 2**22  # values of the model that are in memory at once for the max error: 32 MiB


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
    observe: Callable[[Snapshot], None] | None = None,
    on_progress: OnProgress | None = None,
) -> Result:
    """Fit a model to a problem by gradient descent on the loss L(w) = sum_i a_i (f(x_i; w) - y_i)^2 + floor.

    One call computes several runs as a batch if `seed` is a sequence, if the optimizer has arrays of numbers, or if `params`
    has more than one dimension; their shapes broadcast together to (*runs,). Divergence is an outcome, not an error.

    Args:
        problem: A problem or a data file, whose samples are reduced as its `reduction` says; or samples, which are used as
            they are (`gauss` reduces them).
        model: The model; `fit` maps it to the domain of the samples.
        loop: The loop, by default `Manual()`: 4000 steps with gradients by hand.
        optimizer: The optimizer, by default `GradientDescent()` with the learning rate 1e-6.
        backend: The backend, by default `Torch()`, in float64.
        device: The device, by default the one that the backend has: the cpu, unless `backend.on_device` put it elsewhere.
        seed: The seed of the initial values and of random samples, from 0 to 2^32 - 1; or a sequence of seeds, one for each
            run, the first of which is that of the samples.
        params: Initial values in place of those of the model. Shape (*runs, K).
        samples: The samples of the problem, where they have been read and reduced already.
        observe: Called with every snapshot, each `loop.log_every` steps and after the last one.
        on_progress: Called with the fraction of the samples that has been read, from 0 to 1: before the fit, and once more
            after it, for the max error.

    Returns:
        The result of all runs, in float64 NumPy.

    Raises:
        InputError: The parts do not fit together, such as a backend without what the loop needs, or shapes of runs that do
            not broadcast; or the samples cannot be read.

    Example:
        >>> import polyexp as p
        >>> samples = p.Samples.of([-1, 0, 1], [1, 0, 1])
        >>> loop, optimizer = p.Manual(steps=100, tolerance=1e-9, log_every=10), p.GradientDescent(0.25)
        >>> result = p.fit(samples, p.PowerSeries(degree=1), loop=loop, optimizer=optimizer, backend=p.NumPy())
        >>> f"{result.loss:.6g}", result.outcome.name, bool(result.steps < 100)
        ('0.222222', 'CONVERGED', True)
    """
    loop, optimizer = loop or Manual(), optimizer or GradientDescent()
    backend = backend or Torch()
    backend = backend.on_device(device or backend.device)
    require_offers(loop, backend)
    seeds("seed", seed)
    first = int(np.ravel(seed)[0])
    chunks: Iterable[Chunk | Samples]
    if isinstance(problem, Samples):
        samples, chunks = problem, [problem]
    else:
        samples = samples or samples_for(problem, degree_in_x(model), first, on_progress)
        chunks = problem.chunks(first, on_progress)
    model = model.on_domain(samples.domain)
    quadratic = quadratic_of(model, samples)
    optimizer = tuned(optimizer, model, quadratic)
    initial = model.initial_params(seed) if params is None else model.check_params(params)
    initial = _spread(initial, optimizer)
    stepper: StepByStep | ClosedFormStepper
    if loop.direct:
        stepper = ClosedFormStepper(require_modes(optimizer, quadratic), optimizer.on_device(np.asarray), initial)
    else:
        stepper = StepByStep(model, loop, optimizer.on_device(backend.put), backend, place(samples, model, backend))
    progress = Progress(initial, largest_loss(model, samples, initial, optimizer, quadratic), loop, quadratic)
    history, seconds = _run(stepper, loop, progress, quadratic, observe or (lambda snapshot: None))
    loss = loss_of(model, samples, progress.params)
    progress.end(loss)
    return Result(
        model=model,
        optimizer=optimizer,
        samples=samples,
        quadratic=quadratic,
        initial=initial,
        params=progress.params,
        loss=loss[()],
        excess=quadratic.excess(progress.params)[()] if quadratic else None,
        max_error=_max_error(model, progress.params, chunks)[()],
        outcome=progress.outcome[()],
        steps=progress.taken[()],
        history=history,
        seconds=seconds,
        computed_by=computed_by(loop, backend),
    )


def computed_by(loop: Loop, backend: Backend) -> str:
    """The library, dtype and device that compute the fit, as text; NumPy for a loop that does not use the backend."""
    return f"closed form, numpy {np.__version__}, float64, cpu" if loop.direct else backend.describe()


def require_offers(loop: Loop, backend: Backend) -> None:
    """Require that the backend offers what the loop needs.

    Raises:
        InputError: The backend does not offer something that the loop needs.
    """
    missing = loop.needs - backend.offers
    if missing:
        raise InputError(
            f"`loop={loop.choice}` needs {' and '.join(sorted(missing))}, which `backend={backend.choice}` does not "
            "offer: type `backend=torch`, or `loop=manual`."
        )


def _spread(initial: np.ndarray, optimizer: Optimizer) -> np.ndarray:
    """The initial values, broadcast to the runs of the optimizer's numbers.

    # shape: (*runs, K)
    """
    *runs, size = initial.shape
    try:
        return np.broadcast_to(initial, (*np.broadcast_shapes(tuple(runs), optimizer.runs), size))
    except ValueError as error:
        raise InputError(
            f"The seeds, params and optimizer settings must be for the same number of runs: {error}"
        ) from None


def _run(
    stepper: StepByStep | ClosedFormStepper,
    loop: Loop,
    progress: Progress,
    quadratic: Quadratic | None,
    observe: Callable[[Snapshot], None],
) -> tuple[History, float]:
    """The history of all snapshots until every run has ended, and the seconds that its steps took."""
    state = stepper.start(progress.params)
    snapshots: list[Snapshot] = []
    seconds = 0.0
    for step in loop.snapshot_steps():
        n = step - state.step
        began = time.perf_counter()
        # Loss and gradient norm cost a second pass over the samples, so that only the last step of a block computes them.
        before = stepper.advance(state, n - 1)
        after = stepper.step(before)
        params = stepper.get(after.params)  # waits for the device, which belongs to the time of the steps
        seconds += time.perf_counter() - began
        loss, grad_norm = stepper.get(after.loss), stepper.get(after.grad_norm)
        excess = quadratic.excess(stepper.get(before.params)) if quadratic else np.full_like(loss, np.nan)
        reached, at = params, np.full(loss.shape, after.step)
        if not np.isfinite(reached[progress.going]).all():  # rare, so that the block may be computed again
            reached, at = stepper.last_finite(state, n)
        snapshot, going = Snapshot(after.step, params, loss, excess, grad_norm), progress.going
        progress.arrive(snapshot, reached, at)
        snapshot = replace(snapshot, params=progress.params)
        snapshots.append(snapshot if going.all() else snapshot.standing_still(snapshots[-1], ~going))
        observe(snapshots[-1])
        if not progress.going.any():
            break
        state = after
    return History.of(snapshots), seconds


def _max_error(model: Model, params: np.ndarray, chunks: Iterable[Chunk | Samples]) -> np.ndarray:
    """The max error of each run: the largest |f(x_i) - y_i| over all samples, not over those of a reduction.

    # shape: (*runs, K) -> (*runs,)
    """
    runs = params.shape[:-1]
    block = max(1, MAX_VALUES_AT_ONCE // max(1, math.prod(runs)))
    largest = np.zeros(runs)
    with np.errstate(all="ignore"):
        for chunk in chunks:
            for begin in range(0, chunk.x.size, block):
                part = slice(begin, begin + block)
                largest = np.maximum(largest, np.abs(model(params, chunk.x[part]) - chunk.y[part]).max(-1))
    return largest
