"""Update rules."""

from polyexp.optimizer.optimizer import Adam, GradientDescent, Limited, Momentum, Nesterov, Optimizer, RMSprop

__all__ = ["Adam", "GradientDescent", "Limited", "Momentum", "Nesterov", "Optimizer", "RMSprop"]
