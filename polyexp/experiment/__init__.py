"""An experiment from its configuration to its record."""

__all__: list[str] = []
