"""Checkpoints in files: `checkpoint.npz` in a folder, and the one before it, `checkpoint.previous.npz`.

A file is an archive of NumPy without pickles and without compression. Besides the arrays of a checkpoint it has a format
number, the settings, the fingerprint, and a SHA-256 checksum of the names, dtypes, shapes and bytes of all of them. What is
read may be damaged, or written by anybody: nothing is used before the checksum is right, and no more memory is taken than
the file has bytes.
"""

import errno
import hashlib
import json
import os
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from polyexp.base import InputError, open_regular, printable, replaced, sync_folder
from polyexp.fitting.saved_checkpoint import SavedCheckpoint

__all__ = [
    "CHECKPOINT",
    "PREVIOUS",
    "DamagedError",
    "read_checkpoint",
    "store_arrays",
    "stored_arrays",
    "write_checkpoint",
]

CHECKPOINT, PREVIOUS = "checkpoint.npz", "checkpoint.previous.npz"
FORMAT = 1  # of the files; it is raised when they change
MAX_FILE_BYTES = 2**31 - 2**20  # beyond, an archive has other heads
MAX_MEMBERS = 200
MAX_DIRECTORY_BYTES = MAX_MEMBERS * 300  # of the list of members at the end of an archive
END = (b"PK\x05\x06", 22)  # the signature and the size of the last record of an archive
MAGIC = b"\x93NUMPY\x01\x00"  # of an array in the .npy format
# The head of an array as NumPy writes it; its own parser would accept any Python literal.
HEAD = re.compile(rb"{'descr': '(<f8|<i8|<U\d{1,8})', 'fortran_order': False, 'shape': \(((?:\d+, ?)*\d*)\), } *\n")


class DamagedError(InputError):
    """A file that is not what its name says. Its message goes on after "it"."""


def write_checkpoint(folder: Path, saved: SavedCheckpoint) -> None:
    """Write a checkpoint into a folder; that which was there becomes the one before it, if it is complete.

    It is written under another name, brought to the disk and renamed, so that at every moment after the first checkpoint one is
    complete, whatever fails or is killed.

    Args:
        folder: The folder, which exists.
        saved: The checkpoint.

    Raises:
        InputError: It has more bytes than a file may have.
        OSError: It cannot be written. The checkpoints of before are still there.
    """
    newest = folder / CHECKPOINT
    members = _members(saved)
    if sum(array.nbytes for array in members.values()) > MAX_FILE_BYTES - MAX_DIRECTORY_BYTES:
        raise InputError(f"The checkpoint for {printable(str(newest))} must have at most {MAX_FILE_BYTES} bytes.")
    try:
        with replaced(newest) as unfinished:
            with open(unfinished, "wb") as file:
                store_arrays(file, members)
                file.flush()
                os.fsync(file.fileno())
            if _is_complete(newest):
                os.replace(newest, folder / PREVIOUS)
        sync_folder(folder)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(newest)) from error


def read_checkpoint(
    folder: Path, check: Callable[[SavedCheckpoint], None] = lambda saved: None
) -> tuple[SavedCheckpoint, str]:
    """The newest usable checkpoint in a folder, and a sentence that warns where it is the one before; otherwise empty.

    Args:
        folder: The folder, which anybody may have written.
        check: Called with a complete checkpoint; where it raises an `InputError`, whose message goes on after "it", the
            checkpoint cannot be used.

    Raises:
        FileNotFoundError: There is none.
        InputError: What is there cannot be used.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> import polyexp as p
        >>> from polyexp.fitting import SavedCheckpoint, read_checkpoint, write_checkpoint
        >>> fit = p.fit(p.Samples.of([0, 1], [0, 1]), p.PowerSeries(degree=1), backend=p.NumPy(), stop=lambda: True)
        >>> saved = SavedCheckpoint.of(fit.checkpoint, {"seed": "0"}, "0123456789abcdef")
        >>> with TemporaryDirectory() as folder:
        ...     write_checkpoint(Path(folder), saved)
        ...     read_checkpoint(Path(folder)) == (saved, "")
        True
    """
    reasons = []
    for name in (CHECKPOINT, PREVIOUS):
        try:
            saved = _read(folder / name)
            check(saved)
        except FileNotFoundError:
            reasons.append("")
        except InputError as error:
            reasons.append(f"{name} in {printable(str(folder))} cannot be used, since it {error}")
        else:
            missing = f"{name} is in {printable(str(folder))} without {CHECKPOINT}"
            return saved, f"{reasons[0] or missing}; the run goes on from {name}, the one before." if reasons else ""
    if not any(reasons):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder / CHECKPOINT))
    raise InputError(f"{'; '.join(filter(None, reasons))}; there is no other checkpoint.")


def _members(saved: SavedCheckpoint) -> dict[str, np.ndarray]:
    """The arrays of a file."""
    described = {"settings": json.dumps(dict(saved.settings)), "fingerprint": json.dumps(saved.fingerprint)}
    members = dict(saved.arrays) | {name: np.array(text) for name, text in described.items()}
    members["format"] = np.array(FORMAT, "<i8")
    return members | {"checksum": np.array(_checksum(members))}


