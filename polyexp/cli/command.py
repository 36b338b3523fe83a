"""The command line, which Hydra carries out once everything has been checked: before a folder is made or a job runs."""

import os
import shutil
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from hydra import version
from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.hydra import Hydra
from hydra._internal.utils import get_args_parser
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import configure_log, run_job
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from polyexp.base import InputError, shown
from polyexp.cli.axes import asked_of_sweep
from polyexp.cli.composition import checked, search_path
from polyexp.cli.config_loader import CheckedLoader, in_one_sentence, parse
from polyexp.cli.jobs import RunError
from polyexp.cli.standard_streams import unwritten
from polyexp.cli.sweep import Sweep
from polyexp.experiment import Experiment, InSweep
from polyexp.tracking import DESCRIPTIONS, RECORDER_LOG, RUN_LOG, require_no_run

__all__ = ["Task", "carry_out"]

HYDRA_VERSION = "1.3"  # whose defaults apply
MAX_NAME = 200  # characters of the name of a config file; file systems allow 255 bytes


class Task(Protocol):
    """What carries out one job."""

    def __call__(self, cfg: DictConfig, experiment: Experiment | None = None, sweep: InSweep | None = None) -> Any:
        """Carry out a job, and return what an optimizing sweeper minimises."""


def carry_out(words: Sequence[str], task: Task) -> None:
    """Carry out a command line: run a job or a sweep, or print what it asks for.

    Args:
        words: The words of the command line.
        task: What carries out one job.

    Raises:
        InputError: Where the command line is wrong; then nothing has been written.
    """
    version.setbase(HYDRA_VERSION)
    args = get_args_parser().parse_args(words)
    _require_one_command(args)
    hydra = Hydra(task_name="polyexp", config_loader=_loader(args))
    GlobalHydra.instance().initialize(hydra)
    try:
        _carry_out(hydra, args, task)
    finally:
        GlobalHydra.instance().clear()


def _require_one_command(args: Namespace) -> None:
    if sum([args.run, args.multirun, args.shell_completion, args.cfg is not None, args.info is not None]) > 1:
        raise InputError("Only one of --run, --multirun, --cfg, --info and --shell-completion can be typed.")
    if args.experimental_rerun is not None:
        raise InputError("--experimental-rerun is not accepted: a pickle file can run code.")
    if args.resolve and not args.cfg and not args.help:
        raise InputError("--resolve belongs to --cfg or --help.")
    if args.package is not None and not args.cfg:
        raise InputError("--package belongs to --cfg.")
    name = args.config_name or ""
    if "/" in name or len(name) > MAX_NAME:
        raise InputError(f"--config-name must be the name of a file in the folder of config files, got {shown(name)}.")


def _loader(args: Namespace) -> CheckedLoader:
    path = search_path(None if args.config_path is None else str(_folder("--config-path", args.config_path)))
    if args.config_dir is not None:
        folder = _folder("--config-dir", args.config_dir)
        path.prepend("command-line", f"file://{folder}", anchor=SearchPathQuery(provider="schema"))
    return CheckedLoader(path, search_path())


def _folder(option: str, typed: str) -> Path:
    if not typed or "://" in typed or not os.path.isdir(typed):  # Hydra would import the package of pkg://package
        raise InputError(f"{option} must name a folder that exists, got {shown(typed)}.")
    return Path(typed).resolve()


def _carry_out(hydra: Hydra, args: Namespace, task: Task) -> None:
    name = "config" if args.config_name is None else args.config_name
    if args.help or args.hydra_help or args.cfg or args.info or args.shell_completion:
        with in_one_sentence("This cannot be printed"):
            _print(hydra, name, args)
        if unwritten():
            sys.exit(1)
    else:
        _start(hydra, name, args, task)


def _print(hydra: Hydra, name: str, args: Namespace) -> None:
    """Print what the command line asks for instead of a run."""
    if args.help:
        hydra.app_help(name, get_args_parser(), args)
    elif args.hydra_help:
        hydra.hydra_help(name, get_args_parser(), args)
    elif args.cfg:
        if args.package is not None:
            _require_package(hydra, name, args)
        hydra.show_cfg(name, args.overrides, args.cfg, args.package, args.resolve)
    elif args.info:
        hydra.show_info(args.info, name, args.overrides)
    else:
        hydra.shell_completion(name, args.overrides)


def _require_package(hydra: Hydra, name: str, args: Namespace) -> None:
    """Require that what `--cfg --package` asks for is a part of the configuration; Hydra would exit with code 1."""
    cfg = hydra.compose_config(name, args.overrides, RunMode.RUN)
    there = [str(key) for key in cfg if args.cfg == "all" or (key == "hydra") == (args.cfg == "hydra")]
    if args.package != "_global_" and OmegaConf.select(OmegaConf.masked_copy(cfg, there), args.package) is None:
        raise InputError(
            f"--package must name a part of the configuration that has a value, got {shown(args.package)}."
        )


