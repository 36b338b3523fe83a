"""Gradient descent from a first to a last state."""

__all__: list[str] = []
