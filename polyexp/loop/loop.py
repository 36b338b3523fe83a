"""What a loop is: a source of loss and gradient."""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import chain
from typing import ClassVar

from polyexp.base import Component, positive, whole
from polyexp.model import Model
from polyexp.problem import Array, Data

__all__ = ["Gradient", "Loop", "ValueAndGradient", "squared_loss"]

Gradient = Callable[[Array], Array]
ValueAndGradient = Callable[[Array], tuple[Array, Array]]

MAX_STEPS = 10**18  # more than anything takes


@dataclass
class Loop(Component):
    """A formulation of gradient descent.

    steps: how many updates at most. log_every: how many of them between two looks at the values.
    tolerance: stop as CONVERGED once the excess loss, or where that is not known the gradient norm, is this small.
    patience: stop as STALLED after so many looks without a lower loss. None for either means never.
    needs: what the backend must offer. direct: whether steps are computed directly, without those before them.
    """

    group: ClassVar[str] = "loop"
    needs: ClassVar[frozenset[str]] = frozenset()
    direct: ClassVar[bool] = False

    steps: int = 4000
    log_every: int = 200
    tolerance: float | None = None
    patience: int | None = None

    def __post_init__(self) -> None:
        whole(self.key("steps"), self.steps, 1, MAX_STEPS)
        whole(self.key("log_every"), self.log_every, 1)
        if self.tolerance is not None:
            positive(self.key("tolerance"), self.tolerance)
        if self.patience is not None:
            whole(self.key("patience"), self.patience, 1)

    def looks(self) -> Iterable[int]:
        """The steps at which somebody looks: every `log_every`, and the last one."""
        return chain(range(self.log_every, self.steps, self.log_every), [self.steps])

    @abstractmethod
    def value_and_gradient(self, model: Model, data: Data) -> ValueAndGradient:
        """The function params -> (loss, gradient).

        # shape: (*runs, K) -> (*runs,), (*runs, K)
        """

    def gradient(self, model: Model, data: Data) -> Gradient:
        """The function params -> gradient, for the steps at which nobody looks."""
        both = self.value_and_gradient(model, replace(data, floor=0.0))
        return lambda params: both(params)[1]


def squared_loss(predictions: Array, data: Data) -> Array:  # shape: (*runs, N) -> (*runs,)
    """sum_i weights_i (p_i - y_i)^2 + floor, each run by itself."""
    residual = predictions - data.y
    loss = residual * residual @ data.weights
    return loss + data.floor if data.floor else loss
