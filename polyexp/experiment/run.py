"""The one way through: compute experiments, publish their results, and run both for one job."""

import contextlib
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import cast

from polyexp.base import folder_errors, from_here, spell
from polyexp.experiment.batch import Batch
from polyexp.experiment.experiment import Experiment
from polyexp.experiment.job import Job, run_info
from polyexp.experiment.resumed import Resumed
from polyexp.fitting import Checkpoint, CheckpointWriter, Keep, Outcome, Result, Snapshot, fit
from polyexp.problem import OnProgress
from polyexp.report import Terminal, write
from polyexp.report.progress_bar import bar
from polyexp.tracking import Delivered, Header, Journal, model_data, why_none, write_result

__all__ = ["compute", "publish", "publish_computed", "run"]


def run(experiment: Experiment, job: Job) -> Result:
    """Compute one experiment, and publish its result while it comes and when it is there.

    Args:
        experiment: The experiment, which has been checked.
        job: The circumstances of the run.

    Raises:
        FolderError: The folder of the run cannot be written any more.
    """
    with bar(f"Reading {experiment.problem.label}", quiet=experiment.quiet or job.log_only) as progress:
        experiment.samples(progress)
    with Resumed.taken(job.folder) if job.goes_on else contextlib.nullcontext() as resumed:
        result = _run(resumed.continued(experiment) if resumed else experiment, job, resumed)
    job.interruption.end()
    return result


def _run(experiment: Experiment, job: Job, resumed: Resumed | None) -> Result:
    with (
        _recording(experiment, job, resumed=resumed) as (terminal, journal),
        _checkpoints(experiment, job, terminal, journal) as checkpoints,
        bar("Largest error", quiet=experiment.quiet or job.log_only) as progress,
    ):
        recorded = resumed.steps if resumed else frozenset[int]()

        def observe(snapshot: Snapshot) -> None:
            if snapshot.step not in recorded:
                journal.snapshot(snapshot)
            terminal.snapshot(snapshot)

        def on_progress(done: float) -> None:  # called while the largest error is computed, after the fit
            terminal.close_bar()
            progress(done)

        result = compute(
            experiment,
            observe=observe,
            start=resumed.start if resumed else None,
            stop=job.interruption.asked,
            keep=checkpoints.keep,
            on_progress=on_progress,
        )
        if result.checkpoint:
            checkpoints.write(result.checkpoint)
        publish(experiment, result, job, terminal, journal)
    return result


def publish_computed(experiment: Experiment, result: Result, job: Job) -> None:
    """Publish a result that was computed as a part of a batch, as `run` does; of its snapshots, too.

    Params are in the journal at the first and the last snapshot alone; history.csv has all of them. The run is recorded as one
    that began the seconds of its result ago, so that runs of a batch have an order.

    Args:
        experiment: The experiment.
        result: Its single result.
        job: The circumstances of the run.

    Raises:
        FolderError: The folder of the run cannot be written any more.
    """
    with _recording(experiment, job, result.seconds) as (terminal, journal):
        last = result.history.step.size - 1
        for place, snapshot in enumerate(result.history.snapshots(experiment.loop.is_early)):
            journal.snapshot(snapshot, with_params=place in (0, last))
            terminal.snapshot(snapshot)
        publish(experiment, result, job, terminal, journal)
    job.interruption.end()


def _checkpoints(experiment: Experiment, job: Job, terminal: Terminal, journal: Journal) -> CheckpointWriter:
    """What writes the checkpoints of a run into its folder."""
    settings = {key: spell(value) for key, value in experiment.settings().items()}
    every = experiment.checkpoint.every
    return CheckpointWriter(
        job.folder, settings, experiment.fingerprint(), every=every, warn=terminal.warn, first=journal.sync
    )


@contextlib.contextmanager
def _recording(
    experiment: Experiment, job: Job, seconds: float | None = None, resumed: Resumed | None = None
) -> Iterator[tuple[Terminal, Journal]]:
    """A context that gives what prints a run, and its journal, which says at its end how the run ended.

    Args:
        experiment: The experiment.
        job: The circumstances of the run.
        seconds: How long ago it began, where it is computed already; then it ends in a moment.
        resumed: What it has left in its folder, where it goes on.
    """
    tracking = experiment.tracking
    tracking.begin(job.folder)
    header = tracking.header(run_info(experiment, job))
    header = replace(header, started=header.started - round(1000 * (seconds or 0)))
    with (
        folder_errors(job.folder, "run"),
        Terminal(job.folder, quiet=experiment.quiet, log_only=job.log_only) as terminal,
    ):
        with (
            job.interruption.gently(),
            _journal(header, job, resumed, lasting=seconds is None) as journal,
        ):
            if resumed:
                terminal.resumed(resumed.step, resumed.kept(experiment), resumed.warning)
            terminal.begin(
                experiment.forecast,
                experiment.computed_by,
                folds_equal_lines=experiment.loop.direct,
                in_sweep=job.sweep is not None,
            )
            yield terminal, journal
        # Of a run that was interrupted the recorder delivers what is left, and nobody waits for it.
        wait = not job.sweep and not job.interruption.asked()
        delivered = tracking.delivered([job.folder]) if wait else Delivered()
        terminal.end(job.folder, delivered.lines, delivered.warning)


