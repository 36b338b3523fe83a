"""Gradients written by hand: the chain rule, spelt out."""

from dataclasses import dataclass

from polyexp.loop.loop import Gradient, Loop, ValueAndGradient
from polyexp.model import Model
from polyexp.problem import Array, Data

__all__ = ["Manual"]


@dataclass
class Manual(Loop, name="manual"):
    """dL/dparams = backward(2 weights (forward - y)), on any backend."""

    def value_and_gradient(self, model: Model, data: Data) -> ValueAndGradient:
        """One residual serves loss and gradient."""

        def both(params: Array) -> tuple[Array, Array]:
            residual = model.forward(params, data.features) - data.y
            weighted = data.weights * residual
            loss = (weighted * residual).sum(-1) + data.floor
            return loss, model.backward(params, data.features, 2 * weighted)

        return both

    def gradient(self, model: Model, data: Data) -> Gradient:
        """Without the loss, which no update needs."""
        features, y, slope = data.features, data.y, 2 * data.weights

        def gradient(params: Array) -> Array:
            return model.backward(params, features, slope * (model.forward(params, features) - y))

        return gradient
