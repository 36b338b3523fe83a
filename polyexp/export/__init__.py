"""A fitted polynomial as source code or data that needs nothing of polyexp."""

from polyexp.export.accuracy import Stated, stated, up
from polyexp.export.formats import FORMATS, Exported, is_name
from polyexp.export.formula import BASES, PRECISIONS, Formula, formula_of

__all__ = [
    "BASES",
    "FORMATS",
    "PRECISIONS",
    "Exported",
    "Formula",
    "Stated",
    "formula_of",
    "is_name",
    "stated",
    "up",
]
