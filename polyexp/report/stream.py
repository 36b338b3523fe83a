"""Standard output and standard error, whose reader may stop reading."""

import os
import sys

from rich.console import Console

__all__ = ["Stream"]


class Stream(Console):
    """A console that prints nothing more when its reader has closed the pipe (`polyexp | head`), so that the run goes on."""

    def on_broken_pipe(self) -> None:
        """Print nothing from now on."""
        self.quiet = True
        # At its end the interpreter flushes standard output, and would print an error about the closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
