"""One experiment from its configuration to its record: the whole way through, on one screen."""

from dataclasses import dataclass
from pathlib import Path

from polyexp.base import version
from polyexp.experiment.experiment import Experiment
from polyexp.experiment.schema import GROUPS, spell
from polyexp.fitting import Look, Result, computed_by, fit
from polyexp.report import Terminal, write
from polyexp.report.progress_bar import bar
from polyexp.tracking import About

__all__ = ["Job", "run"]

SHORT = {"learning_rate": "lr", "num_samples": "samples"}  # in the names of runs


@dataclass(frozen=True)
class Job:
    """Where a run stands: its folder, what the user typed, the sweep it belongs to, and its configuration as YAML.

    varying: the keys to which the sweep gives several values.
    """

    folder: Path
    overrides: tuple[str, ...]
    sweep: str | None
    config_yaml: str
    varying: frozenset[str] = frozenset()


def run(experiment: Experiment, job: Job) -> Result:
    """Fit, report and record one experiment."""
    known = experiment.forecast
    backend = experiment.backend.on(experiment.device)
    by = computed_by(experiment.loop, backend)
    about = _about(experiment, job, by)

    with Terminal(job.folder, quiet=experiment.quiet) as terminal:
        terminal.begin(known, by)
        with experiment.tracking.record(about) as record, bar("Largest error", quiet=experiment.quiet) as progress:

            def tell(look: Look) -> None:
                terminal.look(look)
                record.look(look)

            def after(done: float) -> None:  # the samples once more, when the fit has ended
                terminal.settle()
                progress(done)

            result = fit(
                experiment.problem,
                experiment.model,
                loop=experiment.loop,
                optimizer=experiment.optimizer,
                backend=backend,
                seed=experiment.seed,
                samples=known.samples,
                look=tell,
                on_progress=after,
            )
            files = write(job.folder, result, known, experiment.settings(), job.config_yaml)
            terminal.summary(result, known)
            files += _shown(experiment, job, result, terminal)
            record.finish(result, known, files)
        terminal.end(job.folder, record.where())
    return result


def _shown(experiment: Experiment, job: Job, result: Result, terminal: Terminal) -> list[Path]:
    """The pictures that were wanted. A run is worth more than its pictures, so what goes wrong with them is a warning."""
    in_sweep = job.sweep is not None
    try:
        return experiment.report.write(
            job.folder, result, experiment.forecast, experiment.problem, experiment.seed, in_sweep=in_sweep
        )
    except Exception as error:
        terminal.warn(f"the pictures of this run could not be made ({error!r}).")
        return []


def _about(experiment: Experiment, job: Job, by: str) -> About:
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
    return About(_name(experiment, job), params, experiment.model.param_names, tags)


def _name(experiment: Experiment, job: Job) -> str:
    """What the user typed, without the long parts of the keys; `power_series sin` where nothing was typed.

    Of a sweep's job only what varies: MLflow's table shows about 22 letters.
    """
    typed = [(key, value) for key, _, value in (one.lstrip("+~").partition("=") for one in job.overrides)]
    silent = ("tracking", "report", "action", "quiet", "hydra")
    decisive = [(key, value) for key, value in typed if key.partition(".")[0] not in silent]
    varying = [(key, value) for key, value in decisive if key in job.varying]
    words = [_word(key, value) for key, value in varying or decisive]
    return " ".join(words)[:100] or f"{experiment.model.choice} {experiment.problem.choice}"


def _word(key: str, value: str) -> str:
    if key in (*GROUPS, "experiment"):  # whose choice says enough
        return value
    last = key.rpartition(".")[2]
    return f"{SHORT.get(last, last)}={value}"
