"""Standard output, standard error and files as streams of text, which is wrapped at blanks on a terminal.

The reader of a pipe may stop reading.
"""

import os
import sys
from typing import Any

from rich.console import Console
from rich.text import Text

from polyexp.base import printable

__all__ = ["Stream"]

UNLIMITED_COLUMNS = 100_000  # of a pipe or a file, where nothing is wrapped and no table is split


class Stream(Console):
    """A console that prints nothing more when its reader has closed the pipe (`polyexp | head`), so that the run goes on.

    Args:
        **options: The options of a rich Console.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if not self.on_terminal and "COLUMNS" not in os.environ:
            self.width = UNLIMITED_COLUMNS

    @property
    def on_terminal(self) -> bool:
        """Whether this prints on a terminal; rich takes a pipe for one where FORCE_COLOR is set."""
        return self.file.isatty()

    def text(self, text: str) -> None:
        """Print a text, whose control characters are escaped and whose lines are wrapped at blanks on a terminal.

        A word that is longer than a line, such as a path, is left whole.

        Args:
            text: One or more lines.
        """
        lines = Text("\n".join(map(printable, text.split("\n"))))
        self.print(lines, markup=False, highlight=False, soft_wrap=not self.on_terminal, overflow="ignore", crop=False)

    def on_broken_pipe(self) -> None:
        """Print nothing from now on."""
        self.quiet = True
        # At its end the interpreter flushes standard output, and would print an error about the closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
