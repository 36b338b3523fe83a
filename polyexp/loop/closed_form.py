"""No loop at all: any step of gradient descent on a linear model, computed directly."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from polyexp.loop.loop import Loop, ValueAndGradient
from polyexp.model import Model
from polyexp.problem import Data

__all__ = ["ClosedForm"]

MAX_SNAPSHOTS = 200


@dataclass
class ClosedForm(Loop, name="closed_form"):
    """Each mode of the Hessian shrinks by itself, by a factor that is known for every step.

    It has no steps to take, so its cost does not depend on how many there are: it looks at no more than 200 of them,
    spread logarithmically, the last one among them, whatever `log_every` is.
    """

    direct: ClassVar[bool] = True

    def looks(self) -> list[int]:
        """At most 200 steps, from 1 to the last."""
        spread = np.geomspace(1, self.steps, min(MAX_SNAPSHOTS, self.steps))
        return sorted({*map(round, spread[:-1].tolist()), self.steps})

    def value_and_gradient(self, model: Model, data: Data) -> ValueAndGradient:
        """There is no single step to take by hand: use another loop for that."""
        raise NotImplementedError("loop=closed_form computes steps directly; take single steps with Manual()")
