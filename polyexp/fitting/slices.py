"""The stepper of a large batch, which takes the steps of one slice of the runs after another."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from polyexp.fitting.state import Snapshot, State
from polyexp.fitting.stepper import Stepper

__all__ = ["Slices", "slices_of"]

VALUES_AT_ONCE = 2**14  # of one array of a slice, which the caches of a processor hold together with some others
MIN_RUNS_AT_ONCE = 256  # fewer would take longer to be started than to be computed


def slices_of(runs: tuple[int, ...], size: int) -> list[slice]:
    """The slices in which a processor computes a batch fastest: one of a batch that is small, or that has several axes.

    Args:
        runs: The shape of the batch.
        size: The number of values that one run has in the largest array of a step.
    """
    at_once = max(MIN_RUNS_AT_ONCE, VALUES_AT_ONCE // size)
    if len(runs) != 1 or runs[0] < 2 * at_once:
        return [slice(None)]
    return [slice(begin, begin + at_once) for begin in range(0, runs[0], at_once)]


@dataclass(frozen=True)
class Slices:
    """The stepper of a batch in slices; the arrays of its states are tuples, with one array for each slice.

    Args:
        parts: The slices of the runs, each with the stepper that takes its steps.
    """

    parts: tuple[tuple[slice, Stepper], ...]

    @property
    def divisible(self) -> bool:
        """Whether fewer steps take less time."""
        return self.parts[0][1].divisible

    def start(self, initial: np.ndarray) -> State:
        """The state of the whole batch before the first update, in float64 NumPy."""
        return _together(one.start(initial[runs]) for runs, one in self.parts).moved(np.concatenate)

    def put(self, state: State) -> State:
        """The state in slices, with their arrays moved from the host to where they are computed."""
        return _together(one.put(_sliced(state, runs)) for runs, one in self.parts)

    def get(self, state: State) -> State:
        """The state of the whole batch, in float64 NumPy."""
        return _together(one.get(part) for one, part in self._each(state)).moved(np.concatenate)

    def advance(self, state: State, n: int) -> State:
        """The state n updates later."""
        return _together(one.advance(part, n) for one, part in self._each(state))

    def step(self, state: State) -> State:
        """The state after one update, with the loss and the gradient norm before it."""
        return _together(one.step(part) for one, part in self._each(state))

    def read(self, state: State, before: State) -> Snapshot:
        """The snapshot of the whole batch."""
        pairs = zip(self._each(state), self._each(before), strict=True)
        parts = [one.read(part, earlier) for (one, part), (_, earlier) in pairs]
        names = ("params", "loss", "excess", "grad_norm", "taken")
        whole: dict[str, Any] = {name: np.concatenate([getattr(one, name) for one in parts]) for name in names}
        return replace(parts[0], **whole)

    def last_finite(self, state: State, n: int) -> tuple[np.ndarray, np.ndarray]:
        """The last finite parameters of each run within n updates, and the numbers of updates that gave them.

        # shape: (*runs, K), (*runs,)
        """
        params, taken = zip(*(one.last_finite(part, n) for one, part in self._each(state)), strict=True)
        return np.concatenate(params), np.concatenate(taken)

    def _each(self, state: State) -> Iterator[tuple[Stepper, State]]:
        """Each stepper with the state of its slice."""
        for number, (_, one) in enumerate(self.parts):
            yield one, _sliced(state, number)


def _sliced(state: State, index: int | slice) -> State:
    """The state with one element, or some, of each of its arrays or tuples."""
    return state.moved(lambda array: array[index])


def _together(states: Iterable[State]) -> State:
    """One state with a tuple of the arrays of all states in place of each array."""
    several = list(states)
    opt_state = {name: tuple(one.opt_state[name] for one in several) for name in several[0].opt_state}
    params, loss, grad_norm = zip(*((one.params, one.loss, one.grad_norm) for one in several), strict=True)
    return State(several[0].step, params, opt_state, loss, grad_norm)