def _journal(header: Header, job: Job, resumed: Resumed | None, *, lasting: bool) -> Journal:
    """The journal of a new run, or of one that goes on."""
    if resumed:
        return resumed.journal(header)
    return Journal(job.folder, header, lasting=lasting)


def compute(
    experiments: Experiment | Iterable[Experiment],
    *,
    observe: Callable[[Snapshot], None] | None = None,
    start: Checkpoint | Callable[[Checkpoint], Checkpoint] | None = None,
    stop: Callable[[], bool] | None = None,
    keep: Keep | None = None,
    on_progress: OnProgress | None = None,
) -> Result:
    """Fit one experiment, or several that differ only in numbers as one batch, whose result[i] is that of experiment i.

    Nothing is printed, written or recorded here. The model of a batch's result is that of the first experiment, from which
    that of another differs in the initial values only.

    Args:
        experiments: The experiment, or the R experiments of a batch, which have been checked.
        observe: Called with every snapshot while the fit runs.
        start: The checkpoint of an earlier computation of the same experiments, from which this one goes on; or a function
            that makes it from the checkpoint before the first step, as for `fit`.
        stop: Called between blocks of steps; if it returns True, the fit ends, and its result has a checkpoint.
        keep: Called between blocks of steps with a function that makes the checkpoint of that moment, as by `fit`.
        on_progress: Called with the fraction of the samples that has been read, from 0 to 1.

    Raises:
        InputError: The experiments differ in more than numbers.
    """
    batch = None if isinstance(experiments, Experiment) else Batch.of(experiments)
    one = batch.experiments[0] if batch else cast(Experiment, experiments)
    return fit(
        one.problem,
        one.model,
        loop=one.loop,
        optimizer=batch.optimizer if batch else one.tuned_optimizer,
        backend=one.backend,
        device=one.device,
        seed=one.seed,
        params=batch.initial if batch else None,
        samples=one.samples(on_progress),
        observe=observe,
        on_progress=on_progress,
        start=start,
        stop=stop,
        keep=keep,
    )


def _going_on(experiment: Experiment, job: Job) -> str:
    """The command by which a run goes on that was interrupted; empty for a job of a sweep, which goes on with its sweep."""
    if job.sweep:
        return ""
    if job.replay_of:  # whose verdict comes at its end
        return f"python -m polyexp action=replay action.run={shlex.quote(job.replay_of)}"
    words = [f"resume={from_here(job.folder)}", *experiment.tracking.resume_words]
    return " ".join(["python -m polyexp", *map(shlex.quote, words)])


def publish(experiment: Experiment, result: Result, job: Job, terminal: Terminal, journal: Journal) -> None:
    """Write the files of a result, print its summary, draw its pictures and write what is recorded of it into its journal.

    Args:
        experiment: The experiment.
        result: The result of a single run, computed alone or as a part of a batch.
        job: The circumstances of the run.
        terminal: What prints.
        journal: The journal of the run.

    Raises:
        OSError: The folder of the run cannot be written, or has been deleted.
    """
    forecast = experiment.forecast
    journal.require_there()  # `write` would make the folder anew
    files = write(job.folder, result, forecast, experiment.settings(), job.config_yaml)
    if result.outcome is Outcome.INTERRUPTED:
        terminal.interrupted(result, _going_on(experiment, job))
    else:
        terminal.summary(result, forecast)
    try:
        if not job.interruption.asked():
            files += experiment.report.write(
                job.folder, result, forecast, experiment.problem, experiment.seed, in_sweep=job.sweep is not None
            )
    except Exception as error:  # the result of the run does not depend on its pictures
        terminal.warn(f"the pictures of this run could not be made ({error!r}).")
    model = None
    if experiment.tracking.records_model(in_sweep=job.sweep is not None):
        model = model_data(result, experiment.settings())
        if (reason := why_none(model)) and experiment.tracking.misses_model:
            terminal.warn(f"no MLflow model is made of this run: {reason}")
    for warning in terminal.warnings:
        journal.warning(warning)
    write_result(journal, result, forecast, files, model)
    if result.outcome is Outcome.INTERRUPTED:
        journal.end(KeyboardInterrupt())
