"""The best learning rate of a linear model, and what a learning rate and a closed form require of a model."""

from decimal import ROUND_DOWN, Context

import numpy as np

from polyexp.base import InputError
from polyexp.exact.quadratic import Quadratic
from polyexp.model import Model
from polyexp.optimizer import Optimizer

__all__ = ["at_most", "require_modes", "tuned"]


def tuned(optimizer: Optimizer, model: Model, quadratic: Quadratic | None) -> Optimizer:
    """The optimizer with its best learning rate in place of "auto"; one with a number is returned as it is.

    Raises:
        InputError: The learning rate is "auto", but there is no quadratic form to find it from.
    """
    if not optimizer.automatic:
        return optimizer
    if quadratic is None:
        needs = "a loss that float64 can hold" if model.linear else "a model that is linear in its parameters"
        raise InputError(f"`{optimizer.key('learning_rate')}=auto` needs {needs}: type a number.")
    return optimizer.tuned(quadratic.largest or 1.0, quadratic.smallest or 1.0)


def require_modes(optimizer: Optimizer, quadratic: Quadratic | None) -> Quadratic:
    """The quadratic form, if model and optimizer have a closed form.

    Raises:
        InputError: The model is not linear, or the optimizer has no damping factors.
    """
    if quadratic is None or optimizer.damping(np.ones(1), 1) is None:
        raise InputError(
            "`loop=closed_form` needs a model that is linear in its parameters, and `optimizer=gradient_descent` or "
            "`optimizer=momentum`: type `loop=manual`."
        )
    return quadratic


def at_most(limit: float) -> str:
    """The limit in four significant digits, rounded down where rounding to nearest would exceed it."""
    text = f"{limit:.4g}"
    return text if float(text) <= limit else f"{float(Context(prec=4, rounding=ROUND_DOWN).create_decimal(limit)):.4g}"
