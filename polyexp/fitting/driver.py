"""Gradient descent from a first to a last state, as a sequence of frozen values.

    start -> State -> step -> State -> ... -> Result

`step` is one update, pure and usable by hand; `fit` takes many of them and looks every `loop.log_every` steps.
"""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from enum import Enum
from functools import partial
from typing import Any

import numpy as np

from polyexp.backend import Backend, Torch
from polyexp.base.validation import InputError, seeds
from polyexp.device import Device
from polyexp.exact.quadratic import Quadratic, quadratic_of
from polyexp.exact.rates import require_modes, tuned
from polyexp.loop import Loop, Manual
from polyexp.model import Model, degree_in_x
from polyexp.optimizer import GradientDescent, Optimizer
from polyexp.problem.reduction import samples_for
from polyexp.problem.samples import Array, Chunk, Data, Samples
from polyexp.problem.sampling import Progress, Source

__all__ = ["History", "Look", "Outcome", "Result", "State", "fit", "place", "start", "step"]

GROWTH_LIMIT = 1e6  # a loss this many times the first one counts as diverged
STALL = 1e-9  # a loss must fall by this part to count as falling
BLOCK = 2**22  # values of the model computed at a time when the largest error is sought


class Outcome(Enum):
    """Why a run ended; the value is a sentence of advice."""

    CONVERGED = "The tolerance was reached. Ask for a smaller loop.tolerance to come closer."
    STALLED = "The loss no longer falls. Another optimizer.learning_rate, optimizer or model may bring it further."
    MAX_STEPS = "All steps were taken. Add loop.steps if the loss is still falling."
    DIVERGED = (
        "The loss left every bound, and the last finite parameters were kept. Try a smaller optimizer.learning_rate."
    )


@dataclass(frozen=True)
class State:
    """A moment of a run: arrays only, of one backend.

    params and opt_state are those after `step` updates; loss and grad_norm belong to the parameters before the last of
    these updates (nan where none was taken).
    """

    step: int
    params: Array  # shape: (*runs, K)
    opt_state: dict[str, Array]
    loss: Array  # shape: (*runs,)
    grad_norm: Array  # shape: (*runs,)


@dataclass(frozen=True)
class Look:
    """What is seen of a state, in float64 NumPy.

    params are those after `step` updates; loss, excess (how far it is above the best possible loss, nan where that is not
    known) and grad_norm belong to the parameters before the last of these updates.
    """

    step: int
    params: np.ndarray  # shape: (*runs, K)
    loss: np.ndarray  # shape: (*runs,)
    excess: np.ndarray  # shape: (*runs,)
    grad_norm: np.ndarray  # shape: (*runs,)

    def standing_still(self, last: "Look", ended: np.ndarray) -> "Look":
        """This look with the numbers of the last one for runs that had ended by then."""
        numbers = ("loss", "excess", "grad_norm")
        return replace(self, **{one: np.where(ended, getattr(last, one), getattr(self, one)) for one in numbers})


@dataclass(frozen=True)
class History:
    """All L looks of a fit. A run of several that has ended stands still until the last one has."""

    step: np.ndarray  # shape: (L,)
    params: np.ndarray  # shape: (L, *runs, K)
    loss: np.ndarray  # shape: (L, *runs)
    excess: np.ndarray  # shape: (L, *runs)
    grad_norm: np.ndarray  # shape: (L, *runs)

    @classmethod
    def of(cls, looks: Sequence[Look]) -> "History":
        """The looks, stacked."""
        return cls(**{one.name: np.stack([getattr(look, one.name) for look in looks]) for one in fields(cls)})


@dataclass(frozen=True)
class Result:
    """What a fit found, in float64 NumPy; `runs` is () for a single fit, whose numbers are then plain scalars.

    loss and max_error (the largest |model - y| over the samples) are evaluated at the final parameters in float64,
    whatever the backend. steps: the updates behind `params`. seconds: time in the loop, for all runs together.
    optimizer: as it was used, with the rate that "auto" found. quadratic: the loss as a quadratic form, and excess: how far
    above the best possible loss the result is, for a model linear in its parameters (None for others).
    """

    model: Model
    optimizer: Optimizer
    samples: Samples
    quadratic: Quadratic | None
    initial: np.ndarray  # shape: (*runs, K)
    params: np.ndarray  # shape: (*runs, K)
    loss: Any  # shape: (*runs,)
    excess: Any  # shape: (*runs,)
    max_error: Any  # shape: (*runs,)
    outcome: Any  # shape: (*runs,), of Outcome
    steps: Any  # shape: (*runs,)
    history: History
    seconds: float
    computed_by: str

    @property
    def parameters(self) -> dict[str, Any]:
        """The final parameters by name: floats of a single fit, arrays of shape (*runs,) of several."""
        columns = np.moveaxis(self.params, -1, 0)
        return {name: float(v) if v.ndim == 0 else v for name, v in zip(self.model.param_names, columns, strict=True)}

    @property
    def power_series(self) -> np.ndarray:  # shape: (*runs, degree + 1)
        """The fitted polynomial as coefficients in x, by ascending power; inf or nan where a diverged fit overflows."""
        with np.errstate(all="ignore"):
            return self.model.power_series(self.params)

    def __call__(self, x: Any) -> np.ndarray:  # shape: (N,) -> (*runs, N)
        """The fitted model's values at x; inf or nan where a diverged fit overflows."""
        with np.errstate(all="ignore"):
            return self.model(self.params, x)


