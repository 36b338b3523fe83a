"""The custom autograd Function of the torch backend. This module imports torch, so it is imported only when it is needed."""

import inspect
from collections.abc import Callable
from typing import Any, cast

import torch

__all__ = ["VJPFunction", "custom_function"]

Forward = Callable[[torch.Tensor], torch.Tensor]
Backward = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class VJPFunction(torch.autograd.Function):
    """A function of one tensor that is differentiated by its own vector-Jacobian product."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: torch.Tensor, forward: Forward, backward: Backward) -> torch.Tensor:
        """The values of the function."""
        return forward(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        """Save x for the backward pass."""
        x, _, ctx.vjp = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx: Any, grad_output: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """The vector-Jacobian product. It consists of torch operations, so it can be differentiated once more."""
        (x,) = ctx.saved_tensors
        return ctx.vjp(x, grad_output), None, None


# `apply` reads the signature in each call; without this it takes 20 microseconds.
VJPFunction.forward.__signature__ = inspect.signature(VJPFunction.forward)  # type: ignore[attr-defined]


def custom_function(forward: Forward, backward: Backward) -> Forward:
    """The function `forward` as a custom autograd Function.

    Where no gradients are recorded, as in a backward pass that is not differentiated in its turn, it is `forward` itself,
    which spares the cost of a Function.
    """

    def function(x: torch.Tensor) -> torch.Tensor:
        if not torch.is_grad_enabled():
            return forward(x)
        return cast(torch.Tensor, VJPFunction.apply(x, forward, backward))  # type: ignore[no-untyped-call]

    return function
