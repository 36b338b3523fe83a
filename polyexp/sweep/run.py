"""Running the jobs of a sweep: those that differ only in numbers are computed together, and each is published by itself.

Which jobs are computed together does not depend on which of them have a result already: a resumed sweep computes each batch as
a whole, as its sums are rounded in another way in a smaller one, and publishes the jobs that are left.
"""

import os
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import TypeVar

from polyexp.backend import blas_threads
from polyexp.base import InputError
from polyexp.experiment import Experiment, Interruption, Job, publish_computed
from polyexp.experiment.run import run
from polyexp.fitting import Result
from polyexp.report.stream import Stream
from polyexp.sweep.batch_checkpoint import BatchCheckpoint
from polyexp.sweep.batches import MAX_BYTES, batches

__all__ = ["ReadyJob", "run_jobs"]

Found = TypeVar("Found")
THREADS = min(8, os.cpu_count() or 1)  # in which batches are computed, each of them in one


@dataclass(frozen=True)
class ReadyJob:
    """A job of a sweep that can be run.

    Args:
        number: Its number.
        experiment: Its experiment, which has been checked.
        begin: What makes its folder and the files of Hydra in it, and returns the circumstances of its run.
        done: Whether it has its result already, and is here since it belongs to a batch with others.
        goes_on: Whether it goes on from a checkpoint of its own, and is computed alone.
    """

    number: int
    experiment: Experiment
    begin: Callable[[], Job]
    done: bool = False
    goes_on: bool = False


def run_jobs(
    jobs: Sequence[ReadyJob], folder: Path, interruption: Interruption
) -> Iterator[tuple[int, Result | Exception]]:
    """Run jobs whose action is a fit, and give the number of each that has ended with its result, or with its error.

    A job that fails changes nothing of the others: its error is in its own polyexp.log, and its journal ends as FAILED.

    Args:
        jobs: The jobs; those that are done are not run again.
        folder: The folder of the sweep, in which a batch has its checkpoint until its jobs have their results.
        interruption: What may ask the jobs to end early; then those that have not begun are left, without errors.
    """
    together = [one for one in jobs if not one.goes_on]
    places = batches([one.experiment for one in together], MAX_BYTES // THREADS)
    parts = [*([together[place] for place in part] for part in places), *([one] for one in jobs if one.goes_on)]
    computing = _Computing(folder, interruption)
    for part, results in _computed_ahead([one for one in parts if _has_left(one)], computing):
        yield from _run_together(part, results, computing)


def _has_left(jobs: Sequence[ReadyJob]) -> bool:
    return not all(one.done for one in jobs)


class _Computing:
    """What computes the batches of a sweep.

    Args:
        folder: The folder of the sweep.
        interruption: What may ask it to end early.
    """

    def __init__(self, folder: Path, interruption: Interruption) -> None:
        self._folder, self._interruption = folder, interruption
        self._ended = Event()

    def end(self) -> None:
        """Have batches that are being computed end, since nobody waits for them any more."""
        self._ended.set()

    def checkpoint(self, jobs: Sequence[ReadyJob]) -> BatchCheckpoint:
        """The checkpoint of a batch."""
        return BatchCheckpoint(self._folder, {one.number: one.experiment for one in jobs})

    def result(self, jobs: Sequence[ReadyJob]) -> Result | None:
        """The result of a batch; None for a job alone, and where it cannot be computed. Any thread may ask for it."""
        with suppress(Exception):  # a job alone raises it again
            return self.checkpoint(jobs).computed(self._is_to_stop, _warn) if len(jobs) > 1 else None
        return None

    def awaited(self, function: Callable[[], Found]) -> Found:
        """What a function returns; an interruption that comes before that is raised once it has returned."""
        with self._interruption.gently():
            found = function()
        self._interruption.end()
        return found

    def _is_to_stop(self) -> bool:
        return self._ended.is_set() or self._interruption.asked()


def _warn(sentence: str) -> None:
    Stream(stderr=True).text(f"warning: {sentence}")


def _computed_ahead(
    parts: Sequence[Sequence[ReadyJob]], computing: _Computing
) -> Iterator[tuple[Sequence[ReadyJob], Result | None]]:
    """Each batch with its results, which are computed in other threads while those before it are published.

    Where the batches use several threads of the processor themselves, each is computed when it is its turn.
    """
    devices = [part[0].experiment.backend.on_device(part[0].experiment.device).device for part in parts]
    if len(parts) < 2 or any(getattr(device, "threads", 1) != 1 for device in devices):
        yield from ((part, computing.awaited(partial(computing.result, part))) for part in parts)
        return
    ahead = deque[tuple[Sequence[ReadyJob], Future[Result | None]]]()
    with blas_threads(devices[0]), ThreadPoolExecutor(THREADS) as pool:
        try:
            for part in parts:
                # The pool waits at its end for the threads whose start nothing has interrupted.
                ahead.append((part, computing.awaited(partial(pool.submit, computing.result, part))))
                if len(ahead) > THREADS:
                    first, results = ahead.popleft()
                    yield first, computing.awaited(results.result)
            for part, results in ahead:
                yield part, computing.awaited(results.result)
        finally:
            computing.end()
            pool.shutdown(wait=True, cancel_futures=True)


def _run_together(
    jobs: Sequence[ReadyJob], results: Result | None, computing: _Computing
) -> Iterator[tuple[int, Result | Exception]]:
    """Publish the results of a batch; where it failed or the memory was too small, run it in halves, down to a job alone."""
    if results is not None:
        failed = False
        for place, one in enumerate(jobs):
            if not one.done:
                ended = _published(one, results, place)
                failed |= isinstance(ended, Exception)
                yield one.number, ended
        if not failed:
            computing.checkpoint(jobs).remove()
    elif len(jobs) > 1:
        middle = len(jobs) // 2
        for half in filter(_has_left, (jobs[:middle], jobs[middle:])):
            yield from _run_together(half, computing.awaited(partial(computing.result, half)), computing)
    elif not jobs[0].done:
        yield jobs[0].number, _attempted(jobs[0], lambda job: run(jobs[0].experiment, job))


def _published(one: ReadyJob, results: Result, place: int) -> Result | Exception:
    """The result of a job of a batch, which is published, or why it could not be.

    Its model has the initial values of this job, and its time is its share of that of the batch.
    """

    def publish(job: Job) -> Result:
        model = one.experiment.model.on_domain(results.samples.domain)
        result = replace(results[place], model=model, seconds=results.seconds / len(results.params))
        publish_computed(one.experiment, result, replace(job, runs=len(results.params)))
        return result

    return _attempted(one, publish)


def _attempted(one: ReadyJob, carry_out: Callable[[Job], Result]) -> Result | Exception:
    """What a job gives, or the error that it has raised, which is in its log."""
    try:
        job = one.begin()
    except Exception as error:
        return error
    try:
        return carry_out(job)
    except Exception as error:
        _log(job.folder, error)
        return error


def _log(folder: Path, error: Exception) -> None:
    """Append an error to the log of a run: a sentence about the input as it is, anything else with its traceback."""
    text = f"polyexp: {error}\n" if isinstance(error, InputError) else "".join(traceback.format_exception(error))
    with suppress(OSError), (folder / "polyexp.log").open("a", encoding="utf-8", errors="backslashreplace") as log:
        log.write(text)
