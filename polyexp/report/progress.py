"""A bar for what takes long before a run can say anything: reading or drawing many samples."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress

__all__ = ["bar"]


@contextmanager
def bar(what: str, *, quiet: bool = False) -> Iterator[Callable[[float], None]]:
    """A function to call with the fraction done. The bar is on stderr, on a terminal only, and gone afterwards."""
    console = Console(stderr=True, quiet=quiet)
    progress = Progress(console=console, transient=True, disable=not console.is_terminal)
    task = progress.add_task(what, total=1.0)

    def tell(done: float) -> None:
        if done < 1:  # one part that is all of it needs no bar
            progress.start()
        progress.update(task, completed=done)

    try:
        yield tell
    finally:
        progress.stop()
