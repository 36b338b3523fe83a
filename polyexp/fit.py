"""Gradient descent from a first to a last state, as a sequence of frozen values.

    start -> State -> step -> State -> ... -> Result

`step` is one update, pure and usable by hand; `fit` takes many of them and looks every `loop.log_every` steps.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from typing import Any

import numpy as np

from polyexp.backends import Backend, Torch
from polyexp.checks import InputError, seeds
from polyexp.devices import Device
from polyexp.loops import Loop, Manual
from polyexp.models import Model
from polyexp.optimizers import GradientDescent, Optimizer
from polyexp.problem import Problem
from polyexp.samples import Array, Data, Samples

__all__ = ["History", "Outcome", "Result", "State", "fit", "place", "start", "step"]

GROWTH_LIMIT = 1e6  # a loss this many times the first one counts as diverged


class Outcome(Enum):
    """Why a run ended; the value is a sentence of advice."""

    MAX_STEPS = "All steps were taken. Add loop.steps if the loss is still falling."
    DIVERGED = (
        "The loss left every bound, and the last finite parameters were kept. Try a smaller optimizer.learning_rate."
    )


_OUTCOMES = np.array([Outcome.MAX_STEPS, Outcome.DIVERGED])  # by whether the run has diverged


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
class History:
    """What was seen at the L looks, in float64 NumPy; row l is the state after `step[l]` updates."""

    step: np.ndarray  # shape: (L,)
    loss: np.ndarray  # shape: (L, *runs)
    grad_norm: np.ndarray  # shape: (L, *runs)
    params: np.ndarray  # shape: (L, *runs, K)


@dataclass(frozen=True)
class Result:
    """What a fit found, in float64 NumPy; `runs` is () for a single fit, whose numbers are then plain scalars.

    loss and max_error (the largest |model - y| over the samples) are evaluated at the final parameters in float64,
    whatever the backend. steps: the updates behind `params`. seconds: time in the loop, for all runs together.
    """

    model: Model
    samples: Samples
    params: np.ndarray  # shape: (*runs, K)
    loss: Any  # shape: (*runs,)
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
    """Everything of a fit that stays the same while its state moves."""

    model: Model
    loop: Loop
    optimizer: Optimizer
    backend: Backend
    data: Data

    def steps(self, state: State, n: int) -> State:
        """n updates of all runs, of which only the last one computes loss and gradient norm."""
        gradient, update = self.loop.gradient(self.model, self.data), self.optimizer.update

        def advance(carry: tuple[Array, dict[str, Array]]) -> tuple[Array, dict[str, Array]]:
            params, opt_state = carry
            change, opt_state = update(gradient(params), opt_state)
            return params + change, opt_state

        params, opt_state = self.backend.iterate(advance, (state.params, state.opt_state), n - 1)
        before = replace(state, step=state.step + n - 1, params=params, opt_state=opt_state)
        return self.backend.iterate(partial(step, self.model, self.loop, self.optimizer, self.data), before, 1)

    def view(self, state: State) -> State:
        """The state as float64 NumPy: the one place where the host waits for the device."""
        get = self.backend.get
        opt_state = {name: get(array) for name, array in state.opt_state.items()}
        return State(state.step, get(state.params), opt_state, get(state.loss), get(state.grad_norm))

    def last_finite(self, state: State, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Each run's last finite parameters within n updates, and their step: the block once more, looking at each.

        # shape: (*runs, K), (*runs,)
        """
        kept = self.backend.get(state.params)
        at = np.full(kept.shape[:-1], state.step)
        for _ in range(n):
            state = self.steps(state, 1)
            params = self.backend.get(state.params)
            finite = np.isfinite(params).all(-1)
            if not finite.any():
                break
            kept = np.where(finite[..., None], params, kept)
            at = np.where(finite, state.step, at)
        return kept, at


