"""A sweep, whatever sweeper of Hydra runs it: its jobs are checked before they start, counted, and listed at the end."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import ChoiceSweep, Override
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from polyexp.base import InputError
from polyexp.cli.composition import checked, finish_sweep
from polyexp.cli.config_loader import parse
from polyexp.cli.texts import quoted
from polyexp.experiment import Experiment, varying
from polyexp.report.progress_bar import JobCounter

__all__ = ["Sweep"]

# A configuration of Python's logging in which nothing is printed.
SILENT_LOGGING = {"version": 1, "disable_existing_loggers": False, "root": {"handlers": []}}


class Sweep:
    """A sweep, which has not begun.

    Args:
        cfg: The configuration of the sweep.
        context: The config loader and the callbacks.
        task: What carries out one job; it takes the keys that have several values as `varying`.
    """

    def __init__(self, cfg: DictConfig, context: HydraContext, task: Any) -> None:
        self._cfg, self._context = cfg, context
        self._typed: list[str] = list(OmegaConf.to_container(cfg.hydra.overrides.task))  # type: ignore[arg-type]
        _quote_params(cfg)
        self._counter = JobCounter()
        self._experiments: list[Experiment] = []
        self._overrides = self._parsed()
        keys = frozenset(one.get_key_element() for one in self._overrides if _has_several(one))
        self._task: TaskFunction = self._counter.counted(partial(task, varying=keys))

    def run(self) -> None:
        """Check and run all jobs, and then print where their runs are recorded, also where a job has failed.

        The jobs of Hydra's own sweeper are all checked before the first one starts; those of another sweeper, which
        chooses them as it goes, when it hands over a batch of them.

        Raises:
            InputError: Where there are no jobs, or one of them is certain to fail.
        """
        sweeper: Any = Plugins.instance().instantiate_sweeper(
            hydra_context=self._context, task_function=self._task, config=self._cfg
        )
        if hasattr(sweeper, "split_arguments"):  # Hydra's BasicSweeper, whose module Hydra has loaded twice
            (jobs,) = sweeper.split_arguments(self._overrides, max_batch_size=None)
            self._check(jobs)
            sweeper.validate_batch_is_legal = _nothing
        else:
            sweeper.validate_batch_is_legal = self._check
        try:
            sweeper.sweep(arguments=self._typed)
        finally:
            if self._experiments:
                name = Path(self._cfg.hydra.sweep.dir).name
                finish_sweep(self._experiments[0], varying(self._experiments), name)

    def _parsed(self) -> list[Override]:
        """The overrides of the sweep, from the config files (`hydra.sweeper.params`) and the command line."""
        params = OmegaConf.select(self._cfg, "hydra.sweeper.params") or {}
        words = [*(f"{key}={value}" for key, value in params.items()), *self._typed]
        return parse(words, self._context.config_loader)

    def _check(self, jobs: Sequence[Sequence[str]]) -> None:
        if not jobs:
            raise InputError("The sweep has no jobs: a range is empty, or a glob matches nothing.")
        self._counter.total += len(jobs)
        loader = self._context.config_loader
        self._experiments += checked(*(loader.load_sweep_config(self._cfg, list(job)) for job in jobs))
        if all(one.quiet for one in self._experiments):
            with read_write(self._cfg), open_dict(self._cfg):
                self._cfg.hydra.hydra_logging = SILENT_LOGGING  # Hydra would print a line for each job


def _quote_params(cfg: DictConfig) -> None:
    """Put the texts among the values of `hydra.sweeper.params` into quotes, as those of the command line are already."""
    params = OmegaConf.select(cfg, "hydra.sweeper.params") or {}
    with read_write(cfg), open_dict(cfg):
        for key, value in params.items():
            params[key] = quoted(str(key), str(value), sweeps=True)


def _has_several(override: Override) -> bool:
    """Whether an override lists several values; one that only some choices have is a sweep over one value."""
    value = override.value()
    return override.is_sweep_override() and not (isinstance(value, ChoiceSweep) and len(value.list) == 1)


def _nothing(batch: Sequence[Sequence[str]]) -> None:
    """Check nothing again."""
