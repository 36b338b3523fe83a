"""The base class of loops: a source of loss and gradient, and the steps that are taken."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, takewhile
from typing import ClassVar, Self

from polyexp.base import Component, positive, whole
from polyexp.model import Model
from polyexp.problem import Array, Data

__all__ = ["Gradient", "Loop", "ValueAndGradient", "squared_sum"]

Gradient = Callable[[Array], Array]
ValueAndGradient = Callable[[Array], tuple[Array, Array]]

MAX_STEPS = 10**18  # more than any run needs, and within int64


@dataclass
class Loop(Component):
    """The source of the gradient, the number of steps, and the rules by which a run ends.

    `needs` names what the backend must offer. `direct` says that any step is computed without those before it. The loops
    are `Manual`, `Autograd`, `CustomFunction` and `ClosedForm`.

    Args:
        steps: The largest number of steps, from 1 to 10^18.
        log_every: The number of steps between two regular snapshots.
        tolerance: A run ends as CONVERGED once its excess is at most this, or its gradient norm where the best loss is
            unknown. None means that it never does.
        patience: A run ends as STALLED after this number of regular snapshots without a lower loss. None means that it
            never does.

    Raises:
        InputError: A value is not allowed.

    Example:
        >>> import polyexp as p
        >>> loop = p.Manual(steps=500, log_every=200)
        >>> isinstance(loop, p.Loop), list(loop.snapshot_steps())
        (True, [1, 2, 5, 10, 20, 50, 100, 200, 400, 500])
    """

    group: ClassVar[str] = "loop"
    renamed: ClassVar[Mapping[str, str]] = {"looks": "snapshot_steps"}
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

    def snapshot_steps(self) -> Iterable[int]:
        """The steps of all snapshots: the early ones, the multiples of `log_every`, and the last step.

        Early are 1, 2, 5, 10, 20, 50, ... below the first of the others. The fall of the loss is steepest there.
        """
        first = min(self.log_every, self.steps)
        early = (lead * 10**power for power in range(len(str(first))) for lead in (1, 2, 5))
        return chain(
            takewhile(lambda step: step < first, early), range(first, self.steps, self.log_every), [self.steps]
        )

    @property
    def regular_snapshots(self) -> int:
        """The number of snapshots that are not early, unless the fit ends before its last step."""
        return -(-self.steps // self.log_every)

    def is_early(self, step: int) -> bool:
        """Whether the snapshot at this step comes before the first regular one."""
        return step < min(self.log_every, self.steps)

    @abstractmethod
    def value_and_gradient(self, model: Model, data: Data) -> ValueAndGradient:
        """The function params -> (loss, gradient).

        # shape: (*runs, K) -> (*runs,), (*runs, K)

        Args:
            model: The model, on the domain of the samples.
            data: The samples as arrays of the backend.
        """

    def gradient(self, model: Model, data: Data) -> Gradient:
        """The function params -> gradient, for the steps without a snapshot."""
        both = self.value_and_gradient(model, data)
        return lambda params: both(params)[1]

    @property
    def formulation(self) -> Self:
        """This loop without the numbers that only decide when a fit ends: what a compiled step depends on."""
        return self._with(steps=1, log_every=1, tolerance=None, patience=None)


def squared_sum(predictions: Array, data: Data) -> Array:  # shape: (*runs, N) -> (*runs,)
    """The sum_i weights_i (p_i - y_i)^2 of each run, which is the loss without its floor."""
    residual = predictions - data.y
    return residual * residual @ data.weights
