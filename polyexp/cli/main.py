"""The one entrypoint: `python -m polyexp`, or `polyexp` when installed.

Exit codes: 0 done, 1 a run failed or a crosscheck found something wrong, 2 the user's input is wrong, 130 interrupted (Ctrl-C),
143 terminated.
"""

import os
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

from polyexp.base import DisagreementError, InputError
from polyexp.cli.composition import checked, prepare
from polyexp.cli.configs import conf_dir
from polyexp.cli.overrides import USER_ERRORS, explain
from polyexp.experiment import Job
from polyexp.tracking.store import without_password

__all__ = ["main", "task"]


class RunError(Exception):
    """A run stopped by an error of ours or of the machine; what happened is on stderr already."""


def task(cfg: DictConfig) -> Any:
    """One job, as Hydra calls it. Returns the final loss, which is what an optimizing sweeper minimises."""
    job = _job(cfg)
    try:
        (experiment,) = checked(cfg)
        return experiment.action(experiment, job)
    except DisagreementError as error:
        code = _complain(str(error), 1)
        if not job.sweep:
            sys.exit(code)  # as below
        raise RunError from error
    except Exception as error:
        if isinstance(error, InputError) and not job.sweep:
            sys.exit(_complain(str(error)))  # past Hydra, which would say that a job failed
        traceback.print_exc()
        raise RunError from error


def main() -> int:
    """Run the command line in `sys.argv` and return the exit code."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come here as exceptions, instead of being printed by Hydra
    signal.signal(signal.SIGTERM, _terminate)
    sys.argv[1:] = sorted(sys.argv[1:], key=lambda word: word not in ("-m", "--multirun"))  # Hydra wants it in front
    try:
        prepare()
        _check_options(sys.argv[1:])
        hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")(task)()
    except USER_ERRORS as error:
        return _complain(explain(error))
    except RunError:
        return 1
    except BrokenPipeError:  # whoever read our output has gone; keep the interpreter from saying so at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:  # raised by Hydra, which makes the folders: a run's own errors are RunError
        return _complain(f"The output folder cannot be written: {error}.")
    except KeyboardInterrupt:
        return _complain("interrupted.", 130)
    return 0


def _check_options(words: list[str]) -> None:
    """InputError for an option that Hydra does not have; Hydra itself would print its whole usage."""

    def refuse(message: str) -> NoReturn:
        raise InputError(f"{message}. Settings are typed as key=value, options are listed by --help.")

    parser = get_args_parser()
    parser.error = refuse  # type: ignore[method-assign]
    parser.parse_args(words)


def _job(cfg: DictConfig) -> Job:
    hydra_cfg = HydraConfig.get()
    in_sweep = hydra_cfg.mode == RunMode.MULTIRUN
    typed = cast(list[str], OmegaConf.to_container(hydra_cfg.overrides.task))  # interpolations as typed
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


def _complain(sentence: str, code: int = 2) -> int:
    print(f"polyexp: {sentence}", file=sys.stderr)
    return code


def _terminate(signum: int, frame: Any) -> NoReturn:
    sys.exit(128 + signum)
