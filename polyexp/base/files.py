"""Files that are complete wherever they are seen: written under another name, and renamed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["replaced", "save_bytes", "save_text"]


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A context that gives the path of a new file, which at its end takes the place of the file at `path`.

    Whoever reads the file sees the old or the new content as a whole. Where the context ends with an exception, the new file is
    removed.

    Args:
        path: The path of the file.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     with replaced(Path(folder, "a.txt")) as unfinished:
        ...         _ = unfinished.write_text("abc")
        ...     [one.name for one in Path(folder).iterdir()]
        ['a.txt']
    """
    unfinished = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def save_bytes(path: Path, content: bytes) -> None:
    """Write a file as a whole, or not at all.

    Args:
        path: The path of the file.
        content: Its content.
    """
    with replaced(path) as unfinished:
        unfinished.write_bytes(content)


def save_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8 as a whole, or not at all.

    Args:
        path: The path of the file.
        text: Its text; characters that UTF-8 has not, such as half of a surrogate pair, are escaped.
    """
    save_bytes(path, text.encode("utf-8", errors="backslashreplace"))
