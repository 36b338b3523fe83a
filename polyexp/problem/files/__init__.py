"""Samples from files."""

__all__: list[str] = []
