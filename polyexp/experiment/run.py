"""The run of one experiment: its fit, its report and its record."""

from dataclasses import dataclass
from pathlib import Path

from polyexp.base import version
from polyexp.experiment.experiment import Experiment
from polyexp.experiment.schema import GROUPS, spell
from polyexp.fitting import Result, Snapshot, computed_by, fit
from polyexp.report import Terminal, write
from polyexp.report.progress_bar import bar
from polyexp.tracking import RunInfo

__all__ = ["Job", "run"]

MAX_NAME_CHARACTERS = 100  # of the name of a run
SHORT_NAMES = {"learning_rate": "lr", "num_samples": "samples"}  # the words for these settings in the names of runs


@dataclass(frozen=True)
class Job:
    """The circumstances of a run.

    Args:
        folder: The folder of the run, which exists.
        overrides: The overrides that the user typed, without passwords.
        sweep: The name of the sweep; None for a single run.
        config_yaml: The composed configuration as YAML, without passwords.
        varying: The keys to which the sweep gives several values.
    """

    folder: Path
    overrides: tuple[str, ...]
    sweep: str | None
    config_yaml: str
    varying: frozenset[str] = frozenset()


def run(experiment: Experiment, job: Job) -> Result:
    """Fit an experiment, report on the fit and record it.

    Args:
        experiment: The experiment, which has been checked.
        job: The circumstances of the run.
    """
    forecast = experiment.forecast
    backend = experiment.backend.on_device(experiment.device)
    by = computed_by(experiment.loop, backend)
    about = _about(experiment, job, by)

    with Terminal(job.folder, quiet=experiment.quiet) as terminal:
        terminal.begin(forecast, by)
        with experiment.tracking.record(about) as record, bar("Largest error", quiet=experiment.quiet) as progress:

            def observe(snapshot: Snapshot) -> None:
                terminal.snapshot(snapshot)
                record.snapshot(snapshot)

            def on_progress(done: float) -> None:  # called while the largest error is computed, after the fit
                terminal.close_bar()
                progress(done)

            result = fit(
                experiment.problem,
                experiment.model,
                loop=experiment.loop,
                optimizer=experiment.optimizer,
                backend=backend,
                seed=experiment.seed,
                samples=forecast.samples,
                observe=observe,
                on_progress=on_progress,
            )
            files = write(job.folder, result, forecast, experiment.settings(), job.config_yaml)
            terminal.summary(result, forecast)
            files += _write_report(experiment, job, result, terminal)
            record.finish(result, forecast, files)
        terminal.end(job.folder, record.where())
    return result


def _write_report(experiment: Experiment, job: Job, result: Result, terminal: Terminal) -> list[Path]:
    """Write the pictures and the page of a run, and return their paths.

    Any error is printed as a warning only, because the result of the run does not depend on its pictures.
    """
    in_sweep = job.sweep is not None
    try:
        return experiment.report.write(
            job.folder, result, experiment.forecast, experiment.problem, experiment.seed, in_sweep=in_sweep
        )
    except Exception as error:
        terminal.warn(f"the pictures of this run could not be made ({error!r}).")
        return []


def _about(experiment: Experiment, job: Job, by: str) -> RunInfo:
    tags = {
        **version.tags(),
        "polyexp.fingerprint": experiment.fingerprint(),
        "polyexp.computed_by": by,
        "polyexp.overrides": " ".join(job.overrides),
        "polyexp.output_folder": str(job.folder),
    }
    if job.sweep:
        tags["polyexp.sweep"] = job.sweep
    params = {key: spell(value) for key, value in experiment.settings().items()}
    return RunInfo(_name(experiment, job), params, experiment.model.param_names, tags)


def _name(experiment: Experiment, job: Job) -> str:
    """The name of a run: the overrides that the user typed, in a short form, or `power_series sin` where there are none.

    A job of a sweep is named by what varies only, because the table of MLflow shows about 22 characters.
    """
    typed = [(key, value) for key, _, value in (one.lstrip("+~").partition("=") for one in job.overrides)]
    silent = ("tracking", "report", "action", "quiet", "hydra")
    decisive = [(key, value) for key, value in typed if key.partition(".")[0] not in silent]
    varying = [(key, value) for key, value in decisive if key in job.varying]
    words = [_word(key, value) for key, value in varying or decisive]
    return " ".join(words)[:MAX_NAME_CHARACTERS] or f"{experiment.model.choice} {experiment.problem.choice}"


def _word(key: str, value: str) -> str:
    if key in (*GROUPS, "experiment"):  # the name of a choice is clear without its group
        return value
    last = key.rpartition(".")[2]
    return f"{SHORT_NAMES.get(last, last)}={value}"
