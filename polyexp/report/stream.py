"""Standard output, standard error and files as streams of text, which is wrapped at blanks on a terminal."""

import os
import re
import textwrap
from typing import Any

from rich.console import Console

from polyexp.base import printable

__all__ = ["UNLIMITED_COLUMNS", "Stream", "wrapped"]

UNLIMITED_COLUMNS = 100_000  # of a pipe or a file, where nothing is wrapped and no table is split
TYPED = re.compile(r"`[^`\n]+`")  # a command or a setting, as it is typed
BLANK = "\ue000"  # stands for a blank in it while a line is wrapped; no text that is printed has this character


def wrapped(text: str, columns: int, indent: str = "") -> str:
    """The text with its lines wrapped at blanks; a word that is longer than a line is left whole, as are words in `...`.

    So a command can be copied from a terminal of any width.

    Args:
        text: One or more lines.
        columns: The number of characters of a line.
        indent: What the second and further parts of a line begin with.
    """
    options: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False, "subsequent_indent": indent}
    whole = TYPED.sub(lambda found: found[0].replace(" ", BLANK), text)
    lines = (line if len(line) <= columns else textwrap.fill(line, columns, **options) for line in whole.split("\n"))
    return "\n".join(lines).replace(BLANK, " ")


class Stream(Console):
    """A console that wraps nothing in a pipe or a file.

    Args:
        **options: The options of a rich Console.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if not self.on_terminal and "COLUMNS" not in os.environ:
            self.width = UNLIMITED_COLUMNS

    @property
    def in_file(self) -> bool:
        """Whether this prints into a file of its own, for which rich has nothing to lay out."""
        return self._file is not None and not self.on_terminal

    @property
    def on_terminal(self) -> bool:
        """Whether this prints on a terminal; rich takes a pipe for one where FORCE_COLOR is set."""
        return self.file.isatty()

    def text(self, text: str) -> None:
        """Print a text, whose control characters are escaped and whose lines are wrapped at blanks on a terminal.

        A word that is longer than a line, such as a path, and a command in `...` are left whole.

        Args:
            text: One or more lines.
        """
        lines = "\n".join(map(printable, text.split("\n")))
        if self.in_file:
            self.file.write(f"{lines}\n")
            self.file.flush()
            return
        shown = wrapped(lines, self.width) if self.on_terminal else lines
        self.print(shown, markup=False, highlight=False, soft_wrap=True)
