"""Update rules: pure functions (gradient, state) -> (update, state); the update is added to the parameters."""

from polyexp.optimizer.adam import Adam
from polyexp.optimizer.gradient_descent import GradientDescent
from polyexp.optimizer.momentum import Momentum
from polyexp.optimizer.nesterov import Nesterov
from polyexp.optimizer.optimizer import Limited, Optimizer
from polyexp.optimizer.rmsprop import RMSprop

__all__ = ["Adam", "GradientDescent", "Limited", "Momentum", "Nesterov", "Optimizer", "RMSprop"]
