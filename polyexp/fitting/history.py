"""The history of a fit: its snapshots as one array for each of their numbers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from polyexp.base import Value
from polyexp.fitting.state import Snapshot, close_arrays

__all__ = ["Collected", "History"]

GROWTH = 1.125  # of the arrays, which are then at most so much larger than what they hold


@dataclass(frozen=True)
class History(Value):
    """All S snapshots of a fit, stacked into arrays that are read-only.

    If one run of a batch ends before the others, its later snapshots repeat the values of its last one.

    Args:
        step: The number of updates at each snapshot. Shape (S,).
        params: The parameters after these updates. Shape (S, *runs, K).
        loss: The loss before the last of these updates, in the unit of y squared. Shape (S, *runs).
        excess: How far that loss is above the best loss; nan for a model that is not linear. Shape (S, *runs).
        grad_norm: The Euclidean norm of the gradient before the last of these updates. Shape (S, *runs).
        length: The number of snapshots up to the end of each run. Shape (*runs,).

    Example:
        >>> import polyexp as p
        >>> samples, model = p.Samples.of([-1, 0, 1], [1, 0, 1]), p.PowerSeries(degree=1)
        >>> loop, optimizer = p.Manual(steps=20, log_every=10), p.GradientDescent(0.25)
        >>> history = p.fit(samples, model, loop=loop, optimizer=optimizer, params=[0, 1], backend=p.NumPy()).history
        >>> history.step.tolist(), history.loss.round(6).tolist(), history.params.shape
        ([1, 2, 5, 10, 20], [1.333333, 0.62963, 0.249971, 0.222675, 0.222222], (5, 2))
    """

    step: np.ndarray  # shape: (S,)
    params: np.ndarray  # shape: (S, *runs, K)
    loss: np.ndarray  # shape: (S, *runs)
    excess: np.ndarray  # shape: (S, *runs)
    grad_norm: np.ndarray  # shape: (S, *runs)

    length: Any  # shape: (*runs,)

    def __post_init__(self) -> None:
        close_arrays(self)

    @classmethod
    def empty(cls, initial: np.ndarray) -> "History":
        """The history of a fit that has taken no snapshot.

        Args:
            initial: The initial values, which have the shape of the parameters. Shape (*runs, K).
        """
        *runs, _ = initial.shape
        loss, excess, grad_norm = (np.empty((0, *runs)) for _ in range(3))
        length = np.zeros(runs, int)[()]
        return cls(np.empty(0, int), np.empty((0, *initial.shape)), loss, excess, grad_norm, length)

    def of_run(self, run: Any) -> "History":
        """The history of one run of a batch, up to its end; or of several, up to the end of the last of them.

        Args:
            run: The index of the run, which is applied to the axes (*runs,).
        """
        length = self.length[run]
        picked = {name: getattr(self, name)[: np.max(length, initial=0)] for name in STACKED}
        picked |= {name: array[(slice(None), *_axes(run))] for name, array in picked.items() if name != "step"}
        return History(**picked, length=length)

    def snapshots(self, is_early: Callable[[int], bool]) -> Iterator[Snapshot]:
        """The snapshots one after another.

        Args:
            is_early: Whether the snapshot at a step is early, as `loop.is_early` says it.
        """
        for place, step in enumerate(self.step.tolist()):
            values = {name: getattr(self, name)[place] for name in STACKED if name != "step"}
            yield Snapshot(step, **values, early=is_early(step))


STACKED = tuple(one.name for one in fields(History) if one.name != "length")


def _axes(index: Any) -> tuple[Any, ...]:
    return index if isinstance(index, tuple) else (index,)


class Collected:
    """Snapshots as they come, in arrays that grow in place, so that a million of them need no more memory than their numbers.

    Args:
        begin: The history to which they are added.
    """

    def __init__(self, begin: History) -> None:
        self._size, self._seen = begin.step.size, False
        self._arrays = {name: np.array(getattr(begin, name)) for name in STACKED}

    def add(self, snapshot: Snapshot) -> None:
        """Add a snapshot."""
        if self._size == len(self._arrays["step"]):
            self._grow(int(self._size * GROWTH) + 64)
        for name, array in self._arrays.items():
            array[self._size] = getattr(snapshot, name)
        self._size += 1

    def _grow(self, size: int) -> None:
        """Enlarge the arrays: in place, unless a history has views of them, which must stay what they are."""
        for name, array in self._arrays.items():
            if self._seen:
                self._arrays[name] = np.empty((size, *array.shape[1:]), array.dtype)
                self._arrays[name][: self._size] = array[: self._size]
            else:
                array.resize((size, *array.shape[1:]), refcheck=False)
        self._seen = False

    def last(self, taken: np.ndarray) -> Snapshot:
        """The last snapshot.

        Args:
            taken: The number of updates of the parameters of each run. Shape (*runs,).
        """
        at = {name: np.array(array[self._size - 1]) for name, array in self._arrays.items()}
        return Snapshot(int(at["step"]), at["params"], at["loss"], at["excess"], at["grad_norm"], taken)

    def history(self, length: Any) -> History:
        """The history so far, of which no number is copied; it stays what it is when more snapshots are added.

        Args:
            length: The number of snapshots up to the end of each run. Shape (*runs,).
        """
        self._seen = True
        return History(**{name: array[: self._size] for name, array in self._arrays.items()}, length=length[()])
