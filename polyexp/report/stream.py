"""Standard output, whose reader may leave."""

import os
import sys

from rich.console import Console

__all__ = ["Stream"]


class Stream(Console):
    """A console that falls silent when its reader goes away (`polyexp | head`): the run goes on."""

    def on_broken_pipe(self) -> None:
        """Be quiet from now on, and keep the interpreter from complaining at its end."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
