"""The journals below a folder: how far each is delivered, and the delivery of what is not."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from polyexp.base import InputError, printable
from polyexp.tracking.delivery import Delivery, deliver, is_delivered
from polyexp.tracking.destination import Destination, open_writer
from polyexp.tracking.journal import JOURNAL, Header, JournalError, has_ended, header_of, is_gone

__all__ = ["DeliveryState", "Found", "by_destination", "found_in", "synchronized"]

RUNS_AT_ONCE = 100  # that share a transaction


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
    """

    folder: Path
    header: Header | None
    state: DeliveryState

    @property
    def name(self) -> str:
        """The name of the run."""
        return printable(self.header.name) if self.header else ""

    @property
    def is_due(self) -> bool:
        """Whether a delivery would change something."""
        return self.state in (DeliveryState.RUNNING, DeliveryState.STALE, DeliveryState.UNDELIVERED)

    @property
    def bytes(self) -> int:
        """The size of the files of the folder; that of a sweep holds the folders of its jobs."""
        if self.header and not self.header.is_run:
            return 0
        return sum(one.stat().st_size for one in self.folder.rglob("*") if one.is_file() and not one.is_symlink())


def found_in(folder: Path) -> Iterator[Found]:
    """The journals below a folder, in the order of their paths.

    Args:
        folder: The folder.
    """
    for path in sorted(folder.rglob(JOURNAL)):
        try:
            header, _ = header_of(path.parent)
            yield Found(path.parent, header, _state(path.parent, header))
        except (OSError, JournalError):
            yield Found(path.parent, None, DeliveryState.DAMAGED)


def _state(folder: Path, header: Header) -> DeliveryState:
    if header.store is None:
        return DeliveryState.LOCAL
    if is_delivered(folder):
        return DeliveryState.DELIVERED
    if has_ended(folder):
        return DeliveryState.UNDELIVERED
    return DeliveryState.STALE if is_gone(folder, header) else DeliveryState.RUNNING


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
    try:
        with open_writer(destination) as writer:
            for start in range(0, len(found), RUNS_AT_ONCE):
                part = {one.folder: one for one in found[start : start + RUNS_AT_ONCE]}
                done = deliver(dict.fromkeys(part), writer, destination.artifact_root)
                yield from ((part[folder], what) for folder, what in done.items())
    except InputError as error:
        yield from ((one, error) for one in found)
