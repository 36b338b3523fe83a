"""A recorded run that is named by its id in a store or by its folder, with what is needed to run it again.

A folder is read without a store: the header of its journal has the settings and the tags, or, where an earlier version has
written no journal, its result.json has the settings. All of it is data that anybody may have written.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from polyexp.base import InputError, cut, open_regular, printable, shown, spell
from polyexp.tracking.artifacts import CHUNK_BYTES, Limit
from polyexp.tracking.entry import KIND_COMPARISON, KIND_SWEEP, KIND_TAG, RESUMED_TAG
from polyexp.tracking.history_file import history_rows
from polyexp.tracking.journal_lines import header_of
from polyexp.tracking.note import note_of
from polyexp.tracking.ownership import HISTORY, JOURNAL, RESULT
from polyexp.tracking.recorded import HISTORY_LIMIT, ID_CHARACTERS, LABEL_CHARACTERS, MIN_ID_CHARACTERS, RESULT_LIMIT
from polyexp.tracking.result_file import ResultFile
from polyexp.tracking.tracker import DERIVED_PARAMS, Tracker

__all__ = ["RecordedFit", "recorded_fit"]

CUT_CHARACTERS = 500  # of a param, which every store keeps; some cut longer ones
ID = re.compile(f"[0-9a-f]{{{MIN_ID_CHARACTERS},{ID_CHARACTERS}}}")


class RunFiles(Protocol):
    """The files of a run."""

    def read(self, name: str, limit: Limit) -> Iterator[bytes]:
        """The content of a file in chunks, within the limit; any exception may be raised where it cannot be read."""


@dataclass(frozen=True)
class FolderFiles:
    """The files in the folder of a run.

    Args:
        folder: The folder.
    """

    folder: Path

    def read(self, name: str, limit: Limit) -> Iterator[bytes]:
        """The content of a file in chunks, within the limit.

        Args:
            name: The name of the file.
            limit: The most that is read of it.
        """
        with open_regular(self.folder / name) as file:
            yield from limit.bounded(iter(lambda: file.read(CHUNK_BYTES), b""))


@dataclass(frozen=True)
class RecordedFit:
    """A recorded run, with what is needed to run it again.

    Args:
        id: Its id in the store; that of its journal where it is in no store, and empty where it has neither.
        shown: What sentences call it: the first characters of its id, or its folder.
        params: Its settings as texts, by their keys on the command line.
        tags: Its tags.
        files: Its files.
    """

    id: str
    shown: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    files: RunFiles

    @cached_property
    def result(self) -> ResultFile | InputError:
        """The content of its result.json, or why it cannot be used."""
        try:
            return ResultFile.of(b"".join(self.files.read(RESULT, RESULT_LIMIT)))
        except InputError as error:
            reason = str(error).removesuffix(".")
            return InputError(f"The {RESULT} of the run {self.shown} cannot be used: {reason}.")
        except Exception:  # a store may raise any exception
            return InputError(f"The {RESULT} of the run {self.shown} cannot be read: {self._state}.")

    def require_result(self) -> ResultFile:
        """The content of its result.json.

        Raises:
            InputError: There is none, or it is damaged.
        """
        if isinstance(self.result, InputError):
            raise self.result
        return self.result

    def history(self) -> tuple[list[str], Iterator[tuple[float, ...]]]:
        """The names of the columns of its history.csv, and its rows, as `history_rows` gives them.

        Raises:
            InputError: There is no such file, or it is damaged; also while the rows are read.
        """
        try:
            names, rows = history_rows(self.files.read(HISTORY, HISTORY_LIMIT))
        except Exception as error:
            raise self._history_error(error) from error
        return names, self._rows(rows)

    def _rows(self, rows: Iterator[tuple[float, ...]]) -> Iterator[tuple[float, ...]]:
        try:
            yield from rows
        except Exception as error:
            raise self._history_error(error) from error

    def _history_error(self, error: Exception) -> InputError:
        if isinstance(error, InputError):
            reason = str(error).removesuffix(".")
            return InputError(f"The {HISTORY} of the run {self.shown} cannot be used: {reason}.")
        return InputError(f"The {HISTORY} of the run {self.shown} cannot be read: {self._state}.")

    def agrees(self, key: str, value: Any) -> bool:
        """Whether the text of a setting is that of a value or the same number; a store may have escaped it, or cut a long one.

        Args:
            key: The key of the setting, which is recorded.
            value: The value.
        """
        text, whole = self.params[key], spell(value)
        if text in (whole, printable(whole)):
            return True
        with suppress(ValueError):  # of what is no number
            return float(text) == float(whole)
        return len(text) >= CUT_CHARACTERS and printable(whole).startswith(text)

    @property
    def _state(self) -> str:
        if (kind := self.tags.get(KIND_TAG)) in (KIND_COMPARISON, KIND_SWEEP):
            return f"it is a {kind}"
        return "it has not ended, has failed, or its files have been deleted"


def recorded_fit(word: str, key: str, tracker: Tracker) -> RecordedFit:
    """The recorded run that a word names: the folder of a run, or an id in a store, or its first 6 or more characters.

    Args:
        word: The word.
        key: The setting that has this value.
        tracker: The tracker whose store has the run; a folder needs none.

    Raises:
        InputError: There is no such run, its record is damaged, or the store cannot be read.
    """
    if (folder := _folder(word)) is not None:
        return _in_folder(folder)
    if not ID.fullmatch(word):
        wanted = f"a run's id, or its first {MIN_ID_CHARACTERS} or more characters, or the folder of a run"
        raise InputError(f"`{key}` must be {wanted}, got {shown(word)}.")
    run = tracker.recorded().by_id(word, key)
    fit = RecordedFit(run.id, run.label, _settings(run.params), run.tags, run.artifacts)
    if RESUMED_TAG in fit.tags and not isinstance(fit.result, InputError):  # params are those of its first start
        return replace(fit, params={name: spell(value) for name, value in fit.result.config.items()})
    return fit


def _folder(word: str) -> Path | None:
    """The folder that a word names, if it is that of a run."""
    with suppress(OSError, ValueError):  # of a text that is no path
        folder = Path(word)
        if word and ((folder / JOURNAL).is_file() or (folder / RESULT).is_file()):
            return folder.resolve()
    return None


def _in_folder(folder: Path) -> RecordedFit:
    files, name = FolderFiles(folder), printable(str(folder))
    try:
        header, _ = header_of(folder)
    except FileNotFoundError:
        earlier = RecordedFit("", name, {}, {}, files)
        config = earlier.require_result().config
        return RecordedFit("", name, {key: spell(value) for key, value in config.items()}, {}, files)
    except OSError as error:
        raise InputError(f"The journal of {cut(name)} cannot be read ({error.strerror}).") from error
    note = note_of(folder)
    found = (note.run_id if note else None) or header.id
    return RecordedFit(found, found[:LABEL_CHARACTERS], _settings(header.settings or header.params), header.tags, files)


def _settings(params: Mapping[str, str]) -> dict[str, str]:
    """The params without those that follow from the settings and the samples."""
    return {key: text for key, text in params.items() if key not in DERIVED_PARAMS}
