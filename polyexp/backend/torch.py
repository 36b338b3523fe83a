"""The torch backend, on the processor or a CUDA GPU. torch is imported when the backend is first used."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from polyexp.backend.backend import Backend
from polyexp.device import CPU, Device
from polyexp.problem import Array

__all__ = ["Torch"]

CUBLAS_WORKSPACE = (
    ":4096:8"  # eight buffers of 4096 KiB, with which the matrix products of cuBLAS do not depend on streams
)


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
        """A copy of this backend on a device.

        This holds for the whole process: on the processor torch's number of threads is set, and for a GPU torch is asked for
        algorithms that give the same bits every time (it warns where an operation has none).
        """
        import torch

        placed = super().on_device(device)
        if isinstance(placed.device, CPU):
            torch.set_num_threads(placed.device.threads or placed.threads)
        else:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", CUBLAS_WORKSPACE)
            torch.use_deterministic_algorithms(True, warn_only=True)
        return placed

    def devices(self) -> Sequence[str]:
        """The processor, and the GPUs that torch finds."""
        import torch

        gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
        return "cpu", *(f"cuda:{index}" for index in range(gpus))

    @property
    def library(self) -> str:
        """The text `torch <version>`."""
        import torch

        return f"torch {torch.__version__}"

    def describe(self) -> str:
        """The text `torch <version>, <dtype>, <device>`, with the name of the GPU."""
        import torch

        gpu = "" if isinstance(self.device, CPU) else f" ({torch.cuda.get_device_name(str(self.device))})"
        return f"{super().describe()}{gpu}"

    def put(self, array: np.ndarray) -> Array:
        """The array cast to `dtype` by NumPy, so that all backends round alike, and moved to the device."""
        import torch

        with np.errstate(over="ignore"):
            return torch.from_numpy(np.array(array, self.dtype, order="C")).to(str(self.device))

    def get(self, array: Array) -> np.ndarray:
        """A float64 copy in host memory. On CUDA this waits for the GPU."""
        return np.array(array.detach().cpu().numpy(), np.float64)

    def value_and_grad(self, function: Callable[[Array], Array]) -> Callable[[Array], tuple[Array, Array]]:
        """The function params -> (value, gradient), by one backward pass of torch.autograd for all runs."""
        import torch

        def both(params: Array) -> tuple[Array, Array]:
            params = params.detach().requires_grad_(True)
            value = function(params)
            (gradient,) = torch.autograd.grad(value, params, torch.ones_like(value))
            return value.detach(), gradient

        return both

    def custom_vjp(
        self, forward: Callable[[Array], Array], backward: Callable[[Array, Array], Array]
    ) -> Callable[[Array], Array]:
        """The function as a custom autograd Function."""
        from polyexp.backend.torch_function import custom_function

        return custom_function(forward, backward)
