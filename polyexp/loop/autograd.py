"""The loop whose gradient is the backend's automatic differentiation of the model's forward pass."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from polyexp.loop.loop import Gradient, Loop, ValueAndGradient, squared_sum
from polyexp.model import Model
from polyexp.problem import Array, Data

__all__ = ["Autograd"]


@dataclass
class Autograd(Loop, name="autograd"):
    """Gradient descent with the gradient by automatic differentiation of the model's `forward`.

    A function with an analytic derivative, such as the P_n of `Legendre`, is differentiated by that (in torch by a custom
    autograd Function, in jax by `custom_vjp`). The backend must be `Torch` or `JAX`.

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
        >>> loops = (p.Autograd(steps=100), p.Manual(steps=100))
        >>> [f"{p.fit(p.Problem(), p.PowerSeries(), loop=loop, backend=p.Torch()).loss:.6g}" for loop in loops]
        ['106.314', '106.314']
    """

    needs: ClassVar[frozenset[str]] = frozenset({"autograd"})

    def value_and_gradient(self, model: Model, data: Data) -> ValueAndGradient:
        """The function params -> (loss, gradient), by one backward pass for all runs."""
        both = self._of_sum(model, data)

        def with_floor(params: Array) -> tuple[Array, Array]:
            loss, gradient = both(params)
            return loss + data.floor, gradient

        return with_floor

    def gradient(self, model: Model, data: Data) -> Gradient:
        """The function params -> gradient; the floor of the loss has none."""
        both = self._of_sum(model, data)
        return lambda params: both(params)[1]

    def differentiable_forward(self, model: Model, data: Data) -> Callable[[Array], Array]:
        """The function params -> values of the model, in the form that the backend differentiates."""
        lifted = model.differentiable(data.backend.lift)
        return lambda params: lifted.forward(params, data.features)

    def _of_sum(self, model: Model, data: Data) -> ValueAndGradient:
        forward = self.differentiable_forward(model, data)
        both: ValueAndGradient = data.backend.value_and_grad(lambda params: squared_sum(forward(params), data))
        return both