def place(samples: Samples, model: Model, backend: Backend) -> Data:
    """The model's features, the targets and the weights as arrays of the backend."""
    put = backend.put
    with np.errstate(over="ignore", invalid="ignore"):  # x^1000 may overflow: an outcome, not a warning
        return Data(put(model.features(samples.x)), put(samples.y), put(samples.weights), float(samples.floor))


def start(params: Any, optimizer: Optimizer, backend: Backend) -> State:  # shape: (*runs, K)
    """The state before the first update."""
    params = np.array(params, float)
    unknown = backend.put(np.full(params.shape[:-1], np.nan))
    opt_state = {name: backend.put(array) for name, array in optimizer.init(params).items()}
    return State(0, backend.put(params), opt_state, unknown, unknown)


def step(model: Model, loop: Loop, optimizer: Optimizer, data: Data, state: State) -> State:
    """One update of all runs.

    model is the one on the samples' domain (`model.on`), and an optimizer with per-run numbers the one that holds them
    as arrays of the backend (`optimizer.on(backend.put)`). InputError where it is not.
    """
    if not optimizer.placed and optimizer.runs:
        raise InputError(
            "An optimizer with a number for each run must be put on the backend: optimizer.on(backend.put)."
        )
    loss, grad = loop.value_and_gradient(model, data)(state.params)
    update, opt_state = optimizer.update(grad, state.opt_state)
    return State(state.step + 1, state.params + update, opt_state, loss, (grad * grad).sum(-1) ** 0.5)


