"""The tracker that has runs recorded in MLflow, by a process of its own that reads their journals."""

import getpass
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from polyexp.base import NotDeliveredError, counted, finite, one_of, require, require_text, version
from polyexp.tracking.address import require_address, require_no_credentials
from polyexp.tracking.destination import Destination
from polyexp.tracking.entry import MAX_NAME_CHARACTERS
from polyexp.tracking.finished import FinishedRun, finished_in_sqlite
from polyexp.tracking.journal import Header
from polyexp.tracking.journal_lines import header_of
from polyexp.tracking.note import note_of
from polyexp.tracking.recorded import RecordedRuns
from polyexp.tracking.recording import recorder
from polyexp.tracking.store import open_recorded
from polyexp.tracking.tracker import Delivered, RunInfo, Tracker
from polyexp.tracking.view import link, view_of

__all__ = ["MLflow"]

MAX_WAIT_SECONDS = 86_400


@dataclass
class MLflow(Tracker, name="mlflow"):
    """A tracker that records runs in an MLflow store.

    Args:
        uri: The address of the store; None means MLFLOW_TRACKING_URI, or where that is not set the SQLite file
            outputs/mlflow.db below the current folder. It holds no password.
        experiment_name: The name of the MLflow experiment, of 1 to 250 characters; it is created if need be.
        wait: The longest time in seconds that the command waits at its end until everything is delivered.
        required: Whether a run that is not delivered by then makes the exit code 1.
        log_model: Whether the fit is recorded as an MLflow model, too: "always", "never", or "auto", which means of a single
            run, not of the jobs of a sweep.

    Raises:
        InputError: `uri` is no address of a store or holds a password, or another value is out of range.

    Example:
        >>> import polyexp as p
        >>> p.MLflow(uri="sqlite:////tmp/mlflow.db", wait=60).experiment_name
        'polyexp'
    """

    uri: str | None = None
    experiment_name: str = "polyexp"
    wait: float = 15.0
    required: bool = False
    log_model: str = "auto"

    def __post_init__(self) -> None:
        if self.uri is not None:
            require_no_credentials(self.uri)
            require_address(self.uri)
        name = self.experiment_name
        key, wanted = self.key("experiment_name"), f"a name of 1 to {MAX_NAME_CHARACTERS} characters"
        require(len(require_text(key, name, wanted)) <= MAX_NAME_CHARACTERS, key, wanted, name)
        finite(self.key("wait"), self.wait)
        wanted = f"a number of seconds from 0 to {MAX_WAIT_SECONDS}"
        require(0 <= self.wait <= MAX_WAIT_SECONDS, self.key("wait"), wanted, self.wait)
        one_of(self.key("log_model"), self.log_model, ("auto", "always", "never"))

    def check(self) -> None:
        """Check what can be known of the store within 3 seconds, without MLflow.

        Raises:
            InputError: Where the store cannot be used or made, or the MLflow experiment has been deleted.
        """
        self._destination.check(self.experiment_name)

    @property
    def resume_words(self) -> list[str]:
        """The address of the store, where it was typed."""
        return [f"tracking.uri={self.uri}"] if self.uri else []

    def header(self, about: RunInfo) -> Header:
        """The header of the journal of a new run, with the tags that MLflow's own clients set, too."""
        header = super().header(replace(about, tags={**_origin(), **about.tags}))
        return replace(header, store=self._destination.shown, experiment=self.experiment_name)

    def begin(self, folder: Path) -> None:
        """Have the journal delivered by the recorder of this process, which is started where there is none."""
        recorder(folder).add(folder)

    def delivered(self, folders: Sequence[Path]) -> Delivered:
        """Wait until runs are delivered, and say where they are."""
        reason = recorder(folders[0]).wait(folders, self.wait)
        if reason is None:
            return Delivered(self._where(folders[0]))
        runs = "This run is" if len(folders) == 1 else f"{counted(len(folders), 'run')} of this sweep are"
        place = self._destination
        sentence = f"{runs} not in {place.shown} yet: {reason.removesuffix('.')}. `{place.sync}` delivers later."
        if self.required:
            raise NotDeliveredError(sentence)
        return Delivered(warning=sentence)

    def records_model(self, *, in_sweep: bool) -> bool:
        """Whether the fit of a run is recorded as an MLflow model, too."""
        return self.log_model == "always" or (self.log_model == "auto" and not in_sweep)

    @property
    def misses_model(self) -> bool:
        """Whether a user is warned where a run has no model."""
        return self.log_model == "always"

    def finished(self, fingerprints: Collection[str]) -> dict[str, FinishedRun]:
        """The latest finished run of each of these fingerprints that has one; of a SQLite store without MLflow."""
        place = self._destination
        if place.path is None:
            return super().finished(fingerprints)
        if not place.path.exists():
            return {}
        return finished_in_sqlite(place.path, place.local_artifacts, self.experiment_name, fingerprints)

    def recorded(self) -> RecordedRuns:
        """The runs of the MLflow experiment."""
        return RecordedRuns(open_recorded(self._destination), self.experiment_name)

    @property
    def _destination(self) -> Destination:
        return Destination.of(self.uri)

    def _where(self, folder: Path) -> list[str]:
        """Lines with the store, the command that serves its pages, the page of a run, and the page of its view."""
        destination, note, (header, _) = self._destination, note_of(folder), header_of(folder)
        assert note
        experiment = str(note.experiment_id)
        page = [] if header.view is None else [link(destination.ui, experiment, view_of(header.view))]
        recorded = f"Recorded in {destination.shown} as {header.name} ({note.run_id})"
        return [recorded, *destination.pages(experiment, str(note.run_id)), *page]


def _origin() -> dict[str, str]:
    """Who has started what, in the tags in which MLflow records it."""
    tags = {"mlflow.source.name": sys.argv[0], "mlflow.source.type": "LOCAL"}
    commit = version.commit()
    if commit:
        tags["mlflow.source.git.commit"] = commit.removesuffix("-dirty")
    try:
        return {"mlflow.user": getpass.getuser(), **tags}
    except (KeyError, OSError, ImportError):  # a user without a name
        return tags
