"""The NumPy backend, on the processor."""

import functools
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from threadpoolctl import ThreadpoolController

from polyexp.backend.backend import Backend, Function
from polyexp.device import Device
from polyexp.problem import Array

__all__ = ["NumPy", "blas_threads"]


@functools.cache
def _thread_pools() -> ThreadpoolController:
    """The thread pools of the libraries that are loaded. Finding them takes a millisecond, so it is done once."""
    return ThreadpoolController()


def blas_threads(device: Device) -> AbstractContextManager[Any]:
    """The context in which NumPy's linear algebra uses the threads of the device.

    Products of small arrays take ten times as long on two threads as on one.

    Args:
        device: The device of a fit; one without threads of its own changes nothing.
    """
    threads = getattr(device, "threads", None)
    return cast(AbstractContextManager[Any], _thread_pools().limit(limits=threads, user_api="blas"))


@dataclass
class NumPy(Backend, name="numpy"):
    """NumPy arrays on the processor. Their gradients are written by hand: `loop=manual`.

    Args:
        dtype: The format of its numbers, "float64" or "float32".

    Raises:
        InputError: `dtype` is none of these.

    Example:
        >>> import numpy as np
        >>> import polyexp as p
        >>> backend = p.NumPy(dtype="float32")
        >>> backend.put(np.array([0.5, 1e60])).tolist()
        [0.5, inf]
        >>> backend.get(backend.put(np.ones(2))).dtype
        dtype('float64')
    """

    @property
    def library(self) -> str:
        """The text `numpy <version>`."""
        return f"numpy {np.__version__}"

    def put(self, array: np.ndarray) -> Array:
        """The array cast to `dtype`. A number that float32 cannot hold becomes infinite."""
        # Contiguous rows halve the cost of a product of small arrays.
        with np.errstate(over="ignore"):
            return np.asarray(array, self.dtype, order="C")

    def get(self, array: Array) -> np.ndarray:
        """A float64 copy."""
        return np.array(array, np.float64)

    def compile(self, function: Function) -> Function:
        """The function without warnings; an overflow is an outcome of a run, which `fit` finds in a snapshot."""

        def quiet(*args: Any) -> Any:
            with np.errstate(all="ignore"):
                return function(*args)

        return cast(Function, quiet)
