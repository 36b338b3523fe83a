"""What is recorded again goes into the store in which it was recorded before."""

from contextlib import suppress
from pathlib import Path

from polyexp.base import InputError, printable
from polyexp.tracking.destination import Destination
from polyexp.tracking.journal import JOURNAL, Header
from polyexp.tracking.tracker import RunInfo, Tracker

__all__ = ["address_of", "require_same_store"]


def address_of(tracking: Tracker) -> str | None:
    """The address without credentials of the store in which a tracker records runs; None for their folders alone.

    Args:
        tracking: The tracker.
    """
    return tracking.header(RunInfo("", {}, (), {})).store


def require_same_store(folder: Path, header: Header, now: str | None, what: str) -> None:
    """Require that a run or a sweep goes on in the store that its journal names.

    A SQLite store that is not there any more may have been moved together with the folder.

    Args:
        folder: Its folder.
        header: The header of the journal.
        now: The store in which it would go on, as `address_of` gives it.
        what: What goes on, in a word.

    Raises:
        InputError: It is another store.
    """
    if header.store == now or _is_missing(header.store):
        return
    earlier = "no store" if header.store is None else printable(header.store)
    raise InputError(
        f"{folder / JOURNAL} names {earlier}, but the {what} would go on in {now or 'no store'}: type the command in the "
        f"folder and with the environment variables with which the {what} was started, and with its `tracking.uri`."
    )


def _is_missing(store: str | None) -> bool:
    """Whether a store is a SQLite file that is not there any more."""
    with suppress(InputError):  # of an address that is none
        return store is not None and Destination.of(store).is_missing
    return False
