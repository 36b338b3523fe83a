"""Gradients by autograd through one custom Function made of the model's forward and backward."""

from collections.abc import Callable
from dataclasses import dataclass

from polyexp.loop.autograd import Autograd
from polyexp.model import Model
from polyexp.problem import Array

__all__ = ["CustomFunction"]


@dataclass
class CustomFunction(Autograd, name="custom_function"):
    """torch.autograd asks the model for its vector-Jacobian product."""

    def differentiable_forward(self, model: Model) -> Callable[[Array, Array], Array]:
        """One Function that calls the model's `forward` and `backward`."""
        from polyexp.loop.functions import ModelFunction

        return lambda params, features: ModelFunction.apply(params, features, model)  # type: ignore[no-untyped-call]
