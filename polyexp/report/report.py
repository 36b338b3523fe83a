"""The component that decides which pictures and pages are made of a run."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from polyexp.base import Component, one_of
from polyexp.exact import Forecast
from polyexp.fitting import Result
from polyexp.problem import Source
from polyexp.report.figures import displayed_data, draw
from polyexp.report.film import write_page

__all__ = ["Report"]


@dataclass
class Report(Component, name="standard"):
    """Pictures of a run, and an animated page.

    Args:
        pictures: Of what pictures are drawn: "auto" draws a single run, and a sweep as a whole but not its jobs, because a
            picture takes longer than a fit; "all" draws every run; "none" draws nothing.
        page: Whether page.html, the fit as an animation, is written.
    """

    group: ClassVar[str] = "report"

    pictures: str = "auto"
    page: bool = False

    def __post_init__(self) -> None:
        one_of(self.key("pictures"), self.pictures, ("auto", "all", "none"))

    def draws(self, *, in_sweep: bool) -> bool:
        """Whether pictures are drawn of a run; `in_sweep` where it is a job of a sweep."""
        return self.pictures == "all" or (self.pictures == "auto" and not in_sweep)

    def write(
        self, folder: Path, result: Result, forecast: Forecast, problem: Source, seed: int, *, in_sweep: bool
    ) -> list[Path]:
        """Write the pictures and the page that are asked for, and return their paths.

        Args:
            folder: The folder of the run.
            result: The result of the run.
            forecast: The forecast of the run.
            problem: The source of the samples, from which some are read again where they were reduced.
            seed: The seed with which the samples were drawn.
            in_sweep: Whether the run is a job of a sweep.
        """
        draws = self.draws(in_sweep=in_sweep)
        if not (draws or self.page):
            return []
        shown = displayed_data(result, problem, seed)
        pictures = draw(folder, result, forecast, shown) if draws else []
        return [*pictures, write_page(folder, result, forecast, shown)] if self.page else pictures
