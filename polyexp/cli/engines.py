"""Libraries that start workers, each with its few settings and one method: joblib, submitit and Ray."""

import math
import os
import re
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from polyexp.base import InputError, require, whole

__all__ = ["ENGINES", "Engine", "Joblib", "Ray", "SubmititLocal", "SubmititSlurm"]

POLL_SECONDS = 0.2
MAX_WORKERS = 10_000
MAX_MINUTES = 525_600  # a year
NAME = re.compile(
    r"[\w.,:=@+-]+"
)  # of a partition, an account, ...: without blanks, after which sbatch reads a further option
ADDRESS = re.compile(r"auto|(ray://)?[\w.-]+:\d{1,5}")
Work = Callable[[Any], Any]


def _key(name: str) -> str:
    return f"hydra.launcher.{name}"


@dataclass
class Engine(ABC):
    """A library that starts workers. Its fields are the settings of its launcher, `hydra.launcher`."""

    launcher: ClassVar[str]  # the choice of hydra/launcher
    package: ClassVar[str]  # which is that of the extra, too

    def require_there(self) -> None:
        """Require that the library is installed.

        Raises:
            InputError: It is not.
        """
        if find_spec(self.package) is None:
            raise InputError(
                f"`hydra/launcher={self.launcher}` needs {self.package}, which is not installed: "
                f"type `pip install 'polyexp[{self.package}]'`."
            )

    @property
    @abstractmethod
    def workers(self) -> int:
        """The number of slices that are computed at once."""

    @abstractmethod
    def map(self, work: Work, parts: Sequence[Any], folder: Path) -> Iterator[tuple[int, Any]]:
        """Have workers compute parts, and give the place of each that has ended with what it has returned; None if it died.

        Args:
            work: The function of a module that a worker calls with a part.
            parts: The parts, which can be pickled.
            folder: The folder of the sweep.
        """


@dataclass
class Joblib(Engine):
    """Processes of this machine, by joblib.

    Args:
        n_jobs: The number of processes; -1 means one for each processor.

    Raises:
        InputError: It is no such number.
    """

    launcher: ClassVar[str] = "polyexp_joblib"
    package: ClassVar[str] = "joblib"

    n_jobs: int = -1

    def __post_init__(self) -> None:
        is_whole = isinstance(self.n_jobs, int) and not isinstance(self.n_jobs, bool)
        ok = is_whole and (self.n_jobs == -1 or 1 <= self.n_jobs <= MAX_WORKERS)
        require(ok, _key("n_jobs"), f"a whole number from 1 to {MAX_WORKERS}, or -1 for all processors", self.n_jobs)

    @property
    def workers(self) -> int:
        """The number of processes."""
        import joblib

        return self.n_jobs if self.n_jobs > 0 else int(joblib.cpu_count())

    def map(self, work: Work, parts: Sequence[Any], folder: Path) -> Iterator[tuple[int, Any]]:
        """Have processes compute parts.

        A process that dies takes the others with it. What waited is then computed by new ones, and after that each part that
        was being computed once more, alone: so a part that kills its process harms no other.
        """
        left, alone = dict(enumerate(parts)), list[int]()
        while waiting := [place for place in left if place not in alone]:
            begun: list[int] = []
            try:
                for place, returned in self._computed(work, left, waiting, begun, self.workers):
                    del left[place]
                    yield place, returned
            except BrokenProcessPool:
                alone += [place for place in begun if place in left]
        for place in alone:
            try:
                yield from self._computed(work, left, [place], [], 1)
            except BrokenProcessPool:
                yield place, None

    def _computed(
        self, work: Work, parts: dict[int, Any], waiting: Sequence[int], begun: list[int], at_once: int
    ) -> Iterator[tuple[int, Any]]:
        """The parts at these places with what workers have returned; `begun` gets each place when a worker receives it."""
        from joblib import Parallel, delayed

        def calls() -> Iterator[Any]:
            for place in waiting:
                begun.append(place)
                yield delayed(_with_place)(work, place, parts[place])

        # With one process, joblib would compute in this one.
        options = {"backend": "loky", "return_as": "generator_unordered", "batch_size": 1, "pre_dispatch": at_once}
        yield from Parallel(n_jobs=max(2, at_once), **options)(calls())


def _with_place(work: Work, place: int, part: Any) -> tuple[int, Any]:
    return place, work(part)


