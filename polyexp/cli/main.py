"""The entrypoint: `python -m polyexp`, or `polyexp` where the package is installed.

The exit code is 0 where the action succeeded, 1 where a run failed or a crosscheck found a disagreement, 2 where the input
of the user is wrong, 130 after an interruption (Ctrl-C) and 143 after a termination (SIGTERM).
"""

import os
import re
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn, cast

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from polyexp.base import DisagreementError, InputError, bounded
from polyexp.cli.composition import checked, prepare
from polyexp.cli.configs import conf_dir
from polyexp.cli.overrides import USER_ERRORS, explain
from polyexp.experiment import Job, unknown_key_error
from polyexp.tracking.store import without_password

__all__ = ["main", "task"]


class RunError(Exception):
    """The failure of a run through an error in the program or on the machine, which has been printed to stderr."""


def task(cfg: DictConfig) -> Any:
    """Carry out one job, and return what its action returns: a loss, which an optimizing sweeper minimises, or None.

    Args:
        cfg: The configuration that Hydra has composed.

    Raises:
        RunError: Where the job failed; a single run with wrong input ends the process instead.
    """
    job = _job(cfg)
    try:
        (experiment,) = checked(cfg)
        return experiment.action(experiment, job)
    except DisagreementError as error:
        code = _print_error(str(error), 1)
        if not job.sweep:
            sys.exit(code)  # for the same reason as below
        raise RunError from error
    except Exception as error:
        if isinstance(error, InputError) and not job.sweep:
            # An exception would pass through Hydra, which would print that a job failed.
            sys.exit(_print_error(str(error)))
        traceback.print_exc()
        raise RunError from error


def main() -> int:
    """Run the command line in `sys.argv` and return the exit code."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises errors instead of printing them
    signal.signal(signal.SIGTERM, _terminate)
    # Hydra accepts -m only in front of overrides.
    sys.argv[1:] = sorted(sys.argv[1:], key=lambda word: word not in ("-m", "--multirun"))
    try:
        prepare()
        _check_options(sys.argv[1:])
        hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")(task)()
    except USER_ERRORS as error:
        return _print_error(explain(error))
    except RunError:
        return 1
    except BrokenPipeError:  # the reader of the output has gone; the interpreter would print an error at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:  # from Hydra, which makes the folders; an error in a run is a RunError
        return _print_error(f"The output folder cannot be written: {error}.")
    except KeyboardInterrupt:
        return _print_error("interrupted.", 130)
    return 0


def _check_options(words: list[str]) -> None:
    """Check the options of the command line; for a wrong one Hydra would print its whole usage.

    Raises:
        InputError: For an option that Hydra does not have, or an override of `base`: the files of conf/base are a config
            group for Hydra, but only parts of the files of other groups.
    """

    def refuse(message: str) -> NoReturn:
        raise InputError(f"{message}. Settings are typed as key=value; --help lists the options.")

    parser = get_args_parser()
    parser.error = refuse  # type: ignore[method-assign]
    for override in parser.parse_args(words).overrides:
        if re.match(r"[+~]*base(?=[@/=]|$)", override):
            raise unknown_key_error("base")


def _job(cfg: DictConfig) -> Job:
    hydra_cfg = HydraConfig.get()
    in_sweep = hydra_cfg.mode == RunMode.MULTIRUN
    # As it was typed, with interpolations not resolved.
    typed = cast(list[str], OmegaConf.to_container(hydra_cfg.overrides.task))
    return Job(
        folder=Path(hydra_cfg.runtime.output_dir),
        overrides=tuple(map(without_password, typed)),
        sweep=Path(hydra_cfg.sweep.dir).name if in_sweep else None,
        config_yaml=without_password(OmegaConf.to_yaml(cfg)),
        varying=_varying() if in_sweep else frozenset(),
    )


def _varying() -> frozenset[str]:
    """The keys to which the command line gives several values."""
    typed = OverridesParser.create().parse_overrides(get_args_parser().parse_args(sys.argv[1:]).overrides)
    return frozenset(one.get_key_element().lstrip("+~") for one in typed if one.is_sweep_override())


def _print_error(sentence: str, code: int = 2) -> int:
    print(f"polyexp: {bounded(sentence)}", file=sys.stderr)
    return code


def _terminate(signum: int, frame: Any) -> NoReturn:
    sys.exit(128 + signum)
