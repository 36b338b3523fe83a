"""A fitted polynomial as source code or data that needs nothing of polyexp."""

from polyexp.export.formats import FORMATS, Exported, is_name
from polyexp.export.formula import BASES, PRECISIONS, Formula, formula_of
from polyexp.export.run import export
from polyexp.export.stated import Stated, stated, up

__all__ = [
    "BASES",
    "FORMATS",
    "PRECISIONS",
    "Exported",
    "Formula",
    "Stated",
    "export",
    "formula_of",
    "is_name",
    "stated",
    "up",
]
