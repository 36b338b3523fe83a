"""Recorded runs side by side, as tables, as a page and as a picture."""

from polyexp.comparison.files import write
from polyexp.comparison.losses import best_first
from polyexp.comparison.table import Comparison, compared
from polyexp.comparison.terminal import parts

__all__ = ["Comparison", "best_first", "compared", "parts", "write"]
