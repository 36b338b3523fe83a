"""Files that are complete wherever they are seen: written under another name, and renamed. And the reading of regular files."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from polyexp.base.errors import FolderError

__all__ = ["folder_errors", "open_regular", "replaced", "save_bytes", "save_text", "sync_folder"]

# A named pipe is not waited for, and a symbolic link is not followed; Windows has neither flag.
READING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


@contextmanager
def folder_errors(folder: Path, of: str) -> Iterator[None]:
    """A context in which what the operating system says of a folder, or of what is in it, becomes one sentence.

    Args:
        folder: The folder.
        of: What has it, such as "run".

    Raises:
        FolderError: An OSError was raised whose file is the folder or in it.
    """
    try:
        yield
    except OSError as error:
        if not Path(error.filename or "").is_relative_to(folder):
            raise
        raise FolderError(
            f"The folder of the {of}, {folder}, cannot be written any more ({error.strerror})."
        ) from error


def open_regular(path: Path) -> BinaryIO:
    """A regular file, opened for reading, in a folder that anybody may have written.

    Args:
        path: The path of the file.

    Raises:
        OSError: It cannot be read, or something else is there: a symbolic link, a folder, a device, a named pipe.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     save_text(Path(folder, "a.txt"), "abc")
        ...     with open_regular(Path(folder, "a.txt")) as file:
        ...         file.read()
        b'abc'
    """
    descriptor = os.open(path, READING)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
    return open(descriptor, "rb")


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
    if path.name in ("", ".."):  # of "." it is empty
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    unfinished = path.with_name(f".{os.getpid()}.{path.name}")
    unfinished.unlink(missing_ok=True)  # of a process of this number that was killed, or planted
    os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))  # no link is followed
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


def sync_folder(folder: Path) -> None:
    """Bring the names of the files of a folder to the disk, so that a file that was renamed is there after a power failure.

    Args:
        folder: The folder. Where the system opens no folders, or its file system does not do this, nothing happens.
    """
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
