"""Devices: the processor with its threads, or a CUDA GPU with its index."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from polyexp.base import Component, InputError, whole

__all__ = ["CPU", "CUDA", "Auto", "Device"]

MAX_INDEX = 127  # of a GPU: torch keeps it in 8 bits, and silently wraps larger ones


class Finder(Protocol):
    """What finds devices: a backend."""

    def devices(self) -> Sequence[str]:
        """The names of the devices, such as `cpu` and `cuda:0`."""
        ...

    @property
    def library(self) -> str:
        """The array library with its version."""
        ...

    @property
    def threads(self) -> int:
        """The number of threads on a processor for which none is given."""
        ...


@dataclass
class Device(Component):
    """What the arrays of a backend are computed on.

    `kind` is what a backend must offer in order to use the device. The devices are `CPU`, `CUDA` and `Auto`.

    Example:
        >>> import polyexp as p
        >>> [(device.choice, device.kind) for device in (p.CPU(), p.CUDA(), p.Auto())]
        [('cpu', 'cpu'), ('cuda', 'cuda'), ('auto', 'cpu')]
    """

    group: ClassVar[str] = "device"
    kind: ClassVar[str] = "cpu"

    @abstractmethod
    def resolve(self, finder: Finder) -> "CPU | CUDA":
        """The device itself, for the backend that finds devices.

        Raises:
            InputError: There is no such device.
        """


@dataclass
class CPU(Device, name="cpu"):
    """The processor.

    Args:
        threads: The number of threads that the array library may use, from 1 to 1024. None means one, which is fastest for
            the small arrays of most runs; with JAX it means the number that it has in the process.

    Raises:
        InputError: `threads` is not such a number.

    Example:
        >>> import polyexp as p
        >>> str(p.CPU(threads=2))
        'cpu'
        >>> backend = p.NumPy().on_device(p.CPU(threads=2))
        >>> backend.device
        CPU(threads=2)
    """

    threads: int | None = None

    def __post_init__(self) -> None:
        if self.threads is not None:
            whole(self.key("threads"), self.threads, 1, 1024)

    def resolve(self, finder: Finder) -> "CPU":
        """The processor, which every backend can use, with a number of threads."""
        return self if self.threads else CPU(finder.threads)

    def __str__(self) -> str:
        return "cpu"


@dataclass
class CUDA(Device, name="cuda"):
    """A CUDA GPU.

    Args:
        index: The number of the GPU, from 0 to 127.

    Raises:
        InputError: `index` is not such a number. That the GPU exists is checked when a backend is put on it.

    Example:
        >>> import polyexp as p
        >>> str(p.CUDA(index=1))
        'cuda:1'
    """

    kind: ClassVar[str] = "cuda"

    index: int = 0

    def __post_init__(self) -> None:
        whole(self.key("index"), self.index, 0, MAX_INDEX)

    def resolve(self, finder: Finder) -> "CUDA":
        """This GPU; InputError where the backend finds none of this index."""
        count = sum(name.startswith("cuda:") for name in finder.devices())
        if not count:
            raise InputError(
                f"`device=cuda` needs a CUDA GPU, and {finder.library} sees none here: "
                "type `device=cpu`, or `device=auto` for a GPU wherever there is one."
            )
        if self.index >= count:
            there = "only GPU 0" if count == 1 else f"GPUs 0 to {count - 1}"
            raise InputError(f"`{self.key('index')}` must name a GPU that exists ({there} here), got {self.index}.")
        return self

    def __str__(self) -> str:
        return f"cuda:{self.index}"


@dataclass
class Auto(Device, name="auto"):
    """The GPU where there is one and the backend can use it, otherwise the processor.

    Args:
        index: The number of the GPU, from 0 to 127.
        threads: The number of threads on the processor, as of `CPU`.

    Raises:
        InputError: `index` or `threads` is not as for `CUDA` and `CPU`.

    Example:
        >>> import polyexp as p
        >>> p.NumPy().on_device(p.Auto(threads=2)).device
        CPU(threads=2)
    """

    index: int = 0
    threads: int | None = None

    def __post_init__(self) -> None:
        CUDA(self.index)
        CPU(self.threads)

    def resolve(self, finder: Finder) -> CPU | CUDA:
        """The GPU of this index where the backend finds it, otherwise the processor."""
        gpu = CUDA(self.index)
        return gpu if str(gpu) in finder.devices() else CPU(self.threads).resolve(finder)
