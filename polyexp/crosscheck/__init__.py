"""One problem by every formulation that can run here."""

__all__: list[str] = []
