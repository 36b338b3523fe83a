"""torch, on the processor or a CUDA GPU. Nothing here imports torch before it is used."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from polyexp.backend.backend import Backend, Carry
from polyexp.device import CPU, Device
from polyexp.problem import Array

__all__ = ["Torch"]


@dataclass
class Torch(Backend, name="torch"):
    """torch tensors; every loop, every device."""

    offers: ClassVar[frozenset[str]] = frozenset({"cpu", "cuda", "autograd"})

    def on(self, device: Device) -> Self:
        """Also sets torch's thread count, which is a setting of the whole process."""
        import torch

        placed = super().on(device)
        if isinstance(placed.device, CPU):
            torch.set_num_threads(placed.device.threads)
        return placed

    def put(self, array: np.ndarray) -> Array:
        """Cast in NumPy, so that both backends round alike, then move."""
        import torch

        with np.errstate(over="ignore"):
            return torch.from_numpy(np.array(array, self.dtype, order="C")).to(str(self.device))

    def get(self, array: Array) -> np.ndarray:
        """Move and cast back: a synchronisation point on CUDA."""
        return np.array(array.detach().cpu().numpy(), np.float64)

    def iterate(self, advance: Callable[[Carry], Carry], carry: Carry, n: int) -> Carry:
        """A plain loop."""
        for _ in range(n):
            carry = advance(carry)
        return carry

    def describe(self) -> str:
        """torch <version>, <dtype>, <device and the GPU's name>."""
        import torch

        gpu = "" if isinstance(self.device, CPU) else f" ({torch.cuda.get_device_name(str(self.device))})"
        return f"torch {torch.__version__}, {self.dtype}, {self.device}{gpu}"
