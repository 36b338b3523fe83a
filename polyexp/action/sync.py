"""The action that delivers to MLflow what the recorders of runs could not."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from polyexp.action.action import Action
from polyexp.base import InputError, NotDeliveredError, counted, cut, from_here, printable, require
from polyexp.experiment import Experiment, Job
from polyexp.report import Terminal
from polyexp.report.progress_bar import bar
from polyexp.report.tables import columns_of
from polyexp.tracking import (
    DeliveryState,
    Destination,
    Found,
    by_destination,
    describe,
    found_in,
    require_named,
    size_and_revision,
    synchronized,
)

__all__ = ["Sync"]

MAX_LISTED = 50  # runs that are listed in full
AGAIN = "Once that is mended, the same command delivers them."
HEADS = ("state", "run", "folder")


@dataclass
class Sync(Action, name="sync"):
    """Deliver the runs below a folder that are not in MLflow yet, and close those whose process has gone.

    Each is delivered to the store that its journal names, or to `tracking.uri` where that is set.

    Args:
        folder: The folder, below which are the folders of the runs.
        dry_run: Whether the runs are only listed.
    """

    folder: str = "outputs"
    dry_run: bool = False

    def check(self, experiment: Experiment) -> None:
        """Check that the folder exists.

        Raises:
            InputError: Where it does not.
        """
        require(Path(self.folder).is_dir(), self.key("folder"), "a folder that exists", self.folder)

    def __call__(self, experiment: Experiment, job: Job) -> None:
        """Print what is there, and deliver what is due.

        Raises:
            NotDeliveredError: Where something could not be delivered.
        """
        stores = by_destination(found_in(Path(self.folder).resolve(), getattr(experiment.tracking, "uri", None)))
        failures = [one.damage for found in stores.values() for one in found if one.damage and not self.dry_run]
        with Terminal(job.folder, quiet=experiment.quiet) as terminal:
            _print_found(terminal, stores)
            if not stores:
                terminal.print(f"There is no run in {cut(self.folder)}.")
            for destination, found in stores.items() if not self.dry_run else ():
                if destination:
                    failures += _deliver(terminal, destination, found, quiet=experiment.quiet)
            terminal.end(job.folder, ())
        if failures:
            reason = failures[0].removesuffix(".")
            raise NotDeliveredError(f"{counted(len(failures), 'run')} could not be delivered: {reason}. {AGAIN}")


def _print_found(terminal: Terminal, stores: Mapping[Destination | None, Sequence[Found]]) -> None:
    """Print how many runs there are in each state and how large their folders are, and list those that are due."""
    for destination, found in stores.items():
        states = Counter(one.state for one in found)
        counts = ", ".join(f"{states[state]} {state}" for state in DeliveryState if states[state])
        size = sum(one.megabytes for one in found)
        terminal.print(
            f"{counted(len(found), 'run')} of {_described(destination)}: {counts}; their folders hold {size:.3g} MB"
        )
        due = [one for one in found if one.is_due or one.damage]
        if due:
            rows = [(one.state, one.name, printable(str(from_here(one.folder)))) for one in due[:MAX_LISTED]]
            terminal.print_table(columns_of(HEADS, rows), keys=2)
        if len(due) > MAX_LISTED:
            terminal.print(f"... and {counted(len(due) - MAX_LISTED, 'more run')}")


def _described(destination: Destination | None) -> str:
    if destination is None:
        return "no store"
    about = size_and_revision(destination)
    return f"{destination.shown} ({about})" if about else destination.shown


def _deliver(terminal: Terminal, destination: Destination, found: Sequence[Found], *, quiet: bool) -> list[str]:
    """Deliver runs to a store, print how many, and return what prevented it for the others."""
    states = {one.folder: one.state for one in found if one.is_due}
    failures, done_so_far = [], Counter[str]()
    try:
        require_named(destination)
    except InputError as error:
        return [str(error)] * len(states)
    with bar(f"Delivering to {destination.shown}", quiet=quiet) as progress:
        for number, (folder, done) in enumerate(synchronized(list(states), destination), 1):
            if isinstance(done, Exception):
                failures.append(describe(done, destination.uri))
            else:
                done_so_far["running"] += not done.is_complete
                done_so_far["complete"] += done.is_complete
                done_so_far["closed"] += done.is_complete and states[folder] is DeliveryState.STALE
            progress(number / len(states))
    if states:
        terminal.print(f"Delivered to {destination.shown} just now: {_counts(done_so_far)}")
    return failures


def _counts(delivered: Mapping[str, int]) -> str:
    """How many runs have been delivered, in words."""
    text = counted(delivered["complete"], "complete run")
    if closed := delivered["closed"]:
        text += f", {closed} of which closed as KILLED because no process records them any more"
    return text + (f"; and what {counted(running, 'run')} recorded so far" if (running := delivered["running"]) else "")
