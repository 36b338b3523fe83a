"""Whole fits: blocks of steps with a snapshot after each, until every run has ended."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from polyexp.backend import Backend, Torch, blas_threads
from polyexp.base import InputError, require, seeds
from polyexp.device import CPU, Device
from polyexp.exact import Quadratic, quadratic_of, require_modes, tuned
from polyexp.fitting.arrays import problem_and_model, require_parts
from polyexp.fitting.blocks import Keep, run_blocks
from polyexp.fitting.checkpoint import Checkpoint
from polyexp.fitting.max_error import max_error
from polyexp.fitting.outcome import Outcome
from polyexp.fitting.progress import Rules, largest_loss, loss_of
from polyexp.fitting.result import Result
from polyexp.fitting.slices import Slices, slices_of
from polyexp.fitting.state import Snapshot
from polyexp.fitting.stepper import ClosedFormStepper, StepByStep, Stepper
from polyexp.fitting.updates import place
from polyexp.loop import Loop, Manual
from polyexp.model import Model, degree_in_x
from polyexp.optimizer import GradientDescent, Optimizer
from polyexp.problem import Chunk, OnProgress, Samples, require_samples, samples_for

__all__ = ["NUMERICAL_CORE", "computed_by", "fit", "require_offers"]

# The version of what decides the numbers of a result: it is raised whenever a run of the same settings gives other ones.
NUMERICAL_CORE = 1

FUNCTIONS = {  # what `fit` calls, in words
    "keep": "a function of a function that makes a checkpoint, such as `lambda make: print(make().state.step)`",
    "observe": "a function of a snapshot, such as `lambda snapshot: print(snapshot.step)`",
    "on_progress": "a function of a fraction from 0 to 1, such as `print`",
    "stop": "a function without arguments that returns True or False, such as `lambda: True`",
}


def fit(
    problem: Any,
    y: Any = None,
    model: Model | None = None,
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
    start: Checkpoint | Callable[[Checkpoint], Checkpoint] | None = None,
    stop: Callable[[], bool] | None = None,
    keep: Keep | None = None,
) -> Result:
    """Fit a model by gradient descent on the loss L(w) = sum_i a_i (f(x_i; w) - y_i)^2 + floor.

    It is called with arrays, `fit(x, y, model)`, or with a source of samples, `fit(problem, model)`.

    One call computes several runs as a batch if `seed` is a sequence, if the optimizer has arrays of numbers, or if `params`
    has more than one dimension; their shapes broadcast together to (*runs,). Divergence is an outcome, not an error.

    Args:
        problem: The x of N samples: an array, a pandas Series or a list. Or a problem or a data file, whose samples are reduced
            as its `reduction` says; or samples, which are used as they are (`gauss` reduces them). Shape (N,).
        y: The y of the samples, where `problem` is their x; their weights are then 1 / N each (`Samples.of` takes others).
            Otherwise the model may stand here. Shape (N,).
        model: The model; `fit` maps it to the domain of the samples.
        loop: The loop, by default `Manual()`: 4000 steps with gradients by hand.
        optimizer: The optimizer, by default `GradientDescent()` with the learning rate 1e-6.
        backend: The backend, by default `Torch()`, in float64.
        device: The device, by default the one that the backend has: the cpu, unless `backend.on_device` put it elsewhere.
        seed: The seed of the initial values and of random samples, from 0 to 2^32 - 1; or a sequence of seeds, one for each
            run, the first of which is that of the samples.
        params: Initial values in place of those of the model. Shape (*runs, K).
        samples: The samples of the problem, where they have been read and reduced already.
        observe: Called with every snapshot: each `loop.log_every` steps, after the last one, and at some early steps.
        on_progress: Called with the fraction of the samples that has been read, from 0 to 1: before the fit, and once more
            after it, for the max error.
        start: The checkpoint of an earlier fit, from which this one goes on; its result is that of a fit that was never
            stopped, to the bit. Model, optimizer, initial values, `loop.log_every` and samples must be those of the earlier
            fit; `loop.steps`, `loop.tolerance`, `loop.patience`, the backend and the device may be others. Or a function that
            is called with the checkpoint of this fit before its first step and returns it, such as the `joined` of a
            `SavedCheckpoint`.
        stop: Called between blocks of steps, each of which takes at most half a second; if it returns True, the runs that go
            on end as INTERRUPTED, and the result has a checkpoint.
        keep: Called between blocks of steps, after `stop`, with a function that makes the checkpoint of that moment. The host
            reads the state only where it is called, which must be before `keep` returns. The checkpoint stays what it is
            while the fit goes on, and its history is not copied.

    Returns:
        The result of all runs, in float64 NumPy.

    Raises:
        InputError: x and y are not finite numbers in equally long arrays of one axis, or have masked values; the model stands
            before the data; the checkpoint is of another fit; `start`, or a function that is to be called, is of the wrong
            kind; the parts do not fit together, such as a backend without what the loop needs, or shapes of runs that do not
            broadcast; samples are given twice; or they cannot be read.

    Example:
        >>> import polyexp as p
        >>> samples = p.Samples.of([-1, 0, 1], [1, 0, 1])
        >>> loop, optimizer = p.Manual(steps=100, tolerance=1e-9, log_every=10), p.GradientDescent(0.25)
        >>> result = p.fit(samples, p.PowerSeries(degree=1), loop=loop, optimizer=optimizer, backend=p.NumPy())
        >>> f"{result.loss:.6g}", result.outcome.name, bool(result.steps < 100)
        ('0.222222', 'CONVERGED', True)
        >>> p.fit([-1, 0, 1], [1, 0, 1], p.PowerSeries(degree=1), loop=loop, optimizer=optimizer).params.round(3).tolist()
        [0.667, 0.0]
    """
    problem, model = problem_and_model(problem, y, model)
    require_parts(loop=loop, optimizer=optimizer, backend=backend, device=device)
    _require_kinds(start, observe=observe, on_progress=on_progress, stop=stop, keep=keep)
    loop, optimizer = loop or Manual(), optimizer or GradientDescent()
    backend = backend or Torch()
    backend = backend.on_device(device or backend.device)
    require_offers(loop, backend)
    seeds("seed", seed)
    if samples is not None:
        require_samples("samples", samples)
    if isinstance(problem, Samples) and samples is not None:
        raise InputError(
            "`samples` are those of a problem or a data file; samples to be fitted are given alone: `fit(samples, model)`."
        )
    first = int(np.ravel(seed)[0])
    chunks: Iterable[Chunk | Samples]
    with blas_threads(backend.device):
        if isinstance(problem, Samples):
            samples, chunks = problem, [problem]
        else:
            samples = samples or samples_for(problem, degree_in_x(model), first, on_progress)
            chunks = problem.chunks(first, on_progress)
        model = model.on_domain(samples.domain)
        quadratic = quadratic_of(model, samples)
        initial = model.initial_params(seed) if params is None else model.check_params(params)
        initial = _spread(initial, optimizer)
        optimizer = tuned(optimizer, model, quadratic, initial, loop, backend)
        stepper = _stepper(model, loop, optimizer, backend, samples, quadratic, initial)
        rules = Rules(largest_loss(model, samples, initial, optimizer, quadratic), loop, quadratic)
        state = stepper.start(initial)
        begin = Checkpoint.before_the_first_step(model, optimizer, samples, initial, state, rules)
        if start is not None:
            whole = start if isinstance(start, Checkpoint) else start(begin)
            require(isinstance(whole, Checkpoint), "start", "a function that returns a checkpoint", whole)
            begin = _going_on(begin, whole)
        functions = (observe or (lambda snapshot: None), stop or (lambda: False), keep or (lambda make: None))
        reached, stopped = run_blocks(stepper, loop, begin, *functions)
        going = reached.progress.going
        last = reached.history.params[-1] if reached.history.step.size else initial
        params = np.where(going[..., None], reached.finite, last)
        loss = loss_of(model, samples, params)
        progress = reached.progress.ending(Outcome.INTERRUPTED) if stopped else reached.progress.end(loss)
        return Result(
            model=model,
            optimizer=optimizer,
            samples=samples,
            quadratic=quadratic,
            initial=initial,
            params=params,
            loss=loss[()],
            excess=quadratic.excess(params)[()] if quadratic else None,
            max_error=np.full_like(loss, np.nan)[()] if stopped else max_error(model, params, chunks)[()],
            outcome=progress.outcome[()],
            steps=np.where(going, reached.taken, progress.steps)[()],
            history=reached.history,
            seconds=reached.seconds,
            computed_by=computed_by(loop, backend),
            checkpoint=reached if stopped else None,
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


def _require_kinds(start: Any, **functions: Any) -> None:
    """Require a checkpoint, and functions; None stands for none of them."""
    wanted = "the checkpoint of a fit that was stopped, which is `result.checkpoint` of its result"
    require(start is None or isinstance(start, Checkpoint) or _is_function(start), "start", wanted, start)
    for name, function in functions.items():
        require(function is None or callable(function), name, FUNCTIONS[name], function)


def _is_function(value: Any) -> bool:
    """Whether it can be called and is no result, which can be called too, with an x."""
    return callable(value) and not isinstance(value, Result)


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


def _stepper(
    model: Model,
    loop: Loop,
    optimizer: Optimizer,
    backend: Backend,
    samples: Samples,
    quadratic: Quadratic | None,
    initial: np.ndarray,
) -> Stepper:
    """The stepper of a fit: the closed form, or one that takes every step; of a large batch on a processor in slices."""
    if loop.direct:
        return ClosedFormStepper(require_modes(optimizer, quadratic), optimizer.on_device(np.asarray), initial)
    data = place(samples, model, backend)

    def of(rule: Optimizer) -> StepByStep:
        return StepByStep(model, loop, rule, rule.on_device(backend.put).numbers, backend, data, quadratic)

    *runs, size = initial.shape
    slices = slices_of(tuple(runs), max(size, samples.size)) if isinstance(backend.device, CPU) else []
    if len(slices) > 1:
        return Slices(tuple((part, of(optimizer.of_run(part, tuple(runs)))) for part in slices))
    return of(optimizer)


def _going_on(first: Checkpoint, start: Checkpoint) -> Checkpoint:
    """The checkpoint `start` with the rules of this fit, of which `first` is the checkpoint before the first step."""
    rules = first.progress.rules
    different = first.differences(start)
    if different:
        raise InputError(
            f"`start` must be a checkpoint of this fit, got one of a fit with other values of {' and '.join(different)}: "
            "give the arguments of the fit that was stopped."
        )
    if rules.loop.steps < start.state.step:
        raise InputError(
            f"`{rules.loop.key('steps')}` must be at least {start.state.step}, the steps that the checkpoint has taken, got "
            f"{rules.loop.steps}."
        )
    return replace(start, progress=replace(start.progress, rules=rules))
