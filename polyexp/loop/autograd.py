"""The loop whose gradient is torch's automatic differentiation of the model's forward pass."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from polyexp.loop.loop import Loop, ValueAndGradient, squared_loss
from polyexp.model import Model
from polyexp.problem import Array, Data

__all__ = ["Autograd"]


@dataclass
class Autograd(Loop, name="autograd"):
    """Gradient descent with the gradient by torch's autograd of the model's `forward`.

    A function with an analytic derivative, such as the P_n of `Legendre`, becomes a custom autograd Function. The backend
    must be `Torch`.

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
        import torch

        forward = self.differentiable_forward(model)

        def both(params: Array) -> tuple[Array, Array]:
            params = params.detach().requires_grad_(True)
            # The loss of a run depends on its own parameters only, so the gradient of the sum holds that of each run.
            loss = squared_loss(forward(params, data.features), data)
            (gradient,) = torch.autograd.grad(loss, params, torch.ones_like(loss))
            return loss.detach(), gradient

        return both

    def differentiable_forward(self, model: Model) -> Callable[[Array, Array], Array]:
        """The model's `forward` in the form that torch differentiates."""
        from polyexp.loop.functions import lift

        return model.differentiable(lift).forward
