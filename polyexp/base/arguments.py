"""Validation of the texts and paths that functions are called with; what a file system says of a path, in one sentence."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from polyexp.base.errors import InputError
from polyexp.base.text import shown
from polyexp.base.validation import require

__all__ = ["path_errors", "require_path", "require_text"]


def require_text(key: str, value: Any, wanted: str) -> str:
    """Require a text that is not blank and that files and stores can hold: one without NUL and without half of a character.

    Args:
        key: The name of the value.
        value: The value.
        wanted: What is allowed, in words that follow "must be".

    Returns:
        The text.

    Raises:
        InputError: It is none.
    """
    require(isinstance(value, str) and bool(value.strip()), key, wanted, value)
    for what, ok in (("NUL characters", "\0" not in value), ("halves of surrogate pairs", _encodes(value))):
        if not ok:
            raise InputError(f"`{key}` must be {wanted}, without {what}, got {shown(value)}.")
    return str(value)


def require_path(key: str, value: Any, wanted: str) -> Path:
    """Require the path of a file or a folder, as text or as a path object; whether something is there is not asked.

    Args:
        key: The name of the value.
        value: The value.
        wanted: What is allowed, in words that follow "must be".

    Returns:
        The path.

    Raises:
        InputError: It is none; an empty text, which would be the current folder, is none either.

    Example:
        >>> try:
        ...     require_path("folder", "", "the path of a folder")
        ... except InputError as error:
        ...     print(error)
        `folder` must be the path of a folder, got ''.
    """
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    require(isinstance(text, str) and bool(text.strip()), key, wanted, value)
    if "\0" in text or not _encodes(text, os.fsencode):
        raise InputError(f"`{key}` must be {wanted}, without characters that no path has, got {shown(text)}.")
    return Path(text)


@contextmanager
def path_errors(key: str, path: Path, wanted: str) -> Iterator[None]:
    """A context in which what the operating system says becomes one sentence about a path that was given.

    Args:
        key: The name of the value.
        path: The path; the errors are those of it, or of a file that is made beside it or in it.
        wanted: What is allowed, in words that follow "must be".

    Raises:
        InputError: An OSError was raised.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(f"`{key}` must be {wanted}, got {shown(str(path))} ({reason}).") from error


def _encodes(text: str, encode: Any = str.encode) -> bool:
    try:
        encode(text)
    except UnicodeEncodeError:
        return False
    return True
