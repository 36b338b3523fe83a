"""The loop whose gradient is written by hand, by the chain rule."""

from dataclasses import dataclass

from polyexp.loop.loop import Gradient, Loop, ValueAndGradient
from polyexp.model import Model
from polyexp.problem import Array, Data

__all__ = ["Manual"]


@dataclass
class Manual(Loop, name="manual"):
    """Gradient descent with the gradient written by hand, on every backend.

    The gradient is dL/dparams = backward(2 weights (forward - y)), where `forward` and `backward` are the model's.

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
        >>> loop = p.Manual(steps=2000, tolerance=1e-3)
        >>> optimizer = p.GradientDescent(learning_rate="auto")
        >>> result = p.fit(p.Problem("exp"), p.LegendreSeries(degree=3), loop=loop, optimizer=optimizer, backend=p.NumPy())
        >>> result.outcome.name, int(result.steps)
        ('CONVERGED', 20)
    """

    def value_and_gradient(self, model: Model, data: Data) -> ValueAndGradient:
        """The function params -> (loss, gradient), which computes the residual once for both."""

        def both(params: Array) -> tuple[Array, Array]:
            residual = model.forward(params, data.features) - data.y
            weighted = data.weights * residual
            loss = (weighted * residual).sum(-1) + data.floor
            return loss, model.backward(params, data.features, 2 * weighted)

        return both

    def gradient(self, model: Model, data: Data) -> Gradient:
        """The function params -> gradient, without the loss, which no update needs."""
        features, y, factor = data.features, data.y, 2 * data.weights

        def gradient(params: Array) -> Array:
            return model.backward(params, features, factor * (model.forward(params, features) - y))

        return gradient
