"""The two custom autograd Functions. This module imports torch, so the loops import it only when they need it."""

import inspect
from collections.abc import Callable
from typing import Any, cast

import torch

from polyexp.model import Elementwise, Model

__all__ = ["ElementwiseFunction", "ModelFunction", "lift"]


class ElementwiseFunction(torch.autograd.Function):
    """f(z) with df = f'(z) dz, where f' is applied as a Function too, so that it can be differentiated any number of times."""

    generate_vmap_rule = True

    @staticmethod
    def forward(z: torch.Tensor, function: Elementwise) -> torch.Tensor:
        """The values f(z)."""
        return cast(torch.Tensor, function(z))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        """Save z for the backward pass."""
        z, ctx.function = inputs
        ctx.save_for_backward(z)

    @staticmethod
    def backward(ctx: Any, grad_output: torch.Tensor) -> tuple[torch.Tensor, None]:
        """The product grad_output f'(z)."""
        (z,) = ctx.saved_tensors
        derivative = ctx.function.derivative()
        # The derivative need be a Function only where this backward pass is differentiated in its turn.
        return grad_output * (lift(derivative) if torch.is_grad_enabled() else derivative)(z), None


class ModelFunction(torch.autograd.Function):
    """A model's `forward`, differentiated with respect to its parameters by the model's `backward`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(params: torch.Tensor, features: torch.Tensor, model: Model) -> torch.Tensor:
        """The model's values."""
        return cast(torch.Tensor, model.forward(params, features))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        """Save params and features for the backward pass."""
        params, features, ctx.model = inputs
        ctx.save_for_backward(params, features)

    @staticmethod
    def backward(ctx: Any, grad_output: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """The model's vector-Jacobian product. It consists of torch operations, so it can be differentiated once more."""
        params, features = ctx.saved_tensors
        return ctx.model.backward(params, features, grad_output), None, None


forwards: list[Any] = [ElementwiseFunction.forward, ModelFunction.forward]
for forward in forwards:  # `apply` reads the signature in each call; without this it takes 20 microseconds
    forward.__signature__ = inspect.signature(forward)


def lift(function: Elementwise) -> Callable[[torch.Tensor], torch.Tensor]:
    """The function as a custom autograd Function, differentiated by its analytic derivative."""
    return lambda z: cast(torch.Tensor, ElementwiseFunction.apply(z, function))  # type: ignore[no-untyped-call]
