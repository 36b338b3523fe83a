"""Reading the journal of a run, which is data that anybody may have written, and of which the last line may be incomplete."""

import errno
import json
import math
import os
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from polyexp.base import InputError, open_regular, printable
from polyexp.tracking.entry import Status, is_key, is_whole
from polyexp.tracking.journal import EARLIER, FORMAT, JOURNAL, Header
from polyexp.tracking.process import Process

__all__ = [
    "JournalError",
    "Line",
    "end_of",
    "final_metrics_of",
    "header_of",
    "is_gone",
    "kept_lines",
    "line_error",
    "lines_of",
]

HEARTBEAT_LIMIT_SECONDS = 60  # without a sign of life, after which a run on another machine is taken for gone
ID_DIGITS = 32  # of the id of a journal
MAX_END_BYTES = 2**14  # of the last line, which may quote an error
MAX_LINE_BYTES = 2**22  # of a model with 1001 parameters a snapshot has 25 000


class JournalError(InputError):
    """A journal that cannot be used."""


def line_error(folder: Path, what: str, end: int) -> JournalError:
    """The error of a line of a journal.

    Args:
        folder: The folder of the run.
        what: What the line is, such as "damaged".
        end: The position in the file behind it, in bytes.
    """
    path = folder / JOURNAL
    with open_regular(path) as file:
        number = file.read(end - 1).count(b"\n") + 1
    return JournalError(f"Line {number} of {printable(str(path))} is {what}.")


@dataclass(frozen=True)
class Line:
    """One line of a journal after its header.

    Args:
        kind: "snapshot", "warning", "earlier_result", "result", "files" or "end".
        content: What it says, by names.
        end: The position in the file behind it, in bytes.
    """

    kind: str
    content: Mapping[str, Any]
    end: int


def header_of(folder: Path) -> tuple[Header, int]:
    """The header of the journal of a run, and the position behind it.

    Args:
        folder: The folder of the run.

    Raises:
        FileNotFoundError: There is no header yet.
        JournalError: It is damaged, or that of another version.
        OSError: The file cannot be read.
    """
    path = folder / JOURNAL
    first = next(lines_of(folder, 0), None)
    if first is None:
        raise FileNotFoundError(errno.ENOENT, "no journal of a run", str(path))
    if first.kind != "header" or first.content.get("format") != FORMAT:
        raise JournalError(f"{printable(str(path))} is not a journal of this version of polyexp.")
    values: dict[str, Any] = {one.name: first.content.get(one.name) for one in fields(Header)}
    values |= {name: {} for name in ("settings", "found") if values[name] is None}  # of an earlier version
    try:
        values |= {"process": Process(**values["process"]), "lower_bound": float(values["lower_bound"])}
        return _checked(Header(**values)), first.end
    except (AttributeError, OverflowError, TypeError, ValueError) as error:
        raise JournalError(f"The header of {printable(str(path))} is damaged.") from error


def lines_of(folder: Path, position: int) -> Iterator[Line]:
    """The complete lines of a journal from a position on.

    Args:
        folder: The folder of the run.
        position: The position of the first line in the file, in bytes.

    Raises:
        JournalError: A line is damaged.
        OSError: The file cannot be read.
    """
    with open_regular(folder / JOURNAL) as file:
        file.seek(position)
        while (text := file.readline(MAX_LINE_BYTES)).endswith(b"\n"):
            position += len(text)
            try:
                kind, content = _parsed(text)
            except (ValueError, AttributeError, TypeError, KeyError, RecursionError) as error:
                raise line_error(folder, "damaged", position) from error
            yield Line(kind, content, position)
        if len(text) == MAX_LINE_BYTES:
            raise line_error(folder, "too long", position + len(text))


def kept_lines(folder: Path, kinds: Collection[str]) -> Iterator[bytes]:
    """The complete lines of some kinds in a journal, as they are in it.

    Args:
        folder: The folder of the run.
        kinds: The kinds.

    Raises:
        JournalError: A line is damaged.
        OSError: The file cannot be read.
    """
    with open_regular(folder / JOURNAL) as file:
        begin = 0
        for line in lines_of(folder, 0):
            text, begin = file.read(line.end - begin), line.end
            if line.kind in kinds:
                yield text


def final_metrics_of(folder: Path) -> tuple[Mapping[str, Any], int] | None:
    """The final metrics that the journal of a run has, of this or of an earlier end of it, and their time; None for none.

    Args:
        folder: The folder of the run.

    Raises:
        JournalError: A line is damaged.
        OSError: The file cannot be read.
    """
    found = None
    for line in lines_of(folder, 0):
        if line.kind in ("result", EARLIER):
            metrics, at = line.content.get("metrics"), line.content.get("time")
            if not (isinstance(metrics, dict) and is_whole(at)):
                raise line_error(folder, "damaged", line.end)
            found = (metrics, int(at or 0)) if metrics else found
    return found


def end_of(folder: Path) -> tuple[Status, str] | None:
    """How a run ended, and why where it failed, as the last line of its journal says; None where it does not say so.

    Args:
        folder: The folder of the run.

    Raises:
        JournalError: The line is damaged.
        OSError: The file cannot be read.
    """
    with open_regular(folder / JOURNAL) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - MAX_END_BYTES))
        lines = file.read().split(b"\n")
    if len(lines) < 2 or lines[-1] or not lines[-2].startswith(b'{"kind": "end"'):
        return None
    try:
        _, content = _parsed(lines[-2])
        return Status(content["status"]), str(content.get("reason", ""))
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError) as error:
        raise line_error(folder, "damaged", size) from error


def is_gone(folder: Path, header: Header) -> bool:
    """Whether the process of a run has ended: on another machine, whether it has given no sign of life for a minute.

    Args:
        folder: The folder of the run.
        header: The header of its journal.
    """
    if header.process.is_here:
        return not header.process.is_alive
    return time.time() - (folder / JOURNAL).stat().st_mtime > HEARTBEAT_LIMIT_SECONDS


def _parsed(text: bytes) -> tuple[str, dict[str, Any]]:
    """The kind of a line, and what it says."""
    content = json.loads(text.decode("utf-8"))  # of bytes, `loads` takes halves of characters, which no database takes
    if b"\\u" in text:  # perhaps half a character that is escaped
        json.dumps(content, ensure_ascii=False).encode()
    return str(content.pop("kind")), content


def _checked(header: Header) -> Header:
    """The header itself, if its values are of the right kinds."""
    texts = [header.id, header.process.started, header.process.host]
    texts += [*header.param_names, *header.params.values(), *header.tags.values()]
    texts += [header.store] if header.store is not None else []
    texts += header.settings.values()
    keys = [header.name, *header.params, *header.tags, *header.settings, *header.found]
    keys += [header.experiment] if header.store is not None else []
    whole = [header.planned, header.started, header.process.pid]
    is_text = all(isinstance(one, str) for one in texts)
    is_id = _is_id(header.id) and (header.parent == "" or _is_id(header.parent))
    is_view = isinstance(header.view, dict | None)
    is_list = isinstance(header.param_names, list) and isinstance(header.resumed, bool)
    is_list &= all(type(one) in (int, float) and math.isfinite(one) for one in header.found.values())
    if not (is_text and all(map(is_key, keys)) and all(map(is_whole, whole)) and is_id and is_list and is_view):
        raise ValueError("a value is of another kind")
    return header


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and len(value) == ID_DIGITS and set(value) <= set("0123456789abcdef")
