"""The loop whose gradient goes through one custom function, made of the model's forward and backward passes."""

from collections.abc import Callable
from dataclasses import dataclass

from polyexp.loop.autograd import Autograd
from polyexp.model import Model
from polyexp.problem import Array, Data

__all__ = ["CustomFunction"]


@dataclass
class CustomFunction(Autograd, name="custom_function"):
    """Gradient descent with the gradient by automatic differentiation through one custom function.

    The function (in torch a custom autograd Function, in jax a `custom_vjp`) is made of the model's `forward` and `backward`,
    so that the backend calls the model for its vector-Jacobian product. The backend must be `Torch` or `JAX`.

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
        >>> loops = (p.CustomFunction(steps=100), p.Manual(steps=100))
        >>> [f"{p.fit(p.Problem(), p.Legendre(), loop=loop, backend=p.Torch()).loss:.6g}" for loop in loops]
        ['26.3604', '26.3604']
    """

    def differentiable_forward(self, model: Model, data: Data) -> Callable[[Array], Array]:
        """The function that calls the model's `forward` and `backward`."""
        function: Callable[[Array], Array] = data.backend.custom_vjp(
            lambda params: model.forward(params, data.features),
            lambda params, grad_y: model.backward(params, data.features, grad_y),
        )
        return function
