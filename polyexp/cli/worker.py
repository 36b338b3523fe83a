"""What a worker does: it receives a slice of a sweep, runs its jobs as batches, and returns what became of them.

A worker is a process, here or on another machine, in which polyexp is installed, and which sees the folder of the sweep. It
receives and returns plain data: no password, no code, no exception of another library.
"""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from hydra import version
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.utils import setup_globals
from omegaconf import DictConfig, OmegaConf
from threadpoolctl import threadpool_limits

from polyexp.cli.composition import prepare, search_path
from polyexp.cli.config_loader import CheckedLoader, as_typed
from polyexp.cli.job_maker import Ended, JobMaker
from polyexp.experiment import InSweep, Uninterrupted
from polyexp.sweep import ReadyJob, run_jobs
from polyexp.tracking import Destination

__all__ = ["Slice", "work"]

STORE_VARIABLE = "MLFLOW_TRACKING_URI"


@dataclass(frozen=True)
class Slice:
    """A part of the jobs of a sweep, with all that a worker must be told.

    Args:
        jobs: The overrides of the jobs by their numbers.
        sweep: The sweep to which they belong.
        sweep_folder: Its folder.
        folder: The current folder of the command.
        program: The name of the program, which is recorded.
        store: The address of the store without credentials, where the environment names it; None where settings do.
        overrides: The overrides of Hydra's own settings.
        config_name: The name of the first config file.
        path: The providers and the folders of config files; a folder is None where polyexp or a plugin brings it.
        cache: What resolvers have given, such as the time at which the sweep began.
    """

    jobs: Mapping[int, Sequence[str]]
    sweep: InSweep
    sweep_folder: str
    folder: str
    program: str
    store: str | None
    overrides: Sequence[str]
    config_name: str | None
    path: Sequence[tuple[str, str | None]]
    cache: Mapping[str, Any]

    @classmethod
    def of(cls, jobs: Mapping[int, Sequence[str]], sweep: InSweep, master: DictConfig, path: ConfigSearchPath) -> Self:
        """A slice of the sweep of this command.

        Args:
            jobs: The overrides of the jobs by their numbers.
            sweep: The sweep.
            master: The configuration of the sweep.
            path: The folders of config files.
        """
        brought = {(one.provider, one.path) for one in search_path().get_path()}
        pairs = [(one.provider, one.path) for one in path.get_path()]
        return cls(
            jobs={number: list(map(str, words)) for number, words in jobs.items()},
            sweep=sweep,
            sweep_folder=os.path.abspath(str(master.hydra.sweep.dir)),
            folder=os.getcwd(),
            program=sys.argv[0],
            store=Destination.of(None).shown if os.environ.get(STORE_VARIABLE) else None,
            overrides=as_typed(master.hydra.overrides.hydra),
            config_name=master.hydra.job.config_name,
            path=[(provider, None if (provider, at) in brought else at) for provider, at in pairs],
            cache={name: dict(values) for name, values in OmegaConf.get_cache(master).items()},
        )

    @property
    def maker(self) -> JobMaker:
        """What makes the jobs in this process."""
        brought = search_path()
        own = {one.provider: one.path for one in brought.get_path()}
        path = search_path()
        path.get_path().clear()
        for provider, at in self.path:
            path.append(provider, own[provider] if at is None else at)
        hydra = {"overrides": {"hydra": list(self.overrides)}, "job": {"config_name": self.config_name}}
        master = OmegaConf.create({"hydra": hydra})
        OmegaConf.set_cache(master, {name: dict(values) for name, values in self.cache.items()})
        return JobMaker(CheckedLoader(path, brought), master, self.sweep)


def work(part: Slice) -> list[Ended]:
    """Run the jobs of a slice, and return what became of each of them.

    A job that has begun already is not run again, unless it has a checkpoint: a batch system may start a worker twice.

    Args:
        part: The slice.
    """
    ended: dict[int, Ended] = {}
    try:
        _prepare(part)
        with threadpool_limits(1):
            for one in _ended(part):
                ended[one.row.number] = one
    except Exception as error:
        left = {number: words for number, words in part.jobs.items() if number not in ended}
        ended |= {number: Ended.of(number, words, error) for number, words in left.items()}
    return list(ended.values())


def _prepare(part: Slice) -> None:
    """Make this process one like that of the command."""
    os.chdir(part.folder)
    if part.store:  # without the login, which this process may have or not; where it has none, the command delivers
        os.environ.setdefault(STORE_VARIABLE, part.store)
    os.environ["HYDRA_FULL_ERROR"] = "1"
    sys.argv = [part.program]
    version.setbase("1.3")
    prepare()
    setup_globals()


def _ended(part: Slice) -> Iterable[Ended]:
    maker, ready = part.maker, list[ReadyJob]()
    for number, words in part.jobs.items():
        ended = None
        try:
            ended = maker.left(number, words)
            if ended is None or ended.row.has_result:  # then its batch needs it
                experiment = maker.experiment(number, words).check()
                ready.append(maker.ready(number, words, experiment, done=ended is not None))
        except Exception as error:
            ended = ended or Ended.of(number, words, error)
        if ended:
            yield ended
    for number, done in run_jobs(ready, Path(part.sweep_folder), Uninterrupted()):
        yield Ended.of(number, part.jobs[number], done)
