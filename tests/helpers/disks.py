"""Small disks that become full and read-only, and files that are damaged."""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BLOCK = 4096


@dataclass(frozen=True)
class Disk:
    """A disk in memory that is mounted at a folder.

    Args:
        path: The folder.
    """

    path: Path

    def fill(self) -> None:
        """Use up all of its space."""
        with (self.path / "filler").open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(BLOCK)):
                pass

    def free(self) -> None:
        """Give that space back."""
        (self.path / "filler").unlink()

    def set_read_only(self, is_read_only: bool) -> None:
        """Make it read-only, as a system does with a disk that fails, once nobody has a file open for writing; or undo that."""
        deadline = time.monotonic() + 30
        while not _mount("-o", f"remount,{'ro' if is_read_only else 'rw'}", str(self.path)):
            assert time.monotonic() < deadline, "it is busy"
            time.sleep(0.005)


@contextlib.contextmanager
def disk(path: Path, megabytes: int = 4) -> Iterator[Disk]:
    """A disk at a folder, which is made; it needs the rights of an administrator (`can_mount`)."""
    path.mkdir(parents=True)
    assert _mount("-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path))
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@contextlib.contextmanager
def read_only_view(path: Path) -> Iterator[None]:
    """A folder in which nothing can be opened for writing any more; what is open can still be written."""
    assert _mount("--bind", str(path), str(path))
    try:
        assert _mount("-o", "remount,bind,ro", str(path))
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def can_mount(folder: Path) -> bool:
    """Whether this process may mount disks at folders."""
    with contextlib.suppress(AssertionError, OSError), disk(folder / "a disk"):
        return True
    return False


def damage(path: Path, offset: int = 0, length: int | None = None) -> None:
    """Overwrite bytes of a file in place."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xa5" * (length or os.path.getsize(path) - offset))


def _mount(*words: str) -> bool:
    return subprocess.run(["mount", *words], capture_output=True, check=False).returncode == 0
