"""What a run prints: on the terminal, or as plain lines into a pipe, and always into `polyexp.log` of its folder."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table

from polyexp.backends import Backend
from polyexp.fit import Outcome, Result, State
from polyexp.models import Model
from polyexp.report.words import coefficients, headline, loss_line
from polyexp.samples import Samples

__all__ = ["Terminal"]


class _Stream(Console):
    """A console that falls silent when its reader goes away (`polyexp | head`): the run goes on."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Terminal:
    """Prints a run as it happens. Used as a context manager, so that the log file is closed."""

    def __init__(self, folder: Path, *, quiet: bool = False) -> None:
        self._log = (folder / "polyexp.log").open("a")
        self._errors = _Stream(stderr=True)
        self._outputs = [_Stream(quiet=quiet), Console(file=self._log, width=120)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._log.close()

    def say(self, what: RenderableType) -> None:
        """Print text as it is (long lines are not broken), or a table."""
        for console in self._outputs:
            console.print(what, markup=False, highlight=False, soft_wrap=isinstance(what, str))

    def warn(self, sentence: str) -> None:
        """Print a warning to stderr, even where the rest is quiet."""
        for console in (self._errors, self._outputs[1]):
            console.print(f"warning: {sentence}", markup=False, highlight=False, soft_wrap=True)

    def begin(self, samples: Samples, model: Model, backend: Backend) -> None:
        """What is about to be fitted, and what computes it."""
        size, needed = samples.size, len(model.param_names)
        self.say(f"Fitting {model.choice} to {size} samples of {samples.name} on {backend.describe()}")
        if size < needed:
            self.warn(f"{_count(size, 'sample')} cannot determine {_count(needed, 'parameter')}.")

    def look(self, state: State) -> None:
        """One loss line."""
        self.say(loss_line(state))

    def summary(self, result: Result) -> None:
        """The formula, the coefficients, and why the run stopped."""
        self.say("")
        self.say(headline(result))
        self.say(_table(coefficients(result)))
        self.say(f"{result.outcome.name} after {_count(result.steps, 'step')}, loss {result.loss:.6g}.")
        self.say(result.outcome.value)
        if result.outcome is Outcome.DIVERGED:
            self.warn(f"the run diverged; its parameters are those after {_count(result.steps, 'step')}.")

    def end(self, folder: Path, lines: Sequence[str]) -> None:
        """Where everything is."""
        self.say(f"\nFiles in {_short(folder)}")
        for line in lines:
            self.say(line)


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
