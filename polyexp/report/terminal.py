"""What a run prints on the terminal or, as plain lines, into a pipe, and always into `polyexp.log` of its folder."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from rich.console import RenderableType
from rich.segment import Segment, Segments

from polyexp.base import counted, cut, from_here
from polyexp.exact import Forecast
from polyexp.fitting import Outcome, Result, Snapshot
from polyexp.report.progress_bar import DisplayInterval, FitBar, has_bars
from polyexp.report.sentences import (
    advice,
    cancellation,
    coefficients,
    ending,
    forecast_sentences,
    futile,
    headline,
    loss_line,
    mode_rows,
    undetermined,
    verdict,
)
from polyexp.report.stream import Stream
from polyexp.report.tables import Column, columns_of, plain_table, tables

__all__ = ["Terminal"]


class Terminal:
    """The printer of a run, a context manager that closes the log file at its end.

    Args:
        folder: The folder of the run, which must exist.
        quiet: Whether only warnings, and how an interrupted run goes on, are printed; polyexp.log then gets everything but the
            losses, which are in history.csv.
        log_only: Whether everything goes to polyexp.log alone, warnings too.
    """

    def __init__(self, folder: Path, *, quiet: bool = False, log_only: bool = False) -> None:
        self._quiet = quiet
        self._log = (folder / "polyexp.log").open("a", encoding="utf-8", errors="backslashreplace")
        log = Stream(file=self._log)
        self._outputs, self._loud = ([log] if log_only else [Stream(quiet=one), log] for one in (quiet, False))
        self._errors = [log] if log_only else [Stream(stderr=True), log]
        self._bar: FitBar | None = None
        self._interval, self._pending = DisplayInterval(), list[str]()
        self._folds_equal_lines, self._last, self._held = False, "", ""
        self._suggests = True
        self._interrupted = False
        self.warnings: list[str] = []  # that have been printed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close_bar()
        with suppress(OSError):  # of a full disk, of which the run has spoken
            self._log.close()

    def print(self, what: str, *, always: bool = False) -> None:
        """Print text, whose lines are wrapped at blanks on a terminal alone; `always`: also where `quiet` is set."""
        self._flush()
        for console in self._loud if always else self._outputs:
            _print(console, what)

    def print_table(self, columns: Sequence[Column], *, keys: int = 1) -> None:
        """Print a table, or several where its columns do not fit beside each other; the arguments are those of `tables`."""
        self._flush()
        for console in self._outputs:
            plain = plain_table(columns, console.width) if console.in_file else None
            for table in [plain] if plain else tables(columns, console.width, keys=keys):
                _print(console, table)

    def print_parts(self, parts: Iterable[str | Sequence[Column]]) -> None:
        """Print sentences and tables, each table as its columns."""
        for part in parts:
            self.print(part) if isinstance(part, str) else self.print_table(part)

    def warn(self, sentence: str) -> None:
        """Print a warning to stderr, also where `quiet` is set."""
        self.close_bar()
        self.warnings.append(sentence)
        for console in self._errors:
            console.text(f"warning: {sentence}")

    def begin(
        self, forecast: Forecast, computed_by: str, *, folds_equal_lines: bool = False, in_sweep: bool = False
    ) -> None:
        """Print what is fitted, what computes it, and the forecast, and make the bar of the fit.

        Args:
            forecast: The forecast of the run.
            computed_by: The library, dtype and device that compute the run.
            folds_equal_lines: Whether of successive snapshots with equal loss the first and the last are printed alone.
            in_sweep: Whether the run is a job of a sweep, which makes no suggestions of its own.
        """
        self._suggests = not in_sweep
        self._folds_equal_lines = folds_equal_lines
        samples = forecast.samples
        given = f"{counted(samples.total, 'sample')} of {cut(samples.name)}"
        reduced = f" (reduced to {counted(samples.size, 'weighted sample')})" if samples.size < samples.total else ""
        self.print(f"Fitting {forecast.model.choice} to {given}{reduced} on {computed_by}")
        if samples.note:
            self.warn(samples.note)
        for line in forecast_sentences(forecast):
            self.print(line)
        for line in undetermined(forecast) + (futile(forecast) if self._suggests else []):
            self.warn(line)
        if has_bars(self._outputs[0]) and not self._quiet:
            self._bar = FitBar(self._outputs[0], forecast.steps)

    def snapshot(self, snapshot: Snapshot) -> None:
        """Print the loss line of a snapshot that is not early and, on a terminal, the bar below it.

        Lines of snapshots that follow each other fast are collected and printed together, so that printing takes at most a
        hundredth of the time of the fit.
        """
        if not snapshot.early and not self._quiet:
            self._collect(loss_line(snapshot))
        if self._interval.due():
            with self._interval.showing():
                self._flush()
                if self._bar:
                    self._bar.show(snapshot.step, float(snapshot.loss))

    def _collect(self, line: str) -> None:
        """Collect a line to be printed; one that may be folded is kept back until a line with another loss comes."""
        loss = line.rpartition(" ")[2]
        if self._folds_equal_lines and self._last and loss == self._last.rpartition(" ")[2]:
            self._held = line
            return
        self._pending += [self._held, line] if self._held else [line]
        self._last, self._held = line, ""

    def close_bar(self) -> None:
        """Print the lines that were collected, and erase the bar."""
        if self._held:
            self._pending, self._held = [*self._pending, self._held], ""
        self._flush()
        if self._bar:
            self._bar.close()
            self._bar = None

    def summary(self, result: Result, forecast: Forecast) -> None:
        """Print the formula, the coefficients, why the run ended, how far above the best loss it is, and what to try."""
        self.close_bar()
        self.print("")
        self.print(headline(result))
        self.print_table(columns_of(("parameter", "value", "in powers of x"), coefficients(result)), keys=0)
        for line in cancellation(result):
            self.print(line)
        taken = counted(int(result.steps), "step")
        self.print(f"{result.outcome.name} after {taken}, loss {result.loss:.6g}. {ending(result, forecast)}")
        for line in verdict(result, forecast, suggests=self._suggests):
            self.print(line)
        if result.outcome is Outcome.DIVERGED:
            self.warn(f"the run diverged; its parameters are those after {taken}.")

    def resumed(self, step: int, kept: Sequence[str], warning: str) -> None:
        """Print from where a run goes on.

        Args:
            step: The number of updates that its checkpoint has.
            kept: The numbers that it has found for automatic settings and keeps, as `key=value`.
            warning: What is to be said of the checkpoint; empty for nothing.
        """
        where = f"after {counted(step, 'step')}" if step else "without a checkpoint, from the first step on"
        found = f", with {' and '.join(kept)}, which the run has found before" if kept else ""
        self.print(f"Resumed {where}{found}.")
        if warning:
            self.warn(warning)

    def interrupted(self, result: Result, command: str) -> None:
        """Print how far a run came that was interrupted, and how to go on, in one line.

        Args:
            result: Its result.
            command: What continues it; empty where something else does.
        """
        self.close_bar()
        self._interrupted = True
        taken = counted(int(result.steps), "step")
        how = f" To go on, type `{command}`." if command else ""
        self.print(f"{result.outcome.name} after {taken}, loss {result.loss:.6g}.{how}", always=bool(command))

    def prediction(self, forecast: Forecast) -> None:
        """Print a table of the modes, how far each of them comes, and what to try."""
        remaining = f"remaining after {counted(forecast.steps, 'step')}"
        self.print_table(columns_of(("mode", "eigenvalue", remaining, "steps to 1/1000"), mode_rows(forecast)))
        for line in advice(forecast):
            self.print(line)

    def end(self, folder: Path, lines: Sequence[str], warning: str | None = None) -> None:
        """Print the folder of the run, lines on where else it is recorded, and a warning if it is not.

        Of a run that was interrupted `interrupted` has printed what is needed.
        """
        if not self._interrupted:
            self.print(f"\nFiles in {from_here(folder)}")
            for line in lines:
                self.print(line)
        if warning:
            self.warn(warning)

    def _flush(self) -> None:
        if not self._pending:
            return
        longest, text = max(map(len, self._pending)), "".join(f"{line}\n" for line in self._pending)
        for console in self._outputs:
            # rich needs more time to lay out thousands of lines than for everything else that is printed, hence one segment.
            laid_out = longest <= console.width and not console.in_file
            _print(console, Segments([Segment(text)]) if laid_out else text.rstrip("\n"))
        self._pending = []


def _print(console: Stream, what: RenderableType) -> None:
    if isinstance(what, str):
        console.text(what)
    else:
        console.print(what, markup=False, highlight=False, soft_wrap=isinstance(what, Segments))
