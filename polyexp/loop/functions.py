"""The two custom autograd Functions. Importing this module imports torch; only the loops that need it do so."""

import inspect
from collections.abc import Callable
from typing import Any, cast

import torch

from polyexp.model import Elementwise, Model

__all__ = ["ElementwiseFunction", "ModelFunction", "lift"]


class ElementwiseFunction(torch.autograd.Function):
    """f(z) with df = f'(z) dz, where f' is applied as a Function too: differentiable any number of times."""

    generate_vmap_rule = True

    @staticmethod
    def forward(z: torch.Tensor, function: Elementwise) -> torch.Tensor:
        """f(z)."""
        return cast(torch.Tensor, function(z))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        """Keep z."""
        z, ctx.function = inputs
        ctx.save_for_backward(z)

    @staticmethod
    def backward(ctx: Any, grad_output: torch.Tensor) -> tuple[torch.Tensor, None]:
        """grad f'(z)."""
        (z,) = ctx.saved_tensors
        derivative = ctx.function.derivative()
        # The derivative need be differentiable only where somebody differentiates this backward pass.
        return grad_output * (lift(derivative) if torch.is_grad_enabled() else derivative)(z), None


class ModelFunction(torch.autograd.Function):
    """A model's `forward`, differentiated with respect to its parameters by the model's `backward`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(params: torch.Tensor, features: torch.Tensor, model: Model) -> torch.Tensor:
        """The model's own values."""
        return cast(torch.Tensor, model.forward(params, features))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        """Keep params and features."""
        params, features, ctx.model = inputs
        ctx.save_for_backward(params, features)

    @staticmethod
    def backward(ctx: Any, grad_output: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """The model's own gradient: made of torch operations, hence differentiable once more."""
        params, features = ctx.saved_tensors
        return ctx.model.backward(params, features, grad_output), None, None


forwards: list[Any] = [ElementwiseFunction.forward, ModelFunction.forward]
for forward in forwards:  # `apply` asks for the signature each time, and finding it costs 20 microseconds
    forward.__signature__ = inspect.signature(forward)


def lift(function: Elementwise) -> Callable[[torch.Tensor], torch.Tensor]:
    """`function` as a custom autograd Function."""
    return lambda z: cast(torch.Tensor, ElementwiseFunction.apply(z, function))  # type: ignore[no-untyped-call]
