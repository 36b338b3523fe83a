"""Update rules: pure functions (gradient, state) -> (update, state), the update being added to the parameters.

They follow torch.optim's SGD, RMSprop and Adam to rounding. Every number of a rule may be an array, one value a run.
"""

import copy
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

import numpy as np

from polyexp.base import Component, positive
from polyexp.problem import Array

__all__ = ["Limited", "OptState", "Optimizer"]

OptState = dict[str, Array]


@dataclass
class Optimizer(Component):
    """An update rule.

    learning_rate: the factor of the update; a number, or an array of shape (*runs,). Rules that know their best rate on a
    linear model also take "auto".
    """

    group: ClassVar[str] = "optimizer"
    tunable: ClassVar[bool] = False
    placed = False  # whether per-run numbers are arrays of a backend already, as `on` makes them

    learning_rate: Any = 1e-6

    def __post_init__(self) -> None:
        if not (self.tunable and self.automatic):
            wanted = "a finite number above 0" + (", or auto" if self.tunable else "")
            positive(self.key("learning_rate"), self.learning_rate, wanted)

    @property
    def automatic(self) -> bool:
        """Whether the rate is still to be found."""
        return isinstance(self.learning_rate, str) and self.learning_rate == "auto"

    @property
    def runs(self) -> tuple[int, ...]:
        """The shape of the runs that per-run numbers ask for; () where all are plain numbers."""
        return np.broadcast_shapes(*(np.shape(getattr(self, one.name)) for one in fields(self)))

    def on(self, put: Callable[[np.ndarray], Array]) -> Self:
        """This rule with its per-run numbers put on a device, as (*runs, 1), and the others as plain floats."""
        placed = copy.copy(self)
        for one in fields(self):
            array = np.asarray(getattr(self, one.name), float)
            setattr(placed, one.name, put(array[..., None]) if array.ndim else float(array))
        placed.placed = True
        return placed

    def tuned(self, largest: float, smallest: float) -> Self:
        """This rule with the best rate for a Hessian whose eigenvalues lie between these two."""
        return self

    def limit(self, largest: float) -> Any:
        """The rate above which the largest eigenvalue of a constant Hessian makes the loss grow; None where there is none."""
        return None

    def damping(self, eigenvalues: np.ndarray, steps: int) -> np.ndarray | None:
        """The factor by which each mode of a constant Hessian has shrunk after so many steps; None where none is known.

        # shape: (K,) -> (K,), or (*runs, K) where numbers are given as (*runs, 1)
        """
        return None

    def init(self, params: np.ndarray) -> OptState:  # shape: (*runs, K)
        """The state before the first update."""
        return {}

    @abstractmethod
    def update(self, grad: Array, state: OptState) -> tuple[Array, OptState]:
        """What to add to the parameters, and the next state."""


@dataclass
class Limited(Optimizer):
    """A rule with a largest rate on a linear model, its `limit`.

    allow_divergence: run even where the rate is above that.
    """

    allow_divergence: bool = field(default=False, kw_only=True)

    @abstractmethod
    def limit(self, largest: float) -> Any:
        """The largest rate at which no mode grows; `largest` is the Hessian's largest eigenvalue."""
