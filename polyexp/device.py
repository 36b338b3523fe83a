"""Where arrays live: the processor with its threads, or a CUDA GPU with its index."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from polyexp.base import Component, InputError, whole

__all__ = ["CPU", "CUDA", "Auto", "Device"]


@dataclass
class Device(Component):
    """A device; `kind` is what a backend must offer to use it."""

    group: ClassVar[str] = "device"
    kind: ClassVar[str] = "cpu"

    @abstractmethod
    def resolve(self, offers: frozenset[str]) -> "CPU | CUDA":
        """The concrete device, on a backend that offers these kinds; InputError where there is none."""


@dataclass
class CPU(Device, name="cpu"):
    """The processor.

    threads: how many the array library may use. One is fastest for the small arrays of most runs.
    """

    threads: int = 1

    def __post_init__(self) -> None:
        whole(self.key("threads"), self.threads, 1, 1024)

    def resolve(self, offers: frozenset[str]) -> "CPU":
        """Always there."""
        return self

    def __str__(self) -> str:
        return "cpu"


@dataclass
class CUDA(Device, name="cuda"):
    """A CUDA GPU, chosen by its index."""

    kind: ClassVar[str] = "cuda"

    index: int = 0

    def __post_init__(self) -> None:
        whole(self.key("index"), self.index, 0)

    def resolve(self, offers: frozenset[str]) -> "CUDA":
        """This GPU, if torch sees it."""
        import torch

        if not torch.cuda.is_available():
            raise InputError(
                f"`device=cuda` needs a CUDA GPU, and torch {torch.__version__} sees none here: "
                "type `device=cpu`, or `device=auto` for a GPU wherever there is one."
            )
        count = torch.cuda.device_count()
        if self.index >= count:
            there = "only GPU 0" if count == 1 else f"GPUs 0 to {count - 1}"
            raise InputError(f"`{self.key('index')}` must name a GPU that exists ({there} here), got {self.index}.")
        return self

    def __str__(self) -> str:
        return f"cuda:{self.index}"


@dataclass
class Auto(Device, name="auto"):
    """A GPU where there is one and the backend can use it, the processor elsewhere."""

    index: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        CUDA(self.index)
        CPU(self.threads)

    def resolve(self, offers: frozenset[str]) -> CPU | CUDA:
        """The GPU of this index, or else the processor."""
        if "cuda" in offers:
            import torch

            if torch.cuda.device_count() > self.index:
                return CUDA(self.index)
        return CPU(self.threads)
