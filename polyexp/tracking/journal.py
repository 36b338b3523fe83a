"""The journal of a run: `journal.jsonl` in its folder, to which the run appends a line of JSON for everything that it records.

The first line is the header; lines of snapshots, warnings, results and files follow, and a line that says how the run ended. A
line is complete once it ends with a line feed; what a process that was killed has begun to write is ignored. Numbers that are
not finite are texts ("nan", "inf", "-inf"), as JSON has none. `journal_lines` reads it.
"""

import errno
import math
import os
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from polyexp.base import InputError, bounded, printable, replaced
from polyexp.tracking.entry import COMPARISONS, Dataset, Status
from polyexp.tracking.json_line import json_line
from polyexp.tracking.note import NOTE
from polyexp.tracking.ownership import JOURNAL, taken, without_delivery
from polyexp.tracking.process import Process

__all__ = ["EARLIER", "FORMAT", "JOURNAL", "Header", "Journal", "now", "reason_of"]

FORMAT = 1  # of the lines; it is raised when they change
EARLIER = "earlier_result"  # the kind of the line with the final metrics of an earlier end of a run that goes on
MEASURED = "optimizer/steps_per_second"  # the final metric that no two runs have in common
HEARTBEAT_SECONDS = 15  # between two signs of life, by which another machine knows that the run goes on


