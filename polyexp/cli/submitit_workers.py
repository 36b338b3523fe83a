"""Workers by submitit: processes of this machine, and jobs of Slurm."""

import math
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from polyexp.base import InputError, require, whole
from polyexp.cli.workers import MAX_WORKERS, Work, Workers, key_of

__all__ = ["SubmititLocal", "SubmititSlurm"]

POLL_SECONDS = 0.2
MAX_MINUTES = 525_600  # a year
NAME = re.compile(
    r"[\w.,:=@+-]+"
)  # of a partition, an account, ...: without blanks, after which sbatch reads a further option


@dataclass
class SubmititLocal(Workers):
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
        whole(key_of("jobs"), self.jobs, 1, MAX_WORKERS)
        whole(key_of("timeout_min"), self.timeout_min, 1, MAX_MINUTES)
        whole(key_of("cpus_per_task"), self.cpus_per_task, 1, MAX_WORKERS)
        whole(key_of("gpus_per_node"), self.gpus_per_node, 0, MAX_WORKERS)
        memory = self.mem_gb
        ok = isinstance(memory, (int, float)) and not isinstance(memory, bool) and math.isfinite(memory) and memory > 0
        require(ok, key_of("mem_gb"), "a positive number", memory)
        for name in ("name", *self.of_slurm):
            value = getattr(self, name)
            ok = (value is None and name != "name") or (isinstance(value, str) and NAME.fullmatch(value) is not None)
            require(ok, key_of(name), "a name without blanks, slashes and quotes", value)

    @property
    def at_once(self) -> int:
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
                    running[place] = self._submitted(executor, work, part)
                ended = [place for place, job in running.items() if job.done()]
                for place in ended:
                    yield place, _returned_by(running.pop(place))
                if not ended:
                    time.sleep(POLL_SECONDS)
        finally:
            for job in running.values():
                job.cancel(check=False)

    def _submitted(self, executor: Any, work: Work, part: Any) -> Any:
        """A job that the batch system has taken."""
        try:
            return executor.submit(work, part)
        except Exception as error:
            raise InputError(
                f"`hydra/launcher={self.launcher}` cannot start a job ({' '.join(str(error).split())}): correct the settings "
                f"`{key_of('')}*`, and type `sweep.resume=<folder of the sweep>`."
            ) from error

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
