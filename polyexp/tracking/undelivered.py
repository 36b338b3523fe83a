"""What of a journal a store does not know yet, as an entry for its writer."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from polyexp.tracking.entry import (
    FOLDER_TAG,
    JOURNAL_TAG,
    KIND_SWEEP,
    KIND_TAG,
    Dataset,
    Entry,
    File,
    Point,
    Status,
    is_key,
    is_whole,
)
from polyexp.tracking.journal import JOURNAL, Header
from polyexp.tracking.journal_lines import Line, header_of, is_gone, line_error, lines_of
from polyexp.tracking.logged_model import logged_model
from polyexp.tracking.note import Note

__all__ = ["Undelivered", "undelivered"]

MAX_REGULAR_POINTS = 980  # of a curve; with the early ones and the last, at most 1000
MAX_EARLY_POINTS = 60  # the early steps are 1, 2, 5, 10, ..., at most 10^18
CURVES = {"loss": "loss/train", "excess": "loss/excess", "grad_norm": "optimizer/grad_norm"}


@dataclass(frozen=True)
class Undelivered:
    """What is to be written of one run.

    Args:
        folder: The folder of the run.
        header: The header of its journal.
        entry: What is to be written.
        note: The note once it has been.
    """

    folder: Path
    header: Header
    entry: Entry
    note: Note

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write: of a run that goes on there is nothing new.

        Of a run that has ended the store is asked again whether it has it: an older copy may have been put back in its place.
        """
        one = self.entry
        new = one.points or one.files or one.params or one.tags or one.dataset or one.model
        goes_on = one.ended is None and self.note.status is Status.RUNNING
        return one.run_id is not None and goes_on and not new


def undelivered(folder: Path, store: str, note: Note | None, artifact_root: str | None) -> Undelivered:
    """What of the journal of a run comes after its note.

    A run that has ended without saying so has been killed.

    Args:
        folder: The folder of the run.
        store: The store, as `Writer.identity` names it.
        note: The note on its delivery to this store; None where nothing has been delivered.
        artifact_root: The folder for the artifacts of new MLflow experiments; None leaves it to the server.

    Raises:
        JournalError: The journal is damaged.
        OSError: It cannot be read.
    """
    header, begin = header_of(folder)
    gone = is_gone(folder, header)  # asked before the journal is read, so that nothing is missed of a run that ends now
    note = note or Note(store, position=begin)
    about = (header.id, header.experiment, artifact_root, header.name, header.started)
    is_sweep = header.tags.get(KIND_TAG) == KIND_SWEEP
    entry = Entry(*about, run_id=note.run_id, parent=header.parent, is_parent=is_sweep)
    if note.run_id is None:
        tags = {**header.tags, JOURNAL_TAG: header.id}
        entry = replace(entry, params=header.params, tags=tags, resumed=header.resumed)
    reading = _Reading(folder, header, entry, note)
    for line in lines_of(folder, note.position):
        reading.take(line)
    return reading.finish(gone)


