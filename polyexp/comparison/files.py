"""The files of a comparison."""

from pathlib import Path

from polyexp.base import save_bytes, save_text
from polyexp.comparison.figure import draw
from polyexp.comparison.page import page
from polyexp.comparison.table import Comparison
from polyexp.report.axes import png

__all__ = ["write"]


def write(folder: Path, comparison: Comparison) -> list[Path]:
    """Write compare.html and compare.png, and return their paths."""
    files = [folder / "compare.html", folder / "compare.png"]
    picture = png(draw(comparison))
    save_text(files[0], page(comparison, picture))
    save_bytes(files[1], picture)
    return files
