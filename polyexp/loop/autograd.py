"""Gradients by torch's automatic differentiation of the model's forward pass."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from polyexp.loop.loop import Loop, ValueAndGradient, squared_loss
from polyexp.model import Model
from polyexp.problem import Array, Data

__all__ = ["Autograd"]


@dataclass
class Autograd(Loop, name="autograd"):
    """Differentiates `forward`; functions with an analytic derivative become custom autograd Functions."""

    needs: ClassVar[frozenset[str]] = frozenset({"autograd"})

    def value_and_gradient(self, model: Model, data: Data) -> ValueAndGradient:
        """Runs do not mix, so the gradient of all losses together is each run's own."""
        import torch

        forward = self.differentiable_forward(model)

        def both(params: Array) -> tuple[Array, Array]:
            params = params.detach().requires_grad_(True)
            loss = squared_loss(forward(params, data.features), data)
            (gradient,) = torch.autograd.grad(loss, params, torch.ones_like(loss))
            return loss.detach(), gradient

        return both

    def differentiable_forward(self, model: Model) -> Callable[[Array, Array], Array]:
        """The model's `forward` as torch is to differentiate it."""
        from polyexp.loop.functions import lift

        return model.differentiable(lift).forward
