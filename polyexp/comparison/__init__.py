"""Recorded runs side by side, as tables, as a page and as a picture."""

from polyexp.comparison.files import write
from polyexp.comparison.table import Column, Comparison, best_first, compared
from polyexp.comparison.terminal import tables

__all__ = ["Column", "Comparison", "best_first", "compared", "tables", "write"]
