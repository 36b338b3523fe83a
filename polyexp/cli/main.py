"""The entrypoint: `python -m polyexp`, or `polyexp` where the package is installed.

The exit code is 0 where the action succeeded, 1 where a run failed or a crosscheck found a disagreement, 2 where the input
of the user is wrong, and after a signal 128 and its number: 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP.
"""

import os
import sys
import traceback
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from polyexp.base import DisagreementError, FolderError, InputError, NotDeliveredError, bounded
from polyexp.cli.command import carry_out
from polyexp.cli.composition import as_input_error, checked, prepare
from polyexp.cli.config_loader import as_typed
from polyexp.cli.jobs import RunError
from polyexp.cli.overrides import USER_ERRORS
from polyexp.cli.signals import Interrupted, signals
from polyexp.cli.texts import unquoted
from polyexp.cli.words import prepared
from polyexp.experiment import Experiment, InSweep, Job
from polyexp.report.stream import Stream
from polyexp.tracking import JOURNAL, reason_of

__all__ = ["main", "task"]


def task(cfg: DictConfig, experiment: Experiment | None = None, sweep: InSweep | None = None) -> Any:
    """Carry out one job, and return what its action returns: a loss, which an optimizing sweeper minimises, or None.

    Args:
        cfg: The configuration that Hydra has composed.
        experiment: The experiment that it describes, if that has been checked.
        sweep: The sweep to which the job belongs; None for a single run.

    Raises:
        RunError: Where the job failed, which has been printed: in one sentence where the input is wrong or a disagreement was
            found, after which a single run ends the process instead; otherwise with the traceback.
    """
    job = _job(cfg, sweep)
    try:
        with signals.never_lost():
            if experiment is None:
                experiment = checked(cfg)
            return experiment.action(experiment, job)
    except (DisagreementError, FolderError, InputError, NotDeliveredError) as error:
        code = _print_error(str(error), 2 if isinstance(error, InputError) else 1)
        if not job.sweep:
            sys.exit(code)  # an exception would pass through Hydra, which would print that a job failed
        raise RunError(code, reason_of(error)) from error
    except Exception as error:
        traceback.print_exc()
        raise RunError(1, reason_of(error)) from error


def main() -> int:
    """Run the command line in `sys.argv` and return the exit code."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises errors instead of printing them
    try:
        signals.imported()
        with signals.never_lost():
            prepare()
            carry_out(prepared(sys.argv[1:]), task)
    except USER_ERRORS as error:
        return _print_error(str(as_input_error(error)))
    except RunError as error:
        return error.code
    except (FolderError, NotDeliveredError) as error:  # of a sweep
        return _print_error(str(error), 1)
    except OSError as error:  # from Hydra, which makes the folders; an error in a run or a sweep is another one
        return _print_error(f"The output folder cannot be written: {error}.")
    except Interrupted as stop:
        return _print_error(stop.sentence, stop.code)
    except KeyboardInterrupt:
        return _print_error("interrupted.", 130)
    return 0


def _job(cfg: DictConfig, sweep: InSweep | None) -> Job:
    hydra_cfg = HydraConfig.get()
    folder = Path(hydra_cfg.runtime.output_dir)
    return Job(
        folder=folder,
        overrides=tuple(map(unquoted, as_typed(hydra_cfg.overrides.task))),
        sweep=sweep,
        config_yaml=OmegaConf.to_yaml(cfg),
        interruption=signals,
        goes_on=(folder / JOURNAL).exists() if sweep else cfg.resume is not None,
    )


def _print_error(sentence: str, code: int = 2) -> int:
    Stream(stderr=True).text(f"polyexp: {bounded(sentence)}")
    return code