def _checksum(arrays: Mapping[str, np.ndarray]) -> str:
    """The SHA-256 of the names, dtypes, shapes and bytes of arrays."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        head = repr((name, array.dtype.str, array.shape, array.nbytes)).encode("utf-8", "surrogatepass")
        digest.update(b"%d %s" % (len(head), head))
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def store_arrays(file: BinaryIO, members: Mapping[str, np.ndarray]) -> None:
    """Write an archive of arrays without pickles and without compression, in parts that are small.

    Args:
        file: The file, which is open for writing.
        members: The arrays by their names, of float64, int64 or text.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in members.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as member:
                np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)


def _is_complete(path: Path) -> bool:
    try:
        _read(path)
    except (FileNotFoundError, DamagedError):
        return False
    return True


def _read(path: Path) -> SavedCheckpoint:
    """The checkpoint in a file.

    Raises:
        FileNotFoundError: There is nothing.
        DamagedError: It is no complete checkpoint of this format.
    """
    try:
        with open_regular(path) as file:
            return _checked(stored_arrays(file))
    except (FileNotFoundError, DamagedError):
        raise
    except InputError as error:
        raise DamagedError(*error.args) from error
    except OSError as error:
        raise DamagedError(f"cannot be read ({error.strerror or error})") from error
    except Exception as error:  # of zipfile, of NumPy, of json, for what is made to fail
        raise DamagedError("is damaged") from error


def stored_arrays(file: BinaryIO) -> dict[str, np.ndarray]:
    """The arrays in an archive, of which each byte is read at most once; they are of float64, int64 or text, and read-only.

    Args:
        file: The file, which anybody may have written.

    Raises:
        DamagedError: It is no archive of such arrays alone.
        Exception: It is damaged.
    """
    size = file.seek(0, os.SEEK_END)
    _require(size <= MAX_FILE_BYTES, "is too large")
    _require_short_directory(file, size)
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        stored = all(one.compress_type == zipfile.ZIP_STORED and one.filename.endswith(".npy") for one in members)
        _require(stored and sum(one.file_size for one in members) <= size, "is no archive of plain arrays")
        names = [one.filename.removesuffix(".npy") for one in members]
        _require(len(set(names)) == len(names), "has an array twice")
        return {name: _array(archive.read(one)) for name, one in zip(names, members, strict=True)}


def _require_short_directory(file: BinaryIO, size: int) -> None:
    """Require a list of members that is short enough to be read, as the last record of the archive says."""
    signature, length = END
    file.seek(max(0, size - length))
    end = file.read(length)
    _require(len(end) == length and end.startswith(signature), "is damaged")
    count, directory = int.from_bytes(end[10:12], "little"), int.from_bytes(end[12:16], "little")
    _require(count <= MAX_MEMBERS and directory <= MAX_DIRECTORY_BYTES, "has too many arrays")
    file.seek(max(0, size - length - 20))
    _require(file.read(4) != b"PK\x06\x07", "is no archive of plain arrays")  # which gives other numbers


def _array(member: bytes) -> np.ndarray:
    """The array in a member, which has exactly its bytes.

    Raises:
        DamagedError: It has not.
        ValueError: Its shape is none.
    """
    begin = len(MAGIC) + 2
    end = begin + int.from_bytes(member[len(MAGIC) : begin], "little")
    head = HEAD.fullmatch(member[begin:end])
    if not member.startswith(MAGIC) or head is None:
        raise DamagedError("has an array that is not plain")
    dtype = np.dtype(head[1].decode())
    shape = tuple(int(one) for one in head[2].split(b",") if one.strip())
    return np.frombuffer(member, dtype, offset=end).reshape(shape)


def _checked(members: dict[str, np.ndarray]) -> SavedCheckpoint:
    """The checkpoint of the arrays of a file, whose checksum is right."""
    number, checksum = members.get("format"), members.pop("checksum", None)
    if number is None or checksum is None or number.shape != () or number.dtype != "<i8":
        raise DamagedError("is no checkpoint")
    if number != FORMAT:
        raise DamagedError(f"has format {number}, and this version of polyexp reads format {FORMAT}")
    _require(checksum.shape == () and str(checksum) == _checksum(members), "is damaged: its checksum is wrong")
    del members["format"]
    settings, fingerprint = (json.loads(str(members.pop(name))) for name in ("settings", "fingerprint"))
    texts = isinstance(settings, dict) and all(isinstance(one, str) for one in (fingerprint, *settings.values()))
    _require(texts, "has settings that are no text")
    saved = SavedCheckpoint(settings, fingerprint, members)
    saved.require_complete()
    return saved


def _require(ok: bool, otherwise: str) -> None:
    if not ok:
        raise DamagedError(otherwise)