class _Reading:
    """The reading of the lines of a journal that come after a note.

    Of a curve the early points are delivered, every n-th of the regular ones, and the last. A point that may be the last one
    stays in front of the position of the note, so that it is read again.
    """

    def __init__(self, folder: Path, header: Header, entry: Entry, note: Note) -> None:
        self._folder, self._header, self._entry, self._note = folder, header, entry, note
        self._regular, self._early, self._end = note.regular, note.early, note.position
        self._last: Line | None = None  # the last snapshot, if it is not delivered yet
        self._points: list[Point] = []

    def take(self, line: Line) -> None:
        """Read a line."""
        try:
            if line.kind == "snapshot":
                self._take_snapshot(line)
            elif line.kind in TAKEN:
                self._take_last()
                self._entry = TAKEN[line.kind](self._entry, line.content, self._folder)
                self._take_final(line)
                self._note = replace(self._note, position=line.end, regular=self._regular, early=self._early)
        except (AttributeError, KeyError, OSError, OverflowError, TypeError, ValueError) as error:
            raise line_error(self._folder, "damaged", line.end) from error
        self._end = line.end

    def finish(self, gone: bool) -> Undelivered:
        """What has been read; a run that is gone and has not said how it ended has been killed."""
        if gone:
            self._take_last()
            self._note = replace(self._note, position=self._end)
            if self._entry.ended is None and self._note.status is Status.RUNNING:
                ended = (self._folder / JOURNAL).stat().st_mtime_ns // 1_000_000
                self._entry = replace(self._entry, status=Status.KILLED, ended=ended)
        entry, note = replace(self._entry, points=self._points), self._note
        if entry.ended is not None:
            note = replace(note, status=entry.status)
        return Undelivered(self._folder, self._header, entry, note)

    def _take_snapshot(self, line: Line) -> None:
        early = line.content.get("early") is True and self._early < MAX_EARLY_POINTS
        self._early += early
        self._regular += not early
        self._last = line
        if early or self._regular % self._stride == 0:
            self._take_last()

    def _take_final(self, line: Line) -> None:
        """Deliver what a result has beside the params and tags: its metrics, and the model of the run."""
        if line.kind != "result":
            return
        metrics = _final_points(line)
        self._points += metrics
        if (data := line.content.get("model")) is not None:
            model = logged_model(data, _whole(line.content["time"]), self._header.params, metrics)
            self._entry = replace(self._entry, model=model)

    @property
    def _stride(self) -> int:
        """Every how many regular snapshots one is delivered: ceil(planned / 980), more where there are more than planned."""
        stride = max(1, -(-self._header.planned // MAX_REGULAR_POINTS))
        while self._regular > MAX_REGULAR_POINTS * stride:
            stride *= 2
        return stride

    def _take_last(self) -> None:
        """Deliver the last snapshot that was read, if it is not delivered yet."""
        if self._last:
            self._points += _points(self._header, self._last.content)
            self._note = replace(self._note, position=self._last.end, regular=self._regular, early=self._early)
            self._last = None


def _points(header: Header, content: Mapping[str, Any]) -> list[Point]:
    """The points of a snapshot."""
    values = {metric: float(content[name]) for name, metric in CURVES.items()}
    values["loss/excess_at_most"] = values["loss/train"] - header.lower_bound
    if "params" in content:
        names = (f"weight/{name}" for name in header.param_names)
        values |= dict(zip(names, content["params"], strict=True))
    return _finite(values, content["step"], content["time"])


def _final_points(line: Line) -> list[Point]:
    """The points of a result, at step 0, so that MLflow draws them as bars."""
    return _finite(line.content["metrics"], 0, line.content["time"])


def _finite(values: Mapping[str, Any], step: int, time: int) -> list[Point]:
    """The points that are finite, for any other of which MLflow would draw 1.8e308, and whose names it takes."""
    points = [Point(name, float(value), _whole(step), _whole(time)) for name, value in values.items() if is_key(name)]
    return [one for one in points if math.isfinite(one.value)]


def _with_result(entry: Entry, content: Mapping[str, Any], folder: Path) -> Entry:
    dataset = content["dataset"]
    return replace(
        entry,
        params={**entry.params, **_texts(content["params"])},
        tags={**entry.tags, **_texts(content["tags"], but=(JOURNAL_TAG, FOLDER_TAG))},
        dataset=dataset and Dataset(**{one.name: str(dataset[one.name]) for one in fields(Dataset)}),
    )


def _with_files(entry: Entry, content: Mapping[str, Any], folder: Path) -> Entry:
    """The entry with files of the folder; one that has been removed since is left out."""
    paths = [folder / name for name in content["names"] if Path(name).name == name and not name.startswith(".")]
    return replace(entry, files=[*entry.files, *(File(one) for one in paths if one.is_file() and not one.is_symlink())])


def _with_end(entry: Entry, content: Mapping[str, Any], folder: Path) -> Entry:
    status = Status(content["status"])
    if status is Status.RUNNING:
        raise ValueError("an end without a status")
    return replace(entry, status=status, ended=_whole(content["time"]))


def _whole(value: Any) -> int:
    """A step or a time, if it is one."""
    if not is_whole(value):
        raise ValueError("it is no step and no time")
    return int(value)


def _texts(values: Mapping[str, Any], but: Sequence[str] = ()) -> dict[str, str]:
    """Params or tags, but for some that a line cannot set."""
    return {str(name): str(value) for name, value in values.items() if name not in but}


TAKEN = {"result": _with_result, "files": _with_files, "end": _with_end}
