"""Running the jobs of a sweep: those that differ only in numbers are computed together, and each is published by itself."""

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from polyexp.base import InputError
from polyexp.experiment import Experiment, Job, compute, publish_computed
from polyexp.experiment.run import run
from polyexp.fitting import Result
from polyexp.sweep.batches import batches

__all__ = ["ReadyJob", "run_jobs"]


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
    for places in batches([one.experiment for one in jobs]):
        yield from _run_together([jobs[place] for place in places])


def _run_together(jobs: Sequence[ReadyJob]) -> Iterator[tuple[int, Result | Exception]]:
    """Run jobs as one batch; where it fails or is too large for the memory, in halves, down to a job alone."""
    results = _computed(jobs) if len(jobs) > 1 else None
    if results is not None:
        for place, one in enumerate(jobs):
            yield one.number, _published(one, results, place)
    elif len(jobs) > 1:
        middle = len(jobs) // 2
        yield from _run_together(jobs[:middle])
        yield from _run_together(jobs[middle:])
    else:
        yield jobs[0].number, _attempted(jobs[0], lambda job: run(jobs[0].experiment, job))


def _computed(jobs: Sequence[ReadyJob]) -> Result | None:
    """The result of a batch; None where it cannot be computed."""
    with suppress(Exception):  # a job alone raises it again
        return compute(one.experiment for one in jobs)
    return None


def _published(one: ReadyJob, results: Result, place: int) -> Result | Exception:
    """The result of a job of a batch, which is published, or why it could not be.

    Its model has the initial values of this job, and its time is its share of that of the batch.
    """

    def publish(job: Job) -> Result:
        model = one.experiment.model.on_domain(results.samples.domain)
        result = replace(results[place], model=model, seconds=results.seconds / len(results.params))
        publish_computed(one.experiment, result, job)
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
