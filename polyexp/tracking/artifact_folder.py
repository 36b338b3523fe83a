"""The folder with the artifacts of a run on this machine: where MLflow has it, and how files come into it.

A file appears there under its name only as a whole. Below the location of the MLflow experiment no symbolic link is followed.
"""

import contextlib
import os
import posixpath
import shutil
import stat
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from polyexp.base import open_regular
from polyexp.tracking.entry import File

__all__ = [
    "UnknownLocationError",
    "copy_files",
    "local_folder",
    "location_of",
    "location_of_model",
    "location_of_run",
]

UNFINISHED = ".artifact.uploading."  # the beginning of names that MLflow does not list
FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)  # which Windows has not
CHUNK_BYTES = 1 << 20


class UnknownLocationError(Exception):
    """A location of artifacts that is no folder of this machine, so that only MLflow's client can write to it."""


def local_folder(location: str, artifact_root: Path) -> Path:
    """The folder that a location of artifacts names, as MLflow reads it: a path, file:///path or mlflow-artifacts:/path.

    Args:
        location: The location of an MLflow experiment or of one of its runs.
        artifact_root: The folder that stands for mlflow-artifacts:/.

    Raises:
        UnknownLocationError: It is none of these.

    Example:
        >>> str(local_folder("mlflow-artifacts:/7", Path("/outputs/artifacts")))
        '/outputs/artifacts/7'
    """
    if location.startswith("/"):
        return Path(unquote(location))
    parts = urlsplit(location)
    path = PurePosixPath(unquote(parts.path))
    if path.is_absolute() and ".." not in path.parts and not (parts.netloc or parts.query or parts.fragment):
        if parts.scheme == "file":
            return Path(path)
        if parts.scheme == "mlflow-artifacts":
            return artifact_root / path.relative_to("/")
    raise UnknownLocationError(f"{location!r} is not a folder of this machine")


def location_of(folder: Path) -> str:
    """The location of artifacts that names a folder of this machine: its path, in which MLflow decodes `%25` and the like.

    Args:
        folder: The folder, absolute.

    Example:
        >>> location_of(Path("/100%/artifacts"))
        '/100%25/artifacts'
    """
    return str(folder).replace("%", "%25")


def location_of_run(location: str, run_id: str) -> str:
    """The location of the artifacts of a run, as MLflow spells it.

    Args:
        location: The location of its MLflow experiment, which `local_folder` accepts.
        run_id: The id of the run.

    Example:
        >>> location_of_run("file:///outputs/artifacts", "5eed")
        'file:///outputs/artifacts/5eed/artifacts'
    """
    return _below(location, f"{run_id}/artifacts")


def location_of_model(location: str, model_id: str) -> str:
    """The location of the files of an MLflow model, as MLflow spells it.

    Args:
        location: The location of its MLflow experiment, which `local_folder` accepts.
        model_id: The id of the model.

    Example:
        >>> location_of_model("/outputs/artifacts", "m-5eed")
        '/outputs/artifacts/models/m-5eed/artifacts'
    """
    return _below(location, f"models/{model_id}/artifacts")


def _below(location: str, below: str) -> str:
    if location.startswith("/"):
        return posixpath.join(location, below)
    parts = urlsplit(location)
    return parts._replace(path=posixpath.join(parts.path, below)).geturl()


def copy_files(folder: Path, files: Sequence[File], levels: int = 2) -> None:
    """Copy files into the artifact folder of a run, which is made if need be; files that are the same there are left.

    Args:
        folder: The folder, `<location of the MLflow experiment>/<run>/artifacts`.
        files: The files.
        levels: How many folders it is below this location.

    Raises:
        OSError: A file is not a regular one, or cannot be read or written, or a symbolic link is in the place of a folder.
        ValueError: The folder of a file among the artifacts leads out of them.
    """
    location = folder.parents[levels - 1]
    for name, together in groupby(files, key=lambda file: file.folder):
        below = PurePosixPath(name)
        if below.is_absolute() or ".." in below.parts:
            raise ValueError(f"{name!r} leads out of the artifacts of a run")
        location.mkdir(parents=True, exist_ok=True)
        with _opened(location, *folder.relative_to(location).parts, *below.parts) as descriptor:
            for file in together:
                _copy(file.path, descriptor)


@contextlib.contextmanager
def _opened(folder: Path, *below: str) -> Iterator[int]:
    """The descriptor of a folder below another one, made if need be, without following a symbolic link."""
    descriptor = os.open(folder, FOLDER)
    try:
        for name in below:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, dir_fd=descriptor)
            outer, descriptor = descriptor, os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(outer)
        yield descriptor
    finally:
        os.close(descriptor)


def _copy(path: Path, folder: int) -> None:
    """Copy a file with its permissions and times, as MLflow does. What an interrupted copy has left is written anew."""
    with open_regular(path) as source:
        status = os.fstat(source.fileno())
        if _is_same(source, status.st_size, path.name, folder):
            return
        source.seek(0)
        unfinished = UNFINISHED + path.name
        with _removed_unless_renamed(unfinished, folder), open(_created(unfinished, folder), "wb") as target:
            shutil.copyfileobj(source, target, CHUNK_BYTES)
            target.flush()
            os.fchmod(target.fileno(), stat.S_IMODE(status.st_mode) & 0o777)
            os.utime(target.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
            os.rename(unfinished, path.name, src_dir_fd=folder, dst_dir_fd=folder)


def _created(name: str, folder: int) -> int:
    _remove(name, folder)
    return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder)


@contextlib.contextmanager
def _removed_unless_renamed(name: str, folder: int) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            _remove(name, folder)
        raise


def _remove(name: str, folder: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def _is_same(source: BinaryIO, size: int, name: str, folder: int) -> bool:
    """Whether a regular file of that name is there, with the same bytes."""
    try:
        there = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(there.st_mode) or there.st_size != size:
        return False
    with open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder), "rb") as target:
        while chunk := source.read(CHUNK_BYTES):
            if chunk != target.read(CHUNK_BYTES):
                return False
    return True
