"""The closed form: any step of gradient descent or momentum on a linear model, computed directly."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from polyexp.loop.loop import Loop, ValueAndGradient
from polyexp.model import Model
from polyexp.problem import Data

__all__ = ["ClosedForm"]

MAX_SNAPSHOTS = 200  # of a run, whatever its number of steps


@dataclass
class ClosedForm(Loop, name="closed_form"):
    """Any step of gradient descent or momentum on a linear model, without the steps before it.

    The parameters after t steps are

        w(t) = w* + sum_i d_i(t) e_i(0) v_i,

    with the optimum w*, the modes v_i of the Hessian, the coordinates e_i(0) of the initial values, and damping factors
    d_i(t); for gradient descent d_i(t) = (1 - learning_rate lambda_i)^t, where lambda_i is the eigenvalue of the mode. The
    cost does not depend on the number of steps: at most 200 snapshots are taken, spread logarithmically, the last step
    among them.

    Args:
        steps: The largest number of steps, from 1 to 10^18.
        log_every: Not used.
        tolerance: A run ends as CONVERGED once its excess is at most this, or its gradient norm where the best loss is
            unknown. None means that it never does.
        patience: A run ends as STALLED after this number of regular snapshots without a lower loss. None means that it
            never does.

    Raises:
        InputError: A value is not allowed.

    Example:
        >>> import polyexp as p
        >>> model, loop = p.PowerSeries(degree=7), p.ClosedForm(steps=10**12)
        >>> result = p.fit(p.Problem(), model, loop=loop, backend=p.NumPy())
        >>> int(result.steps), f"{result.loss:.6g}"
        (1000000000000, '2.46127e-08')
    """

    direct: ClassVar[bool] = True

    def snapshot_steps(self) -> list[int]:
        """At most 200 steps, spread logarithmically from 1 to the last."""
        spread = np.geomspace(1, self.steps, min(MAX_SNAPSHOTS, self.steps))
        return sorted({*map(round, spread[:-1].tolist()), self.steps})

    @property
    def regular_snapshots(self) -> int:
        """The number of all snapshots."""
        return len(self.snapshot_steps())

    def is_early(self, step: int) -> bool:
        """False: all snapshots are regular."""
        return False

    def value_and_gradient(self, model: Model, data: Data) -> ValueAndGradient:
        """Raise `NotImplementedError`, as the closed form takes no single steps; another loop does."""
        raise NotImplementedError("loop=closed_form computes steps directly; take single steps with Manual()")
