"""What a run prints: on the terminal, or as plain lines into a pipe, and always into `polyexp.log` of its folder."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.segment import Segment, Segments
from rich.table import Table

from polyexp.exact import Forecast
from polyexp.fitting import Look, Outcome, Result
from polyexp.report.progress_bar import FitBar, Pace, has_bars
from polyexp.report.sentences import advice, coefficients, ending, headline, loss_line, mode_rows, outlook, verdict
from polyexp.report.stream import Stream

__all__ = ["Terminal"]

PIPE_COLUMNS = 120  # letters of a line


class Terminal:
    """Prints a run as it happens. Used as a context manager, so that the log file is closed."""

    def __init__(self, folder: Path, *, quiet: bool = False) -> None:
        self._log = (folder / "polyexp.log").open("a")
        self._errors = Stream(stderr=True)
        self._outputs = [Stream(quiet=quiet, width=_pipe()), Console(file=self._log, width=PIPE_COLUMNS)]
        self._bar: FitBar | None = None
        self._pace, self._held = Pace(), list[str]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.settle()
        self._log.close()

    @property
    def width(self) -> int:
        """The letters of a line that are shown everywhere."""
        return min(console.width for console in self._outputs)

    def say(self, what: RenderableType) -> None:
        """Print text as it is (long lines are not broken), or a table."""
        self._flush()
        self._print(what, soft_wrap=isinstance(what, str))

    def warn(self, sentence: str) -> None:
        """Print a warning to stderr, even where the rest is quiet."""
        self.settle()
        for console in (self._errors, self._outputs[1]):
            console.print(f"warning: {sentence}", markup=False, highlight=False, soft_wrap=True)

    def begin(self, known: Forecast, computed_by: str) -> None:
        """What is about to be fitted, what computes it, and what can be expected; from here on a fit has its bar."""
        samples, needed = known.samples, len(known.model.param_names)
        reduced = f" (as {samples.size} weighted ones)" if samples.size < samples.total else ""
        self.say(f"Fitting {known.model.choice} to {samples.total} samples of {samples.name}{reduced} on {computed_by}")
        if samples.note:
            self.warn(samples.note)
        if samples.total < needed:
            self.warn(f"{_count(samples.total, 'sample')} cannot determine {_count(needed, 'parameter')}.")
        for line in outlook(known):
            self.say(line)
        if has_bars(self._outputs[0]) and not self._outputs[0].quiet:
            self._bar = FitBar(self._outputs[0], known.steps)

    def look(self, look: Look) -> None:
        """One loss line, and on a terminal the bar below it.

        Where looks come fast, lines are held back and printed together, for at most a hundredth of the fit's time.
        """
        self._held.append(loss_line(look))
        if self._pace.due():
            with self._pace.showing():
                self._flush()
                if self._bar:
                    self._bar.show(look.step, float(look.loss))

    def settle(self) -> None:
        """Print what was held back, and take the bar away."""
        self._flush()
        if self._bar:
            self._bar.close()
            self._bar = None

    def summary(self, result: Result, known: Forecast) -> None:
        """The formula, the coefficients, why the run stopped, how far from the best it is and what to try."""
        self.settle()
        self.say("")
        self.say(headline(result))
        self.say(_table(coefficients(result)))
        taken = _count(result.steps, "step")
        self.say(f"{result.outcome.name} after {taken}, loss {result.loss:.6g}. {ending(result, known)}")
        for line in verdict(result, known):
            self.say(line)
        if result.outcome is Outcome.DIVERGED:
            self.warn(f"the run diverged; its parameters are those after {taken}.")

    def prediction(self, known: Forecast) -> None:
        """What the forecast knows in numbers: how far each mode comes, and what could be typed instead."""
        modes = Table(
            "mode", "eigenvalue", f"left of it after {known.steps} steps", "steps to a thousandth", box=SIMPLE_HEAD
        )
        for row in mode_rows(known):
            modes.add_row(*row)
        self.say(modes)
        for line in advice(known):
            self.say(line)

    def end(self, folder: Path, lines: Sequence[str]) -> None:
        """Where everything is."""
        self.say(f"\nFiles in {_short(folder)}")
        for line in lines:
            self.say(line)

    def _flush(self) -> None:
        if self._held:
            text, self._held = "".join(f"{line}\n" for line in self._held), []
            # As one segment: laying out thousands of lines would cost more than anything else that is shown.
            self._print(Segments([Segment(text)]), soft_wrap=True)

    def _print(self, what: RenderableType, *, soft_wrap: bool) -> None:
        for console in self._outputs:
            console.print(what, markup=False, highlight=False, soft_wrap=soft_wrap)


def _pipe() -> int | None:
    """The width of what is read by a program; None where a terminal, or the user, knows better."""
    return None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_COLUMNS


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _short(folder: Path) -> Path:
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder


def _table(rows: list[tuple[str, str, str]]) -> Table:
    heads = ("parameter", "value", "in powers of x")
    used = [column for column in range(3) if any(row[column] for row in rows)]
    table = Table(*(heads[column] for column in used), box=SIMPLE_HEAD)
    for row in rows:
        table.add_row(*(row[column] for column in used))
    return table
