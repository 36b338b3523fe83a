"""What the entrypoint does with an experiment."""

__all__: list[str] = []
