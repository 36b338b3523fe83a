"""The files of a comparison."""

from pathlib import Path

from polyexp.comparison.figure import png
from polyexp.comparison.page import page
from polyexp.comparison.table import Comparison

__all__ = ["write"]


def write(folder: Path, comparison: Comparison) -> list[Path]:
    """Write compare.html and compare.png, and return their paths."""
    files = [folder / "compare.html", folder / "compare.png"]
    picture = png(comparison)
    files[0].write_text(page(comparison, picture), encoding="utf-8")
    files[1].write_bytes(picture)
    return files
