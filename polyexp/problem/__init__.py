"""What is fitted."""

__all__: list[str] = []
