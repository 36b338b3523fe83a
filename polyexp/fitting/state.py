"""The states of a fit, and the snapshots that the host reads of them."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np

from polyexp.backend import Backend
from polyexp.base import Value, by_value, real_array, require
from polyexp.fitting.arrays import require_parts
from polyexp.optimizer import Optimizer
from polyexp.problem import Array

__all__ = ["Snapshot", "State", "close_arrays", "read_only", "start"]


def read_only(value: Any) -> Any:
    """A view of an array through which it cannot be changed; any other value as it is."""
    if not isinstance(value, np.ndarray):
        return value
    view = value.view()
    view.flags.writeable = False
    return view


def close_arrays(record: Any) -> None:
    """Put views that are read-only in place of the arrays of a frozen dataclass, so that nobody changes a fit by them."""
    for one in fields(record):
        object.__setattr__(record, one.name, read_only(getattr(record, one.name)))


@by_value
class State(NamedTuple):
    """A moment of a fit: arrays of its backend and a step number, a pytree of JAX and of torch as it is.

    Loss and gradient norm belong to the parameters before the last update, because that update has computed them.

    Args:
        step: The number of updates so far, a NumPy integer.
        params: The parameters after these updates. Shape (*runs, K).
        opt_state: The state of the optimizer after these updates, as named arrays.
        loss: The loss before the last update; nan if there was none. Shape (*runs,).
        grad_norm: The Euclidean norm of the gradient before the last update; nan if there was none. Shape (*runs,).

    Example:
        >>> import polyexp as p
        >>> state = p.start([0.0, 1.0], p.Momentum(), p.NumPy())
        >>> int(state.step), state.params.tolist(), state.opt_state["velocity"].tolist()
        (0, [0.0, 1.0], [0.0, 0.0])
    """

    step: np.int64
    params: Array  # shape: (*runs, K)
    opt_state: dict[str, Array]
    loss: Array  # shape: (*runs,)
    grad_norm: Array  # shape: (*runs,)

    def moved(self, move: Callable[[Array], Array]) -> "State":
        """This state with each array moved, such as by `Backend.get` to the host or by `Backend.put` to a device.

        Args:
            move: The function that moves one array.
        """
        opt_state = {name: move(array) for name, array in self.opt_state.items()}
        return State(self.step, move(self.params), opt_state, move(self.loss), move(self.grad_norm))


@dataclass(frozen=True)
class Snapshot(Value):
    """What the host reads of a state at one step, in float64 NumPy arrays that are read-only.

    Args:
        step: The number of updates so far.
        params: The parameters after these updates; of a run that has ended, its final ones. Shape (*runs, K).
        loss: The loss before the last update, in the unit of y squared. Shape (*runs,).
        excess: How far that loss is above the best loss; nan for a model that is not linear. Shape (*runs,).
        grad_norm: The Euclidean norm of the gradient before the last update. Shape (*runs,).
        taken: The number of updates of the parameters of each run: `step`, or less for a run that has ended or is no longer
            finite. None means `step` for every run. Shape (*runs,).
        early: Whether the snapshot comes before the first multiple of `loop.log_every`. Such a snapshot is neither printed nor
            counted by `loop.patience`.

    Example:
        >>> import polyexp as p
        >>> def observe(snapshot):
        ...     print(snapshot.step, f"{snapshot.loss:.6g}", snapshot.early)
        >>> samples, model = p.Samples.of([-1, 0, 1], [1, 0, 1]), p.PowerSeries(degree=1)
        >>> loop, optimizer = p.Manual(steps=20, log_every=10), p.GradientDescent(0.25)
        >>> result = p.fit(samples, model, loop=loop, optimizer=optimizer, params=[0, 1], backend=p.NumPy(), observe=observe)
        1 1.33333 True
        2 0.62963 True
        5 0.249971 True
        10 0.222675 False
        20 0.222222 False
    """

    step: int
    params: np.ndarray  # shape: (*runs, K)
    loss: np.ndarray  # shape: (*runs,)
    excess: np.ndarray  # shape: (*runs,)
    grad_norm: np.ndarray  # shape: (*runs,)
    taken: Any = None  # shape: (*runs,)
    early: bool = False

    def __post_init__(self) -> None:
        if self.taken is None:
            object.__setattr__(self, "taken", np.full(np.shape(self.loss), self.step))
        close_arrays(self)

    def standing_still(self, last: "Snapshot", ended: np.ndarray) -> "Snapshot":
        """This snapshot with the values of an earlier one for the runs that have ended.

        Args:
            last: The earlier snapshot.
            ended: Whether each run has ended. Shape (*runs,).
        """
        numbers = ("loss", "excess", "grad_norm", "taken")
        still = {name: np.where(ended, getattr(last, name), getattr(self, name)) for name in numbers}
        return replace(self, params=np.where(ended[..., None], last.params, self.params), **still)


def start(params: Any, optimizer: Optimizer, backend: Backend) -> State:  # shape: (*runs, K)
    """The state before the first update.

    Args:
        params: The initial values. Shape (*runs, K).
        optimizer: The optimizer, whose `init` gives the state that it begins with. Unless it has been put on a backend, its
            values for each run are there NumPy arrays of shape (*runs, 1).
        backend: The backend whose arrays the state consists of.

    Raises:
        InputError: The optimizer begins with an array that has not the axes (*runs,) in front, or an argument is of the wrong
            kind.

    Example:
        >>> import polyexp as p
        >>> state = p.start([[0, 1], [2, 3]], p.GradientDescent(), p.NumPy())  # two runs with two parameters each
        >>> int(state.step), state.params.tolist(), state.loss.tolist()
        (0, [[0.0, 1.0], [2.0, 3.0]], [nan, nan])
    """
    require_parts(required=True, optimizer=optimizer, backend=backend)
    params = real_array("params", params)
    runs = params.shape[:-1]
    rule = optimizer if optimizer.placed else optimizer.on_device(np.asarray)
    opt_state = {name: np.asarray(array) for name, array in rule.init(params).items()}
    for name, array in opt_state.items():
        require(array.shape[: len(runs)] == runs, f"{optimizer.choice}.{name}", f"of shape {runs} and more axes", array)
    unknown = np.full(runs, np.nan)
    return State(np.int64(0), params, opt_state, unknown, unknown).moved(backend.put)
