"""The blocks of steps of which a fit consists, between two of which it can be stopped."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import dropwhile

import numpy as np

from polyexp.base import Value
from polyexp.fitting.checkpoint import Checkpoint
from polyexp.fitting.history import Collected
from polyexp.fitting.progress import Progress
from polyexp.fitting.state import Snapshot, State
from polyexp.fitting.stepper import Stepper
from polyexp.loop import Loop

__all__ = ["Keep", "run_blocks"]

Keep = Callable[[Callable[[], Checkpoint]], None]  # a function of the function that makes the checkpoint of a moment

MAX_BLOCK_SECONDS = 0.5  # of a block of steps, between two of which a fit can be stopped


@dataclass(frozen=True)
class Position(Value):
    """Where a fit is between two blocks.

    Args:
        state: The state that was reached.
        finite: The last finite parameters of each run. Shape (*runs, K).
        taken: The number of updates that gave them. Shape (*runs,).
        longest: The number of steps that the next block may have.
        seconds: The time that all blocks took so far, in seconds.
    """

    state: State
    finite: np.ndarray  # shape: (*runs, K)
    taken: np.ndarray  # shape: (*runs,)
    longest: int
    seconds: float


def run_blocks(
    stepper: Stepper,
    loop: Loop,
    begin: Checkpoint,
    observe: Callable[[Snapshot], None],
    stop: Callable[[], bool],
    keep: Keep,
) -> tuple[Checkpoint, bool]:
    """Take blocks until every run has ended, or until `stop` returns True between two of them, which the second value says.

    Between two blocks, `keep` is called with a function that makes the checkpoint of that moment.
    """
    progress, collected = begin.progress, Collected(begin.history)
    position = Position(stepper.put(begin.state), begin.finite, begin.taken, 1, begin.seconds)
    done, stopped = int(begin.state.step), False
    for target in dropwhile(lambda step: step <= done, loop.snapshot_steps()):
        snapshot = None
        while snapshot is None and not stopped:
            going = progress.going
            position, snapshot = _block(stepper, position, going, target)
            if snapshot:
                if not going.all():
                    snapshot = snapshot.standing_still(collected.last(progress.steps), ~going)
                collected.add(snapshot)
                progress = progress.after(snapshot)
                observe(snapshot)
            ended = not progress.going.any() or int(position.state.step) == loop.steps
            stopped = not ended and stop()
            if not (ended or stopped):
                keep(partial(_checkpoint, begin, stepper, position, progress, collected))
        if stopped or not progress.going.any():
            break
    return _checkpoint(begin, stepper, position, progress, collected), stopped


def _checkpoint(
    begin: Checkpoint, stepper: Stepper, position: Position, progress: Progress, collected: Collected
) -> Checkpoint:
    """The checkpoint of a moment between two blocks; the host reads the state here."""
    return replace(
        begin,
        state=stepper.get(position.state),
        finite=position.finite,
        taken=position.taken,
        progress=progress,
        history=collected.history(progress.snapshots),
        seconds=position.seconds,
    )


def _block(stepper: Stepper, position: Position, going: np.ndarray, target: int) -> tuple[Position, Snapshot | None]:
    """Take the steps up to the snapshot at `target`, or fewer and no snapshot where they would take too long.

    Cutting a block changes no number: every step but that of a snapshot is taken in the same way.
    """
    began, n, snapshot = time.perf_counter(), target - int(position.state.step), None
    if n <= position.longest or not stepper.divisible:
        # Loss and gradient norm cost more than an update, so that only the last step computes them.
        before = stepper.advance(position.state, n - 1)
        state = stepper.step(before)
        snapshot = stepper.read(state, before)
    else:
        n = position.longest
        state = stepper.advance(position.state, n)
    params = snapshot.params if snapshot else stepper.get(state).params  # waits for the device
    finite, taken = _last_finite(stepper, position, going, params, n)
    seconds = time.perf_counter() - began
    longest = max(1, int(n * MAX_BLOCK_SECONDS / 2 / max(seconds, 1e-9)))  # half, as blocks do not take equal times
    if snapshot and finite is not params:
        snapshot = replace(snapshot, params=finite, taken=taken)
    return Position(state, finite, taken, longest, position.seconds + seconds), snapshot


def _last_finite(
    stepper: Stepper, position: Position, going: np.ndarray, params: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """The last finite parameters of each run after a block of n steps, and the numbers of updates that gave them.

    # shape: (*runs, K), (*runs,)
    """
    begin = int(position.state.step)
    finite = np.isfinite(params).all(-1)
    if finite.all():
        return params, np.full(finite.shape, begin + n)
    kept, taken = position.finite, position.taken
    lost = going & ~finite & (taken == begin)  # in this block; a run that was not finite before keeps what it had
    if lost.any():
        found, at = stepper.last_finite(position.state, n)
        kept, taken = np.where(lost[..., None], found, kept), np.where(lost, at, taken)
    return np.where(finite[..., None], params, kept), np.where(finite, begin + n, taken)
