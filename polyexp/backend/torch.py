"""The torch backend, on the processor or a CUDA GPU. torch is imported when the backend is first used."""

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
    """torch tensors on the processor or a CUDA GPU. Every loop and every device can be used with them.

    Args:
        dtype: The format of its numbers, "float64" or "float32".

    Raises:
        InputError: `dtype` is none of these.

    Example:
        >>> import numpy as np
        >>> import polyexp as p
        >>> backend = p.Torch(dtype="float32")
        >>> backend.put(np.array([0.5, 0.25]))
        tensor([0.5000, 0.2500])
        >>> backend.get(backend.put(np.array([0.5, 0.25])))
        array([0.5 , 0.25])
    """

    offers: ClassVar[frozenset[str]] = frozenset({"cpu", "cuda", "autograd"})

    def on_device(self, device: Device) -> Self:
        """A copy of this backend on a device. On the processor this sets torch's number of threads in the whole process."""
        import torch

        placed = super().on_device(device)
        if isinstance(placed.device, CPU):
            torch.set_num_threads(placed.device.threads)
        return placed

    def put(self, array: np.ndarray) -> Array:
        """The array cast to `dtype` by NumPy, so that both backends round alike, and moved to the device."""
        import torch

        with np.errstate(over="ignore"):
            return torch.from_numpy(np.array(array, self.dtype, order="C")).to(str(self.device))

    def get(self, array: Array) -> np.ndarray:
        """A float64 copy in host memory. On CUDA this waits for the GPU."""
        return np.array(array.detach().cpu().numpy(), np.float64)

    def iterate(self, advance: Callable[[Carry], Carry], carry: Carry, n: int) -> Carry:
        """Apply `advance` n times."""
        for _ in range(n):
            carry = advance(carry)
        return carry

    def describe(self) -> str:
        """The text `torch <version>, <dtype>, <device>`, with the name of the GPU."""
        import torch

        gpu = "" if isinstance(self.device, CPU) else f" ({torch.cuda.get_device_name(str(self.device))})"
        return f"torch {torch.__version__}, {self.dtype}, {self.device}{gpu}"