def _start(hydra: Hydra, name: str, args: Namespace, task: Task) -> None:
    """Start what the command line or a config file asks for: a single run or a sweep."""
    cfg = _composed(hydra, name, args)
    sweeps = cfg.hydra.mode == RunMode.MULTIRUN
    callbacks = Callbacks(cfg)
    context = HydraContext(config_loader=hydra.config_loader, callbacks=callbacks)
    resumes = bool(OmegaConf.select(cfg, "sweep.resume") or OmegaConf.select(cfg, "resume"))
    _require_folder(cfg, "hydra.sweep.dir" if sweeps else "hydra.run.dir", resumes=resumes)
    if sweeps:
        configure_log(cfg.hydra.hydra_logging, cfg.hydra.verbose)
        callbacks.on_multirun_start(config=cfg, config_name=name)
        with _discarded_if_refused(Path(cfg.hydra.sweep.dir).absolute()):
            Sweep(cfg, context, task).run()
        callbacks.on_multirun_end(config=cfg, config_name=name)
    else:
        for key in asked_of_sweep(cfg):
            raise InputError(f"`{key}` belongs to a sweep: put -m in front, or leave it out.")
        _run(cfg, context, task)


def _composed(hydra: Hydra, name: str, args: Namespace) -> DictConfig:
    """The configuration of the command line, whose mode is set."""
    mode = RunMode.MULTIRUN if args.multirun else None
    parsed = parse(args.overrides)
    cfg = hydra.compose_config(name, args.overrides, RunMode.MULTIRUN, validate_sweep_overrides=False)
    mode = mode or cfg.hydra.mode or RunMode.RUN
    ConfigLoaderImpl.validate_sweep_overrides_legal(parsed, mode, from_shell=True)
    if cfg.hydra.mode != mode:
        cfg.hydra.mode = mode
        cfg.hydra.overrides.hydra.append(f"hydra.mode={mode.name}")
    return cfg


def _require_folder(cfg: DictConfig, key: str, *, resumes: bool) -> None:
    """Require that the setting `key` names a folder without another run that is neither the current one nor above it."""
    typed = str(OmegaConf.select(cfg, key))
    here = Path.cwd()
    if Path(os.path.realpath(typed)) in (here, *here.parents):  # Path.resolve fails where a link points to itself
        raise InputError(
            f"`{key}` must be a folder that is neither the current one nor above it, got {typed!r}: type `{key}=outputs/...`."
        )
    if not resumes:
        require_no_run(key, Path(typed))


def _run(cfg: DictConfig, context: HydraContext, task: Task) -> None:
    """Check a single run, make its folder and carry it out."""
    with read_write(cfg.hydra.runtime), open_dict(cfg.hydra.runtime):
        # As Hydra does once it has made the folder.
        cfg.hydra.runtime.output_dir = str(Path(str(OmegaConf.select(cfg, "hydra.run.dir"))).absolute())
    experiment = checked(cfg)
    configure_log(cfg.hydra.hydra_logging, cfg.hydra.verbose)
    context.callbacks.on_run_start(config=cfg, config_name=cfg.hydra.job.config_name)
    with _discarded_if_refused(Path(cfg.hydra.runtime.output_dir)):
        ended = run_job(partial(task, experiment=experiment), cfg, "hydra.run.dir", None, context)
    context.callbacks.on_run_end(config=cfg, config_name=cfg.hydra.job.config_name, job_return=ended)
    _ = ended.return_value  # which raises the error of a job that has failed


@contextmanager
def _discarded_if_refused(folder: Path) -> Iterator[None]:
    """Remove the folder of a run or sweep that ends before it begins, and the folders that were made for it.

    That is where a signal ends it, an action refuses what only it can check, or a sweeper that is not Hydra's chooses a job
    that is refused. A folder that existed, or in which anything but Hydra's descriptions of runs and logs that are empty has
    been written, is left.
    """
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        yield
    except (InputError, KeyboardInterrupt, RunError, SystemExit) as stop:
        refused = isinstance(stop, (InputError, KeyboardInterrupt)) or stop.code == 2
        if refused and made and folder.exists() and _holds_descriptions_alone(folder):
            shutil.rmtree(folder)
            with suppress(OSError):  # of the first one that is not empty
                for above in made[1:]:
                    above.rmdir()
        raise


def _holds_descriptions_alone(folder: Path) -> bool:
    """Whether a folder holds nothing but what Hydra writes of a run or a sweep and of its jobs, and logs that are empty."""
    files = (one for one in folder.rglob("*") if not one.is_dir())
    return all(
        one.name == "multirun.yaml"
        or one.parent.name == DESCRIPTIONS
        or (one.name in (RUN_LOG, RECORDER_LOG) and not one.stat().st_size)  # a signal came before the journal
        for one in files
    )