def fit(
    problem: Problem | Samples,
    model: Model,
    *,
    loop: Loop | None = None,
    optimizer: Optimizer | None = None,
    backend: Backend | None = None,
    device: Device | None = None,
    seed: int | Sequence[int] = 0,
    params: Any = None,
    look: Callable[[State], None] | None = None,
) -> Result:
    """Fit `model` to `problem` by gradient descent.

    Several runs are computed at once where `seed` is a sequence, where the optimizer holds arrays of numbers, or where
    `params` (initial values in place of the model's own) has shape (*runs, K); these shapes are broadcast together.
    Random samples follow the first seed.
    The defaults are those of the command line: 4000 steps of gradient descent at 1e-6, by hand, in torch, on the cpu.
    `look` is called with the state, as float64 NumPy, every `loop.log_every` steps and after the last one.

    Raises InputError where the parts do not go together. Divergence is an outcome, not an error.
    """
    loop, optimizer = loop or Manual(), optimizer or GradientDescent()
    backend = backend or Torch()
    backend = backend.on(device or backend.device)
    require_offers(loop, backend)
    seeds("seed", seed)
    samples = problem if isinstance(problem, Samples) else problem.samples(int(np.ravel(seed)[0]))
    model = model.on(samples.domain)
    initial = model.initial_params(seed) if params is None else model.check_params(params)
    initial = _spread(initial, optimizer)
    descent = Descent(model, loop, optimizer.on(backend.put), backend, place(samples, model, backend))
    return _descend(descent, samples, start(initial, optimizer, backend), look or (lambda state: None))


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


def _descend(descent: Descent, samples: Samples, state: State, look: Callable[[State], None]) -> Result:
    model, loop = descent.model, descent.loop
    params = descent.backend.get(state.params)
    taken = np.zeros(params.shape[:-1], int)
    diverged = np.zeros(params.shape[:-1], bool)
    limit = _loss_limit(samples, model, params)
    seen: list[State] = []
    seconds = 0.0
    while state.step < loop.steps and not diverged.all():
        n = min(loop.log_every, loop.steps - state.step)
        began = time.perf_counter()
        following = descent.steps(state, n)
        view = descent.view(following)
        seconds += time.perf_counter() - began
        reached, at = view.params, np.full(taken.shape, view.step)
        if not np.isfinite(reached[~diverged]).all():
            reached, at = descent.last_finite(state, n)
        params = np.where(diverged[..., None], params, reached)
        taken = np.where(diverged, taken, at)
        diverged |= (at < view.step) | ~(view.loss <= limit)
        view = replace(view, params=params.copy())
        seen.append(view)
        look(view)
        state = following
    loss, max_error = _judge(samples, model, params)
    diverged |= ~(loss <= limit)
    return Result(
        model=model,
        samples=samples,
        params=params,
        loss=loss[()],
        max_error=max_error[()],
        outcome=_OUTCOMES[diverged.astype(int)],
        steps=taken[()],
        history=_history(seen),
        seconds=seconds,
        computed_by=descent.backend.describe(),
    )


def _judge(samples: Samples, model: Model, params: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Loss and largest error of each run, in float64."""
    with np.errstate(all="ignore"):
        predictions = model(params, samples.x)
        return np.asarray(samples.loss(predictions)), np.abs(predictions - samples.y).max(-1)


def _loss_limit(samples: Samples, model: Model, params: np.ndarray) -> np.ndarray:
    """The largest loss that has not diverged: finite, and at least that of the zero function, as a nearly perfect start
    may wander.
    """
    with np.errstate(over="ignore"):
        limit = np.maximum(GROWTH_LIMIT * _judge(samples, model, params)[0], samples.loss(np.zeros_like(samples.y)))
    return np.asarray(np.minimum(limit, np.finfo(float).max))


def _history(seen: list[State]) -> History:
    columns = ("step", "loss", "grad_norm", "params")
    return History(**{name: np.stack([getattr(state, name) for state in seen]) for name in columns})
