"""What everything else of polyexp builds on."""

__all__: list[str] = []
