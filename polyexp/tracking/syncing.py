"""The journals below a folder: how far each is delivered, and the delivery of what is not."""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from polyexp.base import InputError, printable
from polyexp.tracking import sqlite
from polyexp.tracking.delivery import RUNS_AT_ONCE, Delivery, deliver, is_delivered
from polyexp.tracking.destination import Destination, open_writer
from polyexp.tracking.journal import JOURNAL, Header
from polyexp.tracking.journal_lines import has_ended, header_of, is_gone

__all__ = ["DeliveryState", "Found", "by_destination", "found_in", "size_and_revision", "synchronized"]

MEGABYTE = 10**6
CHECK_SECONDS = 1  # for which a database that another process has locked is waited for, only to show its revision


class DeliveryState(StrEnum):
    """How far a run is delivered."""

    RUNNING = "running"
    STALE = "stale"  # its process has ended without saying so
    UNDELIVERED = "undelivered"
    DELIVERED = "delivered"
    LOCAL = "not to be delivered"
    DAMAGED = "damaged"


@dataclass(frozen=True)
class Found:
    """A journal.

    Args:
        folder: The folder of the run.
        header: Its header; None where that is damaged.
        state: How far it is delivered.
        damage: What is wrong with the journal; empty where nothing is.
    """

    folder: Path
    header: Header | None
    state: DeliveryState
    damage: str = ""

    @property
    def name(self) -> str:
        """The name of the run."""
        return printable(self.header.name) if self.header else ""

    @property
    def is_due(self) -> bool:
        """Whether a delivery would change something."""
        return self.state in (DeliveryState.RUNNING, DeliveryState.STALE, DeliveryState.UNDELIVERED)

    @property
    def megabytes(self) -> float:
        """The size of the files of the folder, without those of the runs in folders of it."""
        return sum(map(_size, _files(self.folder))) / MEGABYTE


def found_in(folder: Path) -> Iterator[Found]:
    """The journals below a folder, in the order of their paths.

    Args:
        folder: The folder.
    """
    for path in sorted(folder.rglob(JOURNAL)):
        if path.is_file() and not path.is_symlink():
            yield _found(path.parent)


def _found(folder: Path) -> Found:
    try:
        header, _ = header_of(folder)
        if header.store is not None:
            Destination.of(header.store)
        return Found(folder, header, _state(folder, header))
    except (InputError, OSError) as error:
        return Found(
            folder, None, DeliveryState.DAMAGED, f"the journal in {folder} cannot be used ({str(error).rstrip('.')})"
        )


def _files(folder: Path) -> Iterator[Path]:
    for top, folders, names in os.walk(folder):
        folders[:] = [one for one in folders if not Path(top, one, JOURNAL).exists()]
        yield from (Path(top, name) for name in names)


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:  # it has just been removed
        return 0


def _state(folder: Path, header: Header) -> DeliveryState:
    if header.store is None:
        return DeliveryState.LOCAL
    if is_delivered(folder):
        return DeliveryState.DELIVERED
    if has_ended(folder):
        return DeliveryState.UNDELIVERED
    return DeliveryState.STALE if is_gone(folder, header) else DeliveryState.RUNNING


def size_and_revision(destination: Destination) -> str:
    """What can be seen of a SQLite store: its size and its revision; empty for another store and where nothing is.

    Args:
        destination: The store, which is only read.
    """
    path = destination.path
    if not path or not path.is_file():
        return ""
    size = f"{path.stat().st_size / MEGABYTE:.3g} MB"
    try:
        return f"{size}, revision {sqlite.revision(path, CHECK_SECONDS)}"
    except (OSError, sqlite3.Error, TypeError):  # it is locked, or no store
        return size


def by_destination(found: Iterable[Found], typed: str | None) -> dict[Destination | None, list[Found]]:
    """The journals by the store to which they are delivered; those of None are not.

    Args:
        found: The journals.
        typed: The address of the store for all that are to be delivered; None stands for those that their headers name. What
            has been delivered to another store is then due again.
    """
    stores: dict[Destination | None, list[Found]] = {}
    for one in found:
        address = one.header.store if one.header else None
        if address is None:
            stores.setdefault(None, []).append(one)
        elif typed is None:
            stores.setdefault(Destination.of(address), []).append(one)
        else:
            again = one.state is DeliveryState.DELIVERED and address != Destination.of(typed).shown
            stores.setdefault(Destination.of(typed), []).append(
                replace(one, state=DeliveryState.UNDELIVERED) if again else one
            )
    return stores


def synchronized(found: Sequence[Found], destination: Destination) -> Iterator[tuple[Found, Delivery | Exception]]:
    """Deliver journals to one store, and give what has been delivered, or what prevented it.

    Args:
        found: The journals.
        destination: The store, which is made where there is none.
    """
    left = {one.folder: one for one in found}
    try:
        with open_writer(destination) as writer:
            while part := list(left)[:RUNS_AT_ONCE]:
                done = deliver(dict.fromkeys(part), writer, destination.artifact_root)
                yield from ((left.pop(folder), what) for folder, what in done.items())
    except Exception as error:
        yield from ((one, error) for one in left.values())