def now() -> int:
    """The time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def reason_of(error: BaseException) -> str:
    """Why a run failed, in one line: a sentence about the input as it is, any other error with its kind.

    Args:
        error: What was raised.

    Example:
        >>> reason_of(MemoryError("8 GiB"))
        'MemoryError: 8 GiB'
    """
    if isinstance(error, (KeyboardInterrupt, SystemExit)):
        return "it was interrupted"
    text, kind = " ".join(str(error).split()), type(error).__name__
    return bounded(printable(text if isinstance(error, InputError) else f"{kind}: {text}" if text else kind))


@dataclass(frozen=True)
class Header:
    """What is known of a run before it starts.

    Args:
        id: The id of the journal, 32 hexadecimal digits.
        name: The name of the run.
        params: The settings by their keys.
        tags: The tags of the run.
        param_names: The names of the parameters of the model.
        planned: The number of regular snapshots that the run will have unless it ends early.
        started: The time of its start, in milliseconds since 1970.
        process: The process that computes it.
        store: The address of the store without credentials; None for a run that is not to be delivered.
        experiment: The name of the MLflow experiment.
        view: The saved view that shows the run among others, by the arguments of `view_of`; None where there is none.
        parent: The id of the journal of the sweep to which the run belongs; empty where it belongs to none.
        resumed: Whether the run goes on after it was interrupted.
        settings: The settings of a run that goes on with other ones than `params`, which stay those of its first start.
        found: The numbers that were found for automatic settings of the optimizer, by their names.
        lower_bound: A lower bound of the loss, in the unit of y squared, where the best loss is not known; otherwise nan.
    """

    id: str
    name: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    param_names: Sequence[str]
    planned: int
    started: int
    process: Process
    store: str | None
    experiment: str
    view: Mapping[str, Any] | None = field(default_factory=dict)
    parent: str = ""
    resumed: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    found: Mapping[str, float] = field(default_factory=dict)
    lower_bound: float = math.nan

    def of_comparison(self) -> "Header":
        """This header for a comparison, which is in an MLflow experiment of its own, so that no search of runs finds it."""
        return replace(self, experiment=self.experiment + COMPARISONS, view=None)

    def again(self, earlier: "Header") -> "Header":
        """This header for a run that goes on: with the id, the name and the start of its earlier one.

        Where it would go on without a store, that of the earlier one is kept, to which it is delivered later.

        Args:
            earlier: The header of the journal whose place that of this header takes.
        """
        place = earlier if self.store is None else self
        return replace(
            self,
            id=earlier.id,
            name=earlier.name,
            started=earlier.started,
            resumed=True,
            store=place.store,
            experiment=place.experiment,
        )

    def of_sweep(self, sweep: str, varying: Sequence[str]) -> "Header":
        """This header for a sweep, whose run is the parent of those of its jobs, and whose view shows these alone.

        Args:
            sweep: The name of the sweep.
            varying: The keys of the settings that are not the same in all runs.
        """
        return replace(self, view={"sweep": sweep, "varying": list(varying)})


class Journal(AbstractContextManager["Journal"]):
    """The journal of a run of this process, a context manager that writes how the run ended.

    Args:
        folder: The folder of the run, which must exist and belong to no other run.
        header: What is known of the run.
        anew: Whether it takes the place of an earlier journal of the same run, with the same id, whose process has gone.
        kept: The lines of that journal that follow the header in this one, too.
        final: The final metrics of an earlier end, and their time; where it ends with the same ones, these are recorded again.
        lasting: Whether the run goes on for a while: the header is on the disk when this returns, and there are signs of life.
            Without, the first line that is on the disk is that of the end, which comes in a moment.

    Raises:
        InputError: The folder belongs to another run.
        OSError: The journal cannot be written; as from each of its methods, which then have written nothing.
    """

    def __init__(
        self,
        folder: Path,
        header: Header,
        *,
        anew: bool = False,
        kept: Iterable[bytes] = (),
        final: tuple[Mapping[str, Any], int] | None = None,
        lasting: bool = True,
    ) -> None:
        self.folder, self.header, self._lasting, self._final = folder, header, lasting, final
        self._begin = self._end = 0  # of the last line
        if anew:
            with without_delivery(folder), replaced(folder / JOURNAL) as unfinished:
                self._open(unfinished, 0, kept, final)
        else:
            try:
                self._open(folder / JOURNAL, os.O_CREAT | os.O_EXCL)  # another process may try to make it, too
            except FileExistsError:
                raise taken("hydra.run.dir", folder) from None
        self._ended = threading.Event()
        if lasting:
            threading.Thread(target=self._live, name="heartbeat", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def _open(
        self, path: Path, flags: int, kept: Iterable[bytes] = (), final: tuple[Mapping[str, Any], int] | None = None
    ) -> None:
        """Open the file at a path, and write the header and the lines that are kept."""
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | flags, 0o666)
        try:
            (self.folder / NOTE).unlink(missing_ok=True)  # on a journal that was here before
            self._write("header", format=FORMAT, **asdict(self.header))
            for line in kept:
                self._append(line)
            if final:
                self._write(EARLIER, metrics=final[0], time=final[1])
            if self._lasting:
                os.fsync(self._file)
        except BaseException:
            os.close(self._file)
            path.unlink()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write how the run ended: FINISHED, FAILED after an exception, KILLED where it was interrupted."""
        self.end(error)

    def end(self, error: BaseException | None = None) -> None:
        """Write how the run ended, as leaving the context does, unless it has been written. Nothing is written afterwards.

        Args:
            error: What has ended it early; None where it is finished.
        """
        if self._ended.is_set():
            return
        status = Status.FINISHED if error is None else Status.FAILED if isinstance(error, Exception) else Status.KILLED
        self._ended.set()
        try:
            self._write("end", status=status, reason=reason_of(error) if error else "")
            os.fsync(self._file)
        except OSError:
            if error is None:  # otherwise the first error is the one to report
                raise
        finally:
            os.close(self._file)

    def sync(self) -> None:
        """Bring all lines so far to the disk, in any thread; raise `OSError` where it does not take them."""
        os.fsync(self._file)

    def require_there(self) -> None:
        """Require that it is in the folder of the run, where somebody may have deleted it; otherwise raise `OSError`."""
        path = self.folder / JOURNAL
        if not os.path.samestat(path.stat(), os.fstat(self._file)):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))

    def snapshot(self, snapshot: Any, *, with_params: bool = True) -> None:
        """Append a snapshot of a single run.

        Args:
            snapshot: The `Snapshot`.
            with_params: Whether the line has its parameters, which MLflow then gets, too.
        """
        early = {"early": True} if snapshot.early else {}
        params = {"params": snapshot.params.tolist()} if with_params else {}
        self._write(
            "snapshot",
            step=int(snapshot.step),
            **early,
            loss=float(snapshot.loss),
            excess=float(snapshot.excess),
            grad_norm=float(snapshot.grad_norm),
            **params,
        )

    def warning(self, text: str) -> None:
        """Append a warning."""
        self._write("warning", text=text)

    def result(
        self,
        metrics: Mapping[str, float],
        params: Mapping[str, str],
        tags: Mapping[str, str],
        dataset: Dataset | None = None,
        model: Mapping[str, Any] | None = None,
    ) -> None:
        """Append what is known only at the end.

        Args:
            metrics: The metrics of the result.
            params: What follows from the settings and the samples.
            tags: Further tags.
            dataset: The samples.
            model: The MLflow model, or why there is none, as `model_data` gives it; None where none is recorded.
        """
        final, at = self._final or ({}, now())
        if {**metrics, MEASURED: 0} != {**final, MEASURED: 0}:
            final, at = metrics, now()
        content = {"params": params, "tags": tags, "dataset": asdict(dataset) if dataset else None}
        content |= {"model": model} if model else {}
        self._write("result", time=at, metrics=final, **content)

    def files(self, names: Sequence[str]) -> None:
        """Append the names of complete files of the folder, which are then artifacts of the run."""
        self._write("files", names=list(names))

    def _write(self, kind: str, **content: Any) -> None:
        self._append(json_line({"kind": kind, "time": now(), **content}))

    def _append(self, line: bytes) -> None:
        rest = memoryview(line)
        size = os.fstat(self._file).st_size
        if size < self._end:  # the last line was interrupted, or the disk was full
            os.ftruncate(self._file, size := self._begin)
        self._begin, self._end = size, size + len(rest)
        try:
            while rest:  # a disk that is almost full takes a part
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.folder / JOURNAL)) from error

    def _live(self) -> None:
        while not self._ended.wait(HEARTBEAT_SECONDS):
            with suppress(OSError):
                os.utime(self.folder / JOURNAL)
