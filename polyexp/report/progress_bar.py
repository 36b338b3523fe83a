"""Bars and lines for what takes long: reading samples, fitting, the jobs of a sweep.

A bar is shown on a terminal only, and gone afterwards. Nothing here may slow a fit: what is shown is renewed when somebody
looks at the run, at most ten times a second, and more rarely where showing it is slow (`Pace`).
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
from rich.progress import Progress
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from polyexp.report.stream import Stream

__all__ = ["FitBar", "Jobs", "Pace", "bar", "fit_status", "has_bars", "jobs_line"]

MIN_SECONDS_BETWEEN = 0.1  # seconds between two renewals
MAX_SHARE_OF_TIME = 0.01  # of the time, at most, for showing
SECONDS_BEFORE_BAR = 0.5  # seconds that a fit takes before there is a bar
WIDE_COLUMNS = 80  # columns of a terminal that has room
MAX_TIME_LEFT = timedelta(days=99)


def has_bars(console: Console) -> bool:
    """Whether a bar can be drawn: on a real terminal that can move its cursor (not TERM=dumb), whatever FORCE_COLOR says."""
    return console.is_interactive and not console.is_dumb_terminal and console.file.isatty()


@contextmanager
def bar(what: str, *, quiet: bool = False) -> Iterator[Callable[[float], None]]:
    """A function to call with the fraction done. The bar is on stderr, on a terminal only, and gone afterwards."""
    console = Console(stderr=True, quiet=quiet)
    progress = Progress(console=console, transient=True, disable=not has_bars(console))
    task = progress.add_task(what, total=1.0)

    def tell(done: float) -> None:
        if done < 1:  # one part that is all of it needs no bar
            progress.start()
        progress.update(task, completed=done)

    try:
        yield tell
    finally:
        progress.stop()


class Pace:
    """Says when it is time to show something again: so rarely that showing takes at most a hundredth of the time."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._next = -1.0

    def due(self) -> bool:
        """Whether it is time."""
        return self._clock() >= self._next

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Around what is shown, so that its cost is known."""
        began = self._clock()
        try:
            yield
        finally:
            ended = self._clock()
            self._next = ended + max(MIN_SECONDS_BETWEEN, (ended - began) / MAX_SHARE_OF_TIME)


class FitBar:
    """`Fitting ━━━━━━━ 45%  loss 84.37  21000 steps/s  0:00:12 left`, below the lines that the same console prints."""

    def __init__(self, console: Console, steps: int, clock: Callable[[], float] = time.perf_counter) -> None:
        self._console, self._steps, self._clock = console, steps, clock
        self._began = clock()
        self._live: Live | None = None

    def show(self, step: int, loss: float) -> None:
        """Renew the bar; it appears once a fit has taken half a second."""
        seconds = self._clock() - self._began
        if seconds < SECONDS_BEFORE_BAR:
            return
        if self._live is None:
            # Nothing is refreshed behind our back: a thread would take its time from the fit.
            self._live = Live(
                console=self._console, auto_refresh=False, transient=True, redirect_stderr=sys.stderr.isatty()
            )
            self._live.start()
        status, width = fit_status(step, self._steps, loss, seconds), 20 if self._console.width >= WIDE_COLUMNS else 6
        self._live.update(_row(step, self._steps, status, width), refresh=True)

    def close(self) -> None:
        """Take the bar away and give the cursor back."""
        if self._live is not None:
            self._live.stop()
            self._live = None


def fit_status(step: int, steps: int, loss: float, seconds: float) -> str:
    """`loss 84.37  21000 steps/s  0:00:12 left`, after so many seconds."""
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


class Jobs:
    """The jobs of a sweep, counted as they end, with a line after each; nothing where a job is quiet."""

    def __init__(self) -> None:
        self.total = self.done = self.failed = 0
        self._process = os.getpid()

    def counted(self, job: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """`job`, counted when it ends. An interruption is no end."""

        @functools.wraps(job)
        def run(cfg: Any) -> Any:
            try:
                result = job(cfg)
            except Exception:
                self.failed += 1
                self._tell(quiet=cfg.quiet)
                raise
            self.done += 1
            self._tell(quiet=cfg.quiet)
            return result

        return run

    def _tell(self, *, quiet: bool) -> None:
        if not quiet and os.getpid() == self._process:  # a launcher's workers have copies, which count only their own
            Stream().print(jobs_line(self.done, self.failed, self.total), markup=False, highlight=False, soft_wrap=True)


def jobs_line(done: int, failed: int, total: int) -> str:
    """`3 of 30 jobs done, 0 failed, 27 left`."""
    return f"{done} of {total} jobs done, {failed} failed, {total - done - failed} left"
