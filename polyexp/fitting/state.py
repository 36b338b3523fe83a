"""The states of a fit, and the snapshots that the host reads of them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from polyexp.backend import Backend
from polyexp.optimizer import Optimizer
from polyexp.problem import Array

__all__ = ["Snapshot", "State", "start"]


@dataclass(frozen=True)
class State:
    """A moment of a run as arrays of its backend.

    Loss and gradient norm belong to the parameters before the last update, because that update has computed them.

    Args:
        step: The number of updates so far.
        params: The parameters after these updates. Shape (*runs, K).
        opt_state: The state of the optimizer after these updates, as named arrays.
        loss: The loss before the last update; nan if there was none. Shape (*runs,).
        grad_norm: The Euclidean norm of the gradient before the last update; nan if there was none. Shape (*runs,).

    Example:
        >>> import polyexp as p
        >>> state = p.start([0.0, 1.0], p.Momentum(), p.NumPy())
        >>> state.step, state.params.tolist(), state.opt_state["velocity"].tolist()
        (0, [0.0, 1.0], [0.0, 0.0])
    """

    step: int
    params: Array  # shape: (*runs, K)
    opt_state: dict[str, Array]
    loss: Array  # shape: (*runs,)
    grad_norm: Array  # shape: (*runs,)


@dataclass(frozen=True)
class Snapshot:
    """What the host reads of a state at one step, in float64 NumPy.

    Args:
        step: The number of updates so far.
        params: The parameters after these updates. Shape (*runs, K).
        loss: The loss before the last update, in the unit of y squared. Shape (*runs,).
        excess: How far that loss is above the best loss; nan for a model that is not linear. Shape (*runs,).
        grad_norm: The Euclidean norm of the gradient before the last update. Shape (*runs,).

    Example:
        >>> import polyexp as p
        >>> def observe(snapshot):
        ...     print(snapshot.step, f"{snapshot.loss:.6g}")
        >>> samples, model = p.Samples.of([-1, 0, 1], [1, 0, 1]), p.PowerSeries(degree=1)
        >>> loop, optimizer = p.Manual(steps=20, log_every=10), p.GradientDescent(0.25)
        >>> result = p.fit(samples, model, loop=loop, optimizer=optimizer, params=[0, 1], backend=p.NumPy(), observe=observe)
        10 0.222675
        20 0.222222
    """

    step: int
    params: np.ndarray  # shape: (*runs, K)
    loss: np.ndarray  # shape: (*runs,)
    excess: np.ndarray  # shape: (*runs,)
    grad_norm: np.ndarray  # shape: (*runs,)

    def standing_still(self, last: "Snapshot", ended: np.ndarray) -> "Snapshot":
        """This snapshot with the loss, excess and gradient norm of an earlier one for the runs that have ended.

        Args:
            last: The earlier snapshot.
            ended: Whether each run has ended. Shape (*runs,).
        """
        numbers = ("loss", "excess", "grad_norm")
        return replace(self, **{one: np.where(ended, getattr(last, one), getattr(self, one)) for one in numbers})


def start(params: Any, optimizer: Optimizer, backend: Backend) -> State:  # shape: (*runs, K)
    """The state before the first update.

    Args:
        params: The initial values. Shape (*runs, K).
        optimizer: The optimizer, which has the state that it begins with.
        backend: The backend whose arrays the state consists of.

    Example:
        >>> import polyexp as p
        >>> state = p.start([[0, 1], [2, 3]], p.GradientDescent(), p.NumPy())  # two runs with two parameters each
        >>> state.step, state.params.tolist(), state.loss.tolist()
        (0, [[0.0, 1.0], [2.0, 3.0]], [nan, nan])
    """
    params = np.array(params, float)
    unknown = backend.put(np.full(params.shape[:-1], np.nan))
    opt_state = {name: backend.put(array) for name, array in optimizer.init(params).items()}
    return State(0, backend.put(params), opt_state, unknown, unknown)
