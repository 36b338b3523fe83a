"""What is known exactly of a fit."""

__all__: list[str] = []