@dataclass
class SubmititLocal(Engine):
    """Processes of this machine, by submitit, as a rehearsal for Slurm.

    Args:
        jobs: The number of jobs of the batch system that run at once.
        timeout_min: The time in minutes after which a job is ended.
        cpus_per_task: The number of processors of each.
        gpus_per_node: The number of GPUs of each.
        mem_gb: The memory of each in GB.
        name: Its name.

    Raises:
        InputError: One of these is out of range.
    """

    launcher: ClassVar[str] = "polyexp_submitit_local"
    package: ClassVar[str] = "submitit"
    cluster: ClassVar[str] = "local"
    of_slurm: ClassVar[tuple[str, ...]] = ()

    jobs: int = 4
    timeout_min: int = 60
    cpus_per_task: int = 1
    gpus_per_node: int = 0
    mem_gb: float = 4
    name: str = "polyexp"

    def __post_init__(self) -> None:
        whole(_key("jobs"), self.jobs, 1, MAX_WORKERS)
        whole(_key("timeout_min"), self.timeout_min, 1, MAX_MINUTES)
        whole(_key("cpus_per_task"), self.cpus_per_task, 1, MAX_WORKERS)
        whole(_key("gpus_per_node"), self.gpus_per_node, 0, MAX_WORKERS)
        memory = self.mem_gb
        ok = isinstance(memory, (int, float)) and not isinstance(memory, bool) and math.isfinite(memory) and memory > 0
        require(ok, _key("mem_gb"), "a positive number", memory)
        for name in ("name", *self.of_slurm):
            value = getattr(self, name)
            ok = (value is None and name != "name") or (isinstance(value, str) and NAME.fullmatch(value) is not None)
            require(ok, _key(name), "a name without blanks, slashes and quotes", value)

    @property
    def workers(self) -> int:
        """The number of jobs at once."""
        return self.jobs

    def map(self, work: Work, parts: Sequence[Any], folder: Path) -> Iterator[tuple[int, Any]]:
        """Have jobs of the batch system compute parts; their logs are in `.submitit` of the folder of the sweep."""
        executor = self._executor(folder / ".submitit")
        waiting, running = list(enumerate(parts)), dict[int, Any]()
        try:
            while waiting or running:
                while waiting and len(running) < self.jobs:
                    place, part = waiting.pop(0)
                    running[place] = executor.submit(work, part)
                ended = [place for place, job in running.items() if job.done()]
                for place in ended:
                    yield place, _returned_by(running.pop(place))
                if not ended:
                    time.sleep(POLL_SECONDS)
        finally:
            for job in running.values():
                job.cancel(check=False)

    def _executor(self, folder: Path) -> Any:
        import submitit

        executor = submitit.AutoExecutor(folder=folder, cluster=self.cluster)
        common = ("timeout_min", "cpus_per_task", "gpus_per_node", "mem_gb", "name")
        settings = {name: getattr(self, name) for name in common}
        settings |= {f"slurm_{name}": value for name in self.of_slurm if (value := getattr(self, name)) is not None}
        executor.update_parameters(nodes=1, tasks_per_node=1, **settings)
        return executor


def _returned_by(job: Any) -> Any:
    """What a job of submitit has returned; None where it has ended without that."""
    try:
        return job.result()
    except Exception:  # its log says more
        return None


@dataclass
class SubmititSlurm(SubmititLocal):
    """Jobs of Slurm, by submitit.

    Args:
        partition: The partition; None is that of the cluster.
        account: The account; None is that of the user.
        qos: The quality of service; None is that of the cluster.
        constraint: The features that nodes must have; None for none.

    Raises:
        InputError: One of these is no name.
    """

    launcher: ClassVar[str] = "polyexp_submitit_slurm"
    cluster: ClassVar[str] = "slurm"
    of_slurm: ClassVar[tuple[str, ...]] = ("partition", "account", "qos", "constraint")

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None

    def require_there(self) -> None:
        """Require that submitit is installed, and that Slurm is here.

        Raises:
            InputError: One of them is not.
        """
        super().require_there()
        for program in ("sbatch", "srun"):
            if shutil.which(program) is None:
                raise InputError(
                    f"`hydra/launcher={self.launcher}` needs Slurm, whose program {program} is not here: type the command "
                    "on a login node of the cluster, or `hydra/launcher=polyexp_submitit_local`."
                )


@dataclass
class Ray(Engine):
    """Tasks of a Ray cluster, which is started on this machine where there is none.

    Args:
        address: The address of the cluster, such as `auto` or `head:6379`; None starts one here, for this sweep.
        num_workers: The number of tasks at once.
        cpus_per_worker: The number of processors of each.
        gpus_per_worker: The number of GPUs of each.

    Raises:
        InputError: One of these is out of range.
    """

    launcher: ClassVar[str] = "polyexp_ray"
    package: ClassVar[str] = "ray"

    address: str | None = None
    num_workers: int = 2
    cpus_per_worker: int = 1
    gpus_per_worker: int = 0

    def __post_init__(self) -> None:
        ok = self.address is None or (isinstance(self.address, str) and ADDRESS.fullmatch(self.address) is not None)
        require(ok, _key("address"), "null, auto or the address of a cluster (host:6379)", self.address)
        whole(_key("num_workers"), self.num_workers, 1, MAX_WORKERS)
        whole(_key("cpus_per_worker"), self.cpus_per_worker, 1, MAX_WORKERS)
        whole(_key("gpus_per_worker"), self.gpus_per_worker, 0, MAX_WORKERS)

    @property
    def workers(self) -> int:
        """The number of tasks at once."""
        return self.num_workers

    def map(self, work: Work, parts: Sequence[Any], folder: Path) -> Iterator[tuple[int, Any]]:
        """Have tasks compute parts, none of them twice."""
        ray = self._connected()
        resources = {"num_cpus": self.cpus_per_worker, "num_gpus": self.gpus_per_worker}
        task = ray.remote(max_retries=0, **resources)(work)
        waiting, running = list(enumerate(parts)), dict[Any, int]()
        try:
            while waiting or running:
                while waiting and len(running) < self.num_workers:
                    place, part = waiting.pop(0)
                    running[task.remote(part)] = place
                ended, _ = ray.wait(list(running), num_returns=1)
                for one in ended:
                    yield running.pop(one), _returned_to(ray, one)
        finally:
            ray.shutdown()

    def _connected(self) -> Any:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray

        own = {"num_cpus": self.num_workers * self.cpus_per_worker, "include_dashboard": False}
        settings = own if self.address is None else {}
        ray.init(address=self.address or "local", log_to_driver=False, logging_level="ERROR", **settings)
        return ray


def _returned_to(ray: Any, task: Any) -> Any:
    """What a task of Ray has returned; None where its worker has died."""
    try:
        return ray.get(task)
    except ray.exceptions.RayError:
        return None


# By the names of the classes of their launchers in the module of plugins.
ENGINES: dict[str, type[Engine]] = {
    "JoblibLauncher": Joblib,
    "SubmititLocalLauncher": SubmititLocal,
    "SubmititSlurmLauncher": SubmititSlurm,
    "RayLauncher": Ray,
}
