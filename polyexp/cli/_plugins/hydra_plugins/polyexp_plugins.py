"""The plugins of Hydra that polyexp has: a sweeper that checks all jobs first, and the search path for config files."""

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
from polyexp.report.progress_bar import JobCounter

# A configuration of Python's logging in which nothing is printed.
SILENT_LOGGING = {"version": 1, "disable_existing_loggers": False, "root": {"handlers": []}}


class CheckedSweeper(BasicSweeper):
    """Hydra's basic sweeper, extended so that all jobs are checked before the first one starts, and counted as they end.

    The experiments of all jobs are built for this.
    """

    # Set once the jobs are checked; called with the name of the sweep.
    _finish_sweep: Callable[[str], None] | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Prepare the sweep as Hydra does, with a task function that counts the jobs."""
        self.jobs = JobCounter()
        counted = self.jobs.counted(task_function)
        super().setup(hydra_context=hydra_context, task_function=counted, config=config)

    def sweep(self, arguments: list[str]) -> Any:
        """Run all jobs, and then print where their runs are recorded, also where a job has failed."""
        try:
            return super().sweep(arguments)
        finally:
            if self._finish_sweep and self.config is not None:
                self._finish_sweep(Path(self.config.hydra.sweep.dir).name)

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Check the jobs of all batches, when Hydra calls this with the first batch.

        Raises:
            InputError: Where there are no jobs, or one of them is certain to fail.
        """
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
        experiments = composition.checked((loader.load_sweep_config(self.config, job) for job in jobs), len(jobs))
        if all(one.quiet for one in experiments):
            with read_write(self.config), open_dict(self.config):
                self.config.hydra.hydra_logging = SILENT_LOGGING  # Hydra would print a line for each job
        self._finish_sweep = partial(composition.finish_sweep, experiments[0], varying(experiments))


class OutsideConfigs(SearchPathPlugin):
    """A search path with the folder `conf` of each package in the entry-point group `polyexp.plugins`."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append these folders, so that a choice of polyexp is found before one of the same name in a plugin."""
        for name, folder in outside_configs().items():
            search_path.append(provider=name, path=f"file://{folder}")
