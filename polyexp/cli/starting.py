"""A line on the terminal while libraries are imported, which is erased when anything else is printed.

This module imports the standard library alone, so that the line is there at once.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

__all__ = ["starting"]

LINE, ERASE = "Loading libraries ...", "\r\x1b[2K"


@contextmanager
def starting(words: Sequence[str]) -> Iterator[None]:
    """Show a line on the terminal until something is printed, at most while the context is open.

    There is none in a pipe, on a terminal that cannot erase it, and where the user asked for quiet.

    Args:
        words: The words of the command line.
    """
    output = sys.stdout
    if not output.isatty() or os.environ.get("TERM", "dumb") in ("", "dumb") or "quiet=true" in words:
        yield
        return
    streams = [one for one in (sys.stdout, sys.stderr) if one.isatty()]
    writes = [one.write for one in streams]

    def erase() -> None:
        for stream in streams:
            vars(stream).pop("write", None)
        output.write(ERASE)
        output.flush()

    def erasing(write: Any) -> Any:
        def first(text: str) -> int:
            erase()
            return int(write(text))

        return first

    output.write(LINE)
    output.flush()
    for stream, write in zip(streams, writes, strict=True):
        stream.write = erasing(write)  # type: ignore[method-assign]
    try:
        yield
    finally:
        if any("write" in vars(stream) for stream in streams):
            erase()