@dataclass(frozen=True)
class Descent:
    """Everything of a fit that stays the same while its state moves, step by step."""

    model: Model
    loop: Loop
    optimizer: Optimizer
    backend: Backend
    data: Data

    def start(self, initial: np.ndarray) -> State:
        """The state before the first update."""
        return start(initial, self.optimizer, self.backend)

    def advance(self, state: State, n: int) -> State:
        """n updates of all runs, without looking: neither loss nor gradient norm is computed."""
        gradient, update = self.loop.gradient(self.model, self.data), self.optimizer.update

        def once(carry: tuple[Array, dict[str, Array]]) -> tuple[Array, dict[str, Array]]:
            params, opt_state = carry
            change, opt_state = update(gradient(params), opt_state)
            return params + change, opt_state

        params, opt_state = self.backend.iterate(once, (state.params, state.opt_state), n)
        return replace(state, step=state.step + n, params=params, opt_state=opt_state)

    def step(self, state: State) -> State:
        """One update, with its loss and gradient norm."""
        return self.backend.iterate(partial(step, self.model, self.loop, self.optimizer, self.data), state, 1)

    def get(self, array: Array) -> np.ndarray:
        """An array as float64 NumPy: where the host waits for the device."""
        return self.backend.get(array)

    def last_finite(self, state: State, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Each run's last finite parameters within n updates, and their step: the block once more, looking at each.

        # shape: (*runs, K), (*runs,)
        """
        kept = self.get(state.params)
        at = np.full(kept.shape[:-1], state.step)
        for _ in range(n):
            state = self.advance(state, 1)
            params = self.get(state.params)
            finite = np.isfinite(params).all(-1)
            if not finite.any():
                break
            kept = np.where(finite[..., None], params, kept)
            at = np.where(finite, state.step, at)
        return kept, at


@dataclass(frozen=True)
class Jump:
    """The same of a fit whose steps are known without those before them: every mode by its own factor."""

    quadratic: Quadratic
    optimizer: Optimizer
    initial: np.ndarray  # shape: (*runs, K)

    def start(self, initial: np.ndarray) -> State:
        """The state before the first update."""
        unknown = np.full(initial.shape[:-1], np.nan)
        return State(0, initial, {}, unknown, unknown)

    def advance(self, state: State, n: int) -> State:
        """The state n updates after this one."""
        return replace(state, step=state.step + n, params=self.quadratic.params(self._coordinates(state.step + n)))

    def step(self, state: State) -> State:
        """One update, with its loss and gradient norm."""
        before = self._coordinates(state.step)
        with np.errstate(all="ignore"):
            loss = self.quadratic.lowest + self.quadratic.excess_at(before)
            grad_norm = np.asarray(((self.quadratic.eigenvalues * before) ** 2).sum(-1) ** 0.5)
        return replace(self.advance(state, 1), loss=loss, grad_norm=grad_norm)

    def get(self, array: Array) -> np.ndarray:
        """Already NumPy."""
        return np.asarray(array)

    def last_finite(self, state: State, n: int) -> tuple[np.ndarray, np.ndarray]:
        """The last ones that were computed: those of `state`."""
        return state.params, np.full(state.params.shape[:-1], state.step)

    def _coordinates(self, step: int) -> np.ndarray:
        damping = self.optimizer.damping(self.quadratic.eigenvalues, step)
        with np.errstate(all="ignore"):
            return np.asarray(damping * self.quadratic.coordinates(self.initial))


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
    progress: Progress | None = None,
) -> Result:
    """Fit `model` to `problem` by gradient descent.

    Several runs are computed at once where `seed` is a sequence, where the optimizer holds arrays of numbers, or where
    `params` (initial values in place of the model's own) has shape (*runs, K); these shapes are broadcast together.
    Random samples follow the first seed. The defaults are those of the command line: 4000 steps of gradient descent at
    1e-6, by hand, in torch, on the cpu.

    A problem's samples are reduced as its `reduction` says; `samples` gives them where that has been done already. Samples
    in place of a problem are taken as they are (`reduction.gauss` reduces them).
    `look` is called with what is seen every `loop.log_every` steps and after the last one, `progress`
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
        samples = samples or samples_for(problem, degree_in_x(model), first, progress)
        chunks = problem.chunks(first, progress)
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
    runs = _Runs(initial, _largest_loss(model, samples, initial, optimizer, quadratic), loop, quadratic)
    history, seconds = _descend(descent, loop, runs, quadratic, look or (lambda look: None))
    loss = _loss(model, samples, runs.params)
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


class _Runs:
    """The runs of one fit on the way to their ends: the only thing here that changes."""

    def __init__(self, initial: np.ndarray, limit: np.ndarray, loop: Loop, quadratic: Quadratic | None) -> None:
        self.params = np.array(initial, float)  # shape: (*runs, K)
        self.taken = np.zeros(limit.shape, int)
        self.outcome = np.full(limit.shape, None, object)
        self._lowest, self._waited = np.full(limit.shape, np.inf), np.zeros(limit.shape, int)
        self._limit, self._quadratic = limit, quadratic
        self._tolerance = -1.0 if loop.tolerance is None else loop.tolerance
        self._patience = np.inf if loop.patience is None else loop.patience

    @property
    def going(self) -> np.ndarray:  # shape: (*runs,)
        """Which runs have not ended."""
        return np.asarray(self.outcome == np.array(None))

    def arrive(self, look: Look, reached: np.ndarray, at: np.ndarray) -> None:
        """Take the parameters that the runs have reached at a look, and find out which have ended."""
        going = self.going
        self.params = np.where(going[..., None], reached, self.params)
        self.taken = np.where(going, at, self.taken)
        excess = self._quadratic.excess(self.params) if self._quadratic else None
        value, small = (look.loss, look.grad_norm) if excess is None else (excess, excess)
        self._waited = np.where(value < self._lowest * (1 - STALL), 0, self._waited + 1)
        self._lowest = np.fmin(self._lowest, value)
        self._end(Outcome.DIVERGED, (at < look.step) | ~(look.loss <= self._limit))
        self._end(Outcome.CONVERGED, small <= self._tolerance)
        self._end(Outcome.STALLED, self._waited >= self._patience)

    def end(self, loss: np.ndarray) -> None:
        """The outcome of those that are still going, by their final loss."""
        self._end(Outcome.DIVERGED, ~(loss <= self._limit))
        self._end(Outcome.MAX_STEPS, np.array(True))

    def _end(self, outcome: Outcome, ended: np.ndarray) -> None:
        self.outcome[self.going & ended] = outcome


def _descend(
    descent: Descent | Jump, loop: Loop, runs: _Runs, quadratic: Quadratic | None, tell: Callable[[Look], None]
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


def _loss(model: Model, samples: Samples, params: np.ndarray) -> np.ndarray:  # shape: (*runs, K) -> (*runs,)
    """The loss of each run, in float64."""
    with np.errstate(all="ignore"):
        return samples.loss(model(params, samples.x))


def _largest_loss(
    model: Model, samples: Samples, initial: np.ndarray, optimizer: Optimizer, quadratic: Quadratic | None
) -> np.ndarray:
    """The largest loss of a run that has not diverged: finite, and at least that of the zero function, as a nearly perfect
    start may wander.

    A run whose rate is known to be stable may grow as it likes before it falls (momentum does), as long as it stays finite.
    """
    finite = np.finfo(float).max
    with np.errstate(over="ignore"):
        limit = np.maximum(GROWTH_LIMIT * _loss(model, samples, initial), samples.loss(np.zeros_like(samples.y)))
    stable = optimizer.limit(quadratic.largest) if quadratic and quadratic.largest else None
    growing = True if stable is None else np.asarray(optimizer.learning_rate) > stable
    return np.where(growing, np.minimum(limit, finite), finite)


def _max_error(model: Model, params: np.ndarray, chunks: Iterable[Chunk | Samples]) -> np.ndarray:
    """The largest distance between model and sample, of each run."""
    runs = params.shape[:-1]
    block = max(1, BLOCK // max(1, math.prod(runs)))
    largest = np.zeros(runs)
    with np.errstate(all="ignore"):
        for chunk in chunks:
            for begin in range(0, chunk.x.size, block):
                part = slice(begin, begin + block)
                largest = np.maximum(largest, np.abs(model(params, chunk.x[part]) - chunk.y[part]).max(-1))
    return largest
