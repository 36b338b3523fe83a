"""Pictures of a run."""

__all__: list[str] = []
