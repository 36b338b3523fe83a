"""What a run prints on the terminal or, as plain lines, into a pipe, and always into `polyexp.log` of its folder."""

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
from polyexp.fitting import Outcome, Result, Snapshot
from polyexp.report.progress_bar import DisplayInterval, FitBar, has_bars
from polyexp.report.sentences import (
    advice,
    coefficients,
    count,
    ending,
    forecast_sentences,
    headline,
    loss_line,
    mode_rows,
    verdict,
    warnings,
)
from polyexp.report.stream import Stream

__all__ = ["Terminal"]

PIPE_COLUMNS = 120  # characters of a line in a pipe and in polyexp.log


class Terminal:
    """The printer of a run, a context manager that closes the log file at its end.

    Args:
        folder: The folder of the run, which must exist.
        quiet: Whether only warnings are printed; polyexp.log gets everything anyway.
    """

    def __init__(self, folder: Path, *, quiet: bool = False) -> None:
        self._log = (folder / "polyexp.log").open("a")
        self._errors = Stream(stderr=True)
        self._outputs = [Stream(quiet=quiet, width=_pipe_width()), Console(file=self._log, width=PIPE_COLUMNS)]
        self._bar: FitBar | None = None
        self._interval, self._pending = DisplayInterval(), list[str]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close_bar()
        self._log.close()

    @property
    def width(self) -> int:
        """The number of characters of a line that fit on every output."""
        return min(console.width for console in self._outputs)

    def print(self, what: RenderableType) -> None:
        """Print text, whose long lines are not broken, or a table."""
        self._flush()
        self._write(what, soft_wrap=isinstance(what, str))

    def warn(self, sentence: str) -> None:
        """Print a warning to stderr, also where `quiet` is set."""
        self.close_bar()
        for console in (self._errors, self._outputs[1]):
            console.print(f"warning: {sentence}", markup=False, highlight=False, soft_wrap=True)

    def begin(self, forecast: Forecast, computed_by: str) -> None:
        """Print what is fitted, what computes it, and the forecast, and make the bar of the fit."""
        samples = forecast.samples
        reduced = f" (reduced to {count(samples.size, 'weighted sample')})" if samples.size < samples.total else ""
        self.print(
            f"Fitting {forecast.model.choice} to {samples.total} samples of {samples.name}{reduced} on {computed_by}"
        )
        if samples.note:
            self.warn(samples.note)
        for line in forecast_sentences(forecast):
            self.print(line)
        for line in warnings(forecast):
            self.warn(line)
        if has_bars(self._outputs[0]) and not self._outputs[0].quiet:
            self._bar = FitBar(self._outputs[0], forecast.steps)

    def snapshot(self, snapshot: Snapshot) -> None:
        """Print the loss line of a snapshot that is not early and, on a terminal, the bar below it.

        Lines of snapshots that follow each other fast are collected and printed together, so that printing takes at most a
        hundredth of the time of the fit.
        """
        if not snapshot.early:
            self._pending.append(loss_line(snapshot))
        if self._interval.due():
            with self._interval.showing():
                self._flush()
                if self._bar:
                    self._bar.show(snapshot.step, float(snapshot.loss))

    def close_bar(self) -> None:
        """Print the lines that were collected, and erase the bar."""
        self._flush()
        if self._bar:
            self._bar.close()
            self._bar = None

    def summary(self, result: Result, forecast: Forecast) -> None:
        """Print the formula, the coefficients, why the run ended, how far above the best loss it is, and what to try."""
        self.close_bar()
        self.print("")
        self.print(headline(result))
        self.print(_table(coefficients(result)))
        taken = count(result.steps, "step")
        self.print(f"{result.outcome.name} after {taken}, loss {result.loss:.6g}. {ending(result, forecast)}")
        for line in verdict(result, forecast):
            self.print(line)
        if result.outcome is Outcome.DIVERGED:
            self.warn(f"the run diverged; its parameters are those after {taken}.")

    def prediction(self, forecast: Forecast) -> None:
        """Print a table of the modes, how far each of them comes, and what to try."""
        modes = Table(
            "mode", "eigenvalue", f"remaining after {forecast.steps} steps", "steps to 1/1000", box=SIMPLE_HEAD
        )
        for row in mode_rows(forecast):
            modes.add_row(*row)
        self.print(modes)
        for line in advice(forecast):
            self.print(line)

    def end(self, folder: Path, lines: Sequence[str]) -> None:
        """Print the folder of the run, and lines on where else it is recorded."""
        self.print(f"\nFiles in {_relative(folder)}")
        for line in lines:
            self.print(line)

    def _flush(self) -> None:
        if self._pending:
            text, self._pending = "".join(f"{line}\n" for line in self._pending), []
            # rich needs more time to lay out thousands of lines than for everything else that is printed, hence one segment.
            self._write(Segments([Segment(text)]), soft_wrap=True)

    def _write(self, what: RenderableType, *, soft_wrap: bool) -> None:
        for console in self._outputs:
            console.print(what, markup=False, highlight=False, soft_wrap=soft_wrap)


def _pipe_width() -> int | None:
    """The number of columns where the output goes into a pipe; None where a terminal, or COLUMNS, determines it."""
    return None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_COLUMNS


def _relative(folder: Path) -> Path:
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder


def _table(rows: list[tuple[str, str, str]]) -> Table:
    heads = ("parameter", "value", "in powers of x")
    used = [column for column in range(3) if any(row[column] for row in rows)]
    table = Table(*(heads[column] for column in used), box=SIMPLE_HEAD)
    for row in rows:
        table.add_row(*(row[column] for column in used))
    return table
