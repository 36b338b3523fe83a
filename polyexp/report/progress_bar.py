"""Bars and lines for what takes long: reading samples, fitting, the jobs of a sweep.

A bar is shown on a terminal only, and erased at its end. Nothing here may slow a fit: a bar is drawn again only at a snapshot,
at most ten times a second, and less often where drawing is slow (`DisplayInterval`).
"""

import functools
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.progress import Progress
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from polyexp.base import counted, cut
from polyexp.report.stream import Stream

__all__ = ["DisplayInterval", "FitBar", "JobCounter", "bar", "fit_status", "has_bars", "jobs_line"]

MIN_SECONDS_BETWEEN = 0.1  # from one display to the next
MAX_SHARE_OF_TIME = 0.01  # the part of the time of a fit that displaying may take
SECONDS_BEFORE_BAR = 0.5  # after the start of a fit; a shorter fit has no bar, which would only flicker
MIN_COLUMNS_FOR_WIDE_BAR = 80  # of a terminal
WIDE_BAR_COLUMNS, NARROW_BAR_COLUMNS = 20, 6
MAX_TIME_LEFT = timedelta(days=99)  # from here on "very long" is shown


def has_bars(console: Console) -> bool:
    """Whether a bar can be drawn: on a terminal that can move its cursor, which one with TERM=dumb cannot."""
    # rich takes a pipe for a terminal where FORCE_COLOR is set, hence isatty.
    return console.is_interactive and not console.is_dumb_terminal and console.file.isatty()


@contextmanager
def bar(what: str, *, quiet: bool = False) -> Iterator[Callable[[float], None]]:
    """Show a bar on stderr while the context is open, and erase it at the end; nothing where stderr is no terminal.

    The context gives the function that is called with the fraction that is done, from 0 to 1.

    Args:
        what: The words in front of the bar.
        quiet: Whether the bar is left out.
    """
    console = Console(stderr=True, quiet=quiet)
    progress = Progress(console=console, transient=True, disable=not has_bars(console))
    task = progress.add_task(escape(cut(what)), total=1.0)

    def update(done: float) -> None:
        if done < 1:  # an operation that is finished by its first call needs no bar
            progress.start()
        progress.update(task, completed=done)

    try:
        yield update
    finally:
        progress.stop()


class DisplayInterval:
    """The time between two displays, chosen so that displaying takes at most a hundredth of the time.

    Args:
        clock: A function that returns the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._next = -1.0

    def due(self) -> bool:
        """Whether the interval since the last display has passed."""
        return self._clock() >= self._next

    @contextmanager
    def showing(self) -> Iterator[None]:
        """A context around a display, which measures the time that it takes and so sets the next interval."""
        began = self._clock()
        try:
            yield
        finally:
            ended = self._clock()
            self._next = ended + max(MIN_SECONDS_BETWEEN, (ended - began) / MAX_SHARE_OF_TIME)


class FitBar:
    """The bar of a fit, `Fitting ━━━━━━━ 45%  loss 84.37  21000 steps/s  0:00:12 left`.

    It is below the lines that the same console prints.

    Args:
        console: The console of the terminal.
        steps: The number of steps that the fit takes at most.
        clock: A function that returns the time in seconds.
    """

    def __init__(self, console: Console, steps: int, clock: Callable[[], float] = time.perf_counter) -> None:
        self._console, self._steps, self._clock = console, steps, clock
        self._began = clock()
        self._live: Live | None = None

    def show(self, step: int, loss: float) -> None:
        """Draw the bar again; nothing during the first half second of a fit."""
        seconds = self._clock() - self._began
        if seconds < SECONDS_BEFORE_BAR:
            return
        if self._live is None:
            # Without a thread that refreshes the bar, which would take its time from the fit.
            self._live = Live(
                console=self._console, auto_refresh=False, transient=True, redirect_stderr=sys.stderr.isatty()
            )
            self._live.start()
        status = fit_status(step, self._steps, loss, seconds)
        width = WIDE_BAR_COLUMNS if self._console.width >= MIN_COLUMNS_FOR_WIDE_BAR else NARROW_BAR_COLUMNS
        self._live.update(_row(step, self._steps, status, width), refresh=True)

    def close(self) -> None:
        """Erase the bar and show the cursor again."""
        if self._live is not None:
            self._live.stop()
            self._live = None


def fit_status(step: int, steps: int, loss: float, seconds: float) -> str:
    """The words behind the bar, `loss 84.37  21000 steps/s  0:00:12 left`; `seconds` is the time since the first step."""
    rate = step / seconds
    left = timedelta(seconds=round(min((steps - step) / rate, MAX_TIME_LEFT.total_seconds())))
    shown = f"{rate:.0f}" if rate >= 10 else f"{rate:.2g}"
    return f"loss {loss:.4g}  {shown} steps/s  {left if left < MAX_TIME_LEFT else 'very long'} left"


def _row(step: int, steps: int, status: str, width: int) -> Table:
    row = Table.grid(padding=(0, 1))
    for least in (7, width, 4, 0):
        row.add_column(no_wrap=True, min_width=least)
    share = f"{100 * step // steps:>3}%"
    row.add_row("Fitting", ProgressBar(steps, step, width=width), share, Text(status, overflow="ellipsis"))
    return row


class JobCounter:
    """The numbers of jobs of a sweep that are done and failed, with a line after each job that is not quiet."""

    def __init__(self) -> None:
        self.total = self.done = self.failed = 0
        self._process = os.getpid()

    def counted(self, job: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """The function `job`, which is counted when it returns or raises; an interrupted job is not counted."""

        @functools.wraps(job)
        def run(cfg: Any) -> Any:
            try:
                result = job(cfg)
            except Exception:
                self.failed += 1
                self._print(quiet=cfg.quiet)
                raise
            self.done += 1
            self._print(quiet=cfg.quiet)
            return result

        return run

    def _print(self, *, quiet: bool) -> None:
        # Worker processes of a launcher have copies of the counter, which count only some of the jobs.
        if not quiet and os.getpid() == self._process:
            Stream().text(jobs_line(self.done, self.failed, self.total))


def jobs_line(done: int, failed: int, total: int) -> str:
    """A line such as `3 of 30 jobs done, 0 failed, 27 left`."""
    return f"{done} of {counted(total, 'job')} done, {failed} failed, {total - done - failed} left"
