"""What is made of a run for a person to look at, and when."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from polyexp.base import Component, one_of
from polyexp.exact import Forecast
from polyexp.fitting import Result
from polyexp.problem import Source
from polyexp.report.figures import draw, scene
from polyexp.report.film import write_page

__all__ = ["Report"]


@dataclass
class Report(Component, name="standard"):
    """Pictures, and a film of the fit.

    pictures: "auto" draws a single run and not the jobs of a sweep, because a picture costs more than a fit; "all" draws
    every run, "none" draws nothing. page: whether page.html is written.
    """

    group: ClassVar[str] = "report"

    pictures: str = "auto"
    page: bool = False

    def __post_init__(self) -> None:
        one_of(self.key("pictures"), self.pictures, ("auto", "all", "none"))

    def draws(self, *, in_sweep: bool) -> bool:
        """Whether a run gets pictures."""
        return self.pictures == "all" or (self.pictures == "auto" and not in_sweep)

    def write(
        self, folder: Path, result: Result, known: Forecast, problem: Source, seed: int, *, in_sweep: bool
    ) -> list[Path]:
        """Write what is wanted into the run's folder, and return the paths."""
        draws = self.draws(in_sweep=in_sweep)
        if not (draws or self.page):
            return []
        shown = scene(result, problem, seed)
        pictures = draw(folder, result, known, shown) if draws else []
        return [*pictures, write_page(folder, result, known, shown)] if self.page else pictures
