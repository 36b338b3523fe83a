"""NumPy, on the processor."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from threadpoolctl import ThreadpoolController

from polyexp.backend.backend import Backend, Carry
from polyexp.device import CPU
from polyexp.problem import Array

__all__ = ["NumPy"]


@functools.cache
def _thread_pools() -> ThreadpoolController:
    """Found once: looking for them costs a millisecond."""
    return ThreadpoolController()


@dataclass
class NumPy(Backend, name="numpy"):
    """NumPy arrays; gradients by hand only."""

    def put(self, array: np.ndarray) -> Array:
        """Cast; what float32 cannot hold becomes infinite. Rows are contiguous, which halves the cost of a small product."""
        with np.errstate(over="ignore"):
            return np.asarray(array, self.dtype, order="C")

    def get(self, array: Array) -> np.ndarray:
        """Cast back."""
        return np.array(array, np.float64)

    def iterate(self, advance: Callable[[Carry], Carry], carry: Carry, n: int) -> Carry:
        """A plain loop; an overflow is an outcome that `fit` finds, not a warning."""
        threads = self.device.threads if isinstance(self.device, CPU) else None
        with _thread_pools().limit(limits=threads, user_api="blas"), np.errstate(all="ignore"):
            for _ in range(n):
                carry = advance(carry)
        return carry

    def describe(self) -> str:
        """numpy <version>, <dtype>, cpu."""
        return f"numpy {np.__version__}, {self.dtype}, {self.device}"
