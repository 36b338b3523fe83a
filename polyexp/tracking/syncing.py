"""The journals below a folder: how far each is delivered, and the delivery of what is not."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from polyexp.base import InputError, cut, printable
from polyexp.tracking import sqlite
from polyexp.tracking.delivery import RUNS_AT_ONCE, Delivery, deliver, store_of
from polyexp.tracking.destination import Destination, open_writer
from polyexp.tracking.journal import JOURNAL, Header
from polyexp.tracking.journal_lines import JournalError, end_of, header_of, is_gone
from polyexp.tracking.login import shared_login

__all__ = ["DeliveryState", "Found", "by_destination", "found_in", "require_named", "size_and_revision", "synchronized"]

OF_JOURNAL = "store"  # the key of an address in the header of a journal
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
        state: How far it is delivered.
        destination: The store to which it is to be delivered; None for a journal that is not, or that is damaged.
        name: The name of the run, in at most 80 printable characters; empty where the journal is damaged.
        damage: What is wrong with the journal; empty where nothing is.
    """

    folder: Path
    state: DeliveryState
    destination: Destination | None = None
    name: str = ""
    damage: str = ""

    @property
    def is_due(self) -> bool:
        """Whether a delivery would change something."""
        return self.state in (DeliveryState.RUNNING, DeliveryState.STALE, DeliveryState.UNDELIVERED)

    @property
    def megabytes(self) -> float:
        """The size of the files of the folder, without those of the runs in folders of it."""
        return sum(map(_size, _files(self.folder))) / MEGABYTE


def found_in(folder: Path, typed: str | None = None) -> Iterator[Found]:
    """The journals below a folder, in the order of their paths.

    Each store is asked for its identity, which tells what has been delivered to one that was there before.

    Args:
        folder: The folder.
        typed: The address of the store for all that are to be delivered; None stands for those that their headers name.
    """
    is_current = cache(_is_current)
    for path in sorted(folder.rglob(JOURNAL)):
        if path.is_file() and not path.is_symlink():
            yield _found(path.parent, typed, is_current)


def _found(
    folder: Path, typed: str | None, is_current: Callable[[Destination], Callable[[str, Header], bool]]
) -> Found:
    destination, shown = None, printable(str(folder))
    try:
        header, _ = header_of(folder)
        if header.store is not None:
            destination = Destination.of(typed) if typed else Destination.of(header.store, OF_JOURNAL)
        state = _state(folder, header, is_current(destination) if destination else None)
        return Found(folder, state, destination, cut(header.name))
    except OSError as error:
        damage = f"the journal in {shown} cannot be read ({error.strerror})"
    except JournalError as error:
        damage = str(error)
    except InputError as error:
        damage = f"the journal in {shown} names no store: {error}"
    return Found(folder, DeliveryState.DAMAGED, damage=damage.rstrip("."))


def _is_current(destination: Destination) -> Callable[[str, Header], bool]:
    """Whether a store has all of a run, by the identity in the note on its delivery, and the header of its journal.

    An older copy of a store may have been put back in its place, so that a SQLite store is asked for the run itself. Where a
    store cannot be asked, its address in the note has to do.
    """
    try:
        require_named(destination)
        identity = destination.identity()
        ended = destination.ended_journals() if identity else None
    except Exception:
        return lambda store, _: destination.is_named_by(store)
    return lambda store, header: store == identity and (ended is None or header.id in ended)


def require_named(destination: Destination) -> None:
    """Require that a store was named by the user, if it would be sent a login that is set for any store of its kind.

    Args:
        destination: The store.

    Raises:
        InputError: It is named by a journal alone, which anybody may have written.
    """
    login = shared_login(destination.uri)
    if destination.key == OF_JOURNAL and login:
        raise InputError(
            f"The login of {login} is sent only to a store that you name, and it is journals that name {destination.shown}: "
            f"if that is yours, type `{destination.sync}`."
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


def _state(folder: Path, header: Header, is_current: Callable[[str, Header], bool] | None) -> DeliveryState:
    if is_current is None:
        return DeliveryState.LOCAL
    store = store_of(folder)
    if store and is_current(store, header):
        return DeliveryState.DELIVERED
    if end_of(folder):
        return DeliveryState.UNDELIVERED
    return DeliveryState.STALE if is_gone(folder, header) else DeliveryState.RUNNING


def size_and_revision(destination: Destination) -> str:
    """What can be seen of a SQLite store: its size and its revision; empty for another store and where nothing is.

    Args:
        destination: The store, which is only read.
    """
    seen: list[str] = []
    if path := destination.path:
        with suppress(Exception):  # there is none, it is locked, or it is no store
            seen.append(f"{path.stat().st_size / MEGABYTE:.3g} MB")
            seen.append(f"revision {sqlite.revision(path, CHECK_SECONDS)}")
    return ", ".join(seen)


def by_destination(found: Iterable[Found]) -> dict[Destination | None, list[Found]]:
    """The journals by the store to which they are to be delivered.

    Args:
        found: The journals.
    """
    stores: dict[Destination | None, list[Found]] = {}
    for one in found:
        stores.setdefault(one.destination, []).append(one)
    return stores


def synchronized(folders: Sequence[Path], destination: Destination) -> Iterator[tuple[Path, Delivery | Exception]]:
    """Deliver journals to one store, and give what has been delivered, or what prevented it.

    Args:
        folders: The folders of the journals. Where there are none, the store is left as it is.
        destination: The store, which is made where there is none.
    """
    left = dict.fromkeys(folders)
    if not left:
        return
    try:
        with open_writer(destination) as writer:
            while part := list(left)[:RUNS_AT_ONCE]:
                done = deliver(dict.fromkeys(part), writer, destination.artifact_root)
                for folder, what in done.items():
                    del left[folder]
                    yield folder, what
    except Exception as error:
        yield from ((folder, error) for folder in left)
