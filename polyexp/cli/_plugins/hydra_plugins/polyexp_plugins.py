"""What Hydra finds of polyexp by itself: a sweeper that checks every job first, and the configs of outside packages."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict, read_write

from polyexp.base import InputError
from polyexp.cli import composition
from polyexp.cli.configs import outside_configs
from polyexp.experiment import varying
from polyexp.report.progress_bar import Jobs

SILENT = {"version": 1, "disable_existing_loggers": False, "root": {"handlers": []}}


class CheckedSweeper(BasicSweeper):
    """Hydra's basic sweeper, which builds and checks the components of all jobs before the first one starts, and counts them
    as they end.
    """

    _gather: Callable[[str], None] | None = None  # to be called after the last job, if jobs were started

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """As Hydra does it, with jobs that are counted."""
        self.jobs = Jobs()
        counted = self.jobs.counted(task_function)
        super().setup(hydra_context=hydra_context, task_function=counted, config=config)

    def sweep(self, arguments: list[str]) -> Any:
        """All jobs, and then where their runs are; also where one of them has failed."""
        try:
            return super().sweep(arguments)
        finally:
            if self._gather and self.config is not None:
                self._gather(Path(self.config.hydra.sweep.dir).name)

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """At the first batch, check the jobs of all batches."""
        assert self.hydra_context is not None
        assert self.overrides is not None
        assert self.config is not None
        if batch is not self.overrides[0]:
            return
        if not any(self.overrides):
            raise InputError("The sweep has no jobs: a range is empty, or a glob matches nothing.")
        loader = self.hydra_context.config_loader
        jobs = [list(job) for one in self.overrides for job in one]
        self.jobs.total = len(jobs)
        experiments = composition.checked(*(loader.load_sweep_config(self.config, job) for job in jobs))
        if all(one.quiet for one in experiments):
            with read_write(self.config), open_dict(self.config):
                self.config.hydra.hydra_logging = SILENT  # which would announce every job
        self._gather = partial(composition.gather, experiments[0], varying(experiments))


class OutsideConfigs(SearchPathPlugin):
    """The `conf` folder of every package that registers itself under the entry-point group `polyexp.plugins`."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append them, so that polyexp's own options come first."""
        for name, folder in outside_configs().items():
            search_path.append(provider=name, path=f"file://{folder}")
