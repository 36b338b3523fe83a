"""The states of a fit, and what is read back from them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from polyexp.backend import Backend
from polyexp.optimizer import Optimizer
from polyexp.problem import Array

__all__ = ["Look", "State", "start"]


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


def start(params: Any, optimizer: Optimizer, backend: Backend) -> State:  # shape: (*runs, K)
    """The state before the first update."""
    params = np.array(params, float)
    unknown = backend.put(np.full(params.shape[:-1], np.nan))
    opt_state = {name: backend.put(array) for name, array in optimizer.init(params).items()}
    return State(0, backend.put(params), opt_state, unknown, unknown)
