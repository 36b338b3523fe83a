"""Gradients by torch's automatic differentiation of the model's forward pass."""

from dataclasses import dataclass
from typing import ClassVar

from polyexp.loops.loop import Loop, ValueAndGradient, squared_loss
from polyexp.models import Model
from polyexp.samples import Array, Data

__all__ = ["Autograd"]


@dataclass
class Autograd(Loop, name="autograd"):
    """Differentiates `forward`; functions with an analytic derivative become custom autograd Functions."""

    needs: ClassVar[frozenset[str]] = frozenset({"autograd"})

    def value_and_gradient(self, model: Model, data: Data) -> ValueAndGradient:
        """Runs do not mix, so the gradient of the summed losses is each run's own."""
        import torch

        from polyexp.loops.functions import lift

        lifted = model.differentiable(lift)

        def both(params: Array) -> tuple[Array, Array]:
            params = params.detach().requires_grad_(True)
            loss = squared_loss(lifted.forward(params, data.features), data)
            (gradient,) = torch.autograd.grad(loss.sum(), params)
            return loss.detach(), gradient

        return both
