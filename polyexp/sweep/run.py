"""Running the jobs of a sweep: those that differ only in numbers are computed together, and each is published by itself."""

import os
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event

from polyexp.backend import blas_threads
from polyexp.base import InputError
from polyexp.experiment import Experiment, Job, compute, publish_computed
from polyexp.experiment.run import run
from polyexp.fitting import Result
from polyexp.sweep.batches import MAX_BYTES, batches

__all__ = ["ReadyJob", "run_jobs"]

THREADS = min(8, os.cpu_count() or 1)  # in which batches are computed, each of them in one


@dataclass(frozen=True)
class ReadyJob:
    """A job of a sweep that can be run.

    Args:
        number: Its number.
        experiment: Its experiment, which has been checked.
        begin: What makes its folder and the files of Hydra in it, and returns the circumstances of its run.
    """

    number: int
    experiment: Experiment
    begin: Callable[[], Job]


def run_jobs(jobs: Sequence[ReadyJob]) -> Iterator[tuple[int, Result | Exception]]:
    """Run jobs whose action is a fit, and give the number of each that has ended with its result, or with its error.

    A job that fails changes nothing of the others: its error is in its own polyexp.log, and its journal ends as FAILED.

    Args:
        jobs: The jobs.
    """
    parts = [
        [jobs[place] for place in places] for places in batches([one.experiment for one in jobs], MAX_BYTES // THREADS)
    ]
    for part, results in _computed_ahead(parts):
        yield from _run_together(part, results)


def _computed_ahead(parts: Sequence[Sequence[ReadyJob]]) -> Iterator[tuple[Sequence[ReadyJob], Result | None]]:
    """Each batch with its results, which are computed in other threads while those before it are published.

    Where the batches use several threads of the processor themselves, each is computed when it is its turn.
    """
    devices = [part[0].experiment.backend.on_device(part[0].experiment.device).device for part in parts]
    if len(parts) < 2 or any(getattr(device, "threads", 1) != 1 for device in devices):
        yield from ((part, _computed(part)) for part in parts)
        return
    ended, ahead = Event(), deque[tuple[Sequence[ReadyJob], Future[Result | None]]]()
    with blas_threads(devices[0]), ThreadPoolExecutor(THREADS) as pool:
        try:
            for part in parts:
                ahead.append((part, pool.submit(_computed, part, ended.is_set)))
                if len(ahead) > THREADS:
                    first, results = ahead.popleft()
                    yield first, results.result()
            for part, results in ahead:
                yield part, results.result()
        finally:
            ended.set()
            pool.shutdown(wait=True, cancel_futures=True)


def _run_together(jobs: Sequence[ReadyJob], results: Result | None) -> Iterator[tuple[int, Result | Exception]]:
    """Publish the results of a batch; where it failed or the memory was too small, run it in halves, down to a job alone."""
    if results is not None:
        for place, one in enumerate(jobs):
            yield one.number, _published(one, results, place)
    elif len(jobs) > 1:
        middle = len(jobs) // 2
        for half in (jobs[:middle], jobs[middle:]):
            yield from _run_together(half, _computed(half))
    else:
        yield jobs[0].number, _attempted(jobs[0], lambda job: run(jobs[0].experiment, job))


def _computed(jobs: Sequence[ReadyJob], stop: Callable[[], bool] | None = None) -> Result | None:
    """The result of a batch; None for a job alone, and where it cannot be computed.

    Args:
        jobs: The jobs of the batch.
        stop: Called between blocks of steps; if it returns True, nobody needs the result any more.
    """
    with suppress(Exception):  # a job alone raises it again
        return compute((one.experiment for one in jobs), stop=stop) if len(jobs) > 1 else None
    return None


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
