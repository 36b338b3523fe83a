"""Gradients by autograd through one custom Function made of the model's forward and backward."""

from dataclasses import dataclass
from typing import ClassVar

from polyexp.loops.loop import Loop, ValueAndGradient, squared_loss
from polyexp.models import Model
from polyexp.samples import Array, Data

__all__ = ["CustomFunction"]


@dataclass
class CustomFunction(Loop, name="custom_function"):
    """torch.autograd asks the model for its vector-Jacobian product."""

    needs: ClassVar[frozenset[str]] = frozenset({"autograd"})

    def value_and_gradient(self, model: Model, data: Data) -> ValueAndGradient:
        """Runs do not mix, so the gradient of the summed losses is each run's own."""
        import torch

        from polyexp.loops.functions import ModelFunction

        def both(params: Array) -> tuple[Array, Array]:
            params = params.detach().requires_grad_(True)
            predictions = ModelFunction.apply(params, data.features, model)  # type: ignore[no-untyped-call]
            loss = squared_loss(predictions, data)
            (gradient,) = torch.autograd.grad(loss.sum(), params)
            return loss.detach(), gradient

        return both
