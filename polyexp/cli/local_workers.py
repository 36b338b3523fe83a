"""Libraries that start workers, each with its few settings and one method: joblib, submitit and Ray."""

import os
import re
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from polyexp.base import InputError, require, whole
from polyexp.cli.submitit_workers import SubmititLocal, SubmititSlurm
from polyexp.cli.workers import MAX_WORKERS, Work, Workers, key_of

__all__ = ["WORKERS", "Joblib", "Ray"]

ADDRESS = re.compile(r"auto|(ray://)?[\w.-]+:\d{1,5}")


@dataclass
class Joblib(Workers):
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
        require(ok, key_of("n_jobs"), f"a whole number from 1 to {MAX_WORKERS}, or -1 for all processors", self.n_jobs)

    @property
    def at_once(self) -> int:
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
                for place, returned in self._computed(work, left, waiting, begun, self.at_once):
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

        warnings.filterwarnings("ignore", module="joblib")  # that tasks were cancelled, after an interruption
        # With one process, joblib would compute in this one.
        options = {"backend": "loky", "return_as": "generator_unordered", "batch_size": 1, "pre_dispatch": at_once}
        yield from Parallel(n_jobs=max(2, at_once), **options)(calls())


def _with_place(work: Work, place: int, part: Any) -> tuple[int, Any]:
    return place, work(part)


@dataclass
class Ray(Workers):
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
        require(ok, key_of("address"), "null, auto or the address of a cluster (host:6379)", self.address)
        whole(key_of("num_workers"), self.num_workers, 1, MAX_WORKERS)
        whole(key_of("cpus_per_worker"), self.cpus_per_worker, 1, MAX_WORKERS)
        whole(key_of("gpus_per_worker"), self.gpus_per_worker, 0, MAX_WORKERS)

    @property
    def at_once(self) -> int:
        """The number of tasks at once."""
        return self.num_workers

    def require_there(self) -> None:
        """Require that Ray is installed, and that the cluster answers if there should be one.

        Raises:
            InputError: One of them is not there.
        """
        super().require_there()
        if self.address is not None:
            try:
                self._connected()
            except Exception as error:
                advice = "type the address of a cluster that is running (host:6379), or leave it out to start one here"
                raise InputError(
                    f"`{key_of('address')}` must name a Ray cluster that can be reached, got {self.address!r}: {advice}."
                ) from error

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
        if ray.is_initialized():
            return ray
        ray.init(address=self.address or "local", log_to_driver=False, logging_level="ERROR", **settings)
        return ray


def _returned_to(ray: Any, task: Any) -> Any:
    """What a task of Ray has returned; None where its worker has died."""
    try:
        return ray.get(task)
    except ray.exceptions.RayError:
        return None


# By the names of the classes of their launchers in the module of plugins.
WORKERS: dict[str, type[Workers]] = {
    "JoblibLauncher": Joblib,
    "SubmititLocalLauncher": SubmititLocal,
    "SubmititSlurmLauncher": SubmititSlurm,
    "RayLauncher": Ray,
}
